//! The JSON schema of a section, and what it says about a file: keys, types, limits, sentences and examples.

use std::borrow::Cow;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeArray, DeInteger, DeTable, DeValue};

use super::SecretRef;
use super::findings::Findings;
use super::path::{KeyPath, Step};
use super::suggest::closest;
use super::value::{ConfigValue, ValueError};

/// The schema of a raw type, for editors and for [`read()`](super::read()): draft 7, which editors' TOML plug-ins
/// understand, without references and without null, which TOML does not have.
pub fn schema_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    remove_null(&mut schema);
    schema
}

/// Takes out the null that an optional key has in JSON.
fn remove_null(schema: &mut Value) {
    let is_null_type = |value: &Value| value.get("type").is_some_and(|name| name == "null");
    match schema {
        Value::Array(items) => items.iter_mut().for_each(remove_null),
        Value::Object(object) => {
            object.values_mut().for_each(remove_null);
            if object.get("default").is_some_and(Value::is_null) {
                object.remove("default");
            }
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(values)) = object.get_mut("enum") {
                values.retain(|value| !value.is_null());
            }
            let alternatives = object.get_mut("anyOf").and_then(Value::as_array_mut);
            if let Some(alternatives) = alternatives.filter(|list| list.iter().any(is_null_type)) {
                alternatives.retain(|one| !is_null_type(one));
                if let [Value::Object(only)] = alternatives.as_slice() {
                    let only = only.clone();
                    object.remove("anyOf");
                    only.into_iter().for_each(|(keyword, value)| {
                        object.entry(keyword).or_insert(value);
                    });
                }
            }
        }
        _ => {}
    }
}

/// One place of a schema.
#[derive(Clone, Copy)]
pub(super) struct Shape<'s>(&'s Value);

impl<'s> Shape<'s> {
    pub(super) fn new(schema: &'s Value) -> Self {
        Self(schema)
    }

    /// The shape of what stands at a path.
    pub(super) fn at(self, path: &KeyPath) -> Option<Self> {
        path.steps().iter().try_fold(self, |shape, step| match step {
            Step::Key(key) => shape.entry(key),
            Step::Item(_) => shape.0.get("items").map(Shape),
        })
    }

    /// What to write at `path`: the sentence about the key, then an example.
    pub(super) fn hint(self, path: &KeyPath) -> String {
        let sentence = self.text("description").unwrap_or_default().replace('\n', " ");
        let sentence = sentence.split("  ").next().unwrap_or_default().to_owned();
        let mut parts = vec![sentence];
        let allowed = self.allowed();
        let example = self.0.get("examples").and_then(|examples| examples.get(0));
        if !allowed.is_empty() {
            parts.push(format!("One of: {}.", quoted_list(&allowed)));
        } else if let (Some(example), Some(key)) = (example, path.last_key()) {
            parts.push(format!("For example: {} = {}", toml_key(key), toml_value(example)));
        } else if self.is("object") {
            parts.push(self.list_of_keys());
        }
        parts.retain(|part| !part.is_empty());
        parts.join(" ")
    }

    /// Reports everything in `table` that the schema does not allow, and where to take it out: `bad`.
    pub(super) fn inspect_table(
        self,
        table: &DeTable<'_>,
        path: &KeyPath,
        findings: &mut Findings,
        bad: &mut Vec<KeyPath>,
    ) {
        for (key, value) in table {
            let path = path.key(key.get_ref().as_ref());
            match self.entry(key.get_ref()) {
                Some(shape) => shape.inspect(value, &path, findings, bad),
                None => {
                    findings.report_key(&path, "unknown key", self.hint_for_unknown(key.get_ref()));
                    bad.push(path);
                }
            }
        }
    }

    fn inspect(
        self,
        value: &Spanned<DeValue<'_>>,
        path: &KeyPath,
        findings: &mut Findings,
        bad: &mut Vec<KeyPath>,
    ) {
        if self.holds_secret() && !is_secret_reference(value.get_ref()) {
            findings.conceal(value.span());
        }
        let complaint = match value.get_ref() {
            DeValue::Table(table) if self.is("object") => {
                return self.inspect_table(table, path, findings, bad);
            }
            DeValue::Array(items) if self.is("array") => match self.complaint_about_list(items) {
                None => return self.inspect_items(items, path, findings, bad),
                complaint => complaint,
            },
            DeValue::Table(_) | DeValue::Array(_) => Some(self.wrong_type(value.get_ref())),
            _ if self.explains_itself() => None,
            scalar => self.complaint_about_scalar(scalar),
        };
        if let Some(message) = complaint {
            findings.report(path, message, self.hint_with_suggestion(value.get_ref(), path));
            bad.push(path.clone());
        }
    }

    fn inspect_items(
        self,
        items: &DeArray<'_>,
        path: &KeyPath,
        findings: &mut Findings,
        bad: &mut Vec<KeyPath>,
    ) {
        let Some(shape) = self.0.get("items").map(Shape) else { return };
        for (index, item) in items.iter().enumerate() {
            shape.inspect(item, &path.item(index), findings, bad);
        }
    }

    fn complaint_about_list(self, items: &DeArray<'_>) -> Option<String> {
        let least = self.0.get("minItems").and_then(Value::as_u64).unwrap_or(0);
        if (items.len() as u64) < least {
            return Some(if items.is_empty() {
                "the list is empty".into()
            } else {
                format!("fewer than {least} items")
            });
        }
        let must_be_unique = self.0.get("uniqueItems") == Some(&Value::Bool(true));
        let texts: Vec<&str> = items.iter().filter_map(|item| item.get_ref().as_str()).collect();
        let twice = texts.iter().enumerate().find(|(index, text)| texts[..*index].contains(text));
        twice.filter(|_| must_be_unique).map(|(_, text)| format!("{text:?} is in the list twice"))
    }

    fn complaint_about_scalar(self, value: &DeValue<'_>) -> Option<String> {
        let allowed = self.allowed();
        match value {
            DeValue::String(text) if self.is("string") => {
                if !allowed.is_empty() && !allowed.contains(&text.as_ref()) {
                    return Some(format!("{:?} is not one of {}", shortened(text), quoted_list(&allowed)));
                }
                let least = self.0.get("minLength").and_then(Value::as_u64).unwrap_or(0);
                ((text.trim().chars().count() as u64) < least).then(|| "the text is empty".to_owned())
            }
            DeValue::String(text) if self.is("integer") || self.is("number") => {
                let expected = self.expected();
                Some(match ValueError::of_text(text, expected) {
                    ValueError::Malformed { .. } => {
                        format!("{expected} is expected here, not text: take the quotes away")
                    }
                    vague => vague.to_string(),
                })
            }
            DeValue::Integer(number) if self.is("integer") || self.is("number") => integer_value(number)
                .map_or_else(
                    || Some("the number is too large".to_owned()),
                    |n| self.complaint_about_number(n),
                ),
            DeValue::Float(number) if self.is("number") => {
                let number = number.as_str().parse::<f64>().unwrap_or(f64::NAN);
                self.complaint_about_number(number)
            }
            DeValue::Boolean(_) if self.is("boolean") => None,
            other => Some(self.wrong_type(other)),
        }
    }

    fn complaint_about_number(self, number: f64) -> Option<String> {
        let limit = |keyword: &str| self.0.get(keyword).and_then(Value::as_f64);
        if !number.is_finite() {
            return Some(format!("{number} is not a finite number"));
        }
        if let Some(least) = limit("minimum").filter(|least| number < *least) {
            return Some(format!("{number} is less than {least}"));
        }
        if let Some(least) = limit("exclusiveMinimum").filter(|least| number <= *least) {
            return Some(format!("{number} is not more than {least}"));
        }
        limit("maximum").filter(|most| number > *most).map(|most| format!("{number} is more than {most}"))
    }

    fn wrong_type(self, found: &DeValue<'_>) -> String {
        format!("{} is expected here, not {}", self.expected(), kind_of(found))
    }

    fn hint_for_unknown(self, key: &str) -> String {
        match closest(key, self.keys()) {
            Some(meant) => format!("did you mean {}? {}", toml_key(meant), self.list_of_keys()),
            None => self.list_of_keys(),
        }
    }

    fn hint_with_suggestion(self, value: &DeValue<'_>, path: &KeyPath) -> String {
        let meant = value.as_str().and_then(|text| closest(text, self.allowed()));
        let hint = self.hint(path);
        meant.map_or(hint.clone(), |meant| format!("did you mean {meant:?}? {hint}"))
    }

    fn list_of_keys(self) -> String {
        let keys: Vec<_> = self.keys().map(toml_key).collect();
        if keys.is_empty() { String::new() } else { format!("The keys here are: {}.", keys.join(", ")) }
    }

    fn keys(self) -> impl Iterator<Item = &'s str> {
        self.properties().into_iter().flat_map(|properties| properties.keys().map(String::as_str))
    }

    fn entry(self, key: &str) -> Option<Self> {
        let listed = self.properties().and_then(|properties| properties.get(key));
        listed.or_else(|| self.0.get("additionalProperties").filter(|any| any.is_object())).map(Shape)
    }

    fn properties(self) -> Option<&'s Map<String, Value>> {
        self.0.get("properties").and_then(Value::as_object)
    }

    /// The values of an enumeration; empty for anything else.
    fn allowed(self) -> Vec<&'s str> {
        let of_constants = |list: &'s Vec<Value>| list.iter().filter_map(|one| one.get("const")).collect();
        let values: Vec<&Value> = match (self.0.get("enum"), self.0.get("oneOf")) {
            (Some(Value::Array(values)), _) => values.iter().collect(),
            (_, Some(Value::Array(list))) => of_constants(list),
            _ => Vec::new(),
        };
        values.into_iter().filter_map(Value::as_str).collect()
    }

    fn is(self, json_type: &str) -> bool {
        match self.0.get("type") {
            Some(Value::String(name)) => name == json_type,
            Some(Value::Array(names)) => names.iter().any(|name| name == json_type),
            _ => json_type == "string" && !self.allowed().is_empty(),
        }
    }

    fn expected(self) -> &'static str {
        let names = [
            ("object", "a table"),
            ("array", "a list"),
            ("integer", "a whole number"),
            ("number", "a number"),
            ("boolean", "true or false"),
        ];
        names.into_iter().find(|(name, _)| self.is(name)).map_or("text", |(_, words)| words)
    }

    fn explains_itself(self) -> bool {
        self.0.get("x-value").is_some()
    }

    fn holds_secret(self) -> bool {
        self.0.get("writeOnly") == Some(&Value::Bool(true))
    }

    fn text(self, keyword: &str) -> Option<&'s str> {
        self.0.get(keyword).and_then(Value::as_str)
    }
}

fn is_secret_reference(value: &DeValue<'_>) -> bool {
    value.as_str().is_some_and(|text| SecretRef::from_text(text).is_ok())
}

fn integer_value(number: &DeInteger<'_>) -> Option<f64> {
    i128::from_str_radix(number.as_str(), number.radix()).ok().map(|number| number as f64)
}

fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

fn quoted_list(values: &[&str]) -> String {
    values.iter().map(|value| format!("{value:?}")).collect::<Vec<_>>().join(", ")
}

/// A key as TOML writes it.
fn toml_key(key: &str) -> Cow<'_, str> {
    let is_bare = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if key.bytes().all(is_bare) { Cow::Borrowed(key) } else { Cow::Owned(format!("{key:?}")) }
}

/// A JSON value as TOML writes it.
fn toml_value(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(toml_value).collect::<Vec<_>>().join(", ")),
        Value::Object(object) => {
            let entries: Vec<_> = object
                .iter()
                .map(|(key, value)| format!("{} = {}", toml_key(key), toml_value(value)))
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
        scalar => scalar.to_string(),
    }
}
