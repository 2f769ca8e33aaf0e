//! `cargo xtask failures`: what becomes of every fault, measured with the real binary between a caller and the provider
//! simulator, and written into `docs/failures.md`.
//!
//! It fails where a caller was told that an answer is finished which is not whole, where a request hung, and where something
//! was billed twice.

mod call;
mod deployment;
mod document;
mod verdict;

use std::thread;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use serde::Deserialize;

use crate::failures::call::{Question, ask};
use crate::failures::deployment::{Api, Booked, Deployment, Way};
use crate::failures::verdict::{Outcome, Price};
use crate::process::{Steps, now, run as run_program};
use crate::workspace::Workspace;

/// What is measured.
#[derive(Args)]
pub(crate) struct FailuresArgs {
    /// Only faults whose name contains this; the document stays as it is.
    filter: Option<String>,
}

/// A fault as the simulator describes it.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
struct Fault {
    example: String,
    what: String,
    applies: String,
}

impl Fault {
    /// Whether requests to conversations have it.
    fn is_of_conversations(&self) -> bool {
        !matches!(self.applies.as_str(), "embeddings" | "reranking")
    }

    /// Whether it changes answers that are, or are not, streamed.
    fn applies(&self, streamed: bool) -> bool {
        streamed || self.applies != "streams"
    }

    fn question(&self) -> Question {
        if self.applies == "tool_calls" { Question::Tool } else { Question::Text }
    }
}

/// What became of a fault, by way; empty where the fault has no such form.
struct Row {
    fault: Fault,
    whole: Vec<Outcome>,
    streamed: Vec<Outcome>,
}

impl Row {
    fn outcomes(&self, streamed: bool) -> &[Outcome] {
        if streamed { &self.streamed } else { &self.whole }
    }
}

/// What became of every fault of providers that speak one API.
struct Table {
    api: Api,
    rows: Vec<Row>,
}

/// Measures and writes the document.
pub(crate) fn run(workspace: &Workspace, args: &FailuresArgs) -> anyhow::Result<()> {
    let mut steps = Steps::default();
    // The same selection as `cargo xtask test`: another one would compile dependencies a second time.
    let build = ["build", "--workspace", "--lib", "--bins", "--tests"];
    if !steps.run("build", || run_program(workspace.cargo().args(build))) {
        return steps.finish();
    }
    let mut tables = Vec::new();
    for api in Api::ALL {
        steps.run(&format!("measure: {}", api.name()), || {
            tables.push(Table { api, rows: measure(workspace, api, args.filter.as_deref())? });
            Ok(())
        });
    }
    if args.filter.is_none() && tables.len() == Api::ALL.len() {
        steps.run("write docs/failures.md", || {
            let path = workspace.root.join("docs/failures.md");
            std::fs::write(&path, document::of(&tables))
                .with_context(|| format!("cannot write {}", path.display()))
        });
    }
    steps.run("no false success, no hang, nothing billed twice", || no_problems(&tables));
    steps.finish()
}

fn measure(workspace: &Workspace, api: Api, filter: Option<&str>) -> anyhow::Result<Vec<Row>> {
    let ways = thread::scope(|scope| {
        let ways = Way::ALL.map(|way| scope.spawn(move || measure_way(workspace, api, way, filter)));
        ways.map(|thread| thread.join().map_err(|_| anyhow!("a measurement panicked"))?)
            .into_iter()
            .collect::<anyhow::Result<Vec<_>>>()
    })?;
    let mut rows: Vec<Row> = Vec::new();
    for (at, (fault, pair)) in ways.into_iter().flat_map(|way| way.into_iter().enumerate()) {
        if rows.len() <= at {
            rows.push(Row { fault, whole: Vec::new(), streamed: Vec::new() });
        }
        rows[at].whole.extend(pair.whole);
        rows[at].streamed.extend(pair.streamed);
    }
    Ok(rows)
}

/// The outcomes of one fault in one way.
struct Pair {
    whole: Option<Outcome>,
    streamed: Option<Outcome>,
}

fn measure_way(
    workspace: &Workspace,
    api: Api,
    way: Way,
    filter: Option<&str>,
) -> anyhow::Result<Vec<(Fault, Pair)>> {
    let deployment = Deployment::start(workspace, api, way)?;
    let faults: Vec<Fault> = deployment
        .faults()?
        .into_iter()
        .filter(Fault::is_of_conversations)
        .filter(|fault| filter.is_none_or(|filter| fault.example.contains(filter)))
        .collect();
    // What an answer without a fault costs.
    let mut models = deployment.models();
    let mut price = |question| -> anyhow::Result<u64> {
        let (outcome, booked) = measure_one(&deployment, &mut models, "none", question, false, None)?;
        if !outcome.told.is_whole() || booked.cost == 0 {
            bail!("{way:?}: without a fault there is {:?}, billed {}", outcome.told, booked.cost);
        }
        Ok(booked.cost)
    };
    let (of_text, of_tool) = (price(Question::Text)?, price(Question::Tool)?);
    let mut pairs = Vec::with_capacity(faults.len());
    for fault in faults {
        let question = fault.question();
        let price = if question == Question::Tool { of_tool } else { of_text };
        let mut one = |streamed| -> anyhow::Result<Option<Outcome>> {
            if !fault.applies(streamed) || Way::of(streamed).all(|of| of != way) {
                return Ok(None);
            }
            let name = &fault.example;
            let (outcome, _) = measure_one(&deployment, &mut models, name, question, streamed, Some(price))
                .with_context(|| format!("{way:?}: {name}"))?;
            let form = if streamed { "stream" } else { "whole" };
            let took = outcome.took.as_secs_f64();
            println!(
                "{:<9} {:<9} {name:<20} {form:<7} {took:>5.1} s  {}",
                api.name(),
                way.name(),
                outcome.in_words()
            );
            Ok(Some(outcome))
        };
        let pair = Pair { whole: one(false)?, streamed: one(true)? };
        pairs.push((fault, pair));
    }
    deployment.stop()?;
    Ok(pairs)
}

/// The fault after which Mainstay estimates what an answer cost.
const NO_COUNTS: &str = "missing-usage";
/// What an answer may be billed, in answers without a fault. Booked twice an estimate would be beyond it.
const ESTIMATED: f64 = 1.9;
const COUNTED: f64 = 1.05;

/// Asks once. Each request has a model of its own: what Mainstay learns of one (its breaker, its rate limit) would change
/// what becomes of the next.
fn measure_one(
    deployment: &Deployment,
    models: &mut impl Iterator<Item = String>,
    fault: &str,
    question: Question,
    streamed: bool,
    price: Option<u64>,
) -> anyhow::Result<(Outcome, Booked)> {
    let model = models.next().context("there are more requests than models in the configuration")?;
    if deployment.way() == Way::Hedge {
        deployment.learn(&model)?;
    }
    deployment.set_fault(fault)?;
    let before = deployment.booked()?;
    let began = now();
    let told = ask(deployment.address(), deployment.api_key(), &model, question, streamed);
    let took = began.elapsed();
    let booked = deployment.booked_since(&before)?;
    let calls = deployment.calls()?;
    let answer_limit = if fault == NO_COUNTS { ESTIMATED } else { COUNTED };
    let price = price.map(|of_one| Price { of_one, answer_limit });
    Ok((Outcome::judge(told, took, calls, booked, price), booked))
}

fn no_problems(tables: &[Table]) -> anyhow::Result<()> {
    let mut problems = Vec::new();
    for (api, row) in tables.iter().flat_map(|table| table.rows.iter().map(|row| (table.api.name(), row))) {
        for streamed in [false, true] {
            let form = if streamed { "stream" } else { "whole" };
            for (way, outcome) in Way::of(streamed).zip(row.outcomes(streamed)) {
                let (fault, way) = (&row.fault.example, way.name());
                let found = outcome.problems.iter();
                problems.extend(found.map(|problem| format!("{api}, {fault}, {form}, {way}: {problem}")));
            }
        }
    }
    match problems.len() {
        0 => Ok(()),
        _ => bail!("{}", problems.join("\n")),
    }
}
