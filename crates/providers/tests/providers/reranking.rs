//! Reranking by the providers that do it.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use mainstay_domain::port::{Errand, Relevance, Reranker};
use mainstay_domain::{ChunkId, Clock, Deadline, ModelError, ModelErrorKind, Passage};
use mainstay_provider_sim::StandIn;
use mainstay_provider_sim::relevance;
use mainstay_providers::{EmbeddingOptions, Provider, ProviderKind, RemoteReranker};

use crate::support::{Pipes, settings};

const KINDS: [ProviderKind; 4] =
    [ProviderKind::Cohere, ProviderKind::Jina, ProviderKind::Tei, ProviderKind::OpenAiCompatible];

/// A reranker in front of a stand-in.
struct Bench {
    stand_in: Arc<StandIn>,
    reranker: RemoteReranker,
    clock: Clock,
}

impl Bench {
    fn new(kind: ProviderKind) -> Self {
        let stand_in = Arc::new(StandIn::new());
        let clock = Clock::starting_at(mainstay_domain::Timestamp::from_micros(0));
        let reranker = provider(kind, &stand_in, clock).reranker("a-reranker").expect("the kind reranks");
        Self { stand_in, reranker, clock }
    }

    async fn rerank(&self, question: &str, passages: &[Passage]) -> Result<Relevance, ModelError> {
        let deadline = Deadline::after(&self.clock, Duration::from_secs(60));
        self.reranker.rerank(question, passages, Errand::until(deadline)).await
    }

    fn last_body(&self) -> serde_json::Value {
        self.stand_in.records().last().pop().expect("there was a request").body
    }
}

fn provider(kind: ProviderKind, stand_in: &Arc<StandIn>, clock: Clock) -> Provider {
    let pipes = Arc::new(Pipes { stand_in: stand_in.clone(), http2: false, dialled: AtomicUsize::new(0) });
    Provider::new(settings(kind, "http://stand-in", |_| {}), pipes, clock)
}

fn passage(text: &str) -> Passage {
    Passage {
        title: Some("Tides".to_owned()),
        headings: vec!["Harbour".to_owned()],
        ..Passage::whole(ChunkId(1), "tides", text)
    }
}

const QUESTION: &str = "When does the bar dry?";

fn three() -> [Passage; 3] {
    ["Bananas ripen.", "The bar does dry at low water.", "The lamp went out."].map(passage)
}

#[tokio::test]
async fn scores_come_back_in_the_order_of_the_passages() {
    for kind in KINDS {
        let bench = Bench::new(kind);
        let passages = three();
        let answer = bench.rerank(QUESTION, &passages).await.unwrap();
        for (passage, score) in passages.iter().zip(&answer.scores) {
            let expected = relevance(QUESTION, &passage.text_in_context()) as f32;
            assert!((score - expected).abs() < 1e-6, "{kind}: {}", passage.text);
        }
        assert!(answer.scores[1] > answer.scores[0].max(answer.scores[2]), "{kind}");
        assert_eq!(bench.reranker.model(), "p/a-reranker", "{kind}");
    }
}

#[tokio::test]
async fn what_is_billed_is_reported_as_each_provider_bills_it() {
    for (kind, tokens, searches) in [
        (ProviderKind::Cohere, 0, 1),
        (ProviderKind::Jina, 19, 0),
        (ProviderKind::OpenAiCompatible, 19, 0),
        (ProviderKind::Tei, 0, 0),
    ] {
        let answer = Bench::new(kind).rerank(QUESTION, &three()).await.unwrap();
        assert_eq!((answer.tokens, answer.searches), (tokens, searches), "{kind}");
    }
}

#[tokio::test]
async fn many_passages_go_in_bounded_batches_and_none_in_no_request() {
    let texts: Vec<String> = (0..230).map(|number| format!("bar number {number}")).collect();
    let passages: Vec<Passage> = texts.iter().map(|text| passage(text)).collect();
    for (kind, requests) in [(ProviderKind::Cohere, 3), (ProviderKind::Jina, 3), (ProviderKind::Tei, 8)] {
        let bench = Bench::new(kind);
        let answer = bench.rerank("Which bar has number 217?", &passages).await.unwrap();
        assert_eq!(answer.scores.len(), 230, "{kind}");
        let best = answer.scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(index, _)| index);
        assert_eq!(best, Some(217), "{kind}");
        assert_eq!(bench.stand_in.records().counts().count, requests, "{kind}");
        assert!(bench.rerank(QUESTION, &[]).await.unwrap().scores.is_empty(), "{kind}");
        assert_eq!(bench.stand_in.records().counts().count, requests, "{kind}");
    }
}

#[tokio::test]
async fn a_passage_is_sent_under_its_title_and_shortened_where_it_is_too_long() {
    for (kind, list) in [(ProviderKind::Cohere, "documents"), (ProviderKind::Tei, "texts")] {
        let bench = Bench::new(kind);
        let endless = passage(&"höher ".repeat(20_000));
        let question = "höher? ".repeat(5_000);
        bench.rerank(&question, &[passage("Short."), endless]).await.unwrap();
        let body = bench.last_body();
        assert_eq!(body[list][0], "Tides\nHarbour\nShort.", "{kind}");
        let sent = body[list][1].as_str().unwrap();
        assert!(sent.starts_with("Tides\nHarbour\nhöher ") && sent.len() < 40_000, "{kind}: {}", sent.len());
        assert!(body["query"].as_str().unwrap().len() < 5_000, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn answers_that_do_not_fit_and_providers_that_fail_are_errors() {
    for kind in KINDS {
        for (fault, expected) in [
            ("missing-score", ModelErrorKind::Malformed),
            ("doubled-score", ModelErrorKind::Malformed),
            ("strange-index", ModelErrorKind::Malformed),
            ("null-score", ModelErrorKind::Malformed),
            ("truncated-json", ModelErrorKind::Malformed),
            ("html-ok", ModelErrorKind::Malformed),
            ("empty", ModelErrorKind::Malformed),
            ("401", ModelErrorKind::Authentication),
            ("404", ModelErrorKind::ModelNotFound),
            ("429:7", ModelErrorKind::RateLimited),
            ("500", ModelErrorKind::Provider),
            ("503", ModelErrorKind::Overloaded),
            ("context-too-long", ModelErrorKind::ContextTooLong),
            ("cut", ModelErrorKind::Truncated),
            ("stall-headers", ModelErrorKind::Timeout(mainstay_domain::TimeoutPhase::Total)),
        ] {
            let bench = Bench::new(kind);
            bench.stand_in.fail_next([fault.parse().unwrap()]);
            let error = bench.rerank(QUESTION, &three()).await.unwrap_err();
            assert_eq!(error.kind, expected, "{kind}: {fault}: {error}");
            if fault == "429:7" {
                assert_eq!(error.retry_after, Some(Duration::from_secs(7)), "{kind}");
            }
        }
    }
}

#[tokio::test]
async fn who_only_reranks_neither_answers_nor_embeds_and_others_do_not_rerank() {
    let stand_in = Arc::new(StandIn::new());
    for kind in ProviderKind::ALL {
        let provider = provider(kind, &stand_in, Clock::system());
        let only_reranks = matches!(kind, ProviderKind::Cohere | ProviderKind::Jina | ProviderKind::Tei);
        assert_eq!(provider.chat().is_none(), only_reranks, "{kind}");
        assert_eq!(provider.reranker("r").is_some(), KINDS.contains(&kind), "{kind}");
        assert_eq!(
            provider.embedder("e", EmbeddingOptions::default()).is_some(),
            kind.capabilities().embeddings,
            "{kind}"
        );
    }
}
