//! What a corpus consists of, and what is odd about it: for whoever answers for its quality.

mod collect;
mod duplicates;
mod model;
mod topics;

use std::collections::{BTreeSet, HashSet};

use mainstay_domain::{ByteRange, ChunkId, CorpusName, DocumentId, TenantId};

use self::collect::Collected;
pub use self::model::{
    CorpusReport, Coverage, DocumentSize, DuplicateGroup, Duplicates, LanguageSize, OddChunk, Outliers,
    Topic, Unreachable, WordsBucket,
};
use super::Reason;
use super::judge::Judge;
use super::judging::away;
use crate::library::{Library, LibraryError};

/// Questions whose answers are known: the documents that are relevant for each.
#[derive(Clone, Debug, Default)]
pub struct Golden {
    /// By question.
    pub questions: Vec<Vec<DocumentId>>,
}

impl Golden {
    fn documents(&self) -> BTreeSet<&DocumentId> {
        self.questions.iter().flatten().collect()
    }
}

/// Ids that are named of whatever there are more of.
const EXAMPLES: usize = 5;

/// Documents that are read at once.
const PAGE: usize = 64;

/// Documents that topics are made of, at most.
const MOST_FOR_TOPICS: u64 = 10_000;

impl Library {
    /// The state of a corpus, by a look at all of its text.
    pub async fn report(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        golden: Option<&Golden>,
    ) -> Result<CorpusReport, LibraryError> {
        let Some(open) = self.known(tenant, corpus) else {
            if !self.is_configured(corpus) {
                return Err(self.unknown(corpus));
            }
            let nothing = Collected::new(Judge::new(self.settings_of(corpus).quality), HashSet::new(), 1);
            return Ok(report(corpus, nothing, golden));
        };
        let counts = self.documents.counts(tenant, corpus).await?;
        let judge = Judge::new(open.standing.judge().settings);
        let asked = golden.map(|golden| golden.documents().into_iter().cloned().collect());
        let step = counts.documents.div_ceil(MOST_FOR_TOPICS).max(1) as usize;
        let mut collected = Collected::new(judge, asked.unwrap_or_default(), step);
        let mut after = None;
        loop {
            let documents = self.documents.live(tenant, corpus, after, PAGE).await?;
            let Some(last) = documents.last() else { break };
            after = Some(last.revision);
            collected = away(move || {
                documents.iter().for_each(|document| collected.add(document));
                collected
            })
            .await?;
        }
        let mut distanced = collected.distances();
        let mut after = None;
        while distanced.is_wanted() {
            let documents = self.documents.live(tenant, corpus, after, PAGE).await?;
            let Some(last) = documents.last() else { break };
            after = Some(last.revision);
            distanced = away(move || {
                documents.iter().for_each(|document| distanced.add(document));
                distanced
            })
            .await?;
        }
        let (corpus, golden) = (corpus.clone(), golden.cloned());
        let report = away(move || report(&corpus, distanced.finish(), golden.as_ref())).await?;
        Ok(CorpusReport { source_bytes: counts.source_bytes, ..report })
    }
}

fn report(corpus: &CorpusName, collected: Collected, golden: Option<&Golden>) -> CorpusReport {
    let topics = topics::topics(&collected, golden.is_some());
    let coverage = golden.map(|golden| coverage(&collected, golden, &topics));
    let sizes = |largest: bool| {
        let mut sizes: Vec<DocumentSize> = collected.documents.iter().map(|one| one.size.clone()).collect();
        sizes.sort_unstable();
        if largest {
            sizes.reverse();
        }
        sizes.truncate(EXAMPLES);
        sizes
    };
    let unreachable = collected.documents.iter().filter(|one| one.reachable == 0);
    let unreachable = Unreachable {
        documents: unreachable.clone().count() as u64,
        doc_ids: unreachable.take(EXAMPLES).map(|one| one.size.doc_id.clone()).collect(),
    };
    let mut languages: Vec<LanguageSize> = collected.languages.values().cloned().collect();
    languages.sort_by(|a, b| b.documents.cmp(&a.documents).then_with(|| a.language.cmp(&b.language)));
    CorpusReport {
        object: "corpus.report".to_owned(),
        corpus: corpus.clone(),
        documents: collected.documents.len() as u64,
        chunks: collected.words.len() as u64,
        words: collected.words.iter().map(|&words| u64::from(words)).sum(),
        bytes: collected.documents.iter().map(|one| one.size.bytes).sum(),
        source_bytes: 0,
        quarantined: collected.quarantined.clone(),
        languages,
        media_types: collected.media_types.clone(),
        chunk_words: histogram(&collected.words),
        median_chunk_words: median(&collected.words),
        duplicates: duplicates::duplicates(&collected),
        outliers: outliers(&collected),
        largest: sizes(true),
        smallest: sizes(false),
        unreachable,
        topics,
        coverage,
    }
}

fn outliers(collected: &Collected) -> Vec<Outliers> {
    let found = Reason::ALL.into_iter().filter_map(|reason| {
        let odd = collected.odd.get(&reason);
        let quarantined = collected.quarantined.get(reason.as_str()).copied().unwrap_or(0);
        let (chunks, examples) = odd.map_or((0, Vec::new()), |odd| (odd.chunks, odd.examples.clone()));
        // What is in quarantine was odd when it came, whatever is usual now.
        let chunks = chunks.max(quarantined);
        (chunks > 0).then_some(Outliers { reason, chunks, quarantined, examples })
    });
    found.collect()
}

fn coverage(collected: &Collected, golden: &Golden, topics: &[Topic]) -> Coverage {
    let there: HashSet<&DocumentId> = collected.documents.iter().map(|one| &one.size.doc_id).collect();
    let relevant = golden.documents();
    let missing = relevant.iter().filter(|id| !there.contains(**id));
    let in_corpus = relevant.iter().filter(|id| there.contains(**id)).count();
    let unanswerable = golden.questions.iter().filter(|ids| !ids.iter().any(|id| there.contains(id)));
    Coverage {
        questions: golden.questions.len() as u64,
        unanswerable_questions: unanswerable.count() as u64,
        relevant_documents: relevant.len() as u64,
        relevant_in_corpus: in_corpus as u64,
        missing: missing.take(EXAMPLES).map(|id| (*id).clone()).collect(),
        uncovered_documents: (there.len() - in_corpus) as u64,
        uncovered_topics: topics.iter().filter(|topic| topic.covered == Some(0)).count() as u64,
    }
}

/// Where the buckets of the histogram begin.
const BUCKETS: [u32; 11] = [0, 3, 10, 25, 50, 75, 100, 125, 150, 200, 400];

fn histogram(words: &[u32]) -> Vec<WordsBucket> {
    let ends = BUCKETS[1..].iter().map(|&next| Some(next - 1)).chain([None]);
    let buckets = BUCKETS.into_iter().zip(ends).map(|(from, to)| {
        let is_in = |&&count: &&u32| from <= count && to.is_none_or(|to| count <= to);
        WordsBucket { from, to, chunks: words.iter().filter(is_in).count() as u64 }
    });
    buckets.collect()
}

fn median(words: &[u32]) -> u32 {
    let mut words = words.to_vec();
    words.sort_unstable();
    words.get(words.len().saturating_sub(1) / 2).copied().unwrap_or(0)
}

/// Where a chunk is, for examples.
fn odd_chunk(doc_id: &DocumentId, chunk: ChunkId, range: ByteRange, words: u32) -> OddChunk {
    OddChunk { chunk_id: chunk, doc_id: doc_id.clone(), start_byte: range.start, end_byte: range.end, words }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chunk_is_in_one_bucket() {
        let words = [0, 2, 3, 99, 100, 399, 400, 5_000];
        let buckets = histogram(&words);
        assert_eq!(buckets.iter().map(|bucket| bucket.chunks).sum::<u64>(), words.len() as u64);
        assert_eq!(
            buckets.first().map(|bucket| (bucket.from, bucket.to, bucket.chunks)),
            Some((0, Some(2), 2))
        );
        assert_eq!(
            buckets.last().map(|bucket| (bucket.from, bucket.to, bucket.chunks)),
            Some((400, None, 2))
        );
        assert_eq!((median(&words), median(&[])), (99, 0));
    }
}
