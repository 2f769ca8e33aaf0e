//! Waiting lines, event by event: what the closed forms are held against, and what has none.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use fastrand::Rng;
use serde::Serialize;

/// What requests went through.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Waits {
    /// Seconds that a request waited on average.
    pub mean: f64,
    /// Waits in seconds, ascending.
    #[serde(skip)]
    sorted: Vec<f64>,
}

impl Waits {
    fn of(mut waits: Vec<f64>) -> Self {
        let mean = waits.iter().sum::<f64>() / waits.len().max(1) as f64;
        waits.sort_by(f64::total_cmp);
        Self { mean, sorted: waits }
    }

    /// The wait that this share of requests did not exceed; 0 where there was none.
    pub fn at(&self, share: f64) -> f64 {
        let last = self.sorted.len().saturating_sub(1);
        self.sorted.get((share * last as f64).round() as usize).copied().unwrap_or(0.0)
    }
}

/// An exponential time with this mean.
pub fn exponential(rng: &mut Rng, mean: f64) -> f64 {
    -mean * (1.0 - rng.f64()).ln()
}

/// A draw of the standard normal distribution (Box and Muller).
pub fn normal(rng: &mut Rng) -> f64 {
    (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (std::f64::consts::TAU * rng.f64()).cos()
}

/// Serves `requests` that come at random, `rate` in a second, by `servers` equal servers in the order in which they came.
/// `service` draws how long one takes.
pub fn serve(
    rate: f64,
    servers: usize,
    requests: usize,
    seed: u64,
    mut service: impl FnMut(&mut Rng) -> f64,
) -> Waits {
    let mut rng = Rng::with_seed(seed);
    // When each server is free, the earliest on top. Times are positive, so their bits sort as they do.
    let mut free: BinaryHeap<Reverse<u64>> = (0..servers).map(|_| Reverse(0.0_f64.to_bits())).collect();
    let mut now = 0.0;
    let mut waits = Vec::with_capacity(requests);
    for _ in 0..requests {
        now += exponential(&mut rng, 1.0 / rate);
        let Some(mut server) = free.peek_mut() else { break };
        let starts = f64::from_bits(server.0).max(now);
        server.0 = (starts + service(&mut rng)).to_bits();
        drop(server);
        waits.push(starts - now);
    }
    Waits::of(waits)
}

/// How fast a replica answers that holds so many sequences at once.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BatchPoint {
    /// Sequences that run.
    pub sequences: u32,
    /// Seconds from the start of a sequence to its first token.
    pub first_token: f64,
    /// Seconds for each further token.
    pub each_token: f64,
}

/// What callers of a fleet of batching replicas see.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Served {
    /// Seconds from a request to its first token.
    pub first_token: Waits,
    /// Seconds from a request to its last token.
    pub answer: Waits,
    /// Sequences that ran at once on a replica, on average.
    pub running: f64,
}

/// Serves requests that come at random by replicas that hold up to the last point's number of sequences, each slower the more it
/// holds. A request goes to the replica that holds the fewest; where all are full it waits for the first place.
///
/// A sequence keeps the pace that it started with, so that a run takes one step per request. `points` ascend by sequences; `lengths`
/// draws how long a prompt is, as a multiple of the one that the points' first tokens are for, and the tokens of its answer.
pub fn serve_batches(
    rate: f64,
    replicas: usize,
    points: &[BatchPoint],
    lengths: impl Fn(&mut Rng) -> (f64, f64),
    requests: usize,
    seed: u64,
) -> Served {
    let mut rng = Rng::with_seed(seed);
    let slots = points.last().map_or(1, |point| point.sequences as usize).max(1);
    let mut ends: Vec<BinaryHeap<Reverse<u64>>> = vec![BinaryHeap::new(); replicas.max(1)];
    let (mut now, mut busy) = (0.0, 0.0);
    let (mut firsts, mut answers) = (Vec::with_capacity(requests), Vec::with_capacity(requests));
    for _ in 0..requests {
        now += exponential(&mut rng, 1.0 / rate);
        for running in &mut ends {
            while running.peek().is_some_and(|end| f64::from_bits(end.0) <= now) {
                running.pop();
            }
        }
        let emptiest = ends.iter_mut().min_by_key(|running| running.len()).expect("there is a replica");
        let mut starts = now;
        while emptiest.len() >= slots {
            let Some(Reverse(end)) = emptiest.pop() else { break };
            starts = f64::from_bits(end).max(starts);
        }
        let pace = pace(points, emptiest.len() + 1);
        let (prompt, tokens) = lengths(&mut rng);
        let first = pace.first_token * prompt;
        let whole = first + pace.each_token * (tokens - 1.0).max(0.0);
        emptiest.push(Reverse((starts + whole).to_bits()));
        firsts.push(starts - now + first);
        answers.push(starts - now + whole);
        busy += whole;
    }
    let running = if now > 0.0 { busy / now / replicas.max(1) as f64 } else { 0.0 };
    Served { first_token: Waits::of(firsts), answer: Waits::of(answers), running }
}

/// Between two points the pace is interpolated; outside it is that of the nearest.
fn pace(points: &[BatchPoint], sequences: usize) -> BatchPoint {
    let wanted = u32::try_from(sequences).unwrap_or(u32::MAX);
    let above = points.iter().position(|point| point.sequences >= wanted);
    let nothing = BatchPoint { sequences: wanted, first_token: 0.0, each_token: 0.0 };
    match above {
        None => points.last().copied().unwrap_or(nothing),
        Some(0) => points[0],
        Some(index) => {
            let (low, high) = (points[index - 1], points[index]);
            let share = f64::from(wanted - low.sequences) / f64::from(high.sequences - low.sequences);
            let between = |low: f64, high: f64| low + share * (high - low);
            BatchPoint {
                sequences: wanted,
                first_token: between(low.first_token, high.first_token),
                each_token: between(low.each_token, high.each_token),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queueing::Queue;

    /// The mean over independent runs: their number makes the standard error small enough for 1 %.
    fn simulated(queue: Queue, service: impl Fn(&mut Rng) -> f64 + Copy) -> f64 {
        const RUNS: u64 = 12;
        let waits =
            (0..RUNS).map(|seed| serve(queue.rate, queue.servers as usize, 600_000, seed, service).mean);
        waits.sum::<f64>() / RUNS as f64
    }

    fn assert_within_a_hundredth(queue: Queue, service: impl Fn(&mut Rng) -> f64 + Copy) {
        let (found, expected) = (simulated(queue, service), queue.mean_wait().expect("stable"));
        assert!(
            (found / expected - 1.0).abs() < 0.01,
            "{queue:?}: simulated {found}, closed form {expected}"
        );
    }

    #[test]
    fn one_server_with_exponential_times_waits_as_erlang_says() {
        let queue = Queue { rate: 0.7, service: 1.0, variability: 1.0, servers: 1 };
        assert_within_a_hundredth(queue, |rng| exponential(rng, 1.0));
    }

    #[test]
    fn several_servers_with_exponential_times_wait_as_erlang_says() {
        for (rate, servers) in [(4.0, 5), (16.0, 20)] {
            let queue = Queue { rate, service: 1.0, variability: 1.0, servers };
            assert_within_a_hundredth(queue, |rng| exponential(rng, 1.0));
        }
    }

    #[test]
    fn one_server_with_constant_times_waits_as_pollaczek_and_khinchine_say() {
        let queue = Queue { rate: 0.7, service: 1.0, variability: 0.0, servers: 1 };
        assert_within_a_hundredth(queue, |_| 1.0);
    }

    #[test]
    fn one_server_with_mixed_times_waits_as_pollaczek_and_khinchine_say() {
        // .5 or 2.5 with 3 : 1 has the mean 1 and the variance .75.
        let queue = Queue { rate: 0.6, service: 1.0, variability: 0.75, servers: 1 };
        assert_within_a_hundredth(queue, |rng| if rng.f64() < 0.75 { 0.5 } else { 2.5 });
    }

    #[test]
    fn as_many_run_as_come_times_how_long_they_take() {
        let points = [
            BatchPoint { sequences: 1, first_token: 0.1, each_token: 0.01 },
            BatchPoint { sequences: 64, first_token: 0.4, each_token: 0.03 },
        ];
        let served = serve_batches(8.0, 2, &points, |_| (1.0, 200.0), 40_000, 3);
        // Little's law over the whole run; few enough run for nobody to wait.
        let expected = 8.0 * served.answer.mean / 2.0;
        assert!((served.running / expected - 1.0).abs() < 0.02, "{} {expected}", served.running);
        assert!(served.first_token.at(0.95) < 0.4);
    }

    #[test]
    fn full_replicas_make_requests_wait_for_their_first_token() {
        let points = [BatchPoint { sequences: 4, first_token: 0.1, each_token: 0.01 }];
        let calm = serve_batches(1.0, 1, &points, |_| (1.0, 100.0), 20_000, 3);
        let full = serve_batches(3.5, 1, &points, |_| (1.0, 100.0), 20_000, 3);
        assert!(full.first_token.at(0.95) > 2.0 * calm.first_token.at(0.95));
    }
}
