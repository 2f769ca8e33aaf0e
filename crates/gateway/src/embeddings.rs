//! What happens to a request for embeddings.

use mainstay_domain::Usage;
use mainstay_domain::port::{EmbeddingPurpose, Embeddings, Errand, Spent};
use mainstay_domain::usage::{UsageSource, estimate_tokens};
use mainstay_ops::Turn;
use mainstay_ops::turn::Opening;

use crate::attempts;
use crate::chat::{Context, may_name};
use crate::{Gateway, RequestError};

/// Texts to be embedded.
#[derive(Clone, Debug)]
pub struct EmbeddingCall {
    /// `provider/model`.
    pub model: String,
    /// The texts.
    pub texts: Vec<String>,
    /// Numbers per vector, where the caller wants a number of them.
    pub dimensions: Option<usize>,
    /// Around it.
    pub context: Context,
}

impl Gateway {
    /// Embeds texts, in order.
    pub async fn embeddings(&self, call: EmbeddingCall) -> Result<Embeddings, RequestError> {
        let mut turn = self.turns.open(Opening {
            request: call.context.request.clone(),
            operation: "embeddings",
            requested_model: call.model.clone(),
            streamed: false,
            client_retries: call.context.client_retries,
            team: call.context.team.clone(),
            feature: call.context.feature.clone(),
        });
        match self.embed(&mut turn, &call).await {
            Ok(embeddings) => {
                turn.complete();
                Ok(embeddings)
            }
            Err(error) => {
                turn.fail(error.code());
                Err(error)
            }
        }
    }

    async fn embed(&self, turn: &mut Turn, call: &EmbeddingCall) -> Result<Embeddings, RequestError> {
        turn.identified(&call.context.caller);
        self.require_attribution(turn)?;
        may_name(&call.context.caller, &call.model)?;
        let tokens = call.texts.iter().map(|text| estimate_tokens(text)).sum();
        let mut admitted = self.admit(&call.context, None, tokens).await?;
        self.registry.check_region(&call.model, call.context.caller.region.as_ref())?;
        let embedder = self.registry.embedder(&call.model, call.dimensions)?;
        turn.answered_by(call.model.clone());
        let texts: Vec<&str> = call.texts.iter().map(String::as_str).collect();
        let usage = |tokens| Usage { prompt: tokens, ..Usage::default() };
        let sent = usage(tokens);
        // No token is shorter than a byte.
        let most = usage(texts.iter().map(|text| text.len() as u64).sum());
        self.reserve_for_embedding(turn, &call.model, &most)?;
        let prices = &*self.prices;
        attempts::charge(turn, prices, &call.model, sent, UsageSource::Estimated);
        admitted.begins();
        let spent = Spent::default();
        let errand = Errand::paid_by(&call.context.caller, call.context.deadline).noted_in(&spent);
        let embedded = embedder.embed(&texts, EmbeddingPurpose::Passage, errand).await;
        let embeddings = embedded.inspect_err(|error| {
            // Who refused has charged nothing; what was answered before has its price.
            let billed = spent.by_failed(error.kind, tokens);
            attempts::charge(turn, prices, &call.model, usage(billed), UsageSource::Estimated);
            admitted.used(billed);
        })?;
        let failures = spent.failures();
        for (kind, tokens) in &failures {
            attempts::failed(turn, prices, kind.code(), usage(*tokens));
        }
        if !failures.is_empty() {
            attempts::charge(turn, prices, &call.model, sent, UsageSource::Estimated);
        }
        // Some providers do not count, and answer 0: then the estimate stands.
        if embeddings.tokens > 0 {
            attempts::charge(turn, prices, &call.model, usage(embeddings.tokens), UsageSource::Reported);
            admitted.used(embeddings.tokens);
        }
        Ok(embeddings)
    }
}
