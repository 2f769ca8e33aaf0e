//! What a stand-in was asked, and how each request ended.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::watch;

use super::fault::Fault;

/// The requests that a stand-in received.
pub struct Records {
    kept: Mutex<VecDeque<Record>>,
    counts: watch::Sender<Counts>,
}

/// How many requests there were, by how they ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Counts {
    /// All.
    pub count: u64,
    /// Under way.
    pub open: u64,
    /// Answered to the last byte, be it with an error.
    pub finished: u64,
    /// Broken off by a fault.
    pub broken: u64,
    /// Broken off by the client: it closed the connection or the stream before the last byte.
    pub cancelled: u64,
}

/// A request.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Record {
    /// Its number, from 1.
    pub number: u64,
    /// The path.
    pub path: String,
    /// The headers.
    pub headers: Map<String, Value>,
    /// The body; a text where it is no JSON.
    pub body: Value,
    /// What was done to it.
    pub fault: Fault,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a request ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It has not.
    Open,
    /// Answered to the last byte.
    Finished,
    /// Broken off by a fault.
    Broken,
    /// Broken off by the client.
    Cancelled,
}

/// The last requests that are kept with their bodies.
const KEPT: usize = 64;

impl Records {
    pub(super) fn new() -> Self {
        Self { kept: Mutex::default(), counts: watch::Sender::new(Counts::default()) }
    }

    /// How many there were.
    pub fn counts(&self) -> Counts {
        *self.counts.borrow()
    }

    /// The last ones, oldest first.
    pub fn last(&self) -> Vec<Record> {
        self.kept().iter().cloned().collect()
    }

    /// Waits until `reached` is true of the counts.
    pub async fn wait_for(&self, reached: impl FnMut(&Counts) -> bool) -> Counts {
        let mut receiver = self.counts.subscribe();
        // It ends without a value only when the sender is gone, which lives as long as the records.
        let reached = receiver.wait_for(reached).await.map(|counts| *counts);
        reached.unwrap_or_else(|_| self.counts())
    }

    /// Forgets everything but what is under way.
    pub fn clear(&self) {
        self.kept().clear();
        self.counts.send_modify(|counts| {
            *counts = Counts { count: counts.open, open: counts.open, ..Counts::default() }
        });
    }

    pub(super) fn open(self: &Arc<Self>, path: &str, headers: &http::HeaderMap, body: Value) -> OpenRecord {
        let mut number = 0;
        self.counts.send_modify(|counts| {
            counts.count += 1;
            counts.open += 1;
            number = counts.count;
        });
        let headers = headers
            .iter()
            .map(|(name, value)| {
                (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned().into())
            })
            .collect();
        let mut kept = self.kept();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(Record {
            number,
            path: path.to_owned(),
            headers,
            body,
            fault: Fault::None,
            outcome: Outcome::Open,
        });
        OpenRecord { records: self.clone(), number, closed: false }
    }

    fn close(&self, number: u64, outcome: Outcome) {
        if let Some(record) = self.kept().iter_mut().find(|record| record.number == number) {
            record.outcome = outcome;
        }
        self.counts.send_modify(|counts| {
            counts.open -= 1;
            match outcome {
                Outcome::Finished => counts.finished += 1,
                Outcome::Broken => counts.broken += 1,
                Outcome::Cancelled | Outcome::Open => counts.cancelled += 1,
            }
        });
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Record>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request under way. Dropped before it is closed, the client has gone away.
pub(super) struct OpenRecord {
    records: Arc<Records>,
    number: u64,
    closed: bool,
}

impl OpenRecord {
    /// Its number.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Notes what is done to it.
    pub(super) fn note(&self, fault: Fault) {
        if let Some(record) = self.records.kept().iter_mut().find(|record| record.number == self.number) {
            record.fault = fault;
        }
    }

    /// Notes the end; only the first counts.
    pub(super) fn close(&mut self, outcome: Outcome) {
        if !std::mem::replace(&mut self.closed, true) {
            self.records.close(self.number, outcome);
        }
    }
}

impl Drop for OpenRecord {
    fn drop(&mut self) {
        self.close(Outcome::Cancelled);
    }
}
