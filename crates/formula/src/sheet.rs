//! The sheet: rows that are given and rows that follow.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::expr::Expr;
use crate::unit::Unit;

/// Numbers with their names, in the order in which they were entered. A formula reads rows above it, so there are no circles.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    rows: Vec<Row>,
    by_name: BTreeMap<String, usize>,
}

/// A number of a sheet.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name, such as `capacity.requests_per_day`.
    pub name: String,
    /// What it counts.
    pub unit: Unit,
    /// What it is, as the end of "how much is …".
    pub what: String,
    /// Its value when every input has the value that is most likely.
    pub value: f64,
    /// Whether it is given or follows.
    pub origin: Origin,
}

/// Where a number comes from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// It was given.
    Input(Input),
    /// It follows from rows above.
    Formula(Expr),
}

/// A number that is given.
#[derive(Clone, PartialEq, Debug)]
pub struct Input {
    /// What is most likely.
    pub value: f64,
    /// Where it may lie; none where it is certain.
    pub range: Option<Range>,
    /// Where it comes from: a key of the file, or the assumption with its reason.
    pub source: String,
    /// Whether it is an assumption, in distinction to what the team said or measured.
    pub assumed: bool,
}

/// Where a number may lie: hardly ever outside.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Range {
    /// Hardly ever less.
    pub low: f64,
    /// Hardly ever more.
    pub high: f64,
}

impl Input {
    /// What the team said: certain unless a range follows.
    pub fn given(value: f64, source: impl Into<String>) -> Self {
        Self { value, range: None, source: source.into(), assumed: false }
    }

    /// What is assumed until somebody knows better, and why.
    pub fn assumed(value: f64, because: impl Into<String>) -> Self {
        Self { value, range: None, source: because.into(), assumed: true }
    }

    /// Where it may lie. A range that does not hold the value is widened to it.
    #[must_use]
    pub fn between(mut self, low: f64, high: f64) -> Self {
        self.range = Some(Range { low: low.min(self.value), high: high.max(self.value) });
        self
    }
}

impl Sheet {
    /// An empty sheet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Enters a number that is given.
    pub fn input(&mut self, name: &str, unit: Unit, what: &str, input: Input) -> Expr {
        self.enter(name, unit, what, input.value, Origin::Input(input))
    }

    /// Enters a number that follows.
    pub fn define(&mut self, name: &str, unit: Unit, what: &str, formula: impl Into<Expr>) -> Expr {
        let formula = formula.into();
        let values: Vec<f64> = self.rows.iter().map(|row| row.value).collect();
        self.enter(name, unit, what, formula.value(&values), Origin::Formula(formula))
    }

    /// # Panics
    /// When the name is taken: two numbers of one name are a mistake of whoever fills the sheet.
    fn enter(&mut self, name: &str, unit: Unit, what: &str, value: f64, origin: Origin) -> Expr {
        let index = self.rows.len();
        let before = self.by_name.insert(name.to_owned(), index);
        assert!(before.is_none(), "the sheet has a row {name} already");
        self.rows.push(Row { name: name.to_owned(), unit, what: what.to_owned(), value, origin });
        Expr::row(index, name)
    }

    /// The rows in their order.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The rows that are given.
    pub fn inputs(&self) -> impl Iterator<Item = (&Row, &Input)> {
        self.rows.iter().filter_map(|row| match &row.origin {
            Origin::Input(input) => Some((row, input)),
            Origin::Formula(_) => None,
        })
    }

    /// The row of this name.
    pub fn row(&self, name: &str) -> Option<&Row> {
        self.by_name.get(name).map(|index| &self.rows[*index])
    }

    /// The value of the row of this name.
    pub fn value(&self, name: &str) -> Option<f64> {
        self.row(name).map(|row| row.value)
    }

    /// The row as a formula reads it.
    pub fn expr(&self, name: &str) -> Option<Expr> {
        self.by_name.get(name).map(|index| Expr::row(*index, name))
    }

    pub(crate) fn index(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The values of all rows when the inputs have these: `input` answers for each input's index.
    pub(crate) fn values(&self, mut input: impl FnMut(usize, &Input) -> f64, values: &mut Vec<f64>) {
        values.clear();
        for (index, row) in self.rows.iter().enumerate() {
            let value = match &row.origin {
                Origin::Input(given) => input(index, given),
                Origin::Formula(formula) => formula.value(values),
            };
            values.push(value);
        }
    }
}
