//! Where a question starts.

use std::collections::BTreeMap;
use std::sync::Arc;

use mainstay_domain::NanoUsd;

use crate::intents::IntentModel;
use crate::repeats::Previous;

/// How questions are routed. Tiers are positions in the cascade, the cheapest model first.
#[derive(Clone, PartialEq, Debug)]
pub struct RouterSettings {
    /// Models of the cascade.
    pub tiers: usize,
    /// What decides by the words and the length of a question. Where several hold, the strongest model starts.
    pub rules: Vec<Rule>,
    /// What decides by its intent. An intent that is not named starts at the first tier.
    pub intents: BTreeMap<String, IntentRoute>,
    /// Where a question starts whose intent is not sure.
    pub unsure: usize,
    /// What is sure, 0 to 1.
    pub least_confidence: f64,
    /// What of the questions that would start below the last tier are given to it at once, to compare, 0 to 1.
    pub compared_share: f64,
}

/// Decides by the words and the length of a question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// One of these words or phrases is in it; empty where any may be.
    pub words: Vec<String>,
    /// It has more words than this.
    pub longer_than: Option<usize>,
    /// Then it starts here.
    pub start: usize,
}

/// Decides by the intent of a question.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct IntentRoute {
    /// Where it starts.
    pub start: usize,
    /// What a model may cost that it is escalated to.
    pub most_cost: Option<NanoUsd>,
}

/// Where a question starts, and why.
#[derive(Clone, PartialEq, Debug)]
pub struct Start {
    /// The tier.
    pub tier: usize,
    /// Why there.
    pub why: Why,
    /// Its intent, where it is sure.
    pub intent: Option<Arc<str>>,
    /// What a model may cost that it is escalated to.
    pub most_cost: Option<NanoUsd>,
}

/// Why a question starts where it does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// Nothing says otherwise: at the cheapest model.
    First,
    /// Its words or its length.
    Rule,
    /// Its intent.
    Intent,
    /// Its intent is not sure.
    Unsure,
    /// The same person has just asked the same: the answer was not good enough.
    AskedAgain,
    /// To compare the strongest model's answers with those of the tier that it would start at.
    Compared,
    /// Nearly all that the models before it answer is escalated.
    Guarded,
}

impl Why {
    /// The name, for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Rule => "rule",
            Self::Intent => "intent",
            Self::Unsure => "unsure",
            Self::AskedAgain => "asked_again",
            Self::Compared => "compared",
            Self::Guarded => "guarded",
        }
    }
}

/// Decides where questions start.
#[derive(Debug)]
pub struct Router {
    settings: RouterSettings,
    classifier: Option<Arc<IntentModel>>,
    /// The names of the intents that the classifier knows.
    names: Vec<Arc<str>>,
}

impl Router {
    /// By these settings. Without a classifier no question has an intent.
    pub fn new(settings: RouterSettings, classifier: Option<Arc<IntentModel>>) -> Self {
        let names =
            classifier.iter().flat_map(|model| model.intents()).map(|name| Arc::from(&**name)).collect();
        Self { settings, classifier, names }
    }

    /// How questions are routed.
    pub fn settings(&self) -> &RouterSettings {
        &self.settings
    }

    /// Where a question starts. `previous`: what answered when the same person asked the same a moment ago. `chance`: a
    /// random number from 0 to 1.
    pub fn start(&self, question: &str, previous: Option<Previous>, chance: f64) -> Start {
        let settings = &self.settings;
        let last = settings.tiers.saturating_sub(1);
        let mut start = self.by_intent(question);
        let words = Words::of(question);
        let ruled = settings.rules.iter().filter(|rule| rule.holds(&words)).map(|rule| rule.start).max();
        if let Some(tier) = ruled.filter(|&tier| tier > start.tier) {
            start = Start { tier, why: Why::Rule, ..start };
        }
        if let Some(previous) = previous {
            let tier = (previous.tier + 1).min(last);
            if tier > start.tier {
                start = Start { tier, why: Why::AskedAgain, ..start };
            }
        } else if start.tier < last && chance < settings.compared_share {
            start = Start { tier: last, why: Why::Compared, ..start };
        }
        Start { tier: start.tier.min(last), ..start }
    }

    fn by_intent(&self, question: &str) -> Start {
        let settings = &self.settings;
        let nothing = Start { tier: 0, why: Why::First, intent: None, most_cost: None };
        let Some(classifier) = &self.classifier else { return nothing };
        let classified = classifier.classify(question);
        if classified.confidence < settings.least_confidence {
            return Start { tier: settings.unsure, why: Why::Unsure, ..nothing };
        }
        let route = settings.intents.get(classified.intent).copied().unwrap_or_default();
        Start {
            tier: route.start,
            why: if route.start == 0 { Why::First } else { Why::Intent },
            intent: self.names.iter().find(|name| ***name == *classified.intent).cloned(),
            most_cost: route.most_cost,
        }
    }
}

impl Rule {
    fn holds(&self, question: &Words) -> bool {
        let has_word = self.words.is_empty() || self.words.iter().any(|phrase| question.has(phrase));
        has_word && self.longer_than.is_none_or(|most| question.count > most)
    }
}

/// The words of a question, in lower case.
struct Words {
    /// With one space before, between and after them.
    spaced: String,
    count: usize,
}

impl Words {
    fn of(text: &str) -> Self {
        let lower = text.to_lowercase();
        let words: Vec<&str> =
            lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        Self { spaced: format!(" {} ", words.join(" ")), count: words.len() }
    }

    /// Whether the phrase is in it as whole words; of scripts that have no spaces between words, as it is.
    fn has(&self, phrase: &str) -> bool {
        let phrase = Self::of(phrase);
        let bare = phrase.spaced.trim();
        if bare.is_empty() {
            return false;
        }
        let needle = if bare.chars().any(has_no_spaces) { bare } else { &phrase.spaced };
        self.spaced.contains(needle)
    }
}

/// Whether a letter is of a script whose words are not set apart: Thai, Lao, Burmese, Khmer, Chinese, Japanese.
const fn has_no_spaces(letter: char) -> bool {
    matches!(letter, '\u{0E00}'..='\u{0EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}'
        | '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> RouterSettings {
        let rule = |words: &[&str], longer_than, start| Rule {
            words: words.iter().map(|&word| word.to_owned()).collect(),
            longer_than,
            start,
        };
        RouterSettings {
            tiers: 3,
            rules: vec![
                rule(&["explain", "compare with", "比較"], None, 2),
                rule(&[], Some(8), 1),
                rule(&["refund"], Some(4), 2),
            ],
            intents: BTreeMap::new(),
            unsure: 1,
            least_confidence: 0.6,
            compared_share: 0.1,
        }
    }

    fn start(question: &str) -> (usize, Why) {
        let start = Router::new(settings(), None).start(question, None, 1.0);
        (start.tier, start.why)
    }

    #[test]
    fn a_rule_holds_for_whole_words_and_for_length() {
        assert_eq!(start("When are you open?"), (0, Why::First));
        assert_eq!(start("EXPLAIN this"), (2, Why::Rule));
        assert_eq!(start("Is this explainable?"), (0, Why::First));
        assert_eq!(start("Compare, with care"), (2, Why::Rule));
        assert_eq!(start("二つを比較して"), (2, Why::Rule));
        assert_eq!(start("one two three four five six seven eight nine"), (1, Why::Rule));
        assert_eq!(start("my refund please"), (0, Why::First));
        assert_eq!(start("where is my refund please"), (2, Why::Rule));
    }

    #[test]
    fn who_asks_the_same_again_is_answered_by_a_stronger_model() {
        let router = Router::new(settings(), None);
        let again = |tier| {
            let start =
                router.start("When are you open?", Some(Previous { tier, is_comparison: false }), 0.0);
            (start.tier, start.why)
        };
        assert_eq!(again(0), (1, Why::AskedAgain));
        assert_eq!(again(2), (2, Why::AskedAgain));
    }

    #[test]
    fn a_share_of_what_starts_low_goes_to_the_strongest_model_to_compare() {
        let router = Router::new(settings(), None);
        let tier = |question, chance| router.start(question, None, chance).tier;
        assert_eq!((tier("When?", 0.09), tier("When?", 0.11)), (2, 0));
        assert_eq!(router.start("explain", None, 0.0).why, Why::Rule);
    }
}
