//! Stage 8: agents.

mod card_08_1;
mod card_08_2;
mod card_08_3;
mod card_08_4;
mod facts;

use crate::card::Card;
use crate::fact::Fact;

pub(super) const CARDS: &[&Card] = &[&card_08_1::CARD, &card_08_2::CARD, &card_08_3::CARD, &card_08_4::CARD];
pub(super) const FACTS: &[&Fact] = facts::ALL;

#[cfg(test)]
mod tests;
