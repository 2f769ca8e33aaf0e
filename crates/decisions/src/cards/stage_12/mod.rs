//! Stage 12: operations.

mod card_12_1;
mod card_12_2;
mod card_12_3;
mod card_12_4;
mod facts;

use crate::card::Card;
use crate::fact::Fact;

pub(super) const CARDS: &[&Card] = &[&card_12_1::CARD, &card_12_2::CARD, &card_12_3::CARD, &card_12_4::CARD];
pub(super) const FACTS: &[&Fact] = facts::ALL;

#[cfg(test)]
mod tests;
