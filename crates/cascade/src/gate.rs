//! Whether an answer may leave, or a stronger model is asked: by what can be seen of it without another model.

use mainstay_domain::Completion;
use mainstay_domain::chat::{AssistantMessage, FinishReason, ResponseFormat};
use serde_json::Value;

/// What an answer has to hold.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct GateSettings {
    /// The share of its statements that must have a citation, of an answer from documents, 0 to 1.
    pub least_grounded: f64,
}

impl Default for GateSettings {
    /// Half of the statements: the others introduce and conclude.
    fn default() -> Self {
        Self { least_grounded: 0.5 }
    }
}

/// Looks at answers before they leave.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Gate {
    settings: GateSettings,
}

/// An answer, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// The answer, as it would leave.
    pub completion: &'a Completion,
    /// What form was asked for.
    pub format: Option<&'a ResponseFormat>,
    /// How it keeps to its documents; `None` of one that has none.
    pub grounded: Option<Groundedness>,
}

/// How an answer keeps to its documents.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Groundedness {
    /// Its statements.
    pub statements: usize,
    /// Those with a citation that holds.
    pub cited: usize,
    /// Whether it says that the documents do not contain an answer.
    pub not_in_documents: bool,
}

/// What an answer lacks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shortfall {
    /// The model failed.
    Failed,
    /// It says nothing.
    Empty,
    /// It refuses.
    Refused,
    /// It says that the documents do not contain an answer. A stronger model may find it.
    NotInDocuments,
    /// Too few of its statements have a citation that holds.
    Ungrounded,
    /// It is not in the form that was asked for.
    Malformed,
    /// A model judged that it is poor.
    Poor,
}

impl Shortfall {
    /// The name, for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Empty => "empty",
            Self::Refused => "refused",
            Self::NotInDocuments => "not_in_documents",
            Self::Ungrounded => "ungrounded",
            Self::Malformed => "malformed",
            Self::Poor => "poor",
        }
    }
}

impl Gate {
    /// With these settings.
    pub fn new(settings: GateSettings) -> Self {
        Self { settings }
    }

    /// What the answer lacks; `None` when it may leave. What a provider's safety filter stopped is not shopped around.
    pub fn shortfall(&self, answered: &Answered<'_>) -> Option<Shortfall> {
        let choices = &answered.completion.choices;
        if choices.iter().any(|choice| choice.finish == FinishReason::ContentFilter) {
            return None;
        }
        let is_empty = |message: &AssistantMessage| {
            // A call in the old form, or sound, is in a field without a meaning here.
            message.tool_calls.is_empty()
                && message.extra.is_empty()
                && message.text.as_deref().unwrap_or_default().trim().is_empty()
        };
        if choices.iter().any(|choice| has_refusal(&choice.message) || refuses(&choice.message)) {
            return Some(Shortfall::Refused);
        }
        if choices.is_empty() || choices.iter().any(|choice| is_empty(&choice.message)) {
            return Some(Shortfall::Empty);
        }
        if choices.iter().any(|choice| is_malformed(&choice.message, answered.format)) {
            return Some(Shortfall::Malformed);
        }
        let grounded = answered.grounded?;
        if grounded.not_in_documents {
            return Some(Shortfall::NotInDocuments);
        }
        // Who calls a tool has not answered yet.
        let calls = choices.iter().any(|choice| !choice.message.tool_calls.is_empty());
        let wanted = self.settings.least_grounded * grounded.statements as f64;
        (!calls && (grounded.cited as f64) < wanted).then_some(Shortfall::Ungrounded)
    }
}

/// How refusals begin, in lower case and with straight apostrophes.
const REFUSALS: [&str; 22] = [
    "i can't help",
    "i cannot help",
    "i can't assist",
    "i cannot assist",
    "i can't answer",
    "i cannot answer",
    "i'm unable to",
    "i am unable to",
    "i'm not able to",
    "i am not able to",
    "i'm sorry, but i",
    "i am sorry, but i",
    "sorry, but i can't",
    "sorry, i can't",
    "as an ai",
    "es tut mir leid, aber ich kann",
    "ich kann dir dabei nicht",
    "ich kann ihnen dabei nicht",
    "je suis désolé, mais je ne",
    "je ne peux pas",
    "lo siento, pero no puedo",
    "no puedo ayudar",
];

/// A refusal is short. Who goes on answers.
const LONGEST_REFUSAL: usize = 400;

fn has_refusal(message: &AssistantMessage) -> bool {
    message.refusal.as_deref().is_some_and(|refusal| !refusal.trim().is_empty())
}

fn refuses(message: &AssistantMessage) -> bool {
    let text = message.text.as_deref().unwrap_or_default().trim();
    if text.len() > LONGEST_REFUSAL || !message.tool_calls.is_empty() {
        return false;
    }
    let text = text.to_lowercase().replace('’', "'");
    REFUSALS.iter().any(|beginning| text.starts_with(beginning))
}

fn is_malformed(message: &AssistantMessage, format: Option<&ResponseFormat>) -> bool {
    let is_json = |text: &str| serde_json::from_str::<Value>(text).ok();
    if message
        .tool_calls
        .iter()
        .any(|call| !call.arguments.trim().is_empty() && is_json(&call.arguments).is_none())
    {
        return true;
    }
    let text = message.text.as_deref().unwrap_or_default();
    match format {
        None | Some(ResponseFormat::Text | ResponseFormat::Opaque(_)) => false,
        Some(_) if !message.tool_calls.is_empty() => false,
        Some(ResponseFormat::JsonObject) => !is_json(text).is_some_and(|value| value.is_object()),
        Some(ResponseFormat::JsonSchema { schema, .. }) => {
            !is_json(text).is_some_and(|value| schema.as_ref().is_none_or(|schema| fits(&value, schema)))
        }
    }
}

/// Whether JSON has the shape of a schema: its types, what it requires, what it lists, and no field beyond where none may
/// be. What else a schema can say is not looked at: a gate may let pass what the caller refuses, not the reverse.
fn fits(value: &Value, schema: &Value) -> bool {
    let has_type = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => true,
    };
    let type_fits = match schema.get("type") {
        Some(Value::String(name)) => has_type(name),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).any(has_type),
        _ => true,
    };
    let is_listed = schema.get("enum").and_then(Value::as_array).is_none_or(|listed| {
        listed.iter().any(|one| one == value || (one.is_number() && one.as_f64() == value.as_f64()))
    });
    if !type_fits || !is_listed {
        return false;
    }
    match value {
        Value::Object(fields) => {
            let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
            let properties = schema.get("properties").and_then(Value::as_object);
            let is_closed = schema.get("additionalProperties") == Some(&Value::Bool(false))
                && schema.get("patternProperties").is_none();
            required.filter_map(Value::as_str).all(|name| fields.contains_key(name))
                && fields.iter().all(|(name, value)| {
                    match properties.and_then(|properties| properties.get(name)) {
                        Some(schema) => fits(value, schema),
                        None => !is_closed,
                    }
                })
        }
        Value::Array(items) => {
            schema.get("items").is_none_or(|schema| items.iter().all(|item| fits(item, schema)))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use mainstay_domain::chat::{Choice, Extra, ToolCall};
    use serde_json::json;

    use super::*;

    fn says(text: &str) -> Completion {
        let message = AssistantMessage { text: Some(text.to_owned()), ..AssistantMessage::default() };
        Completion {
            id: String::new(),
            model: String::new(),
            created: None,
            choices: vec![Choice { index: 0, message, finish: FinishReason::Stop, logprobs: None }],
            usage: None,
            extra: Extra::new(),
        }
    }

    fn shortfall(completion: &Completion, format: Option<&ResponseFormat>) -> Option<Shortfall> {
        Gate::new(GateSettings::default()).shortfall(&Answered { completion, format, grounded: None })
    }

    #[test]
    fn refusals_are_short_and_begin_as_refusals_do() {
        for refusal in
            ["I’m sorry, but I can't help with that.", "As an AI, I…", "Lo siento, pero no puedo ayudarte."]
        {
            assert_eq!(shortfall(&says(refusal), None), Some(Shortfall::Refused), "{refusal}");
        }
        let goes_on =
            format!("I cannot answer that in one word. {}", "It depends on the product. ".repeat(20));
        for answer in ["The warranty lasts two years.", &goes_on, "You can't help it: it is broken."] {
            assert_eq!(shortfall(&says(answer), None), None, "{answer}");
        }
    }

    #[test]
    fn what_says_nothing_falls_short_unless_it_calls_a_tool() {
        assert_eq!(shortfall(&says(" \n"), None), Some(Shortfall::Empty));
        let mut calls = says("");
        let call = |arguments: &str| ToolCall {
            id: "1".to_owned(),
            name: "look_up".to_owned(),
            arguments: arguments.to_owned(),
            extra: Extra::new(),
        };
        calls.choices[0].message.tool_calls = vec![call("{\"a\": 1}")];
        assert_eq!(shortfall(&calls, None), None);
        calls.choices[0].message.tool_calls = vec![call("{\"a\": ")];
        assert_eq!(shortfall(&calls, None), Some(Shortfall::Malformed));
    }

    #[test]
    fn json_has_the_shape_of_its_schema() {
        let schema = json!({
            "type": "object",
            "required": ["days", "unit"],
            "additionalProperties": false,
            "properties": {
                "days": { "type": "integer" },
                "unit": { "enum": ["day", "week"] },
                "notes": { "type": "array", "items": { "type": ["string", "null"] } },
            },
        });
        let format = ResponseFormat::JsonSchema {
            name: "period".to_owned(),
            description: None,
            schema: Some(schema),
            strict: Some(true),
        };
        for (text, is_good) in [
            (r#"{"days": 3, "unit": "day"}"#, true),
            (r#"{"days": 3.0, "unit": "week", "notes": ["a", null]}"#, true),
            (r#"{"days": 3}"#, false),
            (r#"{"days": 3.5, "unit": "day"}"#, false),
            (r#"{"days": 3, "unit": "year"}"#, false),
            (r#"{"days": 3, "unit": "day", "more": 1}"#, false),
            (r#"{"days": 3, "unit": "day", "notes": [1]}"#, false),
            ("three days", false),
            ("```json\n{}\n```", false),
        ] {
            let expected = (!is_good).then_some(Shortfall::Malformed);
            assert_eq!(shortfall(&says(text), Some(&format)), expected, "{text}");
        }
        assert_eq!(shortfall(&says("[1]"), Some(&ResponseFormat::JsonObject)), Some(Shortfall::Malformed));
    }

    #[test]
    fn an_answer_from_documents_says_where_most_of_it_stands() {
        let completion = says("It lasts two years [1]. Keep the receipt.");
        let of = |statements, cited, not_in_documents| {
            let grounded = Some(Groundedness { statements, cited, not_in_documents });
            Gate::new(GateSettings::default()).shortfall(&Answered {
                completion: &completion,
                format: None,
                grounded,
            })
        };
        assert_eq!((of(2, 1, false), of(3, 1, false)), (None, Some(Shortfall::Ungrounded)));
        assert_eq!(of(1, 0, true), Some(Shortfall::NotInDocuments));
    }

    #[test]
    fn what_a_safety_filter_stopped_is_not_shopped_around() {
        let mut stopped = says("");
        stopped.choices[0].finish = FinishReason::ContentFilter;
        assert_eq!(shortfall(&stopped, None), None);
    }
}
