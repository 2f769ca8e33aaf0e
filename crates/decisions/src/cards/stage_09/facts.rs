//! Facts that the cards of stage 9 alone ask about.

use crate::fact::facts;

facts! { pub(super), }
