//! Stage 9: reliability.

mod card_09_1;
mod card_09_2;
mod card_09_3;
mod card_09_4;
mod facts;

use crate::card::Card;
use crate::fact::Fact;

pub(super) const CARDS: &[&Card] = &[&card_09_1::CARD, &card_09_2::CARD, &card_09_3::CARD, &card_09_4::CARD];
pub(super) const FACTS: &[&Fact] = facts::ALL;

#[cfg(test)]
mod tests;
