use proptest::prelude::*;

use super::*;
use crate::document::{BlockKind, MediaType};
use crate::parse::{Limits, parse_text};

mod modes;

/// One of each mode.
const MODES: [ChunkMode; 5] = [
    ChunkMode::Structural,
    ChunkMode::Sentence,
    ChunkMode::Fixed { overlap_words: 25 },
    ChunkMode::Semantic,
    ChunkMode::Clauses,
];

fn document(text: &str, media_type: MediaType) -> ParsedDocument {
    parse_text(text.to_owned(), media_type, &Limits::default()).expect("text")
}

fn texts<'a>(document: &'a ParsedDocument, chunks: &[Chunk]) -> Vec<&'a str> {
    chunks.iter().map(|chunk| &document.text[chunk.range.start..chunk.range.end]).collect()
}

fn prose(sentences: usize, words: usize) -> String {
    let sentence = format!("Sentence {}end. ", "word ".repeat(words - 2));
    sentence.repeat(sentences)
}

/// A vector of the words of a text: texts that share words are similar.
fn meaning(text: &str) -> Vec<f32> {
    let mut vector = vec![0.0; 64];
    for word in text.split_whitespace() {
        let hash = word.bytes().fold(7usize, |hash, byte| hash.wrapping_mul(31) ^ usize::from(byte));
        vector[hash % 64] += 1.0;
    }
    vector
}

fn chunk(document: &ParsedDocument, options: &ChunkOptions) -> Vec<Chunk> {
    super::chunk(document, options, &meaning)
}

/// Everything that [`chunk`] promises for any document.
#[track_caller]
fn check_promises(document: &ParsedDocument, options: &ChunkOptions) -> Vec<Chunk> {
    let text = document.text.as_str();
    let chunks = chunk(document, options);
    assert_eq!(chunks, chunk(document, options));
    let overlap = match options.mode {
        ChunkMode::Fixed { overlap_words } => overlap_words.min(options.target_words / 2),
        _ => 0,
    };
    let mut covered = 0;
    for (ordinal, chunk) in chunks.iter().enumerate() {
        assert_eq!(chunk.ordinal as usize, ordinal);
        let ByteRange { start, end } = chunk.range;
        let inside = text.get(start..end).expect("on character boundaries");
        assert!(!inside.is_empty() && inside.trim() == inside, "{inside:?}");
        assert!(chunk.words > 0);
        assert!(chunk.parent_range.start <= start && end <= chunk.parent_range.end);
        if start < covered {
            assert!(words::whole_words(words::weigh(&text[start..covered])) <= overlap, "{inside:?}");
        } else {
            assert_hidden(document, covered, start);
        }
        assert!(end > covered, "every chunk adds something");
        covered = end;
    }
    assert_hidden(document, covered, text.len());
    for pair in chunks.windows(2) {
        let [one, two] = pair else { unreachable!("windows of two") };
        assert!(one.range.start < two.range.start);
        let apart = one.parent_range.end <= two.parent_range.start;
        let overlapping = overlap > 0 && two.parent_range.start == two.range.start;
        assert!(one.parent_range == two.parent_range || apart || overlapping);
    }
    chunks
}

/// No chunk covers `from..to`: only whitespace and blocks that no reader sees may be there.
#[track_caller]
fn assert_hidden(document: &ParsedDocument, from: usize, to: usize) {
    assert!(from <= to, "chunks overlap at {from}");
    let mut at = from;
    let hidden = document.blocks.iter().filter(|block| !block.kind.is_searchable());
    for block in hidden.filter(|block| block.range.end > from && block.range.start < to) {
        assert_eq!(document.text[at..block.range.start.max(at)].trim_start_matches('\u{feff}').trim(), "");
        at = block.range.end.max(at);
    }
    assert_eq!(document.text[at.min(to)..to].trim_start_matches('\u{feff}').trim(), "");
}

#[test]
fn chunks_are_whole_sentences_near_the_target() {
    let document = document(&prose(100, 11), MediaType::PlainText);
    let chunks = check_promises(&document, &ChunkOptions::default());
    assert_eq!(chunks.len(), 10);
    for (chunk, text) in chunks.iter().zip(texts(&document, &chunks)) {
        assert!((88..=121).contains(&chunk.words), "{}", chunk.words);
        assert!(text.starts_with("Sentence") && text.ends_with("end."));
    }
}

#[test]
fn a_leftover_is_balanced_and_not_left_over() {
    let document = document(&prose(21, 10), MediaType::PlainText);
    let sizes: Vec<_> =
        check_promises(&document, &ChunkOptions::default()).iter().map(|chunk| chunk.words).collect();
    assert_eq!(sizes, [110, 100]);
    let options = ChunkOptions { whole_below_words: 0, ..ChunkOptions::default() };
    let document = self::document(&prose(15, 10), MediaType::PlainText);
    let sizes: Vec<_> = check_promises(&document, &options).iter().map(|chunk| chunk.words).collect();
    assert_eq!(sizes, [80, 70]);
}

#[test]
fn a_small_document_is_one_chunk_up_to_the_limit_that_is_set() {
    let document = document(&prose(17, 10), MediaType::PlainText);
    let count = |whole_below_words| {
        chunk(&document, &ChunkOptions { whole_below_words, ..ChunkOptions::default() }).len()
    };
    assert_eq!((count(180), count(170), count(169), count(0)), (1, 1, 2, 2));
}

#[test]
fn no_chunk_crosses_a_heading_and_each_knows_its_path() {
    let source =
        format!("Intro.\n\n# A\n\n{}\n\n## B\n\nShort.\n\n## C\n### D\n\nUnder both.\n", prose(5, 10));
    let document = document(&source, MediaType::Markdown);
    let chunks = check_promises(&document, &ChunkOptions::default());
    let found: Vec<_> = chunks
        .iter()
        .zip(texts(&document, &chunks))
        .map(|(chunk, text)| (chunk.headings.join("/"), text.lines().next().expect("a line")))
        .collect();
    let expected = [("", "Intro."), ("A", "# A"), ("A/B", "## B"), ("A/C/D", "## C")];
    assert_eq!(found, expected.map(|(path, line)| (path.to_owned(), line)));
}

#[test]
fn paragraphs_are_preferred_over_sentences_as_places_to_cut() {
    let source = format!("{}\n\n{}", prose(8, 10), prose(12, 10));
    let document = document(&source, MediaType::PlainText);
    let sizes: Vec<_> = chunk(&document, &ChunkOptions::default()).iter().map(|chunk| chunk.words).collect();
    assert_eq!(sizes, [80, 120]);
}

#[test]
fn code_stays_whole_and_with_the_sentence_that_announces_it() {
    let code = format!("```rust\n{}```", "let value = compute(argument);\n".repeat(24));
    let source = format!("{}\n\nFor example:\n\n{code}\n\n{}", prose(9, 10), prose(9, 10));
    let document = document(&source, MediaType::Markdown);
    let chunks = check_promises(&document, &ChunkOptions::default());
    let texts = texts(&document, &chunks);
    let holder = texts.iter().find(|text| text.contains("```")).expect("a chunk with the code");
    assert!(holder.contains(&code) && holder.contains("For example:"), "{texts:?}");
}

#[test]
fn code_and_tables_that_do_not_fit_are_cut_between_lines() {
    let row = "| some cell | another cell with words | 12 |\n";
    let source = format!("| a | b | c |\n|---|---|---|\n{}", row.repeat(200));
    let document = document(&source, MediaType::Markdown);
    let chunks = check_promises(&document, &ChunkOptions::default());
    assert!(chunks.len() > 10);
    assert!(texts(&document, &chunks).iter().all(|text| text.starts_with('|') && text.ends_with('|')));
}

#[test]
fn only_a_sentence_longer_than_the_maximum_is_cut_and_then_at_commas() {
    let source = format!("Start {}end. Next one.", "with some words, ".repeat(120));
    let document = document(&source, MediaType::PlainText);
    let chunks = check_promises(&document, &ChunkOptions::default());
    assert_eq!(chunks.len(), 3);
    assert!(chunks.iter().all(|chunk| (100..=140).contains(&chunk.words)));
    assert!(texts(&document, &chunks)[..2].iter().all(|text| text.ends_with(',')));
}

#[test]
fn scripts_without_spaces_are_cut_to_the_same_size() {
    let chinese = "人工智能正在改变我们的生活方式，它在很多领域都有应用。".repeat(100);
    let thai = "ภาษาไทยไม่มีช่องว่างระหว่างคำและไม่มีจุดจบประโยค ".repeat(200);
    for (text, end) in [(chinese, '。'), (thai, 'ค')] {
        let document = document(&text, MediaType::PlainText);
        let chunks = check_promises(&document, &ChunkOptions::default());
        assert!(chunks.len() > 10);
        assert!(chunks.iter().all(|chunk| (80..=120).contains(&chunk.words)));
        assert!(texts(&document, &chunks).iter().all(|text| text.ends_with(end)));
    }
}

#[test]
fn parents_are_sections_or_runs_of_chunks_that_fit() {
    let source = format!(
        "# Long\n\n{}\n\n# Short\n\n{}\n\n## Part\n\n{}\n\n# Other\n\n{}",
        prose(60, 10),
        prose(10, 10),
        prose(10, 10),
        prose(30, 10)
    );
    let document = document(&source, MediaType::Markdown);
    let chunks = check_promises(&document, &ChunkOptions::default());
    let mut parents: Vec<_> = chunks.iter().map(|chunk| chunk.parent_range).collect();
    parents.dedup();
    let lines: Vec<_> =
        parents.iter().map(|parent| document.text[parent.start..].lines().next().expect("a line")).collect();
    assert_eq!(parents.len(), 4);
    assert_eq!((lines[0], lines[2], lines[3]), ("# Long", "# Short", "# Other"));
    assert!(document.text[parents[2].start..parents[2].end].contains("## Part"));
}

#[test]
fn hostile_text_takes_no_longer_than_any_other() {
    let patterns = [
        "a",
        "\n",
        "! ",
        "!\n\n",
        ". ",
        "é",
        "字",
        "、",
        "\u{301}",
        "🇩🇪",
        "👨‍👩‍👧",
        "# x\n",
        "- x\n",
        "|a|\n",
        "a, ",
        "\"",
        " a",
        "```\n",
        "e.g. ",
        "\u{feff}",
        "ก",
        "[x]: y\n",
        "<p",
        "1. ",
        "> ",
        "*",
        "\\",
        "4.2 A\n",
        "Article 5\n\n",
    ];
    for pattern in patterns {
        let text = pattern.repeat(300_000 / pattern.len()) + "z";
        for media_type in [MediaType::PlainText, MediaType::Markdown] {
            let document = document(&text, media_type);
            for mode in MODES {
                check_promises(&document, &ChunkOptions { mode, ..ChunkOptions::default() });
            }
        }
    }
}

#[test]
fn blocks_that_overlap_or_lie_outside_lose_no_text() {
    let mut document = document("One é two. Three four.", MediaType::PlainText);
    let headings = HeadingPath::from([]);
    let block = |start, end| crate::Block {
        kind: BlockKind::Paragraph,
        range: ByteRange { start, end },
        headings: headings.clone(),
    };
    document.blocks = vec![block(2, 5), block(0, 8), block(8, 4), block(9, 900)];
    check_promises(&document, &ChunkOptions::default());
}

fn modes() -> impl Strategy<Value = ChunkMode> {
    prop_oneof![
        Just(ChunkMode::Structural),
        Just(ChunkMode::Sentence),
        (0u32..40).prop_map(|overlap_words| ChunkMode::Fixed { overlap_words }),
        Just(ChunkMode::Semantic),
        Just(ChunkMode::Clauses),
    ]
}

fn options() -> impl Strategy<Value = ChunkOptions> {
    (modes(), 1u32..40, 0u32..60, 0u32..100, 0u32..50).prop_map(
        |(mode, target_words, max_words, parent_words, whole_below_words)| ChunkOptions {
            mode,
            target_words,
            max_words,
            parent_words,
            whole_below_words,
        },
    )
}

fn markup() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-zA-Z0-9é字ไ]{1,8}",
        2 => Just(" ".to_owned()),
        1 => "[.!?。,;:]",
        1 => "(\n|\n\n|\r\n\r\n)",
        1 => "(\n|\n\n)(Article 5|§ 12 |4\\.2\\. |4\\. |Annex B|\\(a\\) |Chapter II\n\n)(Title|A b\\. )?",
        1 => "(\n# |\n## |\n- |\n1\\. |\n> |\n```\n|\n\\| a \\| b \\|\n|---|\n---\n|<!--|-->|<b>|\\[a\\]: b\n|\\*\\*|`)",
        1 => "\\PC{1,3}",
    ];
    prop::collection::vec(piece, 0..120).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn the_promises_hold_for_any_text(text in "\\PC{0,400}|[a-z .!?\n字。、\u{feff}\u{301}]{0,400}", options in options()) {
        if let Ok(document) = parse_text(text, MediaType::PlainText, &Limits::default()) {
            check_promises(&document, &options);
        }
    }

    #[test]
    fn the_promises_hold_for_any_markdown(text in markup(), options in options()) {
        if let Ok(document) = parse_text(text, MediaType::Markdown, &Limits::default()) {
            check_promises(&document, &options);
        }
    }

    #[test]
    fn no_chunk_exceeds_the_maximum(words in prop::collection::vec("[a-zA-Z]{1,9}[.,!]?", 1..600), options in options()) {
        let document = document(&words.join(" "), MediaType::PlainText);
        let max = match options.mode {
            ChunkMode::Fixed { .. } => options.target_words,
            _ => options.max_words.max(options.target_words).max(options.whole_below_words),
        };
        for chunk in chunk(&document, &options) {
            prop_assert!(chunk.words <= max, "{} > {max}", chunk.words);
        }
    }
}
