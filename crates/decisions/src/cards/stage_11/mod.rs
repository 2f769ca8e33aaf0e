//! Stage 11: security.

mod card_11_1;
mod card_11_2;
mod card_11_3;
mod card_11_4;
mod facts;

use crate::card::Card;
use crate::fact::Fact;

pub(super) const CARDS: &[&Card] = &[&card_11_1::CARD, &card_11_2::CARD, &card_11_3::CARD, &card_11_4::CARD];
pub(super) const FACTS: &[&Fact] = facts::ALL;

#[cfg(test)]
mod tests;
