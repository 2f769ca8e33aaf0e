//! From the bytes of a document to chunks with their terms: the part of ingest that is only computation.

use bytes::Bytes;
use mainstay_documents::{
    Chunk, ChunkOptions, Hint, Limits, MediaType, ParseError, ParsedDocument, chunk, parse, plain,
    table_headers,
};
use mainstay_domain::metadata::MetadataFault;
use mainstay_domain::{ByteRange, DocumentId, Metadata, UserId};
use mainstay_embed::StaticEmbedder;
use mainstay_store::documents::{Finding, Fingerprint};
use mainstay_text::{Analyzer, Language, Terms, character_grams, detect_reliably};

/// A document as it arrives.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Its id; without one it gets one.
    pub doc_id: Option<DocumentId>,
    /// Its title; without one, what it calls itself.
    pub title: Option<String>,
    /// Its language, ISO 639-1; without one, what it surely looks like.
    pub language: Option<String>,
    /// The name of its file.
    pub file_name: Option<String>,
    /// Its media type, where one was declared.
    pub media_type: Option<String>,
    /// What its owner says about it: fields by which searches can be narrowed.
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// Who brings it, where that is known.
    pub author: Option<UserId>,
    /// The document.
    pub bytes: Bytes,
}

/// A document that is ready to be embedded and stored.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) title: Option<String>,
    pub(crate) media_type: MediaType,
    /// `None` where it is uncertain.
    pub(crate) language: Option<Language>,
    pub(crate) metadata: Metadata,
    /// The canonical text.
    pub(crate) text: String,
    pub(crate) chunks: Vec<PreparedChunk>,
}

/// Why a document cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrepareError {
    /// It cannot be read.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// Its metadata are none that a document can have.
    #[error(transparent)]
    Metadata(#[from] MetadataFault),
    /// The corpus has no room for the fields of its metadata.
    #[error("{0}")]
    TooManyFields(String),
}

impl PrepareError {
    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Parse(error) => error.code(),
            Self::Metadata(fault) => fault.code(),
            Self::TooManyFields(_) => "too_many_metadata_fields",
        }
    }
}

/// A chunk that is ready to be embedded.
#[derive(Clone, Debug)]
pub(crate) struct PreparedChunk {
    pub(crate) chunk: Chunk,
    pub(crate) searchable: Searchable,
    /// Why no search is to find it, if so.
    pub(crate) finding: Option<Finding>,
}

/// What a chunk is found by.
#[derive(Clone, Debug)]
pub(crate) struct Searchable {
    /// What is embedded.
    pub(crate) dense_text: String,
    /// Where in it the text itself begins, after what stands above it.
    text_start: usize,
    /// The words of the text.
    body: Terms,
    /// The words of the title and of the headings and the row of a table above it.
    context: Terms,
}

impl Searchable {
    /// The text alone, without markup.
    pub(crate) fn text(&self) -> &str {
        &self.dense_text[self.text_start..]
    }

    /// The runs of characters of what is embedded, which find a word that is written or inflected a little differently.
    pub(crate) fn grams(&self) -> Terms {
        grams(&self.dense_text)
    }

    /// What keyword search sees: the text under the title and headings that say what it is about.
    pub(crate) fn terms(&self) -> Terms {
        self.together_with(&[])
    }

    /// The same for a chunk and those that follow it as one text, under the title and headings of the first.
    pub(crate) fn together_with(&self, others: &[&Self]) -> Terms {
        let mut terms = self.context.clone();
        for chunk in std::iter::once(&self).chain(others) {
            terms.add_field(&chunk.body, 1.0);
        }
        terms
    }
}

/// The runs of characters of a text, by the same rules for questions and documents of any language.
pub(crate) fn grams(text: &str) -> Terms {
    character_grams(text, Language::ENGLISH)
}

/// By what an unchanged document is recognised: everything that its index entries depend on, the way it is cut included.
/// The way that holds without any configuration leaves no mark, so that documents from before it could be configured are
/// recognised.
pub(crate) fn fingerprint(upload: &Upload, chunking: &ChunkOptions) -> Fingerprint {
    let fields = [&upload.title, &upload.language, &upload.file_name, &upload.media_type];
    let fields = fields.into_iter().map(|field| field.as_deref().unwrap_or("\0").as_bytes());
    let chunking = (*chunking != ChunkOptions::default()).then(|| format!("{chunking:?}"));
    let mut metadata = upload.metadata.clone();
    metadata.sort_keys();
    // Documents without metadata keep the fingerprint that they had when there were none.
    let metadata = (!metadata.is_empty()).then(|| serde_json::Value::Object(metadata).to_string());
    let extras = metadata.iter().chain(&chunking).map(String::as_bytes);
    Fingerprint::of(fields.chain([&upload.bytes[..]]).chain(extras))
}

/// Reads, cuts and analyses a document.
pub(crate) fn prepare(
    upload: &Upload,
    limits: &Limits,
    options: &ChunkOptions,
) -> Result<Prepared, PrepareError> {
    let metadata = Metadata::new(upload.metadata.clone())?;
    let hint = Hint { file_name: upload.file_name.as_deref(), media_type: upload.media_type.as_deref() };
    let parsed = parse(&upload.bytes, hint, limits)?;
    let declared = upload.language.as_deref().and_then(|tag| Language::parse(tag).ok());
    let language = declared.or_else(|| detect_reliably(&parsed.text));
    let title = upload.title.clone().or_else(|| parsed.title.clone());
    let chunks = searchable_chunks(&parsed, title.as_deref(), language, options);
    Ok(Prepared { title, media_type: parsed.media_type, language, metadata, text: parsed.text, chunks })
}

/// By the rules of which language the words of a document are analysed: its own, or English where that is uncertain.
pub(crate) fn analysed_as(language: Option<&str>) -> Language {
    language.and_then(|tag| Language::parse(tag).ok()).unwrap_or(Language::ENGLISH)
}

fn searchable_chunks(
    parsed: &ParsedDocument,
    title: Option<&str>,
    language: Option<Language>,
    options: &ChunkOptions,
) -> Vec<PreparedChunk> {
    let analyzer = Analyzer::new(analysed_as(language.as_ref().map(Language::as_str)));
    // Where a subject changes is the built-in embedder's to say, whatever embeds the chunks: it costs nothing and is
    // always there.
    let chunks = chunk(parsed, options, &|text| StaticEmbedder::builtin().embed_text(text));
    let contexts = contexts(
        &parsed.text,
        parsed.media_type,
        chunks.iter().map(|chunk| (chunk.range, &chunk.headings[..])),
    );
    let chunks = chunks.into_iter().zip(contexts);
    chunks
        .map(|(chunk, context)| {
            let text = &parsed.text[chunk.range.start..chunk.range.end];
            let searchable = searchable(&analyzer, title, &context, text, parsed.media_type);
            PreparedChunk { chunk, searchable, finding: None }
        })
        .collect()
}

/// What stands above each chunk of a text and says what it is about: its headings, and the header row of the table that
/// it goes on with.
pub(crate) fn contexts<'a>(
    text: &str,
    media_type: MediaType,
    chunks: impl Iterator<Item = (ByteRange, &'a [String])> + Clone,
) -> Vec<Vec<String>> {
    let rows = table_headers(text, media_type, chunks.clone().map(|(range, _)| range));
    let row = |range: ByteRange| {
        let row = plain(&text[range.start..range.end], media_type);
        let cells: Vec<&str> = row.split('|').map(str::trim).filter(|cell| !cell.is_empty()).collect();
        cells.join(" ")
    };
    let context = |((_, headings), header): ((ByteRange, &[String]), Option<ByteRange>)| {
        headings.iter().cloned().chain(header.map(row)).collect()
    };
    chunks.zip(rows).map(context).collect()
}

/// What a chunk is found by: its own words, and the title and the context above it ([`contexts`]).
pub(crate) fn searchable(
    analyzer: &Analyzer,
    title: Option<&str>,
    context: &[String],
    text: &str,
    media_type: MediaType,
) -> Searchable {
    let mut dense_text = String::with_capacity(text.len() + 128);
    for line in title.into_iter().chain(context.iter().map(String::as_str)) {
        dense_text.push_str(line);
        dense_text.push('\n');
    }
    let context = analyzer.analyze(&dense_text);
    let text = plain(text, media_type);
    let body = analyzer.analyze(&text);
    let text_start = dense_text.len();
    dense_text.push_str(&text);
    Searchable { dense_text, text_start, body, context }
}

#[cfg(test)]
mod tests {
    use mainstay_documents::ChunkMode;

    use super::*;

    fn prepared(text: &str, language: Option<&str>) -> Prepared {
        let upload = Upload {
            author: None,
            doc_id: None,
            title: None,
            language: language.map(str::to_owned),
            file_name: None,
            media_type: None,
            metadata: serde_json::Map::new(),
            bytes: Bytes::copy_from_slice(text.as_bytes()),
        };
        prepare(&upload, &Limits::default(), &ChunkOptions::default()).expect(text)
    }

    #[test]
    fn a_chunk_of_a_table_is_found_by_what_its_columns_are_called() {
        let rows: String = (0..200).map(|row| format!("| Town {row} | {row} thousand |\n")).collect();
        let text = format!("# Statistics\n\n| Municipality | Inhabitants |\n|---|---|\n{rows}");
        let upload = Upload {
            author: None,
            doc_id: None,
            title: None,
            language: Some("en".to_owned()),
            file_name: Some("towns.md".to_owned()),
            media_type: None,
            metadata: serde_json::Map::new(),
            bytes: Bytes::copy_from_slice(text.as_bytes()),
        };
        let chunks = prepare(&upload, &Limits::default(), &ChunkOptions::default()).expect("Markdown").chunks;
        assert!(chunks.len() > 3);
        for one in &chunks {
            let lines: Vec<&str> = one.searchable.dense_text.lines().collect();
            let header = lines.iter().filter(|line| line.trim_end() == "Municipality Inhabitants").count();
            assert_eq!((lines[0], header), ("Statistics", 1), "{lines:?}");
            let quoted = &text[one.chunk.range.start..one.chunk.range.end];
            assert!(
                one.chunk.ordinal == 0 || !quoted.contains("Municipality"),
                "the chunk itself stays as it is"
            );
        }
    }

    #[test]
    fn a_document_that_is_to_be_cut_otherwise_is_no_unchanged_one() {
        let upload = Upload {
            author: None,
            doc_id: None,
            title: None,
            language: None,
            file_name: None,
            media_type: None,
            metadata: serde_json::Map::new(),
            bytes: Bytes::from_static(b"Text."),
        };
        let defaults = ChunkOptions::default();
        let modes = [
            defaults,
            ChunkOptions { target_words: 50, ..defaults },
            ChunkOptions { mode: ChunkMode::Fixed { overlap_words: 10 }, ..defaults },
            ChunkOptions { mode: ChunkMode::Fixed { overlap_words: 20 }, ..defaults },
        ];
        for (number, one) in modes.iter().enumerate() {
            for (other_number, other) in modes.iter().enumerate() {
                let same = fingerprint(&upload, one) == fingerprint(&upload, other);
                assert_eq!(same, number == other_number);
            }
        }
    }

    #[test]
    fn other_metadata_make_another_document() {
        let with = |metadata: serde_json::Value| Upload {
            author: None,
            doc_id: None,
            title: None,
            language: None,
            file_name: None,
            media_type: None,
            metadata: metadata.as_object().unwrap().clone(),
            bytes: Bytes::from_static(b"text"),
        };
        let print = |metadata| fingerprint(&with(metadata), &ChunkOptions::default());
        let (one, other) =
            (print(serde_json::json!({ "a": 1, "b": 2 })), print(serde_json::json!({ "a": 1 })));
        assert_ne!(one, other);
        assert_ne!(other, print(serde_json::json!({})));
        assert_eq!(one, print(serde_json::json!({ "b": 2, "a": 1 })));
    }

    #[test]
    fn a_text_too_short_to_tell_its_language_has_none() {
        assert_eq!(prepared("Octopus file.", None).language, None);
        assert_eq!(prepared("Octopus file.", Some("de-AT")).language, Some(Language::GERMAN));
        let sentence = "Der Vertrag endet, sobald eine der Parteien ihn schriftlich kündigt.";
        assert_eq!(prepared(sentence, None).language, Some(Language::GERMAN));
    }
}
