//! The index in this process, on `qdrant-edge`.
//!
//! ```text
//! <root>/.lock                          held while the process lives
//! <root>/<tenant>/<corpus>/             see `folder` for the names
//!     namespace.json                    whose it is and what it was built with; written last, so it marks a whole folder
//!     checkpoint.json                   the last flush: up to which event, and the files it relied on
//!     shard/                            qdrant's own files
//! ```
//!
//! A namespace is opened at its first use and stays open until others need its place. All work is done on tokio's
//! blocking threads, behind semaphores: a runtime worker never waits for a file or a scan, and however many requests
//! arrive, only so many threads work.

mod codes;
mod files;
mod operation_log;
mod payload;
mod shard;
mod slot;

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use mainstay_domain::ChunkId;
use tokio::sync::{OwnedMutexGuard, Semaphore};

use self::slot::Slot;
use crate::error::IndexError;
use crate::port::{Checkpoint, Hit, IndexSettings, IndexStats, Namespace, Point, Search, VectorIndex};

/// The file that a process holds while it uses the folder.
const LOCK_FILE: &str = ".lock";

/// The index in this process. Cloning it is cheap and means the same index.
#[derive(Clone, Debug)]
pub struct EmbeddedIndex {
    shared: Arc<Shared>,
}

/// How the index in this process uses the machine.
#[derive(Clone, Debug)]
pub struct EmbeddedOptions {
    /// Searches that run at the same time; more wait. One fully uses one core.
    pub searches: NonZeroUsize,
    /// Writes, flushes and openings that run at the same time; more wait.
    pub writes: NonZeroUsize,
    /// Namespaces that are open at the same time. Beyond it, the one that was used longest ago is closed.
    pub open_namespaces: NonZeroUsize,
    /// Points up to which every vector is compared. Larger namespaces are searched by a graph.
    pub exact_points: usize,
    /// Points that have to come together before [`VectorIndex::optimize`] puts them into their final order. Fewer are
    /// kept in memory and indexed anew whenever the namespace is opened.
    pub loose_points: NonZeroUsize,
    /// Bytes of the disk that stay free: with less, points are no longer taken in. What is written lies in memory-mapped
    /// files, and a disk that is full kills the process that writes to one. Deleting and flushing need little and go on
    /// until an eighth of it is left.
    pub reserve: u64,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self {
            searches: cores,
            writes: const { NonZeroUsize::new(2).expect("not zero") },
            open_namespaces: const { NonZeroUsize::new(64).expect("not zero") },
            exact_points: 20_000,
            loose_points: const { NonZeroUsize::new(2_000).expect("not zero") },
            reserve: 256 << 20,
        }
    }
}

impl EmbeddedIndex {
    /// The indexes below a folder, which is made where it is not there.
    ///
    /// # Errors
    ///
    /// [`IndexError::Locked`] while another process uses the folder, [`IndexError::Folder`] where it cannot be used.
    pub fn new(root: impl Into<PathBuf>, options: EmbeddedOptions) -> Result<Self, IndexError> {
        let root = root.into();
        let lock = lock_folder(&root)?;
        let shared = Shared {
            searches: Arc::new(Semaphore::new(options.searches.get().min(Semaphore::MAX_PERMITS))),
            writes: Arc::new(Semaphore::new(options.writes.get().min(Semaphore::MAX_PERMITS))),
            optimizations: Arc::new(Semaphore::new(1)),
            root,
            options,
            slots: Mutex::default(),
            uses: AtomicU64::new(0),
            _lock: lock,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Waits until nothing else flushes or rearranges a namespace. Waiting takes neither a thread nor a permit.
    async fn maintenance_turn(&self, namespace: &Namespace) -> Result<OwnedMutexGuard<()>, IndexError> {
        let known = self.shared.slots().get(namespace).cloned();
        let slot = match known {
            Some(slot) => slot,
            None => {
                let namespace = namespace.clone();
                self.block_on(&self.shared.searches, move |shared| shared.slot(&namespace)).await?
            }
        };
        Ok(slot.maintenance_turn().await)
    }

    /// Runs blocking work on a thread that may block, when a permit is free. The work finishes, and gives the permit
    /// back, even if the caller stops waiting.
    async fn block_on<T: Send + 'static>(
        &self,
        permits: &Arc<Semaphore>,
        work: impl FnOnce(&Shared) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, IndexError> {
        let permit = Arc::clone(permits).acquire_owned().await.map_err(|_| IndexError::Stopping)?;
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || {
            let result = work(&shared);
            drop(permit);
            result
        })
        .await
        .map_err(|_| IndexError::Stopping)?
    }
}

#[async_trait]
impl VectorIndex for EmbeddedIndex {
    async fn open(&self, namespace: &Namespace, settings: &IndexSettings) -> Result<Checkpoint, IndexError> {
        settings.check()?;
        let (namespace, settings) = (namespace.clone(), settings.clone());
        self.block_on(&self.shared.writes, move |shared| {
            let slot = shared.slot_or_new(&namespace);
            shared.closing_surplus(&slot, |slot| slot.open(&settings, &shared.options))
        })
        .await
    }

    async fn upsert(&self, namespace: &Namespace, points: Vec<Point>) -> Result<(), IndexError> {
        let namespace = namespace.clone();
        self.block_on(&self.shared.writes, move |shared| {
            shared.on_slot(&namespace, |slot| slot.upsert(points, &shared.options))
        })
        .await
    }

    async fn delete(&self, namespace: &Namespace, chunks: Vec<ChunkId>) -> Result<(), IndexError> {
        let namespace = namespace.clone();
        self.block_on(&self.shared.writes, move |shared| {
            shared.on_slot(&namespace, |slot| slot.delete(&chunks, &shared.options))
        })
        .await
    }

    async fn search(
        &self,
        namespace: &Namespace,
        searches: Vec<Search>,
    ) -> Result<Vec<Vec<Hit>>, IndexError> {
        let namespace = namespace.clone();
        self.block_on(&self.shared.searches, move |shared| {
            shared.on_slot(&namespace, |slot| slot.search(searches))
        })
        .await
    }

    async fn flush(&self, namespace: &Namespace, checkpoint: Checkpoint) -> Result<(), IndexError> {
        let turn = self.maintenance_turn(namespace).await?;
        let namespace = namespace.clone();
        self.block_on(&self.shared.writes, move |shared| {
            let _turn = turn;
            shared.on_slot(&namespace, |slot| slot.flush(checkpoint, &shared.options))
        })
        .await
    }

    async fn optimize(&self, namespace: &Namespace) -> Result<(), IndexError> {
        let turn = self.maintenance_turn(namespace).await?;
        let namespace = namespace.clone();
        self.block_on(&self.shared.optimizations, move |shared| {
            let _turn = turn;
            shared.on_slot(&namespace, |slot| slot.optimize(&shared.options))
        })
        .await
    }

    async fn stats(&self, namespace: &Namespace) -> Result<IndexStats, IndexError> {
        let namespace = namespace.clone();
        self.block_on(&self.shared.searches, move |shared| shared.on_slot(&namespace, Slot::stats)).await
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>, IndexError> {
        self.block_on(&self.shared.writes, |shared| {
            files::list_namespaces(&shared.root).map_err(|error| folder_error(&shared.root, &error))
        })
        .await
    }

    async fn drop_namespace(&self, namespace: &Namespace) -> Result<(), IndexError> {
        let slot = self.shared.slot_or_new(namespace);
        let turn = slot.maintenance_turn().await;
        self.block_on(&self.shared.writes, move |_| {
            let _turn = turn;
            slot.remove()
        })
        .await
    }

    async fn close(&self) -> Result<(), IndexError> {
        let slots: Vec<_> = self.shared.slots().values().cloned().collect();
        let mut result = Ok(());
        for slot in slots {
            let turn = slot.maintenance_turn().await;
            let closed = self.block_on(&self.shared.writes, move |_| {
                let _turn = turn;
                slot.close()
            });
            result = result.and(closed.await);
        }
        result
    }
}

/// What all clones of an index share.
#[derive(Debug)]
struct Shared {
    root: PathBuf,
    options: EmbeddedOptions,
    searches: Arc<Semaphore>,
    writes: Arc<Semaphore>,
    optimizations: Arc<Semaphore>,
    /// The namespaces that were used. A slot stays for good: it is what two tasks that use one namespace meet at.
    slots: Mutex<HashMap<Namespace, Arc<Slot>>>,
    /// Counts the uses of slots, to know which was used longest ago.
    uses: AtomicU64,
    _lock: File,
}

impl Shared {
    fn slots(&self) -> MutexGuard<'_, HashMap<Namespace, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The slot of a namespace, whether the namespace exists or not.
    fn slot_or_new(&self, namespace: &Namespace) -> Arc<Slot> {
        let new = || Arc::new(Slot::new(namespace.clone(), &self.root));
        let slot = Arc::clone(self.slots().entry(namespace.clone()).or_insert_with(new));
        slot.touch(self.next_use());
        slot
    }

    /// The slot of a namespace that exists. Asking for namespaces that do not exist costs no memory.
    fn slot(&self, namespace: &Namespace) -> Result<Arc<Slot>, IndexError> {
        let known = self.slots().get(namespace).cloned();
        match known {
            Some(slot) => {
                slot.touch(self.next_use());
                Ok(slot)
            }
            None if files::exists(&self.root, namespace) => Ok(self.slot_or_new(namespace)),
            None => Err(IndexError::UnknownNamespace(namespace.clone())),
        }
    }

    /// Uses the slot of a namespace that exists.
    fn on_slot<T>(
        &self,
        namespace: &Namespace,
        work: impl FnOnce(&Slot) -> Result<T, IndexError>,
    ) -> Result<T, IndexError> {
        self.closing_surplus(&self.slot(namespace)?, work)
    }

    /// Uses a slot, and closes others if that has opened one too many.
    fn closing_surplus<T>(
        &self,
        slot: &Arc<Slot>,
        work: impl FnOnce(&Slot) -> Result<T, IndexError>,
    ) -> Result<T, IndexError> {
        let result = work(slot);
        if slot.was_just_loaded() {
            self.close_surplus(slot);
        }
        result
    }

    fn next_use(&self) -> u64 {
        self.uses.fetch_add(1, Ordering::Relaxed)
    }

    /// Closes the namespaces used longest ago until no more are open than are to be. Those in use are left alone.
    fn close_surplus(&self, keep: &Arc<Slot>) {
        let mut open: Vec<_> = self.slots().values().filter(|slot| slot.is_loaded()).cloned().collect();
        let surplus = open.len().saturating_sub(self.options.open_namespaces.get());
        open.sort_by_key(|slot| slot.last_use());
        for slot in open.iter().filter(|slot| !Arc::ptr_eq(slot, keep)).take(surplus) {
            slot.close_if_idle();
        }
    }
}

fn lock_folder(root: &Path) -> Result<File, IndexError> {
    let error = |error: std::io::Error| folder_error(root, &error);
    std::fs::create_dir_all(root).map_err(error)?;
    let lock =
        File::options().create(true).truncate(false).write(true).open(root.join(LOCK_FILE)).map_err(error)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(IndexError::Locked(root.to_owned())),
        Err(TryLockError::Error(failure)) => Err(error(failure)),
    }
}

fn folder_error(root: &Path, error: &std::io::Error) -> IndexError {
    IndexError::Folder { path: root.to_owned(), detail: error.to_string() }
}

#[cfg(test)]
mod tests;
