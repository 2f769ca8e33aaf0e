//! Whether two questions can have the same answer at all, whatever their vectors say.
//!
//! Sentence encoders put opposites side by side: "enable" and "disable", "before" and "after", "5 days" and "7 days" score
//! 0.83 to 0.9997 on nine common ones. So two questions are compared by what changes an answer when it changes: numbers,
//! names and codes, negations, directions, and what is asked for (when, where, how much). Only where all of those are the
//! same are their vectors asked.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use mainstay_text::{QuestionKind, numbers};

/// What must be the same in two questions that have one answer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Gate {
    tokens: BTreeSet<String>,
}

/// Words that turn a statement around.
const NEGATIONS: [&str; 33] = [
    "not", "no", "never", "without", "none", "neither", "nor", "cannot", "except", "unless", "nicht", "kein",
    "keine", "keinen", "nie", "niemals", "ohne", "außer", "ne", "pas", "jamais", "sans", "sauf", "aucun",
    "nunca", "sin", "ni", "ningún", "jamás", "excepto", "hardly", "barely", "lacks",
];

/// Words whose place is taken by their opposite where the meaning is the opposite. Each group stands for one axis; a word is
/// compared as itself.
const DIRECTIONS: &[&str] = &[
    "before",
    "after",
    "until",
    "since",
    "during",
    "above",
    "below",
    "over",
    "under",
    "inside",
    "outside",
    "more",
    "less",
    "fewer",
    "most",
    "least",
    "maximum",
    "minimum",
    "max",
    "min",
    "highest",
    "lowest",
    "longer",
    "shorter",
    "faster",
    "slower",
    "larger",
    "smaller",
    "bigger",
    "older",
    "newer",
    "oldest",
    "newest",
    "first",
    "last",
    "earliest",
    "latest",
    "best",
    "worst",
    "better",
    "worse",
    "increase",
    "decrease",
    "increases",
    "decreases",
    "raise",
    "lower",
    "reduce",
    "grow",
    "shrink",
    "enable",
    "disable",
    "enabled",
    "disabled",
    "activate",
    "deactivate",
    "start",
    "stop",
    "begin",
    "end",
    "open",
    "close",
    "opened",
    "closed",
    "opens",
    "closes",
    "lock",
    "unlock",
    "add",
    "remove",
    "create",
    "delete",
    "insert",
    "install",
    "uninstall",
    "import",
    "export",
    "upload",
    "download",
    "send",
    "receive",
    "buy",
    "sell",
    "lend",
    "borrow",
    "rent",
    "hire",
    "fire",
    "join",
    "leave",
    "enter",
    "exit",
    "login",
    "logout",
    "subscribe",
    "unsubscribe",
    "upgrade",
    "downgrade",
    "connect",
    "disconnect",
    "attach",
    "detach",
    "encrypt",
    "decrypt",
    "compress",
    "decompress",
    "show",
    "hide",
    "include",
    "exclude",
    "allow",
    "deny",
    "block",
    "unblock",
    "accept",
    "reject",
    "approve",
    "decline",
    "win",
    "lose",
    "gain",
    "loss",
    "profit",
    "push",
    "pull",
    "read",
    "write",
    "input",
    "output",
    "incoming",
    "outgoing",
    "inbound",
    "outbound",
    "internal",
    "external",
    "public",
    "private",
    "free",
    "paid",
    "legal",
    "illegal",
    "safe",
    "unsafe",
    "safely",
    "possible",
    "impossible",
    "true",
    "false",
    "valid",
    "invalid",
    "with",
    "morning",
    "evening",
    "night",
    "day",
    "week",
    "month",
    "year",
    "hour",
    "minute",
    "second",
    "daily",
    "weekly",
    "monthly",
    "yearly",
    "annual",
    "hourly",
    "up",
    "down",
    "left",
    "right",
    "north",
    "south",
    "east",
    "west",
    "male",
    "female",
    "men",
    "women",
    "man",
    "woman",
    "child",
    "children",
    "adult",
    "adults",
    "hot",
    "cold",
    "warm",
    "cool",
    "high",
    "low",
    "long",
    "short",
    "early",
    "late",
    "fast",
    "slow",
    "old",
    "new",
    "black",
    "white",
    "red",
    "green",
    "blue",
    "yellow",
    "return",
    "refund",
    "exchange",
    "cancel",
    "renew",
    "pause",
    "resume",
    "merge",
    "split",
    "vor",
    "nach",
    "mehr",
    "weniger",
    "öffnen",
    "schließen",
    "kaufen",
    "verkaufen",
    "avant",
    "après",
    "plus",
    "moins",
    "antes",
    "después",
    "más",
    "menos",
];

/// What is asked for. "Which" and "what" ask for the same.
const ASKED: &[(&str, &str)] = &[
    ("when", "when"),
    ("where", "where"),
    ("who", "who"),
    ("whom", "who"),
    ("whose", "whose"),
    ("why", "why"),
    ("how", "how"),
    ("wann", "when"),
    ("wo", "where"),
    ("wer", "who"),
    ("warum", "why"),
    ("wie", "how"),
    ("quand", "when"),
    ("où", "where"),
    ("qui", "who"),
    ("pourquoi", "why"),
    ("comment", "how"),
    ("cuándo", "when"),
    ("dónde", "where"),
    ("quién", "who"),
    ("cómo", "how"),
];

/// Numbers in words; ordinals are as good as numbers.
const NUMBER_WORDS: &[(&str, &str)] = &[
    ("one", "1"),
    ("two", "2"),
    ("three", "3"),
    ("four", "4"),
    ("five", "5"),
    ("six", "6"),
    ("seven", "7"),
    ("eight", "8"),
    ("nine", "9"),
    ("ten", "10"),
    ("eleven", "11"),
    ("twelve", "12"),
    ("twenty", "20"),
    ("thirty", "30"),
    ("hundred", "100"),
    ("thousand", "1000"),
    ("million", "1000000"),
    ("half", "0.5"),
    ("twice", "2"),
    ("double", "2"),
    ("zwei", "2"),
    ("drei", "3"),
    ("deux", "2"),
    ("trois", "3"),
    ("dos", "2"),
    ("tres", "3"),
    ("monday", "monday"),
    ("tuesday", "tuesday"),
    ("wednesday", "wednesday"),
    ("thursday", "thursday"),
    ("friday", "friday"),
    ("saturday", "saturday"),
    ("sunday", "sunday"),
    ("january", "january"),
    ("february", "february"),
    ("march", "march"),
    ("april", "april"),
    ("may", "may"),
    ("june", "june"),
    ("july", "july"),
    ("august", "august"),
    ("september", "september"),
    ("october", "october"),
    ("november", "november"),
    ("december", "december"),
];

impl Gate {
    /// Of a question.
    pub fn of(question: &str) -> Self {
        let mut tokens: BTreeSet<String> =
            numbers(question).into_iter().map(|number| format!("n:{number}")).collect();
        let words: Vec<(&str, bool)> = words(question);
        let mut negations = 0;
        for (position, (word, begins)) in words.iter().enumerate() {
            let lower = word.to_lowercase().replace('’', "'");
            let plain = lower.trim_end_matches("'s");
            if NEGATIONS.contains(&plain) || plain.ends_with("n't") {
                negations += 1;
            }
            if let Some((_, number)) = NUMBER_WORDS.iter().find(|(written, _)| *written == plain) {
                tokens.insert(format!("n:{number}"));
            }
            if DIRECTIONS.contains(&plain) {
                tokens.insert(format!("d:{plain}"));
            }
            if let Some((_, asked)) = ASKED.iter().find(|(written, _)| *written == plain) {
                // "How long" and "how much" ask for different things.
                let measure = words.get(position + 1).map(|(next, _)| next.to_lowercase());
                let measure = measure.filter(|next| MEASURES.contains(&next.as_str()) && *asked == "how");
                tokens.insert(format!("q:{asked} {}", measure.unwrap_or_default()));
            }
            if RELATIONS.contains(&plain) {
                let mut after = words[position + 1..].iter().map(|(word, _)| word.to_lowercase());
                let next = after.find(|word| !ARTICLES.contains(&word.as_str()));
                tokens.insert(format!("r:{plain} {}", next.unwrap_or_default()));
            }
            if is_name(word, *begins) {
                tokens.insert(format!("e:{plain}"));
            }
        }
        tokens.insert(format!("not:{negations}"));
        if QuestionKind::of(question) == QuestionKind::Exact {
            // Codes and quoted phrases are what the answer is about: the whole question counts.
            tokens.insert(format!("x:{}", question.split_whitespace().collect::<Vec<_>>().join(" ")));
        }
        Self { tokens }
    }

    /// One number for it: the bucket in which a question is looked for.
    pub(crate) fn bucket(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.tokens.hash(&mut hasher);
        hasher.finish()
    }
}

/// Words before what would be something else on their other side.
const RELATIONS: [&str; 13] =
    ["from", "to", "into", "than", "vs", "versus", "von", "nach", "als", "de", "à", "que", "desde"];

/// Words that may stand between such a word and what it is about.
const ARTICLES: [&str; 20] = [
    "the", "a", "an", "my", "your", "this", "that", "der", "die", "das", "dem", "den", "ein", "eine",
    "einem", "le", "la", "un", "une", "el",
];

/// What "how" asks for.
const MEASURES: [&str; 14] = [
    "long", "much", "many", "often", "far", "fast", "old", "big", "large", "high", "deep", "late", "soon",
    "wide",
];

/// The words, and whether each begins a sentence.
fn words(text: &str) -> Vec<(&str, bool)> {
    let mut words = Vec::new();
    let mut begins = true;
    for piece in text.split_whitespace() {
        let is_edge = |character: char| {
            !character.is_alphanumeric()
                && !matches!(character, '@' | '#' | '$' | '€' | '£' | '%' | '/' | '_')
        };
        let word = piece.trim_matches(is_edge);
        if !word.is_empty() {
            words.push((word, begins));
        }
        begins = piece.ends_with(['.', '!', '?', ':', '…']);
    }
    words
}

/// Whether a word names one thing: written with a capital within a sentence, in capitals, or with digits or signs in it.
fn is_name(word: &str, begins: bool) -> bool {
    let capitals = word.chars().filter(|character| character.is_uppercase()).count();
    let has_digit = word.chars().any(|character| character.is_ascii_digit());
    let has_letter = word.chars().any(char::is_alphabetic);
    let has_sign = word.contains(['@', '/', '_', '#', ':', '\\']) || word.trim_matches('.').contains('.');
    let is_first_person = matches!(word, "I" | "I'm" | "I've" | "I'd" | "I'll");
    !is_first_person
        && ((has_digit && has_letter)
            || has_sign
            || capitals > 1
            || (capitals == 1 && !begins && word.chars().next().is_some_and(char::is_uppercase)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(one: &str, other: &str, same: bool) {
        assert_eq!(Gate::of(one) == Gate::of(other), same, "{one:?} and {other:?}");
    }

    #[test]
    fn what_changes_an_answer_keeps_questions_apart() {
        for (one, other) in [
            ("Can I return it within 14 days?", "Can I return it within 30 days?"),
            ("Is the museum open on Monday?", "Is the museum open on Sunday?"),
            ("How do I enable alerts?", "How do I disable alerts?"),
            ("How do I fly from Oslo to Rome?", "How do I fly from Rome to Oslo?"),
            ("Is it safe?", "Is it not safe?"),
            ("What is the capital of Norway?", "What is the capital of Sweden?"),
            ("When does it open?", "Where does it open?"),
            ("How long does it take?", "How much does it take?"),
            ("What does E0382 mean?", "What does E0499 mean?"),
        ] {
            check(one, other, false);
        }
    }

    #[test]
    fn what_changes_no_answer_does_not() {
        for (one, other) in [
            ("How long is the warranty?", "how long is the warranty"),
            ("How do I reset my password?", "How can I reset my password?"),
            ("What is the capital of Norway?", "What's the capital of Norway?"),
            ("Can I return it within two weeks?", "Can I return it within 2 weeks?"),
        ] {
            check(one, other, true);
        }
    }
}
