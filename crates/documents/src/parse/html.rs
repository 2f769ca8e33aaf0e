//! HTML: the text that a reader sees, without the furniture of the page.
//!
//! The page is read as a stream of tags and text with a list of the elements that are open, and never becomes a tree:
//! time and memory are linear in its bytes whatever its nesting, which no tree builder that follows the standard can
//! promise (it looks through all open elements at every tag). The tokenizer is html5gum because it hands attributes out
//! one by one: html5ever compares every attribute of a tag with all before it.

mod elements;
mod page;

use std::convert::Infallible;

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};

use crate::document::{MediaType, ParsedDocument};
use crate::error::ParseError;
use page::{Page, Scope};

/// The text of an HTML page, at most `limit` bytes of it.
///
/// Navigation, footers, scripts, forms' controls and what is marked as hidden are left out; where the page says what
/// its main part is, everything else is too.
pub(super) fn parse(html: &str, limit: usize) -> Result<ParsedDocument, ParseError> {
    let html = html.trim_start_matches('\u{feff}');
    let whole = read(html, Scope::Page, limit);
    let scope = whole.main_scope();
    let page = if scope == Scope::Page { whole } else { read(html, scope, limit) };
    let (flow, title) = page.finish();
    flow.finish(title, MediaType::Html)
}

fn read(html: &str, scope: Scope, limit: usize) -> Page {
    let mut page = Page::new(scope, limit);
    let mut emitter = CallbackEmitter::new(|event: CallbackEvent<'_>, _: Span<()>| -> Option<Infallible> {
        match event {
            CallbackEvent::OpenStartTag { name } => page.open_tag(name),
            CallbackEvent::AttributeName { name } => page.attribute_name(name),
            CallbackEvent::AttributeValue { value } => page.attribute_value(value),
            CallbackEvent::CloseStartTag { self_closing } => page.close_tag(self_closing),
            CallbackEvent::EndTag { name } => page.end_tag(name),
            CallbackEvent::String { value } => page.text(&String::from_utf8_lossy(value)),
            CallbackEvent::Comment { .. } | CallbackEvent::Doctype { .. } | CallbackEvent::Error(_) => {}
        }
        None
    });
    emitter.naively_switch_states(true);
    let Ok(()) = Tokenizer::new_with_emitter(html, emitter).finish();
    page
}

#[cfg(test)]
mod tests;
