//! A model that is ready to run, and how it is run: away from the runtime's threads, and no longer than it is wanted.

use mainstay_domain::{Clock, Deadline, ModelError, ModelErrorKind, TimeoutPhase};
use tokio_util::sync::CancellationToken;

use crate::encoder::{Encoder, EncoderError, Tokens};
use crate::tokenizer::Tokenizer;

/// A model that is ready to run.
pub(crate) struct Network {
    pub(crate) encoder: Encoder,
    pub(crate) tokenizer: Tokenizer,
    /// Tokens that the model reads at most, the special ones included.
    pub(crate) longest: usize,
}

/// Padded tokens of one run: larger ones do not run faster, but take memory and are slower to give up.
pub(crate) const TOKENS_PER_RUN: usize = 1_024;

/// Which texts are run together: those of similar length, because all are padded to the longest.
pub(crate) fn runs(tokens: &[Tokens]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..tokens.len()).collect();
    order.sort_by_key(|&at| std::cmp::Reverse(tokens[at].ids.len()));
    let mut runs: Vec<Vec<usize>> = Vec::new();
    let mut longest = 0;
    for at in order {
        match runs.last_mut() {
            Some(run) if (run.len() + 1) * longest <= TOKENS_PER_RUN => run.push(at),
            _ => {
                longest = tokens[at].ids.len();
                runs.push(vec![at]);
            }
        }
    }
    runs
}

/// Whose work it is and until when it is wanted.
pub(crate) struct Task<'a> {
    /// The model, as errors name it.
    pub(crate) model: &'a str,
    /// What it does, for who hears that there was no time to.
    pub(crate) verb: &'static str,
    pub(crate) deadline: Deadline,
    pub(crate) clock: Clock,
}

impl Task<'_> {
    /// Runs `work` on a thread of its own. It asks between two runs of the model whether it is wanted any longer, which it is
    /// not after the deadline and when this future is dropped; then it answers `None`.
    pub(crate) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce(&(dyn Fn() -> bool + Sync)) -> Result<Option<T>, EncoderError> + Send + 'static,
    ) -> Result<T, ModelError> {
        let Self { model, verb, deadline, clock } = self;
        let stop = CancellationToken::new();
        let _stop_when_dropped = stop.clone().drop_guard();
        let wanted = move || !stop.is_cancelled() && !deadline.has_passed(&clock);
        let (kind, message) = match tokio::task::spawn_blocking(move || work(&wanted)).await {
            Ok(Ok(Some(done))) => return Ok(done),
            Ok(Ok(None)) => {
                (ModelErrorKind::Timeout(TimeoutPhase::Total), format!("no time was left to {verb}"))
            }
            Ok(Err(error)) => (ModelErrorKind::Provider, error.to_string()),
            Err(_) => (ModelErrorKind::Provider, "the model failed; please report it".to_owned()),
        };
        Err(ModelError { kind, provider: model.to_owned(), status: None, message, retry_after: None })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    fn task(time: Duration) -> Task<'static> {
        let clock = Clock::system();
        Task { model: "onnx/a", verb: "embed", deadline: Deadline::after(&clock, time), clock }
    }

    #[tokio::test]
    async fn work_that_panics_is_an_error_of_the_model() {
        let failed = task(Duration::from_secs(60)).run::<()>(|_| panic!("no")).await;
        let error = failed.expect_err("it panicked");
        assert_eq!((error.kind, &*error.provider), (ModelErrorKind::Provider, "onnx/a"));
        let late = task(Duration::ZERO).run(|wanted| Ok(wanted().then_some(()))).await;
        assert_eq!(late.expect_err("no time").message, "no time was left to embed");
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_longer_is_not_wanted() {
        let (began, has_begun) = mpsc::channel();
        let (ended, has_ended) = mpsc::channel();
        let work = task(Duration::from_secs(60)).run(move |wanted| {
            began.send(()).expect("somebody listens");
            while wanted() {
                std::thread::yield_now();
            }
            ended.send(()).expect("somebody listens");
            Ok(None::<()>)
        });
        // The future is dropped as soon as its work has begun.
        tokio::select! {
            _ = work => panic!("it ends when it is not wanted"),
            begun = tokio::task::spawn_blocking(move || has_begun.recv()) => begun.expect("no panic").expect("it began"),
        }
        let ended = tokio::task::spawn_blocking(move || has_ended.recv_timeout(Duration::from_secs(30)));
        ended.await.expect("no panic").expect("it ended");
    }
}
