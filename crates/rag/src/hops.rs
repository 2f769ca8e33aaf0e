//! A question in two steps: what the first search has found names what the second must look for. "Who owns the yard that
//! built the Alder?" finds the page of the ship, which names the yard; only the yard's own page names its owner.

use std::collections::{HashMap, HashSet};

use mainstay_domain::{ChunkId, Passage};
use mainstay_text::{Language, detect_reliably};
use unicode_segmentation::UnicodeSegmentation;

/// Passages whose words count as found, and whose names are looked for.
const BEST: usize = 5;

/// Names that the second search adds to the question. More would drown it.
const MOST_NAMES: usize = 3;

/// Words that tie a thing to another about which something is asked.
const RELATIVE: &[&str] =
    &["that", "which", "who", "whose", "whom", "where", "welche", "welcher", "welches", "dessen", "deren"];

/// Words that tie a thing to its owner.
const POSSESSIVE: &[&str] = &["of", "des"];

/// Whether a question needs a second search: it chains ("the owner of the yard that built the Alder"), or a name in it stands
/// in none of the best passages.
pub fn looks_chained(question: &str, passages: &[Passage]) -> bool {
    if passages.is_empty() {
        return false;
    }
    chains(question) || names_what_is_missing(question, passages)
}

/// Whether one thing is asked for through another: two ties behind the first word, or a genitive within a genitive.
fn chains(question: &str) -> bool {
    let words: Vec<String> = question.unicode_words().map(str::to_lowercase).collect();
    let count = |ties: &[&str]| words.iter().skip(1).filter(|word| ties.contains(&word.as_str())).count();
    let genitives = question.matches("'s ").count() + question.matches("’s ").count();
    let owned = count(POSSESSIVE) + genitives;
    owned >= 2 || owned >= 1 && count(RELATIVE) >= 1
}

/// Whether a name of the question stands in none of the best passages. Most questions have none, so that is
/// looked at before anything that costs more.
fn names_what_is_missing(question: &str, passages: &[Passage]) -> bool {
    let mut missing = names_asked(question);
    if missing.is_empty() || capitals_tell_no_name(question, &passages[0].parent_text) {
        return false;
    }
    for word in passages.iter().take(BEST).flat_map(words_of) {
        missing.remove(without_genitive(&word));
        if missing.is_empty() {
            return false;
        }
    }
    true
}

/// The names of a question, in small letters. Its first word has its capital for another reason.
fn names_asked(question: &str) -> HashSet<String> {
    let words = question.unicode_words().skip(1);
    words.filter(is_capitalised).map(|name| without_genitive(&name.to_lowercase()).to_owned()).collect()
}

/// In German every noun has a capital. A question that is too short for its language to be told is taken to be in that of
/// what it has found.
fn capitals_tell_no_name(question: &str, found: &str) -> bool {
    detect_reliably(question).or_else(|| detect_reliably(found)) == Some(Language::GERMAN)
}

fn is_capitalised(word: &&str) -> bool {
    word.starts_with(char::is_uppercase) && word.chars().count() > 1
}

fn without_genitive(word: &str) -> &str {
    word.strip_suffix("'s").or_else(|| word.strip_suffix("’s")).unwrap_or(word)
}

fn words_of(passage: &Passage) -> impl Iterator<Item = String> {
    let headings = passage.title.iter().chain(&passage.headings).map(String::as_str);
    headings.chain([passage.parent_text.as_str()]).flat_map(str::unicode_words).map(str::to_lowercase)
}

/// The question of the second search: the first with the names that the best passages add to it, or, where they have none
/// that can be told (some scripts have no capitals), their rarest words. `None` where they add nothing.
pub fn second_question(question: &str, passages: &[Passage]) -> Option<String> {
    let asked: HashSet<String> = question.unicode_words().map(str::to_lowercase).collect();
    let best = &passages[..passages.len().min(BEST)];
    let mut added = names(best, &asked);
    if added.is_empty() {
        added = rare_words(passages, &asked);
    }
    added.truncate(MOST_NAMES);
    (!added.is_empty()).then(|| format!("{question} {}", added.join(" ")))
}

/// Runs of capitalised words that the question does not have, those first that stand in sentences with most of its words.
fn names(passages: &[Passage], asked: &HashSet<String>) -> Vec<String> {
    let mut worth: HashMap<String, (f64, usize)> = HashMap::new();
    for (rank, passage) in passages.iter().enumerate() {
        for sentence in passage.text.unicode_sentences() {
            let words: Vec<&str> = sentence.unicode_words().collect();
            let shared = words.iter().filter(|word| asked.contains(&word.to_lowercase())).count();
            for name in capitalised_runs(&words).filter(|name| adds_to(asked, name)) {
                let order = worth.len();
                let entry = worth.entry(name).or_insert((0.0, order));
                entry.0 += (1 + shared) as f64 / (1 + rank) as f64;
            }
        }
    }
    let mut names: Vec<(String, (f64, usize))> = worth.into_iter().collect();
    names.sort_by(|(_, a), (_, b)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    names.into_iter().map(|(name, _)| name).collect()
}

/// The names of a sentence. A lone capital at its beginning is none.
fn capitalised_runs<'a>(words: &'a [&'a str]) -> impl Iterator<Item = String> + 'a {
    let mut start = 0;
    std::iter::from_fn(move || {
        while start < words.len() {
            let length = words[start..].iter().take_while(|&word| is_capitalised(word)).count();
            let run = start..start + length;
            start += length.max(1);
            if length > 1 || length == 1 && run.start > 0 {
                return Some(words[run].join(" "));
            }
        }
        None
    })
}

fn adds_to(asked: &HashSet<String>, name: &str) -> bool {
    !name.unicode_words().all(|word| asked.contains(&word.to_lowercase()))
}

/// The words of the best passage that the fewest of all have.
fn rare_words(passages: &[Passage], asked: &HashSet<String>) -> Vec<String> {
    let all: Vec<HashSet<String>> = passages.iter().map(|passage| words_of(passage).collect()).collect();
    let Some(best) = passages.first() else { return Vec::new() };
    let mut seen = HashSet::new();
    let mut words: Vec<String> = best
        .text
        .unicode_words()
        .map(str::to_lowercase)
        .filter(|word| word.chars().count() > 3 && !asked.contains(word) && seen.insert(word.clone()))
        .collect();
    words.sort_by_key(|word| all.iter().filter(|others| others.contains(word)).count());
    words
}

/// Both searches as one: the best of the first, the best of the second that the first did not find, and so on in turn. The
/// scores of two questions cannot be compared.
pub fn merge(first: Vec<Passage>, second: Vec<Passage>) -> Vec<Passage> {
    let known: HashSet<ChunkId> = first.iter().map(|passage| passage.chunk).collect();
    let mut new = second.into_iter().filter(|passage| !known.contains(&passage.chunk));
    let mut merged = Vec::with_capacity(2 * first.len());
    for passage in first {
        merged.push(passage);
        merged.extend(new.next());
    }
    merged.extend(new);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::passage;

    fn ship() -> Vec<Passage> {
        vec![
            passage(
                1,
                "ship",
                "The ferry Alder was built in 1987 by the Nordhavn Yard in Esbjerg. It has two decks.",
            ),
            passage(2, "food", "The restaurant of the ferry serves soup."),
        ]
    }

    #[test]
    fn a_question_through_another_thing_chains() {
        for question in [
            "Who owns the yard that built the ship of the Alder line?",
            "What is the height of the tower of the harbour?",
            "Where was the wife of Derrickson's producer born?",
            "Wie hoch ist der Turm des Hafens des Ortes?",
        ] {
            assert!(looks_chained(question, &ship()), "{question}");
        }
        for question in
            ["How long is the ferry?", "What does the restaurant serve?", "When was the Alder built?"]
        {
            assert!(!looks_chained(question, &ship()), "{question}");
        }
    }

    #[test]
    fn a_name_that_nothing_found_has_needs_a_second_search() {
        assert!(looks_chained("Does the ferry call at Rostock?", &ship()));
        assert!(!looks_chained("Does the ferry call at Rostock?", &[]));
        let found = [passage(1, "port", "Rostock's quay is the longest.")];
        assert!(!looks_chained("Does the ferry call at Rostock?", &found));
    }

    #[test]
    fn in_a_german_question_every_noun_has_a_capital_and_in_an_english_one_a_name_alone() {
        let asked = "Wie lange dauert die Überfahrt mit der Fähre nach dem Frühstück am Morgen?";
        assert!(!looks_chained(asked, &ship()));
        let found = [passage(1, "fähre", "Die Fähre fährt im Sommer jeden Tag und im Winter nur am Montag.")];
        assert!(!looks_chained(asked, &found));
        assert!(looks_chained(
            "Does the ferry that leaves in summer also call at Rostock in winter?",
            &found
        ));
    }

    #[test]
    fn the_second_question_adds_the_names_that_stand_with_the_words_of_the_first() {
        let question = "Who owns the yard that built the ferry Alder?";
        let second = second_question(question, &ship()).unwrap();
        assert_eq!(second, format!("{question} Nordhavn Yard Esbjerg"));
        assert_eq!(second_question(question, &[]), None);
    }

    #[test]
    fn where_there_are_no_capitals_rare_words_are_added() {
        let passages =
            [passage(1, "a", "the lantern hangs by the common door"), passage(2, "b", "the common door")];
        assert_eq!(second_question("where is it", &passages).unwrap(), "where is it lantern hangs common");
    }

    #[test]
    fn both_searches_take_turns_and_nothing_comes_twice() {
        let found = |chunks: &[u64]| chunks.iter().map(|&chunk| passage(chunk, "a", "x")).collect::<Vec<_>>();
        let merged = merge(found(&[1, 2, 3]), found(&[2, 7, 1, 8, 9, 10]));
        let chunks: Vec<u64> = merged.iter().map(|passage| passage.chunk.0).collect();
        assert_eq!(chunks, [1, 7, 2, 8, 3, 9, 10]);
    }
}
