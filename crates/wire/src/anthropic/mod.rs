//! Anthropic's API.

pub mod error;
pub mod messages;
