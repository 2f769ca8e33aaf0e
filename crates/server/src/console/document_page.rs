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
use serde_json::json;

use super::layout::{self, address, grouped, marked};
use super::{page, refused};
use crate::App;
use crate::error::HttpError;
use crate::extract::{corpus_named, query_of};
use crate::guard::Visit;

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

/// Bytes of a passage that are marked as such. None of ours is nearly as long, and an address can say anything.
const LONGEST_PASSAGE: usize = 20_000;

pub(crate) async fn document(State(app): State<Arc<App>>, visit: Visit, request: Request<Body>) -> Response {
    let shown = show(&app, &visit.tenant, request.uri()).await;
    let what = json!({ "page": "document", "shown": shown.is_ok() });
    if let Err(error) = visit.accessed(&app, "documents.get", "document", what) {
        return refused(&app, &error.into());
    }
    match shown {
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
        None,
        &render(&corpus, &place, &info, &text),
    ))
}

fn render(corpus: &CorpusName, place: &Place, info: &DocumentInfo, text: &str) -> Markup {
    let title = info.title.as_deref().unwrap_or(&place.document);
    let back = address("/console/search", &[("corpus", corpus.as_str()), ("q", &place.q)]);
    let (window, passage) = window(text, place.start..place.end);
    // Looked for in all that is shown at once: the language of a lone passage is hard to tell.
    let asked = asked_words(&text[window.clone()], &place.q);
    let words = |part: Range<usize>| {
        let own = part.start - window.start..part.end - window.start;
        marked(&text[part], &within(&asked, &own))
    };
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
            (words(window.start..passage.start))
            @if !passage.is_empty() { mark #passage { (words(passage.clone())) } }
            (words(passage.end..window.end))
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
    let end = passage.end.min(text.len()).min(start + LONGEST_PASSAGE).max(start);
    let end = text.ceil_char_boundary(end);
    let first = text.floor_char_boundary(start.saturating_sub(AROUND));
    let last = text.ceil_char_boundary((end + AROUND).min(text.len()));
    (first..last, start..end)
}

/// What of the stretches lies in a part, counted from its beginning.
fn within(stretches: &[Range<usize>], part: &Range<usize>) -> Vec<Range<usize>> {
    let cut = stretches.iter().map(|stretch| stretch.start.max(part.start)..stretch.end.min(part.end));
    cut.filter(|stretch| !stretch.is_empty())
        .map(|stretch| stretch.start - part.start..stretch.end - part.start)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_lies_within_the_text_whatever_was_asked_for() {
        let text = "é".repeat(50_000);
        for (start, end) in [
            (0, 0),
            (1, 3),
            (40_001, 40_005),
            (99_999, 200_000),
            (7, 3),
            (0, 100_000),
            (usize::MAX, usize::MAX),
        ] {
            let (window, passage) = window(&text, start..end);
            assert!(window.start <= passage.start && passage.end <= window.end, "{window:?} {passage:?}");
            assert!(text.get(window.clone()).is_some() && text.get(passage.clone()).is_some());
            assert!(passage.len() <= LONGEST_PASSAGE + 4, "{passage:?}");
            assert!(window.len() <= passage.len() + 2 * AROUND + 4);
        }
    }

    #[test]
    fn words_are_marked_by_the_language_of_what_stands_around_the_passage() {
        let text = "Die Fähre fährt jeden Morgen um neun zu den Inseln und kommt am Abend zurück.\n\nHäusern\n\nDort \
                    wohnen die Fischer und ihre Familien seit vielen Jahren.";
        let start = text.find("Häusern").unwrap();
        let place = Place {
            corpus: None,
            document: "a".to_owned(),
            start,
            end: start + "Häusern".len(),
            q: "Welches Haus?".to_owned(),
        };
        let shown = render(&CorpusName::unnamed(), &place, &info(), text).into_string();
        assert!(shown.contains("<mark id=\"passage\"><b>Häusern</b></mark>"), "{shown}");
    }

    #[test]
    fn a_word_that_a_passage_ends_in_is_marked_on_both_sides() {
        assert_eq!(within(&[2..6, 8..9], &(0..9)), [2..6, 8..9]);
        assert_eq!(within(&[2..6, 8..9], &(3..9)), [0..3, 5..6]);
        assert_eq!(within(&[2..6, 8..9], &(4..10)), [0..2, 4..5]);
    }

    fn info() -> DocumentInfo {
        DocumentInfo {
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
        }
    }

    #[test]
    fn a_document_is_text_and_nothing_else() {
        let hostile = "<script>alert(1)</script> ferry \"'& <img src=x onerror=alert(2)>";
        let place = Place {
            corpus: None,
            document: "<i>".to_owned(),
            start: 0,
            end: 25,
            q: "\"><script>ferry".to_owned(),
        };
        let shown = render(&CorpusName::unnamed(), &place, &info(), hostile).into_string();
        for tag in ["<script", "<img", "<i>", "onerror=alert(2)>"] {
            assert!(!shown.contains(tag), "{tag}: {shown}");
        }
        assert!(shown.contains("<b>ferry</b>"), "{shown}");
        assert!(shown.contains("<mark id=\"passage\">&lt;<b>script</b>&gt;"), "{shown}");
    }
}
