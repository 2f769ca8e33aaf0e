//! What kind of question is asked: one that wants its very words, one in a sentence, or keywords.

use crate::fold::{compatible, without_accents};
use crate::script::CharClass;

/// What kind of question it is. Keyword search serves exact ones best, search by meaning those in sentences.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum QuestionKind {
    /// It names a code, an identifier or a quoted phrase: `E0382`, `no-alert`, `Vec::new`, "force majeure".
    Exact,
    /// It is asked as people ask people: "How long is the warranty?"
    Question,
    /// Everything else: words of a subject.
    Keywords,
}

impl QuestionKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Exact, Self::Question, Self::Keywords];

    /// The kind of this text, in any language. A question about a code is exact: the code decides which text answers.
    pub fn of(text: &str) -> Self {
        let text = compatible(text);
        if has_quoted_phrase(&text) || has_identifier(&text) {
            Self::Exact
        } else if is_question(&text) {
            Self::Question
        } else {
            Self::Keywords
        }
    }

    /// The name, for people and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Question => "question",
            Self::Keywords => "keywords",
        }
    }
}

/// What opens a quotation, and what closes it. Apostrophes do not, because words have them.
const QUOTES: [(char, &[char]); 7] = [
    ('"', &['"']),
    ('`', &['`']),
    ('“', &['”', '"']),
    ('„', &['“', '”', '"']),
    ('«', &['»']),
    ('「', &['」']),
    ('『', &['』']),
];

/// Whether a text is asked as people ask people, whatever codes and names it mentions.
pub fn is_asked(text: &str) -> bool {
    is_question(&compatible(text))
}

fn has_quoted_phrase(text: &str) -> bool {
    QUOTES.iter().any(|&(opening, closing)| {
        let Some((_, rest)) = text.split_once(opening) else { return false };
        rest.find(closing).is_some_and(|end| rest[..end].chars().any(char::is_alphanumeric))
    })
}

fn has_identifier(text: &str) -> bool {
    if text.contains("()") {
        return true;
    }
    let mut words =
        text.split_whitespace().map(without_punctuation).filter(|word| !word.is_empty()).peekable();
    let first = words.next();
    let alone = words.peek().is_none();
    // Alone, two words that a hyphen joins are a name; in a sentence they are mostly a compound.
    if alone && first.is_some_and(|word| word.split('-').filter(|part| is_plain(part)).count() > 1) {
        return true;
    }
    first.into_iter().chain(words).any(is_identifier)
}

fn is_plain(part: &str) -> bool {
    !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric())
}

/// Without what belongs to the sentence around a word.
fn without_punctuation(word: &str) -> &str {
    const SENTENCE: [char; 20] = [
        '.', ',', ';', ':', '!', '?', '(', ')', '[', ']', '\'', '"', '…', '’', '‘', '؟', '。', '？', '¿', '¡',
    ];
    word.trim_matches(SENTENCE)
}

/// Whether nobody would write this word in a letter.
fn is_identifier(word: &str) -> bool {
    has_code_punctuation(word) || is_code(word) || is_camel_case(word)
}

/// `snake_case`, `Vec::new`, `main.rs`, `/v1/search`, `--json`, `a->b`, `name=value`, `C:\x`
fn has_code_punctuation(word: &str) -> bool {
    let letters = |part: &str| part.chars().filter(|c| c.is_alphanumeric()).count();
    if letters(word) == 0 {
        return false;
    }
    let starts = ["--", "/", "~/", "@"].iter().any(|start| word.starts_with(start));
    let inside = ["::", "->", "_", "=", "\\"].iter().any(|mark| word.contains(mark));
    // A file or a member, but not "e.g", "U.S" or a decimal number.
    let dotted = word.split('.').collect::<Vec<_>>();
    let is_member = dotted.len() > 1
        && dotted.iter().all(|part| is_plain(part))
        && dotted.iter().any(|part| part.len() > 1)
        && dotted.iter().any(|part| part.chars().any(|c| c.is_ascii_alphabetic()));
    starts || inside || is_member
}

/// `E0382`, `SKU-1234`, `v1.2.3`, `20240117`: letters before digits, or a number too long to be counted by. Not `1990s`,
/// `20km` or `2nd`: digits before letters count something.
fn is_code(word: &str) -> bool {
    let is_joined = word.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '.' | '/' | '#'));
    let class = |c: char| (c.is_alphabetic(), c.is_numeric());
    let mut seen_letter = false;
    let digits = word.chars().filter(|c| c.is_numeric()).count();
    let letter_then_digit = word.chars().any(|c| {
        let (letter, digit) = class(c);
        // Scripts without spaces put numbers between their letters.
        seen_letter |= letter && CharClass::of(c) == CharClass::Word;
        digit && seen_letter
    });
    let unspaced = word.chars().any(|c| CharClass::of(c) == CharClass::Unspaced);
    let long_number = digits == word.chars().count() && digits >= 6;
    is_joined && !unspaced && (letter_then_digit || long_number)
}

/// `getUserName`, but not `McDonald` or `YouTube`.
fn is_camel_case(word: &str) -> bool {
    let mut characters = word.chars();
    let starts_small = characters.next().is_some_and(char::is_lowercase);
    let humps = characters
        .clone()
        .zip(characters.skip(1))
        .any(|(one, next)| one.is_lowercase() && next.is_uppercase());
    let letters = word.chars().all(char::is_alphanumeric);
    starts_small && humps && letters
}

fn is_question(text: &str) -> bool {
    let text = text.trim();
    if text.starts_with('¿') || text.ends_with(['?', '？', '؟', '⁇', '\u{37e}', '՞']) {
        return true;
    }
    if UNSPACED.iter().any(|word| text.contains(word)) {
        return true;
    }
    // "In what country …": the word may have a preposition before it.
    text.split_whitespace().take(2).any(|word| {
        let word = without_punctuation(word).to_lowercase();
        let word = without_accents(&word);
        let word = word.split(['\'', '’']).next().unwrap_or_default();
        OPENERS.split_ascii_whitespace().any(|opener| opener == word)
    })
}

/// Words that open a question, without accents. Those that open a title as well ("when", "if") are among them: who types
/// them types a sentence.
const OPENERS: &str = "
    what which who whom whose when where why how is are was were do does did can could should would will
    was wer wen wem wessen wann wo warum wieso weshalb wie woher wohin womit wodurch wofur worin wozu welche welcher welches
    welchen welchem ist sind kann darf muss
    que qui quoi quel quelle quels quelles ou quand comment pourquoi combien lequel laquelle est-ce peut-on
    quien quienes cual cuales cuando donde como cuanto cuanta cuantos cuantas
    chi cosa cos quale quali quando dove perche quanto quanta quanti quante
    quem qual quais onde porque
    wat wie welke welk wanneer waar waarom hoe hoeveel
    vad vem vilken vilket vilka nar varfor hur hva hvem hvilken hvilket hvilke hvor hvorfor hvordan hvad hvornar
    mika kuka milloin missa miksi miten kuinka
    co kto kogo ktory ktora ktore gdzie kiedy dlaczego jak jaki jaka jakie ile czy kdo kde kdy proc ktery ktera kolik
    ce cine unde cand cum cati
    ne kim nerede nasil neden nicin hangi kac apa siapa kapan mana mengapa bagaimana berapa
    τι ποιος ποια ποιο που ποτε γιατι πως ποσο ποσα
    что кто кого кому где когда почему зачем как какой какая какое какие сколько чей який яка яке де коли чому хто скільки
    ما ماذا من أين متى لماذا كيف كم هل أي
    क्या कौन कहाँ कहां कब क्यों कैसे कितने कितना किस
";

/// Words of a question in scripts without spaces; they stand anywhere.
const UNSPACED: [&str; 27] = [
    "什么",
    "什麼",
    "谁",
    "誰",
    "哪",
    "怎么",
    "怎麼",
    "怎样",
    "为什么",
    "如何",
    "多少",
    "吗",
    "嗎",
    "何",
    "どこ",
    "いつ",
    "なぜ",
    "どう",
    "どの",
    "ですか",
    "อะไร",
    "ใคร",
    "เมื่อไ",
    "ทำไม",
    "อย่างไร",
    "กี่",
    "ไหน",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(kind: QuestionKind, texts: &[&str]) {
        for text in texts {
            assert_eq!(QuestionKind::of(text), kind, "{text}");
        }
    }

    #[test]
    fn codes_identifiers_and_quotations_are_exact() {
        check(
            QuestionKind::Exact,
            &["E0382", "what does error E0382 mean?", "SKU-1234 price", "order 20240117"],
        );
        check(
            QuestionKind::Exact,
            &["no-unused-vars", "accessor-pairs", "Vec::new", "getUserName", "snake_case names"],
        );
        check(
            QuestionKind::Exact,
            &["where is main.rs", "--json output", "/v1/search", "how to call foo()", "v1.2.3"],
        );
        check(
            QuestionKind::Exact,
            &["clause on \"force majeure\"", "„höhere Gewalt“", "«сила» в договоре", "「不可抗力」とは"],
        );
        check(QuestionKind::Exact, &["ｅ０３８２"]);
    }

    #[test]
    fn what_people_ask_people_is_a_question() {
        check(
            QuestionKind::Question,
            &["How long is the warranty?", "in what country is Normandy", "is it free"],
        );
        check(
            QuestionKind::Question,
            &["Wie lange gilt die Garantie", "¿Cuánto dura la garantía?", "où est le musée"],
        );
        check(
            QuestionKind::Question,
            &["كم نقطة تخلى عنها دفاع البانثرز؟", "सुपर बाउल 50 कहाँ हुआ?", "Сколько стоит доставка"],
        );
        check(QuestionKind::Question, &["保修期多长？", "保修期是多少", "保証はいつまで", "การรับประกันกี่ปี"]);
        check(QuestionKind::Question, &["What’s new", "who won in the 1990s at 20km"]);
    }

    #[test]
    fn everything_else_is_keywords() {
        check(
            QuestionKind::Keywords,
            &["", "   ", "warranty period", "state-of-the-art engines", "McDonald and YouTube"],
        );
        check(
            QuestionKind::Keywords,
            &["U.S. exports, e.g. wheat", "Normandy", "it's 1.5 or 2024", "Garantiezeit", "保修期"],
        );
        check(QuestionKind::Keywords, &["\"", "a \" b", "?!", "--", "第3章 概要"]);
    }

    proptest! {
        #[test]
        fn every_text_has_a_kind_and_spaces_around_it_do_not_matter(text in "\\PC{0,40}") {
            prop_assert_eq!(QuestionKind::of(&text), QuestionKind::of(&format!("  {text} ")));
        }
    }
}
