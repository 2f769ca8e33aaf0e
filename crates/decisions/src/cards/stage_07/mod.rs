//! Stage 7: retrieval.

mod card_07_1;
mod card_07_2;
mod card_07_3;
mod card_07_4;
mod facts;

use crate::card::Card;
use crate::fact::Fact;

pub(super) const CARDS: &[&Card] = &[&card_07_1::CARD, &card_07_2::CARD, &card_07_3::CARD, &card_07_4::CARD];
pub(super) const FACTS: &[&Fact] = facts::ALL;

#[cfg(test)]
mod tests;
