//! What makes requests cheaper, in the order in which it pays (card 12.4).

use serde::Serialize;

/// Something that can be done.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Lever {
    /// What is done.
    pub name: &'static str,
    /// The share of the cost that it applies to, 0 to 1.
    pub applies_to: f64,
    /// The share of that which it saves, 0 to 1.
    pub saves: f64,
    /// Weeks of work.
    pub weeks: f64,
    /// What it risks.
    pub risk: &'static str,
    /// The part of `mainstay.toml` that does it; empty where none does.
    pub config: &'static str,
}

/// A lever and what it saves where those before it have been pulled.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Pulled {
    /// The lever.
    pub lever: Lever,
    /// US dollars that it saves in a month.
    pub saving: f64,
    /// What is left to pay in a month.
    pub left: f64,
}

/// The usual ones, with what they save of what they apply to.
pub fn usual() -> Vec<Lever> {
    vec![
        Lever {
            name: "give answers again (exact and semantic cache)",
            applies_to: 1.0,
            saves: 0.25,
            weeks: 1.0,
            risk: "a wrong answer to a question that is only like another one; bounded by most_wrong",
            config: "cache.mode = \"semantic\"",
        },
        Lever {
            name: "cheap models first (cascade)",
            applies_to: 0.6,
            saves: 0.8,
            weeks: 3.0,
            risk: "worse answers where the gate lets them through; compared by compared_share",
            config: "cascade = [\"provider/small\", \"provider/large\"]",
        },
        Lever {
            name: "fewer tokens in the prompt (compression of passages)",
            applies_to: 0.6,
            saves: 0.4,
            weeks: 2.0,
            risk: "a sentence that mattered is left out; measured by `mainstay eval`",
            config: "retrieval.compression = true",
        },
        Lever {
            name: "what nobody waits for in batches",
            applies_to: 0.15,
            saves: 0.5,
            weeks: 1.0,
            risk: "none but time",
            config: "",
        },
    ]
}

/// Pulls the levers, the one that saves most for a week of work first. Each saves of what the ones before have left.
pub fn pull(cost: f64, levers: Vec<Lever>) -> Vec<Pulled> {
    let mut open = levers;
    open.sort_by(|a, b| return_of(b).total_cmp(&return_of(a)));
    let mut left = cost;
    let pulled = open.into_iter().map(|lever| {
        let saving = left * lever.applies_to * lever.saves;
        left -= saving;
        Pulled { lever, saving, left }
    });
    pulled.collect()
}

fn return_of(lever: &Lever) -> f64 {
    lever.applies_to * lever.saves / lever.weeks.max(0.1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_lever_that_pays_most_for_its_work_is_pulled_first() {
        let pulled = pull(10_000.0, usual());
        assert!(pulled[0].lever.name.starts_with("give answers again"));
        assert_eq!(pulled[0].saving, 2_500.0);
        assert!(pulled.windows(2).all(|pair| pair[1].left < pair[0].left));
    }

    proptest! {
        #[test]
        fn all_savings_and_what_is_left_are_the_cost(cost in 0.0..1e7_f64, shares in proptest::collection::vec((0.0..=1.0_f64, 0.0..=1.0_f64), 1..8)) {
            let levers = shares.into_iter().map(|(applies_to, saves)| Lever { applies_to, saves, ..usual()[0].clone() });
            let pulled = pull(cost, levers.collect());
            let saved: f64 = pulled.iter().map(|one| one.saving).sum();
            let left = pulled[pulled.len() - 1].left;
            prop_assert!(left >= -1e-9 * cost && (saved + left - cost).abs() <= 1e-9 * (cost + 1.0));
        }
    }
}
