//! The best way to put the units of a section together.
//!
//! A chunk costs the square of its distance from the target size, and the break before it costs what its place is worth
//! (`Unit::price`). The cheapest sequence of chunks is found by dynamic programming over the units, looking back no further
//! than one chunk can reach, so the time is linear in the units.

use std::ops::Range;

use super::ChunkOptions;
use super::units::{Break, Unit};
use super::words::WORD;

/// Units in one chunk at most: bounds the search where units weigh next to nothing.
const MAX_UNITS: usize = 96;

/// A chunk at the target size costs nothing, an empty one this.
const SCALE: u64 = 1000;

/// What a chunk of less than a third of the target costs on top, so that leftovers join their neighbours.
const LEFTOVER: u64 = 500;

impl Break {
    /// What it costs to begin a chunk here, in thousandths of the cost of an empty chunk.
    pub(super) fn price(self) -> i64 {
        match self {
            Self::Paragraph => 0,
            Self::ListItem => 30,
            Self::BlankLine => 60,
            Self::Sentence => 120,
            Self::Line => 150,
            Self::LeadIn => 300,
            Self::Clause => 350,
            Self::Space => 500,
            Self::Inside => 700,
            Self::Heading => 5000,
        }
    }

    /// The same where only whole sentences matter: a paragraph is no better place to begin than a sentence.
    pub(super) fn price_between_sentences(self) -> i64 {
        match self {
            Self::Paragraph | Self::ListItem | Self::Sentence | Self::LeadIn => 0,
            Self::BlankLine | Self::Line | Self::Clause | Self::Space | Self::Inside | Self::Heading => {
                self.price()
            }
        }
    }
}

/// Ranges of `units`, one per chunk, in order and without gaps.
pub(super) fn partition(units: &[Unit], options: &ChunkOptions) -> Vec<Range<usize>> {
    let target = u64::from(options.target_words.max(1)) * WORD;
    let max = u64::from(options.max_words) * WORD;
    // best[i]: the least cost of the units before i, and where the last of their chunks begins.
    let mut best: Vec<(i64, usize)> = Vec::with_capacity(units.len() + 1);
    best.push((0, 0));
    for end in 1..=units.len() {
        let mut weight = 0;
        let mut body = 0;
        let mut cheapest = (i64::MAX, end - 1);
        for start in (end.saturating_sub(MAX_UNITS)..end).rev() {
            let unit = &units[start];
            weight += unit.weight;
            body += unit.body_weight();
            if body > max.max(target) && start + 1 < end {
                break;
            }
            let before = if start == 0 { 0 } else { unit.price };
            let cost = best[start].0.saturating_add(before).saturating_add(size_cost(weight, target));
            if cost < cheapest.0 {
                cheapest = (cost, start);
            }
        }
        best.push(cheapest);
    }
    backtrack(&best)
}

fn size_cost(weight: u64, target: u64) -> i64 {
    let distance = weight.abs_diff(target);
    let leftover = if weight * 3 < target { LEFTOVER } else { 0 };
    let cost = (distance.saturating_mul(distance) / target).saturating_mul(SCALE) / target + leftover;
    i64::try_from(cost).unwrap_or(i64::MAX)
}

fn backtrack(best: &[(i64, usize)]) -> Vec<Range<usize>> {
    let mut groups = Vec::new();
    let mut end = best.len() - 1;
    while end > 0 {
        let start = best[end].1;
        groups.push(start..end);
        end = start;
    }
    groups.reverse();
    groups
}
