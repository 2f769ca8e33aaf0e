//! The turn: opened when a request arrives, booked exactly once when it ends, fails, or is dropped because the caller
//! went away.

use std::sync::Arc;

use mainstay_audit::Pseudonym;
use mainstay_domain::ledger::{Outcome, TurnRecord};
use mainstay_domain::port::Ledger;
use mainstay_domain::usage::UsageSource;
use mainstay_domain::{AssistantName, Caller, Clock, NanoUsd, RequestId, TurnId, Usage};
use tokio::time::Instant;

use crate::budgets::{BudgetExceeded, Budgets, Reservation};
use crate::measure;
use crate::trail::Trail;

/// The code of a turn that the process did not live to book: it is booked by its reservation.
const UNFINISHED: &str = "process_ended";

/// Opens turns and books them.
#[derive(Clone)]
pub struct TurnBook {
    ledger: Arc<dyn Ledger>,
    budgets: Option<Arc<Budgets>>,
    trail: Trail,
    clock: Clock,
}

/// What is known when a turn is opened.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The HTTP request.
    pub request: RequestId,
    /// What is called: `chat`, `embeddings`.
    pub operation: &'static str,
    /// The `model` that the caller names.
    pub requested_model: String,
    /// Whether the answer is streamed.
    pub streamed: bool,
    /// How often the client's SDK has tried already.
    pub client_retries: u32,
    /// The team that the caller says it works for.
    pub team: Option<String>,
    /// The feature that the caller says it is for.
    pub feature: Option<String>,
}

/// Why a turn may not cost what it would.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum ReserveError {
    /// A budget has not enough left.
    #[error(transparent)]
    Exceeded(#[from] BudgetExceeded),
    /// What is reserved could not be noted, so that a kill would lose it.
    #[error("{0}")]
    Ledger(String),
}

/// A turn under way. A turn that was never [`identified`](Turn::identified) is counted but not booked: there is nobody
/// to book it to.
pub struct Turn {
    book: TurnBook,
    opened: Instant,
    /// Taken when the turn is closed.
    record: Option<Box<TurnRecord>>,
    reservation: Option<Reservation>,
    /// Who asks, as the audit trail knows them.
    subject: Option<Pseudonym>,
}

impl TurnBook {
    /// Books into `ledger`.
    pub fn new(ledger: Arc<dyn Ledger>, clock: Clock) -> Self {
        Self { ledger, budgets: None, trail: Trail::off(clock), clock }
    }

    /// Records every turn in the audit trail, too.
    #[must_use]
    pub fn recorded_in(self, trail: Trail) -> Self {
        Self { trail, ..self }
    }

    /// Counts what turns cost against these budgets.
    #[must_use]
    pub fn under(self, budgets: Arc<Budgets>) -> Self {
        Self { budgets: (!budgets.is_empty()).then_some(budgets), ..self }
    }

    /// The audit trail.
    pub const fn trail(&self) -> &Trail {
        &self.trail
    }

    /// Opens a turn.
    pub fn open(&self, opening: Opening) -> Turn {
        let record = TurnRecord {
            turn: TurnId::generate(&self.clock),
            request: opening.request,
            started_at: self.clock.now(),
            duration_micros: 0,
            first_token_micros: None,
            tenant: None,
            key: None,
            operation: opening.operation.to_owned(),
            requested_model: opening.requested_model,
            assistant: None,
            answered_model: None,
            streamed: opening.streamed,
            outcome: Outcome::Cancelled,
            error_code: None,
            usage: Usage::default(),
            usage_source: UsageSource::Estimated,
            cost: NanoUsd::ZERO,
            price_date: None,
            passages: 0,
            citations: 0,
            citations_removed: 0,
            client_retries: opening.client_retries,
            failed_attempts: 0,
            failed_cost: NanoUsd::ZERO,
            intent: None,
            escalations: 0,
            escalated_cost: NanoUsd::ZERO,
            team: opening.team,
            feature: opening.feature,
            cache: None,
        };
        Turn {
            book: self.clone(),
            opened: self.clock.instant(),
            record: Some(Box::new(record)),
            reservation: None,
            subject: None,
        }
    }
}

impl Turn {
    /// The caller is known from here on.
    pub fn identified(&mut self, caller: &Caller) {
        let record = self.record();
        record.tenant = Some(caller.tenant.clone());
        record.key = Some(caller.key.clone());
        self.subject = caller.user.as_ref().and_then(|user| self.book.trail.pseudonym(&caller.tenant, user));
    }

    /// An assistant was named.
    pub fn assisted_by(&mut self, assistant: &AssistantName) {
        self.record().assistant = Some(assistant.clone());
    }

    /// So many passages are in the prompt.
    pub fn grounded_in(&mut self, passages: usize) {
        self.record().passages = u32::try_from(passages).unwrap_or(u32::MAX);
    }

    /// This model, `provider/model`, is called.
    pub fn answered_by(&mut self, model: String) {
        self.record().answered_model = Some(model);
    }

    /// The first content is on its way to the caller. Only the first call counts.
    pub fn first_content(&mut self) {
        let elapsed = self.elapsed_micros();
        let record = self.record();
        record.first_token_micros.get_or_insert(elapsed);
    }

    /// Tokens so far, and what they cost. Later calls replace earlier ones. Without a price the cost is not known.
    pub fn used(&mut self, usage: Usage, source: UsageSource, price: Option<(NanoUsd, &str)>) {
        let record = self.record();
        record.usage = usage;
        record.usage_source = source;
        record.cost = price.map_or(NanoUsd::ZERO, |(cost, _)| cost);
        record.price_date = price.map(|(_, date)| date.to_owned());
    }

    /// A call of a model on the way to the answer has failed, and cost this all the same.
    pub fn attempt_failed(&mut self, cost: NanoUsd) {
        let record = self.record();
        record.failed_attempts = record.failed_attempts.saturating_add(1);
        record.failed_cost += cost;
    }

    /// The question is of this kind.
    pub fn meant(&mut self, intent: &str) {
        self.record().intent = Some(intent.to_owned());
    }

    /// The answer does not leave, because it is not good enough: what it cost is kept apart, and another model is asked.
    pub fn escalated(&mut self) {
        let record = self.record();
        record.escalations = record.escalations.saturating_add(1);
        record.escalated_cost += std::mem::take(&mut record.cost);
        record.usage = Usage::default();
        (record.citations, record.citations_removed) = (0, 0);
    }

    /// The answer was given before: this layer of the cache knew it.
    pub fn cached(&mut self, layer: &str) {
        self.record().cache = Some(layer.to_owned());
    }

    /// Whether the turn falls under a budget.
    pub fn is_budgeted(&self) -> bool {
        self.book.budgets.as_ref().is_some_and(|budgets| budgets.apply_to(self.so_far()))
    }

    /// Holds `most`, what the turn can cost, in every budget that it falls under, so that a kill of the process does not lose
    /// it either. What it really cost replaces that when the turn is closed.
    pub fn reserve(&mut self, most: NanoUsd) -> Result<(), ReserveError> {
        let Some(budgets) = self.book.budgets.clone().filter(|_| self.is_budgeted()) else { return Ok(()) };
        let reservation = budgets.reserve(self.so_far(), most)?;
        let provisional = TurnRecord {
            cost: most,
            outcome: Outcome::Cancelled,
            error_code: Some(UNFINISHED.to_owned()),
            ..self.so_far().clone()
        };
        if let Err(error) = self.book.ledger.reserve(&provisional) {
            budgets.settle(reservation, NanoUsd::ZERO);
            return Err(ReserveError::Ledger(error.to_string()));
        }
        self.reservation = Some(reservation);
        Ok(())
    }

    /// Citations that were verified, and those that were removed.
    pub fn cited(&mut self, verified: u32, removed: u32) {
        let record = self.record();
        record.citations = verified;
        record.citations_removed = removed;
    }

    /// What has been recorded so far.
    pub fn so_far(&self) -> &TurnRecord {
        self.record.as_deref().expect("a turn has its record until it is closed, and closing consumes it")
    }

    /// The whole answer was sent.
    pub fn complete(mut self) {
        self.close(Outcome::Completed, None);
    }

    /// It failed with the stable error `code`.
    pub fn fail(mut self, code: &str) {
        self.close(Outcome::Failed, Some(code));
    }

    fn record(&mut self) -> &mut TurnRecord {
        self.record.as_deref_mut().expect("a turn has its record until it is closed, and closing consumes it")
    }

    fn elapsed_micros(&self) -> u64 {
        self.book.clock.instant().duration_since(self.opened).as_micros() as u64
    }

    fn close(&mut self, outcome: Outcome, code: Option<&str>) {
        let elapsed = self.elapsed_micros();
        let Some(mut record) = self.record.take() else { return };
        record.outcome = outcome;
        record.error_code = code.map(str::to_owned);
        record.duration_micros = elapsed;
        let spent = record.total_cost();
        if record.tenant.is_none() {
            metrics::counter!(measure::REJECTED, "code" => code.unwrap_or("cancelled").to_owned())
                .increment(1);
            return;
        }
        if let Err(error) = self.book.ledger.book(&record) {
            metrics::counter!(measure::LEDGER_FAILURES).increment(1);
            tracing::error!(turn = %record.turn, %error, "a turn could not be booked; free space in the data folder");
        }
        self.book.trail.turn_ended(&record, self.subject.take());
        if let Some(budgets) = &self.book.budgets {
            match self.reservation.take() {
                Some(reservation) => budgets.settle(reservation, spent),
                None => budgets.spend(&record, spent),
            }
        }
        measure::turn_ended(&record);
    }
}

/// The caller went away: what was used until then is booked.
impl Drop for Turn {
    fn drop(&mut self) {
        self.close(Outcome::Cancelled, None);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mainstay_domain::{KeyId, TenantId, Timestamp};

    use super::*;
    use crate::testing::Booked;

    fn open() -> (Arc<Booked>, Turn) {
        let ledger = Booked::new();
        let clock = Clock::starting_at(Timestamp::from_micros(0));
        let turn = TurnBook::new(ledger.clone(), clock).open(Opening {
            request: RequestId::new("req_1"),
            operation: "chat",
            requested_model: "support".to_owned(),
            streamed: true,
            client_retries: 0,
            team: None,
            feature: None,
        });
        (ledger, turn)
    }

    fn caller() -> Caller {
        Caller::of(TenantId::single(), KeyId::new("k"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_turn_is_booked_once_as_cancelled_with_what_was_used() {
        let (ledger, mut turn) = open();
        turn.identified(&caller());
        tokio::time::advance(Duration::from_millis(5)).await;
        turn.first_content();
        tokio::time::advance(Duration::from_millis(5)).await;
        turn.first_content();
        let usage = Usage { prompt: 10, completion: 3, ..Usage::default() };
        turn.used(usage, UsageSource::Estimated, Some((NanoUsd::new(70), "2026-01-01")));
        drop(turn);
        let booked = ledger.records();
        assert_eq!(booked.len(), 1);
        assert_eq!(booked[0].outcome, Outcome::Cancelled);
        assert_eq!((booked[0].first_token_micros, booked[0].duration_micros), (Some(5_000), 10_000));
        assert_eq!((booked[0].usage, booked[0].cost), (usage, NanoUsd::new(70)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_completed_turn_is_not_booked_again_when_it_is_dropped() {
        let (ledger, mut turn) = open();
        turn.identified(&caller());
        turn.complete();
        let booked = ledger.records();
        assert_eq!(booked.iter().map(|record| record.outcome).collect::<Vec<_>>(), [Outcome::Completed]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_of_nobody_is_not_booked() {
        let (ledger, turn) = open();
        turn.fail("invalid_api_key");
        assert!(ledger.records().is_empty());
    }
}
