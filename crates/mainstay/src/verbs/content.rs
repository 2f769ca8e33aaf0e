//! `mainstay content`: what was said in turns that were kept.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, UNIX_EPOCH};

use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::printable;
use crate::session::{self, Target};
use crate::terminal::{self, OutputError};

/// Shows what was said in turns that were kept, without what is personal in it.
#[derive(Args)]
#[command(after_help = "Example: mainstay content --incident INC-1234\n\n\
    Kept is a share of the turns of tenants that agreed to it: [content_log] of mainstay.toml, and `mainstay tenants set ID \
    --keep-content true`. Who reads it, and for which incident, is on record.")]
pub(crate) struct ContentArgs {
    /// The incident for which it is read, as your tracker names it: it is recorded.
    #[arg(long, value_name = "NAME")]
    incident: String,
    /// The turn of this request alone: the x-request-id of its answer.
    #[arg(long, value_name = "ID")]
    request: Option<String>,
    /// The newest so many.
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=200))]
    limit: u16,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

pub(crate) fn run(args: &ContentArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut path = format!("/admin/content?incident={}&limit={}", encoded(&args.incident), args.limit);
    if let Some(request) = &args.request {
        path += &format!("&request={}", encoded(request));
    }
    session::with_client(&args.target, config, async |client| {
        let answer = client.get(&path).await?;
        if args.json {
            terminal::say(answer)?;
        } else {
            print(answer["data"].as_array().map(Vec::as_slice).unwrap_or_default())?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn print(turns: &[Value]) -> Result<(), OutputError> {
    if turns.is_empty() {
        return terminal::say(
            "Nothing is kept. A share of the turns is, where [content_log] says so and the tenant agreed to it.",
        );
    }
    for turn in turns {
        let text = |name: &str| printable::line(turn[name].as_str().unwrap_or("–")).into_owned();
        let at = UNIX_EPOCH + Duration::from_secs(turn["at"].as_u64().unwrap_or_default());
        terminal::say(format_args!(
            "{}  {}  {}  {}  {}",
            httpdate::fmt_http_date(at),
            text("request"),
            text("assistant"),
            text("model"),
            text("outcome")
        ))?;
        for message in turn["messages"].as_array().into_iter().flatten() {
            say(message["role"].as_str().unwrap_or_default(), &message["text"])?;
        }
        say("answer", &turn["answer"])?;
        terminal::say("")?;
    }
    Ok(())
}

fn say(who: &str, text: &Value) -> Result<(), OutputError> {
    match text.as_str() {
        Some(text) => terminal::say(format_args!("  {who}: {}", printable::lines(text))),
        None => Ok(()),
    }
}
