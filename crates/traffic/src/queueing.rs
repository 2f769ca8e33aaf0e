//! Waiting lines with Poisson arrivals, in closed form.
//!
//! Sources: A. K. Erlang's B and C formulas, the latter from the former, which is stable for thousands of servers;
//! the Pollaczek–Khinchine formula for one server; Allen and Cunneen's approximation for several with any service times.

/// A queue that never empties: more work comes than can be done.
#[derive(Clone, Copy, PartialEq, Debug, thiserror::Error)]
#[error("{load:.2} servers' worth of work comes and there are {servers}: the queue grows without end")]
pub struct Unstable {
    /// Servers that would be busy all the time.
    pub load: f64,
    /// Servers that there are.
    pub servers: u32,
}

/// Requests that come at random and are served one by one by equal servers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Queue {
    /// Requests in a second.
    pub rate: f64,
    /// Seconds that a request takes on average.
    pub service: f64,
    /// Variance of the service time over its mean squared: 0 for a constant, 1 for exponential times.
    pub variability: f64,
    /// Servers.
    pub servers: u32,
}

impl Queue {
    /// Servers that are busy on average.
    pub fn load(&self) -> f64 {
        self.rate * self.service
    }

    /// The share of the servers that is busy.
    pub fn utilisation(&self) -> f64 {
        self.load() / f64::from(self.servers)
    }

    fn stable(&self) -> Result<(), Unstable> {
        let load = self.load();
        if load < f64::from(self.servers) { Ok(()) } else { Err(Unstable { load, servers: self.servers }) }
    }

    /// The share of requests that wait at all (Erlang C).
    pub fn waiting_share(&self) -> Result<f64, Unstable> {
        self.stable()?;
        let blocked = erlang_b(self.load(), self.servers);
        Ok(blocked / (1.0 - self.utilisation() * (1.0 - blocked)))
    }

    /// Seconds that a request waits on average: exact for one server and for exponential times, else Allen and Cunneen's.
    pub fn mean_wait(&self) -> Result<f64, Unstable> {
        let exponential = self.waiting_share()? * self.service / (f64::from(self.servers) - self.load());
        Ok(exponential * f64::midpoint(1.0, self.variability))
    }

    /// The share of requests that wait longer than this, in seconds. The tail is taken as exponential, which is exact for exponential
    /// service times, with the mean of [`Queue::mean_wait`].
    pub fn share_waiting_longer(&self, seconds: f64) -> Result<f64, Unstable> {
        let waiting = self.waiting_share()?;
        let mean = self.mean_wait()?;
        if mean <= 0.0 {
            return Ok(0.0);
        }
        Ok(waiting * (-seconds * waiting / mean).exp())
    }

    /// The wait that this share of requests does not exceed, in seconds.
    pub fn wait_at(&self, share: f64) -> Result<f64, Unstable> {
        let waiting = self.waiting_share()?;
        let over = 1.0 - share;
        if waiting <= over {
            return Ok(0.0);
        }
        Ok((waiting / over).ln() * self.mean_wait()? / waiting)
    }

    /// The fewest servers with which this share of requests waits no longer than that; the most that a number can say for a load that
    /// is beyond all servers, or no number.
    pub fn servers_for(self, share: f64, seconds: f64) -> u32 {
        let load = self.load();
        if load.is_nan() || load >= f64::from(u32::MAX / 4) {
            return u32::MAX;
        }
        let enough = |servers: u32| Self { servers, ..self }.wait_at(share).is_ok_and(|wait| wait <= seconds);
        // More servers never make anybody wait longer, so the answer can be found by halving.
        let mut low = (self.load().floor() as u32).max(1);
        let mut high = low.saturating_mul(2).max(2);
        while !enough(high) {
            low = high;
            high = high.saturating_mul(2);
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if enough(middle) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        high
    }
}

/// The share of requests that finds every server busy where nobody waits (Erlang B), by the series of its inverse:
/// 1/B = Σₖ n·(n−1)…(n−k+1) / aᵏ. All terms are positive, and few of them matter, however many servers there are.
pub fn erlang_b(load: f64, servers: u32) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for free in (1..=servers).rev() {
        term *= f64::from(free) / load;
        sum += term;
        // What follows falls faster than a geometric series, or the share is nothing that could be seen.
        if sum > NOBODY_IS_BLOCKED || term < sum * f64::EPSILON {
            break;
        }
    }
    1.0 / sum
}

/// One over a share of blocked requests that is none.
const NOBODY_IS_BLOCKED: f64 = 1e30;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn queue(rate: f64, service: f64, variability: f64, servers: u32) -> Queue {
        Queue { rate, service, variability, servers }
    }

    #[test]
    fn one_server_waits_as_the_books_say() {
        // M/M/1 at .8: 4 service times. M/D/1: half of it.
        assert!((queue(0.8, 1.0, 1.0, 1).mean_wait().expect("stable") - 4.0).abs() < 1e-12);
        assert!((queue(0.8, 1.0, 0.0, 1).mean_wait().expect("stable") - 2.0).abs() < 1e-12);
    }

    #[test]
    fn erlang_s_tables_are_reproduced() {
        // Ten erlangs on fifteen trunks: B = 3.65 %; two erlangs on three agents: C = 44.4 %.
        assert!((erlang_b(10.0, 15) - 0.0365).abs() < 5e-5);
        assert!((queue(2.0, 1.0, 1.0, 3).waiting_share().expect("stable") - 0.4444).abs() < 5e-5);
    }

    #[test]
    fn more_work_than_servers_is_an_error_that_says_so() {
        let error = queue(3.0, 1.0, 1.0, 3).mean_wait().expect_err("it grows");
        assert_eq!(error, Unstable { load: 3.0, servers: 3 });
    }

    #[test]
    fn a_load_beyond_all_servers_is_answered_too() {
        for rate in [f64::INFINITY, f64::NAN, 1e30] {
            assert_eq!(queue(rate, 1.0, 1.0, 1).servers_for(0.95, 1.0), u32::MAX);
        }
    }

    #[test]
    fn thousands_of_servers_are_no_problem() {
        let busy = queue(9_900.0, 1.0, 1.0, 10_000).waiting_share().expect("stable");
        assert!(busy > 0.1 && busy < 0.4, "{busy}");
    }

    proptest! {
        #[test]
        fn the_series_is_erlang_s_recursion(load in 0.01..2_000.0_f64, servers in 1_u32..2_500) {
            let recursion = (1..=servers).fold(1.0, |blocked, n| load * blocked / (f64::from(n) + load * blocked));
            let series = erlang_b(load, servers);
            prop_assert!((series - recursion).abs() <= 1e-10 * recursion + 1e-29, "{series} {recursion}");
        }

        #[test]
        fn the_fewest_servers_are_enough_and_one_less_is_not(
            rate in 0.1..500.0_f64, service in 0.01..20.0_f64, variability in 0.0..4.0_f64,
            share in 0.5..0.999_f64, wait in 0.0..5.0_f64,
        ) {
            let needed = queue(rate, service, variability, 1).servers_for(share, wait);
            let meets = |servers| queue(rate, service, variability, servers).wait_at(share).is_ok_and(|w| w <= wait);
            prop_assert!(meets(needed));
            prop_assert!(needed == 1 || !meets(needed - 1));
        }

        #[test]
        fn the_percentile_and_its_share_are_each_other_s_inverse(
            rate in 0.1..90.0_f64, servers in 1_u32..200, share in 0.9..0.9999_f64,
        ) {
            let one = queue(rate, 1.0, 1.0, servers);
            if let Ok(wait) = one.wait_at(share) && wait > 0.0 {
                let longer = one.share_waiting_longer(wait).expect("stable");
                prop_assert!((longer - (1.0 - share)).abs() < 1e-9);
            }
        }
    }
}
