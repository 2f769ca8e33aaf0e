//! Models and assistants: what the `model` of a request stands for, and which upstream answers it.

pub mod assistant;
pub mod registry;

pub use assistant::{Assistant, ModelName, RetrievalSettings};
pub use registry::{Listed, Provider, Registry, Route, UnknownModel};
