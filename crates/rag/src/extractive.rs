//! `builtin/extractive`: answers with the sentences of the retrieved passages that fit the question best, each with its
//! citation. It is no language model and invents nothing; it is also the last tier of degradation.

use std::collections::HashSet;

use async_trait::async_trait;
use futures_util::stream;
use mainstay_domain::chat::{
    AssistantMessage, ChatEvent, ChatRequest, Choice, ChoiceDelta, Completion, Extra, FinishReason,
    ResponseFormat, StreamStart, ToolChoice,
};
use mainstay_domain::port::{ChatModel, ChatStream, ModelCall};
use mainstay_domain::usage::estimate_tokens;
use mainstay_domain::{Clock, ModelError, ModelErrorKind, Passage, Usage};
use mainstay_text::TermId;

use crate::evidence::{Evidence, Sentence, weigh};
use crate::limits::within;
use crate::markers::{Reading, Token, next_token};
use crate::sentences::{SpanKind, code_spans};

/// The extractive answerer.
#[derive(Clone, Copy, Debug)]
pub struct Extractive {
    clock: Clock,
}

/// The provider's name.
pub const PROVIDER: &str = "builtin";

/// The model's name.
pub const MODEL: &str = "extractive";

/// What is said when nothing in the passages answers the question.
pub const NOT_FOUND: &str = "The documents do not contain an answer to this question.";

/// Most sentences of an answer.
const MOST_SENTENCES: usize = 3;

/// What a sentence must reach as [`grounds`] to answer at all; less is an answer to another question. On questions about
/// Wikipedia, medical papers and product documentation in eight languages this lets through nearly all that is answered
/// rightly, and one in twelve of those that are about something else.
const LEAST_GROUNDS: f64 = 0.61;

/// A further sentence must be this close to the best.
const NEAR_THE_BEST: f64 = 0.8;

impl Extractive {
    /// With this clock, for the time of creation.
    pub fn new(clock: Clock) -> Self {
        Self { clock }
    }

    fn answer(&self, call: &ModelCall) -> Result<(Vec<String>, FinishReason), ModelError> {
        check(&call.request)?;
        let question = call.request.last_user_text().unwrap_or_default();
        Ok(within(&call.request, compose(&question, &call.passages)))
    }

    fn id(&self) -> String {
        mainstay_domain::id::ordered_id("chatcmpl-", &self.clock)
    }
}

#[async_trait]
impl ChatModel for Extractive {
    async fn complete(&self, call: ModelCall) -> Result<Completion, ModelError> {
        let (pieces, finish) = self.answer(&call)?;
        let text = pieces.concat();
        let usage = usage(&call.request, &text);
        let message = AssistantMessage { text: Some(text), ..AssistantMessage::default() };
        Ok(Completion {
            id: self.id(),
            model: MODEL.to_owned(),
            created: Some(self.clock.now().as_seconds()),
            choices: vec![Choice { index: 0, message, finish, logprobs: None }],
            usage: Some(usage),
            extra: Extra::new(),
        })
    }

    async fn stream(&self, call: ModelCall) -> Result<ChatStream, ModelError> {
        let (pieces, finish) = self.answer(&call)?;
        let usage = usage(&call.request, &pieces.concat());
        let start = StreamStart {
            id: self.id(),
            model: MODEL.to_owned(),
            created: Some(self.clock.now().as_seconds()),
            extra: Extra::new(),
        };
        let mut events = vec![ChatEvent::Start(start)];
        events.extend(pieces.into_iter().map(|piece| ChatEvent::Delta(ChoiceDelta::text(piece))));
        events.push(ChatEvent::Delta(ChoiceDelta::finish(finish)));
        events.push(ChatEvent::Usage(usage));
        Ok(Box::pin(stream::iter(events.into_iter().map(Ok))))
    }
}

/// Refuses what only a language model can do, instead of ignoring it.
fn check(request: &ChatRequest) -> Result<(), ModelError> {
    let unsupported = |what: &str| ModelError {
        kind: ModelErrorKind::Unsupported,
        provider: PROVIDER.to_owned(),
        status: None,
        message: format!(
            "builtin/extractive quotes documents and is no language model: it cannot {what}; name a model of a provider"
        ),
        retry_after: None,
    };
    if request.n.is_some_and(|n| n > 1) {
        return Err(unsupported("give several answers (n > 1)"));
    }
    if matches!(request.tool_choice, Some(ToolChoice::Required | ToolChoice::Function(_))) {
        return Err(unsupported("call tools (tool_choice)"));
    }
    if request.extra.get("logprobs").is_some_and(|wanted| wanted.as_bool() == Some(true)) {
        return Err(unsupported("tell probabilities (logprobs)"));
    }
    match request.response_format {
        None | Some(ResponseFormat::Text) => Ok(()),
        Some(_) => Err(unsupported("write JSON (response_format)")),
    }
}

fn usage(request: &ChatRequest, answer: &str) -> Usage {
    let prompt = request.messages.iter().map(|message| estimate_tokens(&message.content.text())).sum();
    Usage { prompt, completion: estimate_tokens(answer), ..Usage::default() }
}

/// A sentence that may be part of the answer.
struct Candidate<'a> {
    /// Its source, from 0.
    source: usize,
    /// Its position in the source.
    position: usize,
    text: &'a str,
    terms: &'a HashSet<TermId>,
    score: f64,
}

/// The answer in pieces, each a sentence with its marker.
fn compose(question: &str, passages: &[Passage]) -> Vec<String> {
    let evidence: Vec<Evidence> = passages.iter().map(Evidence::of).collect();
    let mut candidates = candidates(question, passages, &evidence);
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
    let Some(best) = candidates.first().map(|best| best.score) else {
        return vec![NOT_FOUND.to_owned()];
    };
    let mut chosen: Vec<Candidate<'_>> = Vec::with_capacity(MOST_SENTENCES);
    for candidate in candidates {
        if chosen.len() == MOST_SENTENCES || candidate.score < best * NEAR_THE_BEST {
            break;
        }
        if !chosen.iter().any(|other| says_the_same(other.terms, candidate.terms)) {
            chosen.push(candidate);
        }
    }
    // Sentences of one source read in its order; the source of the best comes first.
    let first = chosen[0].source;
    chosen.sort_by_key(|candidate| (candidate.source != first, candidate.source, candidate.position));
    let last = chosen.len() - 1;
    let piece = |(position, candidate): (usize, Candidate<'_>)| {
        let separator = if position == last { "" } else { " " };
        format!("{} [{}]{separator}", clean(candidate.text), candidate.source + 1)
    };
    chosen.into_iter().enumerate().map(piece).collect()
}

/// The sentences that say something of what is asked.
fn candidates<'a>(question: &str, passages: &'a [Passage], evidence: &'a [Evidence]) -> Vec<Candidate<'a>> {
    let mut candidates = Vec::new();
    for (source, (passage, own)) in passages.iter().zip(evidence).enumerate() {
        // To the rules of the passage's language: passages of several languages may come together.
        let asked = own.terms_of(question);
        let weights = weigh(&asked, evidence);
        let total: f64 = weights.values().sum();
        let covered = |terms: &HashSet<TermId>| -> f64 {
            terms.iter().filter_map(|term| weights.get(term)).sum::<f64>() / total
        };
        // What the passage as a whole is about helps its sentences: pronouns refer to it, headings name it.
        let context = covered(own.terms());
        // The retriever's order counts a little.
        let rank = 1.0 / (1.0 + source as f64);
        for (position, sentence) in own.sentences().iter().enumerate() {
            if reads_as_a_sentence(sentence) && grounds(&asked, &sentence.terms, own.terms()) >= LEAST_GROUNDS
            {
                let text = &passage.parent_text[sentence.range.clone()];
                let score = 0.65 * covered(&sentence.terms) + 0.25 * context + 0.1 * rank;
                candidates.push(Candidate { source, position, text, terms: &sentence.terms, score });
            }
        }
    }
    candidates
}

/// Headings, rows, code and lone words answer nothing.
fn reads_as_a_sentence(sentence: &Sentence) -> bool {
    sentence.kind == SpanKind::Prose && sentence.terms.len() >= 2
}

/// How much speaks for a sentence being about what is asked: the share of the asked words that it has and the share that
/// its passage has, on average, and 0.1 for each that it has, because one word may be shared by chance and three are not.
fn grounds(asked: &HashSet<TermId>, sentence: &HashSet<TermId>, passage: &HashSet<TermId>) -> f64 {
    let found = |terms: &HashSet<TermId>| asked.intersection(terms).count() as f64;
    let share = (found(sentence) + found(passage)) / (2.0 * asked.len() as f64);
    // Of no asked word at all the share is not a number, which is less than anything.
    share + 0.1 * found(sentence)
}

/// Whether one sentence adds little to another: more than two thirds of its words are there already.
fn says_the_same(known: &HashSet<TermId>, new: &HashSet<TermId>) -> bool {
    3 * known.intersection(new).count() > 2 * new.len()
}

/// The sentence on one line, without the marks of a list item or quotation, and without markers of its own: the numbers of
/// the sources that a document cites are no numbers of ours.
fn clean(text: &str) -> String {
    let text = text.trim_start_matches(['-', '*', '+', '>', '•']).trim_start();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut cleaned = String::with_capacity(text.len());
    for (in_code, stretch) in code_and_prose(&text) {
        let mut rest = stretch;
        while !rest.is_empty() {
            let length = match next_token(rest, in_code, true) {
                Token::Text(length) | Token::Backticks(length) => length,
                Token::Marker(marker) if marker.reading(&cleaned) != Reading::Citation => marker.length,
                Token::Marker(marker) => {
                    rest = &rest[marker.length..];
                    continue;
                }
                Token::Undecided => rest.len(),
            };
            cleaned.push_str(&rest[..length]);
            rest = &rest[length..];
        }
    }
    cleaned
}

/// The stretches of a sentence, and whether each is a code span.
fn code_and_prose(text: &str) -> Vec<(bool, &str)> {
    let mut stretches = Vec::new();
    let mut position = 0;
    for code in code_spans(text) {
        stretches.push((false, &text[position..code.start]));
        position = code.end;
        stretches.push((true, &text[code]));
    }
    stretches.push((false, &text[position..]));
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::citations::CitationFilter;
    use crate::selection::Source;
    use crate::testing::passage;

    #[test]
    fn the_answer_is_the_sentence_that_fits_with_its_source() {
        let passages = [
            passage(1, "a", "Returns are free. The warranty lasts two years from the day of purchase."),
            passage(2, "b", "Our office is in Oslo."),
        ];
        let answer = compose("How long does the warranty last?", &passages).concat();
        assert_eq!(answer, "The warranty lasts two years from the day of purchase. [1]");
    }

    #[test]
    fn a_question_that_nothing_answers_is_not_answered() {
        let passages = [passage(1, "a", "Our office is in Oslo. It opens at nine.")];
        assert_eq!(compose("Which quantum error correction code is used?", &passages), [NOT_FOUND]);
        assert_eq!(compose("Anything?", &[]), [NOT_FOUND]);
    }

    #[test]
    fn words_of_grammar_and_one_word_by_chance_answer_nothing() {
        let passages = [passage(
            1,
            "a",
            "Whatever does not open is what the log has. When there is an error, which is rare, the log opens.",
        )];
        for question in ["What does it have, and when is there which?", "When does the bakery open?"] {
            assert_eq!(compose(question, &passages), [NOT_FOUND], "{question}");
        }
        assert_ne!(compose("When does the log open?", &passages), [NOT_FOUND]);
    }

    #[test]
    fn a_quoted_sentence_keeps_its_code() {
        for (question, sentence) in [
            ("What does GET list?", "`GET /v1/list?a=[1]` lists `items[1]`, e.g. `items[1]?`."),
            ("How do I take the first item?", "To take the first item, write my_items[1] or items[0]."),
        ] {
            let text = format!("Bananas are yellow. {sentence} Bananas are sweet.");
            let passages = [passage(1, "a", &text), passage(2, "b", "Bananas are yellow.")];
            let answer = compose(question, &passages).concat();
            assert_eq!(answer, format!("{sentence} [1]"));
            let mut filter = CitationFilter::new(passages.iter().cloned().map(Source::whole).collect());
            let filtered = filter.push(&answer);
            assert_eq!(filtered.text + &filter.finish().text, answer);
        }
    }

    #[test]
    fn code_blocks_tables_and_headings_are_not_quoted() {
        let text = "# Add a document\n\n```sh\nadd a document now\n```\n\n| add | document |\n\nUse the form to add a document.";
        let answer = compose("How do I add a document?", &[passage(1, "a", text)]).concat();
        assert_eq!(answer, "Use the form to add a document. [1]");
    }

    #[test]
    fn markers_of_the_document_are_not_taken_over() {
        let text = "The outbreak began in May [2, 3] and ended in June[1].";
        let answer = compose("When did the outbreak end?", &[passage(1, "a", text)]).concat();
        assert_eq!(answer, "The outbreak began in May and ended in June. [1]");
    }
}
