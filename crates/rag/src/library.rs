//! The documents of a Mainstay: adding, reading and deleting them.
//!
//! A document is parsed, cut and embedded; committed (from then on it is acknowledged); indexed; published (from then on
//! readers see it, in place of the version before). [`Library::add`] returns after the last step, so whoever added a
//! document finds it. What a crash leaves between the steps is completed by [`Library::open`].

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use mainstay_domain::{
    Clock, CorpusName, Deadline, DocumentId, ModelError, NameFault, TenantId, Timestamp, UserId,
};
use mainstay_store::StorageFault;
use mainstay_store::documents::{
    CorpusCounts, DocumentMaintenance, DocumentRecord, DocumentStore, DocumentStoreError, Fingerprint,
    NewDocument, Quarantined,
};
use mainstay_vectors::{Fields, IndexError, VectorIndex};
use serde::Serialize;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::corpus::{CorpusSettings, CorpusSize, OpenCorpus};
use crate::fields::{CorpusFields, index_fields};
use crate::freshness::{Backlog, Lag, StalenessWatch};
use crate::prepare::{PrepareError, Prepared, Upload, fingerprint, prepare};
use crate::quality::Judge;

/// The documents of all tenants.
pub struct Library {
    pub(crate) documents: Arc<dyn DocumentStore>,
    pub(crate) maintenance: Arc<dyn DocumentMaintenance>,
    pub(crate) index: Arc<dyn VectorIndex>,
    pub(crate) settings: LibrarySettings,
    pub(crate) clock: Clock,
    pub(crate) backlog: Backlog,
    corpora: RwLock<HashMap<(TenantId, CorpusName), Arc<OpenCorpus>>>,
    /// Tells the maintenance not to wait any longer.
    much_to_do: Notify,
    /// Tells the upgrade that there are new documents.
    pub(crate) to_upgrade: Notify,
    /// Whose documents are not taken any more, until when.
    pub(crate) barred: Mutex<HashMap<(TenantId, Option<UserId>), Timestamp>>,
    /// Counts what was asked of the library, so that the upgrade sees whether others need the machine.
    demand: AtomicU64,
}

/// What is configured of the corpora.
pub struct LibrarySettings {
    /// The corpora of the configuration.
    pub corpora: HashMap<CorpusName, CorpusSettings>,
    /// What holds for a corpus that the configuration does not name.
    pub unnamed: CorpusSettings,
    /// How much one document may be.
    pub limits: mainstay_documents::Limits,
    /// How long embedding a batch of documents may take.
    pub embedding_timeout: Duration,
    /// How far the index is promised to be behind at most; without it, nothing is promised.
    pub staleness: Option<Duration>,
}

/// What became of a document that was added.
#[derive(Clone, PartialEq, Debug)]
pub struct Receipt {
    /// Its id.
    pub doc_id: DocumentId,
    /// Its title.
    pub title: Option<String>,
    /// What it is.
    pub media_type: String,
    /// Its language.
    pub language: Option<String>,
    /// Bytes of its text.
    pub bytes: usize,
    /// Its chunks.
    pub chunks: usize,
    /// Those of them that no search finds, by reason.
    pub quarantined: Quarantined,
    /// Whether it was there already and nothing was done.
    pub unchanged: bool,
}

/// A document as the API shows it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct DocumentInfo {
    /// Its id.
    pub doc_id: DocumentId,
    /// Its corpus.
    pub corpus: CorpusName,
    /// Its title.
    pub title: Option<String>,
    /// What it is.
    pub media_type: String,
    /// Its language.
    pub language: Option<String>,
    /// Bytes of its text.
    pub bytes: u64,
    /// Its chunks.
    pub chunks: u64,
    /// Those of them that no search finds, by reason.
    pub quarantined: Quarantined,
    /// `searchable`, or `updating` while a newer version is on its way.
    pub status: &'static str,
    /// What its owner said about it.
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// When its id was first seen, in seconds since 1970.
    pub created_at: i64,
    /// When this version was accepted, in seconds since 1970.
    pub updated_at: i64,
}

/// A corpus as the API shows it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CorpusInfo {
    /// `corpus`.
    pub object: &'static str,
    /// Its name.
    pub corpus: CorpusName,
    /// What its vectors are made by.
    pub embedder: String,
    /// How far its second vectors are, where it is to have them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<UpgradeInfo>,
    /// Documents.
    pub documents: u64,
    /// Chunks.
    pub chunks: u64,
    /// Those of them that no search finds, by reason.
    pub quarantined: Quarantined,
    /// Bytes of text.
    pub bytes: u64,
    /// Chunks by language.
    pub languages: Vec<LanguageShare>,
}

/// The upgrade of a corpus as the API shows it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct UpgradeInfo {
    /// What the second vectors are made by.
    pub embedder: String,
    /// Chunks that have one.
    pub chunks: u64,
    /// Chunks that are to have one: those that searches find.
    pub of: u64,
}

/// How much of a corpus is in one language.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct LanguageShare {
    /// ISO 639-1; absent for documents whose language is not known.
    pub language: Option<String>,
    /// Chunks in it.
    pub chunks: u64,
}

/// Why something could not be done with documents.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LibraryError {
    /// The document cannot be taken.
    #[error("{reason}")]
    Refused {
        /// Stable, for programs.
        code: &'static str,
        /// Why, and what to do.
        reason: String,
    },
    /// There is no such corpus.
    #[error("there is no corpus {0:?}; GET /v1/corpora lists those that exist")]
    UnknownCorpus(CorpusName),
    /// The corpus was built with other settings.
    #[error("{0}")]
    Incompatible(String),
    /// The text could not be embedded.
    #[error("the text could not be embedded: {0}")]
    Embedding(ModelError),
    /// The disk is full.
    #[error("no space is left for the data folder; free some, then try again")]
    StorageFull,
    /// The database or the index failed.
    #[error("{0}")]
    Storage(String),
}

impl LibraryError {
    /// The id is none that a document may have.
    fn invalid_id(fault: NameFault) -> Self {
        Self::Refused { code: "invalid_document", reason: format!("the document's id {fault}") }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused { code, .. } => code,
            Self::UnknownCorpus(_) => "corpus_not_found",
            Self::Incompatible(_) => "embedder_mismatch",
            Self::Embedding(error) => error.kind.code(),
            Self::StorageFull => "storage_full",
            Self::Storage(_) => "storage_failed",
        }
    }
}

impl From<DocumentStoreError> for LibraryError {
    fn from(error: DocumentStoreError) -> Self {
        match error {
            DocumentStoreError::UnknownCorpus(corpus) => Self::UnknownCorpus(corpus),
            DocumentStoreError::EmbedderMismatch { .. } => Self::Incompatible(error.to_string()),
            DocumentStoreError::InvalidDocument { .. } => {
                Self::Refused { code: "invalid_document", reason: error.to_string() }
            }
            DocumentStoreError::Storage(error) if error.fault() == StorageFault::Full => Self::StorageFull,
            DocumentStoreError::Storage(error) => Self::Storage(format!("{error}; {}", error.hint())),
        }
    }
}

impl From<IndexError> for LibraryError {
    fn from(error: IndexError) -> Self {
        match error {
            IndexError::OtherSettings { .. } => Self::Incompatible(error.to_string()),
            other => Self::Storage(other.to_string()),
        }
    }
}

/// How often the index is made durable while documents arrive. A kill before it costs no document, only the time to
/// index the latest ones again.
const FLUSH_INTERVAL: Duration = Duration::from_secs(5);

/// How long a document that was accepted may be on its way into the index before it counts as left.
const LEFT_AFTER: Duration = Duration::from_secs(10);

impl Library {
    /// Opens every corpus, and completes what the last run left undone.
    pub async fn open(
        documents: Arc<dyn DocumentStore>,
        maintenance: Arc<dyn DocumentMaintenance>,
        index: Arc<dyn VectorIndex>,
        settings: LibrarySettings,
        clock: Clock,
    ) -> Result<Self, LibraryError> {
        let library = Self {
            documents,
            maintenance,
            index,
            settings,
            clock,
            backlog: Backlog::default(),
            corpora: RwLock::default(),
            much_to_do: Notify::new(),
            to_upgrade: Notify::new(),
            barred: Mutex::default(),
            demand: AtomicU64::new(0),
        };
        for corpus in library.maintenance.all_corpora().await? {
            let configured = library.settings_of(&corpus.name).clone();
            let open = OpenCorpus::open(&library, corpus, configured).await?;
            library.remember(Arc::new(open));
        }
        library.finish_pending().await?;
        for open in library.open_corpora() {
            open.keep_judged(&library).await?;
        }
        Ok(library)
    }

    /// Adds documents, or replaces those whose ids exist. The results are in the order of the uploads; those that could
    /// be taken are searchable when this returns, whatever became of the others.
    pub async fn add(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        uploads: Vec<Upload>,
    ) -> Vec<Result<Receipt, LibraryError>> {
        let count = uploads.len();
        match self.try_add(tenant, corpus, uploads).await {
            Ok(results) => results,
            Err(error) => vec![Err(error); count],
        }
    }

    async fn try_add(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        uploads: Vec<Upload>,
    ) -> Result<Vec<Result<Receipt, LibraryError>>, LibraryError> {
        self.note_demand();
        let mut results: Vec<Option<Result<Receipt, LibraryError>>> = vec![None; uploads.len()];
        let mut named: Vec<(usize, DocumentId, Upload, Fingerprint)> = Vec::with_capacity(uploads.len());
        let chunking = &self.settings_of(corpus).chunking;
        for (position, upload) in uploads.into_iter().enumerate() {
            let id = upload.doc_id.clone().unwrap_or_else(|| DocumentId::generate(&self.clock));
            match id.check() {
                Ok(()) => {
                    let fingerprint = fingerprint(&upload, chunking);
                    named.push((position, id, upload, fingerprint));
                }
                Err(fault) => results[position] = Some(Err(LibraryError::invalid_id(fault))),
            }
        }
        let known: Vec<(DocumentId, Fingerprint)> =
            named.iter().map(|(_, id, _, print)| (id.clone(), *print)).collect();
        let unchanged = if self.known(tenant, corpus).is_some() {
            self.documents.unchanged(tenant, corpus, &known).await?
        } else {
            vec![false; known.len()]
        };

        // Of a document that comes several times the last one holds, even where what it says is what is stored already.
        let changing: HashSet<DocumentId> =
            known.into_iter().zip(&unchanged).filter(|(_, same)| !**same).map(|((id, _), _)| id).collect();

        // Everything up to the commit needs no lock: several callers prepare at once, one commits.
        let mut changed = Vec::new();
        for ((position, id, upload, print), unchanged) in named.into_iter().zip(unchanged) {
            if unchanged
                && !changing.contains(&id)
                && let Some(record) = self.documents.get(tenant, corpus, &id).await?
            {
                results[position] = Some(Ok(unchanged_receipt(record)));
            } else {
                changed.push((position, id, upload, print));
            }
        }
        let (mut prepared, refused) = self.prepare(tenant, corpus, changed).await?;
        for (position, error) in refused {
            results[position] = Some(Err(error));
        }
        if !prepared.is_empty() {
            let open = self.corpus_for_writing(tenant, corpus, &prepared).await?;
            self.pardon(&open, &mut prepared).await?;
            for document in &prepared {
                results[document.position] = Some(Ok(receipt(document)));
            }
            let brought: Vec<(DocumentId, Option<UserId>)> =
                prepared.iter().map(|document| (document.id.clone(), document.author.clone())).collect();
            open.take(self, prepared).await?;
            self.withdraw_barred(tenant, corpus, brought).await?;
        }
        let accepted = results.iter().flatten().flatten().filter(|receipt| !receipt.unchanged).count();
        tracing::debug!(%corpus, accepted, "documents added");
        Ok(results
            .into_iter()
            .map(|result| result.expect("every upload was refused, unchanged or prepared"))
            .collect())
    }

    /// Parses and cuts documents away from the runtime's threads.
    async fn prepare(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        uploads: Vec<(usize, DocumentId, Upload, Fingerprint)>,
    ) -> Result<(Vec<PreparedDocument>, Vec<(usize, LibraryError)>), LibraryError> {
        let options = self.settings_of(corpus).chunking;
        let limits = self.settings.limits;
        let mut fields =
            self.known(tenant, corpus).map_or_else(|| CorpusFields::new([]), |open| open.fields());
        let judge = self.known(tenant, corpus).map_or_else(
            || Arc::new(Judge::new(self.settings_of(corpus).quality)),
            |open| open.standing.judge(),
        );
        let work = move || {
            let mut prepared = Vec::with_capacity(uploads.len());
            let mut refused = Vec::new();
            for (position, id, upload, fingerprint) in uploads {
                let content = prepare(&upload, &limits, &options).and_then(|content| {
                    fields.admit(&content.metadata).map_err(PrepareError::TooManyFields)?;
                    Ok(content)
                });
                match content {
                    Ok(content) => {
                        let (source_name, source_bytes) = (upload.file_name, upload.bytes.len() as u64);
                        let author = upload.author;
                        let mut document = PreparedDocument {
                            position,
                            id,
                            fingerprint,
                            source_name,
                            author,
                            source_bytes,
                            content,
                        };
                        judge.judge_prepared(&mut document);
                        prepared.push(document);
                    }
                    Err(error) => {
                        refused.push((
                            position,
                            LibraryError::Refused { code: error.code(), reason: error.to_string() },
                        ));
                    }
                }
            }
            (prepared, refused)
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| {
            LibraryError::Storage("a document made its reader fail; please report it".to_owned())
        })
    }

    /// The corpus, made when it does not exist yet.
    async fn corpus_for_writing(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        first: &[PreparedDocument],
    ) -> Result<Arc<OpenCorpus>, LibraryError> {
        if let Some(open) = self.known(tenant, corpus) {
            return Ok(open);
        }
        let settings = self.settings_of(corpus).clone();
        let open = OpenCorpus::create(self, tenant, corpus, settings, first).await?;
        Ok(self.remember(Arc::new(open)))
    }

    /// A document.
    pub async fn get(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        document: &DocumentId,
    ) -> Result<Option<DocumentInfo>, LibraryError> {
        let record = self.documents.get(tenant, corpus, document).await?;
        Ok(record.map(|record| document_info(corpus, record)))
    }

    /// The canonical text of a document.
    pub async fn text(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        document: &DocumentId,
    ) -> Result<Option<String>, LibraryError> {
        Ok(self.documents.text(tenant, corpus, document).await?)
    }

    /// Documents in the order of their ids, at most `limit`, those after `after`.
    pub async fn list(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<Vec<DocumentInfo>, LibraryError> {
        if self.known(tenant, corpus).is_none() {
            return if self.is_configured(corpus) { Ok(Vec::new()) } else { Err(self.unknown(corpus)) };
        }
        let records = self.documents.list(tenant, corpus, after, limit).await?;
        Ok(records.into_iter().map(|record| document_info(corpus, record)).collect())
    }

    /// Deletes a document; when this returns, no search and no prompt contains it. `false` when there was none.
    pub async fn delete(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        document: &DocumentId,
    ) -> Result<bool, LibraryError> {
        let Some(open) = self.known(tenant, corpus) else { return Ok(false) };
        let Some(retired) = self.documents.delete(tenant, corpus, document).await? else { return Ok(false) };
        self.backlog.forget(tenant, corpus, document);
        open.remove(self, &retired).await?;
        Ok(true)
    }

    /// The corpora of a tenant, with those of the configuration that are still empty.
    pub async fn corpora(&self, tenant: &TenantId) -> Result<Vec<CorpusInfo>, LibraryError> {
        let mut infos = Vec::new();
        for corpus in self.documents.corpora(tenant).await? {
            let counts = self.documents.counts(tenant, &corpus.name).await?;
            let upgrade = match self.known(tenant, &corpus.name).and_then(|open| open.upgrade()) {
                Some(upgrade) => Some(upgrade.info(self, counts.searchable_chunks()).await?),
                None => None,
            };
            infos.push(CorpusInfo { upgrade, ..corpus_info(corpus.name, corpus.embedder, counts) });
        }
        for (name, settings) in &self.settings.corpora {
            if !infos.iter().any(|info| info.corpus == *name) {
                infos.push(corpus_info(
                    name.clone(),
                    settings.embedder.model().to_owned(),
                    CorpusCounts::default(),
                ));
            }
        }
        infos.sort_by(|a, b| a.corpus.cmp(&b.corpus));
        Ok(infos)
    }

    /// How much the corpora of all tenants hold, by name.
    pub fn sizes(&self) -> Vec<(String, CorpusSize)> {
        self.open_corpora().iter().map(|open| (open.name().to_string(), open.size())).collect()
    }

    /// Builds the index of a corpus anew from its documents, with the embedder of the configuration. Returns its chunks.
    pub async fn rebuild(&self, tenant: &TenantId, corpus: &CorpusName) -> Result<u64, LibraryError> {
        let open = self.known(tenant, corpus).ok_or_else(|| self.unknown(corpus))?;
        open.rebuild(self, self.settings_of(corpus).clone()).await
    }

    /// Keeps the index durable and in order, until it is told to stop.
    pub async fn maintain(self: Arc<Self>, stop: CancellationToken) {
        let woken = async || {
            // Every few seconds, and at once when much was written.
            self.clock.timeout(FLUSH_INTERVAL, self.much_to_do.notified()).await;
        };
        let mut watch = StalenessWatch::new(self.settings.staleness);
        while stop.run_until_cancelled(woken()).await.is_some() {
            watch.look(self.lag());
            for open in self.open_corpora() {
                if let Err(error) = open.tidy_up(&self).await {
                    tracing::warn!(corpus = %open.name(), %error, "the index could not be made durable; trying again");
                    self.recover(&open).await;
                }
            }
            self.finish_what_was_left().await;
        }
    }

    /// How far the index is behind what was accepted.
    pub fn lag(&self) -> Lag {
        self.backlog.lag(self.clock.now())
    }

    /// Makes documents visible that were accepted and then left: by a caller who went away in between, or by a failure of
    /// the index.
    async fn finish_what_was_left(&self) {
        if self.lag().oldest < LEFT_AFTER {
            return;
        }
        if let Err(error) = self.finish_pending().await {
            tracing::warn!(%error, "documents that were accepted could not be made visible; trying again");
            for open in self.open_corpora() {
                self.recover(&open).await;
            }
        }
    }

    pub(crate) async fn recover(&self, open: &OpenCorpus) {
        if let Err(error) = open.recover(self).await {
            tracing::warn!(corpus = %open.name(), %error, "the index could not be opened again; trying again");
        }
    }

    pub(crate) fn wake_maintenance(&self) {
        self.much_to_do.notify_one();
    }

    pub(crate) fn wake_upgrade(&self) {
        self.to_upgrade.notify_one();
    }

    /// How often something was asked of the library.
    pub(crate) fn demand(&self) -> u64 {
        self.demand.load(Ordering::Relaxed)
    }

    /// Notes that somebody needs the machine.
    pub(crate) fn note_demand(&self) {
        self.demand.fetch_add(1, Ordering::Relaxed);
    }

    /// Makes everything durable, for an orderly end.
    pub async fn close(&self) -> Result<(), LibraryError> {
        for open in self.open_corpora() {
            open.close(self).await?;
        }
        Ok(self.index.close().await?)
    }

    /// Indexes and publishes what a crash left accepted.
    async fn finish_pending(&self) -> Result<(), LibraryError> {
        const PAGE: usize = 64;
        let mut after = None;
        loop {
            let pending = self.maintenance.pending(after, PAGE).await?;
            let Some(last) = pending.last() else { return Ok(()) };
            after = Some(last.revision);
            for document in pending {
                if let Some(open) = self.known(&document.tenant, &document.corpus) {
                    open.finish(self, document).await?;
                }
            }
        }
    }

    pub(crate) fn settings_of(&self, corpus: &CorpusName) -> &CorpusSettings {
        self.settings.corpora.get(corpus).unwrap_or(&self.settings.unnamed)
    }

    pub(crate) fn is_configured(&self, corpus: &CorpusName) -> bool {
        self.settings.corpora.contains_key(corpus)
    }

    pub(crate) fn deadline(&self) -> Deadline {
        Deadline::after(&self.clock, self.settings.embedding_timeout)
    }

    /// The corpus, if it has ever had a document.
    pub(crate) fn known(&self, tenant: &TenantId, corpus: &CorpusName) -> Option<Arc<OpenCorpus>> {
        let corpora = self.corpora.read().unwrap_or_else(PoisonError::into_inner);
        corpora.get(&(tenant.clone(), corpus.clone())).cloned()
    }

    pub(crate) fn unknown(&self, corpus: &CorpusName) -> LibraryError {
        LibraryError::UnknownCorpus(corpus.clone())
    }

    /// Of two callers that create a corpus at once, the first one's stays.
    fn remember(&self, open: Arc<OpenCorpus>) -> Arc<OpenCorpus> {
        let key = (open.tenant().clone(), open.name().clone());
        let mut corpora = self.corpora.write().unwrap_or_else(PoisonError::into_inner);
        corpora.entry(key).or_insert(open).clone()
    }

    /// From now on, the corpus is not one of those that exist.
    pub(crate) fn forget(&self, tenant: &TenantId, corpus: &CorpusName) {
        let mut corpora = self.corpora.write().unwrap_or_else(PoisonError::into_inner);
        corpora.remove(&(tenant.clone(), corpus.clone()));
    }

    pub(crate) fn open_corpora(&self) -> Vec<Arc<OpenCorpus>> {
        self.corpora.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// A document that is ready to be embedded and stored.
pub(crate) struct PreparedDocument {
    /// Its place among the uploads.
    pub(crate) position: usize,
    pub(crate) id: DocumentId,
    fingerprint: Fingerprint,
    source_name: Option<String>,
    author: Option<UserId>,
    source_bytes: u64,
    pub(crate) content: Prepared,
}

impl PreparedDocument {
    /// What the index keeps of it beside its words.
    pub(crate) fn index_fields(&self, accepted_at: Timestamp) -> Arc<Fields> {
        let language = self.content.language.map(|language| language.to_string());
        let media_type = self.content.media_type.as_str();
        index_fields(&self.id, language.as_deref(), media_type, accepted_at, &self.content.metadata)
    }

    /// Those of its chunks that no search is to find, by reason.
    fn quarantined(&self) -> Quarantined {
        let mut quarantined = Quarantined::new();
        for finding in self.content.chunks.iter().filter_map(|chunk| chunk.finding.as_ref()) {
            *quarantined.entry(finding.reason.clone()).or_default() += 1;
        }
        quarantined
    }

    /// As the store takes it.
    pub(crate) fn to_store(&self) -> NewDocument {
        let content = &self.content;
        NewDocument {
            author: self.author.clone(),
            doc_id: self.id.clone(),
            title: content.title.clone(),
            media_type: content.media_type.as_str().to_owned(),
            language: content.language.map(|language| language.to_string()),
            source_name: self.source_name.clone(),
            fingerprint: self.fingerprint,
            source_bytes: self.source_bytes,
            text: content.text.clone(),
            metadata: content.metadata.clone(),
            chunks: content.chunks.iter().map(|chunk| chunk.to_store()).collect(),
        }
    }
}

fn receipt(document: &PreparedDocument) -> Receipt {
    let content = &document.content;
    Receipt {
        doc_id: document.id.clone(),
        title: content.title.clone(),
        media_type: content.media_type.as_str().to_owned(),
        language: content.language.map(|language| language.to_string()),
        bytes: content.text.len(),
        chunks: content.chunks.len(),
        quarantined: document.quarantined(),
        unchanged: false,
    }
}

fn unchanged_receipt(record: DocumentRecord) -> Receipt {
    Receipt {
        doc_id: record.doc_id,
        title: record.title,
        media_type: record.media_type,
        language: record.language,
        bytes: record.text_bytes as usize,
        chunks: record.chunks.count as usize,
        quarantined: record.quarantined,
        unchanged: true,
    }
}

fn document_info(corpus: &CorpusName, record: DocumentRecord) -> DocumentInfo {
    DocumentInfo {
        doc_id: record.doc_id,
        corpus: corpus.clone(),
        title: record.title,
        media_type: record.media_type,
        language: record.language,
        bytes: record.text_bytes,
        chunks: record.chunks.count,
        quarantined: record.quarantined,
        status: record.status.as_str(),
        metadata: record.metadata.into_json(),
        created_at: record.created_at.as_seconds(),
        updated_at: record.updated_at.as_seconds(),
    }
}

fn corpus_info(corpus: CorpusName, embedder: String, counts: CorpusCounts) -> CorpusInfo {
    let languages = counts.languages.into_iter();
    CorpusInfo {
        object: "corpus",
        corpus,
        embedder,
        upgrade: None,
        documents: counts.documents,
        chunks: counts.chunks,
        quarantined: counts.quarantined,
        bytes: counts.text_bytes,
        languages: languages
            .map(|one| LanguageShare { language: one.language, chunks: one.chunks })
            .collect(),
    }
}
