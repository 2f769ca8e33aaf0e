//! Stage 1: requirements.

mod card_01_1;
mod card_01_2;
mod card_01_3;
mod card_01_4;
mod facts;

use crate::card::Card;
use crate::fact::Fact;

pub(super) const CARDS: &[&Card] = &[&card_01_1::CARD, &card_01_2::CARD, &card_01_3::CARD, &card_01_4::CARD];
pub(super) const FACTS: &[&Fact] = facts::ALL;

#[cfg(test)]
mod tests;
