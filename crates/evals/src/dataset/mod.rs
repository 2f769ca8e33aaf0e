//! A folder with a corpus, questions, and judgements of which documents answer them.
//!
//! `corpus.jsonl` and `queries.jsonl` have one object a line; ids are called `doc_id` and `query_id`, or `_id` as in BEIR.
//! Judgements are `qrels.tsv` or `qrels/test.tsv`: query, document and relevance, or TREC's four columns, with or without
//! a line of headings. `golden.jsonl`, where there is one, has the answers.

mod lines;
mod qrels;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::ranking::Judgements;
use lines::read_lines;
use qrels::Qrels;

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
    /// What is odd in it, for people. It can be measured all the same.
    pub oddities: Vec<String>,
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
    /// What type of question its set says it is: its field `type`, else what its id has before a colon, as in
    /// `desc:no-alert`. Empty where the set does not say.
    #[serde(default, rename = "type")]
    pub type_name: String,
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
        "{path}, line {line}: judges the document {example:?}, which is not in the corpus{}; its ids must be those of corpus.jsonl",
        others(*.count)
    )]
    UnknownDocuments {
        /// The judgements.
        path: PathBuf,
        /// The first line with one.
        line: usize,
        /// How many documents are unknown.
        count: usize,
        /// The one of that line.
        example: String,
    },
    /// A file has nothing in it.
    #[error("{path} is empty; {expected}")]
    Empty {
        /// The file.
        path: PathBuf,
        /// What it must have.
        expected: &'static str,
    },
    /// No question can be scored.
    #[error(
        "{path} has no question with a relevant document; the ids of qrels.tsv must be those of queries.jsonl"
    )]
    NoQuestions {
        /// The questions.
        path: PathBuf,
    },
    /// The set has no answers, which some measures need.
    #[error(
        "{path} does not exist, so the answers are not known; write one object a line with query_id and answers, such as \
         {{\"query_id\": \"q1\", \"answers\": [\"two years\"]}}"
    )]
    NoAnswers {
        /// The file that is missing.
        path: PathBuf,
    },
}

fn others(count: usize) -> String {
    match count {
        0 | 1 => String::new(),
        2 => " (one more is not either)".to_owned(),
        _ => format!(" ({} more are not either)", count - 1),
    }
}

impl DataSet {
    /// Whether the folder looks like a data set.
    pub fn is_at(folder: &Path) -> bool {
        folder.join("corpus.jsonl").exists() && folder.join("queries.jsonl").exists()
    }

    /// Reads the questions and judgements of a folder, and checks that the documents are there.
    pub fn read(folder: &Path) -> Result<Self, DataSetError> {
        let mut oddities = Vec::new();
        let corpus = folder.join("corpus.jsonl");
        let places = [folder.join("qrels.tsv"), folder.join("qrels/test.tsv")];
        let qrels = Qrels::read(places.iter().find(|path| path.exists()).unwrap_or(&places[0]))?;
        qrels.check_documents(&document_ids(&corpus, &mut oddities)?)?;
        let path = folder.join("queries.jsonl");
        let asked = questions(&path, &mut oddities)?;
        let known: HashSet<&str> = asked.iter().map(|question| question.id.as_str()).collect();
        oddities.extend(qrels.without_question(&known));
        let judgements = qrels.into_judgements();
        let is_scored = |question: &Question| {
            judgements.get(&question.id).is_some_and(|judged| judged.values().any(|&relevance| relevance > 0))
        };
        let total = asked.len();
        let questions: Vec<Question> = asked.into_iter().filter(is_scored).collect();
        if questions.is_empty() {
            return Err(DataSetError::NoQuestions { path });
        }
        let unscored = total - questions.len();
        if unscored > 0 {
            let path = path.display();
            oddities.push(format!(
                "{path}: no relevant document is known for {unscored} of {total} questions; they are left out"
            ));
        }
        let name = folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        Ok(Self { name, corpus, questions, judgements, oddities })
    }

    /// The right answers by question, of those questions that have some: any one of them is right.
    pub fn answers(&self) -> Result<HashMap<String, Vec<String>>, DataSetError> {
        let path = self.corpus.with_file_name("golden.jsonl");
        if !path.exists() {
            return Err(DataSetError::NoAnswers { path });
        }
        let golden: Vec<(usize, Golden)> = read_lines(&path)?;
        let answered = golden.into_iter().map(|(_, one)| (one.id, one.answers));
        Ok(answered.filter(|(_, answers)| answers.iter().any(|answer| !answer.trim().is_empty())).collect())
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

#[derive(Deserialize)]
struct Golden {
    #[serde(rename = "query_id", alias = "_id")]
    id: String,
    answers: Vec<String>,
}

fn document_ids(path: &Path, oddities: &mut Vec<String>) -> Result<HashSet<String>, DataSetError> {
    let documents: Vec<(usize, Document)> = read_lines(path)?;
    if documents.is_empty() {
        let expected = "it must have a document a line, with doc_id and text";
        return Err(DataSetError::Empty { path: path.to_owned(), expected });
    }
    let mut ids = HashSet::with_capacity(documents.len());
    let mut again = Repeated::default();
    for (line, document) in documents {
        if !ids.insert(document.id.clone()) {
            again.note(line, document.id);
        }
    }
    oddities.extend(again.tell(path, "document", "the last one holds"));
    Ok(ids)
}

fn questions(path: &Path, oddities: &mut Vec<String>) -> Result<Vec<Question>, DataSetError> {
    let mut questions: Vec<Question> = Vec::new();
    let mut places: HashMap<String, (usize, usize)> = HashMap::new();
    let mut again = Repeated::default();
    for (line, mut question) in read_lines::<Question>(path)? {
        let failed = |reason| Err(DataSetError::Line { path: path.to_owned(), line, reason });
        if question.text.trim().is_empty() {
            return failed("the question has no text; write what is asked, or remove the line".to_owned());
        }
        if let Some(&(before, index)) = places.get(&question.id) {
            if questions[index].text != question.text {
                return failed(format!(
                    "the id {:?} is that of another question already, on line {before}",
                    question.id
                ));
            }
            again.note(line, question.id);
            continue;
        }
        if question.type_name.is_empty() {
            question.type_name = type_of_id(&question.id).to_owned();
        }
        places.insert(question.id.clone(), (line, questions.len()));
        questions.push(question);
    }
    oddities.extend(again.tell(path, "question", "it is asked once"));
    if questions.is_empty() {
        let expected = "it must have a question a line, with query_id and text";
        return Err(DataSetError::Empty { path: path.to_owned(), expected });
    }
    Ok(questions)
}

/// Items that a file has more than once.
#[derive(Default)]
struct Repeated {
    first: Option<(usize, String)>,
    count: usize,
}

impl Repeated {
    fn note(&mut self, line: usize, id: String) {
        self.first.get_or_insert((line, id));
        self.count += 1;
    }

    fn tell(&self, path: &Path, thing: &str, consequence: &str) -> Option<String> {
        let (line, id) = self.first.as_ref()?;
        let more = match self.count {
            1 => String::new(),
            count => format!(" ({} more lines repeat one)", count - 1),
        };
        Some(format!(
            "{}, line {line}: the {thing} {id:?} is there already{more}; {consequence}",
            path.display()
        ))
    }
}

/// The word before the colon of an id, where there is one.
fn type_of_id(id: &str) -> &str {
    match id.split_once(':') {
        Some((word, rest)) if !rest.is_empty() && word.chars().all(|c| c.is_ascii_alphabetic()) => word,
        _ => "",
    }
}

#[cfg(test)]
mod tests;
