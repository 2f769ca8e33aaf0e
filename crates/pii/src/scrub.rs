//! Placeholders in the place of personal data.

use std::collections::HashMap;

use crate::{Finding, Kind, find};

/// Puts placeholders such as `[PERSON_1]` into the texts of a conversation. What occurs again has the same one, and of a person
/// who was named in full once, the first name or the last name alone has it too, wherever it stands. Organizations stay: they
/// are no persons.
pub fn scrub(texts: &[&str]) -> Vec<String> {
    let found: Vec<Vec<Finding>> = texts
        .iter()
        .map(|text| find(text).into_iter().filter(|finding| finding.kind != Kind::Organization).collect())
        .collect();
    let mut people = People::default();
    for (text, findings) in texts.iter().zip(&found) {
        for finding in findings.iter().filter(|finding| finding.kind == Kind::Person) {
            people.meet(&text[finding.range.clone()]);
        }
    }
    let mut numbers = Numbers::default();
    let replaced = texts.iter().zip(found).map(|(text, findings)| {
        let mut scrubbed = String::with_capacity(text.len());
        let mut at = 0;
        for finding in findings {
            people.replace(&text[at..finding.range.start], &mut scrubbed);
            at = finding.range.end;
            let piece = &text[finding.range];
            let number = match finding.kind {
                Kind::Person => people.number_of(piece),
                kind => numbers.of(kind, piece),
            };
            scrubbed.push_str(&placeholder(finding.kind, number));
        }
        people.replace(&text[at..], &mut scrubbed);
        scrubbed
    });
    replaced.collect()
}

fn placeholder(kind: Kind, number: usize) -> String {
    format!("[{}_{number}]", kind.name())
}

/// What something says, without case, blanks and punctuation.
fn plain(text: &str) -> String {
    text.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Which one of its kind something is.
#[derive(Default)]
struct Numbers {
    numbers: HashMap<(Kind, String), usize>,
    counts: HashMap<Kind, usize>,
}

impl Numbers {
    fn of(&mut self, kind: Kind, text: &str) -> usize {
        let count = self.counts.entry(kind).or_default();
        *self.numbers.entry((kind, plain(text))).or_insert_with(|| {
            *count += 1;
            *count
        })
    }
}

/// The people of a conversation.
#[derive(Default)]
struct People {
    /// By their whole names.
    whole: HashMap<String, usize>,
    /// By the words of their names, as they are written.
    words: HashMap<String, usize>,
    count: usize,
}

/// Letters of a part of a name that is looked for elsewhere: shorter ones are words of many languages.
const SHORTEST: usize = 3;

impl People {
    fn meet(&mut self, name: &str) {
        if self.number(name).is_some() {
            return;
        }
        self.count += 1;
        self.whole.insert(plain(name), self.count);
        for word in words(name) {
            let word = &name[word];
            let is_name = word.chars().next().is_some_and(|first| !first.is_lowercase());
            if is_name && word.chars().count() >= SHORTEST {
                self.words.entry(word.to_owned()).or_insert(self.count);
            }
        }
    }

    fn number(&self, name: &str) -> Option<usize> {
        self.whole.get(&plain(name)).or_else(|| self.words.get(name)).copied()
    }

    /// Which one somebody is who was met.
    fn number_of(&self, name: &str) -> usize {
        self.number(name).unwrap_or(self.count)
    }

    /// Copies a text in which nothing was found; parts of names that were found elsewhere are replaced.
    fn replace(&self, text: &str, into: &mut String) {
        let mut at = 0;
        for word in words(text) {
            if let Some(number) = self.words.get(&text[word.clone()]) {
                into.push_str(&text[at..word.start]);
                into.push_str(&placeholder(Kind::Person, *number));
                at = word.end;
            }
        }
        into.push_str(&text[at..]);
    }
}

fn words(text: &str) -> Vec<std::ops::Range<usize>> {
    crate::tagger::words(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_same_has_the_same_placeholder() {
        let texts =
            ["Card 4111 1111 1111 1111, or 4111111111111111, or 5555 5555 5555 4444?", "5555-5555-5555-4444"];
        assert_eq!(scrub(&texts), ["Card [CARD_1], or [CARD_1], or [CARD_2]?", "[CARD_2]"]);
    }

    #[test]
    fn who_was_named_in_full_is_known_by_a_part_of_the_name_everywhere() {
        let texts =
            ["Is it for Olivia? Not for OLIVIAxyz.", "My name is Olivia Smith.", "Then Smith was told."];
        let scrubbed = scrub(&texts);
        assert_eq!(scrubbed[1], "My name is [PERSON_1].");
        assert!(scrubbed[0].starts_with("Is it for [PERSON_1]?"), "{}", scrubbed[0]);
        assert_eq!(scrubbed[2], "Then [PERSON_1] was told.");
    }

    proptest! {
        /// Whatever the text is, what was found has gone.
        #[test]
        fn all_that_was_found_has_gone(text in "\\PC{0,60}( [0-9 .()+-]{5,20})?(\n[A-Z][a-z]{2,8} ){0,3}", mail in "[a-z]{3,9}@[a-z]{3,9}\\.org") {
            let text = format!("{text} {mail} {text}");
            let scrubbed = scrub(&[&text]).concat();
            prop_assert!(!scrubbed.contains(&mail), "{}", scrubbed);
            let found = find(&text);
            for finding in &found {
                prop_assert!(!text[finding.range.clone()].is_empty());
            }
            prop_assert!(found.is_sorted_by(|one, other| one.range.end <= other.range.start));
        }
    }
}
