//! The report of a corpus on a terminal.

use comfy_table::Table;
use mainstay_domain::DocumentId;
use mainstay_rag::quality::Reason;
use mainstay_rag::quality::report::{CorpusReport, Coverage, DuplicateGroup, Topic, WordsBucket};

use super::describe_reasons;
use crate::printable;
use crate::terminal::{self, OutputError, grouped};

/// Prints the report, one table a subject.
pub(super) fn print(report: &CorpusReport) -> Result<(), OutputError> {
    terminal::say(sizes(report))?;
    if report.documents == 0 {
        return terminal::say("The corpus is empty: add documents with `mainstay ingest PATH`.");
    }
    terminal::say(words(report))?;
    terminal::say(duplicates(report))?;
    terminal::say(odd(report))?;
    terminal::say(documents(report))?;
    if !report.topics.is_empty() {
        terminal::say(topics(report))?;
    }
    match &report.coverage {
        Some(coverage) => terminal::say(covered(report, coverage)),
        None => Ok(()),
    }
}

fn sizes(report: &CorpusReport) -> Table {
    let mut table = terminal::table(&["corpus", &printable::line(report.corpus.as_str())]);
    let mut row = |name: &str, value: String| {
        table.add_row([name.to_owned(), value]);
    };
    row("documents", grouped(report.documents));
    row("chunks", grouped(report.chunks));
    row("words", grouped(report.words));
    row("text", megabytes(report.bytes));
    row("files", megabytes(report.source_bytes));
    let languages = report.languages.iter().map(|one| {
        let name = one.language.as_deref().unwrap_or("unknown");
        format!("{} {}", printable::line(name), grouped(one.documents))
    });
    row("languages, by documents", languages.collect::<Vec<_>>().join(", "));
    let kinds = report.media_types.iter().map(|(kind, count)| format!("{kind} {}", grouped(*count)));
    row("kinds", kinds.collect::<Vec<_>>().join(", "));
    if !report.quarantined.is_empty() {
        row("chunks in quarantine", describe_reasons(&report.quarantined));
    }
    table
}

fn words(report: &CorpusReport) -> Table {
    const WIDTH: u64 = 40;
    let mut table = terminal::table(&["words of a chunk", "chunks", ""]);
    let most = report.chunk_words.iter().map(|bucket| bucket.chunks).max().unwrap_or(0).max(1);
    for bucket in &report.chunk_words {
        let bar = "█".repeat((bucket.chunks * WIDTH).div_ceil(most) as usize);
        table.add_row([range(bucket), grouped(bucket.chunks), bar]);
    }
    table.add_row(["median".to_owned(), report.median_chunk_words.to_string(), String::new()]);
    table
}

fn duplicates(report: &CorpusReport) -> Table {
    let duplicates = &report.duplicates;
    let mut table = terminal::table(&["said twice", "", "largest groups"]);
    let groups = |groups: &[DuplicateGroup]| {
        let each = groups
            .iter()
            .map(|group| format!("{} × {}", group.documents, ids(&group.doc_ids, group.documents)));
        each.collect::<Vec<_>>().join("\n")
    };
    let count = |count| grouped(count);
    table.add_row([
        "documents, word by word".to_owned(),
        count(duplicates.exact_documents),
        groups(&duplicates.exact),
    ]);
    table.add_row([
        "documents, nearly".to_owned(),
        count(duplicates.near_documents),
        groups(&duplicates.near),
    ]);
    table.add_row(["chunks, word by word".to_owned(), count(duplicates.chunks), String::new()]);
    table
}

fn odd(report: &CorpusReport) -> Table {
    let mut table = terminal::table(&["odd chunks", "", "in quarantine", "examples"]);
    for outliers in &report.outliers {
        let examples = outliers.examples.iter().map(|one| {
            let id = printable::line(one.doc_id.as_str());
            format!("{id}, bytes {}–{} ({} words)", one.start_byte, one.end_byte, one.words)
        });
        table.add_row([
            meaning(outliers.reason).to_owned(),
            grouped(outliers.chunks),
            grouped(outliers.quarantined),
            examples.collect::<Vec<_>>().join("\n"),
        ]);
    }
    if report.outliers.is_empty() {
        table.add_row(["none", "0", "0", ""]);
    }
    table
}

fn documents(report: &CorpusReport) -> Table {
    let mut table = terminal::table(&["documents", "bytes", "chunks"]);
    for (name, sizes) in [("largest", &report.largest), ("smallest", &report.smallest)] {
        for size in sizes {
            let id = printable::line(size.doc_id.as_str());
            table.add_row([format!("{name}: {id}"), grouped(size.bytes), grouped(size.chunks)]);
        }
    }
    let unreachable = &report.unreachable;
    let name = match unreachable.documents {
        0 => "found by no search".to_owned(),
        count => format!("found by no search: {}", ids(&unreachable.doc_ids, count)),
    };
    table.add_row([name, grouped(unreachable.documents), String::new()]);
    table
}

fn topics(report: &CorpusReport) -> Table {
    let has_questions = report.coverage.is_some();
    let mut columns = vec!["topic", "documents"];
    columns.extend(has_questions.then_some("asked about"));
    let mut table = terminal::table(&columns);
    for topic in &report.topics {
        let mut row =
            vec![printable::line(&name_of(topic, usize::MAX)).into_owned(), grouped(topic.documents)];
        row.extend(topic.covered.map(grouped));
        table.add_row(row);
    }
    table
}

fn covered(report: &CorpusReport, coverage: &Coverage) -> Table {
    let mut table = terminal::table(&["questions", ""]);
    let mut row = |name: &str, value: String| {
        table.add_row([name.to_owned(), value]);
    };
    row("questions", grouped(coverage.questions));
    let of = |part: u64, all: u64| format!("{} of {} ({})", grouped(part), grouped(all), share(part, all));
    row(
        "documents that they ask for, in the corpus",
        of(coverage.relevant_in_corpus, coverage.relevant_documents),
    );
    row("questions without any of them", of(coverage.unanswerable_questions, coverage.questions));
    row("documents that no question asks about", of(coverage.uncovered_documents, report.documents));
    row("topics that no question asks about", of(coverage.uncovered_topics, report.topics.len() as u64));
    if !coverage.missing.is_empty() {
        let missing = coverage.relevant_documents - coverage.relevant_in_corpus;
        row("missing in the corpus", ids(&coverage.missing, missing));
    }
    table
}

/// Ids, and how many more there are.
pub(super) fn ids(ids: &[DocumentId], all: u64) -> String {
    let shown: Vec<_> = ids.iter().map(|id| printable::line(id.as_str()).into_owned()).collect();
    match all.saturating_sub(ids.len() as u64) {
        0 => shown.join(", "),
        more => format!("{} and {} more", shown.join(", "), grouped(more)),
    }
}

/// What a topic is called, by so many of its words at most.
pub(super) fn name_of(topic: &Topic, most: usize) -> String {
    let words: Vec<&str> = topic.words.iter().take(most).map(String::as_str).collect();
    if words.is_empty() { "(no words in common)".to_owned() } else { words.join(", ") }
}

/// What a reason means, for people.
pub(super) fn meaning(reason: Reason) -> &'static str {
    match reason {
        Reason::NoWords => "without a word (no_words)",
        Reason::Encoded => "data in letters, such as base64 (encoded)",
        Reason::EndlessWord => "one endless word (endless_word)",
        Reason::Garbled => "characters that stand for none (garbled)",
        Reason::TooShort => "too short (too_short)",
        Reason::TooLong => "too long (too_long)",
        Reason::Far => "far from the others (far)",
    }
}

/// `25–49`
pub(super) fn range(bucket: &WordsBucket) -> String {
    match bucket.to {
        Some(to) => format!("{}–{to}", bucket.from),
        None => format!("{} and more", bucket.from),
    }
}

/// `1.5 MB`
pub(super) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// `25.0 %`
pub(super) fn share(part: u64, all: u64) -> String {
    if all == 0 { "–".to_owned() } else { format!("{:.1} %", 100.0 * part as f64 / all as f64) }
}
