//! An embedder that is not asked twice for the same passage.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use mainstay_domain::port::{Embedder, EmbeddingPurpose, Embeddings, Errand};
use mainstay_domain::{ModelError, TenantId};
use mainstay_store::{EmbeddingCache, EmbeddingKey};

/// Passages that are embedded and kept at a time: what is kept is not paid for again when a later one fails.
const PASSAGES_AT_A_TIME: usize = 512;

/// Keeps the vectors of passages by their tenant and their content: a document of which a paragraph changed, or an index that is built
/// anew, pays for what is new alone. Questions go through: what people ask is not kept.
pub struct CachedEmbedder {
    embedder: Arc<dyn Embedder>,
    cache: EmbeddingCache,
}

impl CachedEmbedder {
    /// Keeps what `embedder` makes in `cache`.
    pub fn new(embedder: Arc<dyn Embedder>, cache: EmbeddingCache) -> Self {
        Self { embedder, cache }
    }

    /// The vectors that are kept. Where they cannot be read the embedder is asked.
    async fn kept(&self, tenant: &TenantId, keys: &[EmbeddingKey]) -> HashMap<EmbeddingKey, Vec<f32>> {
        self.cache.get(tenant, keys).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the cache of embeddings cannot be read");
            HashMap::new()
        })
    }

    async fn keep(&self, tenant: &TenantId, vectors: &[(EmbeddingKey, &[f32])]) {
        if let Err(error) = self.cache.put(tenant, vectors).await {
            tracing::warn!(%error, "the cache of embeddings cannot be written");
        }
    }
}

#[async_trait]
impl Embedder for CachedEmbedder {
    fn model(&self) -> &str {
        self.embedder.model()
    }

    fn dimension(&self) -> usize {
        self.embedder.dimension()
    }

    async fn embed(
        &self,
        texts: &[&str],
        purpose: EmbeddingPurpose,
        errand: Errand<'_>,
    ) -> Result<Embeddings, ModelError> {
        let dimension = self.dimension();
        // An embedder that does not know its dimension yet is asked, and knows it then.
        if purpose == EmbeddingPurpose::Query || dimension == 0 || texts.is_empty() {
            return self.embedder.embed(texts, purpose, errand).await;
        }
        let tenant = errand.payer.map_or_else(TenantId::single, |payer| payer.tenant.clone());
        let keys: Vec<EmbeddingKey> =
            texts.iter().map(|text| EmbeddingKey::of(&tenant, self.model(), dimension, text)).collect();
        let mut known = self.kept(&tenant, &keys).await;
        known.retain(|_, vector| vector.len() == dimension);
        let mut missing: Vec<(EmbeddingKey, &str)> = Vec::new();
        for (&key, &text) in keys.iter().zip(texts) {
            // An empty entry is one that will come: a text that stands there twice is sent once.
            known.entry(key).or_insert_with(|| {
                missing.push((key, text));
                Vec::new()
            });
        }
        let mut tokens = 0;
        for part in missing.chunks(PASSAGES_AT_A_TIME) {
            let texts: Vec<&str> = part.iter().map(|(_, text)| *text).collect();
            let made = self.embedder.embed(&texts, purpose, errand).await?;
            tokens += made.tokens;
            let vectors: Vec<_> = part.iter().map(|(key, _)| *key).zip(made.vectors()).collect();
            self.keep(&tenant, &vectors).await;
            known.extend(vectors.into_iter().map(|(key, vector)| (key, vector.to_vec())));
        }
        let values = keys.iter().flat_map(|key| &known[key]).copied().collect();
        Ok(Embeddings { dimension, values, tokens })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use mainstay_domain::{Caller, Clock, Deadline, KeyId, ModelErrorKind, Timestamp};
    use mainstay_store::DataDir;

    use super::*;

    /// Remembers what it was asked; fails at a text that says so.
    #[derive(Default)]
    struct Remote {
        asked: Mutex<Vec<String>>,
    }

    #[async_trait]
    impl Embedder for Remote {
        fn model(&self) -> &str {
            "remote/small"
        }

        fn dimension(&self) -> usize {
            2
        }

        async fn embed(
            &self,
            texts: &[&str],
            _: EmbeddingPurpose,
            _: Errand<'_>,
        ) -> Result<Embeddings, ModelError> {
            if texts.contains(&"fail") {
                return Err(ModelError {
                    kind: ModelErrorKind::Provider,
                    provider: "remote".to_owned(),
                    status: None,
                    message: "no".to_owned(),
                    retry_after: None,
                });
            }
            self.asked.lock().unwrap().extend(texts.iter().map(|&text| text.to_owned()));
            let values = texts.iter().flat_map(|text| [text.len() as f32, 1.0]).collect();
            Ok(Embeddings { dimension: 2, values, tokens: texts.len() as u64 })
        }
    }

    impl Remote {
        fn asked(&self) -> usize {
            self.asked.lock().unwrap().len()
        }
    }

    struct Fixture {
        remote: Arc<Remote>,
        cached: CachedEmbedder,
        deadline: Deadline,
        _folder: tempfile::TempDir,
    }

    impl Fixture {
        async fn new() -> Self {
            let clock = Clock::starting_at(Timestamp::from_micros(0));
            let folder = tempfile::tempdir().unwrap();
            let data = DataDir::open(folder.path()).unwrap();
            let cache = EmbeddingCache::open(&data, 1 << 20, None, clock).await.unwrap();
            let remote = Arc::new(Remote::default());
            let cached = CachedEmbedder::new(remote.clone(), cache);
            Self {
                remote,
                cached,
                deadline: Deadline::after(&clock, Duration::from_secs(9)),
                _folder: folder,
            }
        }

        async fn embed(&self, texts: &[&str], purpose: EmbeddingPurpose) -> Result<Embeddings, ModelError> {
            self.cached.embed(texts, purpose, Errand::until(self.deadline)).await
        }
    }

    #[tokio::test]
    async fn a_passage_is_sent_once_and_comes_back_in_its_place() {
        let fixture = Fixture::new().await;
        let first = fixture.embed(&["a", "bb", "a"], EmbeddingPurpose::Passage).await.unwrap();
        assert_eq!((first.values, first.tokens), (vec![1.0, 1.0, 2.0, 1.0, 1.0, 1.0], 2));
        let second = fixture.embed(&["ccc", "bb"], EmbeddingPurpose::Passage).await.unwrap();
        assert_eq!((second.values, second.tokens), (vec![3.0, 1.0, 2.0, 1.0], 1));
        let third = fixture.embed(&["bb", "a"], EmbeddingPurpose::Passage).await.unwrap();
        assert_eq!((third.values, third.tokens), (vec![2.0, 1.0, 1.0, 1.0], 0));
        assert_eq!(fixture.remote.asked(), 3);
    }

    #[tokio::test]
    async fn nobody_learns_by_it_what_another_tenant_has() {
        let fixture = Fixture::new().await;
        for (tenant, asked) in [("acme", 1), ("zoo", 2), ("acme", 2), ("zoo", 2)] {
            let payer = Caller::of(TenantId::new(tenant), KeyId::new("k"));
            let errand = Errand::paid_by(&payer, fixture.deadline);
            fixture.cached.embed(&["a secret"], EmbeddingPurpose::Passage, errand).await.unwrap();
            assert_eq!(fixture.remote.asked(), asked, "{tenant}");
        }
    }

    #[tokio::test]
    async fn questions_are_not_kept() {
        let fixture = Fixture::new().await;
        for _ in 0..2 {
            fixture.embed(&["who?"], EmbeddingPurpose::Query).await.unwrap();
        }
        assert_eq!(fixture.remote.asked(), 2);
        fixture.embed(&["who?"], EmbeddingPurpose::Passage).await.unwrap();
        assert_eq!(fixture.remote.asked(), 3);
    }

    #[tokio::test]
    async fn what_was_made_before_a_failure_is_not_paid_for_again() {
        let fixture = Fixture::new().await;
        let texts: Vec<String> = (0..PASSAGES_AT_A_TIME).map(|number| number.to_string()).collect();
        let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        texts.push("fail");
        fixture.embed(&texts, EmbeddingPurpose::Passage).await.unwrap_err();
        texts.pop();
        let again = fixture.embed(&texts, EmbeddingPurpose::Passage).await.unwrap();
        assert_eq!((again.tokens, fixture.remote.asked()), (0, PASSAGES_AT_A_TIME));
    }
}
