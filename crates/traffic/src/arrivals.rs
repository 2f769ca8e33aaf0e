//! How much comes when: the shape of a week.

use serde::Serialize;

/// Minutes of a week.
pub const WEEK: usize = 7 * 24 * 60;

/// How the load moves over a day and a week.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Weekdays from morning to evening, in one time zone, with a dip at noon.
    BusinessHours,
    /// Every day, most in the evening, more at the weekend.
    ConsumerEvening,
    /// People everywhere: nearly level.
    GlobalFlat,
}

/// A burst over the usual load: a launch, a campaign, an incident elsewhere.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Burst {
    /// The minute of the week in which it begins, Monday 00:00 being 0.
    pub minute: usize,
    /// Minutes until it is at its height.
    pub ramp: usize,
    /// Minutes at its height.
    pub lasts: usize,
    /// How many times the usual load comes at its height.
    pub factor: f64,
}

/// Requests in a second, minute by minute.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Rates {
    /// Requests in a second in each minute; never negative, never empty.
    pub per_minute: Vec<f64>,
}

impl Shape {
    /// How much of the day's load falls into each hour, Monday to Friday; only their proportions matter.
    const fn weekday(self) -> [f64; 24] {
        match self {
            Self::BusinessHours => [
                0.1, 0.1, 0.1, 0.1, 0.2, 0.4, 0.9, 2.2, 4.6, 6.6, 7.0, 6.4, 4.8, 5.9, 6.8, 6.6, 5.6, 3.6,
                1.8, 1.0, 0.6, 0.4, 0.2, 0.1,
            ],
            Self::ConsumerEvening => [
                1.6, 0.9, 0.5, 0.4, 0.4, 0.7, 1.5, 2.6, 3.4, 3.8, 4.1, 4.4, 4.8, 4.6, 4.4, 4.5, 4.9, 5.6,
                6.4, 7.2, 7.8, 7.2, 5.2, 3.1,
            ],
            Self::GlobalFlat => [
                3.8, 3.7, 3.6, 3.6, 3.7, 3.8, 4.0, 4.2, 4.4, 4.5, 4.5, 4.5, 4.4, 4.4, 4.5, 4.6, 4.6, 4.5,
                4.4, 4.3, 4.2, 4.1, 4.0, 3.9,
            ],
        }
    }

    /// The load of a day of the weekend over that of a weekday.
    const fn weekend(self) -> f64 {
        match self {
            Self::BusinessHours => 0.12,
            Self::ConsumerEvening => 1.15,
            Self::GlobalFlat => 0.95,
        }
    }

    /// A week whose average is this many requests in a second.
    pub fn week(self, average: f64) -> Rates {
        let hours = self.weekday();
        let at = |minute: usize| {
            // Between the middles of two hours the load moves evenly.
            let position = (minute % 1440) as f64 / 60.0 - 0.5;
            let before = position.floor();
            let share = position - before;
            let hour = |hour: f64| hours[(hour.rem_euclid(24.0)) as usize];
            let day = if minute / 1440 >= 5 { self.weekend() } else { 1.0 };
            (hour(before) * (1.0 - share) + hour(before + 1.0) * share) * day
        };
        let raw: Vec<f64> = (0..WEEK).map(at).collect();
        let mean = raw.iter().sum::<f64>() / WEEK as f64;
        Rates { per_minute: raw.into_iter().map(|rate| rate / mean * average).collect() }
    }
}

impl Rates {
    /// The mean over all minutes.
    pub fn average(&self) -> f64 {
        self.per_minute.iter().sum::<f64>() / self.per_minute.len().max(1) as f64
    }

    /// The rate of the busiest minute.
    pub fn peak(&self) -> f64 {
        self.per_minute.iter().copied().fold(0.0, f64::max)
    }

    /// The peak over the average.
    pub fn peak_factor(&self) -> f64 {
        self.peak() / self.average()
    }

    /// The rate that the busiest four hours hold on average, over the average: what is sustained.
    pub fn sustained_factor(&self) -> f64 {
        const FOUR_HOURS: usize = 240;
        let window = FOUR_HOURS.min(self.per_minute.len());
        let mut sum: f64 = self.per_minute[..window].iter().sum();
        let mut most = sum;
        for (leaving, coming) in self.per_minute.iter().zip(&self.per_minute[window..]) {
            sum += coming - leaving;
            most = most.max(sum);
        }
        most / window.max(1) as f64 / self.average()
    }

    /// With a burst on top.
    #[must_use]
    pub fn with(mut self, burst: &Burst) -> Self {
        for (offset, rate) in self.per_minute.iter_mut().skip(burst.minute).enumerate() {
            if offset >= burst.ramp + burst.lasts {
                break;
            }
            let height =
                if offset < burst.ramp { (offset + 1) as f64 / (burst.ramp + 1) as f64 } else { 1.0 };
            *rate *= 1.0 + (burst.factor - 1.0) * height;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Shape; 3] = [Shape::BusinessHours, Shape::ConsumerEvening, Shape::GlobalFlat];

    #[test]
    fn a_week_has_its_average_and_the_peak_of_its_shape() {
        let factors = ALL.map(|shape| {
            let week = shape.week(50.0);
            assert_eq!(week.per_minute.len(), WEEK);
            assert!((week.average() - 50.0).abs() < 1e-9);
            assert!(week.sustained_factor() < week.peak_factor());
            week.peak_factor()
        });
        let [business, evening, flat] = factors;
        assert!(business > 3.0 && business < 3.8, "{business}");
        assert!(evening > 1.8 && evening < 2.4, "{evening}");
        assert!(flat < 1.2, "{flat}");
    }

    #[test]
    fn the_load_never_jumps_but_at_midnight() {
        for shape in ALL {
            let week = shape.week(1.0).per_minute;
            for (minute, pair) in week.windows(2).enumerate().filter(|(minute, _)| (minute + 1) % 1440 != 0) {
                assert!((pair[1] - pair[0]).abs() < 0.05, "{shape:?} at {minute}");
            }
        }
    }

    #[test]
    fn a_burst_lifts_its_minutes_and_no_others() {
        let burst = Burst { minute: 600, ramp: 5, lasts: 10, factor: 10.0 };
        let (calm, loud) = (Shape::GlobalFlat.week(1.0), Shape::GlobalFlat.week(1.0).with(&burst));
        let lifted: Vec<usize> =
            (0..WEEK).filter(|at| loud.per_minute[*at] != calm.per_minute[*at]).collect();
        assert_eq!((lifted[0], lifted[lifted.len() - 1], lifted.len()), (600, 614, 15));
        assert!((loud.per_minute[610] / calm.per_minute[610] - 10.0).abs() < 1e-9);
    }
}
