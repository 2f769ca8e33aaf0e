//! The filter of a command line: which documents a verb looks at.

use clap::Args;
use serde_json::Value;

/// Which documents are looked at.
#[derive(Args)]
pub(crate) struct FilterArgs {
    /// Only documents whose metadata is so, as JSON in the form of POST /v1/search: '{"year": {"$gte": 2020}}'.
    #[arg(long = "filter", value_name = "JSON", value_parser = parse)]
    pub(crate) filter: Option<Value>,
}

/// Reads it as JSON; what it may say, the server knows.
fn parse(text: &str) -> Result<Value, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| {
        format!("it is not valid JSON ({error}); write it like '{{\"year\": {{\"$gte\": 2020}}}}', in single quotes")
    })?;
    if value.is_object() { Ok(value) } else { Err("it must be a JSON object".to_owned()) }
}
