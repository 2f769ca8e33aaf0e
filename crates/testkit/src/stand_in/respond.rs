//! From a request to its answer.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::answer::{Finish, Reply, reply};
use super::api::{Api, ApiError, Checked, Frame, Part, Target};
use super::record::{OpenRecord, Outcome};
use super::rerank::{self, Shape};
use super::script::{Script, Step};
use super::{Fault, Shared, anthropic, control, embedding, gemini, openai};

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
    let exchange = Exchange { api, head, body: value.ok(), shared, reset };
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
}

impl Exchange {
    async fn answer(self, rest: &[&str], mut record: OpenRecord) -> io::Result<Response<Body>> {
        let Some(operation) = self.operation(rest) else {
            let error =
                ApiError::new(404, format!("Invalid URL ({} {})", self.head.method, self.head.uri.path()));
            return Ok(self.refuse(&error.code("unknown_url"), record));
        };
        let fault = self.fault(&operation);
        match fault {
            Some(Fault::StallHeaders) => std::future::pending().await,
            Some(Fault::Reset | Fault::Nothing) => {
                self.reset.store(fault == Some(Fault::Reset), Ordering::Relaxed);
                record.close(Outcome::Broken);
                return Err(io::Error::other("the connection is to break off"));
            }
            _ => {}
        }
        match operation {
            Operation::Models => Ok(self.models(record)),
            Operation::Chat(target) => self.chat(target, fault, record),
            Operation::CountTokens => Ok(self.count_tokens(record)),
            Operation::Embeddings | Operation::GeminiEmbeddings(_) => {
                Ok(self.embeddings(&operation, fault, record))
            }
            Operation::Rerank(shape) => Ok(self.rerank(shape, fault, record)),
        }
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

    /// The fault of this request: of its header, its model, or the next of those asked for by `/control`.
    fn fault(&self, operation: &Operation) -> Option<Fault> {
        if matches!(operation, Operation::Models) {
            return None;
        }
        let header = self.head.headers.get("x-stand-in").and_then(|value| value.to_str().ok());
        let model = match operation {
            Operation::Chat(Target { model: Some(model), .. }) | Operation::GeminiEmbeddings(model) => {
                Some(model.as_str())
            }
            _ => self.body.as_ref().and_then(|body| body["model"].as_str()),
        };
        let named = header.or_else(|| model?.strip_prefix("fault-"));
        named.and_then(|name| name.parse().ok()).or_else(|| self.shared.script().faults.pop_front())
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
        self.whole(&models, None, record)
    }

    fn count_tokens(&self, record: OpenRecord) -> Response<Body> {
        let mut body = self.body.clone().unwrap_or_default();
        // The one field that the messages need and their counting does not.
        if let Some(body) = body.as_object_mut() {
            body.entry("max_tokens").or_insert(json!(1));
        }
        match self.api.check(&self.head, Target::default(), &body) {
            Ok(checked) => self.whole(&anthropic::token_count(&reply(&checked.prompt)), None, record),
            Err(error) => self.refuse(&error, record),
        }
    }

    fn embeddings(&self, operation: &Operation, fault: Option<Fault>, record: OpenRecord) -> Response<Body> {
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
            .map(|wanted| embedding::answer_openai(&wanted, fault == Some(Fault::Shuffled))),
        };
        match (answer, self.refusal(fault, false)) {
            (Err(error), _) | (Ok(_), Some(error)) => self.refuse(&error, record),
            (Ok(answer), None) => self.whole(&answer, fault, record),
        }
    }

    fn rerank(&self, shape: Shape, fault: Option<Fault>, record: OpenRecord) -> Response<Body> {
        let body = self.body.as_ref().unwrap_or(&Value::Null);
        match (rerank::check(shape, &self.head, body), self.refusal(fault, false)) {
            (Err(error), _) | (Ok(_), Some(error)) => self.refuse(&error, record),
            (Ok(wanted), None) => self.whole(&rerank::answer(shape, &wanted, fault), fault, record),
        }
    }

    fn chat(&self, target: Target, fault: Option<Fault>, record: OpenRecord) -> io::Result<Response<Body>> {
        let Some(body) = &self.body else {
            return Ok(
                self.refuse(&ApiError::bad("We could not parse the JSON body of your request."), record)
            );
        };
        if fault == Some(Fault::RefuseStreamOptions) && body.get("stream_options").is_some() {
            let error = ApiError::bad(
                "[{'type': 'extra_forbidden', 'loc': ('body', 'stream_options'), 'msg': 'Extra inputs are not permitted'}]",
            );
            return Ok(self.refuse(&error, record));
        }
        let checked = match self.api.check(&self.head, target, body) {
            Ok(checked) => checked,
            Err(error) => return Ok(self.refuse(&error, record)),
        };
        if let Some(error) = self.refusal(fault, checked.streamed) {
            return Ok(self.refuse(&error, record));
        }
        let mut reply = reply(&checked.prompt);
        if fault == Some(Fault::ContentFilter) {
            reply.finish = Finish::ContentFilter;
        }
        let usage = fault != Some(Fault::MissingUsage);
        // Without `alt=sse` Gemini streams a JSON array, which nobody asks for; it is answered as one piece.
        if checked.streamed && fault != Some(Fault::OnePiece) {
            Ok(self.streamed(&checked, &reply, usage, fault, record))
        } else {
            Ok(self.whole(&self.api.whole(&checked, &reply, usage), fault, record))
        }
    }

    /// The refusal that a fault stands for.
    fn refusal(&self, fault: Option<Fault>, streamed: bool) -> Option<ApiError> {
        match fault? {
            Fault::Status { status, retry_after } => Some(ApiError {
                retry_after: retry_after.map(|seconds| Duration::from_secs(seconds.into())),
                ..ApiError::new(status, format!("The stand-in was asked for status {status}."))
            }),
            Fault::ContextTooLong => Some(self.api.context_too_long()),
            Fault::Quota => Some(self.api.quota()),
            Fault::StreamError if !streamed => Some(stream_error()),
            _ => None,
        }
    }

    fn refuse(&self, error: &ApiError, record: OpenRecord) -> Response<Body> {
        let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = Bytes::from(self.api.error(error).to_string());
        let mut response = self.response(status, "application/json", [Step::Send(body)], record);
        if let Some(wait) = error.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs()));
        }
        response
    }

    fn whole(&self, answer: &Value, fault: Option<Fault>, record: OpenRecord) -> Response<Body> {
        let bytes = Bytes::from(answer.to_string());
        let length = bytes.len();
        let half = || Step::Send(bytes.slice(..length / 2));
        let html =
            || Bytes::from_static(b"<!DOCTYPE html><html><body><h1>Hello from a proxy</h1></body></html>");
        let ok = |steps: Vec<Step>, record| self.response(StatusCode::OK, "application/json", steps, record);
        match fault {
            Some(Fault::HtmlError) => {
                self.response(StatusCode::BAD_GATEWAY, "text/html", [Step::Send(html())], record)
            }
            Some(Fault::HtmlOk) => {
                self.response(StatusCode::OK, "text/html; charset=utf-8", [Step::Send(html())], record)
            }
            Some(Fault::Redirect) => {
                let mut response = self.response(StatusCode::TEMPORARY_REDIRECT, "text/html", [], record);
                response
                    .headers_mut()
                    .insert(LOCATION, HeaderValue::from_static("https://elsewhere.example/v1?token=secret"));
                response
            }
            Some(Fault::Empty | Fault::EmptyStream) => ok(vec![], record),
            Some(Fault::TruncatedJson | Fault::MalformedChunk | Fault::EndsEarly) => ok(vec![half()], record),
            Some(Fault::Cut) => ok(vec![half(), LET_IT_ARRIVE, Step::Break { reset: false }], record),
            Some(Fault::ResetMidway) => ok(vec![half(), LET_IT_ARRIVE, Step::Break { reset: true }], record),
            Some(Fault::StallFirst | Fault::Pings) => ok(vec![Step::Stall], record),
            Some(Fault::Stall) => ok(vec![half(), Step::Stall], record),
            Some(Fault::Endless) => {
                let blanks = Bytes::from_static(&[b' '; 16 << 10]);
                ok(vec![Step::Repeat(blanks, Duration::ZERO)], record)
            }
            Some(Fault::Slow(pause)) => ok(
                vec![Step::Wait(pause), half(), Step::Wait(pause), Step::Send(bytes.slice(length / 2..))],
                record,
            ),
            _ => {
                let mut response = ok(vec![Step::Send(bytes)], record);
                response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
                response
            }
        }
    }

    fn streamed(
        &self,
        checked: &Checked,
        reply: &Reply,
        usage: bool,
        fault: Option<Fault>,
        record: OpenRecord,
    ) -> Response<Body> {
        if matches!(fault, Some(Fault::HtmlError | Fault::HtmlOk | Fault::Redirect | Fault::Endless)) {
            return self.whole(&Value::Null, fault, record);
        }
        let frames = self.api.frames(checked, reply, usage);
        let pause = match fault {
            Some(Fault::Slow(pause)) => pause,
            _ => self.shared.script().pause,
        };
        let steps = self.stream_steps(frames, pause, fault);
        self.response(StatusCode::OK, "text/event-stream; charset=utf-8", steps, record)
    }

    fn stream_steps(&self, frames: Vec<Frame>, pause: Duration, fault: Option<Fault>) -> Vec<Step> {
        let half = half(&frames);
        let mut steps = Vec::with_capacity(frames.len());
        for (index, frame) in frames.iter().enumerate() {
            if index == half {
                match fault {
                    Some(Fault::MalformedChunk | Fault::TruncatedJson) => {
                        steps.push(Step::Send(Bytes::from_static(
                            b"data: {\"id\": \"x\", \"choices\": [{\"ind\n\n",
                        )));
                    }
                    Some(Fault::StreamError) => steps.push(Step::Send(self.api.error_frame(&stream_error()))),
                    Some(Fault::Cut) => steps.extend([LET_IT_ARRIVE, Step::Break { reset: false }]),
                    Some(Fault::ResetMidway) => steps.extend([LET_IT_ARRIVE, Step::Break { reset: true }]),
                    Some(Fault::Stall) => steps.push(Step::Stall),
                    Some(Fault::EndsEarly) => {}
                    _ => {
                        self.push(&mut steps, frame, pause, fault);
                        continue;
                    }
                }
                return steps;
            }
            self.push(&mut steps, frame, pause, fault);
        }
        match fault {
            Some(Fault::Empty | Fault::EmptyStream) => Vec::new(),
            Some(Fault::StallFirst) => vec![Step::Stall],
            Some(Fault::Pings) => {
                vec![Step::Repeat(Bytes::from_static(b": keep-alive\n\n"), Duration::from_secs(5))]
            }
            _ => steps,
        }
    }

    fn push(&self, steps: &mut Vec<Step>, frame: &Frame, pause: Duration, fault: Option<Fault>) {
        if !pause.is_zero() {
            steps.push(Step::Wait(pause));
        }
        steps.push(Step::Send(frame.bytes.clone()));
        if frame.part == Part::Finish && fault == Some(Fault::DuplicateFinish) {
            steps.push(Step::Send(frame.bytes.clone()));
        }
    }

    fn response(
        &self,
        status: StatusCode,
        media_type: &'static str,
        steps: impl IntoIterator<Item = Step>,
        record: OpenRecord,
    ) -> Response<Body> {
        let script = Script::new(steps, record, self.reset.clone());
        let mut response = Response::new(script.boxed_unsync());
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        let id = match self.api {
            Api::OpenAi | Api::Compatible | Api::Reranker(_) => "x-request-id",
            Api::Anthropic => "request-id",
            Api::Gemini => "x-goog-request-id",
        };
        response.headers_mut().insert(HeaderName::from_static(id), HeaderValue::from_static("req_stand_in"));
        response
    }
}

/// Bytes that are written right before a connection breaks off would be thrown away with it.
const LET_IT_ARRIVE: Step = Step::Wait(Duration::from_millis(1));

fn stream_error() -> ApiError {
    ApiError::new(500, "The server had an error while processing your request. Sorry about that!")
}

/// Where the first half of a stream ends: within the content.
fn half(frames: &[Frame]) -> usize {
    let content: Vec<usize> = frames
        .iter()
        .enumerate()
        .filter(|(_, frame)| frame.part == Part::Content)
        .map(|(index, _)| index)
        .collect();
    content.get(content.len() / 2).map_or(frames.len() / 2, |middle| *middle)
}

fn json_response(status: StatusCode, value: &Value) -> Response<Body> {
    let body = Full::new(Bytes::from(value.to_string())).map_err(|never| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
