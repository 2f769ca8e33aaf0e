//! Limits and the queue under paused time.

use std::sync::atomic::{AtomicUsize, Ordering};

use mainstay_domain::Allotment;
use tokio::task::{JoinHandle, JoinSet, yield_now};
use tokio_util::task::TaskTracker;

use super::*;

fn caller(tenant: &str, tier: Option<&str>) -> Caller {
    let caller = Caller::of(TenantId::new(tenant), KeyId::new(format!("key-of-{tenant}")));
    Caller { tier: tier.map(TierName::new), ..caller }
}

fn tiers() -> Vec<TierSettings> {
    let tier =
        |name: &str, max_waiting| TierSettings { max_waiting, ..TierSettings::named(TierName::new(name)) };
    vec![
        tier("enterprise", 10),
        TierSettings { upgrade_url: Some("https://x/y".to_owned()), ..tier("free", 2) },
    ]
}

fn admission(settings: AdmissionSettings) -> Arc<Admission> {
    Admission::new(settings, Clock::system())
}

/// One at a time, in two tiers.
fn narrow() -> Arc<Admission> {
    admission(AdmissionSettings { concurrency: 1, tiers: tiers(), ..AdmissionSettings::default() })
}

async fn ask(admission: &Arc<Admission>, caller: &Caller, tokens: u64) -> Result<Admitted, Refusal> {
    let place = watch::Sender::new(0);
    let deadline = Deadline::after(&Clock::system(), Duration::from_secs(600));
    let address = Some(IpAddr::from([10, 0, 0, 1]));
    admission.admit(Applicant { caller, user: Some("u"), address, tokens, deadline, place: &place }).await
}

/// Asks in a task of its own, and lets it get as far as the queue.
async fn ask_later(
    admission: &Arc<Admission>,
    tenant: &str,
    tier: &str,
) -> JoinHandle<Result<Admitted, Refusal>> {
    let (admission, caller) = (admission.clone(), caller(tenant, Some(tier)));
    let asking = TaskTracker::new().spawn(async move { ask(&admission, &caller, 10).await });
    for _ in 0..5 {
        yield_now().await;
    }
    asking
}

const PER_MINUTE: Rate = Rate { per_minute: 2, burst: 2 };

#[tokio::test(start_paused = true)]
async fn what_asks_nothing_has_a_limit_of_its_own_for_each_key() {
    let requests = Limits { requests: Some(PER_MINUTE), tokens: None };
    let settings = AdmissionSettings {
        per_key: requests,
        administration: Some(PER_MINUTE),
        ..AdmissionSettings::default()
    };
    let admission = admission(settings);
    let (one, other) = (caller("a", None), caller("b", None));
    for _ in 0..2 {
        admission.admit_administration(&one).unwrap();
    }
    let refused = admission.admit_administration(&one).unwrap_err();
    assert_eq!(
        (refused.code(), refused.retry_after()),
        ("rate_limit_exceeded", Some(Duration::from_secs(30)))
    );
    assert!(refused.to_string().contains("documents and administration a minute of this key"), "{refused}");
    admission.admit_administration(&other).unwrap();
    for _ in 0..2 {
        ask(&admission, &one, 10).await.unwrap().begins();
    }
    assert!(ask(&admission, &one, 10).await.is_err());
    tokio::time::advance(Duration::from_secs(30)).await;
    admission.admit_administration(&one).unwrap();
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_limit_holds_and_says_whose_it_is_and_how_long() {
    let requests = Limits { requests: Some(PER_MINUTE), tokens: None };
    let tokens = Limits { requests: None, tokens: Some(Rate { per_minute: 100, burst: 20 }) };
    let tier = |limits| vec![TierSettings { limits, ..TierSettings::named(TierName::new("t")) }];
    let settings = AdmissionSettings::default();
    for (settings, whose, what, wait) in [
        (AdmissionSettings { per_key: requests, ..settings.clone() }, "key", "requests", 30),
        (AdmissionSettings { per_user: requests, ..settings.clone() }, "user", "requests", 30),
        (AdmissionSettings { per_address: tokens, ..settings.clone() }, "address", "tokens", 6),
        (AdmissionSettings { tiers: tier(tokens), ..settings.clone() }, "tier", "tokens", 6),
    ] {
        let admission = admission(settings);
        let caller = caller("a", None);
        let mut first = ask(&admission, &caller, 10).await.unwrap();
        first.begins();
        drop(first);
        let second = ask(&admission, &caller, 10).await.unwrap();
        let standing = if what == "tokens" { second.standing().tokens } else { second.standing().requests };
        assert_eq!(standing.unwrap().remaining, 0, "{whose}");
        let refused = ask(&admission, &caller, 10).await.err().unwrap();
        assert_eq!(refused.retry_after(), Some(Duration::from_secs(wait)));
        assert_eq!(refused.code(), "rate_limit_exceeded");
        assert!(refused.to_string().contains(whose) && refused.to_string().contains(what), "{refused}");
        tokio::time::advance(Duration::from_secs(wait)).await;
        assert!(ask(&admission, &caller, 10).await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_tenant_may_have_limits_of_its_own() {
    let of_tier = Limits { requests: Some(PER_MINUTE), tokens: None };
    let tiers = vec![TierSettings { limits: of_tier, ..TierSettings::named(TierName::new("t")) }];
    let admission = admission(AdmissionSettings { tiers, ..AdmissionSettings::default() });
    let more = Allotment { requests_per_minute: Some(5), ..Allotment::default() };
    let tokens = Allotment { tokens_per_minute: Some(15), ..Allotment::default() };
    for (tenant, allotment, answered) in [("a", Allotment::default(), 2), ("b", more, 5), ("c", tokens, 1)] {
        let caller = Caller { allotment, ..caller(tenant, None) };
        for _ in 0..answered {
            let mut admitted = ask(&admission, &caller, 10).await.unwrap();
            admitted.begins();
        }
        let refused = ask(&admission, &caller, 10).await.err().unwrap();
        assert_eq!(refused.code(), "rate_limit_exceeded", "{tenant}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_one_limit_refuses_takes_nothing_of_another() {
    let admission = admission(AdmissionSettings {
        per_address: Limits { requests: Some(Rate { per_minute: 3, burst: 3 }), tokens: None },
        per_key: Limits { requests: Some(Rate { per_minute: 1, burst: 1 }), tokens: None },
        ..AdmissionSettings::default()
    });
    assert!(ask(&admission, &caller("a", None), 1).await.is_ok());
    for _ in 0..5 {
        assert!(ask(&admission, &caller("a", None), 1).await.is_err());
    }
    for tenant in ["b", "c"] {
        assert!(ask(&admission, &caller(tenant, None), 1).await.is_ok(), "{tenant}");
    }
    assert!(ask(&admission, &caller("d", None), 1).await.is_err(), "the address has used all of its own");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_more_than_its_limit_ever_allows_is_told_so() {
    let tokens = Limits { requests: None, tokens: Some(Rate { per_minute: 100, burst: 100 }) };
    let admission = admission(AdmissionSettings { per_key: tokens, ..AdmissionSettings::default() });
    let refused = ask(&admission, &caller("a", None), 101).await.err().unwrap();
    assert_eq!((refused.code(), refused.retry_after()), ("request_exceeds_limit", None));
    assert!(refused.to_string().contains("max_tokens"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn what_was_really_used_is_what_counts() {
    let tokens = Limits { requests: None, tokens: Some(Rate { per_minute: 100, burst: 100 }) };
    let admission = admission(AdmissionSettings { per_key: tokens, ..AdmissionSettings::default() });
    let caller = caller("a", None);
    for _ in 0..10 {
        ask(&admission, &caller, 50).await.unwrap().used(5);
    }
    ask(&admission, &caller, 10).await.unwrap().used(100);
    assert!(ask(&admission, &caller, 1).await.is_err(), "more than was estimated is owed");
}

#[tokio::test(start_paused = true)]
async fn what_no_model_was_called_for_takes_no_tokens() {
    let tokens = Limits { requests: None, tokens: Some(Rate { per_minute: 60, burst: 60 }) };
    let settings = AdmissionSettings { per_key: tokens, concurrency: 1, ..AdmissionSettings::default() };
    let admission = admission(settings);
    for _ in 0..3 {
        // Refused for another reason before a model was called.
        drop(ask(&admission, &caller("a", None), 50).await.unwrap());
    }
    let running = ask(&admission, &caller("a", None), 10).await.unwrap();
    for _ in 0..3 {
        // Gone while it waited.
        let caller = caller("a", None);
        let mut waiting = Box::pin(ask(&admission, &caller, 50));
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
    }
    drop(running);
    let mut called = ask(&admission, &caller("a", None), 60).await.unwrap();
    called.begins();
    drop(called);
    assert!(ask(&admission, &caller("a", None), 1).await.is_err(), "a call that was made counts");
}

#[tokio::test(start_paused = true)]
async fn the_higher_tier_comes_first_whoever_came_first() {
    let admission = narrow();
    let running = ask(&admission, &caller("a", Some("free")), 10).await.unwrap();
    let free = ask_later(&admission, "b", "free").await;
    let enterprise = ask_later(&admission, "c", "enterprise").await;
    assert!(!free.is_finished() && !enterprise.is_finished());
    drop(running);
    let enterprise = enterprise.await.unwrap().unwrap();
    assert!(!free.is_finished());
    drop(enterprise);
    assert!(free.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_full_tier_is_turned_away_with_a_reason_and_a_way_out() {
    let admission = narrow();
    let running = ask(&admission, &caller("a", None), 10).await.unwrap();
    let waiting = [ask_later(&admission, "b", "free").await, ask_later(&admission, "c", "free").await];
    let refused = ask(&admission, &caller("d", Some("free")), 10).await.err().unwrap();
    assert_eq!(refused.code(), "over_capacity");
    assert!(refused.retry_after().unwrap() > Duration::ZERO);
    assert!(refused.to_string().contains("https://x/y"), "{refused}");
    // There is still room for who pays.
    let enterprise = ask_later(&admission, "e", "enterprise").await;
    assert!(!enterprise.is_finished());
    drop(running);
    assert!(enterprise.await.unwrap().is_ok());
    for waiting in waiting {
        assert!(waiting.await.unwrap().is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn where_nobody_else_may_wait_the_lowest_tier_gives_way() {
    let admission = admission(AdmissionSettings {
        concurrency: 1,
        max_waiting: 1,
        tiers: tiers(),
        ..AdmissionSettings::default()
    });
    let running = ask(&admission, &caller("a", None), 10).await.unwrap();
    let free = ask_later(&admission, "b", "free").await;
    let enterprise = ask_later(&admission, "c", "enterprise").await;
    assert_eq!(free.await.unwrap().err().unwrap().code(), "over_capacity");
    drop(running);
    assert!(enterprise.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_is_turned_away_and_who_leaves_is_forgotten() {
    let admission = narrow();
    let running = ask(&admission, &caller("a", None), 10).await.unwrap();
    let leaves = ask_later(&admission, "b", "free").await;
    let stays = ask_later(&admission, "c", "free").await;
    leaves.abort();
    assert!(leaves.await.is_err());
    let began = Clock::system().instant();
    let refused = stays.await.unwrap().err().unwrap();
    assert_eq!(Clock::system().instant() - began, Duration::from_secs(30));
    assert!(refused.to_string().contains("no place came free"), "{refused}");
    drop(running);
    let load: Vec<(usize, usize)> =
        admission.load().into_iter().map(|(_, running, waiting)| (running, waiting)).collect();
    assert_eq!(load, [(0, 0), (0, 0)]);
}

#[tokio::test(start_paused = true)]
async fn who_is_to_be_told_hears_the_place_in_the_queue() {
    let mut tiers = tiers();
    tiers[1].announces_place = true;
    let admission = admission(AdmissionSettings { concurrency: 1, tiers, ..AdmissionSettings::default() });
    let running = ask(&admission, &caller("a", None), 10).await.unwrap();
    let next = ask_later(&admission, "b", "free").await;
    let place = watch::Sender::new(0);
    let mut seen = place.subscribe();
    let last = {
        let (admission, place, caller) = (admission.clone(), place.clone(), caller("c", Some("free")));
        TaskTracker::new().spawn(async move {
            let deadline = Deadline::after(&Clock::system(), Duration::from_secs(600));
            let applicant =
                Applicant { caller: &caller, user: None, address: None, tokens: 1, deadline, place: &place };
            admission.admit(applicant).await
        })
    };
    assert_eq!(*seen.wait_for(|place| *place > 0).await.unwrap(), 2);
    drop(running);
    assert_eq!(*seen.wait_for(|place| *place != 2).await.unwrap(), 1);
    drop(next.await.unwrap().unwrap());
    assert!(last.await.unwrap().is_ok());
    assert_eq!(*place.borrow(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_tenant_of_three_times_the_weight_is_served_three_times_as_much() {
    let admission = admission(AdmissionSettings { concurrency: 1, ..AdmissionSettings::default() });
    let running = ask(&admission, &caller("first", None), 10).await.unwrap();
    let served = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = JoinSet::new();
    for (tenant, weight) in [("small", 1), ("large", 3)] {
        for _ in 0..80 {
            let (admission, served) = (admission.clone(), served.clone());
            let allotment = Allotment { weight, ..Allotment::default() };
            let caller = Caller { allotment, ..caller(tenant, None) };
            tasks.spawn(async move {
                let mut admitted = ask(&admission, &caller, 10).await.unwrap();
                admitted.begins();
                served.lock().unwrap().push(tenant);
                drop(admitted);
            });
        }
    }
    while admission.load()[0].2 < 160 {
        yield_now().await;
    }
    drop(running);
    tasks.join_all().await;
    let large = served.lock().unwrap()[..100].iter().filter(|tenant| **tenant == "large").count();
    assert!((70..=80).contains(&large), "{large} of 100");
}

#[tokio::test]
async fn never_more_are_answered_at_once_than_there_are_places() {
    let admission =
        admission(AdmissionSettings { concurrency: 7, tiers: tiers(), ..AdmissionSettings::default() });
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut tasks = JoinSet::new();
    for number in 0..500 {
        let (admission, running, most) = (admission.clone(), running.clone(), most.clone());
        tasks.spawn(async move {
            let tier = if number % 3 == 0 { "enterprise" } else { "free" };
            let caller = caller(&format!("t{}", number % 5), Some(tier));
            let Ok(admitted) = ask(&admission, &caller, 10).await else { return false };
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            yield_now().await;
            running.fetch_sub(1, Ordering::SeqCst);
            drop(admitted);
            true
        });
    }
    let answered = tasks.join_all().await.into_iter().filter(|answered| *answered).count();
    assert!(answered >= 7, "{answered}");
    assert_eq!(most.load(Ordering::SeqCst), 7);
    assert_eq!(admission.load().iter().map(|(_, running, waiting)| running + waiting).sum::<usize>(), 0);
}

#[tokio::test(start_paused = true)]
async fn when_something_that_all_need_runs_out_the_lowest_tiers_are_refused_first() {
    let tiers = ["enterprise", "pro", "free"].map(|name| TierSettings::named(TierName::new(name)));
    let admission = admission(AdmissionSettings { tiers: tiers.to_vec(), ..AdmissionSettings::default() });
    let caller = |tier| caller("a", Some(tier));
    for (used, level, answered) in
        [(0.5, Level::Normal, 3), (0.9, Level::High, 2), (0.97, Level::Critical, 1)]
    {
        admission.note(Signal::of("memory", used, 1.0));
        let mut admitted = 0;
        for tier in ["enterprise", "pro", "free"] {
            match ask(&admission, &caller(tier), 1).await {
                Ok(_) => admitted += 1,
                Err(refused) => {
                    assert_eq!(refused.code(), "over_capacity");
                    assert!(refused.to_string().contains("close to its limits"), "{refused}");
                }
            }
        }
        assert_eq!((admission.level(), admitted), (level, answered), "{used}");
    }
    // It is over only when it has been for a while.
    admission.note(Signal::of("memory", 0.1, 1.0));
    assert!(ask(&admission, &caller("free"), 1).await.is_err());
    tokio::time::advance(Duration::from_secs(11)).await;
    assert!(ask(&admission, &caller("free"), 1).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn where_all_are_of_one_tier_all_are_refused_when_it_is_critical_and_none_before() {
    let admission = admission(AdmissionSettings::default());
    for (used, is_answered) in [(0.9, true), (0.96, false)] {
        admission.note(Signal::of("memory", used, 1.0));
        assert_eq!(ask(&admission, &caller("a", None), 1).await.is_ok(), is_answered, "{used}");
    }
}

#[tokio::test(start_paused = true)]
async fn slow_searches_are_pressure_and_are_forgotten_when_none_comes() {
    let admission = admission(AdmissionSettings {
        search_target: Duration::from_secs(1),
        ..AdmissionSettings::default()
    });
    let slow = || (0..20).for_each(|_| admission.note_search(Duration::from_secs(30)));
    admission.note_search(Duration::from_secs(300));
    assert!(ask(&admission, &caller("a", None), 1).await.is_ok(), "one slow search says nothing of the next");
    slow();
    assert!(
        ask(&admission, &caller("a", None), 1).await.is_err(),
        "searches take much more than twice their target"
    );
    // One fast search after a slow one is no recovery, many are.
    for _ in 0..60 {
        admission.note_search(Duration::from_millis(100));
    }
    assert!(
        ask(&admission, &caller("a", None), 1).await.is_err(),
        "it is over only when it has been for a while"
    );
    tokio::time::advance(Duration::from_secs(11)).await;
    assert!(ask(&admission, &caller("a", None), 1).await.is_ok());
    // Where everybody is refused no search is made: the old ones must not keep it so.
    slow();
    assert!(ask(&admission, &caller("a", None), 1).await.is_err());
    tokio::time::advance(Duration::from_secs(11)).await;
    let _ = ask(&admission, &caller("a", None), 1).await;
    tokio::time::advance(Duration::from_secs(11)).await;
    assert!(ask(&admission, &caller("a", None), 1).await.is_ok());
}
