//! Facts that the cards of stage 12 alone ask about.

use crate::fact::facts;

facts! { pub(super), }
