//! The sections whose owners are the parts that the binary composes.

pub(crate) mod audit;
pub(crate) mod budgets;
pub(crate) mod cache;
pub(crate) mod identity;
pub(crate) mod limits;
pub(crate) mod residency;
pub(crate) mod security;
pub(crate) mod server;
pub(crate) mod storage;

pub(crate) mod models;
pub(crate) mod onnx;
pub(crate) mod providers;
pub(crate) mod reliability;
pub(crate) mod routing;
pub(crate) mod service;

pub(crate) mod assistants;
pub(crate) mod content_log;
pub(crate) mod corpora;
pub(crate) mod quality;
pub(crate) mod rerank;

pub(crate) mod prices;

pub(crate) mod model_name;
mod rules;
