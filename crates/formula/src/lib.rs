//! Numbers that can explain themselves: inputs with ranges, formulas over them, and what follows.
//!
//! A [`Sheet`] is filled from top to bottom: [`Sheet::input`] for what is known or assumed, [`Sheet::define`] for what
//! follows. A formula is an [`Expr`], built with the usual operators, so the text that explains a number and the arithmetic that
//! makes it are one thing. From the same sheet come the values, their ranges ([`Sheet::simulate`]) and what a number
//! depends on most ([`Sheet::tornado`]).
//!
//! It knows no units' arithmetic: a [`Unit`] says how a number is shown.

mod explain;
mod expr;
mod sheet;
mod simulate;
mod unit;

pub use explain::Explanation;
pub use expr::{Expr, call};
pub use sheet::{Input, Origin, Range, Row, Sheet};
pub use simulate::{Simulation, Swing};
pub use unit::Unit;

#[cfg(test)]
mod tests;
