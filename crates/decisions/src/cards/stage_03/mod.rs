//! Stage 3: data flow.

mod card_03_1;
mod card_03_2;
mod card_03_3;
mod card_03_4;
mod facts;

use crate::card::Card;
use crate::fact::Fact;

pub(super) const CARDS: &[&Card] = &[&card_03_1::CARD, &card_03_2::CARD, &card_03_3::CARD, &card_03_4::CARD];
pub(super) const FACTS: &[&Fact] = facts::ALL;

#[cfg(test)]
mod tests;
