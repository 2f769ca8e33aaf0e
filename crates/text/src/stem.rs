//! The stemmer of each language.

use std::borrow::Cow;

use snowball_stemmers_rs::{Algorithm, Stemmer as Snowball};

use crate::language::Language;

/// Longer "words" are data, not language: they are not stemmed.
const LONGEST_WORD_BYTES: usize = 64;

/// Takes endings off words: the Snowball algorithm of the language, or nothing where there is none.
pub(crate) struct Stemmer(Option<Snowball>);

impl Stemmer {
    pub(crate) fn for_language(language: Language) -> Self {
        Self(algorithm(language).map(Snowball::create))
    }

    /// The stem of a lower-case word. Words with digits are names and codes, and stay as they are.
    pub(crate) fn stem<'a>(&self, word: &'a str) -> Cow<'a, str> {
        match &self.0 {
            Some(snowball)
                if word.len() <= LONGEST_WORD_BYTES && !word.bytes().any(|byte| byte.is_ascii_digit()) =>
            {
                snowball.stem(word)
            }
            _ => Cow::Borrowed(word),
        }
    }
}

fn algorithm(language: Language) -> Option<Algorithm> {
    Some(match language.as_str() {
        "ar" => Algorithm::Arabic,
        "ca" => Algorithm::Catalan,
        "cs" => Algorithm::Czech,
        "da" => Algorithm::Danish,
        "de" => Algorithm::German,
        "el" => Algorithm::Greek,
        "en" => Algorithm::English,
        "eo" => Algorithm::Esperanto,
        "es" => Algorithm::Spanish,
        "et" => Algorithm::Estonian,
        "eu" => Algorithm::Basque,
        "fa" => Algorithm::Persian,
        "fi" => Algorithm::Finnish,
        "fr" => Algorithm::French,
        "ga" => Algorithm::Irish,
        "hi" => Algorithm::Hindi,
        "hu" => Algorithm::Hungarian,
        "hy" => Algorithm::Armenian,
        "id" => Algorithm::Indonesian,
        "it" => Algorithm::Italian,
        "lt" => Algorithm::Lithuanian,
        "nb" | "nn" | "no" => Algorithm::Norwegian,
        "ne" => Algorithm::Nepali,
        "nl" => Algorithm::Dutch,
        "pl" => Algorithm::Polish,
        "pt" => Algorithm::Portuguese,
        "ro" => Algorithm::Romanian,
        "ru" => Algorithm::Russian,
        "sr" => Algorithm::Serbian,
        "st" => Algorithm::Sesotho,
        "sv" => Algorithm::Swedish,
        "ta" => Algorithm::Tamil,
        "tr" => Algorithm::Turkish,
        "uk" => Algorithm::Ukrainian,
        "yi" => Algorithm::Yiddish,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn endings_come_off_in_each_language() {
        for (code, words) in [
            ("en", ["connection", "connected"]),
            ("de", ["häuser", "häusern"]),
            ("es", ["canciones", "canción"]),
            ("fr", ["continuellement", "continuelle"]),
            ("ru", ["столица", "столицы"]),
            ("hi", ["लडके", "लडकों"]),
            ("ar", ["كتابه", "كتابها"]),
            ("pl", ["samochodami", "samochodem"]),
        ] {
            let stemmer = Stemmer::for_language(Language::parse(code).expect(code));
            assert_eq!(stemmer.stem(words[0]), stemmer.stem(words[1]), "{code}");
        }
    }

    #[test]
    fn codes_and_numbers_keep_their_endings() {
        let stemmer = Stemmer::for_language(Language::ENGLISH);
        assert_eq!(stemmer.stem("e0382s"), "e0382s");
    }

    const LANGUAGES: [&str; 35] = [
        "ar", "ca", "cs", "da", "de", "el", "en", "eo", "es", "et", "eu", "fa", "fi", "fr", "ga", "hi", "hu",
        "hy", "id", "it", "lt", "no", "ne", "nl", "pl", "pt", "ro", "ru", "sr", "st", "sv", "ta", "tr", "uk",
        "yi",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn no_word_makes_a_stemmer_panic(code in proptest::sample::select(&LANGUAGES[..]), word in "\\PC{0,24}") {
            let stemmer = Stemmer::for_language(Language::parse(code).expect(code));
            let _ = stemmer.stem(&word);
        }

        #[test]
        fn no_latin_word_makes_a_stemmer_panic(
            code in proptest::sample::select(&LANGUAGES[..]),
            word in "[a-zàâäçéèêëíïñóôöøßüœæı'’]{0,24}",
        ) {
            let stemmer = Stemmer::for_language(Language::parse(code).expect(code));
            let _ = stemmer.stem(&word);
        }
    }
}
