//! The name of a language.

use std::fmt;
use std::str::FromStr;

/// A language by its ISO 639-1 code: two lower-case letters, `en`, `ja`.
///
/// Any two letters are accepted: a document may be in a language for which there are no rules here, and keeps its name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Language([u8; 2]);

/// Why a text is not the name of a language.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is not a language: write the two letters of ISO 639-1, such as \"en\" or \"ja\"")]
pub struct LanguageError(String);

macro_rules! languages {
    ($($name:ident = $code:literal, $doc:literal;)+) => {
        impl Language {
            $(#[doc = $doc] pub const $name: Self = Self(*$code);)+
        }
    };
}

languages! {
    ARABIC = b"ar", "Arabic.";
    CHINESE = b"zh", "Chinese, any script.";
    ENGLISH = b"en", "English.";
    FRENCH = b"fr", "French.";
    GERMAN = b"de", "German.";
    GREEK = b"el", "Greek.";
    HINDI = b"hi", "Hindi.";
    JAPANESE = b"ja", "Japanese.";
    KHMER = b"km", "Khmer.";
    KOREAN = b"ko", "Korean.";
    LAO = b"lo", "Lao.";
    RUSSIAN = b"ru", "Russian.";
    SPANISH = b"es", "Spanish.";
    THAI = b"th", "Thai.";
    TURKISH = b"tr", "Turkish.";
}

impl Language {
    /// Reads a code (`en`) or a tag that begins with one (`en-GB`, `zh_Hant`), in any case.
    pub fn parse(tag: &str) -> Result<Self, LanguageError> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        match *primary.as_bytes() {
            [first, second] if first.is_ascii_alphabetic() && second.is_ascii_alphabetic() => {
                Ok(Self([first.to_ascii_lowercase(), second.to_ascii_lowercase()]))
            }
            _ => Err(LanguageError(tag.chars().take(40).collect())),
        }
    }

    /// The two letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("made of two ASCII letters")
    }
}

impl FromStr for Language {
    type Err = LanguageError;

    fn from_str(tag: &str) -> Result<Self, LanguageError> {
        Self::parse(tag)
    }
}

impl fmt::Display for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Language({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_read_by_its_primary_language() {
        for (tag, expected) in [("en", "en"), ("EN", "en"), ("en-GB", "en"), ("zh_Hant_TW", "zh")] {
            assert_eq!(Language::parse(tag).expect(tag).as_str(), expected);
        }
    }

    #[test]
    fn what_is_not_two_letters_is_refused_and_named() {
        for tag in ["", "e", "eng", "e1", "-en", "日本"] {
            let error = Language::parse(tag).expect_err(tag);
            assert!(error.to_string().contains(&format!("{tag:?}")), "{error}");
        }
    }
}
