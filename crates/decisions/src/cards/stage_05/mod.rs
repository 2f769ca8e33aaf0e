//! Stage 5: model strategy.

mod facts;

use crate::card::Card;
use crate::fact::Fact;

pub(super) const CARDS: &[&Card] = &[];
pub(super) const FACTS: &[&Fact] = facts::ALL;
