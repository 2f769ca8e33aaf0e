//! The vocabulary that every other crate speaks: ids (one type per kind of thing), money in integer nano-dollars, token
//! usage, the canonical chat request and stream events, time, and the ports that higher layers implement.
//!
//! Nothing here does I/O, and nothing here knows a wire format: `mainstay-wire` translates, `mainstay-server` and
//! `mainstay-providers` speak.

pub mod config;
pub mod id;
pub mod money;
pub mod usage;

pub mod time;

pub mod chat;
pub mod citation;
pub mod filter;
pub mod metadata;
pub mod rerank;

pub mod error;
pub mod identity;
pub mod ledger;
pub mod port;
pub mod when;

pub use chat::{ChatEvent, ChatRequest, Completion};
pub use citation::{ByteRange, Citation, Passage};
pub use error::{ModelError, ModelErrorKind, TimeoutPhase};
pub use filter::Filter;
pub use id::{
    AssistantName, ChunkId, CorpusName, DocumentId, KeyId, NameFault, RegionName, RequestId, RoleName,
    TenantId, TierName, TurnId, UserId,
};
pub use identity::{Allotment, Caller, Permission};
pub use ledger::{Outcome, TurnRecord};
pub use metadata::Metadata;
pub use money::NanoUsd;
pub use rerank::{NotReranked, Reranked, Reranking, ServiceTier};
pub use time::{Clock, Deadline, Timestamp};
pub use usage::Usage;
pub use when::When;
