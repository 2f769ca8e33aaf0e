//! A number down to its inputs.

use std::fmt;

use serde::Serialize;

use crate::sheet::{Origin, Range, Row, Sheet};

/// A number, how it was made, and the numbers that it was made of, each explained in turn.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// Its name.
    pub name: String,
    /// What it is.
    pub what: String,
    /// Its value.
    pub value: f64,
    /// Its value as people read it.
    pub shown: String,
    /// The formula; none for an input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formula: Option<String>,
    /// Where an input comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Whether an input is an assumption.
    pub assumed: bool,
    /// Where an input may lie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
    /// What the formula reads.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Explanation>,
}

impl Sheet {
    /// How the number of this name comes about; `None` where the sheet has none of this name.
    pub fn explain(&self, name: &str) -> Option<Explanation> {
        self.row(name).map(|row| self.explanation(row))
    }

    fn explanation(&self, row: &Row) -> Explanation {
        let (formula, source, assumed, range, inputs) = match &row.origin {
            Origin::Input(input) => {
                (None, Some(input.source.clone()), input.assumed, input.range, Vec::new())
            }
            Origin::Formula(formula) => {
                let inputs = formula.reads().into_iter().map(|index| self.explanation(&self.rows()[index]));
                (Some(formula.to_string()), None, false, None, inputs.collect())
            }
        };
        Explanation {
            name: row.name.clone(),
            what: row.what.clone(),
            value: row.value,
            shown: row.unit.show(row.value),
            formula,
            source,
            assumed,
            range,
            inputs,
        }
    }
}

impl Explanation {
    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let indent = "  ".repeat(depth);
        writeln!(f, "{indent}{} = {}  ({})", self.name, self.shown, self.what)?;
        if let Some(formula) = &self.formula {
            writeln!(f, "{indent}  = {formula}")?;
        }
        if let Some(source) = &self.source {
            let kind = if self.assumed { "assumed" } else { "from" };
            writeln!(f, "{indent}  {kind}: {source}")?;
        }
        self.inputs.iter().try_for_each(|input| input.write(f, depth + 1))
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}
