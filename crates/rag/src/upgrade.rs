//! The second vector of every chunk, made in the background: a corpus answers at once by a fast embedder, and better by a
//! slower one as its vectors arrive.
//!
//! The second vectors lie in an index of their own, filled from the events of the store: how far it came is the
//! checkpoint of its last flush, so a stop or a kill costs only the work since then.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mainstay_domain::port::{Embedder, MultiVector};
use mainstay_domain::{ChunkId, CorpusName, TenantId};
use mainstay_store::documents::{EventKind, EventSeq, IndexableDocument, Revision};
use mainstay_vectors::{Checkpoint, IndexError, IndexSettings, Namespace, Point};
use tokio_util::sync::CancellationToken;

use crate::corpus::{OpenCorpus, Order, embed_multi, searchables_of};
use crate::fields::index_fields_of;
use crate::library::{Library, LibraryError, UpgradeInfo};
use crate::prepare::Searchable;

/// What a corpus is upgraded with.
#[derive(Clone)]
pub struct UpgradeSettings {
    /// Makes the second vectors.
    pub embedder: Arc<dyn Embedder>,
    /// How much their channel counts once every chunk has one, 0 to 1; the keywords count the rest.
    pub weight: f32,
    /// The most that it counts for a question that is mostly in another script than the Latin one. A transformer that was
    /// trained on English knows others hardly more than as letters, and more than a quarter ruins what keywords find
    /// (measured on Arabic, Chinese, Hindi, Russian and Thai).
    pub most_for_other_scripts: f32,
}

/// The second vectors of a corpus, as a search sees them.
pub(crate) struct Upgrade {
    pub(crate) namespace: Namespace,
    pub(crate) embedder: Arc<dyn Embedder>,
    weight: f32,
    most_for_other_scripts: f32,
    /// The chunks of the corpus, and those of them that have a second vector. Both are counted rarely, because that reads a
    /// table and walks files, and followed in between.
    chunks: AtomicU64,
    upgraded: AtomicU64,
    /// The least id of the chunks whose second vectors are still to be made; ids ascend in the order in which documents come.
    /// Until the work is looked at after a start, as if there were none.
    missing_from: AtomicU64,
}

/// What the writer of a corpus remembers of its upgrade.
#[derive(Default)]
pub(crate) struct Progress {
    /// The last event whose documents have their second vectors.
    through: EventSeq,
    /// Counts how often the index was opened again: what was under way then may be lost, however far it came.
    reopened: u32,
    /// Whether something was written since the last flush.
    dirty: bool,
    order: Order,
    /// Revisions that were withdrawn while their texts were being embedded.
    withdrawn: HashSet<Revision>,
}

/// Events that are worked off between two looks at the clock of the index.
const EVENTS: usize = 16;

/// Texts that are embedded at once: some tenths of a second of one core.
const TEXTS: usize = 32;

/// While others use the machine, the upgrade rests this many times as long as it worked.
const REST: u32 = 3;

/// How long the upgrade waits when there is nothing to do and nobody wakes it.
const IDLE: Duration = Duration::from_secs(30);

impl Upgrade {
    /// Opens the second index of a corpus. What cannot be read, or was made by another embedder, is made anew.
    pub(crate) async fn open(
        library: &Library,
        tenant: &TenantId,
        name: &CorpusName,
        settings: &UpgradeSettings,
    ) -> Result<(Arc<Self>, Progress), LibraryError> {
        let upgrade = Self {
            namespace: namespace(tenant, name),
            embedder: settings.embedder.clone(),
            weight: settings.weight,
            most_for_other_scripts: settings.most_for_other_scripts,
            chunks: AtomicU64::new(0),
            upgraded: AtomicU64::new(0),
            missing_from: AtomicU64::new(u64::MAX),
        };
        let through = upgrade.open_index(library).await?;
        Ok((Arc::new(upgrade), Progress { through, ..Progress::default() }))
    }

    /// Opens the index; returns the last event whose documents are durable in it.
    async fn open_index(&self, library: &Library) -> Result<EventSeq, LibraryError> {
        let index = &library.index;
        let opened = match index.open(&self.namespace, &self.index_settings()).await {
            Err(IndexError::Damaged { .. } | IndexError::OtherSettings { .. }) => {
                index.drop_namespace(&self.namespace).await?;
                index.open(&self.namespace, &self.index_settings()).await
            }
            other => other,
        };
        Ok(EventSeq(opened?.0))
    }

    /// Opens the index again after a failure. What it may have lost is made again; what was withdrawn is for the caller to
    /// withdraw again.
    pub(crate) async fn reopen(
        &self,
        library: &Library,
        progress: &mut Progress,
    ) -> Result<(), LibraryError> {
        progress.through = self.open_index(library).await?;
        progress.reopened += 1;
        Ok(())
    }

    /// Makes the index anew, from nothing.
    pub(crate) async fn renew(&self, library: &Library, progress: &mut Progress) -> Result<(), LibraryError> {
        library.index.drop_namespace(&self.namespace).await?;
        self.upgraded.store(0, Ordering::Relaxed);
        self.reopen(library, progress).await
    }

    /// Removes the second index of a corpus that is not upgraded any more.
    pub(crate) async fn remove(
        library: &Library,
        tenant: &TenantId,
        name: &CorpusName,
    ) -> Result<(), LibraryError> {
        Ok(library.index.drop_namespace(&namespace(tenant, name)).await?)
    }

    fn index_settings(&self) -> IndexSettings {
        IndexSettings {
            embedder: self.embedder.model().to_owned(),
            dimension: self.embedder.dimension(),
            channels: Vec::new(),
            multi_dimension: self.embedder.multi_dimension(),
        }
    }

    /// The share of the chunks that have a second vector, 0 to 1.
    pub(crate) fn share(&self) -> f32 {
        match self.chunks.load(Ordering::Relaxed) {
            0 => 0.0,
            chunks => (self.upgraded.load(Ordering::Relaxed) as f32 / chunks as f32).min(1.0),
        }
    }

    /// Whether the second vector of a chunk is still to be made, as far as its id tells.
    pub(crate) fn is_missing(&self, chunk: ChunkId) -> bool {
        chunk.0 >= self.missing_from.load(Ordering::Relaxed)
    }

    /// How far it is with the `of` chunks that are to have a second vector.
    pub(crate) async fn info(&self, library: &Library, of: u64) -> Result<UpgradeInfo, LibraryError> {
        let chunks = library.index.stats(&self.namespace).await?.points as u64;
        Ok(UpgradeInfo { embedder: self.embedder.model().to_owned(), chunks, of })
    }

    /// How much its channel counts for a question, once every chunk has a second vector.
    pub(crate) fn weight_for(&self, question: &str) -> f32 {
        if mostly_latin(question) { self.weight } else { self.weight.min(self.most_for_other_scripts) }
    }

    /// Counts the chunks that have a second vector.
    pub(crate) async fn measure(&self, library: &Library) -> Result<(), LibraryError> {
        let upgraded = library.index.stats(&self.namespace).await?.points as u64;
        self.upgraded.store(upgraded, Ordering::Relaxed);
        Ok(())
    }

    /// Notes how many chunks the corpus has.
    pub(crate) fn note_chunks(&self, chunks: u64) {
        self.chunks.store(chunks, Ordering::Relaxed);
    }

    /// Takes chunks out that were replaced or deleted.
    pub(crate) async fn withdraw(
        &self,
        library: &Library,
        progress: &mut Progress,
        revisions: impl Iterator<Item = Revision>,
        chunks: Vec<ChunkId>,
    ) -> Result<(), LibraryError> {
        progress.withdrawn.extend(revisions);
        progress.dirty = true;
        progress.order.add(chunks.len());
        // Those that had no second vector yet are made good for when the work that is under way is measured.
        lower(&self.upgraded, chunks.len() as u64);
        Ok(library.index.delete(&self.namespace, chunks).await?)
    }

    /// Notes that the corpus has so many chunks less.
    pub(crate) fn lost(&self, chunks: u64) {
        lower(&self.chunks, chunks);
    }

    /// Makes the second vectors durable, if any were written.
    pub(crate) async fn flush(&self, library: &Library, progress: &mut Progress) -> Result<(), LibraryError> {
        if progress.dirty {
            library.index.flush(&self.namespace, Checkpoint(progress.through.0)).await?;
            progress.dirty = false;
        }
        Ok(())
    }
}

fn lower(count: &AtomicU64, by: u64) {
    let _ = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| Some(count.saturating_sub(by)));
}

/// Whether at least half of the letters are Latin ones; true where there are none.
fn mostly_latin(text: &str) -> bool {
    let letters = text.chars().filter(|character| character.is_alphabetic());
    let more = |more: isize, letter: char| if u32::from(letter) < 0x250 { more + 1 } else { more - 1 };
    letters.fold(0, more) >= 0
}

/// Beside the first index of the corpus, whose name ends with its generation.
fn namespace(tenant: &TenantId, name: &CorpusName) -> Namespace {
    Namespace::new(tenant.clone(), format!("{name}#upgrade"))
}

impl OpenCorpus {
    /// Makes the second vectors of some documents. False when there is nothing left to do.
    async fn upgrade_some(&self, library: &Library, upgrade: &Upgrade) -> Result<bool, LibraryError> {
        let (after, reopened) = {
            let mut writer = self.writer().await;
            writer.upgrade.withdrawn.clear();
            (writer.upgrade.through, writer.upgrade.reopened)
        };
        let events = library.maintenance.events_after(after, EVENTS).await?;
        let Some(last) = events.last() else {
            return self.put_in_order(library, upgrade).await;
        };
        let ours = events.iter().filter(|event| {
            event.kind == EventKind::Published
                && event.tenant == *self.tenant()
                && event.corpus == *self.name()
        });
        let revisions: Vec<Revision> = ours.map(|event| event.revision).collect();
        if !revisions.is_empty() {
            let documents = library.maintenance.visible(&revisions).await?;
            let first =
                documents.iter().flat_map(|document| &document.chunks).map(|chunk| chunk.chunk.0).min();
            if let Some(first) = first {
                upgrade.missing_from.store(first, Ordering::Relaxed);
            }
            for document in documents {
                self.upgrade_document(library, upgrade, &document).await?;
            }
            upgrade.measure(library).await?;
        }
        let mut writer = self.writer().await;
        if writer.upgrade.reopened == reopened {
            writer.upgrade.through = last.seq;
            writer.upgrade.dirty = true;
        }
        Ok(true)
    }

    async fn upgrade_document(
        &self,
        library: &Library,
        upgrade: &Upgrade,
        document: &IndexableDocument,
    ) -> Result<(), LibraryError> {
        let searchables = searchables_of(document);
        let fields = index_fields_of(document);
        let hidden = document.quarantined();
        if !hidden.is_empty() {
            let mut writer = self.writer().await;
            library.index.delete(&upgrade.namespace, hidden).await?;
            writer.upgrade.dirty = true;
        }
        let chunks = document.chunks.iter().zip(&searchables);
        let shown: Vec<(ChunkId, &Searchable)> = chunks
            .filter(|(chunk, _)| chunk.finding.is_none())
            .map(|(chunk, searchable)| (chunk.chunk, searchable))
            .collect();
        for part in shown.chunks(TEXTS) {
            let (began, demand) = (library.clock.instant(), library.demand());
            let texts = part.iter().map(|(_, searchable)| *searchable);
            let (vectors, multis) = embed_multi(library, self.tenant(), &upgrade.embedder, texts).await?;
            let multis = multis.into_iter().chain(std::iter::repeat_with(MultiVector::default));
            let vectors = vectors.vectors().zip(multis);
            let points = part.iter().zip(vectors).map(|((chunk, _), (dense, multi))| Point {
                chunk: *chunk,
                dense: dense.to_vec(),
                sparse: Vec::new(),
                multi,
                fields: fields.clone(),
            });
            let mut writer = self.writer().await;
            if writer.upgrade.withdrawn.contains(&document.revision) {
                return Ok(());
            }
            library.index.upsert(&upgrade.namespace, points.collect()).await?;
            writer.upgrade.dirty = true;
            writer.upgrade.order.add(part.len());
            upgrade.upgraded.fetch_add(part.len() as u64, Ordering::Relaxed);
            let last = part.iter().map(|(chunk, _)| chunk.0).max().unwrap_or_default();
            upgrade.missing_from.fetch_max(last.saturating_add(1), Ordering::Relaxed);
            let many_loose = writer.upgrade.order.has_many_loose();
            drop(writer);
            if many_loose {
                self.put_in_order(library, upgrade).await?;
            }
            let worked = library.clock.instant().duration_since(began);
            if library.demand() != demand {
                library.clock.sleep(worked * REST).await;
            }
        }
        Ok(())
    }

    /// Puts the second index in order. False when it was.
    async fn put_in_order(&self, library: &Library, upgrade: &Upgrade) -> Result<bool, LibraryError> {
        let mut writer = self.writer().await;
        upgrade.flush(library, &mut writer.upgrade).await?;
        if !writer.upgrade.order.settle() {
            return Ok(false);
        }
        drop(writer);
        library.index.optimize(&upgrade.namespace).await?;
        Ok(true)
    }
}

impl Library {
    /// Makes the second vectors of all corpora that are to have them, while nobody else needs the machine, until it is
    /// told to stop.
    pub async fn upgrade(self: Arc<Self>, stop: CancellationToken) {
        let work = async {
            loop {
                let mut worked = false;
                for open in self.open_corpora() {
                    let Some(upgrade) = open.upgrade() else { continue };
                    match open.upgrade_some(&self, &upgrade).await {
                        Ok(some) => worked |= some,
                        Err(error) => {
                            tracing::warn!(corpus = %open.name(), %error, "the index could not be upgraded; trying again");
                            // After a failure an index answers only when it was opened again. An embedder's failure is none.
                            if matches!(error, LibraryError::Storage(_)) {
                                self.recover(&open).await;
                            }
                        }
                    }
                }
                if !worked {
                    self.clock.timeout(IDLE, self.to_upgrade.notified()).await;
                }
            }
        };
        stop.run_until_cancelled(work).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_latin_by_most_of_its_letters() {
        for text in ["When does the ferry leave?", "Fähre", "ab вг", "", "12 !?"] {
            assert!(mostly_latin(text), "{text}");
        }
        for text in ["Когда отходит паром?", "渡轮", "a вг"] {
            assert!(!mostly_latin(text), "{text}");
        }
    }
}
