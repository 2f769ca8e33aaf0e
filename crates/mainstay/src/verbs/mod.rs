//! One file per verb.

pub(crate) mod serve;
pub(crate) mod up;

pub(crate) mod ask;
pub(crate) mod ingest;
pub(crate) mod search;

pub(crate) mod audit;
pub(crate) mod budget;
pub(crate) mod cache;
pub(crate) mod content;
pub(crate) mod corpus;
pub(crate) mod costs;
pub(crate) mod decide;
pub(crate) mod erase;
pub(crate) mod index;
pub(crate) mod keys;
pub(crate) mod plan;
pub(crate) mod policy;
pub(crate) mod tenants;

pub(crate) mod init;
pub(crate) mod spec;

pub(crate) mod bench;
pub(crate) mod eval;
pub(crate) mod provider_sim;
pub(crate) mod train;
