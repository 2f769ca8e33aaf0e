//! Group commit: many callers wait for one `fsync`.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Who waits for which record to be on disk.
#[derive(Debug, Default)]
pub(crate) struct Commit {
    state: Mutex<State>,
    done: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The last record that is known to be on disk.
    synced: u64,
    running: bool,
    /// How often it failed, and what the last failure was about.
    failures: u64,
    failed: Option<(u64, Arc<io::Error>)>,
}

impl Commit {
    /// Returns when the record `seq` is on disk. One caller at a time runs `force`, which forces everything to disk that
    /// was written when it was called, and returns the last record of it; the others wait for its result.
    pub(crate) fn through(
        &self,
        seq: u64,
        force: impl FnOnce() -> (u64, io::Result<()>),
    ) -> Result<(), Arc<io::Error>> {
        let mut state = self.state();
        loop {
            if state.synced >= seq {
                return Ok(());
            }
            if !state.running {
                break;
            }
            let failures = state.failures;
            state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
            if state.failures != failures
                && let Some((through, error)) = &state.failed
                && *through >= seq
            {
                return Err(Arc::clone(error));
            }
        }
        state.running = true;
        drop(state);
        let (through, result) = force();
        let mut state = self.state();
        state.running = false;
        let result = match result {
            Ok(()) => {
                state.synced = state.synced.max(through);
                Ok(())
            }
            Err(error) => {
                let error = Arc::new(error);
                state.failures += 1;
                state.failed = Some((through, Arc::clone(&error)));
                Err(error)
            }
        };
        drop(state);
        self.done.notify_all();
        result
    }

    /// The last record that is known to be on disk.
    pub(crate) fn synced(&self) -> u64 {
        self.state().synced
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Numbers that are set one by one: a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn callers_that_wait_share_one_sync_and_its_failure() {
        let commit = Commit::default();
        let runs = AtomicU64::new(0);
        let (entered, has_entered) = mpsc::channel();
        let (release, is_released) = mpsc::channel::<bool>();
        thread::scope(|scope| {
            let (shared, told) = (&commit, is_released);
            let leader = scope.spawn(move || {
                shared.through(1, || {
                    entered.send(()).unwrap();
                    let fails = told.recv().unwrap();
                    let result = if fails { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) };
                    // It took what was written until now: the records of the others, too.
                    (5, result)
                })
            });
            has_entered.recv().unwrap();
            let others: Vec<_> = (2..=5)
                .map(|seq| {
                    let (commit, runs) = (&commit, &runs);
                    scope.spawn(move || {
                        commit.through(seq, || {
                            runs.fetch_add(1, Ordering::SeqCst);
                            (5, Ok(()))
                        })
                    })
                })
                .collect();
            release.send(true).unwrap();
            assert!(leader.join().unwrap().is_err());
            for other in others {
                // Whoever waited then has its failure; whoever came later tried again.
                let _ = other.join().unwrap();
            }
        });
        let before = runs.load(Ordering::SeqCst);
        assert!(before <= 1, "{before} syncs for four callers");
        assert!(commit.through(5, || (5, Ok(()))).is_ok());
        assert!(commit.through(5, || panic!("it is on disk already")).is_ok());
        assert_eq!(commit.synced(), 5);
    }
}
