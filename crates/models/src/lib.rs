//! Models and assistants: what the `model` of a request stands for, which upstreams answer it, and what happens when
//! they fail.

pub mod assistant;
mod embedder;
pub mod registry;
pub mod upstream;

pub use assistant::{Assistant, ModelName, RetrievalSettings};
pub use embedder::GuardedEmbedder;
pub use registry::{Listed, ModelSettings, Provider, Registry, Route, UnknownModel};
pub use upstream::{Abilities, AttemptedStream, CallPolicy, Candidate, Note, Prefill, Step, Upstreams};
