//! What to say about a file that is not TOML.

use std::ops::Range;

use toml::de::Error;

use super::SecretRef;
use super::findings::Findings;
use super::problem::Problem;
use super::value::ConfigValue;

/// Reports the places where the text is not TOML: one a line, because one slip often makes several errors.
pub(super) fn report(errors: &[Error], source: &str, findings: &mut Findings) {
    conceal_secrets(source, findings);
    let mut reported: Vec<Range<usize>> = Vec::new();
    for error in errors {
        let span = error.span().unwrap_or(source.len()..source.len());
        let line = line_around(source, span.start);
        if reported.contains(&line) {
            continue;
        }
        let (message, hint) =
            explain(error.message(), &source[line.clone()], source.get(span.clone()).unwrap_or_default());
        findings.syntax(Problem { path: String::new(), span, message, hint, related: None });
        reported.push(line);
    }
}

/// How the parser's messages begin when text stands without quotes; it guesses a type by the first character.
const BARE_VALUES: [&str; 7] = [
    "string values must be quoted",
    "invalid boolean",
    "invalid float",
    "invalid integer",
    "invalid number",
    "invalid datetime",
    "unexpected key or value",
];

/// The parser's message in fewer words, and what to write instead.
fn explain(message: &str, line: &str, place: &str) -> (String, String) {
    let what = message.split(", expected").next().unwrap_or(message);
    let is_bare_value = BARE_VALUES.iter().any(|known| what.starts_with(known));
    if what == "duplicate key" {
        return (
            format!("{place} is given twice"),
            "a key stands once in a table, and a table once in the file: delete one".to_owned(),
        );
    }
    let value = line.split_once('=').map_or(line, |(_, value)| value.trim());
    if ["true", "false"].iter().any(|word| value.eq_ignore_ascii_case(word)) {
        return ("true and false are written small".to_owned(), "write true or false".to_owned());
    }
    if is_bare_value && let Some((key, value)) = bare_assignment(line) {
        let value = if is_sensitive(key) { "env:NAME" } else { value };
        return ("text must stand in quotes".to_owned(), format!("write {key} = \"{value}\""));
    }
    if what.starts_with("unclosed") || what.contains("string") {
        return (
            what.to_owned(),
            format!("close it{}", message[what.len()..].replace(", expected", " with")),
        );
    }
    (what.to_owned(), "a line is `key = value` with text in quotes, or `[table]`".to_owned())
}

/// Key and value of a line `key = value`, where the value is neither quoted nor a list nor an inline table.
fn bare_assignment(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once('=')?;
    let value = value.split('#').next().unwrap_or(value).trim();
    let is_plain = !value.is_empty() && !value.contains(['"', '\'', '[', ']', '{', '}', '=']);
    is_plain.then_some((key.trim(), value))
}

/// Conceals what seems to be a secret: nothing is known of a file that cannot be parsed but its lines.
fn conceal_secrets(source: &str, findings: &mut Findings) {
    let mut start = 0;
    for line in source.split_inclusive('\n') {
        let after_sensitive_key = line.match_indices('=').find(|(equals, _)| is_sensitive(&line[..*equals]));
        if let Some((equals, _)) = after_sensitive_key {
            let value = line[equals + 1..].trim().trim_matches(['"', '\'']);
            if SecretRef::from_text(value).is_err() {
                findings.conceal(start + equals + 1..start + line.trim_end().len());
            }
        }
        start += line.len();
    }
}

/// Whether a key whose name ends so usually holds a secret: `api_key`, `"X-Auth-Token"`, not `max_tokens`.
fn is_sensitive(key: &str) -> bool {
    let key = key.trim_end().trim_end_matches(['"', '\'']).to_ascii_lowercase();
    ["key", "secret", "token", "password", "authorization", "credentials"]
        .iter()
        .any(|word| key.ends_with(word))
}

fn line_around(source: &str, byte: usize) -> Range<usize> {
    let byte = source.floor_char_boundary(byte);
    let start = source[..byte].rfind('\n').map_or(0, |newline| newline + 1);
    let end = source[byte..].find('\n').map_or(source.len(), |newline| byte + newline);
    start..end
}
