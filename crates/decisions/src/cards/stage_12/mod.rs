//! Stage 12: operations.

mod facts;

use crate::card::Card;
use crate::fact::Fact;

pub(super) const CARDS: &[&Card] = &[];
pub(super) const FACTS: &[&Fact] = facts::ALL;
