//! A client that sees what a real one hides: pieces, and when and how the connection ended.

use std::time::Duration;

use mainstay_domain::Clock;
use mainstay_provider_sim::StandIn;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// The APIs that answer conversations.
pub(crate) const APIS: [Api; 4] = [Api::OpenAi, Api::Compatible, Api::Anthropic, Api::Gemini];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Api {
    OpenAi,
    Compatible,
    Anthropic,
    Gemini,
}

/// An answer as it came over the wire.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    /// The pieces of the HTTP message; one where it is not in pieces.
    pub(crate) pieces: Vec<Vec<u8>>,
    /// Whether the HTTP message was complete.
    pub(crate) complete: bool,
    /// Until the connection ended.
    pub(crate) took: Duration,
}

impl Answer {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.pieces.concat()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes()).unwrap()
    }

    /// The JSON of every event of a stream.
    pub(crate) fn events(&self) -> Vec<Value> {
        let text = self.text();
        let data =
            text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
        data.map(|data| serde_json::from_str(data).unwrap()).collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// A question to one of the APIs, with a fault.
pub(crate) async fn ask(
    stand_in: &StandIn,
    api: Api,
    question: &str,
    streamed: bool,
    fault: &str,
) -> Option<Answer> {
    ask_with(stand_in, api, question, streamed, fault, false).await
}

/// A question that calls a tool.
pub(crate) async fn call_tool(stand_in: &StandIn, api: Api, streamed: bool, fault: &str) -> Option<Answer> {
    ask_with(stand_in, api, "How is the weather in Paris?", streamed, fault, true).await
}

async fn ask_with(
    stand_in: &StandIn,
    api: Api,
    question: &str,
    streamed: bool,
    fault: &str,
    tool: bool,
) -> Option<Answer> {
    let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
    let (path, mut body, tools) = match api {
        Api::OpenAi | Api::Compatible => (
            if api == Api::OpenAi {
                "/openai/v1/chat/completions"
            } else {
                "/compatible/v1/chat/completions"
            },
            json!({ "model": "m", "stream": streamed, "messages": [{ "role": "user", "content": question }] }),
            json!([{ "type": "function", "function": { "name": "weather", "parameters": schema } }]),
        ),
        Api::Anthropic => (
            "/anthropic/v1/messages",
            json!({
                "model": "m", "max_tokens": 900, "stream": streamed,
                "messages": [{ "role": "user", "content": question }],
            }),
            json!([{ "name": "weather", "input_schema": schema }]),
        ),
        Api::Gemini => (
            if streamed {
                "/gemini/v1beta/models/m:streamGenerateContent?alt=sse"
            } else {
                "/gemini/v1beta/models/m:generateContent"
            },
            json!({ "contents": [{ "role": "user", "parts": [{ "text": question }] }] }),
            json!([{ "functionDeclarations": [{ "name": "weather", "parameters": schema }] }]),
        ),
    };
    if tool {
        body["tools"] = tools;
    }
    if streamed && matches!(api, Api::OpenAi | Api::Compatible) {
        body["stream_options"] = json!({ "include_usage": true });
    }
    let headers = format!(
        "x-fault: {fault}\r\nauthorization: Bearer k\r\nx-api-key: k\r\nx-goog-api-key: k\r\n\
         anthropic-version: 2023-06-01\r\n"
    );
    send(stand_in, "POST", path, &headers, &body.to_string()).await
}

/// One request; `None` when nothing was answered.
pub(crate) async fn send(
    stand_in: &StandIn,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> Option<Answer> {
    let clock = Clock::system();
    let start = clock.instant();
    let mut pipe = stand_in.pipe();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: sim\r\nconnection: close\r\ncontent-type: application/json\r\n{headers}\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    pipe.write_all(request.as_bytes()).await.unwrap();
    let mut raw = Vec::new();
    // An error is an end as well.
    let _ = pipe.read_to_end(&mut raw).await;
    let took = clock.instant() - start;
    let end_of_head = raw.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8(raw[..end_of_head].to_vec()).unwrap();
    let rest = &raw[end_of_head + 4..];
    let status = head.split(' ').nth(1)?.parse().unwrap();
    let mut answer = Answer { status, head, pieces: Vec::new(), complete: true, took };
    if answer.header("transfer-encoding") == Some("chunked") {
        (answer.pieces, answer.complete) = chunks(rest);
    } else {
        let length = answer.header("content-length").map(|length| length.parse().unwrap());
        answer.complete = length.is_none_or(|length: usize| length == rest.len());
        answer.pieces = vec![rest.to_vec()];
    }
    Some(answer)
}

/// The pieces of a message in chunks, and whether its end came.
fn chunks(mut rest: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let mut pieces = Vec::new();
    loop {
        let Some(end_of_size) = rest.windows(2).position(|two| two == b"\r\n") else {
            return (pieces, false);
        };
        let size = std::str::from_utf8(&rest[..end_of_size]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        rest = &rest[end_of_size + 2..];
        if size == 0 {
            return (pieces, true);
        }
        if rest.len() < size + 2 {
            pieces.push(rest[..size.min(rest.len())].to_vec());
            return (pieces, false);
        }
        pieces.push(rest[..size].to_vec());
        rest = &rest[size + 2..];
    }
}
