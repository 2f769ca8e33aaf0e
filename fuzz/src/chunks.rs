//! Cutting text into chunks.

use mainstay_documents::{
    Chunk, ChunkMode, ChunkOptions, Limits, MediaType, ParsedDocument, chunk, parse_text, table_headers,
};
use mainstay_domain::ByteRange;

/// Text of either kind under any options, which the first four bytes choose.
pub(crate) fn cut(data: &[u8]) {
    let Some(([mode, target, most, parent], text)) = data.split_first_chunk() else { return };
    let media_type = if mode & 0x80 == 0 { MediaType::Markdown } else { MediaType::PlainText };
    let text = String::from_utf8_lossy(text).into_owned();
    let Ok(document) = parse_text(text, media_type, &Limits::default()) else { return };
    let options = ChunkOptions {
        mode: match mode % 5 {
            0 => ChunkMode::Structural,
            1 => ChunkMode::Sentence,
            2 => ChunkMode::Fixed { overlap_words: u32::from(most % 16) },
            3 => ChunkMode::Semantic,
            _ => ChunkMode::Clauses,
        },
        target_words: u32::from(target % 64),
        max_words: u32::from(*most),
        parent_words: u32::from(*parent),
        whole_below_words: u32::from(parent % 8),
    };
    check(&document, &options);
}

/// Everything that cutting promises for any document.
pub(crate) fn check(document: &ParsedDocument, options: &ChunkOptions) {
    let text = document.text.as_str();
    let chunks = chunk(document, options, &vector);
    let has_overlap = matches!(options.mode, ChunkMode::Fixed { .. });
    let mut covered = 0;
    for (ordinal, chunk) in chunks.iter().enumerate() {
        assert_eq!(chunk.ordinal as usize, ordinal);
        let ByteRange { start, end } = chunk.range;
        let inside = text.get(start..end).expect("on character boundaries");
        assert!(!inside.is_empty() && inside.trim() == inside, "whitespace around a chunk");
        assert!(chunk.words > 0);
        assert!(chunk.parent_range.start <= start && end <= chunk.parent_range.end);
        assert!(text.get(chunk.parent_range.start..chunk.parent_range.end).is_some());
        assert!(end > covered, "a chunk adds nothing");
        assert!(start >= covered || has_overlap, "chunks overlap");
        left_out(document, covered, start.max(covered));
        covered = end;
    }
    left_out(document, covered, text.len());
    for pair in chunks.windows(2) {
        let [one, two]: &[Chunk; 2] = pair.try_into().expect("windows of two");
        assert!(one.range.start < two.range.start);
        let apart = one.parent_range.end <= two.parent_range.start;
        assert!(one.parent_range == two.parent_range || apart || has_overlap, "parents overlap");
    }
    let headers = table_headers(text, document.media_type, chunks.iter().map(|chunk| chunk.range));
    assert_eq!(headers.len(), chunks.len());
    for (header, chunk) in headers.iter().zip(&chunks) {
        let Some(header) = header else { continue };
        assert!(header.start < chunk.range.start && text.get(header.start..header.end).is_some());
    }
}

/// What no chunk covers is whitespace, or in a block that no reader sees.
fn left_out(document: &ParsedDocument, from: usize, to: usize) {
    let mut at = from;
    let hidden = document.blocks.iter().filter(|block| !block.kind.is_searchable());
    for block in hidden.filter(|block| block.range.end > from && block.range.start < to) {
        assert!(is_blank(&document.text[at..block.range.start.max(at)]), "text that no chunk has");
        at = block.range.end.max(at);
    }
    assert!(is_blank(&document.text[at.min(to)..to]), "text that no chunk has");
}

fn is_blank(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').trim().is_empty()
}

/// Meaning, such that texts with the same words are alike.
fn vector(text: &str) -> Vec<f32> {
    let mut vector = vec![0.0; 16];
    for word in text.split_whitespace() {
        let hash = word.bytes().fold(7_usize, |hash, byte| hash.wrapping_mul(31) ^ usize::from(byte));
        vector[hash % 16] += 1.0;
    }
    vector
}
