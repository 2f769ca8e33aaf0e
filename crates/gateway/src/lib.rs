//! The request path, in domain types: no HTTP and no wire format.
//!
//! Read [`chat`] first, top to bottom: it is what happens to a question. [`stream`] is the same for the pieces of a
//! streamed answer, and [`sources`] how its documents are found. [`embeddings`] and [`search`] are the shorter paths beside
//! it.

pub mod admission;
pub mod chat;
pub mod sources;
pub mod stream;

mod attempts;
pub mod caching;
pub mod cascading;
mod judging;
pub mod service;
mod spending;

pub mod embeddings;
pub mod search;

pub mod error;

use std::sync::Arc;

use mainstay_domain::Clock;
use mainstay_domain::port::{Prices, Retriever};
use mainstay_models::Registry;
use mainstay_ops::budgets::Attribute;
use mainstay_ops::{ContentLog, TurnBook};

pub use admission::{Admission, Admitted};
pub use caching::Caching;
pub use cascading::{Cascade, Cascades};
pub use chat::{Answer, ChatCall, Context};
pub use error::RequestError;
pub use service::Service;
pub use stream::AnswerStream;

/// What the request path is made of. The composition root fills it in; a test fills it in with other parts.
pub struct Gateway {
    /// Which requests are answered.
    pub admission: Arc<Admission>,
    /// What a name stands for.
    pub registry: Registry,
    /// How much of the service is offered.
    pub service: Arc<Service>,
    /// Answers that were given before.
    pub caching: Caching,
    /// Which assistants ask cheaper models first.
    pub cascades: Cascades,
    /// Finds passages.
    pub retriever: Arc<dyn Retriever>,
    /// Books turns.
    pub turns: TurnBook,
    /// Keeps what is said in some of them, of tenants that agreed to it.
    pub contents: ContentLog,
    /// What of a request's attributes has to be said, so that its cost can be told apart.
    pub required_attribution: Vec<Attribute>,
    /// What models cost.
    pub prices: Arc<dyn Prices>,
    /// Time.
    pub clock: Clock,
}

#[cfg(test)]
mod storm;
#[cfg(test)]
mod tests;
