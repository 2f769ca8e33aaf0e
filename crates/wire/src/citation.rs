//! Citations in the shapes of callers: OpenAI's `url_citation` annotation and Anthropic's `search_result_location`,
//! each with Mainstay's own fields beside the official ones.

use mainstay_domain::Citation;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::json::write::Object;

/// All but RFC 3986's unreserved characters: a document's id may contain slashes.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where the cited bytes can be fetched, relative to the server: `end` is one past the last byte.
fn url(citation: &Citation) -> String {
    let id = utf8_percent_encode(citation.document.as_str(), SEGMENT);
    format!("/v1/documents/{id}#bytes={}-{}", citation.range.start, citation.range.end)
}

/// The title that official clients show: they require one.
fn title(citation: &Citation) -> &str {
    citation.title.as_deref().unwrap_or(citation.document.as_str())
}

/// Writes an OpenAI annotation.
pub(crate) fn write_annotation(mut annotation: Object<'_>, citation: &Citation) {
    annotation.text("type", "url_citation");
    {
        let mut inner = annotation.object("url_citation");
        inner.integer("start_index", citation.start_index);
        inner.integer("end_index", citation.end_index);
        inner.text("title", title(citation));
        inner.text("url", &url(citation));
    }
    annotation.integer("index", citation.index);
    annotation.text("doc_id", citation.document.as_str());
    annotation.nullable_text("title", citation.title.as_deref());
    annotation.value("headings", &citation.headings);
    annotation.integer("chunk_id", citation.chunk.0);
    annotation.integer("start_byte", citation.range.start);
    annotation.integer("end_byte", citation.range.end);
    annotation.text("quote", &citation.quote);
}

/// Writes an Anthropic citation. Of the official types this is the one for retrieved passages: the others count
/// characters or pages of a document that is in the request. A passage is one block.
pub(crate) fn write_search_result_location(mut location: Object<'_>, citation: &Citation) {
    location.text("type", "search_result_location");
    location.text("cited_text", &citation.quote);
    location.integer("search_result_index", citation.index.saturating_sub(1));
    location.text("source", &url(citation));
    location.nullable_text("title", citation.title.as_deref());
    location.integer("start_block_index", 0);
    location.integer("end_block_index", 1);
    location.integer("index", citation.index);
    location.text("doc_id", citation.document.as_str());
    location.value("headings", &citation.headings);
    location.integer("chunk_id", citation.chunk.0);
    location.integer("start_byte", citation.range.start);
    location.integer("end_byte", citation.range.end);
    location.integer("start_index", citation.start_index);
    location.integer("end_index", citation.end_index);
}
