//! Which of the passages that were found become sources of the prompt, and why the others do not.

use std::borrow::Cow;
use std::ops::Range;

use mainstay_domain::Passage;
use mainstay_domain::usage::estimate_tokens;

use crate::compression::Compression;
use crate::shingles::Shingles;

/// What the sources of a prompt may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// Sources at most.
    pub most: usize,
    /// Sources of one document at most; `None` where one document may give all of them.
    pub most_per_document: Option<usize>,
    /// Tokens that the sources may take.
    pub tokens: u64,
}

/// The sources of a prompt, and what became of every passage.
#[derive(Clone, PartialEq, Debug)]
pub struct Selection {
    /// The sources, best first.
    pub sources: Vec<Source>,
    /// One for every passage, in the passages' order.
    pub decisions: Vec<Decision>,
}

/// A source of a prompt.
#[derive(Clone, PartialEq, Debug)]
pub struct Source {
    /// What was found. Its parent's text is the source.
    pub passage: Passage,
    /// The stretches of the parent's text that are shown, in their order: one where all of it is.
    pub shown: Vec<Range<usize>>,
}

/// What became of a passage. Sources are counted from 0 in the order of [`Selection::sources`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// It is a source.
    Shown {
        /// Which.
        source: usize,
        /// How much of it.
        extent: Extent,
    },
    /// A source shows it already: they share a parent.
    Within {
        /// Which.
        source: usize,
    },
    /// A better source says nearly the same.
    NearDuplicate {
        /// Which.
        source: usize,
    },
    /// Its document has given as many sources as it may.
    DocumentHasEnough {
        /// How many.
        most: usize,
    },
    /// It would take more tokens than are left.
    OverBudget {
        /// Tokens of its chunk alone.
        needed: u64,
        /// Tokens that were left.
        left: u64,
    },
    /// There were enough sources before its turn came.
    Enough {
        /// How many.
        most: usize,
    },
    /// It had no turn.
    NotConsidered,
}

/// How much of a source is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// Its parent.
    Parent,
    /// The sentences of its parent that matter for the question.
    Sentences,
    /// The chunk alone, because the parent did not fit.
    Chunk,
}

/// Chooses what the prompt shows, within `rules`. `turns` are positions in `passages`: who is first in it is chosen first.
///
/// Passages that share a parent become one source, and one that says nearly what a better one says becomes none. A source
/// that does not fit is passed over, and a smaller one behind it may still fit. Where not even the best fits with its
/// parent, its chunk alone is shown.
pub fn select(
    passages: &[Passage],
    turns: &[usize],
    rules: Rules,
    compression: Option<&Compression>,
) -> Selection {
    choose(passages, turns, rules, |position| compression?.stretches(position))
}

/// The same; `stretches` says which of the passage at a position would be shown, and is asked only of one that may become a
/// source: it costs more than everything else here.
fn choose(
    passages: &[Passage],
    turns: &[usize],
    rules: Rules,
    stretches: impl Fn(usize) -> Option<Vec<Range<usize>>>,
) -> Selection {
    let mut chosen = Chosen { rules, spent: 0, sources: Vec::new(), shingles: Vec::new() };
    let mut decisions = vec![Decision::NotConsidered; passages.len()];
    for &position in turns {
        decisions[position] = chosen.decide(&passages[position], || stretches(position));
    }
    Selection { sources: chosen.sources, decisions }
}

/// The sources so far.
struct Chosen {
    rules: Rules,
    /// Tokens that they take.
    spent: u64,
    sources: Vec<Source>,
    /// What each of them says.
    shingles: Vec<Shingles>,
}

impl Chosen {
    fn decide(
        &mut self,
        passage: &Passage,
        stretches: impl FnOnce() -> Option<Vec<Range<usize>>>,
    ) -> Decision {
        if let Some(source) = self.sources.iter().position(|source| source.contains(passage)) {
            return Decision::Within { source };
        }
        if self.sources.len() >= self.rules.most {
            return Decision::Enough { most: self.rules.most };
        }
        if let Some(most) = self.rules.most_per_document
            && self.sources.iter().filter(|source| source.passage.document == passage.document).count()
                >= most
        {
            return Decision::DocumentHasEnough { most };
        }
        let (source, extent, tokens) = match self.fit(passage, stretches()) {
            Ok(fitting) => fitting,
            Err(decision) => return decision,
        };
        let shingles = Shingles::of(&source.text());
        if let Some(source) = self.shingles.iter().position(|shown| shingles.add_nothing_to(shown)) {
            return Decision::NearDuplicate { source };
        }
        self.spent += tokens;
        self.sources.push(source);
        self.shingles.push(shingles);
        Decision::Shown { source: self.sources.len() - 1, extent }
    }

    /// The passage as a source that fits into what is left, and its tokens.
    fn fit(
        &self,
        passage: &Passage,
        stretches: Option<Vec<Range<usize>>>,
    ) -> Result<(Source, Extent, u64), Decision> {
        let left = self.rules.tokens.saturating_sub(self.spent);
        let (source, extent) = match stretches {
            Some(shown) => (Source { passage: passage.clone(), shown }, Extent::Sentences),
            None => (Source::whole(passage.clone()), Extent::Parent),
        };
        let tokens = estimate_tokens(&source.text());
        if tokens <= left {
            return Ok((source, extent, tokens));
        }
        let needed = estimate_tokens(&passage.text);
        if needed > left {
            return Err(Decision::OverBudget { needed, left });
        }
        let mut alone = passage.clone();
        alone.parent_text.clone_from(&alone.text);
        alone.parent_range = alone.range;
        Ok((Source::whole(alone), Extent::Chunk, needed))
    }
}

impl Source {
    /// A source of which everything is shown.
    pub fn whole(passage: Passage) -> Self {
        let all = 0..passage.parent_text.len();
        Self { passage, shown: vec![all] }
    }

    /// What is shown, with "…" on a line of its own for what is not.
    pub fn text(&self) -> Cow<'_, str> {
        let text = &self.passage.parent_text;
        if self.shows_all() {
            return Cow::Borrowed(text);
        }
        let mut pieces: Vec<&str> = Vec::with_capacity(2 * self.shown.len() + 1);
        let mut end = 0;
        for stretch in &self.shown {
            if !text[end..stretch.start].trim().is_empty() {
                pieces.push(GAP);
            }
            pieces.push(&text[stretch.clone()]);
            end = stretch.end;
        }
        if !text[end..].trim().is_empty() {
            pieces.push(GAP);
        }
        Cow::Owned(pieces.join("\n"))
    }

    /// Whether nothing of the parent is left out.
    pub(crate) fn shows_all(&self) -> bool {
        matches!(self.shown.as_slice(), [all] if *all == (0..self.passage.parent_text.len()))
    }

    fn contains(&self, passage: &Passage) -> bool {
        self.passage.document == passage.document
            && self.passage.parent_range.start <= passage.range.start
            && passage.range.end <= self.passage.parent_range.end
    }
}

/// What stands for what is left out.
const GAP: &str = "…";

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use mainstay_domain::{ByteRange, ChunkId};

    use super::*;
    use crate::testing::passage;

    const RULES: Rules = Rules { most: 5, most_per_document: None, tokens: 1_000 };

    fn choose(passages: &[Passage], rules: Rules) -> Selection {
        let turns: Vec<usize> = (0..passages.len()).collect();
        select(passages, &turns, rules, None)
    }

    #[test]
    fn a_passage_that_is_dropped_whatever_it_says_is_not_compressed() {
        let first = passage(1, "a.md", "One. Two.");
        let within = Passage { chunk: ChunkId(2), ..first.clone() };
        let passages = [first, within, passage(3, "b.md", "Three."), passage(4, "c.md", "Four.")];
        let asked = RefCell::new(Vec::new());
        let stretches = |position| {
            asked.borrow_mut().push(position);
            None
        };
        let chosen = super::choose(&passages, &[0, 1, 2, 3], Rules { most: 2, ..RULES }, stretches);
        let enough = Decision::Enough { most: 2 };
        assert_eq!(chosen.decisions, [shown(0), Decision::Within { source: 0 }, shown(1), enough]);
        assert_eq!(*asked.borrow(), [0, 2]);
    }

    fn shown(source: usize) -> Decision {
        Decision::Shown { source, extent: Extent::Parent }
    }

    #[test]
    fn chunks_of_one_parent_become_one_source() {
        let first = passage(1, "a.md", "One. Two.");
        let mut second = first.clone();
        second.chunk = ChunkId(2);
        second.range = ByteRange { start: 5, end: 9 };
        let other = passage(3, "b.md", "Three.");
        let chosen = choose(&[first, second, other], RULES);
        assert_eq!(chosen.decisions, [shown(0), Decision::Within { source: 0 }, shown(1)]);
    }

    #[test]
    fn a_source_that_exceeds_the_budget_is_passed_over_for_a_smaller_one() {
        let long = passage(1, "a.md", &"word ".repeat(400));
        let short = passage(2, "b.md", "Short.");
        let chosen = choose(&[long, short], Rules { tokens: 10, ..RULES });
        assert!(matches!(chosen.decisions[0], Decision::OverBudget { left: 10, .. }));
        assert_eq!(chosen.decisions[1], shown(0));
    }

    #[test]
    fn a_chunk_stands_alone_where_its_parent_does_not_fit() {
        let mut large = passage(1, "a.md", "The gate opens at nine.");
        large.parent_text = format!("{} {}", large.text, "And so on. ".repeat(100));
        large.parent_range.end = large.parent_text.len();
        let chosen = choose(&[large], Rules { tokens: 20, ..RULES });
        assert_eq!(chosen.decisions, [Decision::Shown { source: 0, extent: Extent::Chunk }]);
        assert_eq!(chosen.sources[0].text(), "The gate opens at nine.");
    }

    #[test]
    fn of_two_that_say_the_same_the_better_stays() {
        let text = "The warranty lasts two years from the day of purchase and covers parts and labour.";
        let copies = [
            passage(1, "2024.md", text),
            passage(2, "copy.md", &text.replace("covers", "Covers")),
            passage(3, "2025.md", &text.replace("two years", "24 months")),
        ];
        let chosen = choose(&copies, RULES);
        assert_eq!(chosen.decisions, [shown(0), Decision::NearDuplicate { source: 0 }, shown(1)]);
    }

    #[test]
    fn a_document_gives_no_more_than_it_may_and_all_together_no_more_than_there_may_be() {
        let mut pages: Vec<Passage> = ["Apples.", "Pears.", "Plums."]
            .iter()
            .zip(1..)
            .map(|(text, id)| passage(id, "a.md", text))
            .collect();
        for (page, start) in pages.iter_mut().zip([0, 100, 200]) {
            page.range = ByteRange { start, end: start + page.text.len() };
            page.parent_range = page.range;
        }
        pages.extend([passage(4, "b.md", "Figs."), passage(5, "c.md", "Dates.")]);
        let rules = Rules { most: 3, most_per_document: Some(2), ..RULES };
        let chosen = choose(&pages, rules);
        let enough = Decision::DocumentHasEnough { most: 2 };
        assert_eq!(chosen.decisions, [shown(0), shown(1), enough, shown(2), Decision::Enough { most: 3 }]);
    }

    #[test]
    fn who_has_the_first_turn_is_the_first_source() {
        let passages = [passage(1, "a.md", "Apples."), passage(2, "b.md", "Pears.")];
        let chosen = select(&passages, &[1, 0], RULES, None);
        assert_eq!(chosen.decisions, [shown(1), shown(0)]);
        assert_eq!(chosen.sources[0].passage.chunk, ChunkId(2));
        let chosen = select(&passages, &[0], RULES, None);
        assert_eq!(chosen.decisions, [shown(0), Decision::NotConsidered]);
    }

    #[test]
    fn what_is_left_out_is_marked() {
        let text = "One. Two. Three. Four.";
        let source = Source { passage: passage(1, "a.md", text), shown: vec![0..4, 10..16] };
        assert_eq!(source.text(), "One.\n…\nThree.\n…");
        assert_eq!(Source::whole(passage(1, "a.md", text)).text(), text);
    }
}
