//! What a ledger says about the months to come: the trend of each feature's and team's daily cost.

use serde::Serialize;

/// Where a daily cost goes.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Trend {
    /// US dollars a day, now.
    pub level: f64,
    /// How much more it is every day, in US dollars.
    pub slope: f64,
    /// Half of what nine of ten days lie around the line.
    pub spread: f64,
}

/// Why nothing can be said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{days} days are too few for a trend: two whole weeks are needed")]
pub struct TooFewDays {
    /// How many there are.
    pub days: usize,
}

/// Days that a trend needs: two weeks, so that weekends do not pass for one.
pub const LEAST_DAYS: usize = 14;

impl Trend {
    /// The trend of costs by day, the oldest first: Theil and Sen's median of slopes over whole weeks' distances, which weekends and single
    /// odd days do not move.
    pub fn of(daily: &[f64]) -> Result<Self, TooFewDays> {
        if daily.len() < LEAST_DAYS {
            return Err(TooFewDays { days: daily.len() });
        }
        let slopes = (0..daily.len()).flat_map(|from| {
            let weeks = (from + 7..daily.len()).step_by(7);
            weeks.map(move |to| (daily[to] - daily[from]) / (to - from) as f64)
        });
        let slope = median(slopes.collect());
        let last = (daily.len() - 1) as f64;
        // The level of a whole week, so that the day of the week does not matter.
        let residuals: Vec<f64> =
            daily.iter().enumerate().map(|(day, cost)| cost - slope * (day as f64 - last)).collect();
        let recent = &residuals[residuals.len() - 14..];
        let level = recent.iter().sum::<f64>() / recent.len() as f64;
        let mut off: Vec<f64> = residuals.iter().map(|cost| (cost - level).abs()).collect();
        off.sort_by(f64::total_cmp);
        Ok(Self { level, slope, spread: off[(off.len() - 1) * 9 / 10] })
    }

    /// What a month of 30 days costs that begins in so many days: expected, least and most. Days of a week are not independent of each
    /// other, so the spread of a day is not averaged away.
    pub fn month(&self, in_days: f64) -> (f64, f64, f64) {
        let middle = (self.level + self.slope * (in_days + 15.0)).max(0.0);
        (middle * 30.0, (middle - self.spread).max(0.0) * 30.0, (middle + self.spread) * 30.0)
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten dollars a day and half of it at weekends, growing by a tenth a day.
    fn weeks(days: usize) -> Vec<f64> {
        let day = |day: usize| (10.0 + 0.1 * day as f64) * if day % 7 >= 5 { 0.5 } else { 1.0 };
        (0..days).map(day).collect()
    }

    #[test]
    fn weekends_are_no_trend() {
        let level: Vec<f64> = (0..28).map(|day| if day % 7 >= 5 { 5.0 } else { 10.0 }).collect();
        let trend = Trend::of(&level).expect("four weeks");
        assert_eq!(trend.slope, 0.0);
        assert!((trend.level - 60.0 / 7.0).abs() < 1e-9);
    }

    #[test]
    fn growth_is_found_and_one_odd_day_does_not_move_it() {
        let calm = Trend::of(&weeks(56)).expect("eight weeks");
        assert!((calm.slope - 0.1).abs() < 0.02, "{calm:?}");
        let mut odd = weeks(56);
        odd[30] = 900.0;
        assert!((Trend::of(&odd).expect("eight weeks").slope - calm.slope).abs() < 0.01);
        let (expected, least, most) = calm.month(0.0);
        assert!(least < expected && expected < most);
    }

    #[test]
    fn a_few_days_are_no_trend() {
        assert_eq!(Trend::of(&[1.0; 13]), Err(TooFewDays { days: 13 }));
    }
}
