//! Facts that the cards of stage 3 alone ask about.

use crate::fact::facts;

facts! { pub(super), }
