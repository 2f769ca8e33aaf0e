//! The command line: which verbs there are, and how a failure ends.
//!
//! Exit codes: 0 done, 1 a check fell short or something failed, 2 wrong use or bad input.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::terminal;
use crate::verbs::{
    ask, audit, bench, budget, cache, content, corpus, costs, decide, erase, eval, index, ingest, init, keys,
    plan, policy, provider_sim, search, serve, spec, tenants, train, up,
};

/// The production platform under an AI product: grounded, cited answers over the OpenAI-compatible API.
#[derive(Parser)]
#[command(name = "mainstay", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    /// The configuration; without it, ./mainstay.toml where there is one, else the defaults.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Logs this and above (error, warn, info, debug), or a filter such as "mainstay=debug". RUST_LOG does the same.
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Starts the whole product on this machine: data folder, documents, API and console.
    Up(up::UpArgs),
    /// Serves the API as mainstay.toml says, and nothing else.
    Serve(serve::ServeArgs),
    /// Adds documents: files, folders, JSON Lines.
    Ingest(ingest::IngestArgs),
    /// Asks a question and streams the answer with its sources.
    Ask(ask::AskArgs),
    /// Searches the documents.
    Search(search::SearchArgs),
    /// Reports on a corpus, and shows or releases what is kept from its searches.
    #[command(subcommand, after_help = "Example: mainstay corpus report")]
    Corpus(corpus::CorpusVerb),
    /// Shows or rebuilds the search index.
    #[command(subcommand, after_help = "Example: mainstay index status")]
    Index(index::IndexVerb),
    /// Makes, lists, rotates and revokes API keys.
    #[command(subcommand, after_help = "Example: mainstay keys create --name website --role customer_user")]
    Keys(keys::KeysVerb),
    /// Creates, lists, changes, suspends and resumes tenants.
    #[command(subcommand, after_help = "Example: mainstay tenants create acme")]
    Tenants(tenants::TenantsVerb),
    /// Shows who may do what, explains a decision, checks a file, and approves what takes two people.
    #[command(subcommand, after_help = "Example: mainstay policy show")]
    Policy(policy::PolicyVerb),
    /// Verifies, exports and resolves the record of who did what.
    #[command(subcommand, after_help = "Example: mainstay audit verify")]
    Audit(audit::AuditVerb),
    /// Forgets a person, a document or a tenant everywhere, and proves it.
    Erase(Box<erase::EraseVerb>),
    /// Shows how the budgets stand.
    #[command(subcommand, after_help = "Example: mainstay budget list")]
    Budget(budget::BudgetVerb),
    /// Shows what was spent, by whom or for what, and where it goes.
    Costs(costs::CostsArgs),
    /// Shows what was said in turns that were kept, for those who look into a failure.
    Content(content::ContentArgs),
    /// Fills the cache of answers.
    #[command(subcommand, after_help = "Example: mainstay cache warm questions.txt --assistant support")]
    Cache(cache::CacheVerb),
    /// Writes a mainstay.toml.
    Init(init::InitArgs),
    /// Checks mainstay.toml: every target measurable, every error with its place.
    #[command(subcommand, after_help = "Example: mainstay spec check mainstay.toml")]
    Spec(spec::SpecVerb),
    /// Plans what the requirements come to: capacity, machines, cost; every number with its formula.
    Plan(Box<plan::PlanArgs>),
    /// Decides what the product is built on, says why, and which decisions no longer hold.
    Decide(decide::DecideArgs),
    /// Measures how good retrieval is on questions whose answers are known.
    #[command(subcommand, after_help = "Example: mainstay eval retrieval ./golden")]
    Eval(eval::EvalVerb),
    /// Trains models on the team's own labels.
    #[command(subcommand, after_help = "Example: mainstay train intent labels.csv --out intents.json")]
    Train(train::TrainVerb),
    /// Measures the parts of Mainstay on this machine.
    Bench(bench::BenchArgs),
    /// Stands in for model providers in tests: real wire formats, no model, and every fault on request.
    ProviderSim(provider_sim::ProviderSimArgs),
}

/// Runs the verb that the command line names.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    start_logging(cli.log.as_deref(), matches!(cli.verb, Verb::Up(_) | Verb::Serve(_)));
    let config = cli.config.as_deref();
    let result = match cli.verb {
        Verb::Up(args) => up::run(args, config),
        Verb::Serve(args) => serve::run(args, config),
        Verb::Ingest(args) => ingest::run(args, config),
        Verb::Ask(args) => ask::run(args, config),
        Verb::Search(args) => search::run(args, config),
        Verb::Corpus(verb) => corpus::run(verb, config),
        Verb::Index(verb) => index::run(verb, config),
        Verb::Keys(verb) => keys::run(verb, config),
        Verb::Tenants(verb) => tenants::run(verb, config),
        Verb::Policy(verb) => policy::run(verb, config),
        Verb::Audit(verb) => audit::run(verb, config),
        Verb::Erase(verb) => erase::run(*verb, config),
        Verb::Budget(verb) => budget::run(verb, config),
        Verb::Costs(args) => costs::run(args, config),
        Verb::Content(args) => content::run(&args, config),
        Verb::Cache(verb) => cache::run(verb, config),
        Verb::Init(args) => init::run(args),
        Verb::Spec(verb) => spec::run(verb, config),
        Verb::Plan(args) => plan::run(*args, config),
        Verb::Decide(args) => decide::run(args, config),
        Verb::Eval(verb) => eval::run(verb, config),
        Verb::Train(verb) => train::run(verb),
        Verb::Bench(args) => bench::run(args),
        Verb::ProviderSim(args) => provider_sim::run(args),
    };
    result.unwrap_or_else(|error| terminal::report(&error))
}

/// Logs go to standard error, so that `--json` on standard output stays clean.
fn start_logging(filter: Option<&str>, long_running: bool) {
    let default = if long_running { "info" } else { "warn" };
    #[expect(clippy::disallowed_methods, reason = "the binary reads the environment")]
    let environment = std::env::var("RUST_LOG").ok();
    let wanted = filter.map(str::to_owned).or(environment).unwrap_or_else(|| default.to_owned());
    let filter = EnvFilter::try_new(&wanted).unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(terminal::colours(&std::io::stderr()))
        .with_target(false)
        .init();
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn without_example(command: &clap::Command, path: &str, found: &mut Vec<String>) {
        for verb in command.get_subcommands() {
            let path = format!("{path} {}", verb.get_name());
            if !verb.get_after_help().is_some_and(|help| help.to_string().starts_with("Example: mainstay")) {
                found.push(path.clone());
            }
            without_example(verb, &path, found);
        }
    }

    #[test]
    fn the_help_of_every_verb_has_an_example() {
        let mut found = Vec::new();
        without_example(&Cli::command(), "mainstay", &mut found);
        assert_eq!(found, [""; 0]);
    }
}
