//! Arithmetic that can be read.

use std::fmt;
use std::ops::{Add, Div, Mul, Sub};
use std::sync::Arc;

/// A formula over the rows of a sheet.
#[derive(Clone)]
pub struct Expr(Arc<Node>);

/// Arithmetic that has no sign: what it is called and how it is done.
type Function = dyn Fn(&[f64]) -> f64 + Send + Sync;

enum Node {
    /// The row of this index, and its name.
    Row(usize, Arc<str>),
    Constant(f64),
    Add(Expr, Expr),
    Sub(Expr, Expr),
    Mul(Expr, Expr),
    Div(Expr, Expr),
    Call {
        name: Arc<str>,
        arguments: Vec<Expr>,
        function: Arc<Function>,
    },
}

impl Expr {
    pub(crate) fn row(index: usize, name: &str) -> Self {
        Self(Arc::new(Node::Row(index, name.into())))
    }

    /// A number that is one by definition, such as the seconds of a day. What could be another number is an input.
    pub fn constant(value: f64) -> Self {
        Self(Arc::new(Node::Constant(value)))
    }

    /// The larger of two.
    #[must_use]
    pub fn max(&self, other: &Self) -> Self {
        call("max", [self.clone(), other.clone()], |v| v[0].max(v[1]))
    }

    /// The smaller of two.
    #[must_use]
    pub fn min(&self, other: &Self) -> Self {
        call("min", [self.clone(), other.clone()], |v| v[0].min(v[1]))
    }

    /// The next whole number.
    #[must_use]
    pub fn ceil(&self) -> Self {
        // What is a whole number but for the last bits of its arithmetic is meant to be it.
        call("round up", [self.clone()], |v| (v[0] * (1.0 - 1e-12)).ceil())
    }

    /// Its value, given those of the rows before.
    pub(crate) fn value(&self, rows: &[f64]) -> f64 {
        match &*self.0 {
            Node::Row(index, _) => rows[*index],
            Node::Constant(value) => *value,
            Node::Add(a, b) => a.value(rows) + b.value(rows),
            Node::Sub(a, b) => a.value(rows) - b.value(rows),
            Node::Mul(a, b) => a.value(rows) * b.value(rows),
            Node::Div(a, b) => a.value(rows) / b.value(rows),
            Node::Call { arguments, function, .. } => {
                let values: Vec<f64> = arguments.iter().map(|argument| argument.value(rows)).collect();
                function(&values)
            }
        }
    }

    /// The rows that it reads, each once, in the order of the text.
    pub(crate) fn reads(&self) -> Vec<usize> {
        let mut rows = Vec::new();
        self.collect(&mut rows);
        rows
    }

    fn collect(&self, rows: &mut Vec<usize>) {
        match &*self.0 {
            Node::Row(index, _) => {
                if !rows.contains(index) {
                    rows.push(*index);
                }
            }
            Node::Constant(_) => {}
            Node::Add(a, b) | Node::Sub(a, b) | Node::Mul(a, b) | Node::Div(a, b) => {
                a.collect(rows);
                b.collect(rows);
            }
            Node::Call { arguments, .. } => arguments.iter().for_each(|argument| argument.collect(rows)),
        }
    }

    /// How tightly it binds: what binds less stands in brackets.
    fn binding(&self) -> u8 {
        match &*self.0 {
            Node::Add(..) | Node::Sub(..) => 1,
            Node::Mul(..) | Node::Div(..) => 2,
            Node::Row(..) | Node::Constant(_) | Node::Call { .. } => 3,
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, least: u8) -> fmt::Result {
        if self.binding() < least {
            f.write_str("(")?;
            self.write(f, 0)?;
            return f.write_str(")");
        }
        match &*self.0 {
            Node::Row(_, name) => f.write_str(name),
            Node::Constant(value) => write!(f, "{value}"),
            Node::Add(a, b) => between(f, (a, 1), " + ", (b, 1)),
            Node::Sub(a, b) => between(f, (a, 1), " − ", (b, 2)),
            Node::Mul(a, b) => between(f, (a, 2), " × ", (b, 2)),
            Node::Div(a, b) => between(f, (a, 2), " / ", (b, 3)),
            Node::Call { name, arguments, .. } => {
                write!(f, "{name}(")?;
                for (index, argument) in arguments.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { ", " })?;
                    argument.write(f, 0)?;
                }
                f.write_str(")")
            }
        }
    }
}

fn between(
    f: &mut fmt::Formatter<'_>,
    (a, left): (&Expr, u8),
    sign: &str,
    (b, right): (&Expr, u8),
) -> fmt::Result {
    a.write(f, left)?;
    f.write_str(sign)?;
    b.write(f, right)
}

/// What no operator does: a lookup, a search, a formula with a name of its own. `function` gets the arguments' values in
/// their order; it must answer the same for the same values.
pub fn call(
    name: &str,
    arguments: impl IntoIterator<Item = Expr>,
    function: impl Fn(&[f64]) -> f64 + Send + Sync + 'static,
) -> Expr {
    let arguments = arguments.into_iter().collect();
    Expr(Arc::new(Node::Call { name: name.into(), arguments, function: Arc::new(function) }))
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expr({self})")
    }
}

impl From<f64> for Expr {
    fn from(value: f64) -> Self {
        Self::constant(value)
    }
}

impl From<&Self> for Expr {
    fn from(expr: &Self) -> Self {
        expr.clone()
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident, $node:ident) => {
        impl<Other: Into<Expr>> $trait<Other> for Expr {
            type Output = Self;
            fn $method(self, other: Other) -> Self {
                Self(Arc::new(Node::$node(self, other.into())))
            }
        }

        impl<Other: Into<Expr>> $trait<Other> for &Expr {
            type Output = Expr;
            fn $method(self, other: Other) -> Expr {
                Expr(Arc::new(Node::$node(self.clone(), other.into())))
            }
        }
    };
}

operator!(Add, add, Add);
operator!(Sub, sub, Sub);
operator!(Mul, mul, Mul);
operator!(Div, div, Div);
