//! Stage 5: model strategy.

mod card_05_1;
mod card_05_2;
mod card_05_3;
mod card_05_4;
mod facts;

use crate::card::Card;
use crate::fact::Fact;

pub(super) const CARDS: &[&Card] = &[&card_05_1::CARD, &card_05_2::CARD, &card_05_3::CARD, &card_05_4::CARD];
pub(super) const FACTS: &[&Fact] = facts::ALL;

#[cfg(test)]
mod tests;
