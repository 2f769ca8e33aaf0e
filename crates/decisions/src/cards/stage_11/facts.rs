//! Facts that the cards of stage 11 alone ask about.

use crate::fact::facts;

facts! { pub(super), }
