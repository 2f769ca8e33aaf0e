//! From the text of a file to its raw type, with every problem on the way and not only the first.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::findings::Findings;
use super::path::{KeyPath, Step};
use super::schema::{Shape, schema_of};
use super::spans::Spans;
use super::syntax;

/// What reading a file gave.
#[derive(Debug)]
pub struct Reading<T> {
    /// What the file says, without what was bad in it, so that checks can find more; `None` when it is not TOML.
    pub value: Option<T>,
    /// The problems so far. The file may be used only if there are none in the end.
    pub findings: Findings,
}

/// Reads a file.
///
/// What the schema forbids (unknown keys, wrong types, numbers beyond their limits) and every value that its type
/// refuses is reported and then taken out, and the rest is read, so that one run finds them all.
pub fn read<T: DeserializeOwned + JsonSchema>(source: &str) -> Reading<T> {
    let (mut root, syntax_errors) = DeTable::parse_recoverable(source);
    let mut findings = Findings::new(Spans::of(&root));
    if !syntax_errors.is_empty() {
        syntax::report(&syntax_errors, source, &mut findings);
        return Reading { value: None, findings };
    }
    let schema = schema_of::<T>();
    let mut bad = Vec::new();
    Shape::new(&schema).inspect_table(root.get_ref(), &KeyPath::root(), &mut findings, &mut bad);
    for path in &bad {
        take_out(root.get_mut(), path.steps());
    }
    let value = read_rest(root, &schema, &mut findings);
    Reading { value, findings }
}

/// Reads a tree whose keys and types are right, taking out each value that its own type refuses.
fn read_rest<T: DeserializeOwned>(
    mut root: Spanned<DeTable<'_>>,
    schema: &Value,
    findings: &mut Findings,
) -> Option<T> {
    loop {
        let document = Spanned::new(root.span(), DeValue::Table(root.get_ref().clone()));
        let error = match T::deserialize(ValueDeserializer::from(document)) {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let path = error.span().map_or(KeyPath::root(), |span| findings.spans().path_at(&span));
        let hint = Shape::new(schema).at(&path).map_or(String::new(), |shape| shape.hint(&path));
        findings.report(&path, error.message(), hint);
        // Every round takes a value out, so the loop ends.
        if !take_out(root.get_mut(), path.steps()) {
            return None;
        }
    }
}

/// Takes a value out; of a list, the whole list. Says whether there was something to take.
fn take_out(table: &mut DeTable<'_>, steps: &[Step]) -> bool {
    let Some((Step::Key(key), rest)) = steps.split_first() else { return false };
    match (rest.first(), table.get_mut(key.as_str()).map(Spanned::get_mut)) {
        (Some(Step::Key(_)), Some(DeValue::Table(inner))) => take_out(inner, rest),
        (_, found) => found.is_some() && table.remove(key.as_str()).is_some(),
    }
}
