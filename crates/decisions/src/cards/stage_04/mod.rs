//! Stage 4: storage.

mod card_04_1;
mod card_04_2;
mod card_04_3;
mod card_04_4;
mod facts;

use crate::card::Card;
use crate::fact::Fact;

pub(super) const CARDS: &[&Card] = &[&card_04_1::CARD, &card_04_2::CARD, &card_04_3::CARD, &card_04_4::CARD];
pub(super) const FACTS: &[&Fact] = facts::ALL;

#[cfg(test)]
mod tests;
