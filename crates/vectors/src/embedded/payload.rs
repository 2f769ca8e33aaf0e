//! The fields of points in qdrant's terms: payloads, the indexes over them, and filters.

use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mainstay_domain::ChunkId;
use qdrant_edge as qdrant;
use qdrant_edge::external::ordered_float::OrderedFloat;

use crate::filter::{FieldValues, Fields, Filter};
use crate::port::Point;

/// The fields of a shard that have an index. A field gets one with its first point: without, a filter would read the
/// payload of every candidate.
#[derive(Debug, Default)]
pub(super) struct IndexedFields(Mutex<HashSet<String>>);

impl IndexedFields {
    /// Those that the shard had when it was opened.
    pub(super) fn of(info: &qdrant::ShardInfo) -> Self {
        Self(Mutex::new(info.payload_schema.keys().map(|path| path.first_key.clone()).collect()))
    }

    /// The indexes that these points need and that are not there.
    pub(super) fn missing(&self, points: &[Point]) -> Vec<qdrant::CreateIndex> {
        let known = self.lock();
        let mut missing: BTreeMap<&str, qdrant::PayloadSchemaParams> = BTreeMap::new();
        for (name, values) in points.iter().flat_map(|point| point.fields.iter()) {
            if !known.contains(name) && !missing.contains_key(name.as_str()) {
                missing.insert(name, index_of(values));
            }
        }
        let create = |(name, params)| qdrant::CreateIndex {
            field_name: path(name),
            field_schema: Some(qdrant::PayloadFieldSchema::FieldParams(params)),
        };
        missing.into_iter().map(create).collect()
    }

    /// The field has an index now.
    pub(super) fn add(&self, name: String) {
        self.lock().insert(name);
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The index of a field. Texts get links of their own in the graph; for numbers, each range of values would need some, and
/// the graph would take as long again to build for every field of numbers.
fn index_of(values: &FieldValues) -> qdrant::PayloadSchemaParams {
    match values {
        FieldValues::Texts(_) => qdrant::PayloadSchemaParams::Keyword(qdrant::KeywordIndexParams {
            on_disk: Some(true),
            ..qdrant::KeywordIndexParams::default()
        }),
        FieldValues::Numbers(_) => qdrant::PayloadSchemaParams::Float(qdrant::FloatIndexParams {
            on_disk: Some(true),
            enable_hnsw: Some(false),
            ..qdrant::FloatIndexParams::default()
        }),
    }
}

/// The fields of a point as qdrant stores them.
pub(super) fn stored_fields(fields: &Fields) -> qdrant::Payload {
    let stored = fields.iter().map(|(name, values)| {
        let values = match values {
            FieldValues::Texts(texts) => serde_json::Value::from(texts.as_slice()),
            FieldValues::Numbers(numbers) => serde_json::Value::from(numbers.as_slice()),
        };
        (name.clone(), values)
    });
    qdrant::Payload(stored.collect())
}

/// A filter as qdrant has it.
pub(super) fn engine_filter(filter: &Filter) -> qdrant::Filter {
    match filter {
        Filter::All(filters) => {
            qdrant::Filter { must: Some(filters.iter().map(condition).collect()), ..qdrant::Filter::new() }
        }
        one => qdrant::Filter::new_must(condition(one)),
    }
}

/// A filter that every point passes.
pub(super) fn everything() -> qdrant::Filter {
    qdrant::Filter::new_must_not(nothing())
}

/// A filter that leaves of some points those that fit another.
pub(super) fn engine_filter_among(
    points: impl Iterator<Item = ChunkId>,
    filter: Option<&Filter>,
) -> qdrant::Filter {
    let among = qdrant::Condition::HasId(points.map(|chunk| qdrant::PointId::NumId(chunk.0)).collect());
    let must = std::iter::once(among).chain(filter.map(condition)).collect();
    qdrant::Filter { must: Some(must), ..qdrant::Filter::new() }
}

fn condition(filter: &Filter) -> qdrant::Condition {
    match filter {
        Filter::All(_) => qdrant::Condition::Filter(engine_filter(filter)),
        // An empty list of alternatives would be no condition at all.
        Filter::Any(filters) if filters.is_empty() => nothing(),
        Filter::Any(filters) => qdrant::Condition::Filter(qdrant::Filter {
            should: Some(filters.iter().map(condition).collect()),
            ..qdrant::Filter::new()
        }),
        Filter::Not(filter) => qdrant::Condition::Filter(qdrant::Filter::new_must_not(condition(filter))),
        Filter::OneOf { texts, .. } if texts.is_empty() => nothing(),
        Filter::OneOf { field, texts } => {
            let any = qdrant::AnyVariants::Strings(texts.iter().cloned().collect());
            let one_of = qdrant::Match::Any(qdrant::MatchAny { any });
            qdrant::Condition::Field(qdrant::FieldCondition::new_match(path(field), one_of))
        }
        Filter::Between { field, from, to } => {
            qdrant::Condition::Field(qdrant::FieldCondition::new_range(path(field), range(*from, *to)))
        }
        Filter::Exists { field } => {
            qdrant::Condition::Field(qdrant::FieldCondition::new_is_empty(path(field), false))
        }
    }
}

/// No point has an id of none.
fn nothing() -> qdrant::Condition {
    qdrant::Condition::HasId(std::iter::empty().collect())
}

fn range(from: Bound<f64>, to: Bound<f64>) -> qdrant::Range<OrderedFloat<f64>> {
    let split = |bound| match bound {
        Bound::Included(number) => (Some(OrderedFloat(number)), None),
        Bound::Excluded(number) => (None, Some(OrderedFloat(number))),
        Bound::Unbounded => (None, None),
    };
    let ((gte, gt), (lte, lt)) = (split(from), split(to));
    qdrant::Range { lt, gt, gte, lte }
}

/// The path of a field: its name, whatever is in it.
fn path(name: &str) -> qdrant::JsonPath {
    qdrant::JsonPath { first_key: name.to_owned(), rest: Vec::new() }
}
