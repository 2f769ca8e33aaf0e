//! Stage 4: storage.

mod card_04_2;
mod facts;

use crate::card::Card;
use crate::fact::Fact;

pub(super) const CARDS: &[&Card] = &[&card_04_2::CARD];
pub(super) const FACTS: &[&Fact] = facts::ALL;
