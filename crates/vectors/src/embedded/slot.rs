//! The place of one namespace in this process: closed, open, or suspended after a failure.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

use mainstay_domain::ChunkId;
use tokio::sync::OwnedMutexGuard;

use super::EmbeddedOptions;
use super::files::NamespaceFolder;
use super::operation_log;
use super::shard::{EngineError, Shard};
use crate::error::IndexError;
use crate::port::{Checkpoint, Hit, IndexSettings, IndexStats, Namespace, Point, Search};

/// Size of the log of writes, in bytes, from which on an optimization ends with starting a new one.
const MAX_LOG: u64 = 64 << 20;

/// The place of one namespace. Methods that are not async block.
#[derive(Debug)]
pub(super) struct Slot {
    folder: NamespaceFolder,
    /// Read-locked while the shard is used, write-locked to open, close or remove it.
    state: RwLock<State>,
    /// Held, outside of `state`, by what flushes, rearranges or removes: qdrant panics when two of these meet.
    maintenance: Arc<tokio::sync::Mutex<()>>,
    last_use: AtomicU64,
    just_loaded: AtomicBool,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one per namespace, and nearly all are open")]
enum State {
    /// Not loaded: everything that was written is on the disk.
    Closed,
    /// Loaded.
    Open(Shard),
    /// Something failed: writes since the last flush may be lost, so their sender must know before it goes on.
    Suspended,
}

impl Slot {
    pub(super) fn new(namespace: Namespace, root: &Path) -> Self {
        Self {
            folder: NamespaceFolder::new(root, namespace),
            state: RwLock::new(State::Closed),
            maintenance: Arc::default(),
            last_use: AtomicU64::new(0),
            just_loaded: AtomicBool::new(false),
        }
    }

    pub(super) fn touch(&self, now: u64) {
        self.last_use.store(now, Ordering::Relaxed);
    }

    pub(super) fn last_use(&self) -> u64 {
        self.last_use.load(Ordering::Relaxed)
    }

    /// Whether it is loaded, or somebody is just changing that.
    pub(super) fn is_loaded(&self) -> bool {
        match self.state.try_read() {
            Ok(state) => matches!(*state, State::Open(_)),
            Err(TryLockError::Poisoned(state)) => matches!(**state.get_ref(), State::Open(_)),
            Err(TryLockError::WouldBlock) => true,
        }
    }

    /// Waits until nothing else flushes, rearranges or removes the namespace.
    pub(super) async fn maintenance_turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.maintenance).lock_owned().await
    }

    /// Whether the namespace was loaded since this was last asked.
    pub(super) fn was_just_loaded(&self) -> bool {
        self.just_loaded.swap(false, Ordering::Relaxed)
    }

    /// Opens the namespace or creates it; returns the checkpoint of the last flush.
    pub(super) fn open(
        &self,
        settings: &IndexSettings,
        options: &EmbeddedOptions,
    ) -> Result<Checkpoint, IndexError> {
        // An optimization reads the state for long: it must not be waited for where there is nothing to change.
        if let State::Open(shard) = &*self.read()
            && shard.settings() == settings
        {
            return Ok(self.folder.read_flush()?.checkpoint);
        }
        let mut state = self.write();
        match self.folder.settings()? {
            Some(built) if built != *settings => Err(IndexError::OtherSettings {
                namespace: self.folder.namespace().clone(),
                built: Box::new(built),
                wanted: Box::new(settings.clone()),
            }),
            Some(built) => {
                if !matches!(*state, State::Open(_)) {
                    *state = State::Open(self.load(built)?);
                }
                Ok(self.folder.read_flush()?.checkpoint)
            }
            None => {
                *state = State::Open(self.create(settings, options)?);
                Ok(Checkpoint::START)
            }
        }
    }

    pub(super) fn upsert(&self, points: Vec<Point>, options: &EmbeddedOptions) -> Result<(), IndexError> {
        self.with_shard("take in points", |shard| {
            self.folder.check_space(options.reserve)?;
            for point in &points {
                shard.settings().check_point(point)?;
            }
            Ok(shard.upsert(points)?)
        })
    }

    pub(super) fn delete(&self, chunks: &[ChunkId], options: &EmbeddedOptions) -> Result<(), IndexError> {
        self.with_shard("delete points", |shard| {
            self.folder.check_space(options.reserve / 8)?;
            Ok(shard.delete(chunks)?)
        })
    }

    pub(super) fn search(&self, searches: Vec<Search>) -> Result<Vec<Vec<Hit>>, IndexError> {
        self.with_shard("be searched", |shard| {
            for search in &searches {
                shard.settings().check_search(search)?;
            }
            searches.into_iter().map(|search| Ok(shard.search(search)?)).collect()
        })
    }

    /// Flushes. The caller has the [turn](Self::maintenance_turn).
    pub(super) fn flush(&self, checkpoint: Checkpoint, options: &EmbeddedOptions) -> Result<(), IndexError> {
        self.with_shard("be written to the disk", |shard| {
            self.folder.check_space(options.reserve / 8)?;
            shard.flush(|| self.folder.record_flush(checkpoint))??;
            Ok(())
        })
    }

    /// Puts the index in order. The caller has the [turn](Self::maintenance_turn).
    pub(super) fn optimize(&self, options: &EmbeddedOptions) -> Result<(), IndexError> {
        const ACTION: &str = "be put in order";
        self.with_shard(ACTION, |shard| {
            // What is rewritten is there twice for a while, and once more while it is put together.
            let rewritten = self.folder.size_on_disk().saturating_mul(2);
            self.folder.check_space(options.reserve.saturating_add(rewritten))?;
            shard.optimize(options, || Ok::<_, Failure>(self.folder.record_rearrangement()?))?;
            Ok(shard.flush(|| self.folder.record_files())??)
        })?;
        if operation_log::size(&self.folder.shard()) > MAX_LOG {
            self.close()?;
        }
        Ok(())
    }

    pub(super) fn stats(&self) -> Result<IndexStats, IndexError> {
        self.with_shard("be counted", |shard| {
            Ok(IndexStats {
                points: shard.count()?,
                segments: shard.segments()?,
                bytes: self.folder.size_on_disk(),
            })
        })
    }

    /// Removes the namespace, open or not, whole or damaged. The caller has the [turn](Self::maintenance_turn).
    pub(super) fn remove(&self) -> Result<(), IndexError> {
        let mut state = self.write();
        if let State::Open(shard) = std::mem::replace(&mut *state, State::Closed) {
            // What cannot be written need not be: it is about to be removed.
            let _ = shard.close();
        }
        self.folder.remove().map_err(|error| self.folder.storage_error("be removed", &error))
    }

    /// Writes everything to the disk and lets go of files and memory. The caller has the
    /// [turn](Self::maintenance_turn).
    pub(super) fn close(&self) -> Result<(), IndexError> {
        self.close_locked(&mut self.write())
    }

    /// Closes the namespace unless somebody uses it right now.
    pub(super) fn close_if_idle(&self) {
        let Ok(mut state) = self.state.try_write() else { return };
        if let Err(error) = self.close_locked(&mut state) {
            tracing::warn!(%error, "an index that was not in use could not be closed");
        }
    }

    fn close_locked(&self, state: &mut State) -> Result<(), IndexError> {
        match std::mem::replace(state, State::Suspended) {
            State::Open(shard) => {
                shard.close().map_err(|error| self.folder.storage_error("be closed", &error))?;
                *state = State::Closed;
            }
            other => *state = other,
        }
        Ok(())
    }

    fn create(&self, settings: &IndexSettings, options: &EmbeddedOptions) -> Result<Shard, IndexError> {
        let make = || -> Result<Shard, Failure> {
            self.folder.check_space(options.reserve)?;
            let shard = Shard::create(&self.folder.prepare()?, settings.clone(), options)?;
            shard.flush(|| self.folder.declare(settings))??;
            self.just_loaded.store(true, Ordering::Relaxed);
            Ok(shard)
        };
        make().map_err(|failure| failure.into_index_error(&self.folder, "be created"))
    }

    fn load(&self, settings: IndexSettings) -> Result<Shard, IndexError> {
        self.folder.check_files(&self.folder.read_flush()?)?;
        let folder = self.folder.shard();
        operation_log::renew(&folder).map_err(|error| self.folder.damaged(error.to_string()))?;
        let shard = Shard::load(&folder, settings).map_err(|error| self.folder.damaged(error.to_string()))?;
        self.just_loaded.store(true, Ordering::Relaxed);
        Ok(shard)
    }

    /// Uses the shard, loading it first where it is closed. When the engine or the disk fails, what the shard holds in
    /// memory is no longer trusted.
    fn with_shard<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Shard) -> Result<T, Failure>,
    ) -> Result<T, IndexError> {
        let failure = loop {
            match &*self.read() {
                State::Open(shard) => match work(shard) {
                    Ok(value) => return Ok(value),
                    Err(failure) => break failure,
                },
                State::Suspended => return Err(IndexError::Suspended(self.folder.namespace().clone())),
                State::Closed => {}
            }
            self.load_if_closed()?;
        };
        if failure.breaks_trust() {
            drop(std::mem::replace(&mut *self.write(), State::Suspended));
        }
        Err(failure.into_index_error(&self.folder, action))
    }

    fn load_if_closed(&self) -> Result<(), IndexError> {
        let mut state = self.write();
        if let State::Closed = *state {
            let Some(settings) = self.folder.settings()? else {
                return Err(IndexError::UnknownNamespace(self.folder.namespace().clone()));
            };
            *state = State::Open(self.load(settings)?);
        }
        Ok(())
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How the use of a shard fails.
enum Failure {
    /// The caller's error, found before anything was done.
    Refused(IndexError),
    Engine(EngineError),
    Disk(std::io::Error),
}

impl Failure {
    fn breaks_trust(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }

    fn into_index_error(self, folder: &NamespaceFolder, action: &'static str) -> IndexError {
        match self {
            Self::Refused(error) => error,
            Self::Engine(EngineError::Failed(detail)) => folder.storage_error(action, &detail),
            Self::Engine(stopped @ EngineError::Stopped(_)) => folder.damaged(stopped.to_string()),
            Self::Disk(error) => folder.storage_error(action, &error),
        }
    }
}

impl From<IndexError> for Failure {
    fn from(error: IndexError) -> Self {
        Self::Refused(error)
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Disk(error)
    }
}
