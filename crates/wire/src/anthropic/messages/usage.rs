//! Token counts in Anthropic's shape, where `input_tokens` leaves out what was read from and written to the cache.

use mainstay_domain::Usage;
use mainstay_domain::chat::Extra;
use serde::de::MapAccess;

use crate::json::read::{self, Fields};
use crate::json::write::Object;

/// A `usage` object as the provider sends it. Fields that are absent (or null) leave what an earlier event said.
#[derive(Clone, Default, Debug)]
pub(crate) struct UsageFields {
    input: Option<u64>,
    cache_write: Option<u64>,
    cache_read: Option<u64>,
    output: Option<u64>,
    pub(crate) extra: Extra,
}

impl<'de> Fields<'de> for UsageFields {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "input_tokens" => self.input = read::count(object)?,
            "cache_creation_input_tokens" => self.cache_write = read::count(object)?,
            "cache_read_input_tokens" => self.cache_read = read::count(object)?,
            "output_tokens" => self.output = read::count(object)?,
            _ => read::keep(&mut self.extra, name, object)?,
        }
        Ok(())
    }
}

impl UsageFields {
    /// Takes over the counts of a later event, which are totals and not additions.
    pub(crate) fn update(&mut self, later: Self) {
        self.input = later.input.or(self.input);
        self.cache_write = later.cache_write.or(self.cache_write);
        self.cache_read = later.cache_read.or(self.cache_read);
        self.output = later.output.or(self.output);
        self.extra.extend(later.extra);
    }

    /// Whether anything was counted.
    pub(crate) fn is_known(&self) -> bool {
        self.input.is_some() || self.output.is_some()
    }

    pub(crate) fn usage(&self) -> Usage {
        let cache_read = self.cache_read.unwrap_or(0);
        let cache_write = self.cache_write.unwrap_or(0);
        Usage {
            prompt: self.input.unwrap_or(0).saturating_add(cache_read).saturating_add(cache_write),
            cache_read,
            cache_write,
            completion: self.output.unwrap_or(0),
            reasoning: 0,
        }
    }
}

/// Writes a `usage` object; `extra` are the provider's own fields of it.
pub(crate) fn encode_usage(usage: &Usage, extra: Option<&Extra>, mut out: Object<'_>) {
    out.integer(
        "input_tokens",
        usage.prompt.saturating_sub(usage.cache_read).saturating_sub(usage.cache_write),
    );
    out.integer("cache_creation_input_tokens", usage.cache_write);
    out.integer("cache_read_input_tokens", usage.cache_read);
    out.integer("output_tokens", usage.completion);
    if let Some(extra) = extra {
        out.extra(extra);
    }
}
