//! `/admin/quarantine` and `/admin/corpora/report`: what is odd about the chunks of a corpus.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use http::Request;
use mainstay_domain::{ChunkId, DocumentId};
use mainstay_rag::quality::Release;
use mainstay_rag::quality::quarantine::QuarantinedInfo;
use mainstay_rag::quality::report::Golden;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::App;
use crate::context::read_body;
use crate::error::{Failure, HttpError, parse_json};
use crate::extract::{corpus_named, limit_of, query_of};
use crate::guard::Visit;
use crate::json::Json;

/// What the address says of a list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    corpus: Option<String>,
    doc_id: Option<String>,
    limit: Option<usize>,
    after: Option<u64>,
    include: Option<Include>,
}

/// What is shown of a chunk beside what is known about it.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Include {
    Text,
}

/// What is to be released: one of the three.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleaseJson {
    corpus: Option<String>,
    doc_id: Option<String>,
    chunk_id: Option<u64>,
    #[serde(default)]
    all: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReportJson {
    corpus: Option<String>,
    /// The documents that are relevant for each question, by question.
    questions: Option<Vec<Vec<String>>>,
}

/// Most chunks of one page of a list.
const LONGEST_PAGE: usize = 1_000;

/// `GET /admin/quarantine`: the chunks of a corpus that no search finds; with `include=text` also what they say.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    visit: Visit,
    request: Request<Body>,
) -> Result<Json<Value>, Failure> {
    let Visit { tenant, tag, .. } = &visit;
    let query: ListQuery = query_of(request.uri()).map_err(|error| tag.fail(error))?;
    let limit = limit_of(query.limit, 100, LONGEST_PAGE).map_err(|error| tag.fail(error))?;
    let corpus = corpus_named(query.corpus).map_err(|error| tag.fail(error))?;
    let document = query.doc_id.map(DocumentId::from);
    let after = query.after.map(ChunkId);
    let mut chunks = app
        .library
        .quarantine(tenant, &corpus, document.as_ref(), after, limit + 1)
        .await
        .map_err(|error| tag.fail(error))?;
    let has_more = chunks.len() > limit;
    chunks.truncate(limit);
    let last_id = chunks.last().map(|chunk| chunk.chunk.0);
    let what = json!({ "corpus": corpus, "chunks": chunks.len(), "text": query.include.is_some() });
    visit.accessed(&app, "quality.list", "chunks", what).map_err(|error| tag.fail(error))?;
    let data: Vec<Value> = chunks.iter().map(|chunk| describe(chunk, query.include.is_some())).collect();
    Ok(Json(json!({ "object": "list", "data": data, "has_more": has_more, "last_id": last_id })))
}

fn describe(chunk: &QuarantinedInfo, with_text: bool) -> Value {
    let mut described = json!({
        "object": "chunk",
        "chunk_id": chunk.chunk.0,
        "doc_id": chunk.doc_id,
        "start_byte": chunk.range.start,
        "end_byte": chunk.range.end,
        "words": chunk.words,
        "reason": chunk.reason,
    });
    if with_text {
        described["text"] = json!(chunk.text);
    }
    described
}

/// `POST /admin/quarantine/release`: from the answer on, searches find them.
pub(crate) async fn release(
    State(app): State<Arc<App>>,
    visit: Visit,
    request: Request<Body>,
) -> Result<Json<Value>, Failure> {
    let Visit { tenant, tag, .. } = &visit;
    let body = read_body(&app, request).await.map_err(|error| tag.fail(error))?;
    let wanted: ReleaseJson = parse_json(&body).map_err(|error| tag.fail(error))?;
    let what = what_to_release(&wanted).map_err(|error| tag.fail(error))?;
    let corpus = corpus_named(wanted.corpus).map_err(|error| tag.fail(error))?;
    let released = app.library.release(tenant, &corpus, &what).await.map_err(|error| tag.fail(error))?;
    if let (Release::Document(document), 0) = (&what, released.chunks) {
        let found = app.library.get(tenant, &corpus, document).await;
        if found.map_err(|error| tag.fail(error))?.is_none() {
            let (doc_id, corpus) = (document.to_string(), corpus.to_string());
            return Err(tag.fail(HttpError::NoSuchDocument { doc_id, corpus }));
        }
    }
    let (old, new) = (Value::Null, json!({ "chunks": released.chunks, "documents": released.documents }));
    let recorded = visit.changed(&app, "quarantine.release", ("corpus", corpus.as_str()), old, new).await;
    recorded.map_err(|error| tag.fail(error))?;
    Ok(Json(json!({
        "object": "quarantine.released",
        "corpus": corpus,
        "chunks": released.chunks,
        "documents": released.documents,
    })))
}

fn what_to_release(wanted: &ReleaseJson) -> Result<Release, HttpError> {
    match (&wanted.doc_id, wanted.chunk_id, wanted.all) {
        (Some(document), None, false) => Ok(Release::Document(DocumentId::from(document.clone()))),
        (None, Some(chunk), false) => Ok(Release::Chunk(ChunkId(chunk))),
        (None, None, true) => Ok(Release::All),
        _ => Err(HttpError::Invalid {
            message:
                "say what is to be released by one of {\"doc_id\": …}, {\"chunk_id\": …}, {\"all\": true}"
                    .to_owned(),
            param: None,
        }),
    }
}

/// `POST /admin/corpora/report`: the state of a corpus, and how much of it questions ask about where some are sent.
pub(crate) async fn report(
    State(app): State<Arc<App>>,
    Visit { tenant, tag, .. }: Visit,
    request: Request<Body>,
) -> Result<Json<Value>, Failure> {
    let body = read_body(&app, request).await.map_err(|error| tag.fail(error))?;
    let wanted: ReportJson = parse_json(&body).map_err(|error| tag.fail(error))?;
    let corpus = corpus_named(wanted.corpus).map_err(|error| tag.fail(error))?;
    let golden = wanted.questions.map(|questions| Golden {
        questions: questions
            .into_iter()
            .map(|documents| documents.into_iter().map(DocumentId::from).collect())
            .collect(),
    });
    let report = app.library.report(&tenant, &corpus, golden.as_ref()).await;
    let report = report.map_err(|error| tag.fail(error))?;
    Ok(Json(serde_json::to_value(report).expect("a report serialises to JSON")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_released_is_said_in_one_way() {
        let what = |body: Value| what_to_release(&serde_json::from_value(body).unwrap());
        assert_eq!(what(json!({ "doc_id": "d" })).unwrap(), Release::Document(DocumentId::new("d")));
        assert_eq!(what(json!({ "chunk_id": 7 })).unwrap(), Release::Chunk(ChunkId(7)));
        assert_eq!(what(json!({ "all": true })).unwrap(), Release::All);
        for wrong in [json!({}), json!({ "all": false }), json!({ "all": true, "chunk_id": 7 })] {
            let error = what(wrong.clone()).unwrap_err().to_string();
            assert!(error.contains("\"doc_id\""), "{wrong}: {error}");
        }
    }
}
