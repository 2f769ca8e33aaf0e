//! One corpus: its writer, its index, and what a search of it needs to know.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use mainstay_documents::{ChunkMode, ChunkOptions, MediaType};
use mainstay_domain::port::{Embedder, EmbeddingPurpose, Embeddings, Errand, MultiVector};
use mainstay_domain::{Caller, ChunkId, CorpusName, KeyId, TenantId};
use mainstay_store::documents::{
    AcceptedBatch, Corpus, EventKind, EventSeq, IndexableDocument, NewChunk, RetiredRevision, Revision,
};
use mainstay_text::{ANALYSIS_VERSION, Analyzer, Language};
use mainstay_vectors::{Checkpoint, IndexError, IndexSettings, Namespace, Point};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, MutexGuard};

use crate::fields::{CorpusFields, index_fields_of};
use crate::fusion::Fusion;
use crate::library::{Library, LibraryError, PreparedDocument};
use crate::points::{Lengths, Piece, Weights, pieces_of, pieces_of_stored};
use crate::prepare::{PreparedChunk, Searchable, analysed_as, contexts, searchable};
use crate::quality::{Judge, QualitySettings, Standing, with_judged};
use crate::rerank::RerankSettings;
use crate::upgrade::{Progress, Upgrade, UpgradeSettings};

/// What is configured of a corpus.
#[derive(Clone)]
pub struct CorpusSettings {
    /// Makes its vectors.
    pub embedder: Arc<dyn Embedder>,
    /// How its documents are cut.
    pub chunking: ChunkOptions,
    /// How the channels of a search are fused.
    pub fusion: Fusion,
    /// How much the dense channel counts, 0 to 1; the keywords count the rest.
    pub dense_weight: f32,
    /// What of that the document counts instead of the chunk, 0 to 1: [`crate::search::DOCUMENT_SHARE`] where a
    /// transformer makes the vectors, else nothing.
    pub document_share: f32,
    /// What runs of characters count of the share of the keywords, 0 to 1. With 0 the index has none.
    pub grams_weight: f32,
    /// What makes a second, better vector of each chunk in the background, if anything does.
    pub upgrade: Option<UpgradeSettings>,
    /// What has a second look at the best passages; `None` where nothing does.
    pub rerank: Option<RerankSettings>,
    /// What becomes of chunks with which something is odd.
    pub quality: QualitySettings,
}

/// A corpus that exists.
pub(crate) struct OpenCorpus {
    tenant: TenantId,
    name: CorpusName,
    view: RwLock<Arc<View>>,
    /// Held while the index is written: one writer at a time, so that a checkpoint means what it says.
    writer: Mutex<Writer>,
    upgrade: Option<Arc<Upgrade>>,
    /// How its chunks are judged.
    pub(crate) standing: Standing,
    /// How often since it was opened what its searches find has changed.
    changes: AtomicU64,
    size: RwLock<CorpusSize>,
}

/// How much a corpus holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CorpusSize {
    /// Documents that can be read.
    pub documents: u64,
    /// Their chunks.
    pub chunks: u64,
    /// Bytes of their texts.
    pub text_bytes: u64,
    /// Languages that they are in, as far as they are told apart.
    pub languages: u64,
}

/// What a search of the corpus needs to know.
pub(crate) struct View {
    pub(crate) namespace: Namespace,
    pub(crate) embedder: Arc<dyn Embedder>,
    pub(crate) fusion: Fusion,
    pub(crate) dense_weight: f32,
    pub(crate) document_share: f32,
    pub(crate) grams_weight: f32,
    pub(crate) weights: Weights,
    /// By whose rules the words of its documents were analysed, most documents first.
    pub(crate) languages: Vec<Language>,
    /// Whether what stands above a chunk stands above its whole parent.
    pub(crate) parents_keep_to_headings: bool,
    /// What its documents can be filtered by.
    pub(crate) fields: CorpusFields,
    /// Why the corpus cannot be searched or written, if so.
    obstacle: Option<String>,
}

/// What the writer remembers between two batches.
#[derive(Default)]
pub(crate) struct Writer {
    /// Whether something was written since the last flush.
    dirty: bool,
    order: Order,
    /// Revisions whose chunks are out of the index, and whose rows can go after the next flush.
    to_purge: Vec<Revision>,
    pub(crate) upgrade: Progress,
}

/// How many points were written since the index was last put in order, and how many there were then.
#[derive(Default)]
pub(crate) struct Order {
    loose: usize,
    settled: usize,
}

/// How the index of a corpus is made, as the store keeps it with the corpus.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
struct Recipe {
    /// [`ANALYSIS_VERSION`] of the terms.
    analysis: u32,
    /// [`FIELDS_VERSION`] of the fields that points carry.
    #[serde(default)]
    fields: u32,
    /// The average length of its chunks when it was built.
    average_length: f32,
    /// The same of their parents.
    average_parent_length: f32,
    /// How many runs of characters a chunk had on average; nothing where the index has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    average_grams: Option<f32>,
    /// Counts the rebuilds: each has a namespace of its own, so that the old index answers until the new is complete.
    generation: u32,
}

/// Counts the changes of what points carry to be filtered by.
const FIELDS_VERSION: u32 = 1;

/// Points that may lie loose in the index: the time to insert one grows with their number. In a large index more may, in
/// proportion, because putting them in order rewrites a part of what is there.
const FEWEST_LOOSE: usize = 2_000;
const LOOSE_SHARE: usize = 4;

/// Points that are sent to the index at once.
const POINTS_PER_WRITE: usize = 1_024;

/// Documents that are read at once to be indexed again.
const PAGE: usize = 64;

impl OpenCorpus {
    /// Makes a corpus. The documents that it starts with tell how long its chunks and their parents are.
    pub(crate) async fn create(
        library: &Library,
        tenant: &TenantId,
        name: &CorpusName,
        settings: CorpusSettings,
        first: &[PreparedDocument],
    ) -> Result<Self, LibraryError> {
        let mut lengths = Lengths::expected(&settings.chunking);
        for document in first {
            lengths.add(&pieces_of(document));
        }
        let recipe = Recipe::new(lengths, &settings, 0);
        let embedder = &settings.embedder;
        let value = with_judged(recipe.to_json(), &Judge::new(settings.quality));
        let corpus = library
            .documents
            .create_corpus(tenant, name, embedder.model(), embedder.dimension(), value)
            .await?;
        Self::open(library, corpus, settings).await
    }

    /// Opens a corpus that exists, and brings its index up to date.
    pub(crate) async fn open(
        library: &Library,
        corpus: Corpus,
        settings: CorpusSettings,
    ) -> Result<Self, LibraryError> {
        let recipe = serde_json::from_value(corpus.settings.clone()).unwrap_or(Recipe::unknown());
        let obstacle = (corpus.embedder != settings.embedder.model()).then(|| {
            format!(
                "the corpus \"{}\" was embedded with {}, and the configuration says {}; run `mainstay index rebuild \
                 --corpus {}`, or configure the former embedder again",
                corpus.name,
                corpus.embedder,
                settings.embedder.model(),
                corpus.name
            )
        });
        if recipe.fields != FIELDS_VERSION {
            // Its points carry other fields, or none.
            Upgrade::remove(library, &corpus.tenant, &corpus.name).await?;
        }
        let upgraded = match &settings.upgrade {
            Some(upgrade) => Some(Upgrade::open(library, &corpus.tenant, &corpus.name, upgrade).await?),
            None => {
                Upgrade::remove(library, &corpus.tenant, &corpus.name).await?;
                None
            }
        };
        let (upgrade, progress) = upgraded.unzip();
        let standing = Standing::of(&corpus, settings.quality);
        let writer = Writer { upgrade: progress.unwrap_or_default(), ..Writer::default() };
        let open = Self {
            view: RwLock::new(Arc::new(View::new(
                &corpus.tenant,
                &corpus.name,
                recipe,
                &settings,
                obstacle.clone(),
            ))),
            tenant: corpus.tenant,
            name: corpus.name,
            writer: Mutex::new(writer),
            upgrade,
            standing,
            changes: AtomicU64::new(0),
            size: RwLock::default(),
        };
        if let Some(obstacle) = obstacle {
            tracing::error!("{obstacle}");
            return Ok(open);
        }
        let view = open.view();
        let outdated = recipe.analysis != ANALYSIS_VERSION
            || recipe.fields != FIELDS_VERSION
            || recipe.average_grams.is_some() != (settings.grams_weight > 0.0);
        match library.index.open(&view.namespace, &view.index_settings()).await {
            Ok(checkpoint) if !outdated => open.catch_up(library, checkpoint).await?,
            Ok(_) | Err(IndexError::Damaged { .. } | IndexError::OtherSettings { .. }) => {
                tracing::warn!(corpus = %open.name, "the index is damaged or outdated and is built anew");
                open.rebuild(library, settings).await?;
            }
            Err(error) => return Err(error.into()),
        }
        let chunks = open.refresh_view(library).await?;
        let mut writer = open.writer.lock().await;
        writer.order.settled =
            usize::try_from(chunks).unwrap_or(usize::MAX).saturating_sub(writer.order.loose);
        drop(writer);
        if let Some(upgrade) = &open.upgrade {
            upgrade.measure(library).await?;
        }
        Ok(open)
    }

    pub(crate) fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    pub(crate) fn name(&self) -> &CorpusName {
        &self.name
    }

    /// How much it holds.
    pub(crate) fn size(&self) -> CorpusSize {
        *self.size.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The second vectors, where the corpus is to have them.
    pub(crate) fn upgrade(&self) -> Option<Arc<Upgrade>> {
        self.upgrade.clone().filter(|_| self.view().obstacle.is_none())
    }

    /// The writer, when no other writes.
    pub(crate) async fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().await
    }

    /// What a search needs to know; an error where the corpus cannot be searched.
    pub(crate) fn searchable_view(&self) -> Result<Arc<View>, LibraryError> {
        let view = self.view();
        match &view.obstacle {
            Some(obstacle) => Err(LibraryError::Incompatible(obstacle.clone())),
            None => Ok(view),
        }
    }

    /// What its documents can be filtered by.
    pub(crate) fn fields(&self) -> CorpusFields {
        self.view().fields.clone()
    }

    fn view(&self) -> Arc<View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_view(&self, view: View) {
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
    }

    /// Embeds, commits, indexes and publishes documents.
    pub(crate) async fn take(
        &self,
        library: &Library,
        documents: Vec<PreparedDocument>,
    ) -> Result<(), LibraryError> {
        let view = self.searchable_view()?;
        let pieces: Vec<Vec<Piece<'_>>> = documents.iter().map(pieces_of).collect();
        let texts = pieces.iter().flatten().map(|piece| piece.searchable);
        let mut vectors = embed(library, &self.tenant, &view.embedder, texts).await?.into_iter();
        let mut writer = self.writer.lock().await;
        if library.were_released(self, &documents).await? {
            return Err(LibraryError::Storage(
                "some of the chunks were released meanwhile; add the documents again".to_owned(),
            ));
        }
        // A rebuild may have changed the embedder or the namespace meanwhile.
        let current = self.searchable_view()?;
        if current.embedder.model() != view.embedder.model() {
            return Err(LibraryError::Storage(
                "the index was rebuilt meanwhile; add the documents again".to_owned(),
            ));
        }
        let new = documents.iter().map(PreparedDocument::to_store).collect();
        let accepted = library.documents.accept(&self.tenant, &self.name, new).await?;
        library.backlog.enter(&accepted);
        let each = accepted.documents.iter().zip(&documents).zip(&pieces);
        let points = each.flat_map(|((accepted_one, document), pieces)| {
            let fields = document.index_fields(accepted.accepted_at);
            current.weights.points(accepted_one.chunks.first, pieces, &fields, &mut vectors)
        });
        let points = points.collect();
        self.index_and_publish(library, &mut writer, &current, points, &accepted).await?;
        drop(writer);
        self.refresh_view(library).await?;
        library.wake_upgrade();
        Ok(())
    }

    async fn index_and_publish(
        &self,
        library: &Library,
        writer: &mut Writer,
        view: &View,
        points: Vec<Point>,
        accepted: &AcceptedBatch,
    ) -> Result<(), LibraryError> {
        writer.dirty = true;
        writer.order.add(points.len());
        if writer.order.has_many_loose() {
            library.wake_maintenance();
        }
        upsert(library, view, points).await?;
        let published = library.documents.publish(accepted).await?;
        self.note_change();
        library.backlog.leave(accepted);
        self.unindex(library, writer, view, &published.retired).await
    }

    /// What searches find has changed. Told after it has, so that who saw the count before it saw what was before it.
    fn note_change(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// How often since it was opened what its searches find has changed.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Takes deleted documents out of the index. No reader sees them any more; this reclaims their space.
    pub(crate) async fn remove(
        &self,
        library: &Library,
        retired: &[RetiredRevision],
    ) -> Result<(), LibraryError> {
        self.note_change();
        let mut writer = self.writer.lock().await;
        let view = self.view();
        if view.obstacle.is_none() {
            self.unindex(library, &mut writer, &view, retired).await?;
        }
        drop(writer);
        if self.standing.quarantined().is_empty() {
            if let Some(upgrade) = &self.upgrade {
                upgrade.lost(retired.iter().map(|revision| revision.chunks.count).sum());
            }
        } else {
            self.refresh_view(library).await?;
        }
        Ok(())
    }

    async fn unindex(
        &self,
        library: &Library,
        writer: &mut Writer,
        view: &View,
        retired: &[RetiredRevision],
    ) -> Result<(), LibraryError> {
        let chunks: Vec<ChunkId> = retired.iter().flat_map(|revision| revision.chunks.ids()).collect();
        if !chunks.is_empty() {
            writer.dirty = true;
            writer.order.add(chunks.len());
            if let Some(upgrade) = &self.upgrade {
                let revisions = retired.iter().map(|revision| revision.revision);
                upgrade.withdraw(library, &mut writer.upgrade, revisions, chunks.clone()).await?;
            }
            library.index.delete(&view.namespace, chunks).await?;
        }
        writer.to_purge.extend(retired.iter().map(|revision| revision.revision));
        Ok(())
    }

    /// Indexes and publishes a document that a crash left accepted.
    pub(crate) async fn finish(
        &self,
        library: &Library,
        document: IndexableDocument,
    ) -> Result<(), LibraryError> {
        let mut writer = self.writer.lock().await;
        let view = self.searchable_view()?;
        let points = points_of(library, &view, &document).await?;
        let accepted = AcceptedBatch {
            tenant: document.tenant.clone(),
            corpus: document.corpus.clone(),
            accepted_at: document.accepted_at,
            documents: vec![document.accepted()],
        };
        library.backlog.enter(&accepted);
        self.index_and_publish(library, &mut writer, &view, points, &accepted).await
    }

    /// Opens the indexes again after a failure of either, and repeats what they may have lost.
    pub(crate) async fn recover(&self, library: &Library) -> Result<(), LibraryError> {
        let view = self.searchable_view()?;
        let checkpoint = library.index.open(&view.namespace, &view.index_settings()).await?;
        if let Some(upgrade) = &self.upgrade {
            upgrade.reopen(library, &mut self.writer.lock().await.upgrade).await?;
        }
        // This takes out of both what was retired, and the upgrade makes the rest of the second again by itself.
        self.catch_up(library, checkpoint).await?;
        self.refresh_view(library).await?;
        match &self.upgrade {
            Some(upgrade) => upgrade.measure(library).await,
            None => Ok(()),
        }
    }

    /// Repeats what was published after the index's last flush, and takes out what was retired.
    async fn catch_up(&self, library: &Library, checkpoint: Checkpoint) -> Result<(), LibraryError> {
        let mut writer = self.writer.lock().await;
        let view = self.view();
        let mut after = EventSeq(checkpoint.0);
        loop {
            let events = library.maintenance.events_after(after, PAGE).await?;
            let Some(last) = events.last() else { break };
            after = last.seq;
            let ours = |event: &&mainstay_store::documents::Event| {
                event.kind == EventKind::Published && event.tenant == self.tenant && event.corpus == self.name
            };
            let revisions: Vec<Revision> = events.iter().filter(ours).map(|event| event.revision).collect();
            if revisions.is_empty() {
                continue;
            }
            self.reindex(library, &mut writer, &view, &revisions).await?;
        }
        let retired = library.maintenance.retired(usize::MAX >> 1).await?;
        let ours: Vec<RetiredRevision> =
            retired.into_iter().filter(|one| one.tenant == self.tenant && one.corpus == self.name).collect();
        self.unindex(library, &mut writer, &view, &ours).await
    }

    /// Writes the points of documents anew that are visible: of the chunks that are to be found, and of no others.
    pub(crate) async fn reindex(
        &self,
        library: &Library,
        writer: &mut Writer,
        view: &View,
        revisions: &[Revision],
    ) -> Result<(), LibraryError> {
        writer.dirty = true;
        for revisions in revisions.chunks(PAGE) {
            for document in library.maintenance.visible(revisions).await? {
                let points = points_of(library, view, &document).await?;
                writer.order.add(document.chunks.len());
                upsert(library, view, points).await?;
                let hidden = document.quarantined();
                if !hidden.is_empty() {
                    library.index.delete(&view.namespace, hidden).await?;
                }
            }
        }
        Ok(())
    }

    /// Makes the index durable if it was written to, and puts it in order when that is worth it: when much lies loose, or
    /// when nothing was written since the last time.
    pub(crate) async fn tidy_up(&self, library: &Library) -> Result<(), LibraryError> {
        let mut writer = self.writer.lock().await;
        let view = self.view();
        if view.obstacle.is_some() || !(writer.dirty || writer.order.loose > 0) {
            return Ok(());
        }
        let quiet = !writer.dirty;
        if writer.dirty {
            let through = library.maintenance.last_event().await?;
            library.index.flush(&view.namespace, Checkpoint(through.0)).await?;
            writer.dirty = false;
            if let Some(upgrade) = &self.upgrade {
                upgrade.flush(library, &mut writer.upgrade).await?;
            }
            let purged = std::mem::take(&mut writer.to_purge);
            library.maintenance.purge(&purged).await?;
        }
        if !quiet && !writer.order.has_many_loose() {
            return Ok(());
        }
        writer.order.settle();
        drop(writer);
        library.index.optimize(&view.namespace).await?;
        self.judge_when_grown(library).await
    }

    /// Makes the index durable and orderly, for an end.
    pub(crate) async fn close(&self, library: &Library) -> Result<(), LibraryError> {
        self.tidy_up(library).await?;
        self.tidy_up(library).await
    }

    /// Builds the index anew beside the old one, which answers until the new is complete.
    pub(crate) async fn rebuild(
        &self,
        library: &Library,
        settings: CorpusSettings,
    ) -> Result<u64, LibraryError> {
        let mut writer = self.writer.lock().await;
        let old = self.view();
        let recipe = self.measure(library, &settings, old.generation() + 1).await?;
        let view = View::new(&self.tenant, &self.name, recipe, &settings, None);
        // What an interrupted rebuild left under this name is not complete.
        library.index.drop_namespace(&view.namespace).await?;
        library.index.open(&view.namespace, &view.index_settings()).await?;
        let mut order = Order::default();
        let mut after = None;
        loop {
            let documents = library.documents.live(&self.tenant, &self.name, after, PAGE).await?;
            let Some(last) = documents.last() else { break };
            after = Some(last.revision);
            for document in &documents {
                let points = points_of(library, &view, document).await?;
                order.add(points.len());
                upsert(library, &view, points).await?;
            }
            if order.has_many_loose() {
                library.index.optimize(&view.namespace).await?;
                order.settle();
            }
        }
        let through = library.maintenance.last_event().await?;
        library.index.flush(&view.namespace, Checkpoint(through.0)).await?;
        let (model, dimension) = (settings.embedder.model(), settings.embedder.dimension());
        let value = self.standing.write_into(recipe.to_json());
        library.documents.set_embedder(&self.tenant, &self.name, model, dimension, value).await?;
        self.set_view(view);
        library.index.drop_namespace(&old.namespace).await?;
        writer.dirty = true;
        let chunks = (order.settled + order.loose) as u64;
        writer.order = order;
        drop(writer);
        self.refresh_view(library).await?;
        Ok(chunks)
    }

    /// Makes the second vectors anew, in an index in which nothing of before is left.
    pub(crate) async fn renew_upgrade(&self, library: &Library) -> Result<(), LibraryError> {
        let Some(upgrade) = &self.upgrade else { return Ok(()) };
        let mut writer = self.writer.lock().await;
        upgrade.renew(library, &mut writer.upgrade).await?;
        library.to_upgrade.notify_one();
        Ok(())
    }

    /// Removes the index of a corpus that is not used any more.
    pub(crate) async fn drop_index(&self, library: &Library) -> Result<(), LibraryError> {
        let _no_more_writing = self.writer.lock().await;
        Ok(library.index.drop_namespace(&self.view().namespace).await?)
    }

    /// The recipe for the chunks that the corpus has now.
    async fn measure(
        &self,
        library: &Library,
        settings: &CorpusSettings,
        generation: u32,
    ) -> Result<Recipe, LibraryError> {
        let mut lengths = Lengths::default();
        let mut after = None;
        loop {
            let documents = library.documents.live(&self.tenant, &self.name, after, PAGE).await?;
            let Some(last) = documents.last() else { break };
            after = Some(last.revision);
            for document in &documents {
                lengths.add(&pieces_of_stored(document, &searchables_of(document)));
            }
        }
        Ok(Recipe::new(lengths, settings, generation))
    }

    /// Learns the languages, the fields and the number of chunks of the documents that there are now; returns the last.
    pub(crate) async fn refresh_view(&self, library: &Library) -> Result<u64, LibraryError> {
        let counts = library.documents.counts(&self.tenant, &self.name).await?;
        if let Some(upgrade) = &self.upgrade {
            upgrade.note_chunks(counts.searchable_chunks());
        }
        let mut languages = Vec::with_capacity(counts.languages.len());
        for count in &counts.languages {
            let language = analysed_as(count.language.as_deref());
            if !languages.contains(&language) {
                languages.push(language);
            }
        }
        let size = CorpusSize {
            documents: counts.documents,
            chunks: counts.chunks,
            text_bytes: counts.text_bytes,
            languages: languages.len() as u64,
        };
        *self.size.write().unwrap_or_else(PoisonError::into_inner) = size;
        self.standing.note(counts.quarantined);
        let fields = CorpusFields::new(library.documents.fields(&self.tenant, &self.name).await?);
        let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
        if view.languages != languages || view.fields != fields {
            *view = Arc::new(View { languages, fields, ..view.copy() });
        }
        drop(view);
        // Only now: an answer from before must not count as one of what there is now.
        self.note_change();
        Ok(counts.chunks)
    }
}

impl Order {
    pub(crate) fn add(&mut self, points: usize) {
        self.loose += points;
    }

    pub(crate) fn has_many_loose(&self) -> bool {
        self.loose >= FEWEST_LOOSE.max(self.settled / LOOSE_SHARE)
    }

    /// Notes that the index is being put in order. False when nothing lay loose.
    pub(crate) fn settle(&mut self) -> bool {
        let loose = std::mem::take(&mut self.loose);
        self.settled += loose;
        loose > 0
    }
}

impl View {
    fn new(
        tenant: &TenantId,
        name: &CorpusName,
        recipe: Recipe,
        settings: &CorpusSettings,
        obstacle: Option<String>,
    ) -> Self {
        Self {
            namespace: Namespace::new(tenant.clone(), format!("{name}#{}", recipe.generation)),
            embedder: settings.embedder.clone(),
            fusion: settings.fusion,
            dense_weight: settings.dense_weight,
            document_share: settings.document_share,
            weights: Weights::new(recipe.average_length, recipe.average_parent_length, recipe.average_grams),
            grams_weight: settings.grams_weight,
            languages: Vec::new(),
            parents_keep_to_headings: settings.chunking.mode == ChunkMode::Clauses,
            fields: CorpusFields::new([]),
            obstacle,
        }
    }

    fn copy(&self) -> Self {
        Self {
            namespace: self.namespace.clone(),
            embedder: self.embedder.clone(),
            fusion: self.fusion,
            dense_weight: self.dense_weight,
            document_share: self.document_share,
            grams_weight: self.grams_weight,
            weights: self.weights,
            languages: self.languages.clone(),
            parents_keep_to_headings: self.parents_keep_to_headings,
            fields: self.fields.clone(),
            obstacle: self.obstacle.clone(),
        }
    }

    fn generation(&self) -> u32 {
        let name = self.namespace.corpus.as_str();
        name.rsplit_once('#').and_then(|(_, generation)| generation.parse().ok()).unwrap_or(0)
    }

    fn index_settings(&self) -> IndexSettings {
        IndexSettings {
            embedder: self.embedder.model().to_owned(),
            dimension: self.embedder.dimension(),
            channels: self.weights.channels(),
            multi_dimension: None,
        }
    }
}

impl Recipe {
    fn new(lengths: Lengths, settings: &CorpusSettings, generation: u32) -> Self {
        Self {
            analysis: ANALYSIS_VERSION,
            fields: FIELDS_VERSION,
            average_length: lengths.of_chunks(),
            average_parent_length: lengths.of_parents(),
            average_grams: (settings.grams_weight > 0.0).then(|| lengths.of_grams()),
            generation,
        }
    }

    /// As the store keeps it.
    fn to_json(self) -> serde_json::Value {
        serde_json::to_value(self).expect("a recipe serialises")
    }

    /// Of a corpus whose recipe cannot be read: its index is built anew.
    fn unknown() -> Self {
        Self {
            analysis: 0,
            fields: 0,
            average_length: 0.0,
            average_parent_length: 0.0,
            average_grams: None,
            generation: 0,
        }
    }
}

impl PreparedChunk {
    /// As the store takes it.
    pub(crate) fn to_store(&self) -> NewChunk {
        NewChunk {
            range: self.chunk.range,
            parent_range: self.chunk.parent_range,
            headings: self.chunk.headings.to_vec(),
            language: None,
            finding: self.finding.clone(),
        }
    }
}

/// What the chunks of a stored document are found by.
pub(crate) fn searchables_of(document: &IndexableDocument) -> Vec<Searchable> {
    let analyzer = Analyzer::new(analysed_as(document.language.as_deref()));
    let media_type = MediaType::from_name(&document.media_type).unwrap_or(MediaType::PlainText);
    let chunks = document.chunks.iter();
    let places = chunks.clone().map(|chunk| (chunk.range, &chunk.headings[..]));
    let contexts = contexts(&document.text, media_type, places);
    chunks
        .zip(contexts)
        .map(|(chunk, context)| {
            let text = document.text_of(chunk);
            searchable(&analyzer, document.title.as_deref(), &context, text, media_type)
        })
        .collect()
}

async fn points_of(
    library: &Library,
    view: &View,
    document: &IndexableDocument,
) -> Result<Vec<Point>, LibraryError> {
    let searchables = searchables_of(document);
    let pieces = pieces_of_stored(document, &searchables);
    let texts = pieces.iter().map(|piece| piece.searchable);
    let mut vectors = embed(library, &document.tenant, &view.embedder, texts).await?.into_iter();
    let fields = index_fields_of(document);
    Ok(view.weights.points(document.accepted().chunks.first, &pieces, &fields, &mut vectors))
}

async fn upsert(library: &Library, view: &View, mut points: Vec<Point>) -> Result<(), LibraryError> {
    while !points.is_empty() {
        let rest = points.split_off(points.len().min(POINTS_PER_WRITE));
        library.index.upsert(&view.namespace, points).await?;
        points = rest;
    }
    Ok(())
}

/// What documents are embedded for is booked to this key of their tenant: nobody waits for it who could be named.
const LIBRARY: &str = "library";

/// The vectors of the texts.
async fn embed<'a>(
    library: &Library,
    tenant: &TenantId,
    embedder: &Arc<dyn Embedder>,
    texts: impl Iterator<Item = &'a Searchable>,
) -> Result<Vec<Vec<f32>>, LibraryError> {
    let (embeddings, _) = embed_multi(library, tenant, embedder, texts).await?;
    Ok(embeddings.vectors().map(<[f32]>::to_vec).collect())
}

/// Embeds away from the runtime's threads: the built-in embedder computes for as long as it takes.
pub(crate) async fn embed_multi<'a>(
    library: &Library,
    tenant: &TenantId,
    embedder: &Arc<dyn Embedder>,
    texts: impl Iterator<Item = &'a Searchable>,
) -> Result<(Embeddings, Vec<MultiVector>), LibraryError> {
    let texts: Vec<String> = texts.map(|searchable| searchable.dense_text.clone()).collect();
    if texts.is_empty() {
        let dimension = embedder.dimension().max(1);
        return Ok((Embeddings { dimension, values: Vec::new(), tokens: 0 }, Vec::new()));
    }
    let embedder = embedder.clone();
    let deadline = library.deadline();
    let payer = Caller::of(tenant.clone(), KeyId::new(LIBRARY));
    let runtime = tokio::runtime::Handle::current();
    let work = move || {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let errand = Errand::paid_by(&payer, deadline);
        runtime.block_on(embedder.embed_multi(&texts, EmbeddingPurpose::Passage, errand))
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| LibraryError::Storage("the embedder failed; please report it".to_owned()))?
        .map_err(LibraryError::Embedding)
}
