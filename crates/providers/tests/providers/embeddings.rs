//! Embeddings from the providers that have them.

use std::time::Duration;

use crate::support::Bench;
use mainstay_domain::port::{Embedder, EmbeddingPurpose, Errand, Spent};
use mainstay_domain::usage::estimate_tokens;
use mainstay_domain::{Deadline, ModelErrorKind};
use mainstay_provider_sim::embedding;
use mainstay_providers::{EmbeddingOptions, ProviderKind, RemoteEmbedder};

const KINDS: [ProviderKind; 3] = [ProviderKind::OpenAi, ProviderKind::OpenAiCompatible, ProviderKind::Gemini];

fn embedder(bench: &Bench, dimensions: Option<usize>) -> RemoteEmbedder {
    let options = EmbeddingOptions { dimensions, ..EmbeddingOptions::default() };
    bench.provider.embedder("some-embedder", options).expect("the kind has embeddings")
}

fn deadline(bench: &Bench) -> Deadline {
    Deadline::after(&bench.clock, Duration::from_secs(60))
}

#[tokio::test]
async fn many_texts_come_back_in_order_in_bounded_batches() {
    for kind in KINDS {
        let bench = Bench::new(kind);
        // Every batch answers in the wrong order.
        bench.stand_in.fail_next(std::iter::repeat_n("shuffled".parse().unwrap(), 10));
        let embedder = embedder(&bench, Some(64));
        let texts: Vec<String> = (0..500).map(|number| format!("text number {number}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let embeddings =
            embedder.embed(&texts, EmbeddingPurpose::Passage, Errand::until(deadline(&bench))).await.unwrap();
        assert_eq!(embeddings.dimension, 64, "{kind}");
        for (text, vector) in texts.iter().zip(embeddings.vectors()) {
            let expected = embedding(text, 64);
            let distance: f32 = vector.iter().zip(&expected).map(|(a, b)| (a - b).abs()).sum();
            assert!(distance < 1e-4, "{kind}: {text}");
        }
        assert_eq!(bench.stand_in.records().counts().count, 6, "{kind}");
        if kind != ProviderKind::Gemini {
            assert_eq!(embeddings.tokens, 1_500, "{kind}");
        }
    }
}

#[tokio::test]
async fn blank_texts_are_not_sent_and_have_no_length() {
    for kind in KINDS {
        let bench = Bench::new(kind);
        let embedder = embedder(&bench, Some(8));
        let embeddings = embedder
            .embed(&["", "a word", " \n"], EmbeddingPurpose::Query, Errand::until(deadline(&bench)))
            .await
            .unwrap();
        let lengths: Vec<f32> =
            embeddings.vectors().map(|vector| vector.iter().map(|x| x * x).sum::<f32>()).collect();
        assert_eq!((lengths[0], lengths[2]), (0.0, 0.0), "{kind}");
        assert!((lengths[1] - 1.0).abs() < 1e-4, "{kind}: {lengths:?}");
        let none =
            embedder.embed(&[], EmbeddingPurpose::Query, Errand::until(deadline(&bench))).await.unwrap();
        assert_eq!((none.values.len(), none.dimension), (0, 8), "{kind}");
    }
}

#[tokio::test]
async fn the_dimension_is_learnt_once_where_it_is_not_known() {
    for kind in KINDS {
        let bench = Bench::new(kind);
        let embedder = embedder(&bench, None);
        assert_eq!(embedder.dimension(), 0, "{kind}");
        assert_eq!(embedder.learn_dimension(deadline(&bench)).await.unwrap(), 384, "{kind}");
        assert_eq!(embedder.learn_dimension(deadline(&bench)).await.unwrap(), 384, "{kind}");
        assert_eq!(embedder.dimension(), 384, "{kind}");
        assert_eq!(bench.stand_in.records().counts().count, 1, "{kind}");
        assert_eq!(embedder.model(), "p/some-embedder", "{kind}");
    }
}

#[tokio::test]
async fn vectors_of_another_length_than_expected_are_refused() {
    let bench = Bench::new(ProviderKind::OpenAiCompatible);
    let wide = embedder(&bench, Some(16));
    // The stand-in is asked by another embedder that does not say how long the vectors are to be.
    let small = bench.provider.embedder("text-embedding-3-small", EmbeddingOptions::default()).unwrap();
    small.learn_dimension(deadline(&bench)).await.unwrap();
    assert_eq!(small.dimension(), 1536);
    assert_eq!(wide.dimension(), 16);

    let known = Bench::new(ProviderKind::OpenAi);
    known.stand_in.fail_next(["truncated-json".parse().unwrap()]);
    let error = embedder(&known, Some(16))
        .embed(&["a"], EmbeddingPurpose::Query, Errand::until(deadline(&known)))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ModelErrorKind::Malformed, "{error}");
}

#[tokio::test]
async fn prefixes_are_put_before_questions_and_passages() {
    let bench = Bench::new(ProviderKind::OpenAiCompatible);
    let options = EmbeddingOptions {
        dimensions: Some(8),
        query_prefix: "query: ".to_owned(),
        passage_prefix: "passage: ".to_owned(),
    };
    let embedder = bench.provider.embedder("e5", options).unwrap();
    for (purpose, sent) in
        [(EmbeddingPurpose::Query, "query: hello"), (EmbeddingPurpose::Passage, "passage: hello")]
    {
        embedder.embed(&["hello"], purpose, Errand::until(deadline(&bench))).await.unwrap();
        assert_eq!(bench.last_body()["input"][0], sent);
    }
}

#[tokio::test(start_paused = true)]
async fn embeddings_fail_like_answers_do() {
    for kind in KINDS {
        for (fault, expected) in [
            ("429:7", ModelErrorKind::RateLimited),
            ("500", ModelErrorKind::Provider),
            ("html-ok", ModelErrorKind::Malformed),
            ("cut", ModelErrorKind::Truncated),
            ("stall-headers", ModelErrorKind::Timeout(mainstay_domain::TimeoutPhase::Total)),
        ] {
            let bench = Bench::new(kind);
            bench.stand_in.fail_next(std::iter::repeat_n(fault.parse().unwrap(), 3));
            let embedder = embedder(&bench, Some(8));
            let error = embedder
                .embed(&["a"], EmbeddingPurpose::Query, Errand::until(deadline(&bench)))
                .await
                .unwrap_err();
            assert_eq!(error.kind, expected, "{kind}: {fault}: {error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_fails_is_sent_again_and_the_others_are_not() {
    for kind in KINDS {
        let bench = Bench::new(kind);
        bench.stand_in.fail_next(["429:7", "cut"].map(|fault| fault.parse().unwrap()));
        let embedder = embedder(&bench, Some(8));
        let texts: Vec<String> = (0..300).map(|number| format!("text number {number}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let begun = bench.clock.instant();
        let embeddings =
            embedder.embed(&texts, EmbeddingPurpose::Passage, Errand::until(deadline(&bench))).await.unwrap();
        assert_eq!(embeddings.vectors().count(), 300, "{kind}");
        assert_eq!(bench.stand_in.records().counts().count, 6, "{kind}");
        assert!(
            begun.elapsed() >= Duration::from_secs(7),
            "{kind}: what the provider asked for was not waited"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_billed_is_known_although_the_texts_have_no_vectors() {
    for kind in KINDS {
        let bench = Bench::new(kind);
        let embedder = embedder(&bench, Some(8));
        // Two batches, of which one is refused whenever it is sent.
        let texts = vec!["a few words of text"; 97];
        bench.stand_in.fail_next(["none", "401"].map(|fault| fault.parse().unwrap()));
        let spent = Spent::default();
        let errand = Errand::until(deadline(&bench)).noted_in(&spent);
        let error = embedder.embed(&texts, EmbeddingPurpose::Passage, errand).await.unwrap_err();
        assert_eq!(error.kind, ModelErrorKind::Authentication, "{kind}");
        let all = texts.iter().map(|text| estimate_tokens(text)).sum();
        let billed = spent.by_failed(error.kind, all);
        assert!(billed > 0 && spent.failures().iter().all(|(_, tokens)| *tokens < all), "{kind}: {billed}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_will_not_pass_is_sent_once() {
    for kind in KINDS {
        for fault in ["401", "html-ok"] {
            let bench = Bench::new(kind);
            bench.stand_in.fail_next(std::iter::repeat_n(fault.parse().unwrap(), 3));
            let embedder = embedder(&bench, Some(8));
            embedder
                .embed(&["a"], EmbeddingPurpose::Passage, Errand::until(deadline(&bench)))
                .await
                .unwrap_err();
            assert_eq!(bench.stand_in.records().counts().count, 1, "{kind}: {fault}");
        }
    }
}

#[tokio::test]
async fn anthropic_has_none() {
    let bench = Bench::new(ProviderKind::Anthropic);
    assert!(bench.provider.embedder("any", EmbeddingOptions::default()).is_none());
}
