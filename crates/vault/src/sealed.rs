//! What sealed data looks like, and how it is told from data that was stored before it was sealed.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | `0xf9`: this format |
//! | 4 | version of the tenant's key, big endian |
//! | 12 | salt of the message's key |
//! | 12 | nonce |
//! | as the data | ciphertext |
//! | 16 | tag |

/// The first byte of sealed data. No byte from `0xf8` on occurs in UTF-8, at any position, so text never begins with it,
/// nor does a piece that was cut out of a text. Later formats take other bytes from `0xf8` to `0xfd`; `0xfe` and `0xff`
/// stay free, because texts in UTF-16 begin with them.
pub(crate) const FORMAT: u8 = 0xf9;
const FORMATS: std::ops::RangeInclusive<u8> = 0xf8..=0xfd;

pub(crate) const HEADER_BYTES: usize = 1 + 4;

/// Bytes by which sealed data is longer than the data.
pub const OVERHEAD: usize = HEADER_BYTES + crate::cipher::ADDED_BYTES;

/// Whether bytes that are **either sealed or UTF-8 text** (JSON too, or a piece cut out of a text at any byte) are sealed.
/// It looks at the first byte, and for these that is proof. Other bytes, such as an image or a hash, can begin as
/// sealed ones do: keep a [`Form`] beside them.
pub fn is_sealed(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| FORMATS.contains(first))
}

/// How a value is stored, for a column beside one that may hold any bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Form {
    /// As it is.
    Plain,
    /// Sealed.
    Sealed,
}

impl Form {
    /// The number that stands for it in a column; a column that is added with 0 as its default says what is true of the
    /// rows that exist.
    pub const fn as_number(self) -> i64 {
        match self {
            Self::Plain => 0,
            Self::Sealed => 1,
        }
    }

    /// The form for which the number stands, if it is one.
    pub const fn from_number(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::Plain),
            1 => Some(Self::Sealed),
            _ => None,
        }
    }

    /// The form of bytes that are either sealed or UTF-8 text; see [`is_sealed`].
    pub fn of_text(bytes: &[u8]) -> Self {
        if is_sealed(bytes) { Self::Sealed } else { Self::Plain }
    }
}

/// What is put in the place of a value of so many bytes that must not be kept and cannot be sealed, because the tenant's keys
/// were destroyed: as long as if it had been sealed with the first of them, and refused as
/// [`OpenError::Shredded`](crate::OpenError::Shredded). No key opens it, not even one that comes back from a backup.
pub fn unopenable(plain_bytes: usize) -> Vec<u8> {
    let mut bytes = vec![0; plain_bytes + OVERHEAD];
    bytes[..HEADER_BYTES].copy_from_slice(&header(1));
    bytes
}

/// The header of data that is sealed with a version of the key.
pub(crate) fn header(version: u32) -> [u8; HEADER_BYTES] {
    let [a, b, c, d] = version.to_be_bytes();
    [FORMAT, a, b, c, d]
}

/// Why bytes cannot be sealed data of a format that we know.
pub(crate) enum BadHeader {
    NotSealed,
    NewerFormat(u8),
    TooShort,
}

/// The version of the key with which the data is sealed.
pub(crate) fn key_version(sealed: &[u8]) -> Result<u32, BadHeader> {
    match sealed {
        [] => Err(BadHeader::TooShort),
        [first, ..] if !FORMATS.contains(first) => Err(BadHeader::NotSealed),
        [first, ..] if *first != FORMAT => Err(BadHeader::NewerFormat(*first)),
        [_, a, b, c, d, ..] if sealed.len() >= OVERHEAD => Ok(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => Err(BadHeader::TooShort),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_piece_of_any_text_is_taken_for_sealed(text in any::<String>(), cut in any::<prop::sample::Index>()) {
            let bytes = text.as_bytes();
            prop_assert!(!is_sealed(&bytes[cut.index(bytes.len() + 1)..]));
        }
    }

    #[test]
    fn the_marks_of_other_encodings_are_not_taken_for_sealed() {
        for bytes in
            [b"\xff\xfea\0".as_slice(), b"\xfe\xff\0a", b"\xef\xbb\xbftext", b"", b"%PDF", b"\x1f\x8b"]
        {
            assert_eq!(Form::of_text(bytes), Form::Plain);
        }
    }

    #[test]
    fn a_form_comes_back_from_its_number_and_no_other_number_is_one() {
        for form in [Form::Plain, Form::Sealed] {
            assert_eq!(Form::from_number(form.as_number()), Some(form));
        }
        assert_eq!([Form::from_number(2), Form::from_number(-1)], [None; 2]);
    }
}
