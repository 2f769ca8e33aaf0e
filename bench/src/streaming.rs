//! What the gateway costs a stream: time to the first token, the gap between tokens, CPU, streams per second.

use clap::Args;
use serde::Serialize;

use crate::Common;
use crate::gateway::{Comparison, Load, Sides};
use crate::load::Answers;
use crate::observe::Percentiles;
use crate::product::{Site, Upstream, binary};
use crate::report::{Table, figure};
use crate::upstream::{BURST_MODEL, PACE, PACED_MODEL, TOKENS};

/// How to measure.
#[derive(Args)]
pub(crate) struct StreamingArgs {
    #[command(flatten)]
    common: Common,
    /// Seconds of load per round and side.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Rounds; direct and through Mainstay alternate, and the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// Everything that was measured.
#[derive(Serialize)]
struct Report {
    /// Streams that come at once, by number of connections.
    bursts: Vec<Comparison>,
    /// Streams that come token by token, by number of connections.
    paced: Vec<Comparison>,
}

/// Measures and prints.
pub(crate) fn run(args: &StreamingArgs) -> anyhow::Result<()> {
    let binary = binary(&args.common)?;
    let upstream = Upstream::start()?;
    let site = Site::new(&binary, Some(&upstream.url))?;
    let product = site.up(None)?;
    let sides = Sides { upstream: &upstream, product: &product, key: product.key()? };
    let burst = |connections| Load {
        model: BURST_MODEL,
        answers: Answers::Streams,
        connections,
        seconds: args.seconds,
        rounds: args.rounds,
        rate: None,
    };
    let paced = |connections| Load { model: PACED_MODEL, answers: Answers::Tokens, ..burst(connections) };
    sides.warm_up(burst(16))?;
    let all = |loads: [Load; 2]| {
        loads.into_iter().map(|load| sides.compare(load)).collect::<anyhow::Result<Vec<_>>>()
    };
    let report = Report { bursts: all([burst(1), burst(16)])?, paced: all([paced(1), paced(16)])? };
    product.stop()?;
    if args.common.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        report.print();
    }
    Ok(())
}

impl Report {
    fn print(&self) {
        println!(
            "Streams of {TOKENS} tokens; \"burst\": all at once, \"paced\": a token every {} ms.\n",
            PACE.as_millis()
        );
        let mut table = Table::new(&["measure", "direct", "through Mainstay", "added, or share", "target"]);
        for (kind, comparisons) in [("burst", &self.bursts), ("paced", &self.paced)] {
            for one in comparisons {
                let load = format!("{kind}, {} connections", one.connections);
                table.row([
                    format!("streams/s, {load}"),
                    figure(one.direct_per_second),
                    figure(one.through_per_second),
                    format!("{:.1} %", one.share() * 100.0),
                    if load == "burst, 16 connections" { "≥ 30 %".to_owned() } else { String::new() },
                ]);
                table.row([
                    format!("CPU s per 1,000 streams, {load}"),
                    String::new(),
                    figure(one.cpu_seconds_per_1000),
                    String::new(),
                    if kind == "burst" { "≤ 0.2".to_owned() } else { String::new() },
                ]);
                let mut times = |name: &str,
                                 target: &str,
                                 direct: Percentiles,
                                 through: Percentiles,
                                 added: Percentiles| {
                    for (rank, direct, through, added) in [
                        ("p50", direct.p50, through.p50, added.p50),
                        ("p99", direct.p99, through.p99, added.p99),
                    ] {
                        let target = if rank == "p50" { target.to_owned() } else { String::new() };
                        let name = format!("{name} ms, {load}, {rank}");
                        table.row([name, figure(direct), figure(through), figure(added), target]);
                    }
                };
                let (direct, through, added) = (&one.direct, &one.through, &one.added);
                if kind == "paced" {
                    times("first event", "≤ 0.3", direct.first_event, through.first_event, added.first_event);
                }
                times(
                    "first content",
                    "≤ 0.3",
                    direct.first_content,
                    through.first_content,
                    added.first_content,
                );
                if kind == "paced" {
                    times("delay of a token", "", direct.token_delay, through.token_delay, added.token_delay);
                    times("change of the gap", "", direct.gap_change, through.gap_change, added.gap_change);
                }
            }
        }
        table.print();
    }
}
