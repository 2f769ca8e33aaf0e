//! What happens to the pieces of a streamed answer: filter, measure, settle.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use mainstay_domain::chat::{ChatEvent, ChoiceDelta, StreamedTokens};
use mainstay_domain::port::Prices;
use mainstay_domain::usage::UsageSource;
use mainstay_domain::{Clock, Usage};
use mainstay_models::{AttemptedStream, Note, Step};
use mainstay_ops::{Recording, Turn, measure};
use mainstay_rag::citations::CitationFilters;
use metrics::Histogram;
use tokio::time::Instant;

use crate::admission::Admitted;
use crate::attempts;
use crate::caching::{Collected, Keeping};
use crate::chat::{Degraded, Opened, Summary, Terms, conclude};
use crate::judging::Judge;
use crate::{Gateway, RequestError, Service};

/// The pieces of an answer. It ends with `None` only after the model said that it had finished and the turn was booked;
/// a failure is an `Err`, and the last item. Dropping it before cancels the upstream and books what was used.
pub struct AnswerStream {
    source: Source,
    /// Only of a grounded answer.
    citations: Option<CitationFilters>,
    judge: Option<Judge>,
    /// The piece whose citations are being judged: what follows waits.
    judged: Option<Judged>,
    /// Taken when the turn is closed; nothing comes after that.
    turn: Option<Turn>,
    prices: Arc<dyn Prices>,
    /// Is told of failures on the way.
    service: Arc<Service>,
    clock: Clock,
    model: String,
    /// Tokens of the prompt, as an estimate.
    prompt: Usage,
    /// Counts what was sent until the provider reports what it was.
    tally: Usage,
    /// Of it, what of the answer has come, and what had come of it before it went on: where no count is reported.
    said: StreamedTokens,
    replayed: u64,
    reported: bool,
    last_content: Option<Instant>,
    /// The place among those that are answered; given back when the answer has ended.
    admitted: Option<Admitted>,
    degraded: Option<Degraded>,
    has_news: bool,
    /// Where the answer may be given again.
    keeping: Option<Keeping>,
    /// Where what is said is kept.
    recording: Option<Box<Recording>>,
    /// What has been sent, where one of these wants it.
    collected: Option<Collected>,
    gaps: Histogram,
    /// Of a stream that has ended well.
    summary: Option<Summary>,
}

/// Where the pieces come from.
enum Source {
    /// A model.
    Model(Box<AttemptedStream>),
    /// An answer that was given before.
    Stored(std::vec::IntoIter<ChatEvent>),
}

/// A piece and what becomes of its citations.
struct Judged {
    delta: ChoiceDelta,
    verdicts: Pin<Box<dyn Future<Output = Vec<bool>> + Send>>,
}

impl AnswerStream {
    pub(crate) fn new(opened: Opened, turn: Turn, prices: Arc<dyn Prices>, clock: Clock) -> Self {
        let model = turn.so_far().answered_model.clone().unwrap_or_default();
        Self {
            source: Source::Model(Box::new(opened.upstream)),
            citations: opened.grounding.map(CitationFilters::new),
            judge: opened.judge,
            judged: None,
            tally: turn.so_far().usage,
            said: StreamedTokens::default(),
            replayed: 0,
            turn: Some(turn),
            prices,
            service: opened.service,
            clock,
            gaps: measure::chunk_gap(&model),
            model,
            prompt: opened.prompt,
            reported: false,
            last_content: None,
            admitted: Some(opened.admitted),
            degraded: opened.degraded,
            has_news: false,
            collected: (opened.keeping.is_some() || opened.recording.is_some()).then(Collected::default),
            keeping: opened.keeping,
            recording: opened.recording,
            summary: None,
        }
    }

    /// An answer that was given before. It is booked when it has been sent.
    pub(crate) fn replayed(events: Vec<ChatEvent>, turn: Turn, summary: Summary, gateway: &Gateway) -> Self {
        let model = turn.so_far().answered_model.clone().unwrap_or_default();
        Self {
            source: Source::Stored(events.into_iter()),
            citations: None,
            judge: None,
            judged: None,
            turn: Some(turn),
            prices: gateway.prices.clone(),
            service: gateway.service.clone(),
            clock: gateway.clock,
            gaps: measure::chunk_gap(&model),
            model,
            prompt: Usage::default(),
            tally: Usage::default(),
            said: StreamedTokens::default(),
            replayed: 0,
            reported: true,
            last_content: None,
            admitted: None,
            degraded: None,
            has_news: false,
            keeping: None,
            recording: None,
            collected: None,
            summary: Some(summary),
        }
    }

    /// Ends an answer that was given before.
    fn end_stored(&mut self) {
        if let Some(turn) = self.turn.take() {
            turn.complete();
        }
    }

    /// What is to be told anew, since another model has taken over.
    pub fn news(&mut self) -> Option<Summary> {
        let turn = self.turn.as_ref()?;
        let standing = self.admitted.as_ref().map(Admitted::standing).unwrap_or_default();
        let terms = Terms { standing, degraded: self.degraded, cache: None };
        std::mem::take(&mut self.has_news).then(|| Summary::at_start(turn, terms))
    }

    /// What was booked, once the stream has ended with `None`.
    pub fn summary(&self) -> Option<&Summary> {
        self.summary.as_ref()
    }

    /// Gives up with an error of our own: the answer is not finished and must not look it.
    pub fn abort(&mut self, error: &RequestError) {
        self.settle();
        self.admitted = None;
        // Whoever waits for this answer asks now.
        self.keeping = None;
        if let Some(recording) = self.recording.take() {
            recording.failed(error.code(), Some(&self.model), self.sent());
        }
        if let Some(turn) = self.turn.take() {
            turn.fail(error.code());
        }
    }

    /// Filters and measures an event. `None` where its citations are judged first: then it comes out of that.
    fn pass(&mut self, event: ChatEvent) -> Option<ChatEvent> {
        match event {
            ChatEvent::Delta(mut delta) => {
                self.measure(&delta);
                let statements =
                    self.citations.as_mut().map_or_else(Vec::new, |citations| citations.filter(&mut delta));
                match &self.judge {
                    Some(judge) if !delta.citations.is_empty() => {
                        let (judge, citations) = (judge.clone(), delta.citations.clone());
                        let verdicts = async move { judge.verdicts(statements, &citations).await };
                        self.judged = Some(Judged { delta, verdicts: Box::pin(verdicts) });
                        return None;
                    }
                    _ => return Some(ChatEvent::Delta(delta)),
                }
            }
            ChatEvent::Usage(usage) => {
                self.tally = usage;
                self.reported = true;
            }
            ChatEvent::Start(_) | ChatEvent::Ping => {}
        }
        Some(event)
    }

    /// Books what happened on the way to the answer. What a call that failed has used is booked apart, and the count begins
    /// anew with the next one.
    fn enter(&mut self, note: &Note) {
        let Some(turn) = &mut self.turn else { return };
        attempts::enter(turn, &*self.prices, self.prompt, note);
        match note {
            Note::Began(model) => {
                let model = model.to_string();
                self.has_news |= model != self.model;
                self.model = model;
                self.gaps = measure::chunk_gap(&self.model);
                self.tally = self.prompt;
                (self.said, self.replayed) = Default::default();
                self.reported = false;
            }
            Note::Failed { kind, .. } => {
                self.service.called(Some(*kind));
                self.tally = Usage::default();
                self.reported = false;
            }
            Note::Hedged => {}
            Note::Resumed { replayed } => {
                if !self.reported {
                    self.replayed += replayed;
                    self.tally.completion += replayed;
                }
            }
        }
    }

    /// Remembers what goes to the caller, where that is wanted.
    fn collect(&mut self, event: &ChatEvent) {
        if let Some(collected) = &mut self.collected {
            collected.take(event);
        }
    }

    fn sent(&self) -> &str {
        self.collected.as_ref().map_or("", Collected::sent)
    }

    /// Waits until the citations of the piece that is judged are.
    fn poll_judged(&mut self, cx: &mut Context<'_>) -> Poll<Option<ChatEvent>> {
        let Some(judged) = &mut self.judged else { return Poll::Ready(None) };
        let holds = std::task::ready!(judged.verdicts.as_mut().poll(cx));
        let delta = self.judged.take().map(|judged| judged.delta).map(|mut delta| {
            if let Some(citations) = &mut self.citations {
                citations.withdraw(delta.choice, &mut delta.text, &mut delta.citations, &holds);
            }
            ChatEvent::Delta(delta)
        });
        Poll::Ready(delta)
    }

    fn measure(&mut self, delta: &ChoiceDelta) {
        if !delta.has_content() {
            return;
        }
        if !self.reported {
            self.said.take(delta);
            self.tally.completion = self.replayed + self.said.tokens();
        }
        let now = self.clock.instant();
        match self.last_content.replace(now) {
            Some(previous) => self.gaps.record(now.duration_since(previous)),
            None => {
                if let Some(turn) = &mut self.turn {
                    turn.first_content();
                }
                if let Some(admitted) = &self.admitted {
                    admitted.first_token();
                }
            }
        }
    }

    /// Enters usage, cost and citations into the turn.
    fn settle(&mut self) {
        if matches!(self.source, Source::Stored(_)) {
            return;
        }
        let Some(turn) = &mut self.turn else { return };
        let source = if self.reported { UsageSource::Reported } else { UsageSource::Estimated };
        turn.used(self.tally, source, self.prices.cost(&self.model, &self.tally));
        if let Some(citations) = &self.citations {
            let counts = citations.counts();
            turn.cited(counts.verified, counts.removed);
        }
        if let Some(admitted) = &mut self.admitted {
            admitted.used(self.tally.total());
        }
    }
}

impl Stream for AnswerStream {
    type Item = Result<ChatEvent, RequestError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.turn.is_none() {
            return Poll::Ready(None);
        }
        loop {
            if let Some(event) = std::task::ready!(self.poll_judged(cx)) {
                self.collect(&event);
                return Poll::Ready(Some(Ok(event)));
            }
            let next = match &mut self.source {
                Source::Model(upstream) => std::task::ready!(Pin::new(upstream).poll_next(cx)),
                Source::Stored(events) => match events.next() {
                    Some(ChatEvent::Delta(delta)) => {
                        self.measure(&delta);
                        return Poll::Ready(Some(Ok(ChatEvent::Delta(delta))));
                    }
                    Some(event) => return Poll::Ready(Some(Ok(event))),
                    None => {
                        self.end_stored();
                        return Poll::Ready(None);
                    }
                },
            };
            match next {
                Some(Ok(Step::Event(event))) => {
                    if let Some(event) = self.pass(event) {
                        self.collect(&event);
                        return Poll::Ready(Some(Ok(event)));
                    }
                }
                Some(Ok(Step::Note(note))) => self.enter(&note),
                Some(Ok(Step::Accepted)) => {}
                Some(Err(error)) => {
                    let error = RequestError::from(error);
                    self.abort(&error);
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    // Booked before the caller can know that the answer is complete.
                    self.settle();
                    let citations = self.citations.as_ref().map(CitationFilters::counts).unwrap_or_default();
                    if let Some(turn) = self.turn.take() {
                        let standing = self.admitted.as_ref().map(Admitted::standing).unwrap_or_default();
                        let terms = Terms { standing, degraded: self.degraded, cache: None };
                        if let Some(recording) = self.recording.take() {
                            recording.streamed(Some(&self.model), self.sent());
                        }
                        if let Some((keeping, collected)) = self.keeping.take().zip(self.collected.take()) {
                            match collected.whole() {
                                Some(whole) => {
                                    keeping.answered(self.clock, &turn, &whole, citations.is_not_found());
                                }
                                None => keeping.refused(),
                            }
                        }
                        self.summary = Some(conclude(turn, citations, terms));
                        self.admitted = None;
                    }
                    return Poll::Ready(None);
                }
            }
        }
    }
}

/// The caller went away: the tokens until then are booked when the turn drops after this.
impl Drop for AnswerStream {
    fn drop(&mut self) {
        self.settle();
        if let Some(recording) = self.recording.take() {
            recording.cancelled(Some(&self.model), self.sent());
        }
    }
}
