//! Writes JSON values as YAML, the same bytes for the same value.
//!
//! What it writes is read back as the same value by parsers of YAML 1.1 (Kubernetes, Prometheus, Helm, PyYAML) and of YAML 1.2:
//! whatever one of them would take for a boolean, a number, a date or nothing is quoted. Keys keep the order of the value.
//! Limits: no anchors and no tags; keys of more than 1,024 bytes are not valid YAML and nobody here writes them.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// A key of a mapping whose text becomes a comment above that mapping. No format that is written here has such a key.
pub(crate) const COMMENT: &str = "#";

/// The only key of a mapping that stands for an expression of a template, which is written as it is. It is a mapping and not a
/// text, so that no text of a team can be one.
const RAW: &str = "{{}}";

/// An expression of a Helm template.
pub(crate) fn raw(expression: &str) -> Value {
    Value::Object(std::iter::once((RAW.to_owned(), expression.into())).collect())
}

/// The expression that [`raw`] made a value of.
pub(crate) fn expression_of(value: &Value) -> Option<&str> {
    value.as_object().and_then(|map| map.get(RAW)).and_then(Value::as_str)
}

/// One document.
pub(crate) fn document(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(map) if !is_empty(map) => write_map(&mut text, map, 0, false),
        Value::Array(list) if !list.is_empty() => write_list(&mut text, list, 0),
        scalar => {
            write_scalar(&mut text, scalar, 0);
            text.push('\n');
        }
    }
    text
}

/// Several documents in one file, a comment at its top.
pub(crate) fn documents(comment: &str, values: &[Value]) -> String {
    let mut text = comment_lines(comment, 0);
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            text.push_str("---\n");
        }
        text.push_str(&document(value));
    }
    text
}

fn is_empty(map: &Map<String, Value>) -> bool {
    map.keys().all(|key| key == COMMENT)
}

fn comment_of(map: &Map<String, Value>) -> Option<&str> {
    map.get(COMMENT).and_then(Value::as_str)
}

fn comment_lines(comment: &str, indent: usize) -> String {
    let mut text = String::new();
    // A line break of any kind inside a comment would end it.
    for line in comment.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).filter(|line| !line.is_empty())
    {
        let line: String = line.chars().map(|char| if is_printable(char) { char } else { ' ' }).collect();
        let _ = writeln!(text, "{:indent$}# {}", "", line.trim_end());
    }
    text
}

/// `inline`: the first key stands behind what is already in the line (`- `).
fn write_map(text: &mut String, map: &Map<String, Value>, indent: usize, inline: bool) {
    let mut is_first = true;
    if !inline && let Some(comment) = comment_of(map) {
        text.push_str(&comment_lines(comment, indent));
    }
    for (key, value) in map.iter().filter(|(key, _)| *key != COMMENT) {
        if !(is_first && inline) {
            let _ = write!(text, "{:indent$}", "");
        }
        is_first = false;
        text.push_str(&inline_text(key));
        text.push(':');
        match value {
            expression if expression_of(expression).is_some() => {
                text.push(' ');
                write_scalar(text, expression, indent + 2);
                text.push('\n');
            }
            Value::Object(inner) if !is_empty(inner) => {
                text.push('\n');
                write_map(text, inner, indent + 2, false);
            }
            Value::Array(inner) if !inner.is_empty() => {
                text.push('\n');
                write_list(text, inner, indent + 2);
            }
            scalar => {
                text.push(' ');
                write_scalar(text, scalar, indent + 2);
                text.push('\n');
            }
        }
    }
}

fn write_list(text: &mut String, list: &[Value], indent: usize) {
    for item in list {
        if let Some(comment) = item.as_object().and_then(comment_of) {
            text.push_str(&comment_lines(comment, indent));
        }
        let _ = write!(text, "{:indent$}- ", "");
        match item {
            Value::Object(inner) if !is_empty(inner) => write_map(text, inner, indent + 2, true),
            Value::Array(inner) if !inner.is_empty() => {
                // A list in a list begins on its own line: simpler to read than `- - `.
                text.truncate(text.len() - 1);
                text.push('\n');
                write_list(text, inner, indent + 2);
            }
            scalar => {
                write_scalar(text, scalar, indent + 2);
                text.push('\n');
            }
        }
    }
}

/// `indent`: where the lines of a block stand.
fn write_scalar(text: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => text.push_str(&number_text(number)),
        Value::String(value) if is_block(value) => write_block(text, value, indent),
        Value::String(value) => text.push_str(&inline_text(value)),
        Value::Array(_) => text.push_str("[]"),
        Value::Object(_) => text.push_str(expression_of(value).unwrap_or("{}")),
    }
}

/// Without an exponent, which YAML 1.1 reads as a text when there is no point before it.
fn number_text(number: &serde_json::Number) -> String {
    if number.is_i64() || number.is_u64() {
        return number.to_string();
    }
    let plain = number.as_f64().map_or_else(|| number.to_string(), |float| format!("{float}"));
    if plain.contains('.') { plain } else { format!("{plain}.0") }
}

/// Whether a text can stand as a block of lines, so that it is read as it was written by every parser.
fn is_block(value: &str) -> bool {
    let body = value.strip_suffix('\n').unwrap_or(value);
    let is_even_line = |line: &str| line.is_empty() || !line.trim().is_empty();
    body.contains('\n')
        && !body.starts_with([' ', '\t', '\n'])
        && !body.ends_with('\n')
        && body.split('\n').all(|line| is_even_line(line) && !line.starts_with('\t'))
        && body.chars().all(|char| char == '\n' || is_printable(char))
}

fn write_block(text: &mut String, value: &str, indent: usize) {
    let body = value.strip_suffix('\n');
    text.push_str(if body.is_some() { "|" } else { "|-" });
    for line in body.unwrap_or(value).split('\n') {
        text.push('\n');
        if !line.is_empty() {
            let _ = write!(text, "{:indent$}{line}", "");
        }
    }
}

/// A text in one line: bare where nobody can read it as anything else, in quotes otherwise.
fn inline_text(value: &str) -> String {
    if is_plain(value) {
        value.to_owned()
    } else if value.chars().all(is_printable) {
        format!("'{}'", value.replace('\'', "''"))
    } else {
        escaped(value)
    }
}

/// A tab is printable for YAML, but parsers differ on it at the ends of plain and quoted lines: it is escaped.
fn is_printable(char: char) -> bool {
    matches!(char, ' '..='~' | '\u{A0}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}')
        && !matches!(char, '\u{2028}' | '\u{2029}' | '\u{FEFF}')
}

fn is_plain(value: &str) -> bool {
    let starts_well =
        value.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/' || first == '_');
    let is_made_of_safe = value.chars().all(|char| char.is_ascii_alphanumeric() || "_-./".contains(char))
        // A colon followed by neither a blank nor the end is part of a word: images and URLs.
        || (value.chars().all(|char| char.is_ascii_alphanumeric() || "_-./:@".contains(char)) && !value.ends_with(':'));
    starts_well && is_made_of_safe && !is_reserved(value)
}

/// Words that a parser of YAML 1.1 or 1.2 reads as something else than a text.
fn is_reserved(value: &str) -> bool {
    const WORDS: [&str; 11] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"];
    WORDS.contains(&value.to_ascii_lowercase().as_str())
}

fn escaped(value: &str) -> String {
    let mut text = String::from("\"");
    for char in value.chars() {
        match char {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            char if is_printable(char) => text.push(char),
            char if u32::from(char) <= 0xFFFF => {
                let _ = write!(text, "\\u{:04X}", u32::from(char));
            }
            char => {
                let _ = write!(text, "\\U{:08X}", u32::from(char));
            }
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Value {
        serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    #[test]
    fn words_that_yaml_reads_as_something_else_stay_texts() {
        let words = [
            "no",
            "NO",
            "on",
            "y",
            "null",
            "~",
            "",
            "1",
            "1.5",
            "1e3",
            "0x1F",
            "0o7",
            "017",
            "12:30:45",
            ".inf",
            "NaN",
            "2024-01-01",
            "- a",
            "a: b",
            "a #b",
            "# a",
            "{a}",
            "[a]",
            "*a",
            "&a",
            "!a",
            "%a",
            "@a",
            "`a",
            "?",
            "-",
            "=",
            "<<",
            "a:",
            " a",
            "a ",
            "'a'",
            "\"a\"",
            "a\\b",
            "---",
            "...",
            "\u{feff}a",
            "a\u{85}b",
            "a\tb",
            "\0",
        ];
        for word in words {
            let value = json!({ "key": word, word: [word] });
            assert_eq!(read(&document(&value)), value, "{word:?}");
            let written = document(&json!(word));
            let is_bare = written.starts_with(|first: char| first != '\'' && first != '"');
            assert!(!is_bare, "{word:?} is bare: {written}");
        }
    }

    #[test]
    fn a_text_of_lines_is_a_block_that_a_person_can_edit() {
        let text = document(&json!({ "file": "[a]\n\n  b = \"c\" # d\nlast\n", "next": 1 }));
        assert_eq!(text, "file: |\n  [a]\n\n    b = \"c\" # d\n  last\nnext: 1\n");
    }

    #[test]
    fn a_comment_stands_above_what_it_is_about_and_cannot_break_out() {
        let value = json!({ "list": [{ COMMENT: "why\nit is\u{2028}key: injected", "a": 1 }, 2] });
        let text = document(&value);
        assert_eq!(text, "list:\n  # why\n  # it is\n  # key: injected\n  - a: 1\n  - 2\n");
    }

    fn any_text() -> impl Strategy<Value = String> {
        prop_oneof![
            "[ -~\\n\\t]{0,24}",
            "[a-z0-9:.'\" #\\n-]{0,16}",
            proptest::collection::vec(any::<char>(), 0..12)
                .prop_map(|chars| chars.into_iter().filter(|char| !RAW.contains(*char)).collect()),
        ]
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e12f64..1e12).prop_map(Value::from),
            any_text().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((any_text(), inner), 0..4).prop_map(|pairs| {
                    Value::Object(pairs.into_iter().filter(|(key, _)| key != COMMENT && key != RAW).collect())
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_parser_reads_back_what_was_written(value in any_value()) {
            let text = document(&value);
            prop_assert_eq!(read(&text), value, "{}", text);
        }
    }
}
