//! Golden tests: recorded-style fixtures of every dialect, each through every translation, against snapshots.
//!
//! A new feature is a new fixture; `cargo insta review` shows what it becomes everywhere.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use mainstay_domain::chat::{
    AssistantMessage, ChatEvent, ChatRequest, Choice, ChoiceDelta, Completion, Extra, FinishReason,
    StreamStart,
};
use mainstay_domain::{ByteRange, ChunkId, Citation, Usage};
use mainstay_wire::{
    CallerError, StreamDecoder, StreamEncoder, UpstreamError, anthropic, gemini, openai, rerank, sse,
};
use serde_json::{Value, json};

/// Calls `test` with the dialect and the bytes of every fixture of a kind, and compares what it returns.
fn each_fixture(kind: &str, test: impl Fn(&str, &[u8]) -> String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(kind);
    let mut count = 0;
    for dialect in ["openai", "anthropic", "gemini", "cohere", "jina", "tei"] {
        for path in files(&root.join(dialect)) {
            let name = path.file_stem().and_then(|stem| stem.to_str()).expect("fixtures have plain names");
            let output = test(dialect, &fs::read(&path).expect("the fixture is readable"));
            assert_snapshot(kind, &format!("{dialect}_{name}"), &output);
            count += 1;
        }
    }
    assert!(count > 0, "no fixtures of {kind}");
}

fn assert_snapshot(kind: &str, name: &str, output: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(kind).join("snapshots"),
    );
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, output));
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.expect("the folder is readable").path())
        .collect();
    files.sort();
    files
}

fn pretty(body: &[u8]) -> String {
    let value: Value = serde_json::from_slice(body).expect("what we write is JSON");
    serde_json::to_string_pretty(&value).expect("JSON can be written")
}

fn section(title: &str, text: &str) -> String {
    format!("=== {title}\n{text}\n")
}

#[test]
fn a_request_of_every_feature_becomes_one_for_every_provider() {
    each_fixture("requests", |dialect, body| {
        let request = match dialect {
            "openai" => openai::chat::decode_request(body),
            _ => anthropic::messages::decode_request(body),
        };
        let request = request.expect("fixtures are valid");
        encodings(&request)
            .into_iter()
            .map(|(provider, encoded)| match encoded {
                Ok(body) => section(provider, &pretty(&body)),
                Err(unsupported) => {
                    section(provider, &format!("unsupported ({:?}): {unsupported}", unsupported.param))
                }
            })
            .collect()
    });
}

fn encodings(request: &ChatRequest) -> [(&'static str, Result<Bytes, mainstay_wire::Unsupported>); 3] {
    let openai =
        openai::chat::RequestOptions { model: "gpt", include_usage: true, max_completion_tokens: true };
    let anthropic = anthropic::messages::RequestOptions { model: "claude", default_max_tokens: 4096 };
    [
        ("openai", openai::chat::encode_request(request, &openai)),
        ("anthropic", anthropic::messages::encode_request(request, &anthropic)),
        ("gemini", gemini::encode_request(request)),
    ]
}

#[test]
fn a_question_with_documents_is_asked_of_every_reranker_in_its_words() {
    for (name, shape) in RERANKERS {
        let documents = ["The bar dries at low water.", "\"Bananas\" ripen\nin paper bags."];
        let body = rerank::encode_request(shape, "a-model", "When does the bar dry?", &documents);
        assert_snapshot("rerank", &format!("{name}_request"), &pretty(&body));
    }
}

const RERANKERS: [(&str, rerank::RerankShape); 3] = [
    ("cohere", rerank::RerankShape::Cohere),
    ("jina", rerank::RerankShape::Jina),
    ("tei", rerank::RerankShape::TextEmbeddingsInference),
];

#[test]
fn the_scores_of_every_reranker_are_put_in_the_order_of_the_documents() {
    each_fixture("rerank", |_, body| {
        let relevance = rerank::decode_response(body, 3).expect("fixtures are valid");
        format!("{relevance:#?}\n")
    });
}

#[test]
fn an_answer_of_every_provider_becomes_one_for_every_caller() {
    each_fixture("responses", |dialect, body| {
        let completion: Completion = match dialect {
            "openai" => openai::chat::decode_completion(body),
            "anthropic" => anthropic::messages::decode_completion(body),
            _ => gemini::decode_completion(body),
        }
        .expect("fixtures are valid");
        let openai = openai::chat::ResponseOptions {
            id: "chatcmpl-1",
            created: 1_700_000_000,
            model: Some("provider/model"),
            mainstay: None,
        };
        let anthropic = anthropic::messages::ResponseOptions { id: "msg_1", model: None, mainstay: None };
        section("usage", &format!("{:?}", completion.usage))
            + &section("openai", &pretty(&openai::chat::encode_completion(&completion, &openai)))
            + &section("anthropic", &pretty(&anthropic::messages::encode_completion(&completion, &anthropic)))
    });
}

#[test]
fn a_stream_of_every_provider_becomes_one_for_every_caller() {
    each_fixture("streams", |dialect, body| {
        let decoder: Box<dyn StreamDecoder> = match dialect {
            "openai" => Box::new(openai::chat::ChunkDecoder::new()),
            "anthropic" => Box::new(anthropic::messages::EventDecoder::new()),
            _ => Box::new(gemini::ChunkDecoder::new(1)),
        };
        let (events, end) = decode_stream(decoder, body);
        let openai = openai::chat::ChunkEncoder::new(openai::chat::ChunkOptions {
            id: "chatcmpl-1".to_owned(),
            created: 1_700_000_000,
            model: None,
            include_usage: true,
        });
        let anthropic = anthropic::messages::EventEncoder::new(anthropic::messages::EventOptions {
            id: "msg_1".to_owned(),
            model: None,
            input_tokens: 7,
        });
        section("end", &format!("{end:?}"))
            + &section("openai", &encode_stream(openai, &events, &end))
            + &section("anthropic", &encode_stream(anthropic, &events, &end))
    });
}

fn decode_stream(
    mut decoder: Box<dyn StreamDecoder>,
    body: &[u8],
) -> (Vec<ChatEvent>, Result<(), UpstreamError>) {
    let mut frames = sse::Decoder::default();
    let mut events = Vec::new();
    frames.push(body);
    let mut read = || -> Result<(), UpstreamError> {
        while let Some(event) = frames.next_event()? {
            decoder.decode(event, &mut events)?;
        }
        decoder.finish(&mut events)
    };
    let end = read();
    (events, end)
}

fn encode_stream(
    mut encoder: impl StreamEncoder,
    events: &[ChatEvent],
    end: &Result<(), UpstreamError>,
) -> String {
    let mut out = BytesMut::new();
    for event in events {
        encoder.encode(event, &mut out);
    }
    match end {
        Ok(()) => encoder.finish(&mut out),
        Err(error) => encoder.fail(
            &CallerError {
                status: 502,
                message: &error.message,
                param: None,
                code: Some(error.kind.code()),
                request_id: Some("req_1"),
            },
            &mut out,
        ),
    }
    String::from_utf8(out.to_vec()).expect("what we write is UTF-8")
}

/// A citation of a clause of a document whose id needs escapes, one without a title and headings.
fn citations() -> Vec<Citation> {
    let citation = |index, title: Option<&str>, start_index| Citation {
        index,
        document: "guides/getting started.md".into(),
        title: title.map(str::to_owned),
        headings: title
            .map(|title| vec![title.to_owned(), "Article 5.2 — Termination".to_owned()])
            .unwrap_or_default(),
        chunk: ChunkId(17),
        range: ByteRange { start: 100, end: 131 },
        quote: "Mainstay starts with \"one\" command".to_owned(),
        start_index,
        end_index: start_index + 3,
    };
    vec![citation(1, Some("Getting started"), 21), citation(2, None, 25)]
}

#[test]
fn citations_and_our_own_object_have_a_place_in_every_shape() {
    let text = "Start it with `up`. [1] [2]";
    let mainstay = json!({"grounded": true});
    let message = AssistantMessage {
        text: Some(text.to_owned()),
        citations: citations(),
        ..AssistantMessage::default()
    };
    let completion = Completion {
        id: "x".to_owned(),
        model: "m".to_owned(),
        created: None,
        choices: vec![Choice { index: 0, message, finish: FinishReason::Stop, logprobs: None }],
        usage: Some(Usage { prompt: 5, completion: 3, ..Usage::default() }),
        extra: Extra::new(),
    };
    let openai =
        openai::chat::ResponseOptions { id: "i", created: 7, model: None, mainstay: Some(&mainstay) };
    let anthropic = anthropic::messages::ResponseOptions { id: "i", model: None, mainstay: Some(&mainstay) };
    let start = StreamStart { id: "x".to_owned(), model: "m".to_owned(), created: None, extra: Extra::new() };
    let last =
        ChoiceDelta { citations: citations(), finish: Some(FinishReason::Stop), ..ChoiceDelta::default() };
    let events = [ChatEvent::Start(start), ChatEvent::Delta(ChoiceDelta::text(text)), ChatEvent::Delta(last)];
    let mut openai_stream = openai::chat::ChunkEncoder::new(openai::chat::ChunkOptions {
        id: "i".to_owned(),
        created: 7,
        model: None,
        include_usage: false,
    });
    let mut anthropic_stream = anthropic::messages::EventEncoder::new(anthropic::messages::EventOptions {
        id: "i".to_owned(),
        model: None,
        input_tokens: 5,
    });
    let [mut openai_out, mut anthropic_out] = [BytesMut::new(), BytesMut::new()];
    for (position, event) in events.iter().enumerate() {
        if position == 2 {
            openai_stream.attach(mainstay.clone());
            anthropic_stream.attach(mainstay.clone());
        }
        openai_stream.encode(event, &mut openai_out);
        anthropic_stream.encode(event, &mut anthropic_out);
    }
    openai_stream.finish(&mut openai_out);
    anthropic_stream.finish(&mut anthropic_out);
    let output = section("openai", &pretty(&openai::chat::encode_completion(&completion, &openai)))
        + &section("anthropic", &pretty(&anthropic::messages::encode_completion(&completion, &anthropic)))
        + &section("openai stream", std::str::from_utf8(&openai_out).unwrap())
        + &section("anthropic stream", std::str::from_utf8(&anthropic_out).unwrap());
    assert_snapshot("responses", "citations", &output);
}
