//! The audit trail as the rest of Mainstay writes it: who did what, in the chain of `mainstay-audit`.
//!
//! People are in it by pseudonym only, documents by the numbers of their chunks, and nothing of what was said. What an
//! administrator changes is on disk before it is acknowledged; the rest is written before the request goes on and on disk
//! within a tenth of a second.

mod damper;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use mainstay_audit::{
    AppendError, AuditLog, Category, Durability, Outcome, Pseudonym, Pseudonyms, Record, SYNC_INTERVAL,
};
use mainstay_domain::ledger::TurnRecord;
use mainstay_domain::{Caller, Clock, CorpusName, DocumentId, RequestId, TenantId, Timestamp, UserId};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use self::damper::Damper;
use crate::measure;

/// The audit trail; one that is off keeps nothing.
#[derive(Clone)]
pub struct Trail {
    kept: Option<Arc<Kept>>,
    clock: Clock,
}

struct Kept {
    log: Arc<AuditLog>,
    pseudonyms: Arc<Pseudonyms>,
    /// Whether what cannot be recorded must not be done.
    is_required: bool,
    damper: Mutex<Damper>,
}

/// What was to be done could not be recorded, and must not be done unrecorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "this cannot be recorded in the audit log at present, and audit.required says that nothing is done unrecorded; try again"
)]
pub struct Unrecorded;

impl Trail {
    /// One that keeps nothing.
    pub const fn off(clock: Clock) -> Self {
        Self { kept: None, clock }
    }

    /// One that is kept in `log`. `is_required`: whether what cannot be recorded must not be done.
    pub fn new(log: Arc<AuditLog>, pseudonyms: Arc<Pseudonyms>, is_required: bool, clock: Clock) -> Self {
        let kept = Kept { log, pseudonyms, is_required, damper: Mutex::default() };
        Self { kept: Some(Arc::new(kept)), clock }
    }

    /// The log, where there is one.
    pub fn log(&self) -> Option<&Arc<AuditLog>> {
        self.kept.as_ref().map(|kept| &kept.log)
    }

    /// Whom the pseudonyms of the log stand for.
    pub fn pseudonyms(&self) -> Option<&Arc<Pseudonyms>> {
        self.kept.as_ref().map(|kept| &kept.pseudonyms)
    }

    /// A record of what a caller did with what belongs to `tenant`.
    pub fn record_of(
        &self,
        caller: &Caller,
        request: &RequestId,
        tenant: &TenantId,
        category: Category,
        action: &'static str,
        outcome: Outcome,
    ) -> Record {
        let mut record = Record::new(category, action, outcome)
            .with_tenant(tenant.clone())
            .with_credential(caller.key.clone())
            .with_request(request.clone());
        record.subject = caller.user.as_ref().and_then(|user| self.pseudonym(&caller.tenant, user));
        if caller.tenant != *tenant {
            record = record.with_detail("by_tenant", caller.tenant.as_str());
        }
        record
    }

    /// What stands for a person at present.
    pub fn pseudonym(&self, tenant: &TenantId, user: &UserId) -> Option<Pseudonym> {
        let kept = self.kept.as_ref()?;
        let given = kept.pseudonyms.of(tenant, user, self.clock.now());
        given.inspect_err(|error| failed(error)).ok()
    }

    /// Writes a record: it survives the end of the process, and a loss of power from a tenth of a second on.
    pub fn write(&self, record: &Record) -> Result<(), Unrecorded> {
        self.append(record, Durability::Buffered)
    }

    /// Writes a record and waits until it is on disk. For what an administrator changes.
    pub async fn write_durably(&self, record: Record) -> Result<(), Unrecorded> {
        if self.kept.is_none() {
            return Ok(());
        }
        let trail = self.clone();
        let writing = move || trail.append(&record, Durability::Synced);
        tokio::task::spawn_blocking(writing).await.unwrap_or(Err(Unrecorded))
    }

    fn append(&self, record: &Record, durability: Durability) -> Result<(), Unrecorded> {
        let Some(kept) = &self.kept else { return Ok(()) };
        match kept.log.append(record, durability) {
            Ok(_) => Ok(()),
            // What cannot be a record is no full disk: somebody tries to do something of which there is none.
            Err(AppendError::Record(fault)) => {
                failed(&fault);
                Err(Unrecorded)
            }
            Err(error) => {
                failed(&error);
                if kept.is_required { Err(Unrecorded) } else { Ok(()) }
            }
        }
    }

    /// Writes a record of something that anybody can make happen as often as they like: of each `source` only some a minute
    /// are written, and then how many were not.
    fn write_some(&self, source: &str, record: impl FnOnce() -> Record) {
        let Some(kept) = &self.kept else { return };
        let passed =
            kept.damper.lock().unwrap_or_else(PoisonError::into_inner).pass(source, self.clock.now());
        let Some(unwritten) = passed else { return };
        // Made only now: a flood costs no more than its count.
        let record = record();
        let record = if unwritten > 0 { record.with_detail("unwritten_before", unwritten) } else { record };
        // Nothing is done that would have to be left undone.
        let _ = self.append(&record, Durability::Buffered);
    }

    /// Nobody is known who came in with this, or who came is not let in.
    pub fn refused_entry(
        &self,
        address: Option<IpAddr>,
        request: &RequestId,
        code: &'static str,
        route: &str,
    ) {
        let source = address.map_or_else(String::new, source_of);
        self.write_some(&source, || {
            let mut record =
                Record::new(Category::Authentication, "authenticate", Outcome::Denied(code.into()))
                    .with_request(request.clone())
                    .with_detail("route", route);
            if !source.is_empty() {
                // An address is of a person: it is in the log as people are.
                record.subject = self.pseudonym(&TenantId::new("(addresses)"), &UserId::new(&source));
            }
            record
        });
    }

    /// A limit was hit, or something else happened that threatens the service.
    pub fn threat(&self, caller: &Caller, request: &RequestId, action: &'static str, code: &'static str) {
        self.write_some(caller.key.as_str(), || {
            let category = Category::SecurityEvent;
            self.record_of(caller, request, &caller.tenant, category, action, Outcome::Denied(code.into()))
        });
    }

    /// A part of the service is in another state than before, by itself: a breaker, a level of service.
    pub fn shifted(&self, part: &'static str, name: &str, old: &'static str, new: &'static str) {
        let record = Record::new(Category::SecurityEvent, "service.shifted", Outcome::Succeeded);
        let record = changed(record.with_resource(part, name), old.into(), new.into());
        // Nothing is done that would have to be left undone.
        let _ = self.append(&record, Durability::Buffered);
    }

    /// A document was deleted because its tenant keeps none that was changed last before a moment. `alias`: what stands for it
    /// among people.
    pub fn expired(&self, tenant: &TenantId, alias: &UserId, before: Timestamp) -> Result<(), Unrecorded> {
        let mut record = Record::new(Category::DataAccess, "documents.expire", Outcome::Succeeded)
            .with_detail("changed_before", before.as_seconds());
        record.tenant = Some(tenant.clone());
        if let Some(pseudonym) = self.pseudonym(tenant, alias) {
            record = record.with_resource("document", pseudonym.to_string());
        }
        self.append(&record, Durability::Buffered)
    }

    /// A turn has ended: what it took, and nothing of what was said.
    pub(crate) fn turn_ended(&self, turn: &TurnRecord, subject: Option<Pseudonym>) {
        if self.kept.is_none() {
            return;
        }
        let outcome = match &turn.error_code {
            None => Outcome::Succeeded,
            Some(code) => Outcome::Failed(code.clone().into()),
        };
        let action = if turn.operation == "chat" { "answers.chat" } else { "answers.other" };
        let mut record = Record::new(Category::Inference, action, outcome)
            .with_request(turn.request.clone())
            .with_detail("operation", turn.operation.as_str())
            .with_detail("ended", turn.outcome.as_str())
            .with_detail("prompt_tokens", turn.usage.prompt)
            .with_detail("completion_tokens", turn.usage.completion)
            .with_detail("duration_micros", turn.duration_micros)
            .with_detail("cost_nano_usd", turn.total_cost().as_nanos())
            .with_detail("passages", turn.passages)
            .with_detail("citations", turn.citations);
        record.tenant.clone_from(&turn.tenant);
        record.credential.clone_from(&turn.key);
        record.subject = subject;
        let texts = [
            ("model", turn.answered_model.as_deref()),
            ("assistant", turn.assistant.as_ref().map(|name| name.as_str())),
            ("cache", turn.cache.as_deref()),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                record = record.with_detail(name, text);
            }
        }
        let _ = self.append(&record, Durability::Buffered);
    }

    /// Forces what was written to disk again and again, and signs where the chain stands, until it is told to stop.
    pub async fn keep(self, stop: CancellationToken) {
        let Some(kept) = self.kept.clone() else { return };
        while stop.run_until_cancelled(self.clock.sleep(SYNC_INTERVAL)).await.is_some() {
            let log = kept.log.clone();
            let synced = tokio::task::spawn_blocking(move || log.sync()).await;
            if let Ok(Err(error)) = synced {
                failed(&error);
            }
            let pseudonyms = kept.pseudonyms.clone();
            if let Ok(Err(error)) = tokio::task::spawn_blocking(move || pseudonyms.sync()).await {
                failed(&error);
            }
        }
        if let Err(error) = kept.log.close() {
            failed(&error);
        }
    }
}

/// Where a request comes from, as far as it is one source: who has an address of IPv6 has as many as they like of its network.
fn source_of(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// By what name a document has a pseudonym, as people have: its id may be somebody's name, and is to be forgotten with the
/// document.
pub fn alias_of_document(corpus: &CorpusName, document: &DocumentId) -> UserId {
    UserId::from(format!("document:{corpus}/{document}"))
}

/// A change of the configuration for a record: what was, and what is.
pub fn changed(record: Record, old: Value, new: Value) -> Record {
    record.with_detail("old", old).with_detail("new", new)
}

fn failed(error: &dyn std::fmt::Display) {
    metrics::counter!(measure::AUDIT_FAILURES).increment(1);
    tracing::error!(%error, "something could not be recorded in the audit log; free space in the data folder");
}
