//! `mainstay audit`: verifies, exports and resolves the record of who did what.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use mainstay_audit::{Anchor, Hash, PublicKey, VerifyOptions};
use serde_json::{Value, json};

use crate::printable;
use crate::session::{self, Target};
use crate::terminal::{self, BadInput};

/// Verifies, exports and resolves the record of who did what.
#[derive(Subcommand)]
pub(crate) enum AuditVerb {
    /// Proves that nothing was changed, removed, moved or put in, or says where.
    #[command(
        after_help = "Example: mainstay audit verify\nExample: mainstay audit verify --folder copy/ --key 5f…"
    )]
    Verify(VerifyArgs),
    /// Prints where the chain stands, signed, and the key to verify it by: keep both somewhere else.
    #[command(after_help = "Example: mainstay audit head --json > head-2026-11-27.json")]
    Head(HeadArgs),
    /// Makes a new signing key. The old one vouches for it in the chain, so that a log is still verified by either.
    #[command(after_help = "Example: mainstay audit rotate-key")]
    RotateKey(HeadArgs),
    /// Prints records as JSON Lines, in their order.
    #[command(after_help = "Example: mainstay audit export --category configuration_change > changes.jsonl")]
    Export(ExportArgs),
    /// Says whom a pseudonym stands for, as long as they were not erased. It is recorded who asked.
    #[command(after_help = "Example: mainstay audit resolve 0f3c…")]
    Resolve(ResolveArgs),
}

#[derive(Args)]
pub(crate) struct VerifyArgs {
    /// The folder of a log, or of a copy of one, when no Mainstay is to be asked.
    #[arg(long, value_name = "DIR", requires = "key")]
    folder: Option<PathBuf>,
    /// The public key that `audit head` showed; with --folder.
    #[arg(long, value_name = "HEX", requires = "folder")]
    key: Option<String>,
    /// A record that was kept elsewhere, SEQ:HASH as `audit head` shows it; may be repeated.
    #[arg(long, value_name = "SEQ:HASH")]
    anchor: Vec<String>,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub(crate) struct HeadArgs {
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub(crate) struct ExportArgs {
    /// Only of this category: authentication, authorization, data_access, configuration_change, security_event, inference.
    #[arg(long)]
    category: Option<String>,
    /// Only from this moment on, in seconds since 1970.
    #[arg(long, value_name = "SECONDS")]
    from: Option<i64>,
    /// Only before this moment, in seconds since 1970.
    #[arg(long, value_name = "SECONDS")]
    until: Option<i64>,
    /// Only of this pseudonym.
    #[arg(long, value_name = "PSEUDONYM")]
    subject: Option<String>,
    /// Of all tenants: for the operator.
    #[arg(long)]
    everyone: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Args)]
pub(crate) struct ResolveArgs {
    /// The pseudonym: 32 hexadecimal digits.
    pseudonym: String,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
struct Output {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// Records that are asked for at once.
const PAGE: usize = 5_000;

pub(crate) fn run(verb: AuditVerb, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    match verb {
        AuditVerb::Verify(args) => verify(&args, config),
        AuditVerb::Head(args) => session::with_client(&args.output.target, config, async |client| {
            let answer = client.get("/admin/audit/head").await?;
            if args.output.json {
                terminal::say(answer)?;
            } else {
                let head = &answer["head"];
                let text = |name: &str| head[name].as_str().unwrap_or_default();
                terminal::say(format_args!("anchor {}:{}", head["seq"], text("hash")))?;
                terminal::say(format_args!("key    {}", text("key")))?;
                terminal::say(
                    "Keep both somewhere else: `mainstay audit verify --anchor …` finds a log that was cut back, `--folder DIR --key …` without this Mainstay.",
                )?;
            }
            Ok(ExitCode::SUCCESS)
        }),
        AuditVerb::RotateKey(args) => session::with_client(&args.output.target, config, async |client| {
            let answer = client.post("/admin/audit/key", &json!({})).await?;
            if args.output.json {
                terminal::say(answer)?;
            } else {
                terminal::say(format_args!("key {}", answer["key"].as_str().unwrap_or_default()))?;
                terminal::say("Keep it where you keep the former one, which still verifies the whole log.")?;
            }
            Ok(ExitCode::SUCCESS)
        }),
        AuditVerb::Export(args) => session::with_client(&args.target, config, async |client| {
            let mut after = 0;
            loop {
                let mut query = format!("limit={PAGE}&after={after}&everyone={}", args.everyone);
                for (name, value) in [
                    ("category", args.category.clone()),
                    ("from", args.from.map(|seconds| seconds.to_string())),
                    ("until", args.until.map(|seconds| seconds.to_string())),
                    ("subject", args.subject.clone()),
                ] {
                    if let Some(value) = value {
                        query.push_str(&format!("&{name}={}", super::keys::in_path(&value)));
                    }
                }
                let answer = client.get(&format!("/admin/audit?{query}")).await?;
                let records = answer["data"].as_array().map(Vec::as_slice).unwrap_or_default();
                for record in records {
                    terminal::say(record)?;
                }
                match records.last().and_then(|record| record["seq"].as_u64()) {
                    Some(last) if answer["has_more"] == true => after = last,
                    _ => return Ok(ExitCode::SUCCESS),
                }
            }
        }),
        AuditVerb::Resolve(args) => session::with_client(&args.output.target, config, async |client| {
            let answer = client.post("/admin/audit/resolve", &json!({ "pseudonym": args.pseudonym })).await?;
            if args.output.json {
                terminal::say(&answer)?;
            } else {
                match (answer["user"].as_str(), answer["tenant"].as_str()) {
                    (Some(user), Some(tenant)) => {
                        terminal::say(format_args!(
                            "{} of the tenant {}",
                            printable::line(user),
                            printable::line(tenant)
                        ))?;
                    }
                    _ => terminal::say(
                        "Nobody: it was never given, has been kept long enough, or the person was erased.",
                    )?,
                }
            }
            Ok(if answer["user"].is_string() { ExitCode::SUCCESS } else { ExitCode::from(1) })
        }),
    }
}

fn verify(args: &VerifyArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let anchors = args.anchor.iter().map(|text| anchor_of(text)).collect::<anyhow::Result<Vec<_>>>()?;
    if let (Some(folder), Some(key)) = (&args.folder, &args.key) {
        let key: PublicKey = serde_json::from_value(json!(key))
            .map_err(|_| BadInput("--key is not the 64 hexadecimal digits of a public key".to_owned()))?;
        let options = VerifyOptions { anchors, ..VerifyOptions::default() };
        let report = mainstay_audit::verify(folder, &key, &options).context("the log cannot be verified")?;
        let sound = report.is_sound();
        return tell(&json!({ "sound": sound, "report": report }), args.output.json);
    }
    session::with_client(&args.output.target, config, async |client| {
        let answer = client.post("/admin/audit/verify", &json!({ "anchors": anchors })).await?;
        tell(&answer, args.output.json)
    })
}

fn anchor_of(text: &str) -> anyhow::Result<Anchor> {
    let parsed = text.split_once(':').and_then(|(seq, hash)| {
        let hash: Hash = serde_json::from_value(json!(hash)).ok()?;
        Some(Anchor { seq: seq.parse().ok()?, hash })
    });
    let wrong = || BadInput(format!("--anchor {text:?} is not SEQ:HASH as `mainstay audit head` shows it"));
    parsed.ok_or_else(|| wrong().into())
}

/// Prints what was found; 1 where something is wrong.
fn tell(answer: &Value, as_json: bool) -> anyhow::Result<ExitCode> {
    let sound = answer["sound"] == true;
    if as_json {
        terminal::say(answer)?;
    } else {
        let report = &answer["report"];
        let count = |name: &str| report[name].as_u64().unwrap_or(0);
        terminal::say(format_args!(
            "{} records, {} signed checkpoints, {} records behind the last one, {} bodies removed after their time",
            count("records"),
            count("checkpoints"),
            count("unsigned"),
            count("expired_bodies")
        ))?;
        for gap in report["gaps"].as_array().into_iter().flatten() {
            terminal::say(format_args!(
                "No record between {} and {} (microseconds since 1970), behind record {}.",
                gap["from"], gap["to"], gap["after_seq"]
            ))?;
        }
        for fault in report["faults"].as_array().into_iter().flatten() {
            let text = |name: &str| printable::line(fault[name].as_str().unwrap_or_default()).into_owned();
            terminal::say(format_args!("{}, line {}: {}", text("file"), fault["line"], text("sentence")))?;
        }
        if count("more_faults") > 0 {
            terminal::say(format_args!("and {} more", count("more_faults")))?;
        }
        terminal::say(if sound { "The chain is whole." } else { "The chain is NOT whole." })?;
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
