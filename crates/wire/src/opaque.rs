//! Content parts that the canonical types carry as they were sent, read so that another dialect can have what has an
//! exact counterpart there: files, sound, refusals.

use mainstay_domain::chat::{Dialect, ImageSource};
use serde_json::Value;

/// What an opaque part is.
pub(crate) enum OpaquePart<'a> {
    /// Text.
    Text(&'a str),
    /// A file in the request.
    File {
        media_type: &'a str,
        /// Base64.
        data: &'a str,
        name: Option<&'a str>,
    },
    /// Sound in the request.
    Audio {
        /// `wav`, `mp3`.
        format: &'a str,
        /// Base64.
        data: &'a str,
    },
    /// A model's own reasoning with its signature, which only that model's provider can read: other providers are to
    /// get the conversation without it, as that provider's own rules for a change of model say.
    Reasoning,
    /// Something without a counterpart; its `type`.
    Unknown(&'a str),
}

impl<'a> OpaquePart<'a> {
    /// Reads a part that was sent in `dialect`.
    pub(crate) fn read(part: &'a Value, dialect: Dialect) -> Self {
        let kind = part["type"].as_str().unwrap_or_default();
        let known = match dialect {
            Dialect::OpenAi => openai(part, kind),
            Dialect::Anthropic => anthropic(part, kind),
            Dialect::Gemini => None,
        };
        known.unwrap_or(Self::Unknown(kind))
    }
}

fn openai<'a>(part: &'a Value, kind: &str) -> Option<OpaquePart<'a>> {
    match kind {
        "refusal" => part["refusal"].as_str().map(OpaquePart::Text),
        "file" => {
            let file = &part["file"];
            let (media_type, data) = split_data_url(file["file_data"].as_str()?)?;
            Some(OpaquePart::File { media_type, data, name: file["filename"].as_str() })
        }
        "input_audio" => {
            let audio = &part["input_audio"];
            Some(OpaquePart::Audio { format: audio["format"].as_str()?, data: audio["data"].as_str()? })
        }
        _ => None,
    }
}

fn anthropic<'a>(part: &'a Value, kind: &str) -> Option<OpaquePart<'a>> {
    match kind {
        "thinking" | "redacted_thinking" => Some(OpaquePart::Reasoning),
        "document" => {
            let source = &part["source"];
            match source["type"].as_str()? {
                "text" => source["data"].as_str().map(OpaquePart::Text),
                "base64" => Some(OpaquePart::File {
                    media_type: source["media_type"].as_str()?,
                    data: source["data"].as_str()?,
                    name: part["title"].as_str(),
                }),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The media type and the Base64 data of a `data:` URL.
pub(crate) fn split_data_url(url: &str) -> Option<(&str, &str)> {
    url.strip_prefix("data:")?.split_once(";base64,")
}

/// A picture's URL as a source: `data:` URLs hold the picture itself.
pub(crate) fn image_source(url: String) -> ImageSource {
    match split_data_url(&url) {
        Some((media_type, data)) => {
            ImageSource::Base64 { media_type: media_type.to_owned(), data: data.to_owned() }
        }
        None => ImageSource::Url(url),
    }
}
