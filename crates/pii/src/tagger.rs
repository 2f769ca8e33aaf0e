//! Names of people, places and organizations, and addresses: a linear model over words, and the likeliest sequence of labels.
//!
//! Each word has features (what it is, its shape, its neighbours, whether lists of names have it) that are hashed into
//! [`BUCKETS`]; a bucket has a weight for each label, and two labels after each other have one. The labels of a text are those
//! with the greatest sum (Viterbi). The weights are an averaged perceptron's (M. Collins, 2002), learned in the open by
//! `mainstay-bench train-tagger`.

use std::ops::Range;
use std::sync::LazyLock;

use crate::names::{List, hash};
use crate::{Finding, Kind};

/// What is taught: outside of everything, or the first word or a further one of each kind.
pub const LABELS: usize = 1 + 2 * KINDS.len();

/// The kinds that labels stand for, in their order.
pub const KINDS: [Kind; 4] = [Kind::Person, Kind::Place, Kind::Organization, Kind::Address];

/// Weights of features, for each label.
pub const BUCKETS: usize = 1 << 16;

/// What a word must be surer of than the taught weights say to be nothing: a name that is missed leaks, and a word too many is
/// only missing. In units of weights, chosen by cross-validation.
const DOUBT: i32 = 60;

const MAGIC: &[u8; 8] = b"MTAGGER1";

/// A trained model.
pub struct Tagger {
    /// For each bucket, of each label.
    pub weights: Vec<i8>,
    /// Of each label after each one; before the first there is "outside".
    pub transitions: [[i16; LABELS]; LABELS],
}

/// The model that is compiled in.
pub fn built_in() -> &'static Tagger {
    static BUILT_IN: LazyLock<Tagger> = LazyLock::new(|| {
        Tagger::from_bytes(include_bytes!("../assets/tagger.bin")).expect("the built-in model is tested")
    });
    &BUILT_IN
}

impl Tagger {
    /// Of what [`Self::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.strip_prefix(MAGIC)?;
        let (transitions, weights) = bytes.split_at_checked(LABELS * LABELS * 2)?;
        let mut numbers = transitions.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair));
        let mut read = Self {
            weights: weights.iter().map(|byte| byte.cast_signed()).collect(),
            transitions: [[0; LABELS]; LABELS],
        };
        read.transitions.as_flattened_mut().fill_with(|| numbers.next().unwrap_or(0));
        (weights.len() == BUCKETS * LABELS).then_some(read)
    }

    /// As it is compiled in.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.transitions.as_flattened().iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend(self.weights.iter().map(|weight| weight.cast_unsigned()));
        bytes
    }

    /// The names in a text, in order.
    pub fn find(&self, text: &str) -> Vec<Finding> {
        let words = words(text);
        let mut scores = Vec::with_capacity(words.len());
        Features::of(text, &words).each(|features| scores.push(self.scores(features)));
        let labels = likeliest(&scores, &self.transitions);
        findings(&words, &labels)
    }

    fn scores(&self, features: &[u32]) -> [i32; LABELS] {
        let mut scores = [0; LABELS];
        scores[0] = -DOUBT;
        for &feature in features {
            let start = feature as usize * LABELS;
            for (score, weight) in scores.iter_mut().zip(&self.weights[start..start + LABELS]) {
                *score += i32::from(*weight);
            }
        }
        scores
    }
}

/// The sequence of labels with the greatest sum.
pub fn likeliest<Number>(
    scores: &[[Number; LABELS]],
    transitions: &[[impl Copy + Into<Number>; LABELS]; LABELS],
) -> Vec<u8>
where
    Number: Copy + PartialOrd + std::ops::Add<Output = Number>,
{
    let mut came_from: Vec<[u8; LABELS]> = Vec::with_capacity(scores.len());
    let mut best: Option<[Number; LABELS]> = None;
    for here in scores {
        let mut from = [0; LABELS];
        let next = std::array::from_fn(|label| match &best {
            None => transitions[0][label].into() + here[label],
            Some(best) => {
                let through = |before: usize| best[before] + transitions[before][label].into();
                for before in 1..LABELS {
                    if through(before) > through(usize::from(from[label])) {
                        from[label] = before as u8;
                    }
                }
                through(usize::from(from[label])) + here[label]
            }
        });
        came_from.push(from);
        best = Some(next);
    }
    let Some(best) = best else { return Vec::new() };
    let mut label = (1..LABELS).fold(0, |most, label| if best[label] > best[most] { label } else { most });
    let mut labels = vec![0; scores.len()];
    for (at, from) in came_from.iter().enumerate().rev() {
        labels[at] = label as u8;
        label = usize::from(from[label]);
    }
    labels
}

/// The label of the first word of a kind, or of a further one.
pub const fn label(kind: usize, first: bool) -> u8 {
    (1 + 2 * kind + if first { 0 } else { 1 }) as u8
}

fn findings(words: &[Range<usize>], labels: &[u8]) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    let mut open = None;
    for (word, &label) in words.iter().zip(labels) {
        let kind = (label > 0).then(|| usize::from(label - 1) / 2);
        let begins = label % 2 == 1;
        match (kind, found.last_mut()) {
            (Some(kind), Some(last)) if open == Some(kind) && !begins => last.range.end = word.end,
            (Some(kind), _) => found.push(Finding { range: word.clone(), kind: KINDS[kind] }),
            (None, _) => {}
        }
        open = kind;
    }
    found
}

/// The words of a text, and every other character but blanks. Newlines count: lines of an address end with one.
pub fn words(text: &str) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    let mut in_word = false;
    for (at, character) in text.char_indices() {
        let end = at + character.len_utf8();
        let is_inside = character.is_alphanumeric()
            || is_mark(character)
            || (in_word && matches!(character, '\'' | '’') && is_joining(&text[end..]));
        match words.last_mut() {
            Some(word) if is_inside && in_word => word.end = end,
            _ if is_inside || character == '\n' || !character.is_whitespace() => words.push(at..end),
            _ => {}
        }
        in_word = is_inside;
    }
    words
}

/// Whether an apostrophe joins what is before it and after it to one word: "O'Brien", and not the genitive "Brien's".
fn is_joining(after: &str) -> bool {
    let mut after = after.chars();
    match (after.next(), after.next()) {
        (Some('s' | 'S'), next) => next.is_some_and(char::is_alphabetic),
        (next, _) => next.is_some_and(char::is_alphabetic),
    }
}

/// Whether a character belongs to the letter before it.
fn is_mark(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}' | '\u{64b}'..='\u{65f}' | '\u{900}'..='\u{dff}' | '\u{200c}' | '\u{200d}')
}

/// What is known of the words of a text.
pub struct Features<'t> {
    lower: Vec<String>,
    shapes: Vec<u32>,
    lists: Vec<u32>,
    /// Whether there are capitals at all: where there are none, that a word has none says nothing.
    has_capitals: bool,
    text: &'t str,
    words: &'t [Range<usize>],
}

impl<'t> Features<'t> {
    /// Of these words of the text.
    pub fn of(text: &'t str, words: &'t [Range<usize>]) -> Self {
        let lower: Vec<String> = words.iter().map(|word| text[word.clone()].to_lowercase()).collect();
        let mut lists = vec![0; words.len()];
        for at in 0..words.len() {
            for list in [List::First, List::Last, List::Street] {
                if lower[at].chars().nth(1).is_some() && list.has(&lower[at]) {
                    lists[at] |= 1 << list as u32;
                }
            }
            // A place may have several words.
            let mut name = String::new();
            for (length, word) in lower[at..].iter().take(3).enumerate() {
                if length > 0 && word != "-" && !name.ends_with('-') {
                    name.push(' ');
                }
                name.push_str(word);
                if name.chars().nth(1).is_some() && List::Place.has(&name) {
                    lists[at..=at + length].iter_mut().for_each(|lists| *lists |= 1 << List::Place as u32);
                }
            }
        }
        let shapes = words.iter().map(|word| shape(&text[word.clone()])).collect();
        let has_capitals = text.chars().any(char::is_uppercase) && text.chars().any(char::is_lowercase);
        Self { lower, shapes, lists, has_capitals, text, words }
    }

    /// Gives the features of each word, one after the other, as numbers of buckets.
    pub fn each(&self, mut take: impl FnMut(&[u32])) {
        let mut features = Vec::with_capacity(40);
        for at in 0..self.words.len() {
            features.clear();
            self.push(at, &mut features);
            take(&features);
        }
    }

    fn push(&self, at: usize, features: &mut Vec<u32>) {
        let word = |offset: isize| {
            at.checked_add_signed(offset).and_then(|at| self.lower.get(at)).map_or(EDGE, |word| hash(word))
        };
        let shape = |offset: isize| {
            at.checked_add_signed(offset).and_then(|at| self.shapes.get(at)).map_or(EDGE, |shape| *shape)
        };
        let lists = |offset: isize| {
            at.checked_add_signed(offset).and_then(|at| self.lists.get(at)).map_or(EDGE, |lists| *lists)
        };
        let own = &self.text[self.words[at].clone()];
        let ending = |count: usize| {
            let start = self.lower[at].char_indices().rev().nth(count - 1).map_or(0, |(start, _)| start);
            hash(&self.lower[at][start..])
        };
        let beginning = |count: usize| {
            let end = own.char_indices().nth(count).map_or(own.len(), |(end, _)| end);
            hash(&own[..end])
        };
        let capitals = u32::from(self.has_capitals);
        let parts: [&[u32]; 31] = [
            &[],
            &[word(0)],
            &[ending(3)],
            &[ending(2)],
            &[beginning(3)],
            &[shape(0), capitals],
            &[word(-1)],
            &[word(1)],
            &[word(-2)],
            &[word(2)],
            &[word(-1), word(0)],
            &[word(0), word(1)],
            &[word(-2), word(-1)],
            &[word(1), word(2)],
            &[word(-1), shape(0)],
            &[word(1), shape(0)],
            &[word(-1), lists(0)],
            &[word(1), lists(0)],
            &[shape(-1), shape(0)],
            &[shape(0), shape(1)],
            &[shape(-1), shape(0), shape(1)],
            &[shape(-2), shape(-1), shape(0)],
            &[shape(0), shape(1), shape(2)],
            &[lists(0), shape(0), capitals],
            &[lists(-1), lists(0)],
            &[lists(0), lists(1)],
            &[lists(-1), lists(0), lists(1)],
            &[lists(-1), lists(0), shape(-1), shape(0)],
            &[lists(0), lists(1), shape(0), shape(1)],
            &[word(-1), word(1)],
            &[word(-2), word(-1), lists(0)],
        ];
        features.extend(parts.iter().enumerate().map(|(number, parts)| bucket(number as u32, parts)));
    }
}

/// In the place of a word that is not there.
const EDGE: u32 = u32::MAX;

/// The bucket of a feature: its number and what it is made of, mixed (the finaliser of MurmurHash3).
fn bucket(number: u32, parts: &[u32]) -> u32 {
    let mixed = parts.iter().fold(number.wrapping_mul(0x9E37_79B1), |sum, part| {
        let mut mixed = sum.rotate_left(13) ^ part.wrapping_mul(0xCC9E_2D51);
        mixed = (mixed ^ (mixed >> 16)).wrapping_mul(0x85EB_CA6B);
        (mixed ^ (mixed >> 13)).wrapping_mul(0xC2B2_AE35)
    });
    (mixed ^ (mixed >> 16)) % BUCKETS as u32
}

/// Capitals, small letters, digits and everything else, each run of a kind once; and how many digits, up to five.
fn shape(word: &str) -> u32 {
    let mut shape = 0u32;
    let mut last = 0;
    for character in word.chars() {
        let kind = match character {
            character if character.is_uppercase() => 1,
            character if character.is_lowercase() => 2,
            character if character.is_numeric() => 3,
            character if character.is_alphabetic() => 4,
            character => 5 + u32::from(character as u8 & 0x3F),
        };
        if kind != last {
            shape = shape.wrapping_mul(71).wrapping_add(kind);
            last = kind;
        }
    }
    let digits = word.chars().filter(|character| character.is_numeric()).count().min(5);
    let letters = word.chars().take(2).count();
    shape.wrapping_mul(12).wrapping_add(digits as u32 * 2 + u32::from(letters > 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<&str> {
        words(text).into_iter().map(|word| &text[word]).collect()
    }

    #[test]
    fn words_are_split_at_everything_but_apostrophes_between_letters() {
        let split = ["O'Brien", "'", "s", "'", "x", "'", ",", "Saint", "-", "Germain", "\n", "€", "5"];
        assert_eq!(pieces("O'Brien's 'x', Saint-Germain\n€5"), split);
        assert_eq!(pieces("  "), Vec::<&str>::new());
    }

    #[test]
    fn the_likeliest_sequence_minds_what_follows_what() {
        let mut transitions = [[0i16; LABELS]; LABELS];
        let alone = [[0, 2, 0, 0, 0, 0, 0, 0, 0], [0, 0, 1, 2, 0, 0, 0, 0, 0]];
        assert_eq!(likeliest::<i32>(&alone, &transitions), [1, 3]);
        transitions[1][2] = 5;
        assert_eq!(likeliest::<i32>(&alone, &transitions), [1, 2]);
        assert_eq!(likeliest::<i32>(&[], &transitions), Vec::<u8>::new());
    }

    #[test]
    fn a_model_that_is_cut_is_refused() {
        let bytes = built_in().to_bytes();
        assert!(Tagger::from_bytes(&bytes).is_some());
        assert!(Tagger::from_bytes(&bytes[..bytes.len() - 1]).is_none());
        assert!(Tagger::from_bytes(b"MTAGGER1").is_none() && Tagger::from_bytes(b"").is_none());
    }

    #[test]
    fn people_and_where_they_live_are_found_in_plain_sentences() {
        for (text, kind, piece) in [
            ("Hi, my name is Olivia Smith and my order is late.", Kind::Person, "Olivia Smith"),
            ("Please call Mr. Dąbrowski back tomorrow.", Kind::Person, "Dąbrowski"),
            ("I live in Copenhagen with my brother.", Kind::Place, "Copenhagen"),
        ] {
            let found = built_in().find(text);
            let found: Vec<_> = found.into_iter().map(|found| (found.kind, &text[found.range])).collect();
            // With a title or without.
            let is_it = |found: &&(Kind, &str)| found.0 == kind && found.1.ends_with(piece);
            assert!(found.iter().any(|found| is_it(&found)), "{text}: {found:?}");
        }
    }
}
