//! Where one cost overtakes another when fleets grow by whole machines.

/// The least load from which on, up to `most`, the second cost is not above the first, found by search; none where that is never the
/// case. Both may be step functions; a stretch shorter than a four-thousandth of `most` in which the second is above is not seen.
pub fn break_even(first: impl Fn(f64) -> f64, second: impl Fn(f64) -> f64, most: f64) -> Option<f64> {
    const STEPS: u32 = 4_000;
    let at = |step: u32| most * f64::from(step) / f64::from(STEPS);
    let wins = |load: f64| second(load) <= first(load);
    // From the top down: a step of the second may put it above the first once more.
    let last_loss = (1..=STEPS).rev().find(|step| !wins(at(*step)));
    let Some(loss) = last_loss else { return Some(at(1)) };
    if loss == STEPS {
        return None;
    }
    let (mut low, mut high) = (at(loss), at(loss + 1));
    while high - low > most * 1e-7 {
        let middle = f64::midpoint(low, high);
        if wins(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_and_steps_meet_where_they_are_calculated_to() {
        // 5 a unit against 100 and 60 for every ten: 100 + 60·ceil(x / 10) ≤ 5x. At 100 units it is 700 against 500; with
        // steps of 60 for ten units the machines alone cost 6 a unit: never.
        let api = |x: f64| 5.0 * x;
        assert_eq!(break_even(api, |x| 100.0 + 60.0 * (x / 10.0).ceil(), 1e4), None);
        // 3 a unit: 100 + 30·ceil(x / 10) ≤ 5x for good from 62 units on: at 60 it is 280 against 300, at 61, with a
        // seventh machine, 310 against 305.
        let found = break_even(api, |x| 100.0 + 30.0 * (x / 10.0).ceil(), 400.0).expect("they meet");
        assert!((found - 62.0).abs() < 0.01, "{found}");
    }

    #[test]
    fn what_always_wins_wins_from_the_beginning() {
        assert!(break_even(|x| x, |_| 0.0, 100.0).expect("at once") < 0.1);
    }
}
