//! The erasure itself, store by store.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use mainstay_audit::{Category, Outcome, PseudonymError, Record};
use mainstay_cache::AnswerCache;
use mainstay_domain::id::ordered_id;
use mainstay_domain::{Caller, Clock, CorpusName, DocumentId, RequestId, TenantId};
use mainstay_ops::trail::{self, Trail};
use mainstay_ops::{ContentLog, Unrecorded};
use mainstay_rag::{Library, LibraryError};
use mainstay_security::tenants::TenantState;
use mainstay_security::{KeyRing, KeyRingError, Revocations, TenantChange, Tenants, TenantsError};
use mainstay_store::{ContentsOf, EmbeddingCache, ErasureJob, JournalLedger, SqliteErasures, StorageError};
use mainstay_vault::TenantKeys;
use mainstay_vectors::folder_name;
use serde_json::json;
use tokio::sync::Mutex;

use crate::certificate::{Certificate, Statement, StoreErased};
use crate::plan::Plan;
use crate::search::{Searched, search};
use crate::subject::Subject;

/// Every store that knows something of people.
pub struct Stores {
    /// Documents, events, and how far erasures have come.
    pub databases: SqliteErasures,
    /// The documents and their indexes.
    pub library: Arc<Library>,
    /// Answers that were given before.
    pub answers: Arc<AnswerCache>,
    /// What was charged.
    pub ledger: Arc<JournalLedger>,
    /// The API keys.
    pub keys: Arc<KeyRing>,
    /// The tokens that are refused, where there are identity providers.
    pub revocations: Option<Arc<Revocations>>,
    /// The tenants.
    pub tenants: Arc<Tenants>,
    /// The audit trail, and whom its pseudonyms stand for.
    pub trail: Trail,
    /// Vectors that were paid for, where they are kept.
    pub embeddings: Option<EmbeddingCache>,
    /// What was said in turns that were kept.
    pub contents: ContentLog,
    /// For how long that is.
    pub keep_content: Duration,
    /// The keys that documents are sealed with, where they are.
    pub tenant_keys: Option<TenantKeys>,
    /// The folder that is searched in the end.
    pub data_dir: PathBuf,
}

/// Erases, one thing at a time.
pub struct Eraser {
    stores: Stores,
    clock: Clock,
    working: Mutex<()>,
    /// Why erasures are not finished, of those that were tried.
    failures: std::sync::Mutex<HashMap<String, String>>,
    /// Whether the databases were written anew by this process.
    compacted: AtomicBool,
}

/// Why something was not erased.
#[derive(Debug, thiserror::Error)]
pub enum ErasureError {
    /// It must not be erased.
    #[error("this is held from erasure: {reason} (hold {hold}); lift the hold first, if you may")]
    Held {
        /// The hold.
        hold: String,
        /// Its reason.
        reason: String,
    },
    /// It makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// Something of it is still there. What was done stays done; the erasure goes on at the next start, or when it is asked
    /// for again.
    #[error("{rows} rows of it are still there: the erasure is not finished, and goes on at the next start")]
    Left {
        /// How many.
        rows: u64,
    },
    /// It cannot be recorded that it was asked for.
    #[error(transparent)]
    Unrecorded(#[from] Unrecorded),
    /// A store failed.
    #[error("the erasure was interrupted and goes on at the next start: {0}")]
    Interrupted(String),
}

impl ErasureError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Held { .. } => "legal_hold",
            Self::Invalid(_) => "invalid_request",
            Self::Left { .. } => "erasure_incomplete",
            Self::Unrecorded(_) => "audit_unavailable",
            Self::Interrupted(_) => "storage_failed",
        }
    }
}

macro_rules! interrupted_by {
    ($($error:ty),*) => {
        $(impl From<$error> for ErasureError {
            fn from(error: $error) -> Self {
                Self::Interrupted(error.to_string())
            }
        })*
    };
}

interrupted_by!(StorageError, LibraryError, KeyRingError, TenantsError, PseudonymError, std::io::Error);

/// Texts of a document that are searched for afterwards.
const EXCERPTS: usize = 3;

/// Bytes of such a text, at least: a shorter one may be anywhere by chance.
const SHORTEST_MARKER: usize = 8;
const EXCERPT: usize = 48;

/// Documents whose texts are searched for; of the others, their ids.
const MOST_READ: usize = 1_000;

impl Eraser {
    /// Erases from these stores.
    pub fn new(stores: Stores, clock: Clock) -> Self {
        Self {
            stores,
            clock,
            working: Mutex::default(),
            failures: Default::default(),
            compacted: AtomicBool::new(false),
        }
    }

    /// Where erasures and holds are kept.
    pub const fn databases(&self) -> &SqliteErasures {
        &self.stores.databases
    }

    /// Takes an erasure: from now on it is done, whatever happens. `salt`: for the certificate; see [`Subject::digest`].
    pub async fn request(
        &self,
        caller: &Caller,
        request: &RequestId,
        tenant: &TenantId,
        subject: Subject,
    ) -> Result<(ErasureJob, String), ErasureError> {
        if matches!(subject, Subject::Tenant) && tenant.is_operator() {
            let message =
                "this tenant operates Mainstay and cannot be erased; delete the data folder instead";
            return Err(ErasureError::Invalid(message.to_owned()));
        }
        let erasure = ordered_id("era_", &self.clock);
        let salt = random_salt()?;
        let job = ErasureJob {
            id: erasure.clone(),
            tenant: tenant.clone(),
            subject: Some(json!({ "kind": subject.kind(), "digest": subject.digest(&salt) })),
            requested_by: caller.key.to_string(),
            requested_at: self.clock.now(),
            steps: json!([]),
            finished_at: None,
            certificate: None,
        };
        let documents = self.documents_of(tenant, &subject).await?;
        self.expect_no_hold(tenant, &subject, &documents).await?;
        self.record(caller, request, tenant, "erasure.request", &erasure).await?;
        let plan =
            Plan { erasure, tenant: tenant.clone(), subject, salt: salt.clone(), documents, markers: None };
        // The plan first: an erasure that is known has one, or it would never be finished.
        plan.write(&self.stores.data_dir)?;
        self.stores.databases.save(&job).await?;
        Ok((job, salt))
    }

    /// Does what was taken and is not done: at the start, and after each request.
    ///
    /// `only`: of one erasure; at the start, of all.
    pub async fn resume(&self, only: Option<&str>) -> Result<Vec<Certificate>, ErasureError> {
        let _one_at_a_time = self.working.lock().await;
        let mut certificates = Vec::new();
        let mut failure = None;
        let plans = Plan::read_all(&self.stores.data_dir)?;
        for plan in plans.into_iter().filter(|plan| only.is_none_or(|only| only == plan.erasure)) {
            match self.erase(&plan).await {
                Ok(certificate) => {
                    self.failures().remove(&plan.erasure);
                    certificates.push(certificate);
                }
                // One that fails keeps no other one from being done.
                Err(error) => {
                    self.failures().insert(plan.erasure, error.to_string());
                    failure = Some(error);
                }
            }
        }
        failure.map_or(Ok(certificates), Err)
    }

    /// Why an erasure is not finished, where it was tried and failed.
    pub fn failure_of(&self, erasure: &str) -> Option<String> {
        self.failures().get(erasure).cloned()
    }

    fn failures(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses what a hold keeps: itself, a document that is held, or one that somebody brought who is.
    async fn expect_no_hold(
        &self,
        tenant: &TenantId,
        subject: &Subject,
        documents: &[(CorpusName, DocumentId)],
    ) -> Result<(), ErasureError> {
        for hold in self.stores.databases.holds(tenant).await? {
            // What cannot be read holds everything: somebody meant something by it.
            let held = serde_json::from_value(hold.subject.clone()).unwrap_or(Subject::Tenant);
            let keeps = match &held {
                held if subject.is_held_by(held) => true,
                Subject::Document { corpus, document } => {
                    documents.iter().any(|(one, other)| one == corpus && other == document)
                }
                Subject::User { user } => {
                    let theirs = self.stores.databases.documents_of(tenant, user).await?;
                    documents.iter().any(|document| theirs.contains(document))
                }
                Subject::Tenant => true,
            };
            if keeps {
                return Err(ErasureError::Held { hold: hold.id, reason: hold.reason });
            }
        }
        Ok(())
    }

    pub(crate) const fn stores(&self) -> &Stores {
        &self.stores
    }

    pub(crate) const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Refuses to delete or replace documents that are held.
    pub async fn expect_not_held(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        documents: impl IntoIterator<Item = DocumentId>,
    ) -> Result<(), ErasureError> {
        if self.stores.databases.holds(tenant).await?.is_empty() {
            return Ok(());
        }
        for document in documents {
            let subject = Subject::Document { corpus: corpus.clone(), document: document.clone() };
            self.expect_no_hold(tenant, &subject, &[(corpus.clone(), document)]).await?;
        }
        Ok(())
    }

    async fn documents_of(
        &self,
        tenant: &TenantId,
        subject: &Subject,
    ) -> Result<Vec<(CorpusName, DocumentId)>, ErasureError> {
        match subject {
            Subject::User { user } => Ok(self.stores.databases.documents_of(tenant, user).await?),
            Subject::Document { corpus, document } => Ok(vec![(corpus.clone(), document.clone())]),
            Subject::Tenant => {
                let mut documents = Vec::new();
                for corpus in self.stores.library.corpora(tenant).await? {
                    let name = corpus.corpus;
                    let mut after: Option<DocumentId> = None;
                    loop {
                        let page = self.stores.library.list(tenant, &name, after.as_ref(), MOST_READ).await;
                        let page = match page {
                            // A corpus of the configuration in which this tenant has nothing.
                            Err(LibraryError::UnknownCorpus(_)) => break,
                            page => page?,
                        };
                        let Some(last) = page.last() else { break };
                        after = Some(last.doc_id.clone());
                        documents.extend(page.into_iter().map(|document| (name.clone(), document.doc_id)));
                    }
                }
                Ok(documents)
            }
        }
    }

    async fn erase(&self, plan: &Plan) -> Result<Certificate, ErasureError> {
        let Plan { tenant, subject, .. } = plan;
        let stores = &self.stores;
        // Nobody is served any more while their data goes.
        if matches!(subject, Subject::Tenant) {
            let change = TenantChange { state: Some(TenantState::Deleted), ..TenantChange::default() };
            stores.tenants.change(tenant, change).await?;
        }
        // What came since it was asked for goes, too.
        let mut plan = plan.clone();
        let since = self.documents_of(tenant, subject).await?;
        plan.documents.extend(since);
        plan.documents.sort_unstable();
        plan.documents.dedup();
        // Held since, it is not erased after all.
        self.expect_no_hold(tenant, subject, &plan.documents).await?;
        let markers = match plan.markers.take() {
            Some(markers) => markers,
            None => self.markers(&plan).await?,
        };
        plan.markers = Some(markers.clone());
        plan.write(&stores.data_dir)?;
        let plan = &plan;
        let mut erased = Vec::new();
        let mut done = |store: &str, removed: u64, note: &str| {
            erased.push(StoreErased { store: store.to_owned(), removed, note: note.to_owned() });
        };
        let user = match subject {
            Subject::User { user } => Some(user),
            Subject::Document { .. } | Subject::Tenant => None,
        };

        // First of all nothing more comes.
        let keys = match subject {
            Subject::User { user } => stores.keys.revoke_all(tenant, Some(user)).await?,
            Subject::Tenant => stores.keys.revoke_all(tenant, None).await?,
            Subject::Document { .. } => 0,
        };
        done("keys", keys, "API keys that were made worthless, and their names forgotten");
        if let (Some(revocations), Some(user)) = (&stores.revocations, user) {
            revocations.revoke_user(tenant, user).await?;
            done(
                "tokens",
                0,
                "tokens of identity providers that were issued until now are refused; nobody is named for that",
            );
        }
        match subject {
            Subject::User { user } => stores.library.bar(tenant, Some(user)),
            Subject::Tenant => stores.library.bar(tenant, None),
            Subject::Document { .. } => {}
        }

        let mut documents = 0;
        for (corpus, document) in &plan.documents {
            documents += u64::from(stores.library.delete(tenant, corpus, document).await?);
        }
        let events = stores.databases.forget_events_of(tenant, &plan.documents).await?;
        if let Some(user) = user {
            stores.databases.forget_author(tenant, user).await?;
        }
        stores.library.settle(tenant).await?;
        done("documents", documents, "documents with all their versions, texts and chunks");
        done("events", events, "events from which the id of a document was taken");
        let corpora: BTreeSet<&CorpusName> = plan.documents.iter().map(|(corpus, _)| corpus).collect();
        done("index", documents, "documents whose vectors and keywords were removed from the search indexes");

        stores.answers.clear();
        done("cache", 0, "all cached answers and questions were forgotten");

        if let Some(embeddings) = &stores.embeddings {
            embeddings.clear().await?;
            done("embeddings", 0, "all vectors that were kept to be used again were forgotten");
        }

        if stores.contents.stored().is_some() {
            let of: Vec<ContentsOf> = match subject {
                Subject::Tenant => vec![ContentsOf::Tenant],
                Subject::User { .. } | Subject::Document { .. } => {
                    let documents = plan.documents.iter().cloned();
                    let documents =
                        documents.map(|(corpus, document)| ContentsOf::Document(corpus, document));
                    documents.chain(user.cloned().map(ContentsOf::Person)).collect()
                }
            };
            let turns = stores.contents.forget(tenant, of).await?;
            done(
                "contents",
                turns,
                "turns whose content was kept: theirs, and those answered from the documents",
            );
        }

        let person = user.map(|user| format!("user:{tenant}/{user}"));
        let everything = matches!(subject, Subject::Tenant);
        let approvals = stores
            .databases
            .forget_approvals_of(tenant, person.as_deref(), everything, &plan.documents, self.clock.now())
            .await?;
        done("approvals", approvals, "changes that they asked for or decided on, and those that are over");

        if let Some(pseudonyms) = stores.trail.pseudonyms() {
            let mut people = match subject {
                Subject::User { user } => pseudonyms.erase(tenant, user)?,
                Subject::Tenant => pseudonyms.erase_tenant(tenant)?,
                Subject::Document { .. } => 0,
            };
            let named = plan.documents.iter().filter(|_| !everything);
            for (corpus, document) in named {
                people += pseudonyms.erase(tenant, &trail::alias_of_document(corpus, document))?;
            }
            done(
                "audit",
                people,
                "pseudonyms whose meaning was forgotten; the chain of records is as it was",
            );
        }

        if matches!(subject, Subject::Tenant) {
            let indexes = stores.library.drop_corpora(tenant).await?;
            let rows = stores.databases.forget_corpora_of(tenant).await?;
            done("corpora", indexes.max(rows), "indexes and what was known of corpora");
            stores.ledger.drain().await?;
            let attributes = stores.databases.forget_attributes_of(tenant).await?;
            done(
                "ledger",
                attributes,
                "turns whose team and feature were forgotten; what was charged is kept for the accounts",
            );
            if let Some(keys) = &stores.tenant_keys {
                keys.destroy(tenant).await.map_err(|error| ErasureError::Interrupted(error.to_string()))?;
                done(
                    "encryption key",
                    1,
                    "the key that the tenant's documents were sealed with, also in copies",
                );
            }
            let change = TenantChange { name: Some("erased".to_owned()), ..TenantChange::default() };
            stores.tenants.change(tenant, change).await?;
            done("tenants", 1, "the tenant; its id stays, so that it is never given again");
        }

        let mut rows = stores.databases.rows_of(tenant, &plan.documents).await?;
        if everything {
            rows += stores.databases.revisions_of(tenant).await?;
        }
        if rows > 0 {
            return Err(ErasureError::Left { rows });
        }
        let searched = self.search_for(tenant, &corpora, markers.clone()).await?;
        self.conclude(plan, erased, &searched, markers.len() as u64).await
    }

    /// Searches for what is left, and has those files written anew that may keep what was deleted from them: the indexes of the
    /// tenant, and once in the life of this process the databases, for pages that were freed before this Mainstay overwrote
    /// what it deletes. After that a text that is still found is in what belongs to others, who may have the same one. Only the
    /// operator's log tells of it: what others have is nobody's to ask.
    async fn search_for(
        &self,
        tenant: &TenantId,
        corpora: &BTreeSet<&CorpusName>,
        markers: Vec<String>,
    ) -> Result<Searched, ErasureError> {
        let stores = &self.stores;
        self.overwrite().await?;
        let mut searched = self.search(markers.clone()).await?;
        let own = Path::new("index").join(folder_name(tenant.as_str()));
        if searched.found_in.iter().any(|path| path.starts_with(&own)) {
            for corpus in corpora {
                match stores.library.rewrite(tenant, corpus).await {
                    // The tenant has gone, and the corpus with it.
                    Ok(_) | Err(LibraryError::UnknownCorpus(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            self.overwrite().await?;
            searched = self.search(markers.clone()).await?;
        }
        let in_databases =
            searched.found_in.iter().any(|path| path.extension().is_some_and(|kind| kind == "db"));
        if in_databases && !self.compacted.swap(true, Ordering::Relaxed) {
            stores.databases.compact().await?;
            self.overwrite().await?;
            searched = self.search(markers).await?;
        }
        if !searched.found_in.is_empty() {
            let files = searched.found_in.len();
            tracing::info!(
                files,
                "texts of what was erased are also in what belongs to others, and stay there"
            );
        }
        Ok(searched)
    }

    async fn overwrite(&self) -> Result<(), ErasureError> {
        for _ in 0..50 {
            if self.stores.databases.overwrite().await? {
                return Ok(());
            }
            self.clock.sleep(Duration::from_millis(100)).await;
        }
        Err(ErasureError::Interrupted("the write-ahead log of a database is in use all the time".to_owned()))
    }

    async fn search(&self, markers: Vec<String>) -> Result<Searched, ErasureError> {
        let folder = self.stores.data_dir.clone();
        let searching = tokio::task::spawn_blocking(move || search(&folder, &markers));
        Ok(searching.await.map_err(|error| ErasureError::Interrupted(error.to_string()))??)
    }

    /// What of the subject is searched for afterwards. Texts are read only where they are still there: of an erasure that
    /// goes on after an interruption, they may not be.
    async fn markers(&self, plan: &Plan) -> Result<Vec<String>, ErasureError> {
        let mut markers = BTreeSet::new();
        if let Subject::User { user } = &plan.subject {
            markers.insert(user.to_string());
        }
        for (at, (corpus, document)) in plan.documents.iter().enumerate() {
            markers.insert(document.to_string());
            if at >= MOST_READ {
                continue;
            }
            if let Some(info) = self.stores.library.get(&plan.tenant, corpus, document).await? {
                markers.extend(info.title);
            }
            if let Some(text) = self.stores.library.text(&plan.tenant, corpus, document).await? {
                markers.extend(excerpts(&text));
            }
        }
        Ok(markers.into_iter().filter(|marker| marker.len() >= SHORTEST_MARKER).collect())
    }

    async fn conclude(
        &self,
        plan: &Plan,
        stores: Vec<StoreErased>,
        searched: &Searched,
        markers: u64,
    ) -> Result<Certificate, ErasureError> {
        let jobs = self.stores.databases.unfinished().await?;
        let job = jobs.into_iter().find(|job| job.id == plan.erasure);
        let requested_at = job.as_ref().map_or_else(|| self.clock.now(), |job| job.requested_at);
        let statement = Statement {
            erasure: plan.erasure.clone(),
            tenant: plan.tenant.clone(),
            kind: plan.subject.kind().to_owned(),
            subject_digest: plan.subject.digest(&plan.salt),
            requested_at,
            finished_at: self.clock.now(),
            stores,
            searched_files: searched.files,
            searched_bytes: searched.bytes,
            markers,
        };
        let certificate = Certificate::sign(statement, self.stores.trail.log().map(|log| &**log));
        let record = Record::new(Category::DataAccess, "erasure.completed", Outcome::Succeeded)
            .with_tenant(plan.tenant.clone())
            .with_resource("erasure", plan.erasure.as_str())
            .with_detail("kind", plan.subject.kind())
            .with_detail("stores", serde_json::to_value(&certificate.statement.stores).unwrap_or_default());
        self.stores
            .trail
            .write_durably(record)
            .await
            .map_err(|error| ErasureError::Interrupted(error.to_string()))?;
        // An erasure whose job was lost with the power has a certificate all the same.
        let job = job.unwrap_or_else(|| ErasureJob {
            id: plan.erasure.clone(),
            tenant: plan.tenant.clone(),
            subject: Some(json!({ "kind": plan.subject.kind(), "digest": plan.subject.digest(&plan.salt) })),
            requested_by: String::new(),
            requested_at,
            steps: json!([]),
            finished_at: None,
            certificate: None,
        });
        {
            let steps = serde_json::to_value(&certificate.statement.stores).unwrap_or_default();
            let finished = ErasureJob {
                steps,
                finished_at: Some(certificate.statement.finished_at),
                certificate: serde_json::to_value(&certificate).ok(),
                ..job
            };
            self.stores.databases.save(&finished).await?;
        }
        plan.remove(&self.stores.data_dir)?;
        tracing::info!(erasure = %plan.erasure, kind = plan.subject.kind(), "erased, and searched for afterwards");
        Ok(certificate)
    }

    /// Records that an erasure was asked for, or that something is held or no longer held.
    pub async fn record(
        &self,
        caller: &Caller,
        request: &RequestId,
        tenant: &TenantId,
        action: &'static str,
        id: &str,
    ) -> Result<(), mainstay_ops::Unrecorded> {
        let category = Category::ConfigurationChange;
        let record =
            self.stores.trail.record_of(caller, request, tenant, category, action, Outcome::Succeeded);
        self.stores.trail.write_durably(record.with_resource("erasure", id)).await
    }
}

/// Some pieces of a text, from its beginning, its middle and its end.
fn excerpts(text: &str) -> impl Iterator<Item = String> + '_ {
    let starts = (0..EXCERPTS).map(|part| text.len().saturating_sub(EXCERPT) * part / (EXCERPTS - 1));
    starts.map(|start| {
        let start = text.ceil_char_boundary(start);
        let end = text.floor_char_boundary((start + EXCERPT).min(text.len()));
        text[start..end.max(start)].to_owned()
    })
}

fn random_salt() -> Result<String, ErasureError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| ErasureError::Interrupted(error.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_any_text_are_pieces_of_it() {
        for text in ["", "a", "äöüäöüäöü", &"Fähre über Land. ".repeat(40)] {
            for excerpt in excerpts(text) {
                assert!(text.contains(&excerpt), "{excerpt:?}");
            }
        }
    }
}
