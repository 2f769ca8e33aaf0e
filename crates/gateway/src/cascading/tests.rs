//! Which model of a cascade answers, what the caller sees, and what is booked.

use std::time::Duration;

use futures_util::StreamExt as _;
use mainstay_cascade::{Gate, GateSettings, Guard, GuardSettings, Router, RouterSettings, Rule};
use mainstay_domain::chat::{ChatEvent, Completion, Delivery, MaxTokens, ResponseFormat};
use mainstay_domain::ledger::{Outcome, TurnRecord};
use mainstay_domain::{KeyId, ModelErrorKind, NanoUsd, TenantId};
use mainstay_ops::Budgets;
use mainstay_ops::budgets::{AtLimit, BudgetSettings, Period};

use super::*;
use crate::chat::Answer;
use crate::tests::{Script, World, cascade_world};

const GOOD: &str = "The warranty lasts two years [1].";
const STRONG: &str = "It is two years from the day of purchase [1].";
const UNGROUNDED: &str = "I believe that it is about ten years. Maybe more.";

fn settings(tiers: usize) -> RouterSettings {
    let rule = Rule { words: vec!["explain".to_owned()], longer_than: None, start: tiers - 1 };
    RouterSettings {
        tiers,
        rules: vec![rule],
        intents: Default::default(),
        unsure: tiers - 1,
        least_confidence: 0.6,
        compared_share: 0.0,
    }
}

/// An assistant whose models do this, the cheapest first. Their names are `t0/m`, `t1/m`.
fn world(scripts: &[Script]) -> World {
    world_of(scripts, scripts.len(), None)
}

/// The same with a model that grades answers, which is no model of the cascade.
fn graded_world(scripts: &[Script], grades: Script) -> World {
    let tiers = scripts.len();
    let grader = Grader { model: format!("t{tiers}/m").parse().unwrap(), least_quality: 0.8 };
    world_of(&[scripts, &[grades]].concat(), tiers, Some(grader))
}

fn world_of(scripts: &[Script], tiers: usize, grader: Option<Grader>) -> World {
    let mut world = cascade_world(scripts, tiers);
    let guard = Guard::new(GuardSettings::default(), tiers);
    let gate = Some(Gate::new(GateSettings::default()));
    let cascade = Cascade::new(Router::new(settings(tiers), None), gate, grader, guard, world.clock);
    world.gateway.cascades.insert("support".to_owned(), cascade);
    world
}

fn text(completion: &Completion) -> &str {
    completion.choices[0].message.text.as_deref().unwrap()
}

async fn ask(world: &World, question: &str) -> (String, crate::chat::Summary) {
    let call = world.call_with("support", Delivery::Whole, question);
    match world.gateway.chat(call).await.unwrap() {
        Answer::Whole { completion, summary } => (text(&completion).to_owned(), summary),
        Answer::Stream { .. } => panic!("a whole request was streamed"),
    }
}

fn last_record(world: &World) -> TurnRecord {
    world.records().pop().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_cheap_answer_that_is_good_enough_leaves_and_no_other_model_is_asked() {
    let world = world(&[Script::Say(GOOD), Script::Say(STRONG)]);
    let (text, summary) = ask(&world, "How long is the warranty?").await;
    assert_eq!((text.as_str(), summary.model.as_str(), summary.escalations), (GOOD, "t0/m", 0));
    let record = last_record(&world);
    assert_eq!(
        (record.cost, record.escalated_cost, record.escalations),
        (NanoUsd::new(270), NanoUsd::ZERO, 0)
    );
    assert_eq!((record.citations, record.outcome), (1, Outcome::Completed));
    assert_eq!(world.seen(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_falls_short_is_asked_of_the_next_and_booked_apart() {
    for short in [UNGROUNDED, "The documents do not contain it [0].", "I'm sorry, but I can't help.", " "] {
        let world = world(&[Script::Say(short), Script::Say(STRONG)]);
        let (text, summary) = ask(&world, "How long is the warranty?").await;
        assert_eq!(
            (text.as_str(), summary.model.as_str(), summary.escalations),
            (STRONG, "t1/m", 1),
            "{short}"
        );
        let record = last_record(&world);
        assert_eq!((record.cost, record.escalated_cost), (NanoUsd::new(270), NanoUsd::new(270)), "{short}");
        assert_eq!((record.citations, record.failed_attempts, record.escalations), (1, 0, 1));
        assert_eq!(record.total_cost(), NanoUsd::new(540));
    }
}

#[tokio::test(start_paused = true)]
async fn the_strongest_model_has_the_last_word() {
    let world = world(&[Script::Say(UNGROUNDED), Script::Say(UNGROUNDED)]);
    let (text, summary) = ask(&world, "How long is the warranty?").await;
    assert_eq!((text.as_str(), summary.escalations), (UNGROUNDED, 1));
}

#[tokio::test(start_paused = true)]
async fn a_stream_shows_nothing_of_an_answer_that_falls_short() {
    for (short, shown, model) in [(UNGROUNDED, STRONG, "t1/m"), (GOOD, GOOD, "t0/m")] {
        let world = world(&[Script::Say(short), Script::Say(STRONG)]);
        let call = world.call("support", Delivery::Streamed { include_usage: true });
        let Answer::Stream { mut stream, .. } = world.gateway.chat(call).await.unwrap() else {
            panic!("a streamed request was answered whole")
        };
        let (mut text, mut citations, mut usages, mut finishes) = (String::new(), 0, 0, 0);
        while let Some(event) = stream.next().await {
            match event.unwrap() {
                ChatEvent::Delta(delta) => {
                    text.push_str(&delta.text.unwrap_or_default());
                    citations += delta.citations.len();
                    finishes += usize::from(delta.finish.is_some());
                }
                ChatEvent::Usage(_) => usages += 1,
                ChatEvent::Start(_) | ChatEvent::Ping => {}
            }
        }
        assert_eq!((text.as_str(), citations, usages, finishes), (shown, 1, 1, 1));
        assert_eq!(stream.summary().unwrap().model, model);
        let record = last_record(&world);
        assert_eq!((record.outcome, record.cost), (Outcome::Completed, NanoUsd::new(270)));
        assert_eq!(world.records().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_that_fails_is_no_end_and_its_call_is_no_escalation() {
    let world = world(&[Script::Refuse(ModelErrorKind::Provider), Script::Say(STRONG)]);
    let (text, summary) = ask(&world, "How long is the warranty?").await;
    assert_eq!((text.as_str(), summary.failed_attempts, summary.escalations), (STRONG, Some(1), 0));
    // One call each: the next model is worth more than a second call.
    assert_eq!(world.seen(), 2);
}

#[tokio::test(start_paused = true)]
async fn when_the_strongest_fails_a_cheaper_one_answers() {
    let world = world(&[Script::Say(UNGROUNDED), Script::Refuse(ModelErrorKind::Provider)]);
    let (text, summary) = ask(&world, "How long is the warranty?").await;
    assert_eq!((text.as_str(), summary.model.as_str()), (UNGROUNDED, "t0/m"));
    assert!(last_record(&world).failed_attempts > 0);
}

#[tokio::test(start_paused = true)]
async fn what_no_model_can_answer_is_asked_of_none_further() {
    let world = world(&[Script::Refuse(ModelErrorKind::InvalidRequest), Script::Say(STRONG)]);
    assert!(world.gateway.chat(world.call("support", Delivery::Whole)).await.is_err());
    assert_eq!(world.seen(), 1);
    assert_eq!(last_record(&world).outcome, Outcome::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_rule_and_the_ceiling_of_an_intent_decide_where_it_starts_and_ends() {
    let world = world(&[Script::Say(GOOD), Script::Say(GOOD), Script::Say(STRONG)]);
    assert_eq!(ask(&world, "Explain the warranty to me").await.1.model, "t2/m");
    // Ten nano-dollars a token, and no price below it: everything is dearer than one, so the cheapest answers.
    let start = Start { tier: 2, why: Why::Intent, intent: None, most_cost: Some(NanoUsd::new(1)) };
    let route = world.gateway.registry.route("support").unwrap();
    let call = world.call("support", Delivery::Whole);
    let caller = Caller::of(TenantId::single(), KeyId::new("k"));
    let prompt = Usage::default();
    let asked = Asked {
        request: &call.request,
        grounding: None,
        judge: None,
        assistant: None,
        caller: &caller,
        context: &call.context,
        prompt,
    };
    assert_eq!(world.gateway.within_ceiling(&start, &route, &asked), (0, 0));
    let start = Start { most_cost: Some(NanoUsd::new(1_000_000)), ..start };
    assert_eq!(world.gateway.within_ceiling(&start, &route, &asked), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_user_who_asks_again_is_answered_by_a_stronger_model() {
    let world = world(&[Script::Say(GOOD), Script::Say(STRONG)]);
    let call = |user: Option<&str>| {
        let mut call = world.call("support", Delivery::Whole);
        call.request.user = user.map(str::to_owned);
        call
    };
    let mut models = Vec::new();
    for user in [Some("ann"), Some("ann"), Some("bob"), None, None] {
        let Answer::Whole { summary, .. } = world.gateway.chat(call(user)).await.unwrap() else { panic!() };
        models.push(summary.model);
    }
    assert_eq!(models, ["t0/m", "t1/m", "t0/m", "t0/m", "t0/m"]);
    tokio::time::advance(Duration::from_secs(601)).await;
    let Answer::Whole { summary, .. } = world.gateway.chat(call(Some("ann"))).await.unwrap() else {
        panic!()
    };
    assert_eq!(summary.model, "t0/m");
}

#[tokio::test(start_paused = true)]
async fn a_model_that_never_answers_well_is_passed_over() {
    let world = world(&[Script::Say(UNGROUNDED), Script::Say(STRONG)]);
    for number in 0..60 {
        ask(&world, &format!("Question {number}")).await;
    }
    let escalations: u32 = world.records().iter().map(|record| record.escalations).sum();
    assert!((30..35).contains(&escalations), "{escalations}");
}

#[tokio::test(start_paused = true)]
async fn a_grader_sends_poor_answers_on_and_its_failure_none() {
    for (grade, model) in [
        (Script::Say("30"), "t1/m"),
        (Script::Say("The grade is 95."), "t0/m"),
        (Script::Say("good"), "t0/m"),
        (Script::Refuse(ModelErrorKind::Provider), "t0/m"),
    ] {
        let world = graded_world(&[Script::Say(GOOD), Script::Say(STRONG)], grade);
        assert_eq!(ask(&world, "How long is the warranty?").await.1.model, model);
        let judged = world.records().iter().filter(|record| record.operation == "judge").count();
        assert_eq!(judged, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_the_wrong_form_does_not_leave() {
    let world = world(&[Script::Say("two years [1]"), Script::Say("{\"years\": 2}")]);
    let mut call = world.call("support", Delivery::Whole);
    call.request.response_format = Some(ResponseFormat::JsonObject);
    let Answer::Whole { completion, .. } = world.gateway.chat(call).await.unwrap() else { panic!() };
    assert_eq!(text(&completion), "{\"years\": 2}");
}

#[tokio::test(start_paused = true)]
async fn a_budget_holds_what_every_model_of_the_cascade_may_cost() {
    let mut world = world(&[Script::Say(UNGROUNDED), Script::Say(STRONG)]);
    let budget = BudgetSettings {
        name: "b".to_owned(),
        limit: NanoUsd::new(1_000_000),
        period: Period::Total,
        only: Vec::new(),
        for_each: None,
        alert_at: 0.8,
        at_limit: AtLimit::Refuse,
    };
    let budgets = Budgets::new(vec![budget], world.clock);
    world.gateway.turns = world.gateway.turns.under(budgets.clone());
    let mut call = world.call("support", Delivery::Whole);
    call.request.max_tokens = Some(MaxTokens { limit: 100, as_completion: true });
    world.gateway.chat(call).await.unwrap();
    let record = last_record(&world);
    assert_eq!(record.escalations, 1);
    let spent: i64 = budgets.standings().iter().map(|standing| standing.spent.as_nanos()).sum();
    assert_eq!(spent, record.total_cost().as_nanos());
}

#[tokio::test(start_paused = true)]
async fn what_fell_short_and_stands_in_all_the_same_is_kept_for_nobody() {
    let mut world = world(&[Script::Say(UNGROUNDED), Script::Refuse(ModelErrorKind::Provider)]);
    let settings = mainstay_cache::CacheSettings { mode: mainstay_cache::Mode::Exact, ..Default::default() };
    world.gateway.caching.settings.insert("support".to_owned(), settings);
    for _ in 0..2 {
        let (text, summary) = ask(&world, "How long is the warranty?").await;
        assert_eq!((text.as_str(), summary.cache), (UNGROUNDED, None));
    }
}

#[tokio::test(start_paused = true)]
async fn a_cheap_model_that_hangs_is_given_up_for_the_next_questions() {
    let world = world(&[Script::Hang, Script::Say(STRONG)]);
    for _ in 0..6 {
        assert_eq!(ask(&world, "How long is the warranty?").await.1.model, "t1/m");
    }
    // Three calls of it have opened its breaker; every question was answered by the next.
    assert_eq!(world.seen(), 3 + 6);
}

#[tokio::test(start_paused = true)]
async fn a_grader_that_hangs_holds_no_answer_for_long() {
    let world = graded_world(&[Script::Say(GOOD), Script::Say(STRONG)], Script::Hang);
    let asked = world.clock.instant();
    assert_eq!(ask(&world, "How long is the warranty?").await.1.model, "t0/m");
    assert!(world.clock.instant().duration_since(asked) <= Duration::from_secs(20));
}
