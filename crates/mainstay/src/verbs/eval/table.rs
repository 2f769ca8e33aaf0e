//! Retrieval results as a terminal shows them.

use mainstay_evals::{Comparison, Estimate, Measure};

use super::against::{Against, Change};
use super::retrieval::{Retrieval, Strata};
use crate::printable;
use crate::terminal::{self, OutputError};

pub(super) fn print(results: &[Retrieval]) -> Result<(), OutputError> {
    let names = Measure::ALL.map(Measure::name);
    let header: Vec<&str> = ["set", "questions"]
        .into_iter()
        .chain(names)
        .chain(["search p50 / p99 ms", "ingest s", "index MB"])
        .collect();
    let mut table = terminal::table(&header);
    for one in results {
        let mut row = vec![one.set.clone(), format!("{} of {}", one.questions, one.questions_in_set)];
        row.extend(one.measures.iter().map(|(_, estimate)| interval(estimate)));
        row.push(format!("{:.1} / {:.1}", one.search_ms.p50, one.search_ms.p99));
        row.push(format!("{:.1}", one.ingest_seconds));
        row.push(format!("{:.0}", one.index_bytes as f64 / 1e6));
        table.add_row(row);
    }
    terminal::say(table)?;
    terminal::say("In brackets: 95 % confidence intervals over questions. Gain is linear.")?;
    for one in results {
        print_strata(one)?;
        for gate in one.gates.iter().filter(|gate| gate.met) {
            terminal::say(format_args!("{}: {} reaches the target {}", one.set, gate.measure, gate.target))?;
        }
        if let Some(against) = &one.against {
            print_against(one, against)?;
        }
    }
    Ok(())
}

pub(in crate::verbs) fn interval(estimate: &Estimate) -> String {
    format!("{:.3} ({:.3}–{:.3})", estimate.mean, estimate.low, estimate.high)
}

fn print_strata(one: &Retrieval) -> Result<(), OutputError> {
    let parts: [(&str, &Strata); 3] =
        [("language", &one.by_language), ("type", &one.by_type), ("kind", &one.by_kind)];
    if parts.iter().all(|(_, strata)| strata.is_empty()) {
        return Ok(());
    }
    let shown = [Measure::RecallAt10, Measure::NdcgAt10, Measure::MrrAt10];
    let mut table = terminal::table(&[&one.set, "", "questions", "recall@10", "nDCG@10", "MRR@10"]);
    for (by, strata) in parts {
        for (name, stratum) in strata {
            let name = if name.is_empty() { "–".into() } else { printable::line(name) };
            let mut row = vec![format!("by {by}"), name.into_owned(), stratum.questions.to_string()];
            row.extend(shown.map(|measure| interval(stratum.measures.get(measure))));
            table.add_row(row);
        }
    }
    terminal::say(format_args!("\n{table}"))
}

fn print_against(one: &Retrieval, against: &Against) -> Result<(), OutputError> {
    let mut table = terminal::table(&[
        &one.set,
        "this",
        "other",
        "difference",
        "p",
        "p adjusted",
        "smallest detectable",
        "better / worse / equal",
    ]);
    for (measure, comparison) in against.difference.iter() {
        let Comparison { p_value, adjusted_p_value, smallest_detectable, wins, losses, ties, .. } =
            comparison;
        table.add_row([
            measure.name().to_owned(),
            format!("{:.3}", one.measures.get(measure).mean),
            format!("{:.3}", against.measures.get(measure).mean),
            difference(&comparison.difference),
            probability(*p_value),
            probability(*adjusted_p_value),
            format!("{smallest_detectable:.3}"),
            format!("{wins} / {losses} / {ties}"),
        ]);
    }
    let sides = format!(
        "this: {} with {}; other: {} with {}",
        one.config, one.embedder, against.config, against.embedder
    );
    terminal::say(format_args!("\n{table}\n{sides}"))?;
    terminal::say(
        "p: how probable so large a difference is if both are equal. Smallest detectable: a true difference of this size \
         shows in four of five such sets of questions.",
    )?;
    print_changes("Better", &against.wins)?;
    print_changes("Worse", &against.losses)
}

/// `+0.012 (-0.003 to 0.027)`
pub(super) fn difference(estimate: &Estimate) -> String {
    format!("{:+.3} ({:.3} to {:.3})", estimate.mean, estimate.low, estimate.high)
}

/// `0.012`, or `< 0.001`
pub(super) fn probability(p_value: f64) -> String {
    if p_value < 0.001 { "< 0.001".to_owned() } else { format!("{p_value:.3}") }
}

fn print_changes(heading: &str, changes: &[Change]) -> Result<(), OutputError> {
    if changes.is_empty() {
        return Ok(());
    }
    let mut table = terminal::table(&[heading, "rank", "other's rank", "nDCG@10", "question"]);
    for change in changes {
        table.add_row([
            printable::line(&change.id).into_owned(),
            rank(change.rank),
            rank(change.rank_against),
            format!("{:+.3}", change.ndcg_difference),
            printable::line(&change.text).into_owned(),
        ]);
    }
    terminal::say(format_args!("\n{table}"))
}

/// The rank of the first relevant document, or a dash where none was found.
pub(super) fn rank(rank: Option<usize>) -> String {
    rank.map_or_else(|| "–".to_owned(), |rank| rank.to_string())
}

/// A share as a bar of up to ten blocks.
pub(super) fn bar(share: f64) -> String {
    const LONGEST: f64 = 10.0;
    "█".repeat((share.clamp(0.0, 1.0) * LONGEST).round() as usize)
}
