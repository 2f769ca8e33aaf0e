//! `mainstay init`: writes a commented `mainstay.toml`. Asks on a terminal, or takes flags.

use std::io::{BufRead, IsTerminal, Write as _, stderr, stdin};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use mainstay_planner::requirements::Audience;

use crate::config::{FILE_NAME, check_text};
use crate::terminal::{self, BadInput, OutputError};

/// Writes a mainstay.toml.
#[derive(Args, Clone, Default)]
#[command(
    after_help = "Example: mainstay init --name \"Acme support\" --provider openai --docs ./manuals --yes"
)]
pub(crate) struct InitArgs {
    /// The product's name.
    #[arg(long)]
    name: Option<String>,
    /// Who uses it: consumer, enterprise or internal.
    #[arg(long, value_parser = parse_audience)]
    audience: Option<Audience>,
    /// Who runs the model.
    #[arg(long)]
    provider: Option<ProviderChoice>,
    /// The model by the provider's own name.
    #[arg(long)]
    model: Option<String>,
    /// Where the API of an openai-compatible provider begins.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Files and folders to answer from.
    #[arg(long, value_name = "PATH")]
    docs: Vec<String>,
    /// Asks nothing: what no flag says takes its default.
    #[arg(long, short)]
    yes: bool,
    /// Overwrites a file that exists.
    #[arg(long)]
    force: bool,
    /// The file to write.
    #[arg(long, short, value_name = "FILE", default_value = FILE_NAME)]
    output: PathBuf,
}

/// Who runs the model.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum ProviderChoice {
    /// Nobody: answers are sentences of the documents.
    Builtin,
    /// OpenAI.
    Openai,
    /// Anthropic.
    Anthropic,
    /// Google Gemini.
    Gemini,
    /// Anything that speaks OpenAI's API, such as Ollama or vLLM.
    OpenaiCompatible,
}

impl ProviderChoice {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Builtin => "builtin",
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::OpenaiCompatible => "openai-compatible",
        }
    }

    /// The name of its table in the file.
    const fn table(self) -> &'static str {
        if matches!(self, Self::OpenaiCompatible) { "local" } else { self.as_str() }
    }

    const fn default_model(self) -> &'static str {
        match self {
            Self::Builtin => "extractive",
            Self::Openai => "gpt-4o-mini",
            Self::Anthropic => "claude-haiku-4-5",
            Self::Gemini => "gemini-2.5-flash",
            Self::OpenaiCompatible => "llama3.2",
        }
    }

    /// The environment variable in which its key usually is; `None` where none is needed.
    const fn key_variable(self) -> Option<&'static str> {
        match self {
            Self::Openai => Some("OPENAI_API_KEY"),
            Self::Anthropic => Some("ANTHROPIC_API_KEY"),
            Self::Gemini => Some("GEMINI_API_KEY"),
            Self::Builtin | Self::OpenaiCompatible => None,
        }
    }
}

fn parse_audience(text: &str) -> Result<Audience, String> {
    let found = Audience::ALL.into_iter().find(|audience| audience.as_str() == text);
    found.ok_or_else(|| "one of consumer, enterprise, internal is expected".to_owned())
}

/// Everything that the file says.
struct Answers {
    name: String,
    audience: Audience,
    provider: ProviderChoice,
    model: String,
    base_url: String,
    docs: Vec<String>,
}

/// Where Ollama listens.
const DEFAULT_BASE_URL: &str = "http://localhost:11434/v1";
const DEFAULT_NAME: &str = "My product";

pub(crate) fn run(args: InitArgs) -> anyhow::Result<ExitCode> {
    if args.output.exists() && !args.force {
        let output = args.output.display();
        return Err(
            BadInput(format!("{output} exists: --force overwrites it, --output writes another")).into()
        );
    }
    let asks = !args.yes && stdin().is_terminal() && stderr().is_terminal();
    let answers = if asks { ask(&args, &mut stdin().lock())? } else { defaults(&args) };
    let text = write_spec(&answers);
    // The same check as for any file: a flag with a bad value is told with its place in what it would have become.
    check_text(&text, &args.output).map_err(|diagnostics| BadInput(diagnostics.to_string()))?;
    std::fs::write(&args.output, text)
        .with_context(|| format!("{} cannot be written", args.output.display()))?;
    print_next(&args.output, &answers)?;
    Ok(ExitCode::SUCCESS)
}

fn defaults(args: &InitArgs) -> Answers {
    let provider = args.provider.unwrap_or(ProviderChoice::Builtin);
    Answers {
        name: args.name.clone().unwrap_or_else(|| DEFAULT_NAME.to_owned()),
        audience: args.audience.unwrap_or_default(),
        provider,
        model: args.model.clone().unwrap_or_else(|| provider.default_model().to_owned()),
        base_url: args.base_url.clone().unwrap_or_else(|| DEFAULT_BASE_URL.to_owned()),
        docs: args.docs.clone(),
    }
}

/// Asks for what no flag says; an empty line takes the default.
fn ask(args: &InitArgs, input: &mut impl BufRead) -> anyhow::Result<Answers> {
    let mut answers = defaults(args);
    if args.name.is_none() {
        answers.name = question(input, "Name of the product", &answers.name, |text| Ok(text.to_owned()))?;
    }
    if args.audience.is_none() {
        let prompt = "Who uses it: consumer, enterprise or internal";
        answers.audience = question(input, prompt, answers.audience.as_str(), parse_audience)?;
    }
    if args.provider.is_none() {
        let prompt = "Who runs the model: builtin, openai, anthropic, gemini or openai-compatible";
        answers.provider =
            question(input, prompt, answers.provider.as_str(), |text| ProviderChoice::from_str(text, true))?;
    }
    if args.base_url.is_none() && answers.provider == ProviderChoice::OpenaiCompatible {
        answers.base_url =
            question(input, "Where its API begins", &answers.base_url, |text| Ok(text.to_owned()))?;
    }
    if args.model.is_none() && answers.provider != ProviderChoice::Builtin {
        let default = answers.provider.default_model();
        answers.model = question(input, "Which model", default, |text| Ok(text.to_owned()))?;
    } else if args.model.is_none() {
        answers.model = answers.provider.default_model().to_owned();
    }
    if args.docs.is_empty() {
        let docs =
            question(input, "Folder with documents (empty: none yet)", "", |text| Ok(text.to_owned()))?;
        answers.docs.extend((!docs.is_empty()).then_some(docs));
    }
    Ok(answers)
}

/// Asks until the answer is understood.
fn question<T>(
    input: &mut impl BufRead,
    prompt: &str,
    default: &str,
    understand: impl Fn(&str) -> Result<T, String>,
) -> anyhow::Result<T> {
    loop {
        if default.is_empty() {
            write!(stderr(), "{prompt}: ")?;
        } else {
            write!(stderr(), "{prompt} [{default}]: ")?;
        }
        stderr().flush()?;
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return Err(BadInput(
                "the answers ended before the questions; --yes takes the defaults".to_owned(),
            )
            .into());
        }
        let answer = if line.trim().is_empty() { default } else { line.trim() };
        match understand(answer) {
            Ok(understood) => return Ok(understood),
            Err(reason) => terminal::complain(format_args!("  {reason}")),
        }
    }
}

/// The text of the file.
fn write_spec(answers: &Answers) -> String {
    let table = answers.provider.table();
    let model =
        answers.model.strip_prefix(table).and_then(|rest| rest.strip_prefix('/')).unwrap_or(&answers.model);
    let documents: Vec<String> = answers.docs.iter().map(|path| quoted(path)).collect();
    let documents = match documents.as_slice() {
        [] => "# documents = [\"./docs\"]".to_owned(),
        documents => format!("documents = [{}]", documents.join(", ")),
    };
    format!(
        include_str!("../../assets/init-template.toml"),
        name = quoted(&answers.name),
        audience = answers.audience.as_str(),
        provider = provider_table(answers),
        documents = documents,
        model = quoted(&format!("{table}/{model}")),
    )
}

fn provider_table(answers: &Answers) -> String {
    let provider = answers.provider;
    let table = provider.table();
    match (provider, provider.key_variable()) {
        (ProviderChoice::Builtin, _) => "\
# Answers are sentences of the documents until a model is named here and below. The key is never written here: env:NAME
# or file:PATH says where it is.
# [providers.openai]
# api_key = \"env:OPENAI_API_KEY\"
"
        .to_owned(),
        (_, Some(variable)) => format!(
            "\
# The key is never written here: env:NAME or file:PATH says where it is.
[providers.{table}]
api_key = \"env:{variable}\"
"
        ),
        (_, None) => format!(
            "\
[providers.{table}]
kind = \"{kind}\"
base_url = {base_url}
# Where the key is, if one is needed: env:NAME or file:PATH, never the key itself.
# api_key = \"env:LOCAL_API_KEY\"
",
            kind = provider.as_str(),
            base_url = quoted(&answers.base_url),
        ),
    }
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn print_next(output: &Path, answers: &Answers) -> Result<(), OutputError> {
    terminal::say(format_args!("Wrote {}.", output.display()))?;
    if let Some(variable) = answers.provider.key_variable() {
        terminal::say(format_args!("Set {variable} to your key before you start."))?;
    }
    let config = if output == Path::new(FILE_NAME) {
        String::new()
    } else {
        format!(" --config {}", output.display())
    };
    terminal::say(format_args!("Next: mainstay spec check{config}, then mainstay up{config}"))
}

#[cfg(test)]
mod tests;
