//! Calls of models that nobody asked for by name, and that cost all the same: each leaves one record.

use std::sync::Arc;

use mainstay_domain::port::{Prices, Spent};
use mainstay_domain::usage::UsageSource;
use mainstay_domain::{Caller, Clock, ModelError, NanoUsd, RequestId, Usage};

use crate::measure;
use crate::turn::{Opening, Turn, TurnBook};

/// Whom calls are booked to that nobody else pays for, and by what prices.
pub(crate) struct Account {
    pub(crate) turns: TurnBook,
    pub(crate) prices: Arc<dyn Prices>,
    pub(crate) payer: Caller,
    pub(crate) clock: Clock,
}

/// A call that is to be booked.
pub(crate) struct Booking<'a> {
    /// Who pays, where that is not the account's own payer.
    pub(crate) payer: Option<&'a Caller>,
    pub(crate) operation: &'static str,
    pub(crate) model: &'a str,
    /// What the provider will bill, as far as it can be known before it says so.
    pub(crate) expected: Bill,
    /// What was billed on the way, where the work takes several calls.
    pub(crate) spent: Option<&'a Spent>,
}

/// What a call is billed for.
#[derive(Clone, Copy, Default)]
pub(crate) struct Bill {
    pub(crate) tokens: u64,
    pub(crate) searches: u64,
}

impl Account {
    /// Makes a call and books it. `billed` is what the provider says it bills; where it says nothing, it is believed to bill
    /// what was expected.
    pub(crate) async fn book<T>(
        &self,
        booking: Booking<'_>,
        call: impl Future<Output = Result<T, ModelError>>,
        billed: impl FnOnce(&T) -> Option<Bill>,
    ) -> Result<T, ModelError> {
        let Booking { payer, operation, model, expected, spent } = booking;
        let mut turn = self.turns.open(Opening {
            request: RequestId::generate(&self.clock),
            operation,
            requested_model: model.to_owned(),
            streamed: false,
            client_retries: 0,
            team: None,
            feature: None,
        });
        turn.identified(payer.unwrap_or(&self.payer));
        turn.answered_by(model.to_owned());
        // Whoever goes away while the provider works is billed for what the provider bills.
        self.enter(&mut turn, model, expected, UsageSource::Estimated);
        match call.await {
            Ok(answer) => {
                for (kind, tokens) in spent.map(Spent::failures).unwrap_or_default() {
                    let bill = Bill { tokens, ..Bill::default() };
                    let cost =
                        self.cost(model, bill, &usage_of(bill)).map(|(cost, _)| cost).unwrap_or_default();
                    measure::attempt_failed(model, kind.code(), cost);
                    turn.attempt_failed(cost);
                }
                if let Some(billed) = billed(&answer) {
                    self.enter(&mut turn, model, billed, UsageSource::Reported);
                }
                turn.complete();
                Ok(answer)
            }
            Err(error) => {
                let billed = match spent {
                    Some(spent) => {
                        Bill { tokens: spent.by_failed(error.kind, expected.tokens), ..Bill::default() }
                    }
                    None if error.kind.may_be_billed() => expected,
                    None => Bill::default(),
                };
                self.enter(&mut turn, model, billed, UsageSource::Estimated);
                turn.fail(error.kind.code());
                Err(error)
            }
        }
    }

    /// Whether the model has a price per search.
    pub(crate) fn bills_searches(&self, model: &str) -> bool {
        self.prices.search_cost(model, 1).is_some()
    }

    fn enter(&self, turn: &mut Turn, model: &str, bill: Bill, source: UsageSource) {
        let usage = usage_of(bill);
        turn.used(usage, source, self.cost(model, bill, &usage));
    }

    /// Who bills searches bills no tokens. Where nothing is billed, either price says when it is from.
    fn cost(&self, model: &str, bill: Bill, usage: &Usage) -> Option<(NanoUsd, &str)> {
        let of_tokens = || self.prices.cost(model, usage);
        match bill {
            Bill { tokens: 0, searches: 0 } => self.prices.search_cost(model, 0).or_else(of_tokens),
            Bill { searches: 0, .. } => of_tokens(),
            Bill { searches, .. } => self.prices.search_cost(model, searches),
        }
    }
}

fn usage_of(bill: Bill) -> Usage {
    Usage { prompt: bill.tokens, ..Usage::default() }
}
