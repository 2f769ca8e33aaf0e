//! The rerankers of the configuration.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use mainstay_domain::Clock;
use mainstay_domain::port::Reranker;
use mainstay_embed::CrossEncoder;
use mainstay_providers::Provider;
use mainstay_rag::{BuiltinReranker, RerankSettings, TimedReranker};

use crate::config::Checked;
use crate::config::sections::model_name::BUILTIN;
use crate::config::sections::onnx::ONNX;
use crate::config::sections::rerank::Rerank;

/// The rerankers by `provider/model`. Corpora that use the same one share it, with what is known of its time.
pub(super) struct Rerankers(BTreeMap<String, Arc<TimedReranker>>);

impl Rerankers {
    /// Makes every reranker that a corpus names. `booked` wraps one whose calls cost.
    pub(super) fn new(
        config: &Checked,
        remote: &BTreeMap<String, Provider>,
        clock: Clock,
        booked: impl Fn(Arc<dyn Reranker>) -> Arc<dyn Reranker>,
    ) -> anyhow::Result<Self> {
        let mut rerankers = BTreeMap::new();
        for model in config.corpora.values().filter_map(|corpus| corpus.rerank.model()) {
            let name = model.to_string();
            if rerankers.contains_key(&name) {
                continue;
            }
            let reranker: Arc<dyn Reranker> = if model.provider == BUILTIN {
                Arc::new(BuiltinReranker)
            } else if model.provider == ONNX {
                let folder = &config.onnx[&model.model].folder;
                let read = CrossEncoder::from_folder(&name, folder, clock);
                Arc::new(read.with_context(|| format!("the model {model} cannot be used"))?)
            } else {
                let provider = remote.get(&model.provider);
                let reranker =
                    provider.and_then(|provider| provider.reranker(&model.model)).with_context(|| {
                        format!("{model} cannot rerank; name another reranker for the corpus")
                    })?;
                booked(Arc::new(reranker))
            };
            rerankers.insert(name, Arc::new(TimedReranker::new(reranker)));
        }
        Ok(Self(rerankers))
    }

    /// How a corpus is reranked; `None` where it is not.
    pub(super) fn settings(&self, rerank: &Rerank) -> Option<RerankSettings> {
        let reranker = self.0.get(&rerank.model()?.to_string())?.clone();
        Some(RerankSettings {
            reranker,
            candidates: rerank.candidates,
            timeout: rerank.timeout,
            clear_lead: rerank.clear_lead,
        })
    }
}
