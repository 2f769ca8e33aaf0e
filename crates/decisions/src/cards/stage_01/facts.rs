//! Facts that the cards of stage 1 alone ask about.

use crate::fact::facts;

facts! { pub(super), }
