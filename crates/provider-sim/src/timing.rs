//! How fast a stand-in answers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::chance::Chance;

/// How fast tokens come. Without anything, all at once.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timing {
    /// Milliseconds until the first token; the median where they vary.
    pub ttft_ms: u64,
    /// How much that varies from request to request: the deviation of its logarithm. With 0.3 two thirds of the requests
    /// lie within a factor of 1.35 of the median.
    pub ttft_jitter: f64,
    /// Tokens per second after the first; 0 for all at once.
    pub tokens_per_second: f64,
    /// How much the speed of tokens varies from request to request, as `ttft_jitter`.
    pub per_request_jitter: f64,
}

/// What `slow-…` models are a tenth of where no speed is set: a usual model of a cloud.
const USUAL: Timing =
    Timing { ttft_ms: 300, ttft_jitter: 0.0, tokens_per_second: 60.0, per_request_jitter: 0.0 };

/// How much slower they are.
const SLOWER: f64 = 10.0;

/// The waits of one answer.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) struct Pace {
    /// Before the first token.
    pub(super) first: Duration,
    /// Before every further one.
    pub(super) each: Duration,
}

impl Timing {
    /// Whether all of it can be waited for.
    pub fn is_possible(&self) -> bool {
        let fits = |jitter: f64| (0.0..=3.0).contains(&jitter);
        let speed = self.tokens_per_second;
        fits(self.ttft_jitter)
            && fits(self.per_request_jitter)
            && (speed == 0.0 || (0.01..=1e6).contains(&speed))
            && self.ttft_ms <= 3_600_000
    }

    /// The waits of an answer of this model.
    pub(super) fn pace(&self, model: &str, chance: &mut Chance) -> Pace {
        let is_slow = model.starts_with("slow-");
        let timing = if is_slow && *self == Self::default() { USUAL } else { *self };
        let factor = if is_slow { SLOWER } else { 1.0 };
        let first = timing.ttft_ms as f64 / 1e3 * chance.log_normal(timing.ttft_jitter);
        let speed = timing.tokens_per_second * chance.log_normal(timing.per_request_jitter);
        Pace {
            first: Duration::from_secs_f64(first * factor),
            each: if speed == 0.0 { Duration::ZERO } else { Duration::from_secs_f64(factor / speed) },
        }
    }
}

impl Pace {
    /// How long a whole answer of so many tokens takes.
    pub(super) fn whole(self, tokens: usize) -> Duration {
        let further = u32::try_from(tokens.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first + self.each.saturating_mul(further)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: Timing = Timing { ttft_jitter: 0.0, per_request_jitter: 0.0, ..USUAL };

    #[test]
    fn tokens_come_at_the_speed_that_is_set_and_slowly_from_slow_models() {
        let pace = |timing: Timing, model| timing.pace(model, &mut Chance::of(1, 1));
        assert_eq!(pace(Timing::default(), "gpt-4o"), Pace::default());
        assert_eq!(pace(TIMING, "gpt-4o").first, Duration::from_millis(300));
        assert_eq!(pace(TIMING, "slow-gpt-4o").first, Duration::from_secs(3));
        assert_eq!(pace(Timing::default(), "slow-gpt-4o"), pace(TIMING, "slow-gpt-4o"));
        assert_eq!(pace(Timing { tokens_per_second: 50.0, ..TIMING }, "m").whole(51).as_millis(), 1_300);
    }

    #[test]
    fn jitter_differs_from_request_to_request() {
        let timing = Timing { ttft_jitter: 0.5, per_request_jitter: 0.2, ..TIMING };
        let pace = |number| timing.pace("m", &mut Chance::of(1, number));
        assert!(pace(1).first != pace(2).first && pace(1).each != pace(2).each);
        assert_eq!(pace(1), pace(1));
    }
}
