//! `mainstay provider-sim`: model providers without models, which answer in the real wire formats and fail as asked. For the
//! tests of whoever builds on such an API, and for ours.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use mainstay_domain::config::{ConfigValue as _, HumanDuration, Ratio};
use mainstay_provider_sim::{FAULTS, Fault, Settings, StandIn, Timing};
use serde_json::json;

use crate::compose::{self, StopSignals};
use crate::terminal::{self, BadInput};

/// Stands in for model providers: the APIs of OpenAI, Anthropic, Gemini and of rerankers, without a model behind them.
#[derive(Args)]
#[command(after_help = after_help())]
pub(crate) struct ProviderSimArgs {
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8089")]
    listen: SocketAddr,
    /// What goes wrong with every request; several are had in turn ("none" is one of them). The list is below.
    #[arg(long = "fault", value_name = "FAULT")]
    faults: Vec<Fault>,
    /// Only this share of the requests has a fault, by chance: one of --fault, or else one that is common with providers.
    #[arg(long, value_name = "SHARE", value_parser = Ratio::from_text)]
    fault_share: Option<Ratio>,
    /// What chance begins from: the n-th request of two runs with the same seed has the same luck.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    /// How long the first token takes; the median where --ttft-jitter is set.
    #[arg(long, value_name = "TIME", value_parser = HumanDuration::from_text, default_value = "0ms")]
    ttft: HumanDuration,
    /// How much that varies from request to request: the deviation of its logarithm. With 0.3 two thirds of the requests lie
    /// within a factor of 1.35 of --ttft.
    #[arg(long, value_name = "DEVIATION", default_value_t = 0.0)]
    ttft_jitter: f64,
    /// How fast tokens come after the first; 0 for all at once.
    #[arg(long, value_name = "NUMBER", default_value_t = 0.0)]
    tokens_per_second: f64,
    /// How much that varies from request to request, as --ttft-jitter.
    #[arg(long, value_name = "DEVIATION", default_value_t = 0.0)]
    per_request_jitter: f64,
    /// Prints one line of JSON when it listens (url, and the base URL of each API) instead of text.
    #[arg(long)]
    json: bool,
}

/// The APIs: the kind of provider in mainstay.toml, and the path of its base URL.
const APIS: &[(&str, &str)] = &[
    ("openai", "/openai/v1"),
    ("openai-compatible", "/compatible/v1"),
    ("anthropic", "/anthropic"),
    ("gemini", "/gemini"),
    ("cohere", "/cohere"),
    ("jina", "/jina"),
    ("tei", "/tei"),
];

fn after_help() -> String {
    let mut help = "Example: mainstay provider-sim --fault 429:2 --fault none\n\nFaults, which a request also has by the \
                    header \"x-fault: cut\" or the model \"fault-cut\":\n"
        .to_owned();
    for described in FAULTS {
        // Writing to a String does not fail.
        let _ = writeln!(help, "  {:<23}{}", described.example, described.what);
    }
    help + "Numbers may be others. Models called \"slow-…\" are ten times as slow."
}

pub(crate) fn run(args: ProviderSimArgs) -> anyhow::Result<ExitCode> {
    let settings = settings(&args)?;
    compose::runtime()?.block_on(async {
        let mut signals = StopSignals::listen()?;
        let stand_in = StandIn::with(settings);
        let address = stand_in
            .listen(args.listen)
            .await
            .with_context(|| format!("cannot listen on {}; choose another with --listen", args.listen))?;
        let url = format!("http://{address}");
        terminal::say(if args.json { ready_line(&url) } else { ready_text(&url) })?;
        signals.wait().await;
        Ok(ExitCode::SUCCESS)
    })
}

fn settings(args: &ProviderSimArgs) -> Result<Settings, BadInput> {
    let HumanDuration(ttft) = args.ttft;
    let timing = Timing {
        ttft_ms: u64::try_from(ttft.as_millis()).unwrap_or(u64::MAX),
        ttft_jitter: args.ttft_jitter,
        tokens_per_second: args.tokens_per_second,
        per_request_jitter: args.per_request_jitter,
    };
    if !timing.is_possible() {
        return Err(BadInput(
            "--ttft is at most an hour, jitters are from 0 to 3, and --tokens-per-second is 0 or from 0.01 to 1000000"
                .to_owned(),
        ));
    }
    let share = args.fault_share.map(Ratio::as_f64);
    Ok(Settings { faults: args.faults.clone(), share, timing, seed: args.seed })
}

fn ready_line(url: &str) -> String {
    let mut line = json!({ "url": url });
    for (kind, path) in APIS {
        line[kind] = format!("{url}{path}").into();
    }
    line.to_string()
}

fn ready_text(url: &str) -> String {
    let mut text = format!("The provider simulator listens at {url}. Base URLs by kind of provider:\n\n");
    for (kind, path) in APIS {
        // Writing to a String does not fail.
        let _ = writeln!(text, "  {kind:<18}  {url}{path}");
    }
    text + &format!(
        "\nPut it behind Mainstay, in mainstay.toml:\n\n  \
         [providers.sim]\n  \
         kind = \"openai-compatible\"           # this kind needs no key\n  \
         base_url = \"{url}/compatible/v1\"\n\n  \
         [providers.openai]\n  \
         base_url = \"{url}/openai/v1\"\n  \
         api_key = \"env:OPENAI_API_KEY\"       # any text but \"wrong\"\n\n\
         Let the next requests fail, and see what was received:\n\n  \
         curl {url}/control -d '{{\"faults\": [\"429:2\", \"cut\"]}}'\n  \
         curl {url}/control/requests\n\n\
         Stop with Ctrl-C."
    )
}
