//! The problems found so far, and the places to find more.

use std::ops::Range;

use super::path::KeyPath;
use super::problem::{Problem, Related};
use super::spans::Spans;

/// Collects problems. Checks report here by the path of the key; the place in the file is looked up.
#[derive(Debug, Default)]
pub struct Findings {
    spans: Spans,
    problems: Vec<(KeyPath, Problem)>,
    concealed: Vec<Range<usize>>,
}

impl Findings {
    pub(super) fn new(spans: Spans) -> Self {
        Self { spans, ..Self::default() }
    }

    /// Reports what is wrong with the value of a key, and what to write instead.
    pub fn report(&mut self, path: &KeyPath, message: impl Into<String>, hint: impl Into<String>) {
        self.push(path, self.spans.value(path), message.into(), hint.into(), None);
    }

    /// Reports a contradiction between two keys.
    pub fn contradiction(
        &mut self,
        path: &KeyPath,
        other: &KeyPath,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let has_other = self.spans.has(other);
        let related = has_other.then(|| Related { span: self.spans.value(other), label: other.to_string() });
        self.push(path, self.spans.value(path), message.into(), hint.into(), related);
    }

    /// Reports what is wrong with a key itself, such as a name that is taken.
    pub fn report_key(&mut self, path: &KeyPath, message: impl Into<String>, hint: impl Into<String>) {
        self.push(path, self.spans.key(path), message.into(), hint.into(), None);
    }

    /// Whether the file has this key, with a good value or a bad one.
    pub fn is_present(&self, path: &KeyPath) -> bool {
        self.spans.has(path)
    }

    /// The names in the table at this path, as the file has them, also those whose values are bad.
    pub fn names(&self, path: &KeyPath) -> impl Iterator<Item = &str> {
        self.spans.keys(path)
    }

    /// Whether nothing has been found.
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// Marks the value of a key as a secret that stands in the file where it must not: no message may show it.
    pub fn conceal_value(&mut self, path: &KeyPath) {
        if self.spans.has(path) {
            self.conceal(self.spans.value(path));
        }
    }

    /// The places of the file that must not be shown.
    pub fn concealed(&self) -> &[Range<usize>] {
        &self.concealed
    }

    /// The problems in the order of the file.
    pub fn into_problems(self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = self.problems.into_iter().map(|(_, problem)| problem).collect();
        problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
        problems
    }

    pub(super) fn spans(&self) -> &Spans {
        &self.spans
    }

    /// A key has one problem at a time: what is bad in it must not also be reported as missing or contradictory.
    fn push(
        &mut self,
        path: &KeyPath,
        span: Range<usize>,
        message: String,
        hint: String,
        related: Option<Related>,
    ) {
        if self.problems.iter().any(|(known, _)| path.contains(known)) {
            return;
        }
        let problem = Problem { path: path.to_string(), span, message, hint, related };
        self.problems.push((path.clone(), problem));
    }

    pub(super) fn conceal(&mut self, span: Range<usize>) {
        self.concealed.push(span);
    }

    pub(super) fn syntax(&mut self, problem: Problem) {
        self.problems.push((KeyPath::root(), problem));
    }
}
