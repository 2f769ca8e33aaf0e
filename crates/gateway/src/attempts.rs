//! What the attempts at an answer cost: each is entered into the turn before it is made, and those that fail are booked
//! apart from the one that answers.

use mainstay_domain::Usage;
use mainstay_domain::port::Prices;
use mainstay_domain::usage::UsageSource;
use mainstay_models::Note;
use mainstay_ops::{Turn, measure};

/// Enters usage and its cost into the turn.
pub(crate) fn charge(turn: &mut Turn, prices: &dyn Prices, model: &str, usage: Usage, source: UsageSource) {
    turn.used(usage, source, prices.cost(model, &usage));
}

/// Enters what happened on the way to an answer into the turn. `prompt`: its tokens, as an estimate. From an announcement on
/// the prompt counts, so that a caller who goes away while the provider works is billed for what the provider bills.
pub(crate) fn enter(turn: &mut Turn, prices: &dyn Prices, prompt: Usage, note: &Note) {
    match note {
        Note::Began(model) => {
            let model = model.to_string();
            turn.answered_by(model.clone());
            charge(turn, prices, &model, prompt, UsageSource::Estimated);
        }
        Note::Failed { kind, reported, completion, may_be_billed } => {
            let estimate = Usage { completion: *completion, ..prompt };
            let billed = match (reported, may_be_billed) {
                (Some(reported), _) => *reported,
                (None, true) => estimate,
                (None, false) => Usage::default(),
            };
            failed(turn, prices, kind.code(), billed);
        }
        // Which of both will be dropped nobody knows yet; the prompt of each is the same.
        Note::Hedged => {
            failed(turn, prices, "hedged", prompt);
            let model = turn.so_far().answered_model.clone().unwrap_or_default();
            charge(turn, prices, &model, prompt, UsageSource::Estimated);
        }
        Note::Resumed { .. } => {}
    }
}

/// The call that was announced last has failed, for the reason of this code, and has used this.
pub(crate) fn failed(turn: &mut Turn, prices: &dyn Prices, code: &'static str, billed: Usage) {
    let model = turn.so_far().answered_model.clone().unwrap_or_default();
    let cost = prices.cost(&model, &billed).map(|(cost, _)| cost).unwrap_or_default();
    measure::attempt_failed(&model, code, cost);
    turn.attempt_failed(cost);
    // What the turn itself used is what the call uses that answers.
    charge(turn, prices, &model, Usage::default(), UsageSource::Estimated);
}
