//! The fields of answers as servers send them, whole or in chunks: the two differ only in `message` against `delta`.

use std::borrow::Cow;

use mainstay_domain::chat::Extra;
use serde::de::MapAccess;
use serde_json::Value;

use super::usage::UsageFields;
use crate::json::read::{self, Fields};

/// An answer, or a chunk of one.
#[derive(Default, Debug)]
pub(crate) struct AnswerFields<'a> {
    pub(crate) id: Option<Cow<'a, str>>,
    pub(crate) object: Option<Cow<'a, str>>,
    pub(crate) created: Option<i64>,
    pub(crate) model: Option<Cow<'a, str>>,
    pub(crate) system_fingerprint: Option<Cow<'a, str>>,
    pub(crate) service_tier: Option<Cow<'a, str>>,
    pub(crate) choices: Vec<ChoiceFields<'a>>,
    pub(crate) usage: Option<UsageFields>,
    pub(crate) error: Option<Value>,
    pub(crate) extra: Extra,
}

impl<'de> Fields<'de> for AnswerFields<'de> {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "id" => self.id = read::text(object)?,
            "object" => self.object = read::text(object)?,
            "created" => self.created = read::seconds(object)?,
            "model" => self.model = read::text(object)?,
            // In every chunk, needed once: kept out of the map.
            "system_fingerprint" => self.system_fingerprint = read::text(object)?,
            "service_tier" => self.service_tier = read::text(object)?,
            "choices" => self.choices = read::objects(object)?,
            "usage" => self.usage = read::object(object)?,
            "error" => self.error = object.next_value()?,
            // Padding against attackers who measure lengths; means nothing on another connection.
            "obfuscation" => read::skip(object)?,
            _ => read::keep(&mut self.extra, name, object)?,
        }
        Ok(())
    }
}

impl AnswerFields<'_> {
    /// The fields without a meaning here.
    pub(crate) fn take_extra(&mut self) -> Extra {
        let mut extra = std::mem::take(&mut self.extra);
        for (name, text) in [
            ("system_fingerprint", self.system_fingerprint.take()),
            ("service_tier", self.service_tier.take()),
        ] {
            if let Some(text) = text {
                extra.insert(name.to_owned(), Value::String(text.into_owned()));
            }
        }
        extra
    }

    /// The error object, in the forms in which servers send one with status 200.
    pub(crate) fn take_error(&mut self) -> Option<Value> {
        match self.error.take() {
            Some(error) if !error.is_null() => Some(error),
            _ if self.object.as_deref() == Some("error") => {
                Some(Value::Object(std::mem::take(&mut self.extra)))
            }
            _ => None,
        }
    }
}

/// One of the alternatives.
#[derive(Default, Debug)]
pub(crate) struct ChoiceFields<'a> {
    pub(crate) index: u64,
    pub(crate) message: MessageFields,
    pub(crate) finish_reason: Option<Cow<'a, str>>,
    pub(crate) logprobs: Option<Value>,
}

impl<'de> Fields<'de> for ChoiceFields<'de> {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "index" => self.index = read::count(object)?.unwrap_or(0),
            "delta" | "message" => self.message = read::object(object)?.unwrap_or_default(),
            "finish_reason" => self.finish_reason = read::text(object)?.filter(|reason| !reason.is_empty()),
            "logprobs" => self.logprobs = object.next_value()?,
            _ => read::skip(object)?,
        }
        Ok(())
    }
}

/// A message, or a piece of one.
#[derive(Default, Debug)]
pub(crate) struct MessageFields {
    pub(crate) text: Option<String>,
    pub(crate) refusal: Option<String>,
    pub(crate) reasoning: Option<String>,
    pub(crate) tool_calls: Vec<ToolCallFields>,
    pub(crate) extra: Extra,
}

impl<'de> Fields<'de> for MessageFields {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "role" => read::skip(object)?,
            "content" => match object.next_value()? {
                Value::Null => {}
                Value::String(text) => self.text = Some(text),
                parts => self.read_parts(&parts),
            },
            "refusal" => self.refusal = read::string(object)?,
            // DeepSeek, Qwen and older vLLM; OpenRouter, Groq, Ollama and newer vLLM. Some send both.
            "reasoning_content" | "reasoning" => {
                let reasoning = read::string(object)?;
                self.reasoning = self.reasoning.take().filter(|text| !text.is_empty()).or(reasoning);
            }
            "tool_calls" => self.tool_calls = read::objects(object)?,
            _ => read::keep(&mut self.extra, name, object)?,
        }
        Ok(())
    }
}

impl MessageFields {
    /// Content in parts, as Mistral's reasoning models answer.
    fn read_parts(&mut self, parts: &Value) {
        for part in parts.as_array().into_iter().flatten() {
            if let Some(text) = part["text"].as_str() {
                self.text.get_or_insert_default().push_str(text);
            }
            for thought in part["thinking"].as_array().into_iter().flatten() {
                if let Some(text) = thought["text"].as_str() {
                    self.reasoning.get_or_insert_default().push_str(text);
                }
            }
        }
    }
}

/// A tool call, or a fragment of one.
#[derive(Default, Debug)]
pub(crate) struct ToolCallFields {
    pub(crate) index: Option<u64>,
    pub(crate) id: Option<String>,
    pub(crate) function: FunctionFields,
    pub(crate) extra: Extra,
}

impl<'de> Fields<'de> for ToolCallFields {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "index" => self.index = read::count(object)?,
            "id" => self.id = read::nonempty(object)?,
            "type" => {
                if read::text(object)?.as_deref() == Some("custom") {
                    self.extra.insert("type".to_owned(), Value::from("custom"));
                }
            }
            "function" | "custom" => self.function = read::object(object)?.unwrap_or_default(),
            _ => read::keep(&mut self.extra, name, object)?,
        }
        Ok(())
    }
}

/// What is called.
#[derive(Default, Debug)]
pub(crate) struct FunctionFields {
    pub(crate) name: Option<String>,
    pub(crate) arguments: String,
}

impl<'de> Fields<'de> for FunctionFields {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "name" => self.name = read::nonempty(object)?,
            "arguments" | "input" => {
                self.arguments = match object.next_value()? {
                    Value::Null => String::new(),
                    Value::String(text) => text,
                    // Some servers send the object itself.
                    other => other.to_string(),
                }
            }
            _ => read::skip(object)?,
        }
        Ok(())
    }
}
