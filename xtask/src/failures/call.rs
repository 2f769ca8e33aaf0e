//! A caller of Mainstay: plain HTTP on a connection of its own, with a limit of time, and what it was told.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde_json::{Value, json};

use crate::process::now;

/// How long a caller waits in all: more than every limit in the configuration adds up to.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it looks at the time: signs of life without end are a hang as well.
const LOOK: Duration = Duration::from_millis(500);

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Question {
    /// Something with characters of several bytes.
    Text,
    /// Something that calls a tool.
    Tool,
}

const TEXT: &str = "Grüße aus 東京 🙂, ist die Fähre pünktlich angekommen?";
const TOOL: &str = "How is the weather in Paris?";

impl Question {
    /// The whole answer.
    fn answer(self) -> String {
        match self {
            Self::Text => format!("You said: {TEXT}"),
            Self::Tool => r#"{"city":"Paris"}"#.to_owned(),
        }
    }

    fn body(self, model: &str, streamed: bool) -> Value {
        let text = if self == Self::Text { TEXT } else { TOOL };
        let mut body = json!({
            "model": model, "stream": streamed, "messages": [{ "role": "user", "content": text }],
        });
        if self == Self::Tool {
            let parameters = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
            body["tools"] =
                json!([{ "type": "function", "function": { "name": "weather", "parameters": parameters } }]);
        }
        body
    }
}

/// What the caller was told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Told {
    /// An answer that says that it is finished.
    Answer {
        /// `whole`, or why it is not.
        text: Text,
        finish: String,
    },
    /// A status and an error instead of an answer.
    Error {
        status: u16,
        code: String,
        /// The header `Retry-After`.
        retry_after: Option<String>,
    },
    /// A stream that ended with an error event.
    ErrorEvent {
        code: String,
        /// Whether there was content before it.
        after_content: bool,
    },
    /// A stream that ended without saying how, or an answer that is none.
    Nonsense(String),
    /// Nothing for as long as a caller waits.
    Hung,
}

/// How an answer compares with the one that was expected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Text {
    Whole,
    Other(String),
}

impl Told {
    /// Whether it is the whole answer.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self, Self::Answer { text: Text::Whole, .. })
    }
}

/// Asks, and reads to the end.
pub(super) fn ask(address: &str, key: &str, model: &str, question: Question, streamed: bool) -> Told {
    let body = question.body(model, streamed).to_string();
    match send(address, "POST", "/v1/chat/completions", Some(key), &body) {
        Err(error) if error.is::<Hangs>() => Told::Hung,
        Err(error) => Told::Nonsense(format!("{error:#}")),
        Ok(Answer { status: 200, body, .. }) if streamed => read_stream(&body, question),
        Ok(answer) => read_whole(answer, question),
    }
}

fn read_whole(answer: Answer, question: Question) -> Told {
    let Answer { status, retry_after, body } = answer;
    let Ok(body) = serde_json::from_str::<Value>(&body) else {
        return Told::Nonsense(format!("status {status} with something that is no JSON"));
    };
    if status != 200 {
        return Told::Error { status, code: code_of(&body["error"]), retry_after };
    }
    let choice = &body["choices"][0];
    let arguments = choice["message"]["tool_calls"][0]["function"]["arguments"].as_str();
    let content = choice["message"]["content"].as_str();
    let text = arguments.or(content).unwrap_or_default();
    finished(text, choice["finish_reason"].as_str(), question)
}

fn read_stream(text: &str, question: Question) -> Told {
    let (mut content, mut finish, mut error, mut done) = (String::new(), None, None, false);
    for data in text.lines().filter_map(|line| line.strip_prefix("data: ")) {
        if data == "[DONE]" {
            done = true;
            continue;
        }
        let Ok(event) = serde_json::from_str::<Value>(data) else {
            return Told::Nonsense(format!("an event that is no JSON: {data}"));
        };
        if let Some(found) = event.get("error") {
            error = Some(code_of(found));
        }
        let delta = &event["choices"][0]["delta"];
        content += delta["content"].as_str().unwrap_or_default();
        content += delta["tool_calls"][0]["function"]["arguments"].as_str().unwrap_or_default();
        if let Some(reason) = event["choices"][0]["finish_reason"].as_str() {
            finish = Some(reason.to_owned());
        }
    }
    match (error, done) {
        (Some(code), false) => Told::ErrorEvent { code, after_content: !content.is_empty() },
        (Some(_), true) => Told::Nonsense("an error event, and [DONE] all the same".to_owned()),
        (None, false) => Told::Nonsense("the stream ends without [DONE] and without an error".to_owned()),
        (None, true) => finished(&content, finish.as_deref(), question),
    }
}

fn finished(content: &str, finish: Option<&str>, question: Question) -> Told {
    let text = if content == question.answer() { Text::Whole } else { Text::Other(content.to_owned()) };
    Told::Answer { text, finish: finish.unwrap_or("none").to_owned() }
}

fn code_of(error: &Value) -> String {
    error["code"].as_str().or(error["type"].as_str()).unwrap_or("no code").to_owned()
}

/// An answer over HTTP.
pub(super) struct Answer {
    pub(super) status: u16,
    retry_after: Option<String>,
    pub(super) body: String,
}

/// Nothing more came within [`PATIENCE`], or no end of it.
#[derive(Debug)]
struct Hangs;

impl std::fmt::Display for Hangs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "there was no end of an answer within {PATIENCE:?}")
    }
}

impl std::error::Error for Hangs {}

/// One request.
pub(super) fn send(
    address: &str,
    method: &str,
    path: &str,
    key: Option<&str>,
    body: &str,
) -> anyhow::Result<Answer> {
    let began = now();
    let mut stream = TcpStream::connect(address).with_context(|| format!("cannot reach {address}"))?;
    stream.set_read_timeout(Some(LOOK))?;
    let authorization = key.map(|key| format!("authorization: Bearer {key}\r\n")).unwrap_or_default();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\n{authorization}content-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut raw = Vec::new();
    let mut piece = [0; 64 << 10];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => raw.extend_from_slice(&piece[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            // A connection that breaks off is an end as well.
            Err(_) => break,
        }
        if began.elapsed() > PATIENCE {
            return Err(Hangs.into());
        }
    }
    let end_of_head = raw
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .ok_or_else(|| anyhow!("the connection ended without an answer"))?;
    let head = String::from_utf8_lossy(&raw[..end_of_head]).to_ascii_lowercase();
    let status =
        head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("there is no status")?;
    let rest = &raw[end_of_head + 4..];
    let body =
        if head.contains("transfer-encoding: chunked") { without_chunks(rest)? } else { rest.to_vec() };
    let retry_after = head.lines().find_map(|line| Some(line.strip_prefix("retry-after: ")?.to_owned()));
    Ok(Answer { status, retry_after, body: String::from_utf8(body).context("the answer is not UTF-8")? })
}

fn without_chunks(mut rest: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else {
            bail!("the answer breaks off within HTTP");
        };
        let size = std::str::from_utf8(&rest[..end])?;
        let size = usize::from_str_radix(size, 16).context("a chunk has no size")?;
        rest = &rest[end + 2..];
        if size == 0 {
            return Ok(body);
        }
        let (chunk, after) = rest.split_at_checked(size).context("the answer breaks off within HTTP")?;
        body.extend_from_slice(chunk);
        rest = after.strip_prefix(b"\r\n").context("a chunk has no end")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(events: &[Value], end: &str) -> Told {
        let events: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
        read_stream(&(events + end), Question::Tool)
    }

    fn piece(text: &str) -> Value {
        json!({ "choices": [{ "delta": { "content": text }, "finish_reason": null }] })
    }

    #[test]
    fn a_part_of_an_answer_is_not_the_whole_one() {
        let finish = json!({ "choices": [{ "delta": {}, "finish_reason": "stop" }] });
        assert!(
            stream(&[piece("{\"city\":"), piece("\"Paris\"}"), finish.clone()], "data: [DONE]\n").is_whole()
        );
        let told = stream(&[piece("{\"city\":"), finish], "data: [DONE]\n");
        assert!(matches!(told, Told::Answer { text: Text::Other(_), .. }), "{told:?}");
    }

    #[test]
    fn how_a_stream_ends_is_told_apart() {
        let error = json!({ "error": { "code": "upstream_failed" } });
        let told = stream(&[piece("a"), error.clone()], "");
        assert_eq!(told, Told::ErrorEvent { code: "upstream_failed".to_owned(), after_content: true });
        assert!(matches!(stream(&[error], "data: [DONE]\n"), Told::Nonsense(_)));
        assert!(matches!(stream(&[piece("a")], ""), Told::Nonsense(_)));
    }
}
