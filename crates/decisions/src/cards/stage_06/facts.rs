//! Facts that the cards of stage 6 alone ask about.

use crate::fact::facts;

facts! { pub(super), }
