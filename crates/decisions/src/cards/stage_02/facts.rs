//! Facts that the cards of stage 2 alone ask about.

use crate::fact::facts;

facts! { pub(super), }
