//! The second vector of every chunk, made in the background: a corpus answers at once by a fast embedder, and better by a
//! slower one as its vectors arrive.
//!
//! The second vectors lie in an index of their own, filled from the events of the store: how far it came is the
//! checkpoint of its last flush, so a stop or a kill costs only the work since then.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mainstay_domain::port::Embedder;
use mainstay_domain::{ChunkId, CorpusName, TenantId};
use mainstay_store::documents::{EventKind, EventSeq, IndexableDocument, Revision};
use mainstay_vectors::{Checkpoint, IndexError, IndexSettings, Namespace, Point};
use tokio_util::sync::CancellationToken;

use crate::corpus::{OpenCorpus, Order, embed, searchables_of};
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
    /// The share of the chunks that have a second vector, as the bits of an `f32`.
    share: AtomicU32,
}

/// What the writer of a corpus remembers of its upgrade.
#[derive(Default)]
pub(crate) struct Progress {
    /// The last event whose documents have their second vectors.
    through: EventSeq,
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
            share: AtomicU32::new(0),
        };
        let index = &library.index;
        let opened = match index.open(&upgrade.namespace, &upgrade.index_settings()).await {
            Err(IndexError::Damaged { .. } | IndexError::OtherSettings { .. }) => {
                index.drop_namespace(&upgrade.namespace).await?;
                index.open(&upgrade.namespace, &upgrade.index_settings()).await
            }
            other => other,
        };
        let progress = Progress { through: EventSeq(opened?.0), ..Progress::default() };
        Ok((Arc::new(upgrade), progress))
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
        }
    }

    /// The share of the chunks that have a second vector, 0 to 1.
    pub(crate) fn share(&self) -> f32 {
        f32::from_bits(self.share.load(Ordering::Relaxed))
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

    /// Looks up how many of the `chunks` of the corpus have a second vector.
    pub(crate) async fn measure(&self, library: &Library, chunks: u64) -> Result<(), LibraryError> {
        let upgraded = library.index.stats(&self.namespace).await?.points as f32;
        let share = if chunks == 0 { 0.0 } else { (upgraded / chunks as f32).min(1.0) };
        self.share.store(share.to_bits(), Ordering::Relaxed);
        Ok(())
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
        Ok(library.index.delete(&self.namespace, chunks).await?)
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

/// Whether at least half of the letters are Latin ones; true where there are none.
fn mostly_latin(text: &str) -> bool {
    let letters = text.chars().filter(|character| character.is_alphabetic());
    let (latin, others): (Vec<char>, Vec<char>) =
        letters.partition(|&character| u32::from(character) < 0x250);
    latin.len() >= others.len()
}

/// Beside the first index of the corpus, whose name ends with its generation.
fn namespace(tenant: &TenantId, name: &CorpusName) -> Namespace {
    Namespace::new(tenant.clone(), format!("{name}#upgrade"))
}

impl OpenCorpus {
    /// Makes the second vectors of some documents. False when there is nothing left to do.
    async fn upgrade_some(&self, library: &Library, upgrade: &Upgrade) -> Result<bool, LibraryError> {
        let after = {
            let mut writer = self.writer().await;
            writer.upgrade.withdrawn.clear();
            writer.upgrade.through
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
            for document in library.maintenance.visible(&revisions).await? {
                self.upgrade_document(library, upgrade, &document).await?;
            }
        }
        let mut writer = self.writer().await;
        writer.upgrade.through = last.seq;
        writer.upgrade.dirty = true;
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
            let vectors = embed(library, &upgrade.embedder, texts).await?;
            let points = part.iter().zip(vectors).map(|((chunk, _), dense)| Point {
                chunk: *chunk,
                dense,
                sparse: Vec::new(),
                fields: fields.clone(),
            });
            let mut writer = self.writer().await;
            if writer.upgrade.withdrawn.contains(&document.revision) {
                return Ok(());
            }
            library.index.upsert(&upgrade.namespace, points.collect()).await?;
            writer.upgrade.dirty = true;
            writer.upgrade.order.add(part.len());
            let many_loose = writer.upgrade.order.has_many_loose();
            drop(writer);
            if many_loose {
                self.put_in_order(library, upgrade).await?;
            }
            self.measure_upgrade(library).await?;
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
