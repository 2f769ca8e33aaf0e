//! The promises of the ledger: what was booked is there once, and can be summed and listed.

use mainstay_domain::ledger::Outcome;
use mainstay_domain::usage::{Usage, UsageSource};
use mainstay_domain::{NanoUsd, TenantId, Timestamp, TurnRecord};

use super::Backend;
use crate::ledger::{DayTotals, Dimension, HistoryFilter, HistoryPosition, HistoryScope, Totals};

const DAY: i64 = 86_400_000_000;

pub(super) async fn conformance<B: Backend>(make: &impl AsyncFn() -> B) {
    an_empty_ledger_sums_to_nothing(&make().await).await;
    turns_are_booked_once_and_read_back_as_they_were(&make().await).await;
    sums_are_told_apart(&make().await).await;
    a_tenant_sees_its_own_turns_only(&make().await).await;
    pages_follow_each_other_without_gap_or_overlap(&make().await).await;
}

/// The `number`-th of a series of turns that differ in everything.
fn record(number: u32) -> TurnRecord {
    let n = u64::from(number);
    TurnRecord {
        turn: format!("turn_{number:04}").into(),
        request: format!("req_{number}").into(),
        started_at: Timestamp::from_micros(i64::from(number / 3) * DAY + 5),
        duration_micros: 1_000 + n,
        first_token_micros: number.is_multiple_of(2).then_some(n),
        tenant: (number % 5 != 4).then(|| format!("tenant-{}", number % 2).into()),
        key: (!number.is_multiple_of(3)).then(|| format!("key-{number}").into()),
        operation: if number.is_multiple_of(4) { "embeddings" } else { "chat" }.to_owned(),
        requested_model: format!("model-{number}"),
        assistant: (number % 3 == 1).then(|| "support".into()),
        answered_model: (number % 7 != 6).then(|| format!("openai/{}", number % 3)),
        streamed: number % 2 == 1,
        outcome: [Outcome::Completed, Outcome::Failed, Outcome::Cancelled][number as usize % 3],
        error_code: (number % 3 == 1).then(|| "provider_failed".to_owned()),
        usage: Usage {
            prompt: n * 10,
            cache_read: n * 2,
            cache_write: n,
            completion: n * 3,
            reasoning: n / 2,
        },
        usage_source: if number.is_multiple_of(2) { UsageSource::Reported } else { UsageSource::Estimated },
        cost: NanoUsd::new(i64::from(number) * 1_000_003),
        price_date: number.is_multiple_of(2).then(|| "2026-05-01".to_owned()),
        passages: number,
        citations: number + 1,
        citations_removed: number + 2,
        client_retries: number % 3,
        failed_attempts: number % 2,
        failed_cost: NanoUsd::new(i64::from(number % 5)),
        intent: number.is_multiple_of(2).then(|| "faq".to_owned()),
        escalations: number % 2,
        escalated_cost: NanoUsd::new(i64::from(number % 3)),
        team: number.is_multiple_of(2).then(|| format!("team-{}", number % 3)),
        feature: number.is_multiple_of(3).then(|| format!("feature-{}", number % 2)),
        cache: number.is_multiple_of(7).then(|| "exact".to_owned()),
    }
}

async fn book<B: Backend>(backend: &B, records: &[TurnRecord]) {
    for record in records {
        backend.ledger().book(record).unwrap();
    }
    backend.ledger().settle().await.unwrap();
}

fn everyone() -> HistoryFilter {
    HistoryFilter::all(HistoryScope::Everyone)
}

fn sum<'a>(records: impl Iterator<Item = &'a TurnRecord>) -> Totals {
    records.fold(Totals::default(), |sum, record| Totals {
        turns: sum.turns + 1,
        failed: sum.failed + u64::from(record.outcome == Outcome::Failed),
        cancelled: sum.cancelled + u64::from(record.outcome == Outcome::Cancelled),
        cost: sum.cost + record.total_cost(),
        failed_cost: sum.failed_cost + record.failed_cost,
        escalated_cost: sum.escalated_cost + record.escalated_cost,
        prompt_tokens: sum.prompt_tokens + record.usage.prompt,
        cache_read_tokens: sum.cache_read_tokens + record.usage.cache_read,
        completion_tokens: sum.completion_tokens + record.usage.completion,
    })
}

async fn an_empty_ledger_sums_to_nothing<B: Backend>(backend: &B) {
    let ledger = backend.ledger();
    ledger.settle().await.unwrap();
    assert_eq!(ledger.totals(&everyone()).await.unwrap(), Totals::default());
    assert_eq!(ledger.totals_by(&everyone(), Dimension::Model).await.unwrap(), []);
    assert_eq!(ledger.totals_by_day(&everyone(), Dimension::Team).await.unwrap(), []);
    assert_eq!(ledger.recent(&everyone(), None, 10).await.unwrap(), []);
}

async fn turns_are_booked_once_and_read_back_as_they_were<B: Backend>(backend: &B) {
    let records: Vec<TurnRecord> = (0..150).map(record).collect();
    book(backend, &records).await;
    book(backend, &records[40..60]).await;
    let mut found = backend.ledger().recent(&everyone(), None, 1_000).await.unwrap();
    found.reverse();
    assert_eq!(found, records);
}

async fn sums_are_told_apart<B: Backend>(backend: &B) {
    let records: Vec<TurnRecord> = (0..100).map(record).collect();
    book(backend, &records).await;
    let ledger = backend.ledger();
    assert_eq!(ledger.totals(&everyone()).await.unwrap(), sum(records.iter()));

    let name = |record: &TurnRecord, dimension: Dimension| match dimension {
        Dimension::Tenant => record.tenant.as_ref().map(ToString::to_string),
        Dimension::Key => record.key.as_ref().map(ToString::to_string),
        Dimension::Assistant => record.assistant.as_ref().map(ToString::to_string),
        Dimension::Model => record.answered_model.clone(),
        Dimension::Operation => Some(record.operation.clone()),
        Dimension::Outcome => Some(record.outcome.as_str().to_owned()),
        Dimension::Team => record.team.clone(),
        Dimension::Feature => record.feature.clone(),
    };
    for dimension in [
        Dimension::Tenant,
        Dimension::Key,
        Dimension::Assistant,
        Dimension::Model,
        Dimension::Operation,
        Dimension::Outcome,
        Dimension::Team,
        Dimension::Feature,
    ] {
        let groups = ledger.totals_by(&everyone(), dimension).await.unwrap();
        for (group, totals) in &groups {
            let members = records.iter().filter(|record| name(record, dimension) == *group);
            assert_eq!(*totals, sum(members), "{dimension:?} {group:?}");
        }
        assert_eq!(groups.iter().map(|(_, totals)| totals.turns).sum::<u64>(), 100, "{dimension:?}");
        assert!(groups.is_sorted_by(|(_, a), (_, b)| a.cost >= b.cost), "{dimension:?}");
    }
    for dimension in [Dimension::Team, Dimension::Operation] {
        let days = ledger.totals_by_day(&everyone(), dimension).await.unwrap();
        for DayTotals { value, day, totals } in &days {
            let of_day = |record: &&TurnRecord| {
                record.started_at.as_micros().div_euclid(DAY) * DAY == day.as_micros()
                    && name(record, dimension) == *value
            };
            assert_eq!(*totals, sum(records.iter().filter(of_day)), "{dimension:?} {value:?} {day:?}");
        }
        assert_eq!(days.iter().map(|day| day.totals.turns).sum::<u64>(), 100, "{dimension:?}");
        assert!(days.is_sorted_by(|a, b| (&a.value, a.day) < (&b.value, b.day)), "{dimension:?}");
    }
    let days = |from: i64, until: i64| HistoryFilter {
        from: Some(Timestamp::from_micros(from * DAY)),
        until: Some(Timestamp::from_micros(until * DAY)),
        ..everyone()
    };
    assert_eq!(ledger.totals(&days(2, 4)).await.unwrap(), sum(records[6..12].iter()));
}

async fn a_tenant_sees_its_own_turns_only<B: Backend>(backend: &B) {
    let records: Vec<TurnRecord> = (0..60).map(record).collect();
    book(backend, &records).await;
    let ledger = backend.ledger();
    let tenant = TenantId::new("tenant-1");
    let own = HistoryFilter::all(HistoryScope::Tenant(tenant.clone()));
    let mine = || records.iter().filter(|record| record.tenant.as_ref() == Some(&tenant));
    assert_eq!(ledger.totals(&own).await.unwrap(), sum(mine()));
    assert_eq!(ledger.totals_by(&own, Dimension::Tenant).await.unwrap().len(), 1);
    let listed = ledger.recent(&own, None, 1_000).await.unwrap();
    assert!(listed.iter().rev().eq(mine()));
    let nobody = HistoryFilter::all(HistoryScope::Tenant(TenantId::new("nobody")));
    assert_eq!(ledger.totals(&nobody).await.unwrap(), Totals::default());
}

async fn pages_follow_each_other_without_gap_or_overlap<B: Backend>(backend: &B) {
    let records: Vec<TurnRecord> = (0..50).map(record).collect();
    book(backend, &records).await;
    let mut listed: Vec<TurnRecord> = Vec::new();
    loop {
        let before = listed.last().map(HistoryPosition::after);
        let page = backend.ledger().recent(&everyone(), before.as_ref(), 7).await.unwrap();
        if page.is_empty() {
            break;
        }
        listed.extend(page);
    }
    assert!(listed.iter().rev().eq(&records));
}
