//! What is collected of a corpus document by document: in a first look everything that a document says for itself, in a
//! second one how far its chunks are from the others.

use std::collections::{BTreeMap, HashMap, HashSet};

use mainstay_documents::words;
use mainstay_domain::DocumentId;
use mainstay_embed::StaticEmbedder;
use mainstay_store::documents::{Fingerprint, IndexableDocument, Quarantined};

use super::duplicates::Signature;
use super::topics::Vocabulary;
use super::{DocumentSize, EXAMPLES, LanguageSize, OddChunk, odd_chunk};
use crate::corpus::searchables_of;
use crate::quality::judge::{Judge, content_of};
use crate::quality::middles::{Distances, Means};
use crate::quality::{Consequence, Reason};
use crate::shingles::Shingles;

/// What was seen of a corpus.
pub(super) struct Collected {
    judge: Judge,
    /// Documents that questions ask about.
    asked: HashSet<DocumentId>,
    /// Of so many documents one is looked at for topics, and all that are asked about.
    step: usize,
    pub(super) documents: Vec<Seen>,
    pub(super) languages: BTreeMap<Option<String>, LanguageSize>,
    pub(super) media_types: BTreeMap<String, u64>,
    /// Words of each chunk.
    pub(super) words: Vec<u32>,
    pub(super) quarantined: Quarantined,
    pub(super) odd: BTreeMap<Reason, Odd>,
    /// How often each text of a chunk occurs.
    pub(super) contents: HashMap<Fingerprint, u32>,
    pub(super) vocabulary: Vocabulary,
    means: Means,
}

/// A document.
pub(super) struct Seen {
    pub(super) size: DocumentSize,
    /// Chunks that searches find.
    pub(super) reachable: u64,
    pub(super) content: Fingerprint,
    /// `None` where it has no words.
    pub(super) signature: Option<Signature>,
    /// What it is about, where it is looked at for topics.
    pub(super) subject: Option<Subject>,
    pub(super) is_asked: bool,
}

/// What a document is about.
pub(super) struct Subject {
    pub(super) vector: Vec<f32>,
    pub(super) words: Vec<u32>,
}

/// Chunks that are odd in one way.
#[derive(Default)]
pub(super) struct Odd {
    pub(super) chunks: u64,
    pub(super) examples: Vec<OddChunk>,
}

impl Odd {
    fn add(&mut self, example: impl FnOnce() -> OddChunk) {
        self.chunks += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(example());
        }
    }
}

impl Collected {
    pub(super) fn new(judge: Judge, asked: HashSet<DocumentId>, step: usize) -> Self {
        Self {
            judge,
            asked,
            step,
            documents: Vec::new(),
            languages: BTreeMap::new(),
            media_types: BTreeMap::new(),
            words: Vec::new(),
            quarantined: Quarantined::new(),
            odd: BTreeMap::new(),
            contents: HashMap::new(),
            vocabulary: Vocabulary::default(),
            means: Means::default(),
        }
    }

    /// Adds a document.
    pub(super) fn add(&mut self, document: &IndexableDocument) {
        let language = document.language.as_deref();
        let mut vector = vec![0.0; StaticEmbedder::DIMENSION];
        let mut reachable = 0;
        for (chunk, searchable) in document.chunks.iter().zip(searchables_of(document)) {
            let text = searchable.text();
            let count = words(text);
            self.words.push(count);
            *self.contents.entry(content_of(document.text_of(chunk))).or_default() += 1;
            match &chunk.finding {
                Some(finding) => *self.quarantined.entry(finding.reason.clone()).or_default() += 1,
                None => reachable += 1,
            }
            let reason = self.judge.reason(text, language);
            if let Some(reason) = reason {
                let example = || odd_chunk(&document.doc_id, chunk.chunk, chunk.range, count);
                self.odd.entry(reason).or_default().add(example);
            }
            if reason.is_none_or(|reason| !reason.is_unreadable()) {
                let of_chunk = StaticEmbedder::builtin().embed_text(text);
                self.means.add_vector(language, &of_chunk);
                vector.iter_mut().zip(&of_chunk).for_each(|(sum, value)| *sum += value);
            }
        }
        let shingles = Shingles::of(&document.text);
        let is_asked = self.asked.contains(&document.doc_id);
        let is_looked_at = is_asked || self.documents.len().is_multiple_of(self.step);
        let subject = is_looked_at
            .then(|| Subject { vector: unit(vector), words: self.vocabulary.words_of(&document.text) });
        let size = DocumentSize {
            bytes: document.text.len() as u64,
            chunks: document.chunks.len() as u64,
            doc_id: document.doc_id.clone(),
        };
        let of_language = self.languages.entry(document.language.clone()).or_insert_with(|| LanguageSize {
            language: document.language.clone(),
            documents: 0,
            chunks: 0,
        });
        of_language.documents += 1;
        of_language.chunks += size.chunks;
        *self.media_types.entry(document.media_type.clone()).or_default() += 1;
        self.documents.push(Seen {
            size,
            reachable,
            content: content_of(&document.text),
            signature: Signature::of(&shingles),
            subject,
            is_asked,
        });
    }

    /// Goes on with a second look at the same documents.
    pub(super) fn distances(mut self) -> Distanced {
        let distances = std::mem::take(&mut self.means).distances();
        Distanced { collected: self, distances, candidates: Vec::new() }
    }
}

/// A corpus at the second look.
pub(super) struct Distanced {
    collected: Collected,
    distances: Distances,
    /// Chunks with which nothing else is odd.
    candidates: Vec<Candidate>,
}

struct Candidate {
    language: Option<String>,
    distance: f32,
    example: OddChunk,
}

impl Distanced {
    /// Whether anybody wants to know.
    pub(super) fn is_wanted(&self) -> bool {
        self.collected.judge.settings.outliers != Consequence::Off && self.distances.has_means()
    }

    /// Adds a document.
    pub(super) fn add(&mut self, document: &IndexableDocument) {
        let language = document.language.as_deref();
        for (chunk, searchable) in document.chunks.iter().zip(searchables_of(document)) {
            let text = searchable.text();
            let reason = self.collected.judge.reason(text, language);
            if reason.is_some_and(Reason::is_unreadable) {
                continue;
            }
            let Some(distance) = self.distances.add(language, text).filter(|_| reason.is_none()) else {
                continue;
            };
            let example = odd_chunk(&document.doc_id, chunk.chunk, chunk.range, words(text));
            self.candidates.push(Candidate { language: document.language.clone(), distance, example });
        }
    }

    /// What was seen, with what is far from the rest: the farthest first.
    pub(super) fn finish(self) -> Collected {
        let Self { mut collected, distances, candidates } = self;
        let middles = distances.middles();
        let farthest = collected.judge.settings.farthest;
        let mut far: Vec<(f32, OddChunk)> = candidates
            .into_iter()
            .filter_map(|one| Some((middles.excess_of(one.language.as_deref(), one.distance)?, one.example)))
            .filter(|(excess, _)| *excess > farthest)
            .collect();
        far.sort_by(|(a, one), (b, other)| b.total_cmp(a).then(one.chunk_id.cmp(&other.chunk_id)));
        for (_, example) in far {
            collected.odd.entry(Reason::Far).or_default().add(|| example);
        }
        collected
    }
}

fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value /= length);
    }
    vector
}
