//! Facts that the cards of stage 7 alone ask about.

use crate::fact::facts;

facts! { pub(super), }
