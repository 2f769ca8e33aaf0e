//! `mainstay tenants`: creates, lists, changes, suspends and resumes tenants.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use crate::printable;
use crate::session::{self, Target};
use crate::terminal::{self, OutputError};

/// Creates, lists, changes, suspends and resumes tenants.
#[derive(Subcommand)]
pub(crate) enum TenantsVerb {
    /// Creates a tenant, and prints the key with which its administrator makes the others.
    #[command(after_help = "Example: mainstay tenants create acme --name \"Acme Ltd\" --tier enterprise")]
    Create(CreateArgs),
    /// Lists the tenants.
    #[command(after_help = "Example: mainstay tenants list")]
    List(ListArgs),
    /// Changes what holds for a tenant; what is not named stays.
    #[command(after_help = "Example: mainstay tenants set acme --tier enterprise --models support")]
    Set(SetArgs),
    /// Stops serving a tenant, at once and also in running streams. Its data stays.
    #[command(after_help = "Example: mainstay tenants suspend acme")]
    Suspend(OneArgs),
    /// Serves a suspended tenant again.
    #[command(after_help = "Example: mainstay tenants resume acme")]
    Resume(OneArgs),
}

/// Who the people of a tenant are.
#[derive(Clone, Copy, ValueEnum)]
enum AudienceArg {
    Consumer,
    Enterprise,
    Internal,
}

#[derive(Args)]
struct Settings {
    /// Who its people are.
    #[arg(long, value_enum)]
    audience: Option<AudienceArg>,
    /// How its callers are served where their keys do not say: a tier of [limits.tiers].
    #[arg(long, value_name = "TIER")]
    tier: Option<String>,
    /// Where its data has to stay: a region of `residency` in mainstay.toml.
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// The assistants and models that its callers may name, separated by commas; all where nothing is said.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    models: Option<Vec<String>>,
    /// For how many days after its last change a document is kept; for ever where nothing is said.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    keep_documents_days: Option<u32>,
    /// Whether it agreed that what is said in some of its turns is kept, scrubbed and sealed, for a time (`content_log` of
    /// mainstay.toml).
    #[arg(long, value_name = "true|false")]
    keep_content: Option<bool>,
    /// Its part of what its tier is served where not everybody can be, beside tenants of weight 1.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=100))]
    weight: Option<u32>,
    /// Requests a minute of all its callers together; what its tier allows each tenant where nothing is said.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    requests_per_minute: Option<u32>,
    /// Tokens a minute of their prompts and answers, likewise.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    tokens_per_minute: Option<u32>,
}

#[derive(Args)]
pub(crate) struct CreateArgs {
    /// Its id: a-z, 0-9, "-", "_" and "."; it is given once, for ever.
    id: String,
    /// Its name, for people; without it, the id.
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub(crate) struct SetArgs {
    /// The tenant's id.
    id: String,
    /// Its name, for people.
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub(crate) struct OneArgs {
    /// The tenant's id.
    id: String,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub(crate) struct ListArgs {
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

pub(crate) fn run(verb: TenantsVerb, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    match verb {
        TenantsVerb::Create(args) => {
            let mut body = args.settings.said();
            body.insert("name".to_owned(), json!(args.name.as_ref().unwrap_or(&args.id)));
            body.insert("id".to_owned(), json!(args.id));
            session::with_client(&args.output.target, config, async |client| {
                let answer = client.post("/admin/tenants", &Value::Object(body)).await?;
                if args.output.json {
                    terminal::say(answer)?;
                } else {
                    terminal::say(answer["api_key"].as_str().unwrap_or_default())?;
                    terminal::say(format_args!(
                        "The tenant {} exists. This is the key of its administrator (customer_admin). Keep it now: it is \
                         stored only as a hash and cannot be shown again.",
                        args.id
                    ))?;
                }
                Ok(ExitCode::SUCCESS)
            })
        }
        TenantsVerb::List(args) => session::with_client(&args.output.target, config, async |client| {
            let answer = client.get("/admin/tenants").await?;
            if args.output.json {
                terminal::say(answer)?;
            } else {
                print_list(answer["data"].as_array().map(Vec::as_slice).unwrap_or_default())?;
            }
            Ok(ExitCode::SUCCESS)
        }),
        TenantsVerb::Set(args) => {
            let mut body = args.settings.said();
            if let Some(name) = &args.name {
                body.insert("name".to_owned(), json!(name));
            }
            change(&args.output, config, &args.id, Value::Object(body))
        }
        TenantsVerb::Suspend(args) => change(&args.output, config, &args.id, json!({ "state": "suspended" })),
        TenantsVerb::Resume(args) => change(&args.output, config, &args.id, json!({ "state": "active" })),
    }
}

impl Settings {
    /// What was said, as fields.
    fn said(&self) -> Map<String, Value> {
        let audience = self.audience.map(|audience| match audience {
            AudienceArg::Consumer => "consumer",
            AudienceArg::Enterprise => "enterprise",
            AudienceArg::Internal => "internal",
        });
        let fields = [
            ("audience", json!(audience)),
            ("tier", json!(self.tier)),
            ("region", json!(self.region)),
            ("models", json!(self.models)),
            ("keep_documents_days", json!(self.keep_documents_days)),
            ("keep_content", json!(self.keep_content)),
            ("weight", json!(self.weight)),
            ("requests_per_minute", json!(self.requests_per_minute)),
            ("tokens_per_minute", json!(self.tokens_per_minute)),
        ];
        fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

fn change(output: &Output, config: Option<&Path>, id: &str, body: Value) -> anyhow::Result<ExitCode> {
    session::with_client(&output.target, config, async |client| {
        let answer = client.patch(&format!("/admin/tenants/{}", super::keys::in_path(id)), &body).await?;
        if output.json {
            terminal::say(answer)?;
        } else {
            print_list(std::slice::from_ref(&answer))?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn print_list(tenants: &[Value]) -> Result<(), OutputError> {
    // Limits and days stand beside each other: their full names would be wider than a terminal.
    const COLUMNS: [(&str, &str); 12] = [
        ("id", "id"),
        ("name", "name"),
        ("audience", "audience"),
        ("state", "state"),
        ("tier", "tier"),
        ("weight", "weight"),
        ("requests_per_minute", "requests/min"),
        ("tokens_per_minute", "tokens/min"),
        ("region", "region"),
        ("models", "models"),
        ("keep_documents_days", "keeps days"),
        ("keep_content", "keeps content"),
    ];
    let field = |tenant: &Value, name: &str| match &tenant[name] {
        Value::Array(items) => {
            let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            printable::line(&items.join(", ")).into_owned()
        }
        Value::Number(number) => number.to_string(),
        Value::Bool(true) => "yes".to_owned(),
        value => printable::line(value.as_str().unwrap_or_default()).into_owned(),
    };
    // What nobody has takes no room.
    let is_said = |name: &str| tenants.iter().any(|tenant| !field(tenant, name).is_empty());
    let shown: Vec<(&str, &str)> = COLUMNS.into_iter().filter(|(name, _)| is_said(name)).collect();
    let mut table = terminal::table(&shown.iter().map(|(_, title)| *title).collect::<Vec<_>>());
    for tenant in tenants {
        table.add_row(shown.iter().map(|(name, _)| field(tenant, name)));
    }
    terminal::say(table)
}
