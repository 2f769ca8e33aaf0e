//! Anthropic's routes: messages and the count of their tokens.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::Request;
use mainstay_domain::chat::{ChatRequest, Delivery};
use mainstay_domain::usage::estimate_tokens;
use mainstay_gateway::chat::{Answer, ChatCall};
use mainstay_wire::anthropic::messages::{
    EventEncoder, EventOptions, ResponseOptions, decode_count_request, decode_request, encode_completion,
    encode_token_count,
};
use mainstay_wire::stream::StreamEncoder;

use crate::App;
use crate::context::{read_body, tier_of};
use crate::error::{Failure, identify};
use crate::guard::Visit;
use crate::openai::{describe, json_response};
use crate::{limits, sse};

/// `POST /v1/messages`
pub(crate) async fn messages(
    State(app): State<Arc<App>>,
    Visit { context, tag, .. }: Visit,
    request: Request<Body>,
) -> Result<Response, Failure> {
    let tier = tier_of(request.headers()).map_err(|error| tag.fail(error))?;
    let body = read_body(&app, request).await.map_err(|error| tag.fail(error))?;
    let chat = decode_request(&body).map_err(|error| tag.fail(error))?;
    let request_id = context.request.clone();
    let id = format!("msg_{}", request_id.as_str().trim_start_matches("req_"));
    let (delivery, input_tokens) = (chat.delivery, prompt_tokens(&chat));
    let place = context.place.subscribe();
    let caller = context.caller.clone();
    let call = ChatCall { request: chat, tier, context };
    let mut response = match delivery {
        Delivery::Whole => match app.gateway.chat(call).await.map_err(|error| tag.fail(error))? {
            Answer::Whole { completion, summary } => {
                let mainstay = describe(&summary);
                let options = ResponseOptions { id: &id, model: None, mainstay: Some(&mainstay) };
                let mut response = json_response(encode_completion(&completion, &options));
                limits::standing(response.headers_mut(), &summary.standing);
                response
            }
            Answer::Stream { .. } => unreachable!("the gateway answers a whole request whole"),
        },
        Delivery::Streamed { .. } => {
            let app_of_call = app.clone();
            let answering = async move { app_of_call.gateway.chat(call).await };
            let begin = move |answer: &Answer| -> Box<dyn StreamEncoder> {
                let mut encoder = EventEncoder::new(EventOptions { id, model: None, input_tokens });
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

/// `POST /v1/messages/count_tokens`: our estimate, which needs no provider.
pub(crate) async fn count_tokens(
    State(app): State<Arc<App>>,
    Visit { tag, .. }: Visit,
    request: Request<Body>,
) -> Result<Response, Failure> {
    let body = read_body(&app, request).await.map_err(|error| tag.fail(error))?;
    let chat = decode_count_request(&body).map_err(|error| tag.fail(error))?;
    Ok(json_response(encode_token_count(prompt_tokens(&chat))))
}

fn prompt_tokens(chat: &ChatRequest) -> u64 {
    chat.messages.iter().map(|message| estimate_tokens(&message.content.text())).sum()
}
