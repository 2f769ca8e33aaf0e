//! Filters as callers write them, in the form that vector databases have taken from MongoDB:
//! `{"year": {"$gte": 2020}, "$or": [{"author": "Ada"}, {"tags": {"$in": ["red", "blue"]}}]}`.

use std::ops::Bound;

use mainstay_domain::filter::{Range, Test};
use mainstay_domain::metadata::{FieldValue, is_exact};
use mainstay_domain::{Filter, Metadata, Timestamp};
use serde_json::{Map, Value};

use crate::error::RequestError;
use crate::json::checked::{self, Path};

/// How deep conditions may be nested in `$and`, `$or` and `$not`.
const MOST_LEVELS: usize = 8;
/// Most conditions and values of a filter.
const MOST_PARTS: usize = 1_000;

/// Reads a filter. `null` is none. `name` is what errors call it.
pub fn decode_filter(value: Value, name: &str) -> Result<Option<Filter>, RequestError> {
    Reader { parts: 0 }.filter(value, &Path::Root.field(name))
}

/// Reads the field `mainstay` of a request: what its own API has no place for.
pub(crate) fn decode_extension(value: Value, path: &Path<'_>) -> Result<Option<Filter>, RequestError> {
    let mut filter = None;
    for (name, value) in checked::object(value, path)?.unwrap_or_default() {
        let path = path.field(&name);
        match name.as_str() {
            "filter" => filter = Reader { parts: 0 }.filter(value, &path)?,
            _ => {
                return Err(RequestError::invalid_value(&path, "is not known; `mainstay` may have `filter`"));
            }
        }
    }
    Ok(filter)
}

/// Reads one filter and counts what is in it.
struct Reader {
    parts: usize,
}

impl Reader {
    fn filter(&mut self, value: Value, path: &Path<'_>) -> Result<Option<Filter>, RequestError> {
        let conditions = checked::object(value, path)?;
        conditions.map(|conditions| self.conditions(conditions, path, MOST_LEVELS)).transpose()
    }

    /// An object: all of its conditions hold.
    fn conditions(
        &mut self,
        conditions: Map<String, Value>,
        path: &Path<'_>,
        levels: usize,
    ) -> Result<Filter, RequestError> {
        // One without conditions is a condition that always holds.
        if conditions.is_empty() {
            self.count(path)?;
        }
        let mut filters = Vec::with_capacity(conditions.len());
        for (name, value) in conditions {
            self.count(path)?;
            let path = path.field(&name);
            filters.push(match name.as_str() {
                "$and" => Filter::All(self.alternatives(value, &path, levels)?),
                "$or" => Filter::Any(self.alternatives(value, &path, levels)?),
                "$not" => Filter::Not(Box::new(self.nested(value, &path, levels)?)),
                operator if operator.starts_with('$') => {
                    return Err(RequestError::invalid_value(
                        &path,
                        "is not known; between conditions there are `$and`, `$or` and `$not`",
                    ));
                }
                _ => self.field(&name, value, &path)?,
            });
        }
        Ok(match <[Filter; 1]>::try_from(filters) {
            Ok([one]) => one,
            Err(filters) => Filter::All(filters),
        })
    }

    fn alternatives(
        &mut self,
        value: Value,
        path: &Path<'_>,
        levels: usize,
    ) -> Result<Vec<Filter>, RequestError> {
        let Some(items) = checked::nonempty_array(value, path)? else {
            return Err(RequestError::missing(path));
        };
        let nested = |(index, item)| self.nested(item, &path.index(index), levels);
        items.into_iter().enumerate().map(nested).collect()
    }

    fn nested(&mut self, value: Value, path: &Path<'_>, levels: usize) -> Result<Filter, RequestError> {
        let Some(levels) = levels.checked_sub(1) else {
            return Err(RequestError::invalid_value(
                path,
                format_args!(
                    "is nested too deeply; `$and`, `$or` and `$not` have at most {MOST_LEVELS} levels"
                ),
            ));
        };
        let conditions = checked::required_object(value, path)?;
        self.conditions(conditions, path, levels)
    }

    /// What is asked of a field: a value, or operators that all hold.
    fn field(&mut self, name: &str, value: Value, path: &Path<'_>) -> Result<Filter, RequestError> {
        let test = |test| Filter::Field { name: name.to_owned(), test };
        let Value::Object(operators) = value else {
            return Ok(test(Test::OneOf(vec![self.operand(value, path)?])));
        };
        if operators.is_empty() {
            return Err(RequestError::invalid_value(path, "needs a value or an operator such as `$eq`"));
        }
        let mut filters = Vec::new();
        let mut bounds = Bounds::default();
        for (operator, value) in operators {
            let path = path.field(&operator);
            match operator.as_str() {
                "$eq" => filters.push(test(Test::OneOf(vec![self.operand(value, &path)?]))),
                "$ne" => {
                    let equal = test(Test::OneOf(vec![self.operand(value, &path)?]));
                    filters.push(Filter::Not(Box::new(equal)));
                }
                "$in" => filters.push(test(Test::OneOf(self.operands(value, &path)?))),
                "$nin" => {
                    let one_of = test(Test::OneOf(self.operands(value, &path)?));
                    filters.push(Filter::Not(Box::new(one_of)));
                }
                "$gt" | "$gte" | "$lt" | "$lte" => {
                    self.count(&path)?;
                    bounds.add(&operator, value, &path)?;
                }
                "$exists" => {
                    let exists = test(Test::Exists);
                    filters.push(match checked::boolean(value, &path)? {
                        Some(false) => Filter::Not(Box::new(exists)),
                        Some(true) => exists,
                        None => {
                            return Err(RequestError::invalid_value(
                                &path,
                                "must be true or false, not null",
                            ));
                        }
                    });
                }
                _ => {
                    return Err(RequestError::invalid_value(
                        &path,
                        "is not known; a field has `$eq`, `$ne`, `$in`, `$nin`, `$gt`, `$gte`, `$lt`, `$lte` and \
                         `$exists`",
                    ));
                }
            }
        }
        filters.extend(bounds.into_test(path)?.map(test));
        Ok(match <[Filter; 1]>::try_from(filters) {
            Ok([one]) => one,
            Err(filters) => Filter::All(filters),
        })
    }

    fn operands(&mut self, value: Value, path: &Path<'_>) -> Result<Vec<FieldValue>, RequestError> {
        let Value::Array(values) = value else { return Err(checked::wrong_type(&value, path, "an array")) };
        let operand = |(index, value)| self.operand(value, &path.index(index));
        values.into_iter().enumerate().map(operand).collect()
    }

    /// A value to be equal to. A string stays one: whether it is a date, the field's own values decide.
    fn operand(&mut self, value: Value, path: &Path<'_>) -> Result<FieldValue, RequestError> {
        self.count(path)?;
        match value {
            Value::String(text) if text.len() > Metadata::LONGEST_TEXT => Err(RequestError::invalid_value(
                path,
                format_args!("is longer than {} bytes, as no value of a field is", Metadata::LONGEST_TEXT),
            )),
            Value::String(text) => Ok(FieldValue::Text(text)),
            Value::Number(ref number) => Ok(FieldValue::Number(exact(number, path)?)),
            Value::Bool(flag) => Ok(FieldValue::Flag(flag)),
            Value::Null => Err(RequestError::invalid_value(
                path,
                "must not be null; `{\"$exists\": false}` asks for documents without the field",
            )),
            Value::Array(_) => Err(RequestError::invalid_value(
                path,
                "must be one value; `{\"$in\": […]}` asks for one of several",
            )),
            Value::Object(_) => Err(checked::wrong_type(&value, path, "a string, a number, true or false")),
        }
    }

    fn count(&mut self, path: &Path<'_>) -> Result<(), RequestError> {
        self.parts += 1;
        if self.parts > MOST_PARTS {
            return Err(RequestError::invalid_value(
                path,
                format_args!("makes the filter too large; it may have {MOST_PARTS} conditions and values"),
            ));
        }
        Ok(())
    }
}

fn exact(number: &serde_json::Number, path: &Path<'_>) -> Result<f64, RequestError> {
    number.as_f64().filter(|_| is_exact(number)).ok_or_else(|| {
        RequestError::invalid_value(path, "is a number beyond 2^53, which would be rounded; compare strings")
    })
}

/// The bounds of a field, until all are read.
#[derive(Default)]
struct Bounds {
    from: Option<Bound<Ordered>>,
    to: Option<Bound<Ordered>>,
}

#[derive(Clone, Copy)]
enum Ordered {
    Number(f64),
    Date(Timestamp),
}

impl Bounds {
    fn add(&mut self, operator: &str, value: Value, path: &Path<'_>) -> Result<(), RequestError> {
        let operand = match &value {
            Value::Number(number) => Ordered::Number(exact(number, path)?),
            Value::String(text) => match Timestamp::parse_rfc3339(text) {
                Some(moment) => Ordered::Date(moment),
                None => {
                    return Err(RequestError::invalid_value(
                        path,
                        "must be a number, or a date as in \"2024-03-01\" or \"2024-03-01T12:00:00Z\"",
                    ));
                }
            },
            other => return Err(checked::wrong_type(other, path, "a number or a date")),
        };
        let (side, bound) = match operator {
            "$gt" => (&mut self.from, Bound::Excluded(operand)),
            "$gte" => (&mut self.from, Bound::Included(operand)),
            "$lt" => (&mut self.to, Bound::Excluded(operand)),
            _ => (&mut self.to, Bound::Included(operand)),
        };
        if side.replace(bound).is_some() {
            return Err(RequestError::invalid_value(path, "is a second bound on the same side; keep one"));
        }
        Ok(())
    }

    fn into_test(self, path: &Path<'_>) -> Result<Option<Test>, RequestError> {
        if self.from.is_none() && self.to.is_none() {
            return Ok(None);
        }
        let (from, to) = (self.from.unwrap_or(Bound::Unbounded), self.to.unwrap_or(Bound::Unbounded));
        let numbers = (all(from, Ordered::number), all(to, Ordered::number));
        let dates = (all(from, Ordered::date), all(to, Ordered::date));
        match (numbers, dates) {
            ((Some(from), Some(to)), _) => Ok(Some(Test::Numbers(Range { from, to }))),
            (_, (Some(from), Some(to))) => Ok(Some(Test::Dates(Range { from, to }))),
            _ => {
                Err(RequestError::invalid_value(path, "has a number for one bound and a date for the other"))
            }
        }
    }
}

impl Ordered {
    fn number(self) -> Option<f64> {
        if let Self::Number(number) = self { Some(number) } else { None }
    }

    fn date(self) -> Option<Timestamp> {
        if let Self::Date(moment) = self { Some(moment) } else { None }
    }
}

/// The bound, where what it is made of is of one kind.
fn all<T>(bound: Bound<Ordered>, of: impl Fn(Ordered) -> Option<T>) -> Option<Bound<T>> {
    match bound {
        Bound::Included(ordered) => of(ordered).map(Bound::Included),
        Bound::Excluded(ordered) => of(ordered).map(Bound::Excluded),
        Bound::Unbounded => Some(Bound::Unbounded),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> Result<Option<Filter>, RequestError> {
        decode_filter(value, "filter")
    }

    fn field(name: &str, test: Test) -> Filter {
        Filter::Field { name: name.to_owned(), test }
    }

    fn text(text: &str) -> FieldValue {
        FieldValue::Text(text.to_owned())
    }

    #[test]
    fn conditions_are_read_in_all_their_forms() {
        let day = Timestamp::parse_rfc3339("2024-03-01").unwrap();
        let not = |filter| Filter::Not(Box::new(filter));
        let numbers = |from, to| Test::Numbers(Range { from, to });
        for (written, meant) in [
            (json!({}), Filter::All(vec![])),
            (json!({ "a": "x" }), field("a", Test::OneOf(vec![text("x")]))),
            (json!({ "a": { "$eq": 1.5 } }), field("a", Test::OneOf(vec![FieldValue::Number(1.5)]))),
            (json!({ "a": { "$ne": true } }), not(field("a", Test::OneOf(vec![FieldValue::Flag(true)])))),
            (json!({ "a": { "$in": ["x", "y"] } }), field("a", Test::OneOf(vec![text("x"), text("y")]))),
            (json!({ "a": { "$nin": [] } }), not(field("a", Test::OneOf(vec![])))),
            (
                json!({ "a": { "$gt": 1, "$lte": 2 } }),
                field("a", numbers(Bound::Excluded(1.0), Bound::Included(2.0))),
            ),
            (json!({ "a": { "$lt": -1 } }), field("a", numbers(Bound::Unbounded, Bound::Excluded(-1.0)))),
            (
                json!({ "a": { "$gte": "2024-03-01" } }),
                field("a", Test::Dates(Range { from: Bound::Included(day), to: Bound::Unbounded })),
            ),
            (json!({ "a": { "$exists": true } }), field("a", Test::Exists)),
            (json!({ "a": { "$exists": false } }), not(field("a", Test::Exists))),
            (
                json!({ "a": { "$exists": true, "$ne": 1 }, "b": "x" }),
                Filter::All(vec![
                    Filter::All(vec![
                        field("a", Test::Exists),
                        not(field("a", Test::OneOf(vec![FieldValue::Number(1.0)]))),
                    ]),
                    field("b", Test::OneOf(vec![text("x")])),
                ]),
            ),
            (
                json!({ "$or": [{ "a": "x" }, { "$not": { "$and": [{ "b": 1 }] } }] }),
                Filter::Any(vec![
                    field("a", Test::OneOf(vec![text("x")])),
                    not(Filter::All(vec![field("b", Test::OneOf(vec![FieldValue::Number(1.0)]))])),
                ]),
            ),
        ] {
            assert_eq!(read(written.clone()), Ok(Some(meant)), "{written}");
        }
        assert_eq!(read(Value::Null), Ok(None));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        let values: Vec<u32> = (0..1_001).collect();
        for (written, param, part) in [
            (json!([]), "filter", "must be an object, not an array"),
            (json!("year > 3"), "filter", "must be an object"),
            (json!({ "a": [1] }), "filter.a", "`{\"$in\": […]}`"),
            (json!({ "a": null }), "filter.a", "`{\"$exists\": false}`"),
            (json!({ "a": {} }), "filter.a", "needs a value"),
            (json!({ "a": { "b": 1 } }), "filter.a.b", "`$gte`"),
            (json!({ "a": { "$regex": "x" } }), "filter.a.$regex", "is not known"),
            (json!({ "$nor": [] }), "filter.$nor", "`$and`, `$or` and `$not`"),
            (json!({ "$or": [] }), "filter.$or", "must not be an empty array"),
            (json!({ "$or": null }), "filter.$or", "is required"),
            (json!({ "$or": [{ "a": 1 }, 3] }), "filter.$or[1]", "must be an object, not a number"),
            (json!({ "$not": [] }), "filter.$not", "must be an object"),
            (json!({ "a": { "$in": "x" } }), "filter.a.$in", "must be an array"),
            (json!({ "a": { "$in": [[1]] } }), "filter.a.$in[0]", "must be one value"),
            (json!({ "a": { "$gte": "soon" } }), "filter.a.$gte", "must be a number, or a date"),
            (json!({ "a": { "$gte": true } }), "filter.a.$gte", "must be a number or a date"),
            (json!({ "a": { "$gte": 1, "$gt": 2 } }), "filter.a.$gt", "a second bound"),
            (json!({ "a": { "$gte": 1, "$lt": "2024-03-01" } }), "filter.a", "a date for the other"),
            (json!({ "a": 9_007_199_254_740_993_u64 }), "filter.a", "beyond 2^53"),
            (json!({ "a": "x".repeat(1_025) }), "filter.a", "longer than 1024 bytes"),
            (json!({ "a": { "$exists": null } }), "filter.a.$exists", "must be true or false"),
            (json!({ "a": { "$in": values } }), "filter.a.$in[999]", "makes the filter too large"),
            (json!({ "$or": vec![json!({}); 1_001] }), "filter.$or[999]", "makes the filter too large"),
        ] {
            let error = read(written.clone()).unwrap_err();
            assert_eq!(error.param.as_deref(), Some(param), "{written}: {error}");
            assert!(error.message.contains(part), "{written}: {error}");
        }
    }

    #[test]
    fn a_filter_may_be_nested_to_its_limit_and_no_deeper() {
        let nested = |levels| (0..levels).fold(json!({ "a": 1 }), |inner, _| json!({ "$not": inner }));
        assert!(read(nested(MOST_LEVELS)).is_ok());
        let error = read(nested(MOST_LEVELS + 1)).unwrap_err();
        assert!(error.message.contains("nested too deeply"), "{error}");
    }

    #[test]
    fn the_extension_of_a_request_has_a_filter_and_nothing_else() {
        let read = |value| decode_extension(value, &Path::Root.field("mainstay"));
        assert_eq!(
            read(json!({ "filter": { "a": "x" } })),
            Ok(Some(field("a", Test::OneOf(vec![text("x")]))))
        );
        assert_eq!(read(json!({})), Ok(None));
        assert_eq!(read(json!({ "fliter": {} })).unwrap_err().param.as_deref(), Some("mainstay.fliter"));
        assert_eq!(read(json!({ "filter": 3 })).unwrap_err().param.as_deref(), Some("mainstay.filter"));
    }
}
