//! Providers of every kind, with a stand-in behind a pipe within the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use hyper_util::rt::TokioIo;
use mainstay_domain::chat::{ChatEvent, ChatRequest, FinishReason, Message, Role, Tool};
use mainstay_domain::config::Secret;
use mainstay_domain::port::{ChatModel, ChatStream, ModelCall};
use mainstay_domain::{Clock, Deadline, ModelError, Usage};
use mainstay_provider_sim::StandIn;
use mainstay_providers::http::{Dial, Dialling, Link, Timeouts};
use mainstay_providers::{Provider, ProviderKind, ProviderOptions, ProviderSettings};
use serde_json::json;

/// The kinds that answer conversations.
pub(crate) const CHAT_KINDS: [ProviderKind; 4] =
    [ProviderKind::OpenAi, ProviderKind::Anthropic, ProviderKind::Gemini, ProviderKind::OpenAiCompatible];

/// Dials a stand-in within the process.
pub(crate) struct Pipes {
    pub(crate) stand_in: Arc<StandIn>,
    pub http2: bool,
    pub(crate) dialled: AtomicUsize,
}

impl Dial for Pipes {
    fn dial(&self, _: http::Uri) -> Dialling {
        self.dialled.fetch_add(1, Ordering::Relaxed);
        let pipe = TokioIo::new(self.stand_in.pipe());
        let link = if self.http2 { Link::http2(pipe) } else { Link::http1(pipe) };
        Box::pin(async move { Ok(link) })
    }
}

/// A provider of the kind, in front of a stand-in.
pub(crate) struct Bench {
    pub(crate) kind: ProviderKind,
    pub(crate) stand_in: Arc<StandIn>,
    pub(crate) pipes: Arc<Pipes>,
    pub(crate) provider: Provider,
    pub(crate) chat: Arc<dyn ChatModel>,
    pub(crate) clock: Clock,
}

impl Bench {
    pub(crate) fn new(kind: ProviderKind) -> Self {
        Self::with(kind, false, |_| {})
    }

    pub(crate) fn with(kind: ProviderKind, http2: bool, change: impl FnOnce(&mut ProviderOptions)) -> Self {
        let stand_in = Arc::new(StandIn::new());
        let clock = Clock::starting_at(mainstay_domain::Timestamp::from_micros(1_764_000_000_000_000));
        let pipes = Arc::new(Pipes { stand_in: stand_in.clone(), http2, dialled: AtomicUsize::new(0) });
        let settings = settings(kind, "http://stand-in", change);
        let provider = Provider::new(settings, pipes.clone(), clock);
        let chat = provider.chat().expect("the kind answers");
        Self { kind, stand_in, pipes, provider, chat, clock }
    }

    pub(crate) fn call(&self, request: ChatRequest) -> ModelCall {
        ModelCall {
            model: "the-model".to_owned(),
            request,
            passages: Vec::new(),
            deadline: Deadline::after(&self.clock, Duration::from_secs(3_600)),
            region: None,
        }
    }

    pub(crate) async fn stream(&self, request: ChatRequest) -> Result<Collected, ModelError> {
        collect(self.chat.stream(self.call(request)).await?).await
    }

    /// The body of the last request that the stand-in got.
    pub(crate) fn last_body(&self) -> serde_json::Value {
        self.stand_in.records().last().pop().expect("there was a request").body
    }
}

pub(crate) fn settings(
    kind: ProviderKind,
    origin: &str,
    change: impl FnOnce(&mut ProviderOptions),
) -> ProviderSettings {
    let path = match kind {
        ProviderKind::OpenAi => "/openai/v1",
        ProviderKind::OpenAiCompatible => "/compatible/v1",
        ProviderKind::Anthropic => "/anthropic",
        ProviderKind::Gemini => "/gemini",
        ProviderKind::Cohere => "/cohere",
        ProviderKind::Jina => "/jina",
        ProviderKind::Tei => "/tei",
    };
    let mut options = ProviderOptions {
        base_url: Some(format!("{origin}{path}").parse().expect("a URL")),
        api_key: Some(Secret::new("key")),
        timeouts: TIMEOUTS,
        ..ProviderOptions::new("p", kind)
    };
    change(&mut options);
    ProviderSettings::check(options).expect("the settings are in order")
}

/// All different, so that a test sees which one fired.
pub(crate) const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(3),
    headers: Duration::from_secs(7),
    first_token: Duration::from_secs(23),
    idle: Duration::from_secs(11),
    total: Duration::from_secs(101),
};

/// A question.
pub(crate) fn question(text: &str) -> ChatRequest {
    ChatRequest { messages: vec![Message::text(Role::User, text)], ..ChatRequest::default() }
}

/// A tool with one argument.
pub(crate) fn weather() -> Tool {
    Tool::Function {
        name: "weather".to_owned(),
        description: Some("The weather in a city".to_owned()),
        parameters: Some(json!({
            "type": "object",
            "properties": { "city": { "type": "string" } },
            "required": ["city"],
        })),
        strict: None,
        extra: Default::default(),
    }
}

/// What a stream said.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) starts: usize,
    pub(crate) model: String,
    pub(crate) text: String,
    pub(crate) pieces: usize,
    pub(crate) finishes: Vec<FinishReason>,
    pub(crate) usages: Vec<Usage>,
    /// Id, name and arguments of each call.
    pub(crate) calls: Vec<(String, String, String)>,
    /// The most fragments that one call's arguments came in.
    pub(crate) fragments: usize,
}

pub(crate) async fn collect(mut stream: ChatStream) -> Result<Collected, ModelError> {
    let mut collected = Collected::default();
    let mut fragments: Vec<usize> = Vec::new();
    while let Some(event) = stream.next().await {
        match event? {
            ChatEvent::Start(start) => {
                collected.starts += 1;
                collected.model = start.model;
            }
            ChatEvent::Usage(usage) => collected.usages.push(usage),
            ChatEvent::Ping => {}
            ChatEvent::Delta(delta) => {
                if let Some(text) = &delta.text {
                    collected.text.push_str(text);
                    collected.pieces += 1;
                }
                collected.finishes.extend(delta.finish);
                for call in delta.tool_calls {
                    let index = call.index as usize;
                    if collected.calls.len() <= index {
                        collected.calls.resize(index + 1, Default::default());
                        fragments.resize(index + 1, 0);
                    }
                    let entry = &mut collected.calls[index];
                    entry.0.extend(call.id);
                    entry.1.extend(call.name);
                    entry.2.push_str(&call.arguments);
                    fragments[index] += usize::from(!call.arguments.is_empty());
                }
            }
        }
    }
    collected.fragments = fragments.into_iter().max().unwrap_or(0);
    Ok(collected)
}
