//! Facts that the cards of stage 5 alone ask about.

use crate::fact::facts;

facts! { pub(super), }
