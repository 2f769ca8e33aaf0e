//! The fields of an answer, which are also those of a stream's chunk.

use std::borrow::Cow;

use mainstay_domain::Usage;
use serde::de::MapAccess;
use serde_json::Value;

use super::error;
use crate::error::UpstreamError;
use crate::json::read::{self, Fields};
use mainstay_domain::ModelErrorKind;

/// An answer, or a chunk of one.
#[derive(Default)]
pub(crate) struct AnswerFields<'a> {
    pub(crate) id: Option<Cow<'a, str>>,
    pub(crate) model: Option<Cow<'a, str>>,
    pub(crate) candidates: Vec<CandidateFields<'a>>,
    pub(crate) usage: Option<UsageFields>,
    feedback: FeedbackFields<'a>,
    error: Option<Value>,
}

impl<'de> Fields<'de> for AnswerFields<'de> {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "responseId" => self.id = read::text(object)?,
            "modelVersion" => self.model = read::text(object)?,
            "candidates" => self.candidates = read::objects(object)?,
            "usageMetadata" => self.usage = read::object(object)?,
            "promptFeedback" => self.feedback = read::object(object)?.unwrap_or_default(),
            "error" => self.error = object.next_value()?,
            _ => read::skip(object)?,
        }
        Ok(())
    }
}

impl AnswerFields<'_> {
    /// The failure that an answer with status 200 can be: an error object, or a prompt that the safety filter blocked.
    pub(crate) fn failure(&self) -> Option<UpstreamError> {
        if let Some(error) = self.error.as_ref().filter(|error| !error.is_null()) {
            return Some(error::read(error, None));
        }
        let reason = self.feedback.block_reason.as_deref()?;
        Some(UpstreamError {
            code: Some(reason.to_owned()),
            ..UpstreamError::new(
                ModelErrorKind::ContentFilter,
                format!("the provider's safety filter blocked the prompt ({reason})"),
            )
        })
    }
}

#[derive(Default)]
struct FeedbackFields<'a> {
    block_reason: Option<Cow<'a, str>>,
}

impl<'de> Fields<'de> for FeedbackFields<'de> {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "blockReason" => self.block_reason = read::text(object)?,
            _ => read::skip(object)?,
        }
        Ok(())
    }
}

/// One of the alternatives.
#[derive(Default)]
pub(crate) struct CandidateFields<'a> {
    pub(crate) index: u64,
    pub(crate) content: ContentFields,
    pub(crate) finish_reason: Option<Cow<'a, str>>,
}

impl<'de> Fields<'de> for CandidateFields<'de> {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "index" => self.index = read::count(object)?.unwrap_or(0),
            "content" => self.content = read::object(object)?.unwrap_or_default(),
            "finishReason" => self.finish_reason = read::text(object)?.filter(|reason| !reason.is_empty()),
            _ => read::skip(object)?,
        }
        Ok(())
    }
}

#[derive(Default)]
pub(crate) struct ContentFields {
    pub(crate) parts: Vec<PartFields>,
}

impl<'de> Fields<'de> for ContentFields {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "parts" => self.parts = read::objects(object)?,
            _ => read::skip(object)?,
        }
        Ok(())
    }
}

/// A piece of content: one of text, call and data, each perhaps with a signature.
#[derive(Default)]
pub(crate) struct PartFields {
    pub(crate) text: Option<String>,
    /// The text is the model's reasoning.
    pub(crate) thought: bool,
    pub(crate) call: Option<CallFields>,
    pub(crate) data: Option<DataFields>,
    pub(crate) signature: Option<String>,
}

impl<'de> Fields<'de> for PartFields {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "text" => self.text = read::nonempty(object)?,
            "thought" => self.thought = object.next_value::<Option<bool>>()?.unwrap_or(false),
            "functionCall" => self.call = read::object(object)?,
            "inlineData" => self.data = read::object(object)?,
            "thoughtSignature" => self.signature = read::nonempty(object)?,
            // Code that the provider ran itself, and its output: the text says what came of it.
            _ => read::skip(object)?,
        }
        Ok(())
    }
}

#[derive(Default)]
pub(crate) struct CallFields {
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) args: Option<Value>,
}

impl<'de> Fields<'de> for CallFields {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "id" => self.id = read::nonempty(object)?,
            "name" => self.name = read::string(object)?.unwrap_or_default(),
            "args" => self.args = object.next_value()?,
            _ => read::skip(object)?,
        }
        Ok(())
    }
}

#[derive(Default)]
pub(crate) struct DataFields {
    pub(crate) media_type: String,
    pub(crate) data: String,
}

impl<'de> Fields<'de> for DataFields {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "mimeType" => self.media_type = read::string(object)?.unwrap_or_default(),
            "data" => self.data = read::string(object)?.unwrap_or_default(),
            _ => read::skip(object)?,
        }
        Ok(())
    }
}

/// Token counts: the prompt's contains the cached ones, the candidates' leaves out the thoughts.
#[derive(Default)]
pub(crate) struct UsageFields {
    prompt: u64,
    tool_prompt: u64,
    cached: u64,
    candidates: u64,
    thoughts: u64,
}

impl<'de> Fields<'de> for UsageFields {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        let place = match name {
            "promptTokenCount" => &mut self.prompt,
            "toolUsePromptTokenCount" => &mut self.tool_prompt,
            "cachedContentTokenCount" => &mut self.cached,
            "candidatesTokenCount" => &mut self.candidates,
            "thoughtsTokenCount" => &mut self.thoughts,
            _ => return read::skip(object),
        };
        *place = read::count(object)?.unwrap_or(0);
        Ok(())
    }
}

impl UsageFields {
    pub(crate) fn usage(&self) -> Usage {
        Usage {
            prompt: self.prompt.saturating_add(self.tool_prompt),
            cache_read: self.cached,
            cache_write: 0,
            completion: self.candidates.saturating_add(self.thoughts),
            reasoning: self.thoughts,
        }
    }
}
