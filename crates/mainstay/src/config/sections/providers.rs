//! `[providers.<name>]`: who runs the models.

use std::collections::BTreeMap;

use mainstay_domain::RegionName;
use mainstay_domain::config::{
    BaseUrl, ConfigValue, Findings, HumanDuration, KeyPath, SecretRef, ValueError, deserialize_value,
};
use mainstay_providers::http::Timeouts;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use super::model_name::BUILTIN;
use super::residency::checked_region;
use super::rules::{check_name, positive};

/// A provider of models.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawProvider {
    /// What the provider speaks; needed unless the provider is named openai, anthropic, gemini, cohere or jina.
    kind: Option<ProviderKind>,
    /// Where its API begins; needed for openai-compatible and tei, a proxy or region for the others.
    #[schemars(example = "http://localhost:11434/v1")]
    base_url: Option<BaseUrl>,
    /// Where the API key is found: never the key itself.
    #[schemars(example = "env:OPENAI_API_KEY")]
    api_key: Option<SecretRef>,
    /// How long to wait for each step of a call.
    timeouts: RawTimeouts,
    /// Headers that every call carries; a secret among them as env:NAME or file:PATH.
    headers: BTreeMap<String, HeaderText>,
    /// The models that /v1/models lists; others work too.
    #[schemars(example = ["gpt-4o-mini", "gpt-4o"], extend("uniqueItems" = true), length(min = 1), inner(length(min = 1)))]
    models: Option<Vec<String>>,
    /// Where it works on what it is sent, for tenants whose data has to stay in a region.
    #[schemars(example = "eu-west-1")]
    region: Option<String>,
    /// Where the vLLM behind it tells its metrics: how many requests wait there and how full its memory is becomes backpressure here.
    #[schemars(example = "http://localhost:8000/metrics")]
    engine_metrics: Option<BaseUrl>,
}

/// What a provider speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ProviderKind {
    /// OpenAI's own API.
    Openai,
    /// Anthropic's API.
    Anthropic,
    /// Google's Gemini API.
    Gemini,
    /// OpenAI's API as others speak it: vLLM, Ollama, llama.cpp and more.
    OpenaiCompatible,
    /// Cohere's API, for reranking.
    Cohere,
    /// Jina's API, for reranking.
    Jina,
    /// Hugging Face's text-embeddings-inference, for reranking.
    Tei,
}

impl ProviderKind {
    /// All of them.
    pub(crate) const ALL: [Self; 7] = [
        Self::Openai,
        Self::Anthropic,
        Self::Gemini,
        Self::OpenaiCompatible,
        Self::Cohere,
        Self::Jina,
        Self::Tei,
    ];

    /// The kind as the file writes it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::OpenaiCompatible => "openai-compatible",
            Self::Cohere => "cohere",
            Self::Jina => "jina",
            Self::Tei => "tei",
        }
    }

    /// Whether it has rerankers and nothing else.
    pub(crate) const fn only_reranks(self) -> bool {
        matches!(self, Self::Cohere | Self::Jina | Self::Tei)
    }

    /// Whether it has rerankers.
    pub(crate) const fn reranks(self) -> bool {
        self.only_reranks() || matches!(self, Self::OpenaiCompatible)
    }

    /// Whether it has no place of its own.
    const fn needs_base_url(self) -> bool {
        matches!(self, Self::OpenaiCompatible | Self::Tei)
    }

    /// The kind that a provider of this name has where none is written.
    fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| !kind.needs_base_url() && kind.as_str() == name)
    }
}

impl From<ProviderKind> for mainstay_providers::ProviderKind {
    fn from(kind: ProviderKind) -> Self {
        match kind {
            ProviderKind::Openai => Self::OpenAi,
            ProviderKind::Anthropic => Self::Anthropic,
            ProviderKind::Gemini => Self::Gemini,
            ProviderKind::OpenaiCompatible => Self::OpenAiCompatible,
            ProviderKind::Cohere => Self::Cohere,
            ProviderKind::Jina => Self::Jina,
            ProviderKind::Tei => Self::Tei,
        }
    }
}

/// How long to wait for each step of a call.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
struct RawTimeouts {
    /// Name resolution, TCP and TLS.
    #[schemars(example = "5s")]
    connect: Option<HumanDuration>,
    /// From the request's last byte to the response's headers, of a streamed answer.
    #[schemars(example = "60s")]
    headers: Option<HumanDuration>,
    /// From the headers to the first token of a streamed answer; a model may reason before it.
    #[schemars(example = "2m")]
    first_token: Option<HumanDuration>,
    /// Between two pieces of an answer.
    #[schemars(example = "60s")]
    idle: Option<HumanDuration>,
    /// The whole call; the request's own deadline holds too.
    #[schemars(example = "10m")]
    total: Option<HumanDuration>,
}

/// A provider of models, checked.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Provider {
    /// What it speaks.
    pub(crate) kind: ProviderKind,
    /// Where its API begins; there is one whenever the kind has no place of its own.
    pub(crate) base_url: Option<BaseUrl>,
    /// Where the API key is found.
    pub(crate) api_key: Option<SecretRef>,
    /// How long to wait for each step of a call; none is zero.
    pub(crate) timeouts: Timeouts,
    /// Headers that every call carries.
    pub(crate) headers: BTreeMap<String, HeaderText>,
    /// The models that are listed.
    pub(crate) models: Vec<String>,
    /// Where it works on what it is sent.
    pub(crate) region: Option<RegionName>,
    /// Where the engine behind it tells its metrics.
    pub(crate) engine_metrics: Option<BaseUrl>,
}

impl RawProvider {
    /// The section, checked.
    pub(crate) fn check(self, at: &KeyPath, findings: &mut Findings) -> Provider {
        check_name(at, findings);
        let name = at.last_key().unwrap_or_default();
        if name == BUILTIN {
            let hint = "builtin/extractive and builtin/static need no configuration: take another name";
            findings.report_key(at, "the name \"builtin\" is taken", hint);
        }
        let kind = self.kind.or_else(|| ProviderKind::of_name(name));
        if kind.is_none() {
            let kinds = ProviderKind::ALL.map(|kind| format!("{:?}", kind.as_str())).join(", ");
            let hint = format!("say what {name} speaks: kind = one of {kinds}");
            findings.report(&at.key("kind"), "the kind is missing", hint);
        }
        check_base_url(kind, self.base_url.as_ref(), at, findings);
        check_api_key(kind, self.api_key.as_ref(), at, findings);
        for (name, text) in &self.headers {
            check_header(name, text, &at.key("headers").key(name), findings);
        }
        Provider {
            kind: kind.unwrap_or(ProviderKind::OpenaiCompatible),
            base_url: self.base_url,
            api_key: self.api_key,
            timeouts: self.timeouts.check(&at.key("timeouts"), findings),
            headers: self.headers,
            models: self.models.unwrap_or_default(),
            region: self.region.and_then(|region| checked_region(region, &at.key("region"), findings)),
            engine_metrics: self.engine_metrics,
        }
    }
}

fn check_base_url(kind: Option<ProviderKind>, url: Option<&BaseUrl>, at: &KeyPath, findings: &mut Findings) {
    let key = at.key("base_url");
    let Some(url) = url else {
        if kind.is_some_and(ProviderKind::needs_base_url) {
            let hint = "say where its API begins. For example: base_url = \"http://localhost:11434/v1\"";
            findings.report(&key, "the base URL is missing", hint);
        }
        return;
    };
    let endpoint = ["/chat/completions", "/messages", "/embeddings", "/responses", "/rerank"]
        .into_iter()
        .find(|endpoint| url.path().ends_with(endpoint));
    if let Some(endpoint) = endpoint {
        let base = url.as_str().trim_end_matches(endpoint);
        findings.report(
            &key,
            "this is an endpoint, not the base of all",
            format!("write base_url = {base:?}"),
        );
    }
}

/// The known providers take no call without a key.
fn check_api_key(
    kind: Option<ProviderKind>,
    api_key: Option<&SecretRef>,
    at: &KeyPath,
    findings: &mut Findings,
) {
    let usual_variable = match kind {
        Some(ProviderKind::Openai) => "OPENAI_API_KEY",
        Some(ProviderKind::Anthropic) => "ANTHROPIC_API_KEY",
        Some(ProviderKind::Gemini) => "GEMINI_API_KEY",
        Some(ProviderKind::Cohere) => "CO_API_KEY",
        Some(ProviderKind::Jina) => "JINA_API_KEY",
        Some(ProviderKind::OpenaiCompatible | ProviderKind::Tei) | None => return,
    };
    if api_key.is_none() {
        let hint = format!("say where the key is found. For example: api_key = \"env:{usual_variable}\"");
        findings.report(&at.key("api_key"), "the API key is missing", hint);
    }
}

/// Headers that describe the body or the connection.
const OWN_HEADERS: [&str; 6] =
    ["accept-encoding", "connection", "content-length", "content-type", "host", "transfer-encoding"];

fn check_header(name: &str, text: &HeaderText, at: &KeyPath, findings: &mut Findings) {
    let is_name_byte = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(is_name_byte) {
        let hint = "letters, digits and dashes. For example: \"X-Team\" = \"support\"";
        findings.report_key(at, "this cannot be the name of a header", hint);
    } else if OWN_HEADERS.iter().any(|own| name.eq_ignore_ascii_case(own)) {
        findings.report_key(at, "Mainstay sets this header itself", "take it out");
    } else if text.is_plain() && is_sensitive_header(name) {
        findings.conceal_value(at);
        findings.report(
            at,
            "a secret must not stand in this file: say where it is, as \"env:NAME\" or \"file:PATH\"",
            format!("set an environment variable to the whole value of the header. For example: {name} = \"env:PROXY_AUTHORIZATION\""),
        );
    }
}

/// Whether headers of this name carry credentials.
fn is_sensitive_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["authorization", "key", "token", "secret", "password", "cookie"].iter().any(|word| name.ends_with(word))
}

impl RawTimeouts {
    fn check(self, at: &KeyPath, findings: &mut Findings) -> Timeouts {
        let defaults = Timeouts::default();
        Timeouts {
            connect: positive(self.connect, defaults.connect, &at.key("connect"), findings),
            headers: positive(self.headers, defaults.headers, &at.key("headers"), findings),
            first_token: positive(self.first_token, defaults.first_token, &at.key("first_token"), findings),
            idle: positive(self.idle, defaults.idle, &at.key("idle"), findings),
            total: positive(self.total, defaults.total, &at.key("total"), findings),
        }
    }
}

/// The value of a header: text, or where a secret is found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum HeaderText {
    /// The text itself.
    Plain(String),
    /// Where the text is found.
    Secret(SecretRef),
}

impl HeaderText {
    fn is_plain(&self) -> bool {
        matches!(self, Self::Plain(_))
    }
}

impl ConfigValue for HeaderText {
    const EXPECTED: &'static str =
        "the text of a header, or where it is found, such as \"env:PROXY_AUTHORIZATION\"";

    fn from_text(text: &str) -> Result<Self, ValueError> {
        if text.starts_with("env:") || text.starts_with("file:") {
            return SecretRef::from_text(text).map(Self::Secret);
        }
        if text.is_empty() || text.bytes().any(|b| !(b' '..=b'~').contains(&b)) {
            return Err(ValueError::Refused("a header's text is printable ASCII and not empty"));
        }
        Ok(Self::Plain(text.to_owned()))
    }

    fn from_number(_: f64) -> Result<Self, ValueError> {
        Err(ValueError::Refused("a header's text stands in quotes"))
    }
}

impl<'de> Deserialize<'de> for HeaderText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_value(deserializer)
    }
}

impl JsonSchema for HeaderText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HeaderText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 1,
            "x-value": "header",
            "description": "The text of the header, or where it is found.",
            "examples": ["support", "env:PROXY_AUTHORIZATION"],
        })
    }
}
