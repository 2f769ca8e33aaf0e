//! Token counts in OpenAI's shape, where `prompt_tokens` contains the cached ones.

use mainstay_domain::Usage;
use serde::de::MapAccess;

use crate::json::read::{self, Fields};
use crate::json::write::Object;

/// The `usage` object as a provider sends it.
#[derive(Default, Debug)]
pub(crate) struct UsageFields {
    prompt: u64,
    completion: u64,
    total: u64,
    prompt_details: DetailFields,
    completion_details: DetailFields,
}

impl<'de> Fields<'de> for UsageFields {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "prompt_tokens" => self.prompt = read::count(object)?.unwrap_or(0),
            "completion_tokens" => self.completion = read::count(object)?.unwrap_or(0),
            "total_tokens" => self.total = read::count(object)?.unwrap_or(0),
            "prompt_tokens_details" => self.prompt_details = read::object(object)?.unwrap_or_default(),
            "completion_tokens_details" => {
                self.completion_details = read::object(object)?.unwrap_or_default()
            }
            // DeepSeek's name for it.
            "prompt_cache_hit_tokens" => self.prompt_details.cached = read::count(object)?.unwrap_or(0),
            _ => read::skip(object)?,
        }
        Ok(())
    }
}

impl UsageFields {
    pub(crate) fn usage(&self) -> Usage {
        let reasoning = self.completion_details.reasoning;
        // xAI counts reasoning beside the completion, everybody else as part of it.
        let beside = reasoning > 0
            && (reasoning > self.completion
                || self.total == self.prompt.saturating_add(self.completion).saturating_add(reasoning));
        Usage {
            prompt: self.prompt,
            cache_read: self.prompt_details.cached,
            cache_write: self.prompt_details.cache_write,
            completion: if beside { self.completion.saturating_add(reasoning) } else { self.completion },
            reasoning,
        }
    }
}

#[derive(Default, Debug)]
struct DetailFields {
    cached: u64,
    cache_write: u64,
    reasoning: u64,
}

impl<'de> Fields<'de> for DetailFields {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "cached_tokens" => self.cached = read::count(object)?.unwrap_or(0),
            "cache_write_tokens" => self.cache_write = read::count(object)?.unwrap_or(0),
            "reasoning_tokens" => self.reasoning = read::count(object)?.unwrap_or(0),
            _ => read::skip(object)?,
        }
        Ok(())
    }
}

/// Writes the fields of a `usage` object.
pub(crate) fn encode_usage(usage: &Usage, mut out: Object<'_>) {
    out.integer("prompt_tokens", usage.prompt);
    out.integer("completion_tokens", usage.completion);
    out.integer("total_tokens", usage.total());
    {
        let mut details = out.object("prompt_tokens_details");
        details.integer("cached_tokens", usage.cache_read);
        // Not OpenAI's, whose cache is written for free: only where a provider charges for it.
        if usage.cache_write > 0 {
            details.integer("cache_write_tokens", usage.cache_write);
        }
    }
    out.object("completion_tokens_details").integer("reasoning_tokens", usage.reasoning);
}
