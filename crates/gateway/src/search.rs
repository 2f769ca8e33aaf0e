//! What happens to a search: the path of a question, up to the passages.

use mainstay_domain::port::{RetrievalError, RetrievalQuery, Retrieved};
use mainstay_domain::{CorpusName, Filter, ServiceTier};
use mainstay_ops::measure;

use crate::chat::Context;
use crate::error::FilterOrigin;
use crate::{Gateway, RequestError};

/// A search.
#[derive(Clone, Debug)]
pub struct SearchCall {
    /// The question.
    pub text: String,
    /// Which corpus.
    pub corpus: CorpusName,
    /// How many passages at most.
    pub limit: usize,
    /// Which documents are searched; without it, all of the corpus.
    pub filter: Option<Filter>,
    /// How much work their order is worth.
    pub tier: ServiceTier,
    /// Around it.
    pub context: Context,
}

impl Gateway {
    /// The best passages for a question, best first.
    pub async fn search(&self, call: SearchCall) -> Result<Retrieved, RequestError> {
        if call.text.trim().is_empty() {
            return Err(RequestError::Invalid {
                message: "the query is empty: say what to search for".to_owned(),
                param: Some("query"),
            });
        }
        let _admitted = self.admit(&call.context, None, 0).await?;
        let query = RetrievalQuery {
            tenant: call.context.caller.tenant.clone(),
            corpus: call.corpus,
            text: call.text,
            limit: call.limit,
            filter: call.filter,
            tier: call.tier,
            deadline: call.context.deadline,
            payer: Some(call.context.caller),
        };
        let sent = query.filter.clone();
        let origin = FilterOrigin { sent: sent.as_ref(), sent_as: "filter", assistant: None };
        self.search_passages(query).await.map_err(|error| origin.blame(error))
    }

    /// Retrieves within the deadline, and measures.
    pub(crate) async fn search_passages(&self, query: RetrievalQuery) -> Result<Retrieved, RetrievalError> {
        let began = self.clock.instant();
        let corpus = query.corpus.to_string();
        let remaining = query.deadline.remaining(&self.clock);
        let found = self.clock.timeout(remaining, self.retriever.retrieve(query)).await;
        if let Some(Ok(retrieved)) = &found {
            // Only then is the corpus known to exist: its name is ours, and the label cannot be flooded.
            let elapsed = self.clock.instant().duration_since(began);
            measure::retrieved(&corpus, elapsed, &retrieved.reranking, retrieved.words_alone);
            self.admission.note_search(elapsed);
        }
        found.ok_or(RetrievalError::DeadlinePassed)?
    }
}
