//! Facts that the cards of stage 10 alone ask about.

use crate::fact::facts;

facts! { pub(super), }
