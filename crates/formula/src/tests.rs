use proptest::prelude::*;

use crate::{Input, Sheet, Unit, call};

/// A small plan: users make requests, requests need machines.
fn plan() -> Sheet {
    let mut sheet = Sheet::new();
    let users = sheet.input("users", Unit::Count, "people in a day", Input::given(1000.0, "traffic.users"));
    let each = Input::assumed(6.0, "three visits of two questions").between(2.0, 12.0);
    let each = sheet.input("each", Unit::Count, "requests of a person", each);
    let day = sheet.define("day", Unit::PerDay, "requests in a day", &users * &each);
    let second = sheet.define("second", Unit::PerSecond, "requests in a second", &day / 86_400.0);
    let spare =
        sheet.input("spare", Unit::Times, "room for peaks", Input::assumed(3.0, "usual").between(2.0, 4.0));
    sheet.define("machines", Unit::Count, "machines", ((second * &spare) / 0.01).ceil());
    sheet
}

#[test]
fn a_number_is_explained_down_to_its_inputs() {
    let sheet = plan();
    assert_eq!(sheet.value("machines"), Some(21.0));
    let explanation = sheet.explain("machines").expect("it is there");
    assert_eq!(
        explanation.to_string(),
        "machines = 21  (machines)\n  \
           = round up(second × spare / 0.01)\n  \
           second = 0.06944/s  (requests in a second)\n    \
             = day / 86400\n    \
             day = 6,000 a day  (requests in a day)\n      \
               = users × each\n      \
               users = 1,000  (people in a day)\n        \
                 from: traffic.users\n      \
               each = 6  (requests of a person)\n        \
                 assumed: three visits of two questions\n  \
           spare = 3×  (room for peaks)\n    \
             assumed: usual\n"
    );
    assert!(sheet.explain("nothing").is_none());
}

#[test]
fn formulas_are_written_with_the_brackets_that_they_need() {
    let mut sheet = Sheet::new();
    let [a, b, c] =
        ["a", "b", "c"].map(|name| sheet.input(name, Unit::Count, name, Input::given(2.0, "test")));
    for (formula, text) in [
        ((&a + &b) * &c, "(a + b) × c"),
        (&a - (&b - &c), "a − (b − c)"),
        (&a / (&b * &c), "a / (b × c)"),
        (&a * &b / &c, "a × b / c"),
        (&a - &b - &c, "a − b − c"),
        (a.max(&(&b + 1.0)), "max(a, b + 1)"),
        (call("twice", [&a + &b], |v| 2.0 * v[0]), "twice(a + b)"),
    ] {
        assert_eq!(formula.to_string(), text);
    }
}

#[test]
fn what_moves_a_number_most_comes_first_and_what_does_not_move_it_does_not_come() {
    let sheet = plan();
    let swings: Vec<(String, f64, f64)> =
        sheet.tornado("second").into_iter().map(|swing| (swing.input, swing.at_low, swing.at_high)).collect();
    assert_eq!(swings, [("each".to_owned(), 2000.0 / 86_400.0, 12_000.0 / 86_400.0)]);
    let inputs: Vec<String> = sheet.tornado("machines").into_iter().map(|swing| swing.input).collect();
    assert_eq!(inputs, ["each", "spare"]);
}

#[test]
fn draws_follow_the_triangle_and_repeat_with_their_seed() {
    let sheet = plan();
    let simulation = sheet.simulate(20_000, 7);
    // The triangle over 2, 6, 12 has its median at 12 − √(10 · 6 / 2) and its mean at 20/3.
    let median = sheet.quantile(&simulation, "each", 0.5).expect("a row");
    assert!((median - (12.0 - 30.0_f64.sqrt())).abs() < 0.06, "{median}");
    let below = sheet.share_at_most(&simulation, "each", 6.0).expect("a row");
    assert!((below - 0.4).abs() < 0.015, "{below}");
    assert_eq!(sheet.quantile(&simulation, "users", 0.01), Some(1000.0), "what is certain does not move");
    let again = sheet.simulate(20_000, 7);
    assert_eq!(sheet.quantile(&simulation, "machines", 0.9), sheet.quantile(&again, "machines", 0.9));
}

#[test]
fn what_is_unlimited_in_every_draw_is_unlimited_at_every_quantile() {
    let mut sheet = Sheet::new();
    let zero = sheet.input("zero", Unit::Count, "nothing", Input::given(0.0, "test"));
    sheet.define("endless", Unit::Count, "one over nothing", crate::Expr::constant(1.0) / &zero);
    let simulation = sheet.simulate(100, 1);
    assert_eq!(sheet.quantile(&simulation, "endless", 0.05), Some(f64::INFINITY));
}

#[test]
fn rounding_up_forgives_the_last_bits() {
    let mut sheet = Sheet::new();
    let third = sheet.input("third", Unit::Count, "a third", Input::given(0.1 + 0.2, "test"));
    sheet.define("ten", Unit::Count, "ten thirds", (&third * 10.0).ceil());
    assert_eq!(sheet.value("ten"), Some(3.0));
}

proptest! {
    /// Every draw of an input stays in its range, wherever its top lies.
    #[test]
    fn draws_stay_in_their_range(low in -1e6..1e6_f64, width in 0.0..1e6_f64, top in 0.0..=1.0_f64, seed: u64) {
        let value = low + width * top;
        let mut sheet = Sheet::new();
        sheet.input("x", Unit::Count, "x", Input::assumed(value, "test").between(low, low + width));
        let simulation = sheet.simulate(50, seed);
        let slack = 1e-9 * (low.abs() + width + 1.0);
        for q in [0.0, 1.0] {
            let drawn = sheet.quantile(&simulation, "x", q).expect("a row");
            prop_assert!(drawn >= low - slack && drawn <= low + width + slack);
        }
    }
}
