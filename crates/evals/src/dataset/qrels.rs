//! Judgements of documents, as a file has them.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::DataSetError;
use super::lines::lines;
use crate::ranking::Judgements;

/// The judgements of a file.
pub(super) struct Qrels {
    path: PathBuf,
    rows: Vec<Row>,
}

struct Row {
    line: usize,
    query: String,
    document: String,
    relevance: u32,
}

impl Qrels {
    pub(super) fn read(path: &Path) -> Result<Self, DataSetError> {
        let path = path.to_owned();
        let mut rows: Vec<Row> = Vec::new();
        let mut places: HashMap<(String, String), usize> = HashMap::new();
        for line in lines(&path)? {
            let (number, text) = line?;
            let parsed = parse(&text, number);
            let failed = |reason| DataSetError::Line { path: path.clone(), line: number, reason };
            let Some(row) = parsed.map_err(failed)? else { continue };
            let place = (row.query.clone(), row.document.clone());
            if let Some(&before) = places.get(&place) {
                let before = &rows[before];
                if before.relevance != row.relevance {
                    return Err(failed(format!(
                        "{:?} is judged {} for {:?}, and {} on line {}; keep one of the lines",
                        row.document, row.relevance, row.query, before.relevance, before.line
                    )));
                }
                continue;
            }
            places.insert(place, rows.len());
            rows.push(row);
        }
        if rows.is_empty() {
            let expected = "it must have a judgement a line: query, document and relevance";
            return Err(DataSetError::Empty { path, expected });
        }
        Ok(Self { path, rows })
    }

    /// Every relevant document must be in the corpus.
    pub(super) fn check_documents(&self, corpus: &HashSet<String>) -> Result<(), DataSetError> {
        let is_unknown = |row: &&Row| row.relevance > 0 && !corpus.contains(&row.document);
        let unknown: Vec<&Row> = self.rows.iter().filter(is_unknown).collect();
        let Some(first) = unknown.first() else { return Ok(()) };
        let distinct: HashSet<&str> = unknown.iter().map(|row| row.document.as_str()).collect();
        Err(DataSetError::UnknownDocuments {
            path: self.path.clone(),
            line: first.line,
            count: distinct.len(),
            example: first.document.clone(),
        })
    }

    /// What is to be said of judgements for questions that are not asked.
    pub(super) fn without_question(&self, asked: &HashSet<&str>) -> Option<String> {
        let mut unasked = self.rows.iter().filter(|row| !asked.contains(row.query.as_str()));
        let first = unasked.next()?;
        let (path, line, count) = (self.path.display(), first.line, unasked.count() + 1);
        Some(format!(
            "{path}, line {line}: judges for the question {:?}, which is not in queries.jsonl; {count} such lines are left out",
            first.query
        ))
    }

    pub(super) fn into_judgements(self) -> HashMap<String, Judgements> {
        let mut judgements: HashMap<String, Judgements> = HashMap::new();
        for row in self.rows {
            judgements.entry(row.query).or_default().insert(row.document, row.relevance);
        }
        judgements
    }
}

/// A line; `None` for one that judges nothing.
fn parse(text: &str, line: usize) -> Result<Option<Row>, String> {
    let tabs: Vec<&str> = text.split('\t').collect();
    let fields = if tabs.len() >= 3 { tabs } else { text.split_whitespace().collect() };
    let (query, document, relevance) = match fields[..] {
        [] => return Ok(None),
        [query, document, relevance] | [query, _, document, relevance] => (query, document, relevance),
        _ => return Err("three fields are expected: query, document, relevance".to_owned()),
    };
    match relevance.trim().parse::<f64>() {
        // TREC has negative ones for what is worse than irrelevant.
        Ok(relevance) if relevance.is_finite() => {
            let relevance = relevance.clamp(0.0, f64::from(u32::MAX)).round() as u32;
            Ok(Some(Row { line, query: query.to_owned(), document: document.to_owned(), relevance }))
        }
        // Headings.
        _ if line == 1 => Ok(None),
        _ => Err(format!("the relevance {relevance:?} is no number")),
    }
}
