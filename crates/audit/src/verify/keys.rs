//! Which key signs where, and whether the key that was given is one of them.

use crate::record::Record;
use crate::signing::{KeyChange, PublicKey, SignedHead};

/// The keys of a log, as its records name them.
#[derive(Debug)]
pub(super) struct Keys {
    given: PublicKey,
    current: Option<PublicKey>,
    /// All that ever signed: the head file may have been written before the last change.
    known: Vec<PublicKey>,
}

impl Keys {
    pub(super) fn new(given: PublicKey) -> Self {
        Self { given, current: None, known: Vec::new() }
    }

    /// A record that says which key signs from here on; `false` when the one before it did not agree.
    pub(super) fn change(&mut self, record: &Record, seq: u64, prev: crate::hash::Hash) -> bool {
        let details = serde_json::Value::Object(record.details.clone());
        let Ok(change) = serde_json::from_value::<KeyChange>(details) else { return false };
        if !change.is_valid(self.current, seq, prev) || (self.current.is_none() && seq != 1) {
            return false;
        }
        self.current = Some(change.key);
        self.known.push(change.key);
        true
    }

    /// Whether the key that signs now signed this.
    pub(super) fn vouch(&self, head: &SignedHead) -> bool {
        self.current == Some(head.key) && head.is_signed()
    }

    /// Whether any key of the log signed this, or the one that was given: of the log there may be nothing left.
    pub(super) fn ever_vouched(&self, head: &SignedHead) -> bool {
        (self.known.contains(&head.key) || head.key == self.given) && head.is_signed()
    }

    /// Whether the log belongs to the key that was given. A key is only in the log with its own signature over what was
    /// before it, so it vouches for all of that, and for the keys that it handed over to.
    pub(super) fn include_given(&self) -> bool {
        self.known.contains(&self.given)
    }

    pub(super) const fn current(&self) -> Option<PublicKey> {
        self.current
    }
}
