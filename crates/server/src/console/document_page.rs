//! `GET /console/search/document`: a document around a passage, with the passage marked in it.

use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{Request, StatusCode, Uri};
use mainstay_domain::{CorpusName, DocumentId, TenantId};
use mainstay_rag::highlight::asked_words;
use mainstay_rag::library::DocumentInfo;
use maud::{Markup, html};
use serde::Deserialize;

use super::layout::{self, address, grouped, marked};
use super::page;
use super::session::visitor;
use crate::App;
use crate::error::HttpError;
use crate::extract::{corpus_named, query_of};

/// What the address says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    corpus: Option<String>,
    document: String,
    /// The bytes of the passage in the document's text.
    start: usize,
    end: usize,
    /// The question, whose words are marked.
    #[serde(default)]
    q: String,
}

/// Bytes that are shown before and after the passage: enough to read around it, not so many that a large document stops the
/// browser.
const AROUND: usize = 20_000;

pub(crate) async fn document(State(app): State<Arc<App>>, request: Request<Body>) -> Response {
    let caller = match visitor(&app, request.headers()) {
        Ok((caller, _)) => caller,
        Err(response) => return *response,
    };
    match show(&app, &caller.tenant, request.uri()).await {
        Ok(markup) => page(StatusCode::OK, markup),
        Err(error) => {
            page(error.status(), layout::problem("The document cannot be shown", &error.to_string()))
        }
    }
}

async fn show(app: &App, tenant: &TenantId, address: &Uri) -> Result<Markup, HttpError> {
    let place: Place = query_of(address)?;
    let corpus = corpus_named(place.corpus.clone())?;
    let id = DocumentId::from(place.document.clone());
    let missing = || HttpError::NoSuchDocument { doc_id: place.document.clone(), corpus: corpus.to_string() };
    let info = app.library.get(tenant, &corpus, &id).await?.ok_or_else(missing)?;
    let text = app.library.text(tenant, &corpus, &id).await?.ok_or_else(missing)?;
    Ok(layout::signed_in(
        info.title.as_deref().unwrap_or(&place.document),
        &render(&corpus, &place, &info, &text),
    ))
}

fn render(corpus: &CorpusName, place: &Place, info: &DocumentInfo, text: &str) -> Markup {
    let title = info.title.as_deref().unwrap_or(&place.document);
    let back = address("/console/search", &[("corpus", corpus.as_str()), ("q", &place.q)]);
    let (window, passage) = window(text, place.start..place.end);
    let before = &text[window.start..passage.start];
    let after = &text[passage.end..window.end];
    let words = |text: &str| marked(text, &asked_words(text, &place.q));
    html! {
        p.back { a href=(back) { "← Back to the results" } }
        h2 dir="auto" { (title) }
        p.where {
            (info.doc_id) " · " (info.media_type) " · " (grouped(info.bytes)) " bytes · passage at bytes "
            (grouped(passage.start as u64)) "–" (grouped(passage.end as u64))
        }
        @if !passage.is_empty() { p { a href="#passage" { "Go to the passage" } } }
        @if window.start > 0 { p.note { (grouped(window.start as u64)) " bytes before this are not shown." } }
        pre.document dir="auto" {
            (words(before))
            @if !passage.is_empty() { mark #passage { (words(&text[passage.clone()])) } }
            (words(after))
        }
        @if window.end < text.len() {
            p.note { (grouped((text.len() - window.end) as u64)) " bytes after this are not shown." }
        }
    }
}

/// What is shown of a text, and the passage in it, both at the borders of letters. A passage that the text no longer has,
/// because the document was changed meanwhile, is cut to what it has.
fn window(text: &str, passage: Range<usize>) -> (Range<usize>, Range<usize>) {
    let start = text.floor_char_boundary(passage.start.min(text.len()));
    let end = text.ceil_char_boundary(passage.end.min(text.len()).max(start));
    let first = text.floor_char_boundary(start.saturating_sub(AROUND));
    let last = text.ceil_char_boundary((end + AROUND).min(text.len()));
    (first..last, start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_lies_within_the_text_whatever_was_asked_for() {
        let text = "é".repeat(50_000);
        for (start, end) in
            [(0, 0), (1, 3), (40_001, 40_005), (99_999, 200_000), (7, 3), (usize::MAX, usize::MAX)]
        {
            let (window, passage) = window(&text, start..end);
            assert!(window.start <= passage.start && passage.end <= window.end, "{window:?} {passage:?}");
            assert!(text.get(window.clone()).is_some() && text.get(passage.clone()).is_some());
            assert!(window.len() <= passage.len() + 2 * AROUND + 4);
        }
    }

    #[test]
    fn a_document_is_text_and_nothing_else() {
        let hostile = "<script>alert(1)</script> ferry \"'& <img src=x onerror=alert(2)>";
        let info = DocumentInfo {
            metadata: Default::default(),
            doc_id: DocumentId::new("<i>"),
            corpus: CorpusName::unnamed(),
            title: Some("</title><script>".to_owned()),
            media_type: "text/plain".to_owned(),
            language: None,
            bytes: 1,
            chunks: 1,
            quarantined: Default::default(),
            status: "searchable",
            created_at: 0,
            updated_at: 0,
        };
        let place = Place {
            corpus: None,
            document: "<i>".to_owned(),
            start: 0,
            end: 25,
            q: "\"><script>ferry".to_owned(),
        };
        let shown = render(&CorpusName::unnamed(), &place, &info, hostile).into_string();
        for tag in ["<script", "<img", "<i>", "onerror=alert(2)>"] {
            assert!(!shown.contains(tag), "{tag}: {shown}");
        }
        assert!(shown.contains("<b>ferry</b>"), "{shown}");
        assert!(shown.contains("<mark id=\"passage\">&lt;<b>script</b>&gt;"), "{shown}");
    }
}
