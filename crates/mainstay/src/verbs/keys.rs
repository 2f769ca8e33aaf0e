//! `mainstay keys`: makes, lists, rotates and revokes API keys.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use mainstay_vault::MasterKey;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::printable;
use crate::session::{self, Target};
use crate::terminal::{self, OutputError};

/// Makes, lists, rotates and revokes API keys.
#[derive(Subcommand)]
pub(crate) enum KeysVerb {
    /// Makes a key and prints it: it is stored only as a hash and cannot be shown again.
    #[command(after_help = "Example: mainstay keys create --name website --role customer_user")]
    Create(CreateArgs),
    /// Lists the keys, without their secrets.
    #[command(after_help = "Example: mainstay keys list")]
    List(ListArgs),
    /// Makes a successor of a key; the old one works on for a while.
    #[command(after_help = "Example: mainstay keys rotate 3f9a1c04be77d215 --overlap-hours 24")]
    Rotate(RotateArgs),
    /// Makes a master key for storage.encryption, in a file that only its owner may read.
    #[command(after_help = "Example: mainstay keys master master.key")]
    Master(MasterArgs),
    /// Makes a key worthless at once.
    #[command(after_help = "Example: mainstay keys revoke 3f9a1c04be77d215")]
    Revoke(RevokeArgs),
    /// Has tokens of identity providers refused that were issued until now, and ends the console's sessions of their holder.
    #[command(after_help = "Example: mainstay keys revoke-tokens --user ada")]
    RevokeTokens(RevokeTokensArgs),
}

#[derive(Args)]
pub(crate) struct CreateArgs {
    /// What the key is for.
    #[arg(long)]
    name: String,
    /// What its holders are: viewer, prompter, engineer, admin, auditor, ingester, customer_admin, customer_user, or a role of
    /// your own policies. `mainstay policy show` says what each may do.
    #[arg(long, value_name = "ROLE", default_value = "customer_user")]
    role: String,
    /// Narrows the key to these permissions of its role, such as documents.read; may be repeated.
    #[arg(long, value_name = "PERMISSION")]
    only: Vec<String>,
    /// Whose key it is, so that it ends when that user is erased.
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// How its holders are served: a tier of [limits.tiers]; without it, the last one.
    #[arg(long, value_name = "TIER")]
    tier: Option<String>,
    /// Days until it expires; without it, never.
    #[arg(long, value_name = "DAYS")]
    expires_in_days: Option<u64>,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub(crate) struct RotateArgs {
    /// The id of the key, as `keys list` shows it.
    id: String,
    /// Hours for which the old key works on.
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    overlap_hours: u64,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub(crate) struct MasterArgs {
    /// The file; one that exists is left alone.
    file: PathBuf,
}

#[derive(Args)]
pub(crate) struct RevokeArgs {
    /// The id of the key, as `keys list` shows it.
    id: String,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub(crate) struct RevokeTokensArgs {
    #[command(flatten)]
    which: WhichTokens,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct WhichTokens {
    /// Whose tokens: the user as the identity provider names them.
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Which token alone: its `jti`.
    #[arg(long, value_name = "ID")]
    token_id: Option<String>,
}

#[derive(Args)]
struct Output {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

pub(crate) fn run(verb: KeysVerb, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    match verb {
        KeysVerb::Create(args) => {
            let only = (!args.only.is_empty()).then_some(args.only);
            let body = json!({
                "name": args.name, "role": args.role, "only": only, "user": args.user, "tier": args.tier,
                "expires_in_days": args.expires_in_days
            });
            made(&args.output, config, "/admin/keys".to_owned(), body)
        }
        KeysVerb::Rotate(args) => {
            let body = json!({ "overlap_hours": args.overlap_hours });
            made(&args.output, config, format!("/admin/keys/{}/rotate", in_path(&args.id)), body)
        }
        KeysVerb::Master(args) => {
            MasterKey::generate_file(&args.file)?;
            terminal::say(format_args!(
                "{} holds a new master key. Keep a copy of it apart from the data folder: without it, nothing that was sealed can \
                 be read again.",
                args.file.display()
            ))?;
            Ok(ExitCode::SUCCESS)
        }
        KeysVerb::List(args) => session::with_client(&args.output.target, config, async |client| {
            let answer = client.get("/admin/keys").await?;
            if args.output.json {
                terminal::say(answer)?;
            } else {
                print_list(&answer)?;
            }
            Ok(ExitCode::SUCCESS)
        }),
        KeysVerb::RevokeTokens(args) => session::with_client(&args.output.target, config, async |client| {
            let body = json!({ "user": args.which.user, "token_id": args.which.token_id });
            let answer = client.post("/admin/tokens/revoke", &body).await?;
            if args.output.json {
                terminal::say(answer)?;
            } else {
                terminal::say("Refused from now on. What is issued later is accepted again.")?;
            }
            Ok(ExitCode::SUCCESS)
        }),
        KeysVerb::Revoke(args) => session::with_client(&args.output.target, config, async |client| {
            let answer = client.delete(&format!("/admin/keys/{}", in_path(&args.id))).await?;
            if args.output.json {
                terminal::say(answer)?;
            } else {
                terminal::say(format_args!("The key {} is revoked.", args.id))?;
            }
            Ok(ExitCode::SUCCESS)
        }),
    }
}

/// An id as a part of a path, whatever it contains.
pub(super) fn in_path(id: &str) -> String {
    utf8_percent_encode(id, NON_ALPHANUMERIC).to_string()
}

/// Posts, and prints the key that was made.
fn made(output: &Output, config: Option<&Path>, path: String, body: Value) -> anyhow::Result<ExitCode> {
    session::with_client(&output.target, config, async |client| {
        let answer = client.post(&path, &body).await?;
        if output.json {
            terminal::say(answer)?;
        } else {
            terminal::say(answer["api_key"].as_str().unwrap_or_default())?;
            terminal::say("Keep it now: it is stored only as a hash and cannot be shown again.")?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn print_list(answer: &Value) -> Result<(), OutputError> {
    let mut table = terminal::table(&["id", "name", "role", "tier", "tenant", "state"]);
    for key in answer["data"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let field = |name: &str| printable::line(key[name].as_str().unwrap_or_default()).into_owned();
        let columns = ["id", "name", "role", "tier", "tenant", "state"];
        table.add_row(columns.map(field));
    }
    terminal::say(table)
}
