use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use mainstay_domain::{CorpusName, Deadline, ModelError, TenantId, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::testing::passage;

/// What a scripted reranker does.
#[derive(Clone)]
enum Script {
    /// Gives these scores to the passages, whatever they are.
    Say(Vec<f32>),
    /// Takes so long, and gives all the same score.
    Take(Duration),
    /// Fails.
    Fail(ModelErrorKind),
}

struct Scripted {
    script: Mutex<Script>,
    clock: Clock,
    asked: AtomicUsize,
}

#[async_trait]
impl Reranker for Scripted {
    fn model(&self) -> &str {
        "scripted/reranker"
    }

    async fn rerank(&self, _: &str, candidates: &[Passage], _: Errand<'_>) -> Result<Relevance, ModelError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let script = self.script.lock().unwrap().clone();
        match script {
            Script::Say(scores) => Ok(Relevance::unbilled(scores)),
            Script::Take(time) => {
                self.clock.sleep(time).await;
                Ok(Relevance::unbilled(vec![1.0; candidates.len()]))
            }
            Script::Fail(kind) => Err(ModelError {
                kind,
                provider: "scripted".to_owned(),
                status: None,
                message: "it failed".to_owned(),
                retry_after: None,
            }),
        }
    }
}

struct Site {
    scripted: Arc<Scripted>,
    settings: RerankSettings,
    query: RetrievalQuery,
    clock: Clock,
}

impl Site {
    fn new(script: Script, candidates: usize, limit: usize) -> Self {
        let clock = Clock::starting_at(Timestamp::from_micros(0));
        let scripted = Arc::new(Scripted { script: Mutex::new(script), clock, asked: AtomicUsize::new(0) });
        let settings = RerankSettings {
            reranker: Arc::new(TimedReranker::new(scripted.clone())),
            candidates,
            timeout: RerankSettings::TIMEOUT,
            clear_lead: None,
        };
        let query = RetrievalQuery {
            tenant: TenantId::single(),
            corpus: CorpusName::unnamed(),
            text: "When does the bar dry?".to_owned(),
            limit,
            filter: None,
            tier: ServiceTier::Quality,
            deadline: Deadline::after(&clock, Duration::from_secs(60)),
            payer: None,
        };
        Self { scripted, settings, query, clock }
    }

    async fn order(&self, passages: usize) -> Retrieved {
        let stage = Stage::new(&self.query, Some(&self.settings), &self.clock);
        stage.order(found(passages)).await
    }

    /// The same where so much time is left.
    async fn order_within(&mut self, left: Duration) -> Retrieved {
        self.query.deadline = Deadline::after(&self.clock, left);
        self.order(3).await
    }

    fn asked(&self) -> usize {
        self.scripted.asked.load(Ordering::Relaxed)
    }
}

/// So many passages in the order of the fusion.
fn found(passages: usize) -> Vec<Passage> {
    let passage = |position: usize| {
        let mut passage = passage(position as u64, "tides", "The bar dries at low water.");
        passage.score.fused = 1.0 - position as f32 * 0.01;
        passage.score.fused_rank = position + 1;
        passage
    };
    (0..passages).map(passage).collect()
}

fn chunks(retrieved: &Retrieved) -> Vec<u64> {
    retrieved.passages.iter().map(|passage| passage.chunk.0).collect()
}

#[tokio::test(start_paused = true)]
async fn what_answers_best_comes_first_and_what_was_not_read_follows_in_its_order() {
    let site = Site::new(Script::Say(vec![0.1, -3.0, 0.9]), 3, 10);
    let retrieved = site.order(6).await;
    assert_eq!(chunks(&retrieved), [2, 0, 1, 3, 4, 5]);
    let first = retrieved.passages[0].score;
    assert_eq!((first.fused_rank, first.rerank), (3, Some(0.9)));
    assert_eq!(retrieved.passages[3].score.rerank, None);
    assert_eq!(retrieved.reranking.model(), Some("scripted/reranker"));
}

#[tokio::test(start_paused = true)]
async fn the_best_of_more_candidates_than_are_wanted_are_returned() {
    let scores = (0..20).map(|position| position as f32).collect();
    let site = Site::new(Script::Say(scores), 20, 5);
    assert_eq!(Stage::new(&site.query, Some(&site.settings), &site.clock).depth(), 20);
    let retrieved = site.order(20).await;
    assert_eq!(chunks(&retrieved), [19, 18, 17, 16, 15]);
    let Reranking::Done(reranked) = &retrieved.reranking else { panic!("{:?}", retrieved.reranking) };
    assert_eq!(reranked.shifted, 5);
}

#[tokio::test(start_paused = true)]
async fn a_shift_is_a_move_up_by_more_than_five_places() {
    let mut scores = vec![0.0; 8];
    (scores[6], scores[5]) = (2.0, 1.0);
    let retrieved = Site::new(Script::Say(scores), 20, 8).order(8).await;
    // The seventh came first, six places up; the sixth came second, four.
    assert_eq!(chunks(&retrieved)[..2], [6, 5]);
    let Reranking::Done(reranked) = &retrieved.reranking else { panic!("{:?}", retrieved.reranking) };
    assert_eq!(reranked.shifted, 1);
}

#[tokio::test(start_paused = true)]
async fn passages_of_equal_score_keep_the_order_of_the_fusion() {
    let retrieved = Site::new(Script::Say(vec![0.5, 0.7, 0.5, 0.7]), 20, 10).order(4).await;
    assert_eq!(chunks(&retrieved), [1, 3, 0, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_reranker_that_fails_fails_no_search() {
    let malformed = ModelErrorKind::Malformed;
    for (script, kind) in [
        (Script::Fail(ModelErrorKind::RateLimited), ModelErrorKind::RateLimited),
        (Script::Say(vec![1.0, 2.0]), malformed),
        (Script::Say(vec![1.0, 2.0, 3.0, 4.0]), malformed),
        (Script::Say(vec![1.0, f32::NAN, 3.0]), malformed),
        (Script::Say(vec![1.0, f32::INFINITY, 3.0]), malformed),
        (Script::Take(Duration::from_secs(3_600)), ModelErrorKind::Timeout(TimeoutPhase::Total)),
    ] {
        let retrieved = Site::new(script, 20, 10).order(3).await;
        assert_eq!(chunks(&retrieved), [0, 1, 2]);
        assert!(retrieved.passages.iter().all(|passage| passage.score.rerank.is_none()));
        assert_eq!(retrieved.reranking, Reranking::Failed { model: "scripted/reranker".to_owned(), kind });
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_not_asked_where_there_is_a_reason_not_to() {
    let ask = Script::Say(vec![0.0, 1.0]);
    let skipped = Reranking::Skipped;

    let mut fast = Site::new(ask.clone(), 20, 5);
    fast.query.tier = ServiceTier::Fast;
    assert_eq!(Stage::new(&fast.query, Some(&fast.settings), &fast.clock).depth(), 5);
    assert_eq!(fast.order(2).await.reranking, skipped(NotReranked::FastTier));

    let few = Site::new(ask.clone(), 20, 5);
    assert_eq!(few.order(1).await.reranking, skipped(NotReranked::FewCandidates));
    assert_eq!(few.order(0).await.reranking, skipped(NotReranked::FewCandidates));

    let mut late = Site::new(ask.clone(), 20, 5);
    assert_eq!(late.order_within(Duration::ZERO).await.reranking, skipped(NotReranked::LittleTime));

    let mut clear = Site::new(ask, 20, 5);
    clear.settings.clear_lead = Some(0.009);
    assert_eq!(clear.order(2).await.reranking, skipped(NotReranked::ClearLead));
    clear.settings.clear_lead = Some(0.02);
    assert_eq!(chunks(&clear.order(2).await), [1, 0]);

    assert_eq!([fast.asked(), few.asked(), late.asked(), clear.asked()], [0, 0, 0, 1]);
    let without = Stage::new(&fast.query, None, &fast.clock).order(found(2)).await;
    assert_eq!(without.reranking, skipped(NotReranked::NoReranker));
}

#[tokio::test(start_paused = true)]
async fn it_is_asked_again_only_where_its_time_is_left_and_as_much_for_what_follows() {
    let mut site = Site::new(Script::Take(Duration::from_millis(100)), 20, 5);
    for _ in 0..40 {
        assert!(site.order_within(Duration::from_secs(60)).await.reranking.is_done());
    }
    let little = Reranking::Skipped(NotReranked::LittleTime);
    assert_eq!(site.order_within(Duration::from_millis(150)).await.reranking, little);
    assert!(site.order_within(Duration::from_millis(250)).await.reranking.is_done());
}

#[tokio::test(start_paused = true)]
async fn a_reranker_that_hangs_holds_up_only_the_first_search() {
    let mut site = Site::new(Script::Take(Duration::from_secs(3_600)), 20, 5);
    let left = Duration::from_secs(60);
    assert!(matches!(site.order_within(left).await.reranking, Reranking::Failed { .. }));
    assert_eq!(site.order_within(left).await.reranking, Reranking::Skipped(NotReranked::LittleTime));
    assert_eq!(site.asked(), 1);
    // Once it works again, it is found out.
    *site.scripted.script.lock().unwrap() = Script::Say(vec![1.0, 2.0, 3.0]);
    site.clock.sleep(Duration::from_secs(10)).await;
    assert!(site.order_within(left).await.reranking.is_done());
    assert!(site.order_within(left).await.reranking.is_done());
}

proptest! {
    #[test]
    fn no_passage_is_lost_or_doubled_whatever_the_scores(
        scores in proptest::collection::vec(-1e6f32..1e6, 0..12),
        more in 0usize..6,
    ) {
        let mut passages = found(scores.len() + more);
        reorder(&mut passages, &scores);
        let reranked: Vec<f32> = passages.iter().filter_map(|passage| passage.score.rerank).collect();
        prop_assert!(reranked.is_sorted_by(|a, b| a >= b));
        let rest: Vec<u64> = passages[scores.len()..].iter().map(|passage| passage.chunk.0).collect();
        prop_assert!(rest.is_sorted());
        let mut all: Vec<u64> = passages.iter().map(|passage| passage.chunk.0).collect();
        all.sort_unstable();
        prop_assert_eq!(all, (0..(scores.len() + more) as u64).collect::<Vec<_>>());
    }
}
