//! Fits on a part of the measurements, intervals included, and checks the rest end to end: errors, refusals, coverage
//! of the 90 % intervals.
//!
//! `cargo run --release -p mainstay-sizing --example blindcheck -- measurements.csv random` holds out a fifth of the
//! rows; `groups` in place of `random` holds out a fifth of the (model, GPU) pairs.

#![expect(clippy::print_stdout, reason = "a program that prints a table")]

use std::collections::{BTreeMap, BTreeSet};

use mainstay_sizing::{Basis, Catalogue, MeasuredRow, ServiceTimes, Serving, read_rows};

#[derive(Default)]
struct Tally {
    rows: u32,
    refused: u32,
    tpot: f64,
    ttft: f64,
    tpot_inside: u32,
    ttft_inside: u32,
}

#[expect(clippy::disallowed_methods, reason = "an example takes its file and its way as arguments")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("give the path of the measurements")?;
    let by_group = std::env::args().nth(2).is_some_and(|way| way == "groups");
    let text = std::fs::read_to_string(path)?;
    let rows: Vec<MeasuredRow<'_>> = read_rows(&text, Catalogue::built_in())?.into_iter().flatten().collect();
    let key = |row: &MeasuredRow<'_>| {
        let pair = format!("{} {}", row.deployment.model.name.replace("R1", "V3"), row.deployment.gpu.name);
        if by_group {
            pair
        } else {
            format!(
                "{pair} {} {:?} {:?} {:?}",
                row.deployment.engine.name(),
                row.deployment.precision,
                row.deployment.serving,
                row.load
            )
        }
    };
    let keys: BTreeSet<String> = rows.iter().map(key).collect();
    let drawn: BTreeSet<String> =
        keys.into_iter().enumerate().filter(|(place, _)| place * 7 % 5 == 2).map(|(_, key)| key).collect();
    let (held, kept): (Vec<MeasuredRow<'_>>, Vec<MeasuredRow<'_>>) =
        rows.into_iter().partition(|row| drawn.contains(&key(row)));
    let times = ServiceTimes::fit(&kept);
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for row in &held {
        let result = times.estimate(&row.deployment, &row.load);
        let mode = if matches!(row.deployment.serving, Serving::Aggregated(_)) { "agg" } else { "disagg" };
        let basis = match &result {
            Ok(time) if time.basis == Basis::Measured => "measured",
            Ok(_) => "extrapolated",
            Err(_) => "refused",
        };
        for name in ["all".to_owned(), mode.to_owned(), format!("{mode} {basis}")] {
            let tally = tallies.entry(name).or_default();
            tally.rows += 1;
            let (Ok(time), Some(ttft), Some(tpot)) = (&result, row.ttft_ms, row.tpot_ms) else {
                tally.refused += 1;
                continue;
            };
            tally.tpot += (time.tpot_ms.value / tpot - 1.0).abs();
            tally.ttft += (time.ttft_ms.value / ttft - 1.0).abs();
            tally.tpot_inside += u32::from((time.tpot_ms.low..=time.tpot_ms.high).contains(&tpot));
            tally.ttft_inside += u32::from((time.ttft_ms.low..=time.ttft_ms.high).contains(&ttft));
        }
    }
    println!(
        "| rows | n | refused | TPOT error | TTFT error | TPOT inside | TTFT inside |\n|---|---|---|---|---|---|---|"
    );
    for (name, tally) in tallies {
        let answered = f64::from((tally.rows - tally.refused).max(1)) / 100.0;
        println!(
            "| {name} | {} | {} | {:.1} % | {:.1} % | {:.1} % | {:.1} % |",
            tally.rows,
            tally.refused,
            tally.tpot / answered,
            tally.ttft / answered,
            f64::from(tally.tpot_inside) / answered,
            f64::from(tally.ttft_inside) / answered
        );
    }
    Ok(())
}
