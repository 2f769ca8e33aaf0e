//! A streamed answer over several attempts.
//!
//! Until content has reached the caller a failure leads to the next attempt, unseen. After that an answer is gone on with
//! only where the continuation is exact: by a model that takes up the beginning it is given, or by a second answer that
//! says word for word what was said. Everything else ends with an error, and never looks finished.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use mainstay_domain::chat::{ChatEvent, ChoiceDelta, Message, Role, StreamedTokens};
use mainstay_domain::port::ModelCall;
use mainstay_domain::usage::estimate_tokens;
use mainstay_domain::{ModelError, ModelErrorKind, TimeoutPhase, Usage};

use super::Note;
use super::ability::Prefill;
use super::attempts::{Attempt, Attempts};
use super::race::{Open, Race, Raced, Wait};
use super::splice::{Diverged, Sent, Splice, is_seen};
use super::tools::{self, Arguments};

/// What comes out of an answer over several attempts.
#[derive(Clone, PartialEq, Debug)]
#[expect(clippy::large_enum_variant, reason = "a piece of the answer is what nearly all of them are")]
pub enum Step {
    /// Something happened that is to be booked.
    Note(Note),
    /// A provider has accepted the call. Once.
    Accepted,
    /// A piece of the answer. [`ChatEvent::Start`] comes again where another model takes over.
    Event(ChatEvent),
}

/// The answer to one request, in pieces. It ends (`None`) only after a model said that it had finished; a failure is an
/// `Err`, and the last item. Dropping it cancels what is under way.
pub struct AttemptedStream {
    attempts: Attempts,
    state: State,
    /// What goes out next.
    steps: VecDeque<Step>,
    sent: Sent,
    held: Option<Held>,
    accepted: bool,
    /// The failure that broke the answer off after content was sent: what the caller hears when nothing goes on with it.
    broken: Option<ModelError>,
    /// A second answer said something else, so that only one that is given its beginning can go on.
    has_diverged: bool,
}

enum State {
    Begin,
    Waiting(Wait),
    Opening(Opening),
    Reading(Reading),
    /// Nothing comes after what is in the queue but this.
    Failing(ModelError),
    Ended,
}

/// An attempt that no provider has accepted yet.
struct Opening {
    race: Race,
    attempt: Attempt,
    splice: Option<Splice>,
}

/// An attempt whose answer comes.
struct Reading {
    race: Race,
    attempt: Attempt,
    splice: Option<Splice>,
    /// Runs until the first content, where another candidate is worth more than waiting longer.
    patience: Option<Wait>,
    /// Tokens of this attempt's answer until now.
    completion: StreamedTokens,
    reported: Option<Usage>,
    /// Whether something has come that a caller sees.
    has_begun: bool,
    /// Of the calls of tools.
    arguments: Arguments,
}

/// The first content, held back for a moment.
struct Held {
    until: Wait,
    steps: Vec<Step>,
}

impl AttemptedStream {
    pub(super) fn new(attempts: Attempts) -> Self {
        Self {
            attempts,
            state: State::Begin,
            steps: VecDeque::new(),
            sent: Sent::default(),
            held: None,
            accepted: false,
            broken: None,
            has_diverged: false,
        }
    }

    /// Waits until a provider has accepted the call. Nothing of the answer comes before that.
    pub async fn accepted(&mut self, note: &mut (dyn FnMut(Note) + Send)) -> Result<(), ModelError> {
        while !self.accepted || !matches!(self.steps.front(), None | Some(Step::Event(_))) {
            match std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await {
                Some(Ok(Step::Note(one))) => note(one),
                Some(Ok(Step::Accepted | Step::Event(_))) | None => {}
                Some(Err(error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// Makes the next call.
    fn begin(&mut self) {
        loop {
            let attempt = match self.attempts.begin() {
                Ok(attempt) => attempt,
                Err(error) => return self.give_up(error),
            };
            let (call, splice) = if self.sent.anything {
                match self.continuation(&attempt) {
                    Some((call, splice)) => (call, Some(splice)),
                    // This model would only begin anew, and another said something else already.
                    None => {
                        drop(attempt);
                        self.attempts.next();
                        continue;
                    }
                }
            } else {
                (self.call_of(&attempt), None)
            };
            self.steps.push_back(Step::Note(Note::Began(attempt.name().clone())));
            let open = self.open(&attempt, call);
            // What is gone on with is asked for once: a second try would be another answer.
            let due = if splice.is_none() { attempt.hedge_after() } else { None };
            let clock = self.attempts.upstreams().clock;
            let due = due.map(|after| Box::pin(async move { clock.sleep(after).await }) as Wait);
            self.state = State::Opening(Opening { race: Race::new(open, due), attempt, splice });
            return;
        }
    }

    /// The call of an attempt until its provider accepts it.
    fn open(&self, attempt: &Attempt, call: ModelCall) -> Open {
        let (model, clock) = (attempt.model().clone(), self.attempts.upstreams().clock);
        let within = self.attempts.first_content_within();
        let provider = attempt.name().provider.to_string();
        Box::pin(async move {
            let opening = model.stream(call);
            match within {
                None => opening.await,
                Some(within) => match clock.timeout(within, opening).await {
                    Some(opened) => opened,
                    None => Err(too_slow(provider, TimeoutPhase::Headers)),
                },
            }
        })
    }

    /// Makes the call that is under way a second time, where that may be.
    fn hedge(&mut self) {
        let attempt = match &self.state {
            State::Opening(opening) => &opening.attempt,
            State::Reading(reading) => &reading.attempt,
            _ => return,
        };
        let Some(rival) = self.attempts.hedge(attempt) else { return };
        let open = self.open(&rival, self.call_of(&rival));
        match &mut self.state {
            State::Opening(opening) => opening.race.hedge(open, rival),
            State::Reading(reading) => reading.race.hedge(open, rival),
            _ => return,
        }
        self.steps.push_back(Step::Note(Note::Hedged));
    }

    /// The second call is the answer now.
    fn overtaken(&mut self, winner: Attempt, failed: Option<ModelError>) {
        let attempt = match &mut self.state {
            State::Opening(opening) => &mut opening.attempt,
            State::Reading(reading) => {
                reading.reported = None;
                &mut reading.attempt
            }
            _ => return,
        };
        let loser = std::mem::replace(attempt, winner);
        if let Some(error) = failed {
            loser.failed(&self.attempts.blame(error));
        }
    }

    /// A stream's time is its caller's: an attempt that answers is not cut short for the sake of others.
    fn call_of(&self, attempt: &Attempt) -> ModelCall {
        let call = self.attempts.call();
        ModelCall { deadline: call.deadline, ..self.attempts.call_of(attempt) }
    }

    /// The call that goes on with what was sent, and how far its answer need not say it again.
    fn continuation(&self, attempt: &Attempt) -> Option<(ModelCall, Splice)> {
        let mut call = self.call_of(attempt);
        let prefill = attempt.candidate().abilities.prefill;
        // Models do not take a beginning that ends with a blank: they are to say it themselves.
        let beginning = self.sent.text.trim_end();
        if beginning.is_empty() || !prefill.fits(&call.request) {
            return (!self.has_diverged).then(|| (call, Splice::default()));
        }
        call.request.messages.push(Message::text(Role::Assistant, beginning));
        // The limit is that of the whole answer, and providers take none below one.
        if let Some(most) = &mut call.request.max_tokens {
            let said = estimate_tokens(&self.sent.reasoning) + estimate_tokens(beginning);
            most.limit = most.limit.saturating_sub(said).max(1);
        }
        if prefill == Prefill::ContinueFinalMessage {
            call.request.extra.insert("continue_final_message".to_owned(), true.into());
            call.request.extra.insert("add_generation_prompt".to_owned(), false.into());
        }
        Some((call, Splice::after_prefix(beginning.len())))
    }

    fn opened(&mut self) {
        let Opening { race, attempt, splice } = match std::mem::replace(&mut self.state, State::Ended) {
            State::Opening(opening) => opening,
            other => {
                self.state = other;
                return;
            }
        };
        if !self.accepted {
            self.accepted = true;
            self.steps.push_back(Step::Accepted);
        }
        let clock = self.attempts.upstreams().clock;
        let patience = self
            .attempts
            .first_content_within()
            .map(|within| Box::pin(async move { clock.sleep(within).await }) as Wait);
        self.state = State::Reading(Reading {
            race,
            attempt,
            splice,
            patience,
            completion: StreamedTokens::default(),
            reported: None,
            has_begun: false,
            arguments: Arguments::default(),
        });
    }

    /// Takes what comes of the attempt under way.
    fn came(&mut self, raced: Result<Option<Raced>, ModelError>) {
        match raced {
            Ok(Some(Raced::Opened)) => self.opened(),
            Ok(Some(Raced::Event(event))) => self.take(event),
            Ok(Some(Raced::Due)) => self.hedge(),
            Ok(Some(Raced::Overtaken(attempt, failed))) => self.overtaken(attempt, failed),
            Ok(None) => self.finished(),
            Err(error) => self.failed(error),
        }
    }

    /// Takes a piece of the attempt under way.
    fn take(&mut self, event: ChatEvent) {
        let State::Reading(reading) = &mut self.state else { return };
        match event {
            ChatEvent::Delta(delta) => {
                reading.completion.take(&delta);
                if is_seen(&delta) && !reading.has_begun {
                    reading.has_begun = true;
                    reading.patience = None;
                    reading.attempt.began();
                }
                if reading.arguments.take(&delta) {
                    let error = tools::cut_call(&reading.attempt.name().provider);
                    return self.failed(error);
                }
                let Some(splice) = &mut reading.splice else { return self.pass(delta) };
                match splice.take(&self.sent, delta) {
                    Ok(new) => {
                        if splice.is_complete(&self.sent) {
                            let replayed = estimate_tokens(&self.sent.text);
                            reading.splice = None;
                            self.broken = None;
                            self.steps.push_back(Step::Note(Note::Resumed { replayed }));
                        }
                        if let Some(delta) = new {
                            self.pass(delta);
                        }
                    }
                    Err(Diverged) => self.diverged(),
                }
            }
            ChatEvent::Usage(usage) => {
                reading.reported = Some(usage);
                self.push(Step::Event(ChatEvent::Usage(usage)));
            }
            // Who has begun to listen is told when it is another model that answers.
            start @ ChatEvent::Start(_) => self.push(Step::Event(start)),
            ChatEvent::Ping => self.push(Step::Event(ChatEvent::Ping)),
        }
    }

    /// Passes a piece on, or holds it back.
    fn pass(&mut self, delta: ChoiceDelta) {
        let hold_back = self.attempts.upstreams().policy.hold_back;
        let is_first = is_seen(&delta) && !self.sent.anything && self.held.is_none();
        if is_first && !hold_back.is_zero() {
            let clock = self.attempts.upstreams().clock;
            self.held = Some(Held {
                until: Box::pin(async move { clock.sleep(hold_back).await }),
                steps: Vec::new(),
            });
        }
        let is_last = delta.finish.is_some();
        self.push(Step::Event(ChatEvent::Delta(delta)));
        if is_last {
            self.release();
        }
    }

    fn push(&mut self, step: Step) {
        match &mut self.held {
            Some(held) => held.steps.push(step),
            None => self.send(step),
        }
    }

    fn send(&mut self, step: Step) {
        if let Step::Event(ChatEvent::Delta(delta)) = &step {
            self.sent.note(delta);
        }
        self.steps.push_back(step);
    }

    fn release(&mut self) {
        for step in self.held.take().map(|held| held.steps).unwrap_or_default() {
            self.send(step);
        }
    }

    /// The attempt under way has failed.
    fn failed(&mut self, error: ModelError) {
        let (attempt, reported, completion) = match std::mem::replace(&mut self.state, State::Ended) {
            State::Reading(reading) => (reading.attempt, reading.reported, reading.completion.tokens()),
            State::Opening(Opening { attempt, .. }) => (attempt, None, 0),
            _ => return,
        };
        let error = self.attempts.blame(error);
        attempt.failed(&error);
        // What was held back was never sent: it is forgotten.
        self.held = None;
        self.steps.push_back(Step::Note(Note::of_failure(&error, reported, completion)));
        if self.sent.anything {
            self.broken.get_or_insert_with(|| error.clone());
            if self.sent.is_more_than_text || self.sent.has_finished {
                return self.give_up(error);
            }
        }
        match self.attempts.after(error) {
            Ok(wait) => {
                let clock = self.attempts.upstreams().clock;
                self.state = State::Waiting(Box::pin(async move { clock.sleep_unless_zero(wait).await }));
            }
            Err(error) => self.give_up(error),
        }
    }

    /// A second answer says something else than the first. That is nobody's failure, and one that is given the beginning may
    /// still go on.
    fn diverged(&mut self) {
        let State::Reading(reading) = std::mem::replace(&mut self.state, State::Ended) else { return };
        self.has_diverged = true;
        self.steps.push_back(Step::Note(Note::Failed {
            kind: ModelErrorKind::Truncated,
            reported: reading.reported,
            completion: reading.completion.tokens(),
            may_be_billed: true,
        }));
        drop(reading);
        if self.attempts.may_go_on() {
            self.attempts.next();
            self.state = State::Begin;
        } else if let Some(error) = self.broken.take() {
            self.give_up(error);
        }
    }

    fn give_up(&mut self, error: ModelError) {
        self.state = State::Failing(self.broken.take().unwrap_or(error));
    }

    /// The attempt under way has ended as it should.
    fn finished(&mut self) {
        let State::Reading(reading) = std::mem::replace(&mut self.state, State::Ended) else { return };
        if reading.splice.is_some() {
            self.state = State::Reading(reading);
            return self.diverged();
        }
        reading.attempt.succeeded();
        self.release();
    }
}

fn too_slow(provider: String, phase: TimeoutPhase) -> ModelError {
    ModelError {
        kind: ModelErrorKind::Timeout(phase),
        provider,
        status: None,
        message: "no answer in the time that another model is worth more than".to_owned(),
        retry_after: None,
    }
}

impl Stream for AttemptedStream {
    type Item = Result<Step, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(step) = this.steps.pop_front() {
                return Poll::Ready(Some(Ok(step)));
            }
            if let Some(held) = &mut this.held
                && held.until.as_mut().poll(cx).is_ready()
            {
                this.release();
                continue;
            }
            match &mut this.state {
                State::Begin => this.begin(),
                State::Waiting(wait) => {
                    ready!(wait.as_mut().poll(cx));
                    this.state = State::Begin;
                }
                State::Opening(opening) => {
                    let raced = ready!(opening.race.poll_next(cx));
                    this.came(raced);
                }
                State::Reading(reading) => match reading.race.poll_next(cx) {
                    Poll::Ready(raced) => this.came(raced),
                    Poll::Pending => {
                        let Some(patience) = &mut reading.patience else { return Poll::Pending };
                        ready!(patience.as_mut().poll(cx));
                        let provider = reading.attempt.name().provider.to_string();
                        this.failed(too_slow(provider, TimeoutPhase::FirstToken));
                    }
                },
                State::Failing(_) => {
                    if let State::Failing(error) = std::mem::replace(&mut this.state, State::Ended) {
                        return Poll::Ready(Some(Err(error)));
                    }
                }
                State::Ended => return Poll::Ready(None),
            }
        }
    }
}
