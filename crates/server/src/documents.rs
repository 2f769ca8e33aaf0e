//! `/v1/documents` and `/v1/corpora`: adding, reading and deleting documents.
//!
//! A document is added as JSON, as JSON Lines, as a multipart form, or as its bare bytes with its own media type.

use std::sync::Arc;

use crate::json::Json;
use axum::body::Body;
use axum::extract::{FromRequest, Multipart, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{Request, StatusCode};
use mainstay_domain::{CorpusName, DocumentId, TenantId};
use mainstay_ops::measure;
use mainstay_rag::Upload;
use mainstay_rag::library::{DocumentInfo, Receipt};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio_util::task::TaskTracker;

use crate::App;
use crate::context::{media_type, read_body};
use crate::error::{Failure, HttpError, identify, parse_json};
use crate::extract::{FoundPath, corpus_named, limit_of, path_text, query_of};
use crate::guard::Visit;

/// A document as JSON: its text, or several documents at once.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentsJson {
    corpus: Option<String>,
    /// Several documents; then the fields below are absent.
    documents: Option<Vec<DocumentJson>>,
    #[serde(alias = "id")]
    doc_id: Option<String>,
    title: Option<String>,
    text: Option<String>,
    language: Option<String>,
    /// `text/plain` unless it is said.
    media_type: Option<String>,
    metadata: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentJson {
    #[serde(alias = "id")]
    doc_id: Option<String>,
    title: Option<String>,
    text: String,
    language: Option<String>,
    media_type: Option<String>,
    metadata: Option<Map<String, Value>>,
}

/// What the address says of a document that comes as bare bytes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UploadQuery {
    corpus: Option<String>,
    doc_id: Option<String>,
    title: Option<String>,
    filename: Option<String>,
    language: Option<String>,
    /// A JSON object, as text.
    metadata: Option<String>,
}

/// What the address says of a list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    corpus: Option<String>,
    limit: Option<usize>,
    after: Option<String>,
}

/// What the address says of a document that is to be shown.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GetQuery {
    corpus: Option<String>,
    include: Option<Include>,
}

/// What is shown of a document beside what is known about it.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Include {
    Text,
}

/// What the address says of a document that is to be deleted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeleteQuery {
    corpus: Option<String>,
}

/// Most documents of one page of a list.
const LONGEST_PAGE: usize = 1_000;

/// Documents that arrived in one request.
struct Delivery {
    corpus: CorpusName,
    uploads: Vec<Upload>,
    /// Whether the caller sent a list and expects one back.
    many: bool,
}

/// `POST /v1/documents`
pub(crate) async fn add(
    State(app): State<Arc<App>>,
    visit: Visit,
    request: Request<Body>,
) -> Result<Response, Failure> {
    let Visit { context, tenant, tag } = &visit;
    let mut delivery = receive(&app, request).await.map_err(|error| tag.fail(error))?;
    let named: Vec<DocumentId> = delivery.uploads.iter().filter_map(|upload| upload.doc_id.clone()).collect();
    app.eraser.expect_not_held(tenant, &delivery.corpus, named).await.map_err(|error| tag.fail(error))?;
    for upload in &mut delivery.uploads {
        upload.author.clone_from(&context.caller.user);
    }
    let results = app.library.add(tenant, &delivery.corpus, delivery.uploads).await;
    for result in &results {
        measure::document_ingested(match result {
            Ok(receipt) if receipt.unchanged => "unchanged",
            Ok(_) => "accepted",
            Err(_) => "refused",
        });
    }
    let stored = results.iter().flatten().filter(|receipt| !receipt.unchanged).count();
    let what = json!({ "corpus": delivery.corpus, "documents": results.len(), "stored": stored });
    visit.accessed(&app, "documents.add", "documents", what).map_err(|error| tag.fail(error))?;
    let mut response = if delivery.many {
        let data: Vec<Value> = results
            .into_iter()
            .map(|result| match result {
                Ok(receipt) => describe_receipt(&delivery.corpus, &receipt),
                Err(error) => serde_json::from_slice(&tag.fail(error).body()).unwrap_or_default(),
            })
            .collect();
        let refused = data.iter().filter(|item| item.get("error").is_some()).count();
        let accepted = data.len() - refused;
        let body = json!({ "object": "list", "data": data, "accepted": accepted, "refused": refused });
        (StatusCode::OK, Json(body)).into_response()
    } else {
        let receipt = results.into_iter().next().expect("one upload gives one result");
        let receipt = receipt.map_err(|error| tag.fail(error))?;
        let status = if receipt.unchanged { StatusCode::OK } else { StatusCode::CREATED };
        (status, Json(describe_receipt(&delivery.corpus, &receipt))).into_response()
    };
    identify(response.headers_mut(), &context.request);
    Ok(response)
}

/// Reads the documents of a request, in whichever form they come.
async fn receive(app: &App, request: Request<Body>) -> Result<Delivery, HttpError> {
    let query: UploadQuery = query_of(request.uri())?;
    let declared = media_type(request.headers());
    match declared.as_deref() {
        Some("application/json") => from_json(&read_body(app, request).await?, query),
        Some("application/x-ndjson" | "application/jsonl" | "application/json-lines") => {
            from_json_lines(&read_body(app, request).await?, query)
        }
        Some("multipart/form-data") => from_form(app, request, query).await,
        _ => {
            let corpus = corpus_named(query.corpus)?;
            let upload = Upload {
                author: None,
                doc_id: query.doc_id.map(DocumentId::from),
                title: query.title,
                language: query.language,
                file_name: query.filename,
                media_type: declared.filter(|declared| declared != "application/octet-stream"),
                metadata: metadata_of(query.metadata.as_deref())?,
                bytes: read_body(app, request).await?,
            };
            Ok(Delivery { corpus, uploads: vec![upload], many: false })
        }
    }
}

fn from_json(body: &Bytes, query: UploadQuery) -> Result<Delivery, HttpError> {
    let json: DocumentsJson = parse_json(body)?;
    let corpus = corpus_named(json.corpus.or(query.corpus))?;
    if let Some(documents) = json.documents {
        return Ok(Delivery { corpus, uploads: documents.into_iter().map(upload_of).collect(), many: true });
    }
    let Some(text) = json.text else {
        return Err(HttpError::Invalid {
            message:
                "the document has no text: send {\"text\": …}, or several as {\"documents\": [{\"text\": …}]}"
                    .to_owned(),
            param: Some("text".to_owned()),
        });
    };
    let document = DocumentJson {
        doc_id: json.doc_id,
        title: json.title,
        text,
        language: json.language,
        media_type: json.media_type,
        metadata: json.metadata,
    };
    Ok(Delivery { corpus, uploads: vec![upload_of(document)], many: false })
}

fn from_json_lines(body: &Bytes, query: UploadQuery) -> Result<Delivery, HttpError> {
    let corpus = corpus_named(query.corpus)?;
    // The mark that some editors of Windows put before UTF-8.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let lines = body.split(|byte| *byte == b'\n').enumerate();
    let mut uploads = Vec::new();
    for (number, line) in lines.filter(|(_, line)| !line.trim_ascii().is_empty()) {
        let document: DocumentJson = serde_json::from_slice(line).map_err(|error| HttpError::Invalid {
            message: format!("line {} is no document: {error}", number + 1),
            param: None,
        })?;
        uploads.push(upload_of(document));
    }
    Ok(Delivery { corpus, uploads, many: true })
}

fn upload_of(document: DocumentJson) -> Upload {
    Upload {
        author: None,
        doc_id: document.doc_id.map(DocumentId::from),
        title: document.title,
        language: document.language,
        file_name: None,
        media_type: Some(document.media_type.unwrap_or_else(|| "text/plain".to_owned())),
        metadata: document.metadata.unwrap_or_default(),
        bytes: Bytes::from(document.text),
    }
}

/// The metadata that a form or an address has as text.
fn metadata_of(text: Option<&str>) -> Result<Map<String, Value>, HttpError> {
    let Some(text) = text else { return Ok(Map::new()) };
    serde_json::from_str(text).map_err(|error| HttpError::Invalid {
        message: format!("the metadata are not a JSON object such as {{\"year\": 2024}}: {error}"),
        param: Some("metadata".to_owned()),
    })
}

/// A form as `curl -F file=@handbook.pdf` sends it: `file`, and optionally `corpus`, `doc_id`, `title`, `language`,
/// `metadata`.
async fn from_form(app: &App, request: Request<Body>, mut query: UploadQuery) -> Result<Delivery, HttpError> {
    let malformed = |error: &dyn std::fmt::Display| HttpError::Invalid {
        message: format!("the form cannot be read: {error}"),
        param: None,
    };
    // The body is read within our limits first; the form is taken apart in memory.
    let (parts, body) = request.into_parts();
    let bytes = read_body(app, Request::from_parts(parts.clone(), body)).await?;
    let request = Request::from_parts(parts, Body::from(bytes));
    let mut form = Multipart::from_request(request, &()).await.map_err(|error| malformed(&error))?;
    let mut uploads = Vec::new();
    while let Some(field) = form.next_field().await.map_err(|error| malformed(&error))? {
        let name = field.name().unwrap_or_default().to_owned();
        if name == "file" {
            let file_name = field.file_name().map(str::to_owned);
            let media_type =
                field.content_type().filter(|kind| *kind != "application/octet-stream").map(str::to_owned);
            let bytes = field.bytes().await.map_err(|error| malformed(&error))?;
            uploads.push(Upload {
                author: None,
                doc_id: None,
                title: None,
                language: None,
                file_name,
                media_type,
                metadata: Map::new(),
                bytes,
            });
            continue;
        }
        let value = field.text().await.map_err(|error| malformed(&error))?;
        match name.as_str() {
            "corpus" => query.corpus = Some(value),
            "doc_id" => query.doc_id = Some(value),
            "title" => query.title = Some(value),
            "language" => query.language = Some(value),
            "metadata" => query.metadata = Some(value),
            // OpenAI's clients say what a file is for; here it can only be for this.
            "purpose" => {}
            other => {
                return Err(HttpError::Invalid {
                    message: format!(
                        "the form has a field {other:?}; it may have file, corpus, doc_id, title, language, metadata"
                    ),
                    param: Some(other.to_owned()),
                });
            }
        }
    }
    name_files(&mut uploads, &query)?;
    let many = uploads.len() > 1;
    Ok(Delivery { corpus: corpus_named(query.corpus)?, uploads, many })
}

/// Gives the files of a form their ids: a file is called what the form says, or else as it is called where it comes from,
/// so that the same file sent again replaces itself.
fn name_files(uploads: &mut [Upload], query: &UploadQuery) -> Result<(), HttpError> {
    if uploads.is_empty() {
        let message =
            "the form has no file: send it as the field \"file\", as curl -F file=@handbook.pdf does";
        return Err(HttpError::Invalid { message: message.to_owned(), param: Some("file".to_owned()) });
    }
    let metadata = metadata_of(query.metadata.as_deref())?;
    for upload in &mut *uploads {
        upload.metadata.clone_from(&metadata);
        upload.language.clone_from(&query.language);
        upload.doc_id = upload.file_name.as_deref().filter(|name| !name.is_empty()).map(DocumentId::new);
    }
    if let [one] = uploads {
        one.doc_id = query.doc_id.as_deref().map(DocumentId::new).or_else(|| one.doc_id.take());
        one.title.clone_from(&query.title);
    }
    let mut names: Vec<&DocumentId> = uploads.iter().filter_map(|upload| upload.doc_id.as_ref()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => Err(HttpError::Invalid {
            message: format!(
                "two files of the form are called {:?}, and one would replace the other: send them one by one, each with \
                 its doc_id",
                pair[0]
            ),
            param: Some("file".to_owned()),
        }),
    }
}

/// `GET /v1/documents`: by id, `limit` at a time, after the id `after`.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    visit: Visit,
    request: Request<Body>,
) -> Result<Json<Value>, Failure> {
    let Visit { tenant, tag, .. } = &visit;
    let query: ListQuery = query_of(request.uri()).map_err(|error| tag.fail(error))?;
    let limit = limit_of(query.limit, 100, LONGEST_PAGE).map_err(|error| tag.fail(error))?;
    let corpus = corpus_named(query.corpus).map_err(|error| tag.fail(error))?;
    let after = query.after.map(DocumentId::from);
    let mut documents = app
        .library
        .list(tenant, &corpus, after.as_ref(), limit + 1)
        .await
        .map_err(|error| tag.fail(error))?;
    let has_more = documents.len() > limit;
    documents.truncate(limit);
    let last_id = documents.last().map(|document| document.doc_id.to_string());
    let what = json!({ "corpus": corpus, "documents": documents.len() });
    visit.accessed(&app, "documents.list", "documents", what).map_err(|error| tag.fail(error))?;
    let data: Vec<Value> = documents.iter().map(|document| describe(document, None)).collect();
    Ok(Json(json!({ "object": "list", "data": data, "has_more": has_more, "last_id": last_id })))
}

/// `GET /v1/documents/{doc_id}`; with `include=text` also the text that byte ranges refer to.
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    visit: Visit,
    doc_id: FoundPath,
    request: Request<Body>,
) -> Result<Json<Value>, Failure> {
    let Visit { tenant, tag, .. } = &visit;
    let doc_id = path_text(doc_id).map_err(|error| tag.fail(error))?;
    let query: GetQuery = query_of(request.uri()).map_err(|error| tag.fail(error))?;
    let corpus = corpus_named(query.corpus).map_err(|error| tag.fail(error))?;
    let document = DocumentId::from(doc_id.clone());
    let found = app.library.get(tenant, &corpus, &document).await.map_err(|error| tag.fail(error))?;
    let missing =
        || tag.fail(HttpError::NoSuchDocument { doc_id: doc_id.clone(), corpus: corpus.to_string() });
    let info = found.ok_or_else(missing)?;
    let text = match query.include {
        Some(Include::Text) => {
            let text = app.library.text(tenant, &corpus, &document).await;
            Some(text.map_err(|error| tag.fail(error))?.ok_or_else(missing)?)
        }
        None => None,
    };
    let what = json!({ "corpus": corpus, "document": alias(&app, tenant, &corpus, &document), "text": text.is_some() });
    visit.accessed(&app, "documents.get", "document", what).map_err(|error| tag.fail(error))?;
    Ok(Json(describe(&info, text)))
}

/// `DELETE /v1/documents/{doc_id}`: from the answer on, it is in no result.
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    visit: Visit,
    doc_id: FoundPath,
    request: Request<Body>,
) -> Result<Json<Value>, Failure> {
    let Visit { tenant, tag, .. } = &visit;
    let doc_id = path_text(doc_id).map_err(|error| tag.fail(error))?;
    let query: DeleteQuery = query_of(request.uri()).map_err(|error| tag.fail(error))?;
    let corpus = corpus_named(query.corpus).map_err(|error| tag.fail(error))?;
    let document = DocumentId::from(doc_id.clone());
    // Also when its caller has gone a deletion is finished: nothing of the document must stay in the index or be answered
    // again.
    app.eraser.expect_not_held(tenant, &corpus, [document.clone()]).await.map_err(|error| tag.fail(error))?;
    let what = json!({ "corpus": corpus, "document": alias(&app, tenant, &corpus, &document) });
    let deleting = {
        let (app, tenant, corpus) = (app.clone(), tenant.clone(), corpus.clone());
        async move { app.library.delete(&tenant, &corpus, &document).await }
    };
    let deleted = TaskTracker::new().spawn(deleting).await.expect("a deletion does not panic");
    if !deleted.map_err(|error| tag.fail(error))? {
        return Err(tag.fail(HttpError::NoSuchDocument { doc_id, corpus: corpus.to_string() }));
    }
    visit.accessed(&app, "documents.delete", "document", what).map_err(|error| tag.fail(error))?;
    Ok(Json(json!({ "object": "document.deleted", "doc_id": doc_id, "deleted": true })))
}

/// `GET /v1/corpora`
pub(crate) async fn corpora(
    State(app): State<Arc<App>>,
    Visit { tenant, tag, .. }: Visit,
) -> Result<Json<Value>, Failure> {
    let corpora = app.library.corpora(&tenant).await.map_err(|error| tag.fail(error))?;
    Ok(Json(json!({ "object": "list", "data": corpora })))
}

/// What stands for a document in the audit trail: its id may be a person's name, and must be forgotten with the document.
fn alias(app: &App, tenant: &TenantId, corpus: &CorpusName, document: &DocumentId) -> Option<String> {
    let name = mainstay_ops::trail::alias_of_document(corpus, document);
    Some(app.trail.pseudonym(tenant, &name)?.to_string())
}

fn describe_receipt(corpus: &CorpusName, receipt: &Receipt) -> Value {
    json!({
        "object": "document",
        "doc_id": receipt.doc_id,
        "corpus": corpus,
        "title": receipt.title,
        "media_type": receipt.media_type,
        "language": receipt.language,
        "bytes": receipt.bytes,
        "chunks": receipt.chunks,
        "quarantined": receipt.quarantined,
        "unchanged": receipt.unchanged,
        "status": "searchable",
    })
}

/// A document as the API shows it.
#[derive(Serialize)]
struct Described<'a> {
    object: &'static str,
    #[serde(flatten)]
    info: &'a DocumentInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

fn describe(info: &DocumentInfo, text: Option<String>) -> Value {
    serde_json::to_value(Described { object: "document", info, text }).expect("a document serialises to JSON")
}
