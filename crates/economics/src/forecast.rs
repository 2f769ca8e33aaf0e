//! Costs month by month under growth, with steps that make requests cheaper (card 12.3), and when one's own fleet has paid for itself.

use serde::Serialize;

/// How fast the load grows, against what is expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scenario {
    /// Half the growth.
    Bear,
    /// The growth that is expected.
    Base,
    /// Twice the growth.
    Bull,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Bear, Self::Base, Self::Bull];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bear => "bear",
            Self::Base => "base",
            Self::Bull => "bull",
        }
    }

    const fn of_growth(self) -> f64 {
        match self {
            Self::Bear => 0.5,
            Self::Base => 1.0,
            Self::Bull => 2.0,
        }
    }
}

/// A measure that makes every request cheaper from some month on. Savings multiply: each applies to what the ones before have left.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Step {
    /// What is done.
    pub name: String,
    /// The month from which on it works; the first is 1.
    pub month: u32,
    /// The share of the cost that it saves, 0 to 1.
    pub saving: f64,
}

/// What is known today.
#[derive(Clone, PartialEq, Debug)]
pub struct Today {
    /// What providers would charge in a month.
    pub api: f64,
    /// What one's own GPUs would cost in a month, and how many there are; none where no fleet is planned.
    pub own: Option<Own>,
    /// Growth of the load from month to month: .05 for 5 %.
    pub growth: f64,
    /// How much providers' prices fall in a year: .3 for 30 %.
    pub price_decline: f64,
}

/// One's own fleet today.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Own {
    /// What a replica costs in a month.
    pub replica: f64,
    /// Replicas that the load of today would need, before rounding up.
    pub replicas: f64,
    /// The fewest replicas that there must be.
    pub least: f64,
    /// What does not grow with the load, in a month.
    pub fixed: f64,
    /// What it takes until it serves, once.
    pub setup: f64,
}

impl Own {
    /// What it costs in a month when there is so many times today's load.
    pub fn at(&self, load: f64) -> f64 {
        self.fixed + self.replica * (self.replicas * load * (1.0 - 1e-12)).ceil().max(self.least)
    }
}

/// A month of a forecast.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Month {
    /// Months from now; the first is 1.
    pub month: u32,
    /// The load over today's.
    pub load: f64,
    /// What providers charge without any step.
    pub api: f64,
    /// What providers charge with the steps that work by then.
    pub api_with_steps: f64,
    /// What one's own fleet costs; none where none is planned.
    pub own: Option<f64>,
}

/// A scenario's months.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Forecast {
    /// The scenario.
    pub scenario: Scenario,
    /// Month by month.
    pub months: Vec<Month>,
    /// The first month in which providers with all steps cost more than the budget; none where that does not come.
    pub over_budget: Option<u32>,
    /// The first month by whose end one's own fleet, with its set-up, has cost less than providers with all steps since the beginning.
    pub paid_back: Option<u32>,
}

/// Looks ahead.
pub fn forecast(
    today: &Today,
    scenario: Scenario,
    steps: &[Step],
    months: u32,
    budget: Option<f64>,
) -> Forecast {
    let growth = 1.0 + today.growth * scenario.of_growth();
    let months: Vec<Month> = (1..=months)
        .map(|month| {
            let load = growth.powi(i32::try_from(month - 1).unwrap_or(i32::MAX));
            let price = (1.0 - today.price_decline).powf(f64::from(month - 1) / 12.0);
            let api = today.api * load * price;
            let left: f64 =
                steps.iter().filter(|step| step.month <= month).map(|step| 1.0 - step.saving).product();
            Month { month, load, api, api_with_steps: api * left, own: today.own.map(|own| own.at(load)) }
        })
        .collect();
    let over_budget = budget
        .and_then(|budget| months.iter().find(|month| month.api_with_steps > budget))
        .map(|month| month.month);
    Forecast { scenario, over_budget, paid_back: paid_back(today, &months), months }
}

fn paid_back(today: &Today, months: &[Month]) -> Option<u32> {
    let mut ahead = -today.own?.setup;
    for month in months {
        ahead += month.api_with_steps - month.own?;
        if ahead >= 0.0 {
            return Some(month.month);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn step(month: u32, saving: f64) -> Step {
        Step { name: "step".to_owned(), month, saving }
    }

    fn today(growth: f64) -> Today {
        let own = Own { replica: 2_000.0, replicas: 1.5, least: 2.0, fixed: 3_000.0, setup: 10_000.0 };
        Today { api: 10_000.0, own: Some(own), growth, price_decline: 0.0 }
    }

    /// Card 12.4 adds savings of 30 % and 50 %; what is left is .7 · .5 of it, a saving of 65 % and not of 80 %.
    #[test]
    fn savings_multiply() {
        let found = forecast(&today(0.0), Scenario::Base, &[step(1, 0.3), step(2, 0.5)], 2, None);
        let costs: Vec<f64> = found.months.iter().map(|month| month.api_with_steps.round()).collect();
        assert_eq!(costs, [7_000.0, 3_500.0]);
    }

    #[test]
    fn a_fleet_is_paid_back_when_what_it_saved_is_what_its_setup_took() {
        // 3,000 + 2 · 2,000 a month against 10,000: 3,000 a month pay 10,000 in the fourth.
        assert_eq!(forecast(&today(0.0), Scenario::Base, &[], 24, None).paid_back, Some(4));
        assert_eq!(forecast(&today(0.0), Scenario::Base, &[], 3, None).paid_back, None);
        assert_eq!(forecast(&today(0.0), Scenario::Base, &[step(1, 0.4)], 24, None).paid_back, None);
    }

    #[test]
    fn the_month_in_which_the_budget_is_gone_is_earlier_in_a_bull_market() {
        let month = |scenario| forecast(&today(0.1), scenario, &[], 24, Some(20_000.0)).over_budget;
        // 1.1 ^ 8 is 2.14: the ninth month. At 20 % the fifth: 1.2 ^ 4 is 2.07.
        assert_eq!((month(Scenario::Base), month(Scenario::Bull)), (Some(9), Some(5)));
        assert!(month(Scenario::Bear) > month(Scenario::Base));
    }

    proptest! {
        #[test]
        fn payback_is_the_first_month_and_no_earlier(
            api in 1e3..1e5_f64, growth in 0.0..0.2_f64, replicas in 0.1..5.0_f64, fixed in 0.0..3e4_f64, setup in 0.0..1e5_f64,
        ) {
            let own = Own { replica: 2_000.0, replicas, least: 1.0, fixed, setup };
            let today = Today { api, own: Some(own), growth, price_decline: 0.2 };
            let found = forecast(&today, Scenario::Base, &[step(3, 0.2)], 36, None);
            let ahead = |upto: u32| {
                let months = found.months.iter().filter(|month| month.month <= upto);
                months.map(|month| month.api_with_steps - month.own.unwrap_or(0.0)).sum::<f64>() - setup
            };
            match found.paid_back {
                Some(month) => prop_assert!(ahead(month) >= -1e-6 && (1..month).all(|before| ahead(before) < 0.0)),
                None => prop_assert!((1..=36).all(|month| ahead(month) < 0.0)),
            }
        }
    }
}
