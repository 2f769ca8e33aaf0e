//! Judging the chunks of a whole corpus: when its settings have changed, when it has grown so much that other distances are
//! usual, and when somebody releases chunks.

use std::sync::{Arc, PoisonError, RwLock};

use mainstay_store::documents::{Corpus, Fingerprint, IndexableDocument, Judgement, Quarantined, Revision};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::QualitySettings;
use super::judge::Judge;
use super::middles::{FEWEST_CHUNKS, Means, Middles};
use crate::corpus::{OpenCorpus, searchables_of};
use crate::library::{Library, LibraryError, PreparedDocument};

/// Counts the changes of what is found about the same chunk under the same settings.
const RULES_VERSION: u32 = 1;

/// Documents that are read at once.
const PAGE: usize = 64;

/// A corpus that has grown by this factor is measured anew.
const GROWN: u64 = 2;

/// How the chunks of a corpus are judged.
pub(crate) struct Standing {
    judge: RwLock<Arc<Judge>>,
    /// Whether all chunks in the store were judged so.
    is_settled: RwLock<bool>,
    quarantined: RwLock<Quarantined>,
}

/// How the chunks of a corpus were judged, as the store keeps it with the corpus.
#[derive(Serialize, Deserialize)]
struct Judged {
    rules: u32,
    settings: String,
    middles: Middles,
}

/// Where it is among the settings of a corpus in the store.
const KEY: &str = "judged";

impl Standing {
    /// Of a corpus that the store has.
    pub(crate) fn of(corpus: &Corpus, settings: QualitySettings) -> Self {
        let judged = corpus.settings.get(KEY).and_then(|value| Judged::deserialize(value).ok());
        let is_settled = judged
            .as_ref()
            .is_some_and(|judged| judged.rules == RULES_VERSION && judged.settings == name_of(&settings));
        let middles = judged.map(|judged| judged.middles).unwrap_or_default();
        Self {
            judge: RwLock::new(Arc::new(Judge { settings, middles })),
            is_settled: RwLock::new(is_settled),
            quarantined: RwLock::default(),
        }
    }

    /// Who judges chunks now.
    pub(crate) fn judge(&self) -> Arc<Judge> {
        self.judge.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds to the settings of a corpus how its chunks were judged, unless they still have to be.
    pub(crate) fn write_into(&self, settings: Value) -> Value {
        if self.is_settled() { with_judged(settings, &self.judge()) } else { settings }
    }

    /// Chunks that no search finds, by reason.
    pub(crate) fn quarantined(&self) -> Quarantined {
        self.quarantined.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes how many chunks no search finds. A reason that was there stays, with none.
    pub(crate) fn note(&self, mut quarantined: Quarantined) {
        let mut known = self.quarantined.write().unwrap_or_else(PoisonError::into_inner);
        for reason in known.keys() {
            quarantined.entry(reason.clone()).or_insert(0);
        }
        *known = quarantined;
    }

    fn is_settled(&self) -> bool {
        *self.is_settled.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, judge: Judge) {
        *self.judge.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(judge);
        *self.is_settled.write().unwrap_or_else(PoisonError::into_inner) = true;
    }
}

/// The settings of a corpus that is new: it has no chunks, and all of them were judged so.
pub(crate) fn with_judged(mut settings: Value, judge: &Judge) -> Value {
    let judged =
        Judged { rules: RULES_VERSION, settings: name_of(&judge.settings), middles: judge.middles.clone() };
    if let Value::Object(settings) = &mut settings {
        settings.insert(KEY.to_owned(), serde_json::to_value(judged).expect("numbers serialise"));
    }
    settings
}

/// By what settings are recognised.
fn name_of(settings: &QualitySettings) -> String {
    format!("{settings:?}")
}

impl Library {
    /// Chunks that no search finds, by corpus of any tenant and by reason.
    pub fn quarantined(&self) -> Vec<(String, Quarantined)> {
        let corpora = self.open_corpora();
        corpora.iter().map(|open| (open.name().to_string(), open.standing.quarantined())).collect()
    }

    /// Takes the findings from those chunks whose content was released.
    pub(crate) async fn pardon(
        &self,
        open: &OpenCorpus,
        documents: &mut [PreparedDocument],
    ) -> Result<(), LibraryError> {
        let contents = contents(documents);
        if contents.is_empty() {
            return Ok(());
        }
        let released = self.documents.released(open.tenant(), open.name(), &contents).await?;
        for document in documents {
            for chunk in &mut document.content.chunks {
                chunk.finding.take_if(|finding| released.contains(&finding.content));
            }
        }
        Ok(())
    }

    /// Whether chunks of these documents were released since they were judged.
    pub(crate) async fn were_released(
        &self,
        open: &OpenCorpus,
        documents: &[PreparedDocument],
    ) -> Result<bool, LibraryError> {
        let contents = contents(documents);
        Ok(!contents.is_empty()
            && !self.documents.released(open.tenant(), open.name(), &contents).await?.is_empty())
    }
}

fn contents(documents: &[PreparedDocument]) -> Vec<Fingerprint> {
    let chunks = documents.iter().flat_map(|document| &document.content.chunks);
    chunks.filter_map(|chunk| Some(chunk.finding.as_ref()?.content)).collect()
}

impl OpenCorpus {
    /// Judges all chunks where that was last done by other rules or settings.
    pub(crate) async fn keep_judged(&self, library: &Library) -> Result<(), LibraryError> {
        if self.standing.is_settled() || self.searchable_view().is_err() {
            return Ok(());
        }
        self.judge_anew(library).await
    }

    /// Judges all chunks where the corpus has grown so much that other distances may be usual.
    pub(crate) async fn judge_when_grown(&self, library: &Library) -> Result<(), LibraryError> {
        let judge = self.standing.judge();
        if !judge.needs_middles() {
            return Ok(());
        }
        let chunks = library.documents.counts(self.tenant(), self.name()).await?.chunks;
        let measured = &judge.middles;
        let is_due = measured.chunks < FEWEST_CHUNKS as u64
            || chunks >= measured.chunks * GROWN
            || !measured.is_current();
        if chunks >= FEWEST_CHUNKS as u64 && is_due { self.judge_anew(library).await } else { Ok(()) }
    }

    /// Judges all chunks. Which of them a search finds changes document by document; what a stop leaves undone is done at
    /// the next start.
    async fn judge_anew(&self, library: &Library) -> Result<(), LibraryError> {
        let mut writer = self.writer().await;
        let view = self.searchable_view()?;
        let mut judge = Judge::new(library.settings_of(self.name()).quality);
        if judge.needs_middles() {
            judge.middles = self.measure_middles(library).await?;
        }
        let shared = Arc::new(judge);
        let (mut after, mut changed) = (None, 0);
        loop {
            let documents = library.documents.live(self.tenant(), self.name(), after, PAGE).await?;
            let Some(last) = documents.last() else { break };
            after = Some(last.revision);
            let judge = shared.clone();
            let judgements = away(move || judgements(&judge, &documents)).await?;
            let judgements = self.without_released(library, judgements).await?;
            if judgements.is_empty() {
                continue;
            }
            changed += judgements.len();
            library.maintenance.judge(self.tenant(), self.name(), &judgements).await?;
            let revisions: Vec<Revision> = judgements.iter().map(|judgement| judgement.revision).collect();
            self.reindex(library, &mut writer, &view, &revisions).await?;
        }
        self.standing.settle(Arc::unwrap_or_clone(shared));
        self.store_standing(library).await?;
        drop(writer);
        self.refresh_view(library).await?;
        if let Some(upgrade) = self.upgrade() {
            upgrade.measure(library).await?;
        }
        if changed > 0 {
            tracing::info!(corpus = %self.name(), documents = changed, "chunks were judged anew");
            library.wake_upgrade();
        }
        Ok(())
    }

    async fn store_standing(&self, library: &Library) -> Result<(), LibraryError> {
        let documents = &library.documents;
        let Some(corpus) = documents.corpus(self.tenant(), self.name()).await? else { return Ok(()) };
        let settings = self.standing.write_into(corpus.settings);
        let (embedder, dimension) = (&corpus.embedder, corpus.dimension);
        documents.set_embedder(self.tenant(), self.name(), embedder, dimension, settings).await?;
        Ok(())
    }

    /// Looks at every chunk that can be read, twice.
    async fn measure_middles(&self, library: &Library) -> Result<Middles, LibraryError> {
        let means = self.look_at_all(library, Means::default(), Means::add).await?;
        let distances = self.look_at_all(library, means.distances(), |seen, language, text| {
            let _ = seen.add(language, text);
        });
        Ok(distances.await?.middles())
    }

    /// Shows the text of every chunk that can be read, with the language of its document.
    async fn look_at_all<S: Send + 'static>(
        &self,
        library: &Library,
        mut seen: S,
        look: impl Fn(&mut S, Option<&str>, &str) + Copy + Send + 'static,
    ) -> Result<S, LibraryError> {
        let mut after = None;
        loop {
            let documents = library.documents.live(self.tenant(), self.name(), after, PAGE).await?;
            let Some(last) = documents.last() else { return Ok(seen) };
            after = Some(last.revision);
            seen = away(move || {
                for document in &documents {
                    for searchable in searchables_of(document) {
                        if super::unreadable::unreadable(searchable.text()).is_none() {
                            look(&mut seen, document.language.as_deref(), searchable.text());
                        }
                    }
                }
                seen
            })
            .await?;
        }
    }

    /// The judgements of those revisions for which something changes, where what was released counts as released.
    async fn without_released(
        &self,
        library: &Library,
        judgements: Vec<(Judgement, IndexableDocument)>,
    ) -> Result<Vec<Judgement>, LibraryError> {
        let findings = judgements.iter().flat_map(|(judgement, _)| &judgement.findings);
        let contents: Vec<Fingerprint> = findings.map(|(_, finding)| finding.content).collect();
        let released = library.documents.released(self.tenant(), self.name(), &contents).await?;
        let changed = judgements.into_iter().filter_map(|(mut judgement, document)| {
            judgement.findings.retain(|(_, finding)| !released.contains(&finding.content));
            let stored =
                document.chunks.iter().filter_map(|chunk| Some((chunk.chunk, chunk.finding.clone()?)));
            (!stored.eq(judgement.findings.iter().cloned())).then_some(judgement)
        });
        Ok(changed.collect())
    }
}

fn judgements(judge: &Judge, documents: &[IndexableDocument]) -> Vec<(Judgement, IndexableDocument)> {
    let judged = documents.iter().map(|document| {
        let findings = judge.judge_stored(document, &searchables_of(document));
        let chunks = document.chunks.iter().zip(findings);
        let findings = chunks.filter_map(|(chunk, finding)| Some((chunk.chunk, finding?))).collect();
        (Judgement { revision: document.revision, findings }, document.clone())
    });
    judged.collect()
}

/// Computes away from the runtime's threads.
pub(super) async fn away<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, LibraryError> {
    let failed = |_| LibraryError::Storage("a look at the documents failed; please report it".to_owned());
    tokio::task::spawn_blocking(work).await.map_err(failed)
}
