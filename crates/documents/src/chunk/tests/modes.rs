//! What is particular to each mode.

use std::cell::Cell;

use super::*;

fn options(mode: ChunkMode) -> ChunkOptions {
    ChunkOptions { mode, ..ChunkOptions::default() }
}

/// Sentences about a subject, all different.
fn about(subject: &str, sentences: usize) -> String {
    let sentence =
        |n: usize| format!("The {subject} of {subject} number {n} is {subject} to every {subject}. ");
    (0..sentences).map(sentence).collect()
}

#[test]
fn sentence_chunks_are_of_even_size_over_paragraphs_and_headings() {
    let source = format!(
        "# A\n\n{}\n\n{}\n\n# B\n\n{}\n\n## C\n\n{}",
        prose(3, 10),
        prose(4, 10),
        prose(2, 10),
        prose(31, 10)
    );
    let document = document(&source, MediaType::Markdown);
    let chunks = check_promises(&document, &options(ChunkMode::Sentence));
    assert!(chunks.iter().all(|chunk| (90..=110).contains(&chunk.words)), "{chunks:?}");
    let texts = texts(&document, &chunks);
    assert!(texts[0].starts_with("# A") && texts[0].contains("# B"));
    assert!(texts.iter().all(|text| text.ends_with("end.")), "no heading is parted from its text");
    let paths: Vec<String> = chunks.iter().map(|chunk| chunk.headings.join("/")).collect();
    assert_eq!((paths[0].as_str(), paths[3].as_str()), ("A", "B/C"));
    assert!(chunks.iter().all(|chunk| {
        document.text[chunk.parent_range.start..chunk.parent_range.end].split_whitespace().count() <= 410
    }));
}

#[test]
fn fixed_chunks_fill_up_to_the_limit_and_repeat_whole_sentences() {
    let mode = ChunkMode::Fixed { overlap_words: 25 };
    let document = document(&prose(100, 10), MediaType::PlainText);
    let chunks = check_promises(&document, &options(mode));
    assert!(chunks[..chunks.len() - 1].iter().all(|chunk| (90..=100).contains(&chunk.words)), "{chunks:?}");
    for pair in chunks.windows(2) {
        let repeated = &document.text[pair[1].range.start..pair[0].range.end];
        assert_eq!((repeated.matches("Sentence").count(), repeated.starts_with("Sentence")), (2, true));
    }
}

#[test]
fn fixed_chunks_repeat_words_where_no_sentence_fits() {
    let mode = ChunkMode::Fixed { overlap_words: 7 };
    let document = document(&"word ".repeat(950), MediaType::PlainText);
    let chunks = check_promises(&document, &options(mode));
    for pair in chunks.windows(2) {
        assert_eq!(document.text[pair[1].range.start..pair[0].range.end].trim(), ["word"; 7].join(" "));
    }
}

#[test]
fn fixed_chunks_end_at_paragraphs_where_those_fit_and_begin_under_the_headings_of_their_own_text() {
    let source = format!("# A\n\n{}\n\n# B\n\n{}\n\n{}", prose(5, 10), prose(3, 10), prose(8, 10));
    let document = document(&source, MediaType::Markdown);
    let mode = ChunkMode::Fixed { overlap_words: 0 };
    let chunks = check_promises(&document, &options(mode));
    let sizes: Vec<u32> = chunks.iter().map(|chunk| chunk.words).collect();
    assert_eq!(sizes, [83, 80]);
    assert_eq!((&*chunks[0].headings.join("/"), &*chunks[1].headings.join("/")), ("A", "B"));
}

#[test]
fn semantic_chunks_end_where_the_subject_changes() {
    let subjects = ["harbour", "violin", "glacier", "tax"];
    // One paragraph: nothing but the words says where to cut, and none of the parts has the target size.
    let source: String =
        subjects.iter().zip([5, 12, 7, 10]).map(|(subject, sentences)| about(subject, sentences)).collect();
    let document = document(&source, MediaType::PlainText);
    let chunks = check_promises(&document, &options(ChunkMode::Semantic));
    for text in texts(&document, &chunks) {
        let found = subjects.iter().filter(|subject| text.contains(**subject)).count();
        assert_eq!(found, 1, "{text}");
    }
    let structural = chunk(&document, &options(ChunkMode::Structural));
    let mixed = |text: &&str| subjects.iter().filter(|subject| text.contains(**subject)).count() > 1;
    assert!(texts(&document, &structural).iter().any(mixed), "size alone does not find the subjects");
}

#[test]
fn semantic_chunks_of_text_without_meaning_have_the_target_size() {
    let document = document(&prose(100, 10), MediaType::PlainText);
    for vector in [Vec::new(), vec![0.0], vec![f32::NAN; 3], vec![1.0; 3]] {
        let chunks = super::super::chunk(&document, &options(ChunkMode::Semantic), &|_| vector.clone());
        assert!(chunks.iter().all(|chunk| (80..=130).contains(&chunk.words)), "{chunks:?}");
    }
}

#[test]
fn each_sentence_of_a_long_document_is_embedded_once() {
    let sentences = 100_000;
    let document = document(&about("harbour", sentences), MediaType::PlainText);
    let asked = Cell::new(0);
    let vector = |_: &str| {
        asked.set(asked.get() + 1);
        vec![1.0]
    };
    let chunks = super::super::chunk(&document, &options(ChunkMode::Semantic), &vector);
    assert_eq!(asked.get(), sentences);
    assert!(chunks.len() > sentences / 20);
}

#[test]
fn code_and_tables_that_fit_stay_whole() {
    let code = format!("```rust\n{}```", "let value = compute(argument);\n\n".repeat(20));
    let table = format!("| a | b |\n|---|---|\n{}", "| some cell | other |\n".repeat(15));
    let source = format!("{}\n\n{code}\n\n{}\n\n{table}\n\n{}", prose(9, 10), prose(9, 10), prose(9, 10));
    let document = document(&source, MediaType::Markdown);
    for mode in MODES.into_iter().filter(|mode| !matches!(mode, ChunkMode::Fixed { .. })) {
        let chunks = check_promises(&document, &options(mode));
        let texts = texts(&document, &chunks);
        for whole in [code.as_str(), table.trim_end()] {
            assert!(texts.iter().any(|text| text.contains(whole)), "{mode:?} tears {whole}");
        }
    }
}
