//! Ranges of results, and what they come from.

use fastrand::Rng;
use serde::Serialize;

use crate::sheet::{Input, Sheet};

/// What many draws of the inputs made of every row.
#[derive(Clone, Debug)]
pub struct Simulation {
    /// By row, ascending.
    sorted: Vec<Vec<f64>>,
}

/// How far a result moves when one input goes from one end of its range to the other and all others stay.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Swing {
    /// The input's name.
    pub input: String,
    /// The input's low end.
    pub from: f64,
    /// The input's high end.
    pub to: f64,
    /// The result at the low end.
    pub at_low: f64,
    /// The result at the high end.
    pub at_high: f64,
}

impl Swing {
    /// How far the result moves.
    pub fn width(&self) -> f64 {
        (self.at_high - self.at_low).abs()
    }
}

impl Sheet {
    /// Draws every uncertain input `draws` times, each from a triangle over its range with the most likely value at the top,
    /// independently of each other, and computes every row. The same seed gives the same numbers.
    pub fn simulate(&self, draws: usize, seed: u64) -> Simulation {
        let mut rng = Rng::with_seed(seed);
        let mut columns = vec![Vec::with_capacity(draws); self.rows().len()];
        let mut values = Vec::new();
        for _ in 0..draws {
            self.values(|_, input| draw(input, &mut rng), &mut values);
            for (column, value) in columns.iter_mut().zip(&values) {
                column.push(*value);
            }
        }
        for column in &mut columns {
            column.sort_by(f64::total_cmp);
        }
        Simulation { sorted: columns }
    }

    /// The quantile of a row in a simulation of this sheet, 0 to 1; `None` for a name that the sheet does not have.
    pub fn quantile(&self, simulation: &Simulation, name: &str, q: f64) -> Option<f64> {
        let column = &simulation.sorted[self.index(name)?];
        let last = column.len().checked_sub(1)?;
        let position = q.clamp(0.0, 1.0) * last as f64;
        let (below, above) = (column[position.floor() as usize], column[position.ceil() as usize]);
        // Between two equal ones, both unlimited perhaps, there is nothing to interpolate.
        Some(if below == above || position.fract() == 0.0 {
            below
        } else {
            below + (above - below) * position.fract()
        })
    }

    /// The share of draws in which a row was at most this.
    pub fn share_at_most(&self, simulation: &Simulation, name: &str, limit: f64) -> Option<f64> {
        let column = &simulation.sorted[self.index(name)?];
        let within = column.partition_point(|value| *value <= limit);
        (!column.is_empty()).then(|| within as f64 / column.len() as f64)
    }

    /// What a number depends on most: each uncertain input that moves it, the widest swing first.
    pub fn tornado(&self, name: &str) -> Vec<Swing> {
        let Some(result) = self.index(name) else { return Vec::new() };
        let mut values = Vec::new();
        let mut swings = Vec::new();
        for (index, row) in self.rows().iter().enumerate() {
            let crate::Origin::Input(Input { range: Some(range), .. }) = &row.origin else { continue };
            let mut at = |end: f64| {
                self.values(|other, input| if other == index { end } else { input.value }, &mut values);
                values[result]
            };
            let (at_low, at_high) = (at(range.low), at(range.high));
            let swing = Swing { input: row.name.clone(), from: range.low, to: range.high, at_low, at_high };
            if swing.width() > 0.0 {
                swings.push(swing);
            }
        }
        swings.sort_by(|a, b| b.width().total_cmp(&a.width()));
        swings
    }
}

/// From the triangle of `low`, `value`, `high`, by the inverse of its distribution function.
fn draw(input: &Input, rng: &mut Rng) -> f64 {
    let Some(range) = input.range.filter(|range| range.high > range.low) else { return input.value };
    let width = range.high - range.low;
    let top = (input.value - range.low) / width;
    let u = rng.f64();
    let at = if u < top { (u * top).sqrt() } else { 1.0 - ((1.0 - u) * (1.0 - top)).sqrt() };
    range.low + at * width
}
