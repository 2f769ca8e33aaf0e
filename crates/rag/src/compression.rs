//! The sentences of a passage that matter for a question. They stay where they are: what is left out shortens the prompt,
//! and a citation of what is left still names its bytes in the document.

use std::collections::HashSet;
use std::ops::Range;

use mainstay_domain::Passage;
use mainstay_embed::StaticEmbedder;
use mainstay_text::TermId;

use crate::evidence::{Evidence, Sentence, weigh};
use crate::sentences::SpanKind;

/// What the asked words in a sentence count of its score; the rest is how near its meaning is. The built-in embedder knows
/// words better than sentences, and some languages hardly.
const WORDS_SHARE: f64 = 0.7;

/// A sentence matters that has this part of the best one's score.
const NEAR_THE_BEST: f64 = 0.5;

/// What is left out must be worth the gap: of a text of which more would be kept, all is.
const MOST_KEPT: f64 = 0.8;

/// The sentences of passages, scored against one question.
pub struct Compression<'a> {
    passages: &'a [Passage],
    evidence: Vec<Evidence>,
    question: &'a str,
    meaning: Vec<f32>,
}

impl<'a> Compression<'a> {
    /// For a question to these passages. How rare an asked word is among all their sentences says how much it tells.
    pub fn new(question: &'a str, passages: &'a [Passage]) -> Self {
        let evidence = passages.iter().map(Evidence::of).collect();
        Self { passages, evidence, question, meaning: StaticEmbedder::builtin().embed_text(question) }
    }

    /// The stretches of the parent's text of one passage that matter, each with a neighbour on either side, so that "it"
    /// and "this" keep what they refer to. `None` where all of it is kept.
    pub(crate) fn stretches(&self, position: usize) -> Option<Vec<Range<usize>>> {
        let text = &self.passages[position].parent_text;
        let sentences = self.evidence[position].sentences();
        let mut kept = self.that_matter(position)?;
        keep_neighbours(sentences, &mut kept);
        let stretches = stretches_of(text, sentences, &kept);
        let length: usize = stretches.iter().map(ExactSizeIterator::len).sum();
        (length > 0 && (length as f64) < MOST_KEPT * text.len() as f64).then_some(stretches)
    }

    /// Which sentences matter by themselves; `None` where nothing tells them apart.
    fn that_matter(&self, position: usize) -> Option<Vec<bool>> {
        let scores = self.scores(position);
        let best = scores.iter().copied().fold(0.0, f64::max);
        (best > 0.0).then(|| scores.iter().map(|score| *score >= NEAR_THE_BEST * best).collect())
    }

    fn scores(&self, position: usize) -> Vec<f64> {
        let evidence = &self.evidence[position];
        let text = &self.passages[position].parent_text;
        let asked = evidence.terms_of(self.question);
        let weights = weigh(&asked, &self.evidence);
        let total: f64 = weights.values().sum();
        let covered = |terms: &HashSet<TermId>| -> f64 {
            let found: f64 = terms.iter().filter_map(|term| weights.get(term)).sum();
            if total > 0.0 { found / total } else { 0.0 }
        };
        let embedder = StaticEmbedder::builtin();
        let near = |sentence: &Sentence| {
            let meaning = embedder.embed_text(&text[sentence.range.clone()]);
            f64::from(self.meaning.iter().zip(&meaning).map(|(a, b)| a * b).sum::<f32>()).max(0.0)
        };
        let score = |sentence: &Sentence| {
            WORDS_SHARE * covered(&sentence.terms) + (1.0 - WORDS_SHARE) * near(sentence)
        };
        evidence.sentences().iter().map(score).collect()
    }
}

/// Keeps the sentence before and the one after each that is kept, the heading that stands over it, and of a table or a
/// code block all that hangs together.
fn keep_neighbours(sentences: &[Sentence], kept: &mut [bool]) {
    let matter: Vec<usize> = (0..kept.len()).filter(|&index| kept[index]).collect();
    for index in matter {
        kept[index.saturating_sub(1)] = true;
        if let Some(next) = kept.get_mut(index + 1) {
            *next = true;
        }
        if let Some(heading) = sentences[..index].iter().rposition(|one| one.kind == SpanKind::Heading) {
            kept[heading] = true;
        }
    }
    for kind in [SpanKind::Row, SpanKind::Code] {
        let mut start = 0;
        while start < sentences.len() {
            let length = sentences[start..].iter().take_while(|one| one.kind == kind).count();
            let block = &mut kept[start..start + length];
            if block.contains(&true) {
                block.fill(true);
            }
            start += length.max(1);
        }
    }
}

/// Where the kept sentences are, those that follow each other in one stretch. A code block is kept with its fences, which
/// are no sentences.
fn stretches_of(text: &str, sentences: &[Sentence], kept: &[bool]) -> Vec<Range<usize>> {
    let mut stretches = Vec::new();
    let mut index = 0;
    while index < sentences.len() {
        let length = kept[index..].iter().take_while(|kept| **kept).count();
        if length > 0 {
            let (first, last) = (index, index + length - 1);
            let start = match sentences[first].kind {
                SpanKind::Code => first.checked_sub(1).map_or(0, |before| sentences[before].range.end),
                _ => sentences[first].range.start,
            };
            let end = match sentences[last].kind {
                SpanKind::Code => sentences.get(last + 1).map_or(text.len(), |after| after.range.start),
                _ => sentences[last].range.end,
            };
            let start = end - text[start..end].trim_start().len();
            stretches.push(start..start + text[start..end].trim_end().len());
        }
        index += length.max(1);
    }
    stretches
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::citations::CitationFilter;
    use crate::selection::{Decision, Extent, Rules, Selection, select};
    use crate::testing::passage;

    fn compress(question: &str, text: &str) -> Selection {
        let passages = [passage(1, "a.md", text)];
        let rules = Rules { most: 5, most_per_document: None, tokens: 100_000 };
        select(&passages, &[0], rules, Some(&Compression::new(question, &passages)))
    }

    const FERRY: &str = "# Luggage\n\nEvery passenger may bring two suitcases. Bags are weighed at the gate. The \
                         restaurant on deck four serves soup. It opens at noon.\n\n# Animals\n\nDogs travel on the \
                         open deck. Cats stay in a basket. Horses need a booking of their own. The captain likes \
                         horses.\n\n# Harbour\n\nThe harbour was dug in 1890. It silted up twice. A dredger came in 1950.";

    #[test]
    fn the_sentence_that_is_asked_for_stays_with_its_heading_and_its_neighbours() {
        let selection = compress("Where do cats stay?", FERRY);
        let text = selection.sources[0].text();
        assert!(text.contains("# Animals") && text.contains("Cats stay in a basket."), "{text}");
        assert!(text.contains("Dogs travel on the open deck."), "{text}");
        assert!(!text.contains("soup") && !text.contains("dredger"), "{text}");
        assert!(text.starts_with("…\n") && text.ends_with("\n…"), "{text}");
        assert_eq!(selection.decisions, [Decision::Shown { source: 0, extent: Extent::Sentences }]);
    }

    #[test]
    fn code_keeps_its_fences_and_a_table_its_rows() {
        let filler = "The harbour was dug in 1890. It silted up twice. A dredger came in 1950. ".repeat(3);
        let text = format!("{filler}\n\n```sh\nferry book --cabin\nferry pay\n```\n\n{filler}");
        let shown =
            compress("How do I book a cabin with the ferry command?", &text).sources[0].text().into_owned();
        assert!(shown.contains("```sh\nferry book --cabin\nferry pay\n```"), "{shown}");
        let text = format!(
            "{filler}\n\n| cabin | price |\n|---|---|\n| inside | 80 |\n| outside | 120 |\n\n{filler}"
        );
        let shown = compress("What is the price of an outside cabin?", &text).sources[0].text().into_owned();
        assert!(shown.contains("| cabin | price |") && shown.contains("| outside | 120 |"), "{shown}");
    }

    #[test]
    fn a_text_of_which_nothing_fits_the_question_is_left_whole() {
        assert!(compress("", FERRY).sources[0].shows_all());
    }

    #[test]
    fn what_is_left_out_cannot_be_cited() {
        let source = compress("Where do cats stay?", FERRY).sources.remove(0);
        let mut filter = CitationFilter::new(vec![source].into());
        let out = filter.push("Cats stay in a basket [1]. A dredger came to the harbour in 1950 [1].");
        assert_eq!(out.citations.len(), 1);
        assert_eq!(out.citations[0].quote, "Cats stay in a basket.");
        filter.finish();
        assert_eq!(filter.counts().removed, 1);
    }

    proptest! {
        #[test]
        fn a_citation_of_a_compressed_source_is_exactly_bytes_that_are_shown(
            pieces in proptest::collection::vec(
                "(Cats stay in a basket\\. |Dogs are free\\. |Die Fähre fährt um neun\\. |猫は寝る。|\n\n|# Über\n|```\n|\\| a \\| b \\|\n|- |[a-zé]{1,9} )",
                0..60,
            ),
            question in "(Where do cats stay|Die Fähre|猫|a b|[a-zé ]{0,20})",
        ) {
            let text = pieces.concat();
            let source = compress(&question, &text).sources.remove(0);
            let mut end = 0;
            for stretch in &source.shown {
                prop_assert!(stretch.start >= end && text.is_char_boundary(stretch.start));
                prop_assert!(stretch.end <= text.len() && text.is_char_boundary(stretch.end));
                end = stretch.end;
            }
            let shown = source.shown.clone();
            let mut filter = CitationFilter::new(vec![source].into());
            let mut out = filter.push("Cats stay in a basket [1]. Die Fähre fährt um neun [1]. 猫は寝る [1]。 So [1]");
            out.citations.extend(filter.finish().citations);
            for citation in out.citations {
                prop_assert_eq!(&text[citation.range.start..citation.range.end], citation.quote);
                let is_shown = shown.iter().any(|one| one.start <= citation.range.start && citation.range.end <= one.end);
                prop_assert!(is_shown, "{:?} of {:?}", citation.range, shown);
            }
        }
    }
}
