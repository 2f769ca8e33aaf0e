//! Problems of a file as people see them: file, line, column, the line itself with a mark under the value, and a hint.

use std::fmt;
use std::io::stderr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use mainstay_domain::config::{Findings, Position, Problem};
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use serde_json::{Value, json};

use crate::terminal;

/// Why a file is not used: everything that is wrong with it.
#[derive(Debug)]
pub(crate) struct Diagnostics {
    file: PathBuf,
    /// The text of the file without secrets.
    text: String,
    /// In the order of the file; never empty.
    problems: Vec<Problem>,
}

impl Diagnostics {
    /// What was found in the text.
    pub(super) fn of_text(file: &Path, text: &str, findings: Findings) -> Self {
        let text = concealed(text, findings.concealed());
        Self::of_problems(file, text, findings.into_problems())
    }

    pub(super) fn of_problems(file: &Path, text: String, problems: Vec<Problem>) -> Self {
        Self { file: file.to_owned(), text, problems }
    }

    pub(super) fn unreadable(file: &Path, cause: &std::io::Error) -> Self {
        let problem = Problem {
            path: String::new(),
            span: 0..0,
            message: format!("the file cannot be read: {cause}"),
            hint: "`mainstay init` writes a new one".to_owned(),
            related: None,
        };
        Self::of_problems(file, String::new(), vec![problem])
    }

    /// The problems in the order of the file.
    #[cfg(test)]
    pub(crate) fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// For programs: the problems with their places.
    pub(crate) fn to_json(&self) -> Value {
        let problems: Vec<Value> =
            self.problems.iter().map(|problem| self.problem_to_json(problem)).collect();
        json!({ "ok": false, "file": self.file.display().to_string(), "problems": problems })
    }

    fn problem_to_json(&self, problem: &Problem) -> Value {
        let start = Position::of(&self.text, problem.span.start);
        let end = Position::of(&self.text, problem.span.end);
        json!({
            "path": problem.path,
            "line": start.line,
            "column": start.column,
            "end_line": end.line,
            "end_column": end.column,
            "message": problem.message,
            "hint": problem.hint,
        })
    }

    /// For people: every problem with its place in the text.
    pub(crate) fn render(&self, theme: GraphicalTheme) -> String {
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_context_lines(1)
            .with_width(100)
            .without_syntax_highlighting();
        let source = NamedSource::new(self.file.display().to_string(), self.text.clone());
        let mut report = String::new();
        for problem in &self.problems {
            let located = Located { problem, source: (!self.text.is_empty()).then_some(&source) };
            report.push('\n');
            handler.render_report(&mut report, &located).expect("writing to a string does not fail");
        }
        report
    }
}

/// The count, then every problem; in colour where standard error shows it, for that is where an error goes.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        let theme = if terminal::colours(&stderr()) {
            GraphicalTheme::unicode()
        } else {
            GraphicalTheme::unicode_nocolor()
        };
        let plural = if count == 1 { "" } else { "s" };
        writeln!(f, "{} has {count} problem{plural}", self.file.display())?;
        f.write_str(self.render(theme).trim_end())
    }
}

impl std::error::Error for Diagnostics {}

/// A problem as miette draws it.
#[derive(Debug)]
struct Located<'d> {
    problem: &'d Problem,
    source: Option<&'d NamedSource<String>>,
}

impl fmt::Display for Located<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.problem.path.is_empty() {
            write!(f, "{}: ", self.problem.path)?;
        }
        f.write_str(&self.problem.message)
    }
}

impl std::error::Error for Located<'_> {}

impl Diagnostic for Located<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        (!self.problem.hint.is_empty()).then(|| Box::new(&self.problem.hint) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let here = LabeledSpan::new_primary_with_span(None, self.problem.span.clone());
        let related = self.problem.related.as_ref();
        let related =
            related.map(|other| LabeledSpan::new_with_span(Some(other.label.clone()), other.span.clone()));
        Some(Box::new(std::iter::once(here).chain(related)))
    }
}

/// The text with stars for every byte of these places, so that all other places stay where they are.
fn concealed(text: &str, places: &[Range<usize>]) -> String {
    let hidden = |byte: usize| places.iter().any(|place| place.contains(&byte));
    text.char_indices()
        .flat_map(|(at, c)| {
            let (shown, times) = if hidden(at) && c != '\n' { ('*', c.len_utf8()) } else { (c, 1) };
            std::iter::repeat_n(shown, times)
        })
        .collect()
}
