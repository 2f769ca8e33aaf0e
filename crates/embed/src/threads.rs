//! The threads that models run on. Questions do not wait behind passages: each kind has threads of its own.

use std::sync::{Arc, LazyLock};
use std::thread::available_parallelism;

use rten::ThreadPool;

static QUESTIONS: LazyLock<Arc<ThreadPool>> = LazyLock::new(one_per_core);
static PASSAGES: LazyLock<Arc<ThreadPool>> = LazyLock::new(one_per_core);

/// For what somebody waits for.
pub(crate) fn for_questions() -> &'static Arc<ThreadPool> {
    &QUESTIONS
}

/// For what is done in bulk.
pub(crate) fn for_passages() -> &'static Arc<ThreadPool> {
    &PASSAGES
}

fn one_per_core() -> Arc<ThreadPool> {
    Arc::new(ThreadPool::with_num_threads(available_parallelism().map_or(1, usize::from)))
}
