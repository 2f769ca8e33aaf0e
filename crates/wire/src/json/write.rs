//! Writes JSON straight into a buffer. An [`Object`] or [`Array`] closes itself when it is dropped.

use bytes::{BufMut, BytesMut};
use mainstay_domain::chat::Extra;
use serde::Serialize;
use serde_json::Value;

/// An object that is being written.
pub(crate) struct Object<'a> {
    out: &'a mut BytesMut,
    empty: bool,
}

impl<'a> Object<'a> {
    /// Opens an object.
    pub(crate) fn new(out: &'a mut BytesMut) -> Self {
        out.put_u8(b'{');
        Self { out, empty: true }
    }

    /// Writes `"name":` for a name that needs no escapes; the value is to follow.
    pub(crate) fn key(&mut self, name: &'static str) -> &mut BytesMut {
        self.separate();
        self.out.put_u8(b'"');
        self.out.put_slice(name.as_bytes());
        self.out.put_slice(b"\":");
        self.out
    }

    pub(crate) fn text(&mut self, name: &'static str, value: &str) {
        text(self.key(name), value);
    }

    pub(crate) fn optional_text(&mut self, name: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// The text, or a real `null`.
    pub(crate) fn nullable_text(&mut self, name: &'static str, value: Option<&str>) {
        match value {
            Some(value) => self.text(name, value),
            None => self.null(name),
        }
    }

    pub(crate) fn integer(&mut self, name: &'static str, value: impl itoa::Integer) {
        integer(self.key(name), value);
    }

    pub(crate) fn boolean(&mut self, name: &'static str, value: bool) {
        self.key(name).put_slice(if value { b"true" } else { b"false" });
    }

    pub(crate) fn null(&mut self, name: &'static str) {
        self.key(name).put_slice(b"null");
    }

    /// Anything that serde can write: numbers with a fraction, values passed through.
    pub(crate) fn value(&mut self, name: &'static str, value: &(impl Serialize + ?Sized)) {
        serialize(self.key(name), value);
    }

    pub(crate) fn optional_value(&mut self, name: &'static str, value: Option<&impl Serialize>) {
        if let Some(value) = value {
            self.value(name, value);
        }
    }

    pub(crate) fn object(&mut self, name: &'static str) -> Object<'_> {
        Object::new(self.key(name))
    }

    pub(crate) fn array(&mut self, name: &'static str) -> Array<'_> {
        Array::new(self.key(name))
    }

    /// A field whose name came from outside.
    pub(crate) fn foreign(&mut self, name: &str, value: &Value) {
        self.separate();
        text(self.out, name);
        self.out.put_u8(b':');
        serialize(self.out, value);
    }

    /// Every field of `extra`.
    pub(crate) fn extra(&mut self, extra: &Extra) {
        for (name, value) in extra {
            self.foreign(name, value);
        }
    }

    /// The fields of `extra` whose names are not in `except`.
    pub(crate) fn extra_except(&mut self, extra: &Extra, except: &[&str]) {
        for (name, value) in extra.iter().filter(|(name, _)| !except.contains(&name.as_str())) {
            self.foreign(name, value);
        }
    }

    fn separate(&mut self) {
        if !std::mem::take(&mut self.empty) {
            self.out.put_u8(b',');
        }
    }
}

impl Drop for Object<'_> {
    fn drop(&mut self) {
        self.out.put_u8(b'}');
    }
}

/// An array that is being written.
pub(crate) struct Array<'a> {
    out: &'a mut BytesMut,
    empty: bool,
}

impl<'a> Array<'a> {
    /// Opens an array.
    pub(crate) fn new(out: &'a mut BytesMut) -> Self {
        out.put_u8(b'[');
        Self { out, empty: true }
    }

    /// The place of the next element.
    pub(crate) fn next(&mut self) -> &mut BytesMut {
        if !std::mem::take(&mut self.empty) {
            self.out.put_u8(b',');
        }
        self.out
    }

    pub(crate) fn object(&mut self) -> Object<'_> {
        Object::new(self.next())
    }

    pub(crate) fn text(&mut self, value: &str) {
        text(self.next(), value);
    }

    pub(crate) fn value(&mut self, value: &(impl Serialize + ?Sized)) {
        serialize(self.next(), value);
    }
}

impl Drop for Array<'_> {
    fn drop(&mut self) {
        self.out.put_u8(b']');
    }
}

/// Writes anything that serde can write.
pub(crate) fn serialize(out: &mut BytesMut, value: &(impl Serialize + ?Sized)) {
    serde_json::to_writer(out.writer(), value)
        .expect("JSON values have text keys, and a growing buffer takes all bytes");
}

/// Writes a whole number.
pub(crate) fn integer(out: &mut BytesMut, value: impl itoa::Integer) {
    out.put_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Writes a text in quotes, escaped.
pub(crate) fn text(out: &mut BytesMut, value: &str) {
    out.reserve(value.len() + 2);
    out.put_u8(b'"');
    escaped(out, value);
    out.put_u8(b'"');
}

/// Writes a text, escaped, without the quotes.
fn escaped(out: &mut BytesMut, value: &str) {
    let mut rest = value.as_bytes();
    while let Some(at) = find_escape(rest) {
        out.put_slice(&rest[..at]);
        match rest[at] {
            b'"' => out.put_slice(b"\\\""),
            b'\\' => out.put_slice(b"\\\\"),
            b'\n' => out.put_slice(b"\\n"),
            b'\r' => out.put_slice(b"\\r"),
            b'\t' => out.put_slice(b"\\t"),
            control => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.put_slice(b"\\u00");
                out.put_u8(HEX[usize::from(control >> 4)]);
                out.put_u8(HEX[usize::from(control & 0xf)]);
            }
        }
        rest = &rest[at + 1..];
    }
    out.put_slice(rest);
}

/// The first byte that JSON wants escaped: a control character, a quote or a backslash. Eight bytes at a time, by the
/// test for a zero byte of "Bit Twiddling Hacks" (S. Anderson): prompts are long and have few of them.
fn find_escape(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    const fn has_zero_byte(word: u64) -> u64 {
        word.wrapping_sub(ONES) & !word & HIGH
    }
    let mut words = bytes.chunks_exact(8);
    let mut offset = 0;
    for word in &mut words {
        let word = u64::from_le_bytes(word.try_into().expect("chunks of eight have eight bytes"));
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let quote = has_zero_byte(word ^ (ONES * b'"' as u64));
        let backslash = has_zero_byte(word ^ (ONES * b'\\' as u64));
        if control | quote | backslash != 0 {
            break;
        }
        offset += 8;
    }
    bytes[offset..].iter().position(|byte| matches!(byte, 0..0x20 | b'"' | b'\\')).map(|at| offset + at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_written_text_reads_back_the_same(value in any::<String>()) {
            let mut out = BytesMut::new();
            text(&mut out, &value);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), value);
        }

        #[test]
        fn a_text_with_escapes_anywhere_reads_back_the_same(value in "[a-c\"\\\\\n\u{0}\u{1f}\u{7f}é]{0,40}") {
            let mut out = BytesMut::new();
            text(&mut out, &value);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), value);
        }
    }

    #[test]
    fn objects_and_arrays_close_themselves() {
        let mut out = BytesMut::new();
        {
            let mut object = Object::new(&mut out);
            object.nullable_text("a", None);
            let mut array = object.array("b");
            array.text("x");
            array.object().integer("c", 1);
            drop(array);
            object.foreign("d\"", &Value::Bool(true));
        }
        assert_eq!(&out[..], br#"{"a":null,"b":["x",{"c":1}],"d\"":true}"#);
    }
}
