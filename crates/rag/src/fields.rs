//! The fields of a corpus: what points carry of a document, and what a filter means there.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use mainstay_domain::filter::{Range, Test};
use mainstay_domain::metadata::{BUILTIN_FIELDS, FieldKind, FieldValue};
use mainstay_domain::port::RetrievalError;
use mainstay_domain::{CorpusName, DocumentId, Filter, Metadata, Timestamp};
use mainstay_store::documents::IndexableDocument;
use mainstay_vectors::{FieldValues, Fields, Filter as IndexFilter};

/// The fields that the documents of a corpus have, with the kinds of their values, the built-in ones included.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct CorpusFields(BTreeMap<String, BTreeSet<FieldKind>>);

/// Fields of the metadata of a corpus, a field with values of two kinds counted twice: each has an index of its own.
const MOST_FIELDS: usize = 64;

impl CorpusFields {
    /// The fields of a corpus whose metadata have these.
    pub(crate) fn new(fields: impl IntoIterator<Item = (String, FieldKind)>) -> Self {
        let builtin = BUILTIN_FIELDS.into_iter().map(|(name, kind)| (name.to_owned(), kind));
        let mut known = Self(BTreeMap::new());
        for (name, kind) in builtin.chain(fields) {
            known.0.entry(name).or_default().insert(kind);
        }
        known
    }

    /// Adds the fields of a document, unless the corpus would have too many: then the error says so.
    pub(crate) fn admit(&mut self, metadata: &Metadata) -> Result<(), String> {
        let mut with = self.clone();
        for (name, values) in metadata.fields() {
            let kinds = with.0.entry(name.to_owned()).or_default();
            kinds.extend(values.iter().map(FieldValue::kind));
        }
        let most = MOST_FIELDS + BUILTIN_FIELDS.len();
        if with.count() > most && with.count() > self.count() {
            let is_new = |name: &&String| !self.0.contains_key(*name);
            let new: Vec<&str> = with.0.keys().filter(is_new).map(String::as_str).collect();
            return Err(format!(
                "the corpus has {} metadata fields and can have {MOST_FIELDS}; this document would add {}. Put what \
                 varies into the values of fewer fields",
                self.count() - BUILTIN_FIELDS.len(),
                if new.is_empty() {
                    "values of another type to one of them".to_owned()
                } else {
                    new.join(", ")
                }
            ));
        }
        *self = with;
        Ok(())
    }

    fn count(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum()
    }

    /// What a filter means for the index; where it does not fit the fields of the corpus, the error says why.
    pub(crate) fn resolve(
        &self,
        filter: &Filter,
        corpus: &CorpusName,
    ) -> Result<IndexFilter, RetrievalError> {
        let all = |filters: &[Filter]| -> Result<Vec<IndexFilter>, RetrievalError> {
            filters.iter().map(|filter| self.resolve(filter, corpus)).collect()
        };
        match filter {
            Filter::All(filters) => Ok(IndexFilter::All(all(filters)?)),
            Filter::Any(filters) => Ok(IndexFilter::Any(all(filters)?)),
            Filter::Not(filter) => Ok(IndexFilter::Not(Box::new(self.resolve(filter, corpus)?))),
            Filter::Field { name, test } => {
                let unfit = |message| RetrievalError::InvalidFilter { field: name.clone(), message };
                let Some(kinds) = self.0.get(name) else {
                    return Err(unfit(format!(
                        "the filter names the field {name:?}, which no document of the corpus {corpus:?} has; there is: {}",
                        self.describe()
                    )));
                };
                self.resolve_test(name, kinds, test).map_err(unfit)
            }
        }
    }

    fn resolve_test(
        &self,
        name: &str,
        kinds: &BTreeSet<FieldKind>,
        test: &Test,
    ) -> Result<IndexFilter, String> {
        let expect = |kind: FieldKind, what: &str| {
            if kinds.contains(&kind) {
                return Ok(());
            }
            Err(format!(
                "the filter compares the field {name:?} with {what}, and its values are of the type {}; there is: {}",
                names_of(kinds),
                self.describe()
            ))
        };
        match test {
            Test::Exists => {
                let exists = |kind: &FieldKind| IndexFilter::Exists { field: index_name(name, *kind) };
                Ok(IndexFilter::Any(kinds.iter().map(exists).collect()))
            }
            Test::Numbers(Range { from, to }) => {
                expect(FieldKind::Number, "numbers")?;
                Ok(between(name, FieldKind::Number, *from, *to))
            }
            Test::Dates(Range { from, to }) => {
                expect(FieldKind::Date, "dates")?;
                Ok(between(name, FieldKind::Date, from.map(number_of), to.map(number_of)))
            }
            Test::OneOf(values) => {
                for value in values {
                    match value {
                        FieldValue::Text(_) if kinds.contains(&FieldKind::Text) => {}
                        FieldValue::Text(text) if Timestamp::parse_rfc3339(text).is_some() => {
                            expect(FieldKind::Date, "a date")?;
                        }
                        FieldValue::Text(_) => expect(FieldKind::Text, "a string that is no date")?,
                        FieldValue::Date(_) => expect(FieldKind::Date, "a date")?,
                        FieldValue::Number(_) => expect(FieldKind::Number, "a number")?,
                        FieldValue::Flag(_) => expect(FieldKind::Flag, "true or false")?,
                    }
                }
                Ok(one_of(name, values))
            }
        }
    }

    /// The fields and the types of their values, for people.
    fn describe(&self) -> String {
        let fields: Vec<String> =
            self.0.iter().map(|(name, kinds)| format!("{name} ({})", names_of(kinds))).collect();
        fields.join(", ")
    }
}

/// What the index keeps of a document beside its words.
pub(crate) fn index_fields(
    document: &DocumentId,
    language: Option<&str>,
    media_type: &str,
    accepted_at: Timestamp,
    metadata: &Metadata,
) -> Arc<Fields> {
    let text = |text: &str| vec![FieldValue::Text(text.to_owned())];
    let builtin = [
        ("doc_id", text(document.as_str())),
        ("language", language.map(text).unwrap_or_default()),
        ("media_type", text(media_type)),
        ("updated_at", vec![FieldValue::Date(accepted_at)]),
    ];
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut numbers: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (name, values) in builtin.into_iter().chain(metadata.fields()) {
        for value in values {
            let name = index_name(name, value.kind());
            match value {
                FieldValue::Text(text) => texts.entry(name).or_default().push(text),
                FieldValue::Flag(flag) => texts.entry(name).or_default().push(flag.to_string()),
                FieldValue::Number(number) => numbers.entry(name).or_default().push(number),
                FieldValue::Date(moment) => numbers.entry(name).or_default().push(number_of(moment)),
            }
        }
    }
    let texts = texts.into_iter().map(|(name, texts)| (name, FieldValues::Texts(texts)));
    let numbers = numbers.into_iter().map(|(name, numbers)| (name, FieldValues::Numbers(numbers)));
    Arc::new(texts.chain(numbers).collect())
}

/// The same of a document that was read back.
pub(crate) fn index_fields_of(document: &IndexableDocument) -> Arc<Fields> {
    index_fields(
        &document.doc_id,
        document.language.as_deref(),
        &document.media_type,
        document.accepted_at,
        &document.metadata,
    )
}

/// Under which name the index has the values of one kind of a field: there, all values of a name are of one kind.
fn index_name(name: &str, kind: FieldKind) -> String {
    format!("{}_{name}", kind.as_str())
}

/// A moment as the index orders it: microseconds since 1970, exact to the year 2255 and rounded to a few beyond.
fn number_of(moment: Timestamp) -> f64 {
    moment.as_micros() as f64
}

fn one_of(name: &str, values: &[FieldValue]) -> IndexFilter {
    let (mut texts, mut flags, mut alternatives) = (Vec::new(), Vec::new(), Vec::new());
    let mut exactly = |kind, number| {
        alternatives.push(between(name, kind, Bound::Included(number), Bound::Included(number)));
    };
    for value in values {
        match value {
            FieldValue::Text(text) => {
                if let Some(moment) = Timestamp::parse_rfc3339(text) {
                    exactly(FieldKind::Date, number_of(moment));
                }
                texts.push(text.clone());
            }
            FieldValue::Flag(flag) => flags.push(flag.to_string()),
            FieldValue::Number(number) => exactly(FieldKind::Number, *number),
            FieldValue::Date(moment) => exactly(FieldKind::Date, number_of(*moment)),
        }
    }
    for (kind, texts) in [(FieldKind::Text, texts), (FieldKind::Flag, flags)] {
        if !texts.is_empty() {
            alternatives.push(IndexFilter::OneOf { field: index_name(name, kind), texts });
        }
    }
    IndexFilter::Any(alternatives)
}

fn between(name: &str, kind: FieldKind, from: Bound<f64>, to: Bound<f64>) -> IndexFilter {
    IndexFilter::Between { field: index_name(name, kind), from, to }
}

fn names_of(kinds: &BTreeSet<FieldKind>) -> String {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    names.join(" and ")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn metadata(fields: Value) -> Metadata {
        let Value::Object(fields) = fields else { panic!("an object") };
        Metadata::new(fields).unwrap()
    }

    fn known() -> CorpusFields {
        let mut known = CorpusFields::new([]);
        let fields = json!({ "year": 2024, "release": "2024-03-01", "author": "Ada", "draft": true, "tags": ["a", "2024-03-01"] });
        known.admit(&metadata(fields)).unwrap();
        known
    }

    fn points_with(fields: Value) -> Arc<Fields> {
        index_fields(
            &DocumentId::new("2024-01-05"),
            Some("en"),
            "text/plain",
            Timestamp::from_micros(1_000_000),
            &metadata(fields),
        )
    }

    fn is_one_of(name: &str, values: &[Value]) -> Filter {
        let value = |value: &Value| match value {
            Value::String(text) => FieldValue::Text(text.clone()),
            other => FieldValue::of_json(other).unwrap(),
        };
        Filter::Field { name: name.to_owned(), test: Test::OneOf(values.iter().map(value).collect()) }
    }

    fn fits(filter: &Filter, fields: Value) -> bool {
        known().resolve(filter, &CorpusName::new("c")).unwrap().matches(&points_with(fields))
    }

    #[test]
    fn values_are_compared_with_those_of_their_kind() {
        assert!(fits(&is_one_of("year", &[json!(2023), json!(2024)]), json!({ "year": 2024.0 })));
        assert!(fits(&is_one_of("draft", &[json!(true)]), json!({ "draft": true })));
        assert!(!fits(&is_one_of("draft", &[json!(false)]), json!({ "draft": true })));
        assert!(fits(&is_one_of("author", &[json!("Ada")]), json!({ "author": "Ada" })));
        assert!(!fits(&is_one_of("author", &[json!("ada")]), json!({ "author": "Ada" })));
        // One moment, written in two ways.
        let noon = is_one_of("release", &[json!("2024-03-01T12:00:00Z")]);
        assert!(fits(&noon, json!({ "release": "2024-03-01T14:00:00+02:00" })));
        let tag = is_one_of("tags", &[json!("2024-03-01")]);
        assert!(fits(&tag, json!({ "tags": ["x", "2024-03-01"] })) && !fits(&tag, json!({ "tags": ["x"] })));
    }

    #[test]
    fn an_id_that_looks_like_a_date_is_found_as_the_text_that_it_is() {
        assert!(fits(&is_one_of("doc_id", &[json!("2024-01-05")]), json!({})));
        assert!(!fits(&is_one_of("doc_id", &[json!("2024-01-05T00:00:00Z")]), json!({})));
    }

    #[test]
    fn a_field_or_a_type_that_the_corpus_lacks_is_named_with_those_that_it_has() {
        let text = |filter: &Filter| known().resolve(filter, &CorpusName::new("c")).unwrap_err().to_string();
        let error = text(&is_one_of("color", &[json!("red")]));
        assert!(error.contains("the field \"color\"") && error.contains("corpus \"c\""), "{error}");
        assert!(error.contains("author (string), doc_id (string), draft (boolean)"), "{error}");
        assert!(error.contains("tags (string and date)") && error.contains("updated_at (date)"), "{error}");

        let numbers = Range { from: Bound::Included(1.0), to: Bound::Unbounded };
        let range = |name: &str| Filter::Field { name: name.to_owned(), test: Test::Numbers(numbers) };
        let error = text(&Filter::Not(Box::new(Filter::All(vec![range("author")]))));
        assert!(error.contains("\"author\" with numbers") && error.contains("the type string;"), "{error}");
        let error = text(&is_one_of("year", &[json!(1), json!("2024")]));
        assert!(error.contains("\"year\" with a string that is no date"), "{error}");
        let error = text(&is_one_of("release", &[json!("soon")]));
        assert!(error.contains("the type date"), "{error}");
    }

    #[test]
    fn a_corpus_has_only_so_many_fields() {
        let mut known = CorpusFields::new([]);
        for number in 0..64 {
            known.admit(&metadata(json!({ format!("f{number}"): 1 }))).unwrap();
        }
        let error = known.admit(&metadata(json!({ "one_more": 1 }))).unwrap_err();
        assert!(error.contains("has 64 metadata fields") && error.contains("one_more"), "{error}");
        assert!(known.admit(&metadata(json!({ "f1": "text" }))).is_err(), "another kind is another index");
        known.admit(&metadata(json!({ "f1": 7 }))).unwrap();
    }
}
