//! What it costs to keep promises: the same upstream through a Mainstay without any limit, and through one with all of them.

use std::path::Path;

use anyhow::Context;
use clap::Args;
use serde::Serialize;
use serde_json::json;

use crate::Common;
use crate::http::Client;
use crate::load::{Answers, LoadArgs, Seen};
use crate::observe::{Memory, cpu_seconds, median, memory};
use crate::product::{PROVIDER, Product, Site, Upstream, binary, make_load};
use crate::report::{Table, figure};
use crate::upstream::BURST_MODEL;

/// How to measure.
#[derive(Args)]
pub(crate) struct ProtectionArgs {
    #[command(flatten)]
    common: Common,
    /// Numbers of tenants whose keys take turns.
    #[arg(long, value_delimiter = ',', default_value = "1,10,1000")]
    tenants: Vec<usize>,
    /// Seconds of load per round and side.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Rounds; the sides alternate, and the median counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

/// What was measured with so many tenants and connections: medians of the rounds.
#[derive(Serialize)]
struct Measured {
    tenants: usize,
    connections: usize,
    /// Latency at the median, in milliseconds.
    direct_ms: f64,
    plain_ms: f64,
    protected_ms: f64,
    /// Between the sides of one round.
    added_ms: f64,
    /// CPU seconds of Mainstay for 1,000 requests.
    plain_cpu: f64,
    protected_cpu: f64,
    memory: Memory,
}

/// The model as callers name it on the side that keeps answers: an assistant.
const ASSISTANT: &str = "kept";

/// Everything on; nothing of it is ever reached.
fn configuration() -> String {
    let limits: String = ["per_key", "per_user", "per_address", "tiers.free.per_tenant"]
        .into_iter()
        .map(|of| {
            format!(
                "[limits.{of}]\nrequests_per_minute = 100_000_000\nburst_requests = 100_000_000\n\
                 tokens_per_minute = 1_000_000_000\nburst_tokens = 1_000_000_000\n"
            )
        })
        .collect();
    format!(
        "[reliability]\nhedge_share = \"5%\"\n{limits}[limits.tiers.enterprise]\npriority = 1\n[limits.tiers.free]\npriority = 2\n\
         [budgets.all]\nlimit = \"$100000000\"\nper = \"month\"\n\
         [budgets.key]\nlimit = \"$100000000\"\nper = \"day\"\nfor_each = \"key\"\n\
         [budgets.tenant]\nlimit = \"$100000000\"\nper = \"month\"\nfor_each = \"tenant\"\n\
         [prices.\"{PROVIDER}/{BURST_MODEL}\"]\ninput = \"$1\"\noutput = \"$2\"\n\
         [assistants.{ASSISTANT}]\nmodel = \"{PROVIDER}/{BURST_MODEL}\"\ncache.mode = \"exact\"\n"
    )
}

/// Measures and prints.
pub(crate) fn run(args: &ProtectionArgs) -> anyhow::Result<()> {
    let binary = binary(&args.common)?;
    let upstream = Upstream::start()?;
    let plain_site = Site::new(&binary, Some(&upstream.url))?;
    let plain = plain_site.up(None)?;
    let plain_key = plain.key()?.to_owned();
    let mut measured = Vec::new();
    for &tenants in &args.tenants {
        let site = Site::with(&binary, Some(&upstream.url), &configuration())?;
        let product = site.up(None)?;
        let keys = site.path().join("keys.txt");
        eprintln!("{tenants} tenants …");
        make_tenants(&product, tenants, &keys)?;
        let keys = format!("@{}", keys.display());
        for connections in [1, 16] {
            let load = |url: &str, key: &str, model: String| LoadArgs {
                url: url.to_owned(),
                key: key.to_owned(),
                vary: true,
                model,
                connections,
                seconds: args.seconds,
                answers: Answers::Whole,
                rate: None,
            };
            let sides = Sides {
                direct: load(&upstream.url, &plain_key, BURST_MODEL.to_owned()),
                plain: (load(&plain.url, &plain_key, format!("{PROVIDER}/{BURST_MODEL}")), plain.id()),
                protected: (load(&product.url, &keys, ASSISTANT.to_owned()), product.id()),
            };
            measured.push(sides.measure(tenants, args.rounds)?);
        }
        product.stop()?;
    }
    plain.stop()?;
    if args.common.json {
        println!("{}", serde_json::to_string_pretty(&measured)?);
    } else {
        print(&measured);
    }
    Ok(())
}

/// Makes tenants and writes the key of each into a file, one a line. Several at a time: each is on disk before it is
/// acknowledged.
fn make_tenants(product: &Product, tenants: usize, file: &Path) -> anyhow::Result<()> {
    const AT_ONCE: usize = 16;
    let (url, operator) = (product.url.as_str(), product.key()?);
    let keys = std::thread::scope(|scope| {
        let workers = (0..AT_ONCE.min(tenants)).map(|worker| {
            scope.spawn(move || {
                let mut client = Client::connect(url, operator)?;
                let mut keys = Vec::new();
                for number in (worker..tenants).step_by(AT_ONCE.min(tenants)) {
                    let id = format!("t{number}");
                    let made = client.post("/admin/tenants", &json!({ "id": id, "name": id }))?;
                    let key = made["api_key"].as_str().context("a tenant without a key")?;
                    keys.push(key.to_owned());
                }
                anyhow::Ok(keys)
            })
        });
        let workers: Vec<_> = workers.collect();
        let mut keys = Vec::new();
        for worker in workers {
            keys.extend(worker.join().expect("no worker panics")?);
        }
        anyhow::Ok(keys)
    })?;
    std::fs::write(file, keys.join("\n")).with_context(|| format!("cannot write {}", file.display()))
}

/// One round; through Mainstay with its CPU seconds for 1,000 requests.
struct Round {
    direct: Seen,
    plain: (Seen, f64),
    protected: (Seen, f64),
}

/// Three ways to the same upstream; of those through Mainstay, the process.
struct Sides {
    direct: LoadArgs,
    plain: (LoadArgs, u32),
    protected: (LoadArgs, u32),
}

impl Sides {
    fn measure(&self, tenants: usize, rounds: usize) -> anyhow::Result<Measured> {
        let with_cpu = |(load, process): &(LoadArgs, u32)| {
            let before = cpu_seconds(*process)?;
            let seen = make_load(load)?;
            let cpu = (cpu_seconds(*process)? - before) / seen.requests as f64 * 1_000.0;
            anyhow::Ok((seen, cpu))
        };
        // Caches fill, connections open.
        for load in [&self.direct, &self.plain.0, &self.protected.0] {
            make_load(&LoadArgs { seconds: 0.5, ..load.clone() })?;
        }
        let mut seen: Vec<Round> = Vec::new();
        for round in 0..rounds {
            eprintln!("{} connections, round {} of {rounds} …", self.direct.connections, round + 1);
            seen.push(Round {
                direct: make_load(&self.direct)?,
                plain: with_cpu(&self.plain)?,
                protected: with_cpu(&self.protected)?,
            });
        }
        let of = |figure: &dyn Fn(&Round) -> f64| median(seen.iter().map(figure));
        Ok(Measured {
            tenants,
            connections: self.direct.connections,
            direct_ms: of(&|round| round.direct.latency.p50),
            plain_ms: of(&|round| round.plain.0.latency.p50),
            protected_ms: of(&|round| round.protected.0.latency.p50),
            added_ms: of(&|round| round.protected.0.latency.p50 - round.plain.0.latency.p50),
            plain_cpu: of(&|round| round.plain.1),
            protected_cpu: of(&|round| round.protected.1),
            memory: memory(self.protected.1)?,
        })
    }
}

fn print(measured: &[Measured]) {
    let mut table = Table::new(&[
        "tenants",
        "connections",
        "direct p50 ms",
        "plain p50 ms",
        "protected p50 ms",
        "added ms (≤ 0.3)",
        "CPU s per 1,000, plain",
        "protected",
        "resident MB",
    ]);
    for one in measured {
        table.row([
            one.tenants.to_string(),
            one.connections.to_string(),
            figure(one.direct_ms),
            figure(one.plain_ms),
            figure(one.protected_ms),
            figure(one.added_ms),
            figure(one.plain_cpu),
            figure(one.protected_cpu),
            figure(one.memory.resident_mb),
        ]);
    }
    table.print();
}
