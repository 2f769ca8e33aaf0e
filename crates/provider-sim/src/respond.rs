//! From a request to its answer.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::answer::{Finish, Reply, reply};
use super::api::{Api, ApiError, Target};
use super::chance::Chance;
use super::record::{OpenRecord, Outcome};
use super::rerank::{self, Shape};
use super::script::Script;
use super::steps::{self, Outgoing, stream_error};
use super::{Fault, Shared, UnknownFault, anthropic, control, embedding, gemini, network, openai};

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// The models that are listed.
const OPENAI_MODELS: &[&str] = &["gpt-4o-mini", "gpt-4o", "text-embedding-3-small"];
const ANTHROPIC_MODELS: &[&str] = &["claude-sonnet-4-5", "claude-haiku-4-5"];
const GEMINI_MODELS: &[&str] = &["gemini-2.5-flash", "gemini-2.5-pro"];

/// The largest request that is read.
const MAX_REQUEST_BYTES: usize = 64 << 20;

/// What a request is for.
enum Operation {
    Chat(Target),
    Embeddings,
    GeminiEmbeddings(String),
    Rerank(Shape),
    CountTokens,
    Models,
}

/// Answers one request. An error breaks the connection off.
pub(super) async fn respond(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    reset: Arc<AtomicBool>,
) -> io::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let path = percent_encoding::percent_decode_str(head.uri.path()).decode_utf8_lossy().into_owned();
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    #[expect(clippy::disallowed_methods, reason = "the body is limited")]
    let body = Limited::new(body, MAX_REQUEST_BYTES).collect().await.map_err(io::Error::other)?.to_bytes();
    if let ["control", rest @ ..] = &segments[..] {
        let (status, answer) = control::control(&shared, &head.method, rest, &head.uri, &body).await;
        return Ok(json_response(status, &answer));
    }
    let (api, rest) = match &segments[..] {
        ["openai", "v1", rest @ ..] => (Api::OpenAi, rest),
        ["compatible", "v1", rest @ ..] => (Api::Compatible, rest),
        ["anthropic", "v1", rest @ ..] => (Api::Anthropic, rest),
        ["gemini", "v1beta", rest @ ..] => (Api::Gemini, rest),
        ["cohere", "v2", rest @ ..] => (Api::Reranker(Shape::Cohere), rest),
        ["jina", "v1", rest @ ..] => (Api::Reranker(Shape::Jina), rest),
        ["tei", rest @ ..] => (Api::Reranker(Shape::Tei), rest),
        _ => return Ok(json_response(StatusCode::NOT_FOUND, &json!({ "detail": "Not Found" }))),
    };
    let value = serde_json::from_slice(&body);
    let shown = value.as_ref().cloned().unwrap_or_else(|_| String::from_utf8_lossy(&body).into());
    let record = shared.records.open(&path, &head.headers, shown);
    let chance = Chance::of(shared.settings.seed, record.number());
    let exchange = Exchange { api, head, body: value.ok(), shared, reset, fault: Fault::None, chance };
    exchange.answer(rest, record).await
}

/// One exchange with a client.
struct Exchange {
    api: Api,
    head: Parts,
    /// `None` for what is no JSON.
    body: Option<Value>,
    shared: Arc<Shared>,
    reset: Arc<AtomicBool>,
    /// What goes wrong with it.
    fault: Fault,
    chance: Chance,
}

impl Exchange {
    async fn answer(mut self, rest: &[&str], mut record: OpenRecord) -> io::Result<Response<Body>> {
        let Some(operation) = self.operation(rest) else {
            let error =
                ApiError::new(404, format!("Invalid URL ({} {})", self.head.method, self.head.uri.path()));
            return Ok(self.refuse(&error.code("unknown_url"), record));
        };
        match self.choose_fault(&operation) {
            Ok(fault) => self.fault = fault,
            // A test that asked for it would pass for the wrong reason.
            Err(unknown) => return Ok(self.refuse(&ApiError::bad(unknown.to_string()), record)),
        }
        record.note(self.fault);
        let clock = self.shared.clock;
        clock.sleep_unless_zero(network::delay(self.fault, &mut self.chance)).await;
        match self.fault {
            Fault::StallHeaders => std::future::pending().await,
            Fault::Reset | Fault::Nothing | Fault::Timeout(_) => {
                if let Fault::Timeout(after) = self.fault {
                    clock.sleep(after).await;
                }
                self.reset.store(self.fault == Fault::Reset, Ordering::Relaxed);
                record.close(Outcome::Broken);
                return Err(io::Error::other("the connection is to break off"));
            }
            _ => {}
        }
        Ok(match operation {
            Operation::Models => self.models(record),
            Operation::Chat(target) => self.chat(target, record).await,
            Operation::CountTokens => self.count_tokens(record),
            Operation::Embeddings | Operation::GeminiEmbeddings(_) => self.embeddings(&operation, record),
            Operation::Rerank(shape) => self.rerank(shape, record),
        })
    }

    fn operation(&self, rest: &[&str]) -> Option<Operation> {
        let method = &self.head.method;
        Some(match (self.api, method, rest) {
            (_, &Method::GET, ["models"]) => Operation::Models,
            (Api::OpenAi | Api::Compatible, &Method::POST, ["chat", "completions"])
            | (Api::Anthropic, &Method::POST, ["messages"]) => Operation::Chat(Target::default()),
            (Api::OpenAi | Api::Compatible, &Method::POST, ["embeddings"]) => Operation::Embeddings,
            (Api::Reranker(shape), &Method::POST, ["rerank"]) => Operation::Rerank(shape),
            (Api::Compatible, &Method::POST, ["rerank"]) => Operation::Rerank(Shape::Compatible),
            (Api::Anthropic, &Method::POST, ["messages", "count_tokens"]) => Operation::CountTokens,
            (Api::Gemini, &Method::POST, ["models", rest @ ..]) => {
                let joined = rest.join("/");
                let (model, verb) = joined.rsplit_once(':')?;
                let target = |streamed| Target { model: Some(model.to_owned()), streamed };
                match verb {
                    "generateContent" => Operation::Chat(target(false)),
                    "streamGenerateContent" => Operation::Chat(target(true)),
                    "batchEmbedContents" => Operation::GeminiEmbeddings(model.to_owned()),
                    _ => return None,
                }
            }
            _ => return None,
        })
    }

    /// The fault of this request: of its header, its model, or what holds for all.
    fn choose_fault(&mut self, operation: &Operation) -> Result<Fault, UnknownFault> {
        if matches!(operation, Operation::Models) {
            return Ok(Fault::None);
        }
        let header = self.head.headers.get("x-fault").and_then(|value| value.to_str().ok());
        let model = match operation {
            Operation::Chat(Target { model: Some(model), .. }) | Operation::GeminiEmbeddings(model) => {
                Some(model.as_str())
            }
            _ => self.body.as_ref().and_then(|body| body["model"].as_str()),
        };
        match header.or_else(|| model?.strip_prefix("fault-")) {
            Some(name) => name.parse(),
            None => Ok(self.shared.current().fault(&mut self.chance)),
        }
    }

    fn models(&self, record: OpenRecord) -> Response<Body> {
        let checked = match self.api {
            Api::OpenAi => openai::check_key(&self.head),
            Api::Compatible | Api::Reranker(_) => Ok(()),
            Api::Anthropic => anthropic::check_headers(&self.head),
            Api::Gemini => gemini::check_key(&self.head),
        };
        if let Err(error) = checked {
            return self.refuse(&error, record);
        }
        let models = match self.api {
            Api::OpenAi | Api::Compatible | Api::Reranker(_) => openai::models(OPENAI_MODELS),
            Api::Anthropic => anthropic::models(ANTHROPIC_MODELS),
            Api::Gemini => gemini::models(GEMINI_MODELS),
        };
        self.whole(&models, record)
    }

    fn count_tokens(&self, record: OpenRecord) -> Response<Body> {
        let mut body = self.body.clone().unwrap_or_default();
        // The one field that the messages need and their counting does not.
        if let Some(body) = body.as_object_mut() {
            body.entry("max_tokens").or_insert(json!(1));
        }
        match (self.api.check(&self.head, Target::default(), &body), self.refusal(false)) {
            (Err(error), _) | (Ok(_), Some(error)) => self.refuse(&error, record),
            (Ok(checked), None) => self.whole(&anthropic::token_count(&reply(&checked.prompt)), record),
        }
    }

    fn embeddings(&self, operation: &Operation, record: OpenRecord) -> Response<Body> {
        let body = self.body.as_ref().unwrap_or(&Value::Null);
        let answer = match operation {
            Operation::GeminiEmbeddings(model) => gemini::check_key(&self.head)
                .and_then(|()| embedding::check_gemini(model, body))
                .map(|wanted| embedding::answer_gemini(&wanted)),
            _ => match self.api {
                Api::OpenAi => openai::check_key(&self.head),
                _ => Ok(()),
            }
            .and_then(|()| embedding::check_openai(self.api, body))
            .map(|wanted| embedding::answer_openai(&wanted, self.fault == Fault::Shuffled)),
        };
        match (answer, self.refusal(false)) {
            (Err(error), _) | (Ok(_), Some(error)) => self.refuse(&error, record),
            (Ok(answer), None) => self.whole(&answer, record),
        }
    }

    fn rerank(&self, shape: Shape, record: OpenRecord) -> Response<Body> {
        let body = self.body.as_ref().unwrap_or(&Value::Null);
        match (rerank::check(shape, &self.head, body), self.refusal(false)) {
            (Err(error), _) | (Ok(_), Some(error)) => self.refuse(&error, record),
            (Ok(wanted), None) => self.whole(&rerank::answer(shape, &wanted, self.fault), record),
        }
    }

    async fn chat(mut self, target: Target, record: OpenRecord) -> Response<Body> {
        let Some(body) = &self.body else {
            return self.refuse(&ApiError::bad("We could not parse the JSON body of your request."), record);
        };
        if self.fault == Fault::RefuseStreamOptions && body.get("stream_options").is_some() {
            let error = ApiError::bad(
                "[{'type': 'extra_forbidden', 'loc': ('body', 'stream_options'), 'msg': 'Extra inputs are not permitted'}]",
            );
            return self.refuse(&error, record);
        }
        let checked = match self.api.check(&self.head, target, body) {
            Ok(checked) => checked,
            Err(error) => return self.refuse(&error, record),
        };
        if let Some(error) = self.refusal(checked.streamed) {
            return self.refuse(&error, record);
        }
        let mut reply = reply(&checked.prompt);
        // Without `alt=sse` Gemini streams a JSON array, which nobody asks for; it is answered as one piece.
        let streamed = checked.streamed && self.fault != Fault::OnePiece;
        self.spoil(&mut reply, streamed);
        let usage = self.fault != Fault::MissingUsage;
        let (timing, pause) = {
            let current = self.shared.current();
            (current.timing, current.pause)
        };
        let pace = timing.pace(&checked.model, &mut self.chance);
        if streamed {
            let frames = self.api.frames(&checked, &reply, usage);
            let pause = if let Fault::Slow(pause) = self.fault { pause } else { pause };
            self.send(steps::streamed(self.api, &frames, pace, pause, self.fault), record)
        } else {
            self.shared.clock.sleep_unless_zero(pace.whole(reply.tokens.completion)).await;
            self.whole(&self.api.whole(&checked, &reply, usage), record)
        }
    }

    /// Does to the answer itself what the fault says.
    fn spoil(&mut self, reply: &mut Reply, streamed: bool) {
        match self.fault {
            Fault::ContentFilter => reply.finish = Finish::ContentFilter,
            Fault::TruncatedToolCall if !reply.calls.is_empty() => {
                let as_text = match self.api {
                    Api::OpenAi | Api::Compatible | Api::Reranker(_) => true,
                    Api::Anthropic => streamed,
                    Api::Gemini => false,
                };
                if as_text {
                    reply.calls.iter_mut().for_each(|call| call.truncated = true);
                } else {
                    // Where arguments are JSON within the JSON of the answer, half of them is half of that.
                    self.fault = Fault::TruncatedJson;
                }
            }
            _ => {}
        }
    }

    /// The refusal that the fault stands for.
    fn refusal(&self, streamed: bool) -> Option<ApiError> {
        match self.fault {
            Fault::Status { status, retry_after } => Some(ApiError {
                retry_after,
                ..ApiError::new(status, format!("The stand-in was asked for status {status}."))
            }),
            Fault::ContextTooLong => Some(self.api.context_too_long()),
            Fault::Quota => Some(self.api.quota()),
            Fault::StreamError if !streamed => Some(stream_error()),
            _ => None,
        }
    }

    fn refuse(&self, error: &ApiError, record: OpenRecord) -> Response<Body> {
        self.send(steps::refusal(self.api, error, self.shared.clock.now()), record)
    }

    fn whole(&self, answer: &Value, record: OpenRecord) -> Response<Body> {
        self.send(steps::whole(answer, self.fault), record)
    }

    fn send(&self, outgoing: Outgoing, record: OpenRecord) -> Response<Body> {
        let outgoing = network::through(outgoing, self.fault);
        let script = Script::new(outgoing.steps, record, self.reset.clone());
        let mut response = Response::new(script.boxed_unsync());
        *response.status_mut() = outgoing.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(outgoing.media_type));
        headers.extend(outgoing.header);
        if let Some(length) = outgoing.length {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        let id = match self.api {
            Api::OpenAi | Api::Compatible | Api::Reranker(_) => "x-request-id",
            Api::Anthropic => "request-id",
            Api::Gemini => "x-goog-request-id",
        };
        headers.insert(HeaderName::from_static(id), HeaderValue::from_static("req_stand_in"));
        response
    }
}

fn json_response(status: StatusCode, value: &Value) -> Response<Body> {
    let body = Full::new(Bytes::from(value.to_string())).map_err(|never| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
