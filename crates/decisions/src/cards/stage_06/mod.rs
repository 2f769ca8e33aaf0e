//! Stage 6: serving.

mod card_06_1;
mod card_06_2;
mod card_06_3;
mod card_06_4;
mod facts;

use crate::card::Card;
use crate::fact::Fact;

pub(super) const CARDS: &[&Card] = &[&card_06_1::CARD, &card_06_2::CARD, &card_06_3::CARD, &card_06_4::CARD];
pub(super) const FACTS: &[&Fact] = facts::ALL;

#[cfg(test)]
mod tests;
