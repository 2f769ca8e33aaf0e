//! A folder with a corpus, questions, and judgements of which documents answer them.
//!
//! `corpus.jsonl` and `queries.jsonl` have one object a line; ids are called `doc_id` and `query_id`, or `_id` as in BEIR.
//! Judgements are `qrels.tsv` or `qrels/test.tsv`: query, document and relevance, or TREC's four columns, with or without
//! a line of headings.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::ranking::Judgements;

/// Questions and what is to be found for them.
#[derive(Debug)]
pub struct DataSet {
    /// The name of its folder.
    pub name: String,
    /// Its documents, as JSON Lines.
    pub corpus: PathBuf,
    /// The questions for which a relevant document is known, in the order of the file.
    pub questions: Vec<Question>,
    /// The judgements by question.
    pub judgements: HashMap<String, Judgements>,
}

/// A question.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Question {
    /// Its id.
    #[serde(rename = "query_id", alias = "_id")]
    pub id: String,
    /// What is asked.
    pub text: String,
    /// Its language; empty where the set does not say.
    #[serde(default)]
    pub language: String,
}

/// Why a folder is no data set that can be measured with.
#[derive(Debug, thiserror::Error)]
pub enum DataSetError {
    /// A file is missing or cannot be read.
    #[error(
        "{path} cannot be read; a data set has corpus.jsonl, queries.jsonl and qrels.tsv (or qrels/test.tsv)"
    )]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A line is not what it must be.
    #[error("{path}, line {line}: {reason}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Judgements name documents that are not in the corpus: no search can find them, so nothing measured is right.
    #[error(
        "{path} judges {count} documents that are not in the corpus, such as {example:?}; its ids must be those of corpus.jsonl"
    )]
    UnknownDocuments {
        /// The judgements.
        path: PathBuf,
        /// How many.
        count: usize,
        /// One of them.
        example: String,
    },
    /// Nothing can be scored.
    #[error("{path} has no question with a relevant document in qrels; the ids of both must be the same")]
    NoQuestions {
        /// The questions.
        path: PathBuf,
    },
}

impl DataSet {
    /// Whether the folder looks like a data set.
    pub fn is_at(folder: &Path) -> bool {
        folder.join("corpus.jsonl").exists() && folder.join("queries.jsonl").exists()
    }

    /// Reads the questions and judgements of a folder, and checks that the documents are there.
    pub fn read(folder: &Path) -> Result<Self, DataSetError> {
        let corpus = folder.join("corpus.jsonl");
        let qrels = [folder.join("qrels.tsv"), folder.join("qrels/test.tsv")];
        let qrels = qrels.iter().find(|path| path.exists()).unwrap_or(&qrels[0]);
        let judgements = read_judgements(qrels)?;
        check_documents(&corpus, qrels, &judgements)?;
        let path = folder.join("queries.jsonl");
        let is_scored = |question: &Question| {
            judgements.get(&question.id).is_some_and(|judged| judged.values().any(|&relevance| relevance > 0))
        };
        let mut questions: Vec<Question> = read_lines(&path)?;
        questions.retain(is_scored);
        if questions.is_empty() {
            return Err(DataSetError::NoQuestions { path });
        }
        let name = folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        Ok(Self { name, corpus, questions, judgements })
    }

    /// At most `most` of the questions, evenly spaced, so that every part of the set is asked.
    pub fn sample(&self, most: usize) -> Vec<&Question> {
        let count = self.questions.len();
        let chosen = count.min(most);
        (0..chosen).map(|index| &self.questions[index * count / chosen]).collect()
    }
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "doc_id", alias = "_id")]
    id: String,
}

fn check_documents(
    corpus: &Path,
    qrels: &Path,
    judgements: &HashMap<String, Judgements>,
) -> Result<(), DataSetError> {
    let documents: HashSet<String> = read_lines(corpus)?.into_iter().map(|one: Document| one.id).collect();
    let relevant = judgements.values().flatten().filter(|(_, relevance)| **relevance > 0);
    let unknown: HashSet<&String> =
        relevant.map(|(id, _)| id).filter(|id| !documents.contains(*id)).collect();
    match unknown.iter().min() {
        Some(example) => Err(DataSetError::UnknownDocuments {
            path: qrels.to_owned(),
            count: unknown.len(),
            example: (**example).clone(),
        }),
        None => Ok(()),
    }
}

fn lines(path: &Path) -> Result<impl Iterator<Item = Result<(usize, String), DataSetError>>, DataSetError> {
    let failed = |path: &Path, source| DataSetError::File { path: path.to_owned(), source };
    let file = File::open(path).map_err(|error| failed(path, error))?;
    let path = path.to_owned();
    Ok(BufReader::new(file).lines().enumerate().map(move |(index, line)| {
        let line = line.map_err(|error| failed(&path, error))?;
        Ok((index + 1, line.trim_start_matches('\u{feff}').to_owned()))
    }))
}

fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, DataSetError> {
    let mut items = Vec::new();
    for line in lines(path)? {
        let (number, text) = line?;
        if !text.trim().is_empty() {
            items.push(serde_json::from_str(&text).map_err(|error| DataSetError::Line {
                path: path.to_owned(),
                line: number,
                reason: error.to_string(),
            })?);
        }
    }
    Ok(items)
}

fn read_judgements(path: &Path) -> Result<HashMap<String, Judgements>, DataSetError> {
    let mut judgements: HashMap<String, Judgements> = HashMap::new();
    for line in lines(path)? {
        let (number, text) = line?;
        let tabs: Vec<&str> = text.split('\t').collect();
        let fields = if tabs.len() >= 3 { tabs } else { text.split_whitespace().collect() };
        let (query, document, relevance) = match fields[..] {
            [] => continue,
            [query, document, relevance] | [query, _, document, relevance] => (query, document, relevance),
            _ => {
                return Err(DataSetError::Line {
                    path: path.to_owned(),
                    line: number,
                    reason: "three fields are expected: query, document, relevance".to_owned(),
                });
            }
        };
        match relevance.trim().parse::<f64>() {
            // TREC has negative ones for what is worse than irrelevant.
            Ok(relevance) if relevance.is_finite() => {
                let relevance = relevance.clamp(0.0, f64::from(u32::MAX)).round() as u32;
                judgements.entry(query.to_owned()).or_default().insert(document.to_owned(), relevance);
            }
            // Headings.
            _ if number == 1 => {}
            _ => {
                return Err(DataSetError::Line {
                    path: path.to_owned(),
                    line: number,
                    reason: format!("the relevance {relevance:?} is no number"),
                });
            }
        }
    }
    Ok(judgements)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder(qrels: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("corpus.jsonl", "{\"doc_id\":\"a\",\"text\":\"x\"}\n\n{\"_id\":\"b\",\"text\":\"y\"}\n");
        write(
            "queries.jsonl",
            "{\"query_id\":\"q1\",\"text\":\"one?\",\"language\":\"en\"}\n{\"_id\":\"q2\",\"text\":\"two?\"}\n",
        );
        write("qrels.tsv", qrels);
        folder
    }

    #[test]
    fn judgements_are_read_in_every_shape() {
        for qrels in [
            "query_id\tdoc_id\trelevance\nq1\ta\t2\nq1\tb\t0\n",
            "q1\ta\t2\nq1\tb\t-1\n",
            "q1 0 a 2\nq1 0 b 0\n",
            "q1\ta\t2.0\n\nq1\tb\t0\n",
        ] {
            let set = DataSet::read(folder(qrels).path()).unwrap();
            assert_eq!((set.judgements["q1"]["a"], set.judgements["q1"]["b"]), (2, 0), "{qrels}");
            let ids: Vec<&str> = set.questions.iter().map(|question| question.id.as_str()).collect();
            assert_eq!(ids, ["q1"], "a question without a relevant document cannot be scored");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (qrels, told) in [
            ("q1\ta\n", "line 1: three fields are expected"),
            ("q1\ta\t1\nq2\tb\tmuch\n", "line 2: the relevance \"much\" is no number"),
            ("q1\tgone\t1\n", "judges 1 documents that are not in the corpus, such as \"gone\""),
            ("q9\ta\t1\n", "no question with a relevant document"),
        ] {
            let error = DataSet::read(folder(qrels).path()).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
        let empty = tempfile::tempdir().unwrap();
        let error = DataSet::read(empty.path()).unwrap_err();
        assert!(error.to_string().contains("qrels.tsv cannot be read"), "{error}");
    }

    #[test]
    fn questions_are_taken_from_all_over_the_set() {
        let question =
            |number: usize| Question { id: number.to_string(), text: String::new(), language: String::new() };
        let set = |count| DataSet {
            name: String::new(),
            corpus: PathBuf::new(),
            questions: (0..count).map(question).collect(),
            judgements: HashMap::new(),
        };
        let sampled = |count, most| -> Vec<String> {
            set(count).sample(most).into_iter().map(|question| question.id.clone()).collect()
        };
        assert_eq!(sampled(10, 4), ["0", "2", "5", "7"]);
        assert_eq!(sampled(3, 10), ["0", "1", "2"]);
        assert!(sampled(0, 10).is_empty());
    }
}
