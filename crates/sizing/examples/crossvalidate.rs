//! Prints the error of the model of service times on held-out rows, per way of holding out and per stratum.
//!
//! `cargo run --release -p mainstay-sizing --example crossvalidate -- measurements.csv`

#![expect(clippy::print_stdout, reason = "a program that prints a table")]

use std::collections::BTreeMap;

use mainstay_sizing::{
    Basis, Catalogue, HeldOut, Holdout, MeasuredRow, Serving, cross_validate, plan_memory, read_rows,
};

#[expect(clippy::disallowed_methods, reason = "an example takes its file as an argument")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("give the path of the measurements")?;
    let text = std::fs::read_to_string(path)?;
    let rows: Vec<MeasuredRow<'_>> = read_rows(&text, Catalogue::built_in())?.into_iter().flatten().collect();
    println!("| held out | rows | n | TPOT | (median) | roofline | TTFT | (median) | roofline |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for holdout in Holdout::ALL {
        let mut strata: BTreeMap<String, Vec<(&MeasuredRow<'_>, HeldOut)>> = BTreeMap::new();
        for held in cross_validate(&rows, holdout) {
            let row = &rows[held.row];
            for name in strata_of(row, &held) {
                strata.entry(name).or_default().push((row, held));
            }
        }
        for (name, members) in strata {
            print_line(holdout, &name, &members);
        }
    }
    Ok(())
}

fn strata_of(row: &MeasuredRow<'_>, held: &HeldOut) -> Vec<String> {
    let deployment = &row.deployment;
    let aggregated = matches!(deployment.serving, Serving::Aggregated(_));
    let mode = if aggregated { "agg" } else { "disagg" };
    let mut names = vec!["all".to_owned(), mode.to_owned()];
    if aggregated {
        names.push(format!("agg {}", deployment.engine.name()));
        names.push(format!("agg {}", deployment.gpu.name));
        names.push(format!("agg {}", deployment.precision.name()));
        names.push(format!("agg {}", deployment.model.name));
        let parallelism = deployment.serving.decode();
        let room = plan_memory(
            deployment.model,
            deployment.gpu,
            deployment.precision,
            &parallelism,
            row.load.mean_context(),
        );
        let free = room.is_ok_and(|plan| f64::from(row.load.concurrency) <= 0.6 * f64::from(plan.sequences));
        if free {
            names.push("agg free".to_owned());
        }
        if deployment.model.experts.is_none() {
            names.push("agg dense".to_owned());
            if free {
                names.push("agg dense free".to_owned());
            }
        }
        if held.basis == Basis::Extrapolated {
            names.push("agg extrapolated".to_owned());
        }
    }
    names
}

fn print_line(holdout: Holdout, name: &str, members: &[(&MeasuredRow<'_>, HeldOut)]) {
    let errors = |which: usize, tpot: bool| {
        let mut errors: Vec<f64> = members
            .iter()
            .map(|(row, held)| {
                let (measured, estimated) = if tpot {
                    (row.tpot_ms, held.tpot_ms[which])
                } else {
                    (row.ttft_ms, held.ttft_ms[which])
                };
                measured.map_or(0.0, |measured| (estimated / measured - 1.0).abs() * 100.0)
            })
            .collect();
        errors.sort_by(f64::total_cmp);
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        (mean, errors[errors.len() / 2])
    };
    let (tpot, tpot_plain) = (errors(0, true), errors(1, true));
    let (ttft, ttft_plain) = (errors(0, false), errors(1, false));
    println!(
        "| {} | {name} | {} | {:.1} % | {:.1} % | {:.1} % | {:.1} % | {:.1} % | {:.1} % |",
        holdout.name(),
        members.len(),
        tpot.0,
        tpot.1,
        tpot_plain.0,
        ttft.0,
        ttft.1,
        ttft_plain.0
    );
}
