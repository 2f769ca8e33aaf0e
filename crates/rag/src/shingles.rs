//! Runs of words, by which two texts are told to say nearly the same (Broder, "On the resemblance and containment of
//! documents", 1997).

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use mainstay_text::numbers;
use unicode_segmentation::UnicodeSegmentation;

/// Words of a run. Shorter runs are shared by chance; a changed word breaks as many runs as they have words.
const RUN: usize = 3;

/// What part of the runs of a text must stand in another for it to add nothing: of a passage of a hundred words two or
/// three may differ, as between two editions or two templates filled alike.
const NEARLY_ALL: f64 = 0.9;

/// The runs of a text, and the numbers in it.
pub(crate) struct Shingles {
    runs: HashSet<u64>,
    numbers: HashSet<String>,
}

impl Shingles {
    /// Those of this text. A text of fewer words than a run is one run.
    pub(crate) fn of(text: &str) -> Self {
        let words: Vec<String> = text.unicode_words().map(str::to_lowercase).collect();
        let runs = words.windows(RUN.min(words.len()).max(1)).map(hash).collect();
        Self { runs, numbers: numbers(text) }
    }

    /// The runs, each as a number that is the same in every process.
    pub(crate) fn runs(&self) -> impl Iterator<Item = u64> {
        self.runs.iter().copied()
    }

    /// Whether nearly all of this text stands in the other. A number that the other lacks is news however little else
    /// differs: last year's price list is no duplicate of this year's.
    pub(crate) fn add_nothing_to(&self, other: &Self) -> bool {
        let shared = self.runs.intersection(&other.runs).count() as f64;
        shared >= NEARLY_ALL * self.runs.len() as f64 && self.numbers.is_subset(&other.numbers)
    }
}

fn hash(words: &[String]) -> u64 {
    let mut hasher = DefaultHasher::new();
    words.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "A ticket is valid for one crossing on the day that is printed on it. It can be moved to another \
                        day up to 2 hours before departure, once, without charge, at the counter or by telephone.";

    fn adds_nothing(text: &str, to: &str) -> bool {
        Shingles::of(text).add_nothing_to(&Shingles::of(to))
    }

    #[test]
    fn a_copy_and_an_excerpt_add_nothing() {
        assert!(adds_nothing(RULE, RULE));
        assert!(adds_nothing(&RULE.to_uppercase().replace(' ', "\n"), RULE));
        assert!(adds_nothing("It can be moved to another day up to 2 hours before departure", RULE));
        assert!(!adds_nothing(RULE, "It can be moved to another day up to 2 hours before departure"));
    }

    #[test]
    fn a_copy_with_another_number_is_news() {
        assert!(!adds_nothing(&RULE.replace("2 hours", "3 hours"), RULE));
    }

    #[test]
    fn a_text_about_something_else_is_news_however_short() {
        assert!(!adds_nothing("Dogs travel free of charge", RULE));
        assert!(!adds_nothing("Dogs", RULE));
        assert!(adds_nothing("猫は船で寝る", "猫は船で寝る。犬は走る。"));
        assert!(!adds_nothing("犬は走る", "猫は船で寝る。"));
    }
}
