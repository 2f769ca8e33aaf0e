//! What the gateway costs: the upstream called directly, and through Mainstay with key check, ledger and metrics.

use clap::Args;
use serde::Serialize;

use crate::Common;
use crate::load::{Answers, LoadArgs, Seen};
use crate::observe::{Memory, Percentiles, cpu_seconds, median, memory, pause};
use crate::product::{PROVIDER, Product, Site, Upstream, binary, make_load};
use crate::report::{Table, figure};
use crate::upstream::BURST_MODEL;

/// How to measure.
#[derive(Args)]
pub(crate) struct GatewayArgs {
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
    /// Closed loop, by number of connections.
    loads: Vec<Comparison>,
    /// One connection that sends ten requests a second.
    paced: Comparison,
    ready_seconds: f64,
    memory_idle: Memory,
    memory_under_load: Memory,
    binary_mb: f64,
}

/// The same load on both sides, medians of the rounds.
#[derive(Serialize)]
pub(crate) struct Comparison {
    pub(crate) connections: usize,
    pub(crate) direct_per_second: f64,
    pub(crate) through_per_second: f64,
    pub(crate) cpu_seconds_per_1000: f64,
    pub(crate) direct: Times,
    pub(crate) through: Times,
    pub(crate) added: Times,
}

/// Percentiles of what takes time, in milliseconds.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Times {
    pub(crate) latency: Percentiles,
    pub(crate) first_event: Percentiles,
    pub(crate) first_content: Percentiles,
    pub(crate) token_delay: Percentiles,
    pub(crate) gap_change: Percentiles,
}

impl Comparison {
    /// Requests or streams per second through Mainstay, as a share of direct.
    pub(crate) fn share(&self) -> f64 {
        self.through_per_second / self.direct_per_second
    }
}

/// Two sides to compare.
pub(crate) struct Sides<'a> {
    pub(crate) upstream: &'a Upstream,
    pub(crate) product: &'a Product,
    pub(crate) key: &'a str,
}

/// A load to put on both sides.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) model: &'static str,
    pub(crate) answers: Answers,
    pub(crate) connections: usize,
    pub(crate) seconds: f64,
    pub(crate) rounds: usize,
    /// Requests per second and connection; closed loop when absent.
    pub(crate) rate: Option<f64>,
}

impl Sides<'_> {
    /// Puts the load on both sides in turn.
    pub(crate) fn compare(&self, load: Load) -> anyhow::Result<Comparison> {
        let mut rounds = Vec::new();
        for round in 0..load.rounds {
            eprintln!("{} connections, round {} of {} …", load.connections, round + 1, load.rounds);
            let direct = self.direct(load)?;
            let before = cpu_seconds(self.product.id())?;
            let through = self.through(load)?;
            let cpu = cpu_seconds(self.product.id())? - before;
            rounds.push((direct, through, cpu));
        }
        Ok(summarise(load.connections, &rounds))
    }

    /// Load that nobody looks at: caches fill, connections open.
    pub(crate) fn warm_up(&self, load: Load) -> anyhow::Result<()> {
        let load = Load { seconds: load.seconds.min(1.0), ..load };
        self.direct(load)?;
        self.through(load).map(drop)
    }

    fn direct(&self, load: Load) -> anyhow::Result<Seen> {
        make_load(&load.on(&self.upstream.url, self.key, load.model.to_owned()))
    }

    fn through(&self, load: Load) -> anyhow::Result<Seen> {
        make_load(&load.on(&self.product.url, self.key, format!("{PROVIDER}/{}", load.model)))
    }
}

impl Load {
    fn on(self, url: &str, key: &str, model: String) -> LoadArgs {
        LoadArgs {
            url: url.to_owned(),
            key: key.to_owned(),
            model,
            connections: self.connections,
            seconds: self.seconds,
            answers: self.answers,
            rate: self.rate,
            vary: false,
        }
    }
}

fn summarise(connections: usize, rounds: &[(Seen, Seen, f64)]) -> Comparison {
    let of = |figure: &dyn Fn(&(Seen, Seen, f64)) -> f64| median(rounds.iter().map(figure));
    let per_second = |seen: &Seen| seen.requests as f64 / seen.seconds;
    let times = |side: &dyn Fn(&(Seen, Seen, f64)) -> Times| {
        let percentiles = |kind: &dyn Fn(&Times) -> Percentiles| {
            let all: Vec<_> = rounds.iter().map(|round| kind(&side(round))).collect();
            Percentiles {
                p10: median(all.iter().map(|one| one.p10)),
                p50: median(all.iter().map(|one| one.p50)),
                p99: median(all.iter().map(|one| one.p99)),
            }
        };
        Times {
            latency: percentiles(&|times| times.latency),
            first_event: percentiles(&|times| times.first_event),
            first_content: percentiles(&|times| times.first_content),
            token_delay: percentiles(&|times| times.token_delay),
            gap_change: percentiles(&|times| times.gap_change),
        }
    };
    Comparison {
        connections,
        direct_per_second: of(&|(direct, _, _)| per_second(direct)),
        through_per_second: of(&|(_, through, _)| per_second(through)),
        cpu_seconds_per_1000: of(&|(_, through, cpu)| cpu / through.requests as f64 * 1000.0),
        direct: times(&|(direct, _, _)| Times::of(direct)),
        through: times(&|(_, through, _)| Times::of(through)),
        added: times(&|(direct, through, _)| Times::of(through).minus(Times::of(direct))),
    }
}

impl Times {
    fn of(seen: &Seen) -> Self {
        Self {
            latency: seen.latency,
            first_event: seen.first_event,
            first_content: seen.first_content,
            token_delay: seen.token_delay,
            gap_change: seen.gap_change,
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            latency: self.latency.minus(other.latency),
            first_event: self.first_event.minus(other.first_event),
            first_content: self.first_content.minus(other.first_content),
            token_delay: self.token_delay.minus(other.token_delay),
            gap_change: self.gap_change.minus(other.gap_change),
        }
    }
}

/// Measures and prints.
pub(crate) fn run(args: &GatewayArgs) -> anyhow::Result<()> {
    let binary = binary(&args.common)?;
    let upstream = Upstream::start()?;
    let site = Site::new(&binary, Some(&upstream.url))?;

    let first = site.up(None)?;
    let key = first.key()?.to_owned();
    first.stop()?;
    let mut ready = Vec::new();
    for _ in 0..5 {
        let product = site.up(None)?;
        ready.push(product.ready_seconds);
        product.stop()?;
    }

    let product = site.up(None)?;
    pause(std::time::Duration::from_secs(1));
    let memory_idle = memory(product.id())?;
    let sides = Sides { upstream: &upstream, product: &product, key: &key };
    let load = |connections| Load {
        model: BURST_MODEL,
        answers: Answers::Whole,
        connections,
        seconds: args.seconds,
        rounds: args.rounds,
        rate: None,
    };
    sides.warm_up(load(16))?;
    let loads = [1, 16, 64].into_iter().map(|connections| sides.compare(load(connections)));
    let loads = loads.collect::<anyhow::Result<Vec<_>>>()?;
    let memory_under_load = memory(product.id())?;
    let paced =
        sides.compare(Load { rate: Some(10.0), seconds: args.seconds * 4.0, rounds: 1, ..load(1) })?;
    product.stop()?;

    let binary_mb = std::fs::metadata(&binary)?.len() as f64 / 1e6;
    let report =
        Report { loads, paced, ready_seconds: median(ready), memory_idle, memory_under_load, binary_mb };
    if args.common.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        report.print();
    }
    Ok(())
}

impl Report {
    fn print(&self) {
        let mut table = Table::new(&["measure", "direct", "through Mainstay", "added, or share", "target"]);
        for load in &self.loads {
            let connections = load.connections;
            table.row([
                format!("requests/s, {connections} connections"),
                figure(load.direct_per_second),
                figure(load.through_per_second),
                format!("{:.1} %", load.share() * 100.0),
                if connections == 64 { "≥ 25 %".to_owned() } else { String::new() },
            ]);
            table.row([
                format!("CPU s per 1,000 requests, {connections} connections"),
                String::new(),
                figure(load.cpu_seconds_per_1000),
                String::new(),
                "≤ 0.05".to_owned(),
            ]);
        }
        let one = &self.loads[0];
        for (name, direct, through, added, target) in [
            ("p10", one.direct.latency.p10, one.through.latency.p10, one.added.latency.p10, "≤ 0.08"),
            ("p50", one.direct.latency.p50, one.through.latency.p50, one.added.latency.p50, "≤ 0.10"),
            ("p99", one.direct.latency.p99, one.through.latency.p99, one.added.latency.p99, ""),
        ] {
            table.row([
                format!("latency ms, 1 connection, {name}"),
                figure(direct),
                figure(through),
                figure(added),
                target.to_owned(),
            ]);
        }
        let paced = &self.paced;
        for (name, direct, through, added) in [
            ("p50", paced.direct.latency.p50, paced.through.latency.p50, paced.added.latency.p50),
            ("p99", paced.direct.latency.p99, paced.through.latency.p99, paced.added.latency.p99),
        ] {
            table.row([
                format!("latency ms, 10 requests/s, {name}"),
                figure(direct),
                figure(through),
                figure(added),
                String::new(),
            ]);
        }
        for (name, value, target) in [
            ("resident MB, idle", self.memory_idle.resident_mb, "≤ 30"),
            ("resident MB, after the load", self.memory_under_load.resident_mb, ""),
            ("resident MB, most", self.memory_under_load.peak_mb, ""),
            ("time to ready, s", self.ready_seconds, "≤ 0.1"),
            ("program, MB", self.binary_mb, ""),
        ] {
            table.row([name.to_owned(), String::new(), figure(value), String::new(), target.to_owned()]);
        }
        table.print();
    }
}
