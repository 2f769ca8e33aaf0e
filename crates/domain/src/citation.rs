//! Passages that were retrieved, and what of them an answer cites.

use serde::{Deserialize, Serialize};

use crate::id::{ChunkId, DocumentId};

/// A range of bytes in the canonical text of a document: `start` included, `end` not. For plain text and Markdown the
/// canonical text is the file itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct ByteRange {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl ByteRange {
    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Whether there is no byte in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A retrieved piece of a document: the small chunk that matched and the larger parent that is read.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Passage {
    /// The chunk that matched.
    pub chunk: ChunkId,
    /// Its document.
    #[serde(rename = "doc_id")]
    pub document: DocumentId,
    /// The document's title.
    pub title: Option<String>,
    /// The headings above the chunk, outermost first.
    pub headings: Vec<String>,
    /// Those of them that are above the whole parent as well, as far as that is known.
    pub parent_headings: Vec<String>,
    /// Where the chunk is.
    pub range: ByteRange,
    /// The chunk's text, exactly the bytes of `range`.
    pub text: String,
    /// Where the parent is; contains `range`.
    pub parent_range: ByteRange,
    /// The parent's text, exactly the bytes of `parent_range`.
    pub parent_text: String,
    /// Its language, as documents name it, where that is known.
    #[serde(skip)]
    pub language: Option<String>,
    /// Why it was found.
    pub score: PassageScore,
}

impl Passage {
    /// A document that is one passage: its chunk and its parent are all of it, nothing is known of what stands above it, and
    /// nothing has scored it.
    pub fn whole(chunk: ChunkId, document: &str, text: impl Into<String>) -> Self {
        let text = text.into();
        let range = ByteRange { start: 0, end: text.len() };
        Self {
            chunk,
            document: DocumentId::new(document),
            title: None,
            headings: Vec::new(),
            parent_headings: Vec::new(),
            range,
            parent_range: range,
            parent_text: text.clone(),
            text,
            language: None,
            score: PassageScore::default(),
        }
    }

    /// The chunk's text under the title of its document and the headings above it, for whoever reads one text: a chunk
    /// alone often does not say what it is about.
    pub fn text_in_context(&self) -> String {
        let lines = self.title.iter().chain(&self.headings).map(String::as_str);
        lines.chain([self.text.as_str()]).collect::<Vec<_>>().join("\n")
    }
}

/// The scores of a passage: what fusion and reranker made of it, and what each channel said. A channel that did not
/// return the passage has no score, and neither has a reranker that did not read it.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct PassageScore {
    /// The score that orders the candidates; larger is better; comparable only within one result list.
    pub fused: f32,
    /// The place in that order, 1 for the best. Beside the place in the results it shows what reranking moved.
    pub fused_rank: usize,
    /// The score that orders the results before those without one; larger is better; comparable only within one list.
    pub rerank: Option<f32>,
    /// Cosine similarity of the dense vectors, −1 to 1.
    pub dense: Option<f32>,
    /// BM25 of the chunk.
    pub sparse: Option<f32>,
    /// BM25 of its parent.
    pub parent: Option<f32>,
    /// BM25 of its runs of characters, where the corpus is searched by them.
    pub grams: Option<f32>,
    /// Cosine similarity of the second, better vectors, where the corpus has them: with the question after it was moved towards
    /// the best passages.
    pub upgraded: Option<f32>,
    /// How close it is to the question piece by piece, −1 to 1, where it was among the best and has been compared so.
    pub multi_vector: Option<f32>,
    /// The mean of those of the passages of its document that were found, where a transformer made them.
    pub document: Option<f32>,
    /// Where it stands in the list of each channel.
    pub ranks: ChannelRanks,
}

/// Where a passage stands in the list of each channel of a search, from 1. A channel that did not return it has no rank.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ChannelRanks {
    /// By the dense vectors.
    pub dense: Option<usize>,
    /// By the words of the chunk.
    pub sparse: Option<usize>,
    /// By the words of its parent.
    pub parent: Option<usize>,
    /// By its runs of characters.
    pub grams: Option<usize>,
    /// By the second, better vectors.
    pub upgraded: Option<usize>,
    /// By its closeness piece by piece, among the best.
    pub multi_vector: Option<usize>,
}

/// A statement of an answer, tied to the bytes of a document that support it. Only citations whose quote was found in
/// the document leave Mainstay.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Citation {
    /// The `n` of the marker `[n]` in the answer.
    pub index: u32,
    /// The cited document.
    #[serde(rename = "doc_id")]
    pub document: DocumentId,
    /// The document's title.
    pub title: Option<String>,
    /// The headings above the quote, outermost first, as far as they are known: the last may be the clause of a contract,
    /// as in `Article 5 — Termination`.
    #[serde(default)]
    pub headings: Vec<String>,
    /// The cited chunk.
    #[serde(rename = "chunk_id")]
    pub chunk: ChunkId,
    /// Where the quote is in the document.
    #[serde(flatten, with = "flat_range")]
    pub range: ByteRange,
    /// The supporting text, exactly the bytes of `range`.
    pub quote: String,
    /// Where the marker is in the answer, in Unicode code points, as OpenAI's annotations count: first character.
    pub start_index: usize,
    /// One past the marker's last character.
    pub end_index: usize,
}

/// Writes a [`ByteRange`] as `start_byte` and `end_byte` beside the other fields.
mod flat_range {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::ByteRange;

    #[derive(Serialize, Deserialize)]
    struct Flat {
        start_byte: usize,
        end_byte: usize,
    }

    pub(super) fn serialize<S: Serializer>(range: &ByteRange, serializer: S) -> Result<S::Ok, S::Error> {
        Flat { start_byte: range.start, end_byte: range.end }.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ByteRange, D::Error> {
        Flat::deserialize(deserializer).map(|flat| ByteRange { start: flat.start_byte, end: flat.end_byte })
    }
}
