//! What the built-in reranker sees of a passage beside the score of the fusion: whether it has the words of the question
//! close together, in their order, in one sentence, and in other spellings.

use std::collections::{HashMap, HashSet};

use mainstay_domain::Passage;
use mainstay_embed::StaticEmbedder;
use mainstay_text::{Analyzer, Language, TermId, TermKind, character_grams, detect_reliably};
use rayon::prelude::*;

use crate::sentences::spans;

/// What is seen of a passage, each from 0 to 1.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Features(pub [f32; Features::COUNT]);

impl Features {
    /// How many there are.
    pub const COUNT: usize = 5;

    /// Their names, in order.
    pub const NAMES: [&str; Self::COUNT] = ["grams", "window", "similar_words", "pairs", "sentence"];
}

/// Words of the question count as being close together within this many words.
const WINDOW: usize = 20;

/// Neighbours in the question count as neighbours in the passage up to this many words apart.
const NEIGHBOURS: usize = 3;

/// The features of the candidates of one search. How much a word says is estimated from how many of them have it:
/// `ln(1 + (N - n + 0.5) / (n + 0.5))`, as BM25 does for a whole corpus. Takes all cores.
pub fn features(question: &str, candidates: &[Passage]) -> Vec<Features> {
    let languages: Vec<Language> = candidates.par_iter().map(language_of).collect();
    let mut analyzers: HashMap<Language, (Analyzer, Vec<TermId>)> = HashMap::new();
    for &language in &languages {
        analyzers.entry(language).or_insert_with(|| {
            let analyzer = Analyzer::new(language);
            let terms = question_sequence(&analyzer, question);
            (analyzer, terms)
        });
    }
    let each = candidates.par_iter().zip(languages);
    let texts: Vec<Text> =
        each.map(|(passage, language)| Text::of(passage, language, &analyzers[&language].0)).collect();
    let mut words = Rarity::default();
    let mut grams = Rarity::default();
    for text in &texts {
        words.add(text.positions.iter().map(|&(term, _)| term).chain(text.above.iter().copied()));
        grams.add(text.grams.iter().copied());
    }
    let said: Vec<&str> = candidates.iter().map(|passage| passage.text.as_str()).collect();
    let likenesses = StaticEmbedder::builtin().likenesses(question, &said);
    let each = texts.iter().zip(likenesses);
    each.map(|(text, likeness)| {
        let asked = &analyzers[&text.language].1;
        let asked_grams: HashSet<TermId> =
            character_grams(question, text.language).counts().iter().map(|&(gram, _)| gram).collect();
        let gram_weight = |gram: TermId| grams.of(gram);
        let in_grams = asked_grams.iter().filter(|gram| text.grams.contains(gram));
        let places = text.places_of(asked);
        let all = sum(asked.iter().map(|&term| words.of(term)));
        Features([
            share(
                sum(in_grams.map(|&gram| gram_weight(gram))),
                sum(asked_grams.iter().map(|&gram| gram_weight(gram))),
            ),
            share(best_window(&places, &words), all),
            likeness,
            pairs(asked, &places, &words),
            share(text.best_sentence(asked, &words), all),
        ])
    })
    .collect()
}

/// What its document says, or else its text.
fn language_of(passage: &Passage) -> Language {
    let named = passage.language.as_deref().and_then(|tag| Language::parse(tag).ok());
    named.or_else(|| detect_reliably(&passage.text)).unwrap_or(Language::ENGLISH)
}

/// The content words of a question in their order, each once; all its words where they are grammar alone.
fn question_sequence(analyzer: &Analyzer, question: &str) -> Vec<TermId> {
    let mut terms = Vec::new();
    let mut push = |_: TermKind, term: &str| {
        let term = TermId::of(term);
        if !terms.contains(&term) {
            terms.push(term);
        }
    };
    analyzer.visit_content(question, &mut push);
    if terms.is_empty() {
        analyzer.visit_terms(question, |_, term| terms.push(TermId::of(term)));
        terms.dedup();
    }
    terms
}

/// A candidate taken apart.
struct Text {
    language: Language,
    /// Its terms with their places.
    positions: Vec<(TermId, usize)>,
    /// The terms of the title and the headings.
    above: HashSet<TermId>,
    /// The terms of each sentence.
    sentences: Vec<HashSet<TermId>>,
    grams: HashSet<TermId>,
}

impl Text {
    fn of(passage: &Passage, language: Language, analyzer: &Analyzer) -> Self {
        let mut positions = Vec::new();
        let mut place = 0;
        analyzer.visit_terms(&passage.text, |kind, term| {
            positions.push((TermId::of(term), place));
            // A whole name stands where its parts stand.
            place += usize::from(kind != TermKind::Whole);
        });
        let terms_of = |text: &str| {
            let mut terms = HashSet::new();
            analyzer.visit_terms(text, |_, term| {
                terms.insert(TermId::of(term));
            });
            terms
        };
        let above = passage.title.iter().chain(&passage.headings).flat_map(|line| terms_of(line)).collect();
        let sentences =
            spans(&passage.text).into_iter().map(|span| terms_of(&passage.text[span.range])).collect();
        let grams = character_grams(&passage.text_in_context(), language);
        let grams = grams.counts().iter().map(|&(gram, _)| gram).collect();
        Self { language, positions, above, sentences, grams }
    }

    /// Where the terms of the question are, in the order of the text.
    fn places_of(&self, asked: &[TermId]) -> Vec<(TermId, usize)> {
        self.positions.iter().copied().filter(|(term, _)| asked.contains(term)).collect()
    }

    /// What the sentence says that has most of the question.
    fn best_sentence(&self, asked: &[TermId], words: &Rarity) -> f32 {
        let said = self.sentences.iter().map(|sentence| {
            sum(asked.iter().filter(|term| sentence.contains(term)).map(|&term| words.of(term)))
        });
        said.fold(0.0, f32::max)
    }
}

/// What the stretch of [`WINDOW`] words says that has most of the question.
fn best_window(places: &[(TermId, usize)], words: &Rarity) -> f32 {
    let mut best = 0.0f32;
    for (first, &(_, start)) in places.iter().enumerate() {
        let within = places[first..].iter().take_while(|(_, place)| place - start <= WINDOW);
        let seen: HashSet<TermId> = within.map(|&(term, _)| term).collect();
        best = best.max(sum(seen.into_iter().map(|term| words.of(term))));
    }
    best
}

/// The share of the question's pairs of neighbours that are neighbours in the passage, in the same order.
fn pairs(asked: &[TermId], places: &[(TermId, usize)], words: &Rarity) -> f32 {
    let places_of =
        |term: TermId| places.iter().filter(move |(other, _)| *other == term).map(|(_, place)| *place);
    let (mut found, mut all) = (0.0, 0.0);
    for pair in asked.windows(2) {
        let weight = words.of(pair[0]) + words.of(pair[1]);
        all += weight;
        let together = places_of(pair[0])
            .any(|one| places_of(pair[1]).any(|other| (one + 1..=one + NEIGHBOURS).contains(&other)));
        if together {
            found += weight;
        }
    }
    share(found, all)
}

/// In how many candidates a term occurs.
#[derive(Default)]
struct Rarity {
    candidates: u32,
    containing: HashMap<TermId, u32>,
}

impl Rarity {
    fn add(&mut self, terms: impl Iterator<Item = TermId>) {
        self.candidates += 1;
        for term in terms.collect::<HashSet<_>>() {
            *self.containing.entry(term).or_default() += 1;
        }
    }

    fn of(&self, term: TermId) -> f32 {
        let containing = self.containing.get(&term).copied().unwrap_or(0) as f32;
        (1.0 + (self.candidates as f32 - containing + 0.5) / (containing + 0.5)).ln()
    }
}

fn sum(weights: impl Iterator<Item = f32>) -> f32 {
    weights.sum()
}

fn share(part: f32, whole: f32) -> f32 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
