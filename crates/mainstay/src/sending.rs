//! Deliveries on their way to a Mainstay.

use std::collections::HashSet;

use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use mainstay_domain::Clock;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::client::{Client, ClientError};
use crate::sources::Delivery;

/// Two requests at a time keep both sides busy: one is parsed and embedded while the other is read.
const AT_ONCE: usize = 2;

/// How often a delivery waits for its turn. Others of the same key take turns from it, and some have to end.
const MOST_WAITS: usize = 100;

/// Deliveries that are sent at the same time.
pub(crate) struct Sending<'c> {
    client: &'c Client,
    corpus: &'c str,
    requests: FuturesUnordered<LocalBoxFuture<'c, Arrival>>,
    /// The documents under way.
    ids: HashSet<String>,
}

/// A delivery that has arrived, and the answer for each of its documents.
pub(crate) struct Arrival {
    pub(crate) delivery: Delivery,
    pub(crate) answers: Result<Vec<Value>, ClientError>,
}

impl<'c> Sending<'c> {
    /// Nothing is under way yet.
    pub(crate) fn new(client: &'c Client, corpus: &'c str) -> Self {
        Self { client, corpus, requests: FuturesUnordered::new(), ids: HashSet::new() }
    }

    /// Whether another delivery has to arrive first: too many are under way, or one that has an earlier version of one of
    /// these documents, which must not arrive after the later one.
    pub(crate) fn must_wait_for_others(&self, delivery: &Delivery) -> bool {
        self.requests.len() >= AT_ONCE
            || delivery.documents.iter().any(|document| self.ids.contains(&document.id))
    }

    /// Begins to send; it goes on while [`Self::next`] is waited for.
    pub(crate) fn begin(&mut self, delivery: Delivery) {
        self.ids.extend(delivery.documents.iter().map(|document| document.id.clone()));
        let (client, corpus) = (self.client, self.corpus);
        self.requests.push(Box::pin(async move {
            let answers = send_in_time(client, corpus, &delivery).await;
            Arrival { delivery, answers }
        }));
    }

    /// The next delivery that arrives; `None` when none is under way.
    pub(crate) async fn next(&mut self) -> Option<Arrival> {
        let arrival = self.requests.next().await?;
        for document in &arrival.delivery.documents {
            self.ids.remove(&document.id);
        }
        Some(arrival)
    }
}

/// Sends one request's worth of documents, when the server takes it: the limits of its administration may be those of one who
/// sends a document now and then.
async fn send_in_time(client: &Client, corpus: &str, delivery: &Delivery) -> Result<Vec<Value>, ClientError> {
    let clock = Clock::system();
    for _ in 0..MOST_WAITS {
        match send(client, corpus, delivery).await {
            Err(error) if let Some(wait) = error.asked_too_much() => clock.sleep(wait).await,
            answers => return answers,
        }
    }
    send(client, corpus, delivery).await
}

/// Sends one request's worth of documents; returns the answer for each.
async fn send(client: &Client, corpus: &str, delivery: &Delivery) -> Result<Vec<Value>, ClientError> {
    let Some(first) = delivery.documents.first() else { return Ok(Vec::new()) };
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let corpus = encode(corpus);
    if delivery.is_json_lines {
        let path = format!("/v1/documents?corpus={corpus}");
        let answer = client.post_bytes(&path, "application/x-ndjson", delivery.body.clone()).await?;
        return Ok(answer["data"].as_array().cloned().unwrap_or_default());
    }
    let name = encode(&first.id);
    let path = format!("/v1/documents?corpus={corpus}&doc_id={name}&filename={name}");
    Ok(vec![client.post_bytes(&path, "application/octet-stream", delivery.body.clone()).await?])
}
