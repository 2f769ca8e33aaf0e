//! The model behind a stand-in: no intelligence, but always the same answer to the same question, and one that makes use
//! of what it was given (tools, their results, sources, a schema) so that whole flows can be tested.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::prompt::{Prompt, Speaker};

/// An answer, in one form for all APIs.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    /// The text, in the pieces in which it is streamed; a piece counts as a token.
    pub(super) pieces: Vec<String>,
    /// The tools that are called.
    pub(super) calls: Vec<Call>,
    /// Why it ends.
    pub(super) finish: Finish,
    /// Tokens.
    pub(super) tokens: Tokens,
    /// The same for the same question: for ids.
    pub(super) fingerprint: String,
}

/// A call of a tool.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) arguments: Value,
    /// Whether only half of the arguments comes.
    pub(super) truncated: bool,
    /// For its id.
    pub(super) fingerprint: String,
}

impl Call {
    /// The arguments where they are sent as text.
    pub(super) fn arguments_text(&self) -> String {
        let text = self.arguments.to_string();
        let length = text.chars().count();
        let sent = if self.truncated { length / 2 } else { length };
        text.chars().take(sent).collect()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Finish {
    Stop,
    Length,
    ToolCalls,
    ContentFilter,
}

/// Token counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tokens {
    /// All of the prompt.
    pub(super) prompt: usize,
    /// Of `prompt`: read from the cache. Half of it where the question says "cached".
    pub(super) cached: usize,
    pub(super) completion: usize,
}

impl Reply {
    /// The whole text.
    pub(super) fn text(&self) -> String {
        self.pieces.concat()
    }
}

/// The answer to `prompt`.
///
/// - With tools, and the user speaking last: calls the first tool, or several at once where the question says "both",
///   "parallel" or "at once"; "without tools" in the question prevents it.
/// - After a tool: repeats its result.
/// - With a JSON schema: an instance of it.
/// - With fenced sources: a sentence of source 1 with the marker `[1]`; of every source where the question says
///   "cite all"; with the marker `[9]` where it says "cite wrongly".
/// - "count to 12": the numbers. "say nothing": no text.
/// - Otherwise: `You said: …`.
pub(super) fn reply(prompt: &Prompt) -> Reply {
    let question = prompt.question();
    let question = question.as_str();
    let fingerprint = fingerprint(&[&format!("{:?}", prompt.turns)]);
    let calls = calls(prompt);
    let text = if calls.is_empty() { text(prompt, question) } else { String::new() };
    let (pieces, finish) = limited(&text, prompt);
    let prompt_tokens = prompt.turns.iter().map(|turn| pieces_of(&turn.text).len() + 3).sum();
    let call_tokens: usize = calls.iter().map(|call| pieces_of(&call.arguments.to_string()).len() + 3).sum();
    let tokens = Tokens {
        prompt: prompt_tokens,
        cached: if question.contains("cached") { prompt_tokens / 2 } else { 0 },
        completion: pieces.len() + call_tokens,
    };
    let finish = if calls.is_empty() { finish } else { Finish::ToolCalls };
    Reply { pieces, calls, finish, tokens, fingerprint }
}

fn text(prompt: &Prompt, question: &str) -> String {
    if let Some(schema) = &prompt.json {
        let value = match schema {
            Some(schema) => instance(schema, schema, question, 0),
            None => json!({ "echo": question }),
        };
        return value.to_string();
    }
    match prompt.turns.last() {
        Some(last) if last.speaker == Speaker::Tool => return format!("The tool said: {}", last.text),
        _ => {}
    }
    if question.contains("say nothing") {
        return String::new();
    }
    if let Some(count) = number_after(question, "count to ") {
        return (1..=count).map(|number| number.to_string()).collect::<Vec<_>>().join(" ");
    }
    if let Some(grounded) = grounded(question) {
        return grounded;
    }
    format!("You said: {question}")
}

fn number_after(text: &str, words: &str) -> Option<u32> {
    let rest = &text[text.find(words)? + words.len()..];
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok().filter(|number| (1..=10_000).contains(number))
}

/// An answer from the fenced sources in the question, where there are any.
fn grounded(question: &str) -> Option<String> {
    if question.starts_with("No source was found for this question.") {
        return Some("The documents do not contain the answer.".to_owned());
    }
    let sources = sources(question);
    let own_words = question.rsplit_once("</source-").map_or("", |(_, rest)| rest);
    let cite_all = own_words.contains("cite all");
    let cited: Vec<String> = sources
        .iter()
        .filter(|(number, _)| cite_all || *number == 1)
        .map(|(number, text)| {
            let marker = if own_words.contains("cite wrongly") { 9 } else { *number };
            format!("{} [{marker}]", best_sentence(text, own_words))
        })
        .collect();
    (!cited.is_empty()).then(|| cited.join(" "))
}

/// The fenced sources, by number.
fn sources(question: &str) -> Vec<(u32, &str)> {
    let mut sources = Vec::new();
    let mut rest = question;
    while let Some(start) = rest.find("<source-") {
        rest = &rest[start..];
        let Some((head, after)) = rest.split_once(">\n") else { break };
        let number = head.split_once("id=\"").and_then(|(_, id)| id.split_once('"')?.0.parse().ok());
        let Some((text, after)) = after.split_once("\n</source-") else { break };
        if let Some(number) = number {
            sources.push((number, text));
        }
        rest = after;
    }
    sources.sort_by_key(|(number, _)| *number);
    sources
}

/// The sentence that shares most words with the question.
fn best_sentence<'t>(text: &'t str, question: &str) -> &'t str {
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric())
            .filter(|word| word.len() > 3)
            .map(str::to_lowercase)
            .collect()
    };
    let asked = words(question);
    let shared = |sentence: &str| words(sentence).iter().filter(|word| asked.contains(word)).count();
    let sentences: Vec<&str> = text
        .lines()
        .flat_map(|line| line.split_inclusive(". "))
        .map(str::trim)
        .filter(|sentence| sentence.len() > 20 && !sentence.starts_with('#'))
        .collect();
    // Of equals `max_by_key` takes the last; the first is wanted.
    sentences.into_iter().rev().max_by_key(|sentence| shared(sentence)).unwrap_or_else(|| text.trim())
}

fn calls(prompt: &Prompt) -> Vec<Call> {
    let question = prompt.question();
    let question = question.as_str();
    let user_is_last = prompt.turns.last().is_some_and(|turn| turn.speaker == Speaker::User);
    if !user_is_last || question.contains("without tools") {
        return Vec::new();
    }
    let several = ["both", "parallel", "at once"].iter().any(|word| question.contains(word));
    let called: Vec<_> = match (&prompt.only_tool, several) {
        (Some(name), _) => prompt.tools.iter().filter(|tool| tool.name == *name).collect(),
        (None, false) => prompt.tools.iter().take(1).collect(),
        // One tool is called twice.
        (None, true) if prompt.tools.len() == 1 => prompt.tools.iter().chain(&prompt.tools).collect(),
        (None, true) => prompt.tools.iter().collect(),
    };
    let call = |(number, tool): (usize, &super::prompt::Tool)| {
        let arguments = instance(&tool.schema, &tool.schema, question, number);
        let fingerprint = fingerprint(&[question, &tool.name, &number.to_string()]);
        Call { name: tool.name.clone(), arguments, truncated: false, fingerprint }
    };
    called.into_iter().enumerate().map(call).collect()
}

/// A value that the schema accepts. Texts are the capitalised words of the question ("Paris"), so that a test can see its
/// own word in an argument; `number` is how many of them are passed over.
fn instance(schema: &Value, root: &Value, question: &str, number: usize) -> Value {
    if let Some(target) = schema["$ref"].as_str().and_then(|path| root.pointer(path.strip_prefix('#')?)) {
        return instance(target, root, question, number);
    }
    if let Some(value) = schema.get("const").or_else(|| schema["enum"].get(0)) {
        return value.clone();
    }
    for choice in ["anyOf", "oneOf"] {
        let is_null = |option: &&Value| option["type"].as_str() == Some("null");
        if let Some(option) =
            schema[choice].as_array().and_then(|options| options.iter().find(|o| !is_null(o)))
        {
            return instance(option, root, question, number);
        }
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        kind => kind.as_str(),
    };
    // Gemini writes them in capitals.
    match kind.unwrap_or("object").to_ascii_lowercase().as_str() {
        "string" => capitalised(question, number).into(),
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or(json!(7)),
        "boolean" => Value::Bool(true),
        "null" => Value::Null,
        "array" => json!([instance(&schema["items"], root, question, number)]),
        _ => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            let fields: Map<String, Value> = properties
                .map(|(name, property)| (name.clone(), instance(property, root, question, number)))
                .collect();
            Value::Object(fields)
        }
    }
}

/// The `number`-th capitalised word that does not begin the text.
fn capitalised(text: &str, number: usize) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).skip(1);
    let capitalised: Vec<&str> =
        words.filter(|word| word.chars().next().is_some_and(char::is_uppercase) && *word != "I").collect();
    capitalised
        .get(number)
        .or(capitalised.last())
        .map_or_else(|| "stand-in".to_owned(), |word| (*word).to_owned())
}

/// The text in pieces, up to a stop text or the limit of tokens.
fn limited(text: &str, prompt: &Prompt) -> (Vec<String>, Finish) {
    let stop =
        prompt.stop.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| text.find(stop.as_str())).min();
    let mut pieces = pieces_of(&text[..stop.unwrap_or(text.len())]);
    match prompt.max_tokens {
        Some(limit) if pieces.len() > limit => {
            pieces.truncate(limit);
            (pieces, Finish::Length)
        }
        _ => (pieces, Finish::Stop),
    }
}

/// The text as a tokeniser might cut it: a word with the space before it, or a single other character.
fn pieces_of(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut in_word = false;
    for character in text.chars() {
        let is_word = character.is_alphanumeric();
        match pieces.last_mut() {
            Some(last) if is_word && (in_word || last == " ") => last.push(character),
            _ => pieces.push(character.to_string()),
        }
        in_word = is_word;
    }
    pieces
}

/// A text that is the same whenever `parts` are.
pub(super) fn fingerprint(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::{Tool, Turn};

    fn asked(question: &str) -> Prompt {
        Prompt {
            turns: vec![Turn { speaker: Speaker::User, text: question.to_owned() }],
            ..Prompt::default()
        }
    }

    #[test]
    fn sources_are_cited_by_a_sentence_of_theirs() {
        let fenced = "<source-ab id=\"2\">\nAnother text about cats.\n</source-ab>\n\
                      <source-ab id=\"1\" title=\"t\">\n# Title\n\nThe warranty covers two years. Batteries are covered for one year.\n\
                      </source-ab>\n\nHow long are batteries covered?";
        assert_eq!(reply(&asked(fenced)).text(), "Batteries are covered for one year. [1]");
        assert!(reply(&asked(&format!("{fenced} cite wrongly"))).text().ends_with(" [9]"));
        assert!(
            reply(&asked(&format!("{fenced} cite all"))).text().ends_with("Another text about cats. [2]")
        );
    }

    #[test]
    fn several_tools_are_called_at_once_when_asked() {
        let schema =
            json!({"type": "object", "properties": {"city": {"type": "string"}, "unit": {"enum": ["C"]}}});
        let tool = Tool { name: "weather".to_owned(), schema };
        let prompt = Prompt { tools: vec![tool], ..asked("Weather in both Paris and London?") };
        let arguments: Vec<String> =
            reply(&prompt).calls.iter().map(|call| call.arguments.to_string()).collect();
        assert_eq!(arguments, [r#"{"city":"Paris","unit":"C"}"#, r#"{"city":"London","unit":"C"}"#]);
    }

    #[test]
    fn the_pieces_are_the_text() {
        for text in ["", "You said: hé, [1] ok", "  two  spaces\n\nlines "] {
            assert_eq!(pieces_of(text).concat(), text);
        }
        assert_eq!(pieces_of("a sentence [1]."), ["a", " sentence", " ", "[", "1", "]", "."]);
    }

    #[test]
    fn the_limit_and_stop_texts_end_the_answer() {
        let limited = Prompt { max_tokens: Some(3), ..asked("count to 9") };
        assert_eq!((reply(&limited).text().as_str(), reply(&limited).finish), ("1 2 3", Finish::Length));
        let stopped = Prompt { stop: vec![" 4".to_owned()], ..asked("count to 9") };
        assert_eq!((reply(&stopped).text().as_str(), reply(&stopped).finish), ("1 2 3", Finish::Stop));
    }
}
