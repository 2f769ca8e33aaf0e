//! Reads JSON objects of providers field by field: known fields into their types, unknown ones into a map only when
//! there are any, in one pass. (serde's `flatten` would buffer every field of every chunk first.)

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use mainstay_domain::chat::Extra;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::{Number, Value};

/// What is read from an object.
pub(crate) trait Fields<'de>: Default {
    /// Reads the value of the field `name`. `null` anywhere is the same as the field's absence.
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error>;
}

/// An object, or `null`, which reads as an object without fields.
#[derive(Default, Debug)]
pub(crate) struct Read<T>(pub(crate) T);

impl<'de, T: Fields<'de>> Deserialize<'de> for Read<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldsVisitor(PhantomData)).map(Self)
    }
}

struct FieldsVisitor<T>(PhantomData<T>);

impl<'de, T: Fields<'de>> Visitor<'de> for FieldsVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E: de::Error>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<T, A::Error> {
        let mut fields = T::default();
        while let Some(name) = object.next_key::<Text<'de>>()? {
            fields.field(&name.0, &mut object)?;
        }
        Ok(fields)
    }
}

/// A text, borrowed from the input unless it has escapes.
#[derive(Deserialize, Debug)]
#[serde(transparent)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// The array of a field, with the elements that are objects read as `T`.
pub(crate) fn objects<'de, T: Fields<'de>, A: MapAccess<'de>>(object: &mut A) -> Result<Vec<T>, A::Error> {
    object.next_value_seed(ObjectsSeed(PhantomData))
}

struct ObjectsSeed<T>(PhantomData<T>);

impl<'de, T: Fields<'de>> DeserializeSeed<'de> for ObjectsSeed<T> {
    type Value = Vec<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<T>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Fields<'de>> Visitor<'de> for ObjectsSeed<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Vec<T>, A::Error> {
        let mut items = Vec::new();
        while let Some(Read(item)) = array.next_element::<Read<T>>()? {
            items.push(item);
        }
        Ok(items)
    }
}

/// An object field, `None` when null.
pub(crate) fn object<'de, T: Fields<'de>, A: MapAccess<'de>>(object: &mut A) -> Result<Option<T>, A::Error> {
    Ok(object.next_value::<Option<Read<T>>>()?.map(|read| read.0))
}

/// A text field that is kept.
pub(crate) fn string<'de, A: MapAccess<'de>>(object: &mut A) -> Result<Option<String>, A::Error> {
    object.next_value()
}

/// A text field that is kept unless it is empty: many servers send `""` for "nothing".
pub(crate) fn nonempty<'de, A: MapAccess<'de>>(object: &mut A) -> Result<Option<String>, A::Error> {
    let text = object.next_value::<Option<Text<'de>>>()?;
    Ok(text.filter(|text| !text.0.is_empty()).map(|text| text.0.into_owned()))
}

/// A text field that is only looked at.
pub(crate) fn text<'de, A: MapAccess<'de>>(object: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    Ok(object.next_value::<Option<Text<'de>>>()?.map(|text| text.0))
}

/// A count. Some servers write whole numbers with a fraction.
pub(crate) fn count<'de, A: MapAccess<'de>>(object: &mut A) -> Result<Option<u64>, A::Error> {
    Ok(object.next_value::<Option<Number>>()?.map(|number| match number.as_u64() {
        Some(count) => count,
        None => number.as_f64().unwrap_or_default() as u64,
    }))
}

/// Seconds since 1970, whole or with a fraction.
pub(crate) fn seconds<'de, A: MapAccess<'de>>(object: &mut A) -> Result<Option<i64>, A::Error> {
    Ok(object.next_value::<Option<Number>>()?.map(|number| match number.as_i64() {
        Some(seconds) => seconds,
        None => number.as_f64().unwrap_or_default() as i64,
    }))
}

/// Passes over the value of a field that is understood and not needed.
pub(crate) fn skip<'de, A: MapAccess<'de>>(object: &mut A) -> Result<(), A::Error> {
    object.next_value::<de::IgnoredAny>().map(|_| ())
}

/// Keeps a field without a meaning here, unless it is null.
pub(crate) fn keep<'de, A: MapAccess<'de>>(
    extra: &mut Extra,
    name: &str,
    object: &mut A,
) -> Result<(), A::Error> {
    if let Some(value) = object.next_value::<Option<Value>>()? {
        extra.insert(name.to_owned(), value);
    }
    Ok(())
}
