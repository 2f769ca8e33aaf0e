//! Stage 10: scale.

mod card_10_1;
mod card_10_2;
mod card_10_3;
mod card_10_4;
mod facts;

use crate::card::Card;
use crate::fact::Fact;

pub(super) const CARDS: &[&Card] = &[&card_10_1::CARD, &card_10_2::CARD, &card_10_3::CARD, &card_10_4::CARD];
pub(super) const FACTS: &[&Fact] = facts::ALL;

#[cfg(test)]
mod tests;
