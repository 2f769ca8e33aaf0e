//! Stage 2: capacity.

mod card_02_1;
mod card_02_2;
mod card_02_3;
mod card_02_4;
mod facts;

use crate::card::Card;
use crate::fact::Fact;

pub(super) const CARDS: &[&Card] = &[&card_02_1::CARD, &card_02_2::CARD, &card_02_3::CARD, &card_02_4::CARD];
pub(super) const FACTS: &[&Fact] = facts::ALL;

#[cfg(test)]
mod tests;
