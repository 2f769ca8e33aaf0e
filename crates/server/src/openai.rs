//! OpenAI's routes: chat completions, embeddings, models.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, Request, header};
use mainstay_domain::Caller;
use mainstay_domain::chat::Delivery;
use mainstay_gateway::chat::{Answer, ChatCall, Summary};
use mainstay_gateway::embeddings::EmbeddingCall;
use mainstay_wire::openai::chat::{
    ChunkEncoder, ChunkOptions, ResponseOptions, decode_request, encode_completion,
};
use mainstay_wire::openai::embeddings::{self, EmbeddingsInput};
use mainstay_wire::openai::models::{self, Model};
use mainstay_wire::stream::StreamEncoder;
use serde_json::{Value, json};

use crate::App;
use crate::context::{read_body, tier_of};
use crate::error::{Failure, HttpError, identify};
use crate::extract::{FoundPath, path_text};
use crate::guard::Visit;
use crate::{limits, sse};

/// `POST /v1/chat/completions`
pub(crate) async fn chat_completions(
    State(app): State<Arc<App>>,
    Visit { context, tag, .. }: Visit,
    request: Request<Body>,
) -> Result<Response, Failure> {
    let tier = tier_of(request.headers()).map_err(|error| tag.fail(error))?;
    let body = read_body(&app, request).await.map_err(|error| tag.fail(error))?;
    let chat = decode_request(&body).map_err(|error| tag.fail(error))?;
    let request_id = context.request.clone();
    let id = format!("chatcmpl-{}", request_id.as_str().trim_start_matches("req_"));
    let created = app.clock.now().as_seconds();
    let delivery = chat.delivery;
    let place = context.place.subscribe();
    let caller = context.caller.clone();
    let call = ChatCall { request: chat, tier, context };
    let mut response = match delivery {
        Delivery::Whole => match app.gateway.chat(call).await.map_err(|error| tag.fail(error))? {
            Answer::Whole { completion, summary } => {
                let mainstay = describe(&summary);
                let options = ResponseOptions { id: &id, created, model: None, mainstay: Some(&mainstay) };
                let mut response = json_response(encode_completion(&completion, &options));
                limits::standing(response.headers_mut(), &summary.standing);
                response
            }
            Answer::Stream { .. } => unreachable!("the gateway answers a whole request whole"),
        },
        Delivery::Streamed { include_usage } => {
            let gateway = app.clone();
            let answering = async move { gateway.gateway.chat(call).await };
            let begin = move |answer: &Answer| -> Box<dyn StreamEncoder> {
                let mut encoder = ChunkEncoder::new(ChunkOptions { id, created, model: None, include_usage });
                if let Answer::Stream { summary, .. } = answer {
                    encoder.attach(describe(summary));
                }
                Box::new(encoder)
            };
            sse::respond(&app, tag, caller, place, answering, begin).await?
        }
    };
    identify(response.headers_mut(), &request_id);
    Ok(response)
}

/// The `mainstay` object: what was done for the answer.
pub(crate) fn describe(summary: &Summary) -> Value {
    json!({
        "assistant": summary.assistant,
        "model": summary.model,
        "passages": summary.passages,
        "citations_removed": summary.citations_removed,
        "not_in_documents": summary.not_in_documents,
        "cost_nano_usd": summary.cost_nano_usd,
        "failed_attempts": summary.failed_attempts,
        "intent": summary.intent,
        "escalations": summary.escalations,
        "cache": summary.cache.map(mainstay_cache::Layer::as_str),
        "degraded": summary.degraded.is_some(),
        "notice": summary.degraded.map(mainstay_gateway::chat::Degraded::notice),
    })
}

/// `POST /v1/embeddings`
pub(crate) async fn embeddings(
    State(app): State<Arc<App>>,
    Visit { context, tag, .. }: Visit,
    request: Request<Body>,
) -> Result<Response, Failure> {
    let body = read_body(&app, request).await.map_err(|error| tag.fail(error))?;
    let wanted = embeddings::decode_request(&body).map_err(|error| tag.fail(error))?;
    let EmbeddingsInput::Texts(texts) = wanted.input else {
        let message = "input is tokens, which only the vocabulary of their model can read: send texts (LangChain: \
                       check_embedding_ctx_length=False)";
        return Err(
            tag.fail(HttpError::Invalid { message: message.to_owned(), param: Some("input".to_owned()) })
        );
    };
    let request_id = context.request.clone();
    let dimensions = wanted.dimensions.map(|dimensions| usize::try_from(dimensions).unwrap_or(usize::MAX));
    let call = EmbeddingCall { model: wanted.model.clone(), texts, dimensions, context };
    let answer = app.gateway.embeddings(call).await.map_err(|error| tag.fail(error))?;
    let mut response = json_response(embeddings::encode_response(&answer, &wanted.model, wanted.encoding));
    identify(response.headers_mut(), &request_id);
    Ok(response)
}

/// `GET /v1/models`
pub(crate) async fn models(State(app): State<Arc<App>>, visit: Visit) -> Response {
    json_response(models::encode_models(&entries(&app, &visit.context.caller)))
}

/// `GET /v1/models/{model}`
pub(crate) async fn model(
    State(app): State<Arc<App>>,
    Visit { context, tag, .. }: Visit,
    name: FoundPath,
) -> Result<Response, Failure> {
    let entries = entries(&app, &context.caller);
    let name = path_text(name).map_err(|error| tag.fail(error))?;
    match entries.iter().find(|entry| entry.id == name) {
        Some(entry) => Ok(json_response(models::encode_model(entry))),
        None => {
            let unknown = app.gateway.registry.unknown(&name);
            Err(tag.fail(mainstay_gateway::RequestError::UnknownModel(unknown)))
        }
    }
}

/// What a caller may name.
fn entries(app: &App, caller: &Caller) -> Vec<Model> {
    let entry = |listed: mainstay_models::Listed| Model { id: listed.id, owned_by: listed.owner, created: 0 };
    app.gateway.registry.list().into_iter().filter(|listed| caller.may_name(&listed.id)).map(entry).collect()
}

pub(crate) fn json_response(body: Bytes) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}
