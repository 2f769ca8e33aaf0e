//! Citations: the markers `[n]` of an answer, each verified against the source that it names. A marker whose source does
//! not exist or does not support the statement is taken out of the text and counted; one that holds comes back as a
//! [`Citation`] with the exact bytes that support it. `[0]` says that no source has the answer: a sign that models set in
//! whatever language they answer, and that nobody sees.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::sync::Arc;

use mainstay_domain::chat::{AssistantMessage, ChoiceDelta};
use mainstay_domain::{ByteRange, Citation, Passage};

use crate::assemble::Grounding;
use crate::evidence::{Evidence, Support};
use crate::extractive::NOT_FOUND;
use crate::markers::{Marker, Reading, Token, next_token};
use crate::selection::Source;
use crate::sentences::{Span, SpanKind, spans};

/// How many citations held and how many did not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CitationCounts {
    /// Verified and returned.
    pub verified: u32,
    /// Removed.
    pub removed: u32,
    /// Statements that the documents do not contain the answer: marked `[0]`, or in the words of the extractive answerer.
    pub not_found: u32,
}

impl AddAssign for CitationCounts {
    fn add_assign(&mut self, other: Self) {
        self.verified += other.verified;
        self.removed += other.removed;
        self.not_found += other.not_found;
    }
}

impl CitationCounts {
    /// Whether the answer is that the documents do not contain one. What is partly answered has citations.
    pub fn is_not_found(&self) -> bool {
        self.not_found > 0 && self.verified == 0
    }
}

/// Text that may leave, and the citations in it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Filtered {
    /// The text, without the markers that failed.
    pub text: String,
    /// The citations whose markers are in the text.
    pub citations: Vec<Citation>,
    /// The statement that each of them stands behind.
    pub statements: Vec<String>,
}

impl Filtered {
    /// Adds what follows.
    fn extend(&mut self, rest: Self) {
        self.text.push_str(&rest.text);
        self.citations.extend(rest.citations);
        self.statements.extend(rest.statements);
    }
}

/// Filters the streams of all choices of an answer.
pub struct CitationFilters {
    sources: Arc<[Source]>,
    choices: BTreeMap<u32, CitationFilter>,
}

impl CitationFilters {
    /// For an answer with these sources.
    pub fn new(grounding: Grounding) -> Self {
        Self { sources: grounding.into_sources().into(), choices: BTreeMap::new() }
    }

    /// Filters a piece in place. Text that may be the beginning of a marker is held back until it is decided, at the
    /// latest with the piece that ends the choice. Returns the statements that the citations stand behind.
    pub fn filter(&mut self, delta: &mut ChoiceDelta) -> Vec<String> {
        let filtered = self.push(delta.choice, delta.text.as_deref(), delta.finish.is_some());
        if delta.text.is_some() || !filtered.text.is_empty() {
            delta.text = Some(filtered.text);
        }
        delta.citations = filtered.citations;
        filtered.statements
    }

    /// Filters the whole message of a choice in place. Returns the statements that the citations stand behind.
    pub fn filter_message(&mut self, choice: u32, message: &mut AssistantMessage) -> Vec<String> {
        let filtered = self.push(choice, message.text.as_deref(), true);
        if message.text.is_some() {
            message.text = Some(filtered.text);
        }
        message.citations = filtered.citations;
        filtered.statements
    }

    fn push(&mut self, choice: u32, text: Option<&str>, is_last: bool) -> Filtered {
        let filter = self.choices.entry(choice).or_insert_with(|| CitationFilter::new(self.sources.clone()));
        let mut filtered = Filtered::default();
        if let Some(text) = text {
            filtered.extend(filter.push(text));
        }
        if is_last {
            filtered.extend(filter.finish());
        }
        filtered
    }

    /// Takes those citations out of what a choice let out last that do not hold after all: see
    /// [`CitationFilter::withdraw`].
    pub fn withdraw(
        &mut self,
        choice: u32,
        text: &mut Option<String>,
        citations: &mut Vec<Citation>,
        holds: &[bool],
    ) {
        if let (Some(filter), Some(text)) = (self.choices.get_mut(&choice), text) {
            filter.withdraw(text, citations, holds);
        }
    }

    /// How many citations held so far, over all choices.
    pub fn counts(&self) -> CitationCounts {
        let mut counts = CitationCounts::default();
        for filter in self.choices.values() {
            counts += filter.counts;
        }
        counts
    }
}

/// How many statements a text makes: its sentences, list items and rows that have a word. Headings and code state nothing.
pub fn count_statements(text: &str) -> usize {
    let states = |span: &Span| {
        matches!(span.kind, SpanKind::Prose | SpanKind::Row)
            && text[span.range.clone()].chars().any(char::is_alphabetic)
    };
    spans(text).iter().filter(|span| states(span)).count()
}

/// Filters the text of one choice as it streams by.
pub struct CitationFilter {
    sources: Arc<[Source]>,
    evidence: BTreeMap<usize, Evidence>,
    /// Text that may be the beginning of a marker.
    held: String,
    /// The statement under way, and the one before: a marker may stand before or after the full stop.
    statement: String,
    previous: String,
    /// Code points let out so far.
    emitted: usize,
    /// Length of the run of backticks that opened the code we are in. In code, `[1]` is an index.
    code: Option<usize>,
    counts: CitationCounts,
}

/// The longest statement that is compared with a source, in bytes: the end of a longer one counts.
const LONGEST_STATEMENT: usize = 2_000;

impl CitationFilter {
    /// For an answer with these sources.
    pub fn new(sources: Arc<[Source]>) -> Self {
        Self {
            sources,
            evidence: BTreeMap::new(),
            held: String::new(),
            statement: String::new(),
            previous: String::new(),
            emitted: 0,
            code: None,
            counts: CitationCounts::default(),
        }
    }

    /// Takes more of the answer; returns what may leave.
    pub fn push(&mut self, text: &str) -> Filtered {
        self.held.push_str(text);
        self.drain(false)
    }

    /// The answer is complete: returns what was held back.
    pub fn finish(&mut self) -> Filtered {
        let rest = self.drain(true);
        if self.previous.is_empty() && self.statement == NOT_FOUND {
            self.counts.not_found += 1;
        }
        rest
    }

    /// Takes those citations out of what was let out last that do not hold after all (`holds` says so of each), with
    /// their markers and the space before them, and moves the places of the others.
    pub fn withdraw(&mut self, text: &mut String, citations: &mut Vec<Citation>, holds: &[bool]) {
        let characters: Vec<char> = text.chars().collect();
        let start = self.emitted - characters.len();
        let mut kept = String::with_capacity(text.len());
        // The space before markers belongs to the first that stays of those that touch each other.
        let mut space = String::new();
        let mut next = 0;
        for (index, citation) in citations.iter_mut().enumerate() {
            let marker = citation.start_index - start..citation.end_index - start;
            if next < marker.start {
                let between: String = characters[next..marker.start].iter().collect();
                let said = between.trim_end_matches(' ');
                kept.push_str(said);
                space = between[said.len()..].to_owned();
            }
            next = marker.end;
            if holds.get(index).copied().unwrap_or(true) {
                kept.push_str(&std::mem::take(&mut space));
                citation.start_index = start + kept.chars().count();
                citation.end_index = citation.start_index + marker.len();
                kept.extend(&characters[marker]);
            }
        }
        kept.extend(&characters[next..]);
        self.emitted = start + kept.chars().count();
        *text = kept;
        let mut verdicts = holds.iter().copied().chain(std::iter::repeat(true));
        let before = citations.len();
        citations.retain(|_| verdicts.next().unwrap_or(true));
        let refused = (before - citations.len()) as u32;
        self.counts.verified -= refused;
        self.counts.removed += refused;
    }

    /// How many citations held so far.
    pub fn counts(&self) -> CitationCounts {
        self.counts
    }

    fn drain(&mut self, complete: bool) -> Filtered {
        let held = std::mem::take(&mut self.held);
        let mut out = Filtered::default();
        let mut rest = held.as_str();
        while !rest.is_empty() {
            match next_token(rest, self.code.is_some(), complete) {
                Token::Undecided => break,
                Token::Text(length) => {
                    self.emit(&rest[..length], &mut out);
                    rest = &rest[length..];
                }
                Token::Backticks(length) => {
                    self.code = match self.code {
                        None => Some(length),
                        Some(open) if open == length => None,
                        open => open,
                    };
                    self.emit(&rest[..length], &mut out);
                    rest = &rest[length..];
                }
                Token::Marker(marker) => {
                    self.cite(&rest[..marker.length], &marker, &mut out);
                    rest = &rest[marker.length..];
                }
            }
        }
        self.held = rest.to_owned();
        out
    }

    fn emit(&mut self, text: &str, out: &mut Filtered) {
        self.emitted += text.chars().count();
        out.text.push_str(text);
        for character in text.chars() {
            let ended = self.statement.ends_with(['.', '!', '?', ':', '\n']) && character.is_whitespace()
                || self.statement.ends_with(['。', '！', '？', '।', '۔', '؟'])
                || character == '\n';
            if ended {
                self.end_statement();
            }
            self.statement.push(character);
        }
        if self.statement.len() > LONGEST_STATEMENT {
            let cut = self.statement.ceil_char_boundary(self.statement.len() - LONGEST_STATEMENT / 2);
            self.statement.drain(..cut);
        }
    }

    /// What follows is another statement. Signs alone are none: a full stop behind a marker, the space between two.
    fn end_statement(&mut self) {
        if self.statement.contains(char::is_alphanumeric) {
            self.previous = std::mem::take(&mut self.statement);
        }
    }

    /// Lets those numbers of a marker out that hold, and a marker that is an index as it is. `written` is the marker as it
    /// stands, with the space before it.
    fn cite(&mut self, written: &str, marker: &Marker, out: &mut Filtered) {
        let reading = marker.reading(&self.statement);
        if reading == Reading::Index {
            return self.emit(written, out);
        }
        // A marker ends its statement; those that follow at once cite the same.
        self.end_statement();
        let statement = std::mem::take(&mut self.previous);
        let supports: Vec<_> =
            marker.numbers.iter().map(|&number| self.support(number, &statement)).collect();
        if reading == Reading::Either && supports.contains(&None) {
            self.statement = statement;
            return self.emit(written, out);
        }
        self.statement.clear();
        self.previous = statement;
        let mut space = Some(&written[..marker.space]);
        for (&number, support) in marker.numbers.iter().zip(supports) {
            let Some(support) = support else {
                let count = if number == 0 { &mut self.counts.not_found } else { &mut self.counts.removed };
                *count += 1;
                continue;
            };
            let passage = &self.sources[number - 1].passage;
            let lead = space.take().unwrap_or_default();
            let marker = format!("[{number}]");
            let start_index = self.emitted + lead.chars().count();
            let end_index = start_index + marker.len();
            out.statements.push(self.previous.clone());
            out.citations.push(Citation {
                index: number as u32,
                document: passage.document.clone(),
                title: passage.title.clone(),
                headings: headings_above(passage, support.range).to_vec(),
                chunk: passage.chunk,
                range: support.range,
                quote: support.quote,
                start_index,
                end_index,
            });
            out.text.push_str(lead);
            out.text.push_str(&marker);
            self.emitted = end_index;
            self.counts.verified += 1;
        }
    }

    fn support(&mut self, number: usize, statement: &str) -> Option<Support> {
        let index = number.checked_sub(1)?;
        let source = self.sources.get(index)?;
        let evidence = self.evidence.entry(index).or_insert_with(|| Evidence::shown(source));
        evidence.support(source, statement)
    }
}

/// The headings that a quote from a passage surely stands under. What is quoted from beside the chunk that was found may
/// belong to the next section.
fn headings_above(passage: &Passage, quote: ByteRange) -> &[String] {
    let in_chunk = passage.range.start <= quote.start && quote.end <= passage.range.end;
    if in_chunk { &passage.headings } else { &passage.parent_headings }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::passage;

    const SOURCE: &str =
        "Refunds take five days. The warranty lasts two years. Support answers within one hour.";

    fn filter() -> CitationFilter {
        CitationFilter::new(
            [passage(7, "policy.md", SOURCE), passage(8, "other.md", "Bananas are yellow.")]
                .map(Source::whole)
                .into(),
        )
    }

    fn counts(verified: u32, removed: u32) -> CitationCounts {
        CitationCounts { verified, removed, not_found: 0 }
    }

    fn filter_whole(answer: &str) -> (Filtered, CitationCounts) {
        let mut filter = filter();
        let mut filtered = filter.push(answer);
        filtered.extend(filter.finish());
        (filtered, filter.counts())
    }

    #[test]
    fn a_citation_that_holds_comes_back_with_the_bytes_that_support_it() {
        let (filtered, counted) = filter_whole("The warranty lasts for two years [1].");
        assert_eq!(filtered.text, "The warranty lasts for two years [1].");
        assert_eq!(counted, counts(1, 0));
        let citation = &filtered.citations[0];
        assert_eq!(citation.quote, "The warranty lasts two years.");
        assert_eq!(&SOURCE[citation.range.start..citation.range.end], citation.quote);
        let characters: Vec<char> = filtered.text.chars().collect();
        assert_eq!(characters[citation.start_index..citation.end_index].iter().collect::<String>(), "[1]");
    }

    #[test]
    fn a_citation_names_the_headings_that_its_quote_surely_stands_under() {
        let mut source = passage(7, "contract.md", SOURCE);
        source.headings = vec!["Article 5 — Refunds".to_owned()];
        // The chunk that was found is the first sentence; the parent goes on.
        source.range.end = SOURCE.find(" The warranty").expect("it is there");
        let headings = |source: &Passage| -> Vec<Vec<String>> {
            let mut filter =
                CitationFilter::new(vec![crate::selection::Source::whole(source.clone())].into());
            let answer = "Refunds take five days [1]. The warranty lasts two years [1].";
            let citations = [filter.push(answer).citations, filter.finish().citations].concat();
            citations.into_iter().map(|citation| citation.headings).collect()
        };
        assert_eq!(headings(&source), [source.headings.clone(), Vec::new()]);
        source.parent_headings.clone_from(&source.headings);
        assert_eq!(headings(&source), [source.headings.clone(), source.headings.clone()]);
    }

    #[test]
    fn a_marker_after_the_full_stop_cites_the_statement_before() {
        let (filtered, _) = filter_whole("Refunds take five days. [1] And so on.");
        assert_eq!(filtered.citations[0].quote, "Refunds take five days.");
    }

    #[test]
    fn a_citation_of_a_source_that_says_something_else_is_removed() {
        let (filtered, counted) =
            filter_whole("The warranty lasts two years [2]. Refunds take five days [9].");
        assert_eq!(filtered.text, "The warranty lasts two years. Refunds take five days.");
        assert_eq!(counted, counts(0, 2));
    }

    #[test]
    fn an_answer_that_is_not_in_the_documents_is_told_by_its_sign_and_not_shown_it() {
        for answer in ["Das steht nicht in den Dokumenten [0].", "文档中没有答案[0]。"] {
            let (filtered, counted) = filter_whole(answer);
            assert!(counted.is_not_found() && counted.removed == 0, "{answer}");
            assert!(!filtered.text.contains('['), "{}", filtered.text);
        }
        assert!(filter_whole(NOT_FOUND).1.is_not_found());
        let (_, partly) =
            filter_whole("Refunds take five days [1]. The documents do not say who pays them [0].");
        assert!(!partly.is_not_found() && partly.verified == 1);
        assert!(!filter_whole("Refunds take five days.").1.is_not_found());
    }

    #[test]
    fn a_list_of_markers_keeps_those_that_hold() {
        let (filtered, counted) = filter_whole("The warranty lasts two years [1, 2].");
        assert_eq!(filtered.text, "The warranty lasts two years [1].");
        assert_eq!(counted, counts(1, 1));
    }

    #[test]
    fn a_marker_cites_what_stands_between_it_and_the_marker_before() {
        for answer in [
            "- Refunds take five days [1]\n- The warranty lasts two years [1]",
            "`Refunds = five` days [1] The warranty lasts two years [1]",
            "Refunds take five days [1] while the warranty lasts two years [1].",
        ] {
            let (filtered, _) = filter_whole(answer);
            let quotes: Vec<&str> = filtered.citations.iter().map(|citation| &*citation.quote).collect();
            assert_eq!(quotes, ["Refunds take five days.", "The warranty lasts two years."], "{answer}");
        }
    }

    #[test]
    fn markers_that_follow_each_other_cite_the_same_statement() {
        for markers in ["[1][1]", " [1] [1].", ". [1] [1]", " [1]. [1]", " [1], [1]."] {
            let answer = format!("Refunds take five days. The warranty lasts two years{markers} Next.");
            let (filtered, counted) = filter_whole(&answer);
            assert_eq!(counted, counts(2, 0), "{answer}");
            assert!(
                filtered.citations.iter().all(|citation| citation.quote == "The warranty lasts two years."),
                "{answer}"
            );
        }
    }

    #[test]
    fn an_index_stays_as_it_is() {
        for answer in [
            "Print response.choices[0] then",
            "Take choices[0].message or choices[1].message",
            "Take banana_list[1] or list(x)[9]",
        ] {
            let (filtered, counted) = filter_whole(answer);
            assert_eq!((filtered.text.as_str(), counted), (answer, CitationCounts::default()));
        }
        let (filtered, counted) = filter_whole("The warranty lasts two years[1]. Refunds take five days[2].");
        assert_eq!(filtered.text, "The warranty lasts two years[1]. Refunds take five days.");
        assert_eq!(counted, counts(1, 1));
    }

    #[test]
    fn code_and_links_are_no_citations() {
        for answer in [
            "Use `items[1]` here",
            "```\na[1] = b[2]\n```\n",
            "see [1](https://example.org)",
            "[x] done",
            "[ 9\n]",
            "[+1]",
            "a [",
            "[12",
        ] {
            let (filtered, counted) = filter_whole(answer);
            assert_eq!((filtered.text.as_str(), counted), (answer, CitationCounts::default()));
        }
    }

    /// Cuts the answer into these pieces, and withdraws from each what does not hold.
    fn withdraw(pieces: &[&str], holds: impl Fn(&str, u32) -> bool) -> (Filtered, CitationCounts) {
        let mut filter = filter();
        let mut out = Filtered::default();
        for piece in pieces.iter().map(Some).chain([None]) {
            let mut filtered = match piece {
                Some(piece) => filter.push(piece),
                None => filter.finish(),
            };
            let cited = filtered.statements.iter().zip(&filtered.citations);
            let verdicts: Vec<bool> = cited.map(|(said, citation)| holds(said, citation.index)).collect();
            filter.withdraw(&mut filtered.text, &mut filtered.citations, &verdicts);
            out.extend(filtered);
        }
        (out, filter.counts())
    }

    #[test]
    fn what_does_not_hold_after_all_is_taken_out_with_its_marker_and_its_space() {
        let answer =
            "Refunds take five days [1][1]. The warranty lasts two years [1]. Bananas are yellow [2].";
        for pieces in [vec![answer], answer.split_inclusive(' ').collect()] {
            let (filtered, counted) = withdraw(&pieces, |said, _| !said.contains("days"));
            assert_eq!(
                filtered.text,
                "Refunds take five days. The warranty lasts two years [1]. Bananas are yellow [2]."
            );
            assert_eq!(counted, counts(2, 2));
            let characters: Vec<char> = filtered.text.chars().collect();
            let markers = filtered.citations.iter().map(|citation| {
                characters[citation.start_index..citation.end_index].iter().collect::<String>()
            });
            assert_eq!(markers.collect::<Vec<_>>(), ["[1]", "[2]"]);
        }
        let (filtered, _) =
            withdraw(&["Bananas are yellow and last two years [1, 2]."], |_, index| index == 2);
        assert_eq!(filtered.text, "Bananas are yellow and last two years [2].");
    }

    proptest! {
        #[test]
        fn the_result_does_not_depend_on_how_the_answer_is_cut(
            pieces in proptest::collection::vec("(The warranty lasts two years|x.y|\\[0\\]|\\[1\\]|\\[2, 1\\]|\\[|\\]| |`|\\.|é|[a-z]{1,4}|\n|9)", 0..40),
            cuts in proptest::collection::vec(0usize..400, 0..40),
        ) {
            let answer = pieces.concat();
            let whole = filter_whole(&answer);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| answer.floor_char_boundary(cut.min(answer.len()))).collect();
            cuts.push(answer.len());
            cuts.sort_unstable();
            let mut streamed = Filtered::default();
            let mut filter = filter();
            let mut start = 0;
            for cut in cuts {
                streamed.extend(filter.push(&answer[start..cut]));
                start = cut;
            }
            streamed.extend(filter.finish());
            prop_assert_eq!(whole, (streamed, filter.counts()));
        }

        #[test]
        fn nothing_but_markers_is_ever_taken_out(answer in "[ -~é\n]{0,200}") {
            let (filtered, counted) = filter_whole(&answer);
            if counted == CitationCounts::default() {
                prop_assert_eq!(filtered.text, answer);
            }
        }
    }
}
