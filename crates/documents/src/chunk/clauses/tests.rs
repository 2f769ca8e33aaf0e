use super::super::{Chunk, ChunkMode, ChunkOptions, chunk};
use crate::document::{MediaType, ParsedDocument};
use crate::parse::{Limits, parse_text};

const CLAUSES: ChunkOptions = ChunkOptions {
    mode: ChunkMode::Clauses,
    target_words: 100,
    max_words: 180,
    parent_words: 400,
    whole_below_words: 180,
};

fn cut(text: &str, media_type: MediaType, options: &ChunkOptions) -> (ParsedDocument, Vec<Chunk>) {
    let document = parse_text(text.to_owned(), media_type, &Limits::default()).expect("text");
    let chunks = chunk(&document, options, &|_| Vec::new());
    (document, chunks)
}

/// Asserts the path of every chunk, as `outer > inner: first words`.
#[track_caller]
fn check(text: &str, media_type: MediaType, expected: &[&str]) {
    let (document, chunks) = cut(text, media_type, &CLAUSES);
    let found: Vec<String> = chunks
        .iter()
        .map(|chunk| {
            let text = &document.text[chunk.range.start..chunk.range.end];
            let words: Vec<&str> = text.split_whitespace().take(3).collect();
            format!("{}: {}", chunk.headings.join(" > "), words.join(" "))
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn each_numbered_clause_of_a_contract_is_a_chunk_however_short() {
    check(
        "SERVICE AGREEMENT\n\nThis agreement is made between the parties.\n\n\
         4. Termination\n\n4.1 Either party may terminate this agreement as set out in\nSection 4.2 Notice of this agreement.\n\
         4.2 Notice. It is given in writing:\n(a) by letter; or\n(b) by courier.\n\n4.2.1 Reserved.\n\n5. Fees\nThey are due monthly.\n",
        MediaType::PlainText,
        &[
            ": SERVICE AGREEMENT This",
            "4 — Termination > 4.1: 4. Termination 4.1",
            "4 — Termination > 4.2 — Notice: 4.2 Notice. It",
            "4 — Termination > 4.2 — Notice > 4.2.1 — Reserved: 4.2.1 Reserved.",
            "5 — Fees: 5. Fees They",
        ],
    );
}

#[test]
fn a_regulation_has_chapters_sections_articles_and_titles_on_lines_of_their_own() {
    check(
        "CHAPTER III\n\nRights of the data subject\n\nSection 1\n\nTransparency\n\nArticle 12\n\nTransparent information\n\n\
         1. The controller shall take measures.\n\n2. The controller shall facilitate.\n\n\
         Article 13\nInformation to be provided\n1. Where data are collected, Article 12 applies.\n\n\
         CHAPTER IV\n\nController\n\nArticle 24\n\nThe controller shall implement measures.\n\nANNEX I\n\nForms\n",
        MediaType::PlainText,
        &[
            "Chapter III — Rights of the data subject > Section 1 — Transparency > Article 12 — Transparent information: CHAPTER III Rights",
            "Chapter III — Rights of the data subject > Section 1 — Transparency > Article 13 — Information to be provided: Article 13 Information",
            "Chapter IV — Controller > Article 24: CHAPTER IV Controller",
            "Annex I — Forms: ANNEX I Forms",
        ],
    );
}

#[test]
fn headings_of_markdown_are_clauses_too() {
    check(
        "# Lease\n\n## § 1 Mietsache\n\n(1) Vermietet wird die Wohnung.\n\n(2) Dazu gehört der Keller.\n\n\
         ## § 2: Miete\n\nSie beträgt 500 Euro.\n\n## Schluss\n\n**3.1 Form.** Es gilt die Schriftform.\n",
        MediaType::Markdown,
        &[
            "Lease > § 1 — Mietsache: # Lease ##",
            "Lease > § 2 — Miete: ## § 2:",
            "Lease > Schluss > 3.1 — Form: ## Schluss **3.1",
        ],
    );
}

#[test]
fn a_long_clause_is_cut_into_children_whose_parent_is_the_clause_alone() {
    let parts: String = (b'a'..=b'h')
        .map(|letter| {
            format!("({}) {}\n", char::from(letter), "the goods of the seller are sound, ".repeat(5))
        })
        .collect();
    let text = format!(
        "Article 1 Scope\n\nShort.\n\nArticle 2 Warranty\n\nThe seller warrants that:\n{parts}\nArticle 3 Fees\n\nNone."
    );
    let (document, chunks) = cut(&text, MediaType::PlainText, &CLAUSES);
    let warranty: Vec<&Chunk> =
        chunks.iter().filter(|chunk| *chunk.headings == ["Article 2 — Warranty"]).collect();
    assert!(warranty.len() > 2 && chunks.len() == warranty.len() + 2);
    for chunk in &warranty {
        let parent = &document.text[chunk.parent_range.start..chunk.parent_range.end];
        assert!(parent.starts_with("Article 2") && parent.trim_end().ends_with("sound,"), "{parent}");
    }
    for chunk in &warranty[1..] {
        assert!(document.text[chunk.range.start..].starts_with('('), "children begin with a part");
    }
    // A clause that is longer than a parent may be has several, and none of them holds another clause.
    let options = ChunkOptions { parent_words: 150, ..CLAUSES };
    let (document, chunks) = cut(&text, MediaType::PlainText, &options);
    let parents = chunks.iter().map(|chunk| &document.text[chunk.parent_range.start..chunk.parent_range.end]);
    assert!(parents.into_iter().all(|parent| parent.matches("Article").count() <= 1));
}

#[test]
fn a_document_without_clauses_is_cut_by_its_structure() {
    let text = format!("# Title\n\n{}\n\n## Part\n\nEnd.", "Some words of a sentence. ".repeat(60));
    let structural = ChunkOptions { mode: ChunkMode::Structural, ..CLAUSES };
    let (_, chunks) = cut(&text, MediaType::Markdown, &CLAUSES);
    assert_eq!(chunks, cut(&text, MediaType::Markdown, &structural).1);
}
