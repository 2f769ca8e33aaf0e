//! What a slow or broken network makes of an answer, whatever the answer is.

use std::time::Duration;

use bytes::Bytes;

use super::chance::Chance;
use super::fault::Fault;
use super::script::Step;
use super::steps::{LET_IT_ARRIVE, Outgoing};

/// How long an answer is kept back before it begins.
pub(super) fn delay(fault: Fault, chance: &mut Chance) -> Duration {
    match fault {
        Fault::Latency { mean, jitter } => {
            let seconds = mean.as_secs_f64() + jitter.as_secs_f64() * chance.either_way();
            Duration::from_secs_f64(seconds.max(0.0))
        }
        _ => Duration::ZERO,
    }
}

/// The answer as it comes through this network.
pub(super) fn through(mut outgoing: Outgoing, fault: Fault) -> Outgoing {
    outgoing.steps = match fault {
        Fault::Bandwidth(bytes_per_second) => throttled(outgoing.steps, bytes_per_second.get()),
        Fault::Slices(size) => sliced(outgoing.steps, size.get() as usize),
        Fault::DataLimit(bytes) => limited(outgoing.steps, bytes as usize),
        Fault::SlowClose(late) => {
            outgoing.length = None;
            outgoing.steps.into_iter().chain([Step::Wait(late)]).collect()
        }
        _ => outgoing.steps,
    };
    outgoing
}

/// Pieces are small enough that they come about twenty times per second.
fn throttled(steps: Vec<Step>, bytes_per_second: u32) -> Vec<Step> {
    let size = bytes_per_second.div_ceil(20) as usize;
    in_pieces(steps, size, |piece| {
        let takes = Duration::from_secs_f64(piece.len() as f64 / f64::from(bytes_per_second));
        [Step::Wait(takes), Step::Send(piece)]
    })
}

fn sliced(steps: Vec<Step>, size: usize) -> Vec<Step> {
    in_pieces(steps, size, |piece| [Step::Send(piece), Step::Flush])
}

fn in_pieces(steps: Vec<Step>, size: usize, of_piece: impl Fn(Bytes) -> [Step; 2]) -> Vec<Step> {
    let mut pieces = Vec::new();
    for step in steps {
        let Step::Send(mut bytes) = step else {
            pieces.push(step);
            continue;
        };
        while !bytes.is_empty() {
            let piece = bytes.split_to(size.min(bytes.len()));
            pieces.extend(of_piece(piece));
        }
    }
    pieces
}

/// Breaks off after so many bytes; an answer that has no more than that is whole.
fn limited(steps: Vec<Step>, mut left: usize) -> Vec<Step> {
    let mut kept = Vec::new();
    for step in steps {
        match step {
            Step::Send(bytes) if bytes.len() > left => {
                kept.push(Step::Send(bytes.slice(..left)));
                kept.extend([LET_IT_ARRIVE, Step::Break { reset: false }]);
                return kept;
            }
            Step::Send(bytes) => {
                left -= bytes.len();
                kept.push(Step::Send(bytes));
            }
            other => kept.push(other),
        }
    }
    kept
}
