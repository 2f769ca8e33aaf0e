//! Facts that the cards of stage 8 alone ask about.

use crate::fact::facts;

facts! { pub(super), }
