//! The report of a corpus as a page.

use std::fmt::Write as _;

use mainstay_rag::quality::report::{CorpusReport, Coverage, DuplicateGroup};

use super::table::{ids, meaning, megabytes, name_of, range, share};
use crate::page::{self, Bar, Chart, Tone, escaped, facts, figure};
use crate::terminal::grouped;

/// The page of this report.
pub(super) fn page(report: &CorpusReport) -> String {
    let mut body = String::with_capacity(32 << 10);
    body.push_str(
        "<p class=\"lead\">Written by <code>mainstay corpus report</code>: what the corpus consists of, what is odd \
         about it, and how much of it questions ask about.</p>\n",
    );
    overview(&mut body, report);
    if let Some(coverage) = &report.coverage {
        covered(&mut body, report, coverage);
    }
    if report.documents > 0 {
        odd(&mut body, report);
        duplicates(&mut body, report);
        documents(&mut body, report);
    }
    page::document(&format!("The corpus {}", report.corpus), &body)
}

fn overview(html: &mut String, report: &CorpusReport) {
    html.push_str("<section>\n<h2>What there is</h2>\n");
    let quarantined: u64 = report.quarantined.values().sum();
    let names = [
        ("Documents", grouped(report.documents)),
        ("Chunks", grouped(report.chunks)),
        ("Words", grouped(report.words)),
        ("Text", megabytes(report.bytes)),
        ("Files", megabytes(report.source_bytes)),
        ("Median chunk", format!("{} words", report.median_chunk_words)),
        ("In quarantine", format!("{} chunks", grouped(quarantined))),
        ("Found by no search", format!("{} documents", grouped(report.unreachable.documents))),
    ];
    facts(html, &names);
    html.push_str("<div class=\"pair\">\n");
    let buckets = report.chunk_words.iter().map(|one| Bar::count(&range(one), one.chunks, Tone::Main));
    figure(html, "Chunks by words", &Chart::counts(buckets.collect()));
    if !report.languages.is_empty() {
        const SHOWN: usize = 12;
        let languages =
            report.languages.iter().take(SHOWN).map(|one| {
                Bar::count(one.language.as_deref().unwrap_or("unknown"), one.documents, Tone::Main)
            });
        figure(html, "Documents by language", &Chart::counts(languages.collect()));
    }
    if !report.topics.is_empty() {
        let topics = report.topics.iter().map(|topic| {
            let tone = if topic.covered == Some(0) { Tone::Bad } else { Tone::Main };
            // All of them stand in the table of what questions ask about.
            Bar::count(&name_of(topic, 2), topic.documents, tone)
        });
        let title = match report.coverage {
            Some(_) => "Documents by topic; red: no question asks about it",
            None => "Documents by topic",
        };
        figure(html, title, &Chart::counts(topics.collect()));
    }
    html.push_str("</div>\n</section>\n");
}

fn covered(html: &mut String, report: &CorpusReport, coverage: &Coverage) {
    html.push_str("<section>\n<h2>What questions ask about</h2>\n<ul class=\"gates\">");
    let mut line = |is_good: bool, text: String| {
        let class = if is_good { "met" } else { "missed" };
        let _ = write!(html, "<li class=\"{class}\">{}</li>", escaped(&text));
    };
    let Coverage { questions, relevant_documents, relevant_in_corpus, .. } = *coverage;
    line(
        relevant_in_corpus == relevant_documents,
        format!(
            "{} of the {} documents that {} questions ask for are in the corpus ({})",
            grouped(relevant_in_corpus),
            grouped(relevant_documents),
            grouped(questions),
            share(relevant_in_corpus, relevant_documents)
        ),
    );
    if coverage.unanswerable_questions > 0 {
        let text = format!(
            "{} questions have none of their documents in the corpus",
            coverage.unanswerable_questions
        );
        line(false, text);
    }
    line(
        coverage.uncovered_documents == 0,
        format!(
            "No question asks about {} of {} documents ({})",
            grouped(coverage.uncovered_documents),
            grouped(report.documents),
            share(coverage.uncovered_documents, report.documents)
        ),
    );
    let topics = report.topics.len() as u64;
    if topics > 0 {
        let uncovered = coverage.uncovered_topics;
        let text =
            format!("No question asks about {uncovered} of {topics} topics ({})", share(uncovered, topics));
        line(uncovered == 0, text);
    }
    html.push_str("</ul>\n");
    if !report.topics.is_empty() {
        let rows = report.topics.iter().map(|topic| {
            let covered = topic.covered.unwrap_or(0);
            let cells = [grouped(topic.documents), grouped(covered), share(covered, topic.documents)];
            (name_of(topic, usize::MAX), cells.to_vec())
        });
        rows_of(html, &["Topic", "Documents", "Asked about", "Share"], rows);
    }
    if !coverage.missing.is_empty() {
        let missing = relevant_documents - relevant_in_corpus;
        let _ = writeln!(
            html,
            "<p class=\"note\">Not in the corpus: {}</p>",
            escaped(&ids(&coverage.missing, missing))
        );
    }
    html.push_str("</section>\n");
}

fn odd(html: &mut String, report: &CorpusReport) {
    html.push_str("<section>\n<h2>Odd chunks</h2>\n");
    if report.outliers.is_empty() {
        html.push_str("<p>There are none.</p>\n</section>\n");
        return;
    }
    let rows = report.outliers.iter().map(|one| {
        let examples = one
            .examples
            .iter()
            .map(|example| format!("{}, bytes {}–{}", example.doc_id, example.start_byte, example.end_byte));
        let cells =
            vec![grouped(one.chunks), grouped(one.quarantined), examples.collect::<Vec<_>>().join("; ")];
        (meaning(one.reason).to_owned(), cells)
    });
    rows_of(html, &["What is odd", "Chunks", "In quarantine", "Examples"], rows);
    html.push_str(
        "<p class=\"note\">What is in quarantine is found by no search. <code>mainstay corpus quarantine</code> lists it, \
         and <code>mainstay corpus release</code> lets searches find it.</p>\n</section>\n",
    );
}

fn duplicates(html: &mut String, report: &CorpusReport) {
    let duplicates = &report.duplicates;
    html.push_str("<section>\n<h2>Said twice</h2>\n");
    let names = [
        ("Documents, word by word", grouped(duplicates.exact_documents)),
        ("Documents, nearly", grouped(duplicates.near_documents)),
        ("Chunks, word by word", grouped(duplicates.chunks)),
    ];
    facts(html, &names);
    let row = |(kind, group): (&str, &DuplicateGroup)| {
        (kind.to_owned(), vec![grouped(group.documents), ids(&group.doc_ids, group.documents)])
    };
    let exact = duplicates.exact.iter().map(|group| ("word by word", group));
    let rows = exact.chain(duplicates.near.iter().map(|group| ("nearly", group))).map(row);
    if !duplicates.exact.is_empty() || !duplicates.near.is_empty() {
        rows_of(html, &["Group", "Documents", "Ids"], rows);
    }
    html.push_str("</section>\n");
}

fn documents(html: &mut String, report: &CorpusReport) {
    html.push_str("<section>\n<h2>Documents</h2>\n");
    let of = |name: &'static str, sizes: &[mainstay_rag::quality::report::DocumentSize]| {
        let rows = sizes.iter().map(|size| {
            (name.to_owned(), vec![grouped(size.bytes), grouped(size.chunks), size.doc_id.to_string()])
        });
        rows.collect::<Vec<_>>()
    };
    let rows = of("largest", &report.largest).into_iter().chain(of("smallest", &report.smallest));
    rows_of(html, &["", "Bytes", "Chunks", "Id"], rows);
    if report.unreachable.documents > 0 {
        let _ = writeln!(
            html,
            "<p class=\"note\">Found by no search: {}</p>",
            escaped(&ids(&report.unreachable.doc_ids, report.unreachable.documents))
        );
    }
    html.push_str("</section>\n");
}

/// A table. A column with more than numbers in it is text.
fn rows_of(html: &mut String, columns: &[&str], rows: impl Iterator<Item = (String, Vec<String>)>) {
    let rows: Vec<(String, Vec<String>)> = rows.collect();
    let is_number = |cell: &String| cell.chars().all(|c| c.is_ascii_digit() || ",.% –".contains(c));
    let class = |column: usize| {
        let mut cells = rows.iter().filter_map(|(_, cells)| cells.get(column.checked_sub(1)?));
        if cells.all(is_number) { "" } else { " class=\"text\" dir=\"auto\"" }
    };
    html.push_str("<div class=\"wide\"><table><thead><tr>");
    for (number, column) in columns.iter().enumerate() {
        let _ = write!(html, "<th{}>{column}</th>", class(number));
    }
    html.push_str("</tr></thead><tbody>");
    for (name, cells) in &rows {
        let _ = write!(html, "<tr><th dir=\"auto\">{}</th>", escaped(name));
        for (number, cell) in (1..).zip(cells) {
            let _ = write!(html, "<td{}>{}</td>", class(number), escaped(cell));
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table></div>\n");
}
