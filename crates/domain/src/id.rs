//! One type per kind of id, so that mixing two of them is a compile error.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::time::Clock;

/// Declares an id that is text underneath: cheap to clone, ordered, and printed as it is.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(transparent)]
        pub struct $name(#[schemars(with = "String")] Arc<str>);

        impl $name {
            /// Wraps a text as this kind of id; says nothing about whether such a thing exists.
            pub fn new(text: impl AsRef<str>) -> Self {
                Self(Arc::from(text.as_ref()))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        /// As quoted text, which is how error messages name it.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(Arc::from(text))
            }
        }
    };
}

text_id!(
    /// Who owns data. It comes from the authenticated identity, never from a request's body.
    TenantId
);
text_id!(
    /// A collection of documents inside a tenant.
    CorpusName
);
text_id!(
    /// An assistant of `mainstay.toml`: prompt, corpus and model under one name.
    AssistantName
);
text_id!(
    /// A group of callers that is served alike, of `[limits.tiers]`.
    TierName
);
text_id!(
    /// A document inside a corpus: the caller's own `doc_id`, a file's path below its folder, or one made by us.
    DocumentId
);
text_id!(
    /// A person or a service as its identity provider names it, unique inside its tenant.
    UserId
);
text_id!(
    /// What somebody is to this Mainstay, as policies name it: `engineer`, `customer_user`, or a role of the team's own.
    RoleName
);
text_id!(
    /// Where data is kept and worked on, as the configuration names it: `eu-west-1`.
    RegionName
);
text_id!(
    /// The public half of an API key: safe to print and to log.
    KeyId
);
text_id!(
    /// One HTTP request, as sent back in `x-request-id`.
    RequestId
);
text_id!(
    /// One ledger turn: the unit that is counted and billed exactly once.
    TurnId
);

impl TenantId {
    /// The tenant of a Mainstay that serves only one, and the one that operates a Mainstay that serves more.
    pub fn single() -> Self {
        Self::new("default")
    }

    /// Whether it operates this Mainstay, so that its administrators may see to the other tenants.
    pub fn is_operator(&self) -> bool {
        self.as_str() == "default"
    }
}

impl CorpusName {
    /// Longest name, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// The corpus that is used where none is named.
    pub fn unnamed() -> Self {
        Self::new("default")
    }

    /// Refuses what no corpus may be called: a name that is hard to see or to type makes a second corpus by mistake.
    pub fn check(&self) -> Result<(), NameFault> {
        check_text(self.as_str(), Self::MAX_BYTES)?;
        if self.as_str().trim() != self.as_str() {
            return Err(NameFault::Padded);
        }
        Ok(())
    }
}

impl RequestId {
    /// A new id, ordered by time.
    pub fn generate(clock: &Clock) -> Self {
        Self::from(ordered_id("req_", clock))
    }
}

impl TurnId {
    /// A new id, ordered by time.
    pub fn generate(clock: &Clock) -> Self {
        Self::from(ordered_id("turn_", clock))
    }
}

impl DocumentId {
    /// Longest id, in bytes.
    pub const MAX_BYTES: usize = 1_024;

    /// Refuses what no document may be called.
    pub fn check(&self) -> Result<(), NameFault> {
        check_text(self.as_str(), Self::MAX_BYTES)
    }

    /// A new id for a document that came without one.
    pub fn generate(clock: &Clock) -> Self {
        Self::from(ordered_id("doc_", clock))
    }
}

/// What is wrong with a name that somebody chose for a corpus or a document.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NameFault {
    /// There is nothing in it.
    #[error("is empty")]
    Empty,
    /// It is longer than names may be.
    #[error("has {bytes} bytes; at most {limit} are allowed")]
    TooLong {
        /// Its length in bytes.
        bytes: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// It would move the cursor of whoever prints it.
    #[error("contains a control character, such as a tab or a line break")]
    ControlCharacter,
    /// It looks like another name.
    #[error("begins or ends with a blank")]
    Padded,
}

fn check_text(text: &str, limit: usize) -> Result<(), NameFault> {
    match text {
        "" => Err(NameFault::Empty),
        _ if text.len() > limit => Err(NameFault::TooLong { bytes: text.len(), limit }),
        _ if text.chars().any(char::is_control) => Err(NameFault::ControlCharacter),
        _ => Ok(()),
    }
}

/// A chunk of a document in the relational store, and the id of its point in the vector index.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChunkId(pub u64);

impl fmt::Display for ChunkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// `prefix`, 12 hexadecimal digits of milliseconds, 16 of randomness. Unique, not secret: keys are made elsewhere.
pub fn ordered_id(prefix: &str, clock: &Clock) -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let milliseconds = clock.now().as_micros().max(0) as u64 / 1_000;
    let random = fastrand::u64(..);
    let mut id = String::with_capacity(prefix.len() + 28);
    id.push_str(prefix);
    for shift in (0..12).rev() {
        id.push(HEX[(milliseconds >> (shift * 4)) as usize & 0xf] as char);
    }
    for shift in (0..16).rev() {
        id.push(HEX[(random >> (shift * 4)) as usize & 0xf] as char);
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_ids_are_distinct_and_carry_their_kind() {
        let clock = Clock::system();
        let first = RequestId::generate(&clock);
        let second = RequestId::generate(&clock);
        assert_ne!(first, second);
        assert!(first.as_str().starts_with("req_") && first.as_str().len() == 32, "{first}");
    }

    #[test]
    fn a_corpus_has_a_name_that_can_be_seen_and_typed() {
        let fault = |name: &str| CorpusName::new(name).check().err();
        assert_eq!([fault("default"), fault("Schiffe 2026"), fault("a/b")], [None; 3]);
        assert_eq!(fault(""), Some(NameFault::Empty));
        assert_eq!([fault(" a"), fault("a\u{a0}")], [Some(NameFault::Padded); 2]);
        assert_eq!([fault("a\nb"), fault("\u{1b}[2J")], [Some(NameFault::ControlCharacter); 2]);
        assert_eq!(fault(&"a".repeat(129)), Some(NameFault::TooLong { bytes: 129, limit: 128 }));
    }

    #[test]
    fn a_document_may_have_the_name_of_any_file_but_no_control_characters() {
        let fault = |id: &str| DocumentId::new(id).check().err();
        assert_eq!([fault("guide/Über uns.md"), fault(" x ")], [None; 2]);
        assert_eq!(fault(""), Some(NameFault::Empty));
        assert_eq!(fault("a\0b"), Some(NameFault::ControlCharacter));
        assert_eq!(fault(&"i".repeat(1_025)), Some(NameFault::TooLong { bytes: 1_025, limit: 1_024 }));
    }

    #[test]
    fn messages_quote_an_id_as_text() {
        assert_eq!(
            format!("there is no corpus {:?}", CorpusName::new("nope")),
            "there is no corpus \"nope\""
        );
    }
}
