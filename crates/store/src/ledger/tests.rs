//! Booking, draining and reading in a real folder.

use std::sync::Arc;
use std::time::Duration;

use mainstay_domain::ledger::Outcome;
use mainstay_domain::port::Ledger;
use mainstay_domain::usage::{Usage, UsageSource};
use mainstay_domain::{Clock, NanoUsd, TenantId, Timestamp, TurnRecord};
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use super::{HistoryFilter, HistoryScope, JournalLedger, LedgerDrain, LedgerTroubles, TurnHistory};
use crate::data_dir::DataDir;

/// A turn that completed and cost a thousandth of a dollar.
pub(super) fn record(turn: &str) -> TurnRecord {
    TurnRecord {
        turn: turn.into(),
        request: "req".into(),
        started_at: Timestamp::from_micros(1_000_000),
        duration_micros: 1_500,
        first_token_micros: Some(300),
        tenant: Some(TenantId::single()),
        key: Some("key".into()),
        operation: "chat".to_owned(),
        requested_model: "support".to_owned(),
        assistant: Some("support".into()),
        answered_model: Some("openai/gpt-4o-mini".to_owned()),
        streamed: true,
        outcome: Outcome::Completed,
        error_code: None,
        usage: Usage { prompt: 1_000, cache_read: 200, cache_write: 0, completion: 100, reasoning: 10 },
        usage_source: UsageSource::Reported,
        cost: NanoUsd::new(1_000_000),
        price_date: Some("2026-01-01".to_owned()),
        passages: 5,
        citations: 2,
        citations_removed: 1,
        client_retries: 0,
        failed_attempts: 1,
        failed_cost: NanoUsd::new(7),
        intent: None,
        escalations: 0,
        escalated_cost: NanoUsd::new(5),
        team: Some("search".to_owned()),
        feature: None,
        cache: None,
    }
}

prop_compose! {
    /// Any turn whose numbers fit the database.
    pub(super) fn any_record()(
        texts in prop::array::uniform6(".{0,20}"),
        absent in prop::array::uniform6(any::<bool>()),
        counts in prop::array::uniform6(0..1u64 << 40),
        small in prop::array::uniform4(any::<u32>()),
        started_at in -1i64 << 50..1i64 << 50,
        cost in 0i64..1 << 50,
        outcome in prop::sample::select(vec![Outcome::Completed, Outcome::Failed, Outcome::Cancelled]),
        streamed in any::<bool>(),
        reported in any::<bool>(),
    ) -> TurnRecord {
        let [turn, request, tenant, key, model, code] = texts;
        TurnRecord {
            turn: turn.into(),
            request: request.into(),
            started_at: Timestamp::from_micros(started_at),
            duration_micros: counts[0],
            first_token_micros: (!absent[0]).then_some(counts[1]),
            tenant: (!absent[1]).then(|| tenant.into()),
            key: (!absent[2]).then(|| key.clone().into()),
            operation: key,
            requested_model: model.clone(),
            assistant: (!absent[3]).then(|| model.clone().into()),
            answered_model: (!absent[4]).then_some(model),
            streamed,
            outcome,
            error_code: (!absent[5]).then(|| code.clone()),
            usage: Usage {
                prompt: counts[2],
                cache_read: counts[3],
                cache_write: counts[4],
                completion: counts[5],
                reasoning: counts[0],
            },
            usage_source: if reported { UsageSource::Reported } else { UsageSource::Estimated },
            cost: NanoUsd::new(cost),
            price_date: absent[0].then_some(code),
            passages: small[0],
            citations: small[1],
            citations_removed: small[2],
            client_retries: small[3],
            failed_attempts: small[0],
            failed_cost: NanoUsd::new(small[1].into()),
            intent: absent[3].then(|| "faq".to_owned()),
            escalations: small[1],
            escalated_cost: NanoUsd::new(small[0].into()),
            team: absent[1].then(|| "a team".to_owned()),
            feature: absent[2].then(|| "a feature".to_owned()),
            cache: absent[3].then(|| "exact".to_owned()),
        }
    }
}

fn everyone() -> HistoryFilter {
    HistoryFilter::all(HistoryScope::Everyone)
}

async fn open(folder: &tempfile::TempDir) -> JournalLedger {
    JournalLedger::open(&DataDir::open(folder.path()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn what_is_left_in_the_journal_is_booked_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&folder).await;
    ledger.book(&record("a")).unwrap();
    ledger.book(&record("b")).unwrap();
    drop(ledger);
    let ledger = open(&folder).await;
    assert_eq!(ledger.totals(&everyone()).await.unwrap().turns, 2);
    assert_eq!(ledger.troubles(), LedgerTroubles::default());
}

#[tokio::test]
async fn what_was_under_way_at_a_kill_is_booked_by_its_reservation_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&folder).await;
    let reserved =
        |turn: &str| TurnRecord { cost: NanoUsd::new(50), outcome: Outcome::Cancelled, ..record(turn) };
    for turn in ["finished", "under way"] {
        ledger.reserve(&reserved(turn)).unwrap();
    }
    ledger.book(&record("finished")).unwrap();
    drop(ledger);
    for _ in 0..2 {
        let ledger = open(&folder).await;
        let mut turns = ledger.recent(&everyone(), None, 10).await.unwrap();
        turns.sort_by(|a, b| a.turn.as_str().cmp(b.turn.as_str()));
        assert_eq!(turns, [record("finished"), reserved("under way")]);
    }
}

#[tokio::test]
async fn a_turn_booked_twice_counts_once_as_it_was_first() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&folder).await;
    ledger.book(&record("a")).unwrap();
    ledger.book(&TurnRecord { cost: NanoUsd::new(7), ..record("a") }).unwrap();
    ledger.settle().await.unwrap();
    ledger.book(&record("a")).unwrap();
    ledger.settle().await.unwrap();
    let totals = ledger.totals(&everyone()).await.unwrap();
    assert_eq!((totals.turns, totals.cost), (1, NanoUsd::new(1_000_012)));
}

#[tokio::test]
async fn a_segment_that_was_moved_but_not_deleted_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&folder).await;
    ledger.book(&record("a")).unwrap();
    // As when the process ends between the commit and the deletion.
    let segment = ledger.journal.rotate().unwrap().remove(0);
    super::table::insert(&ledger.database, &segment.read().records).await.unwrap();
    drop(ledger);
    let ledger = open(&folder).await;
    assert_eq!(ledger.totals(&everyone()).await.unwrap().turns, 1);
    assert!(!segment.path().exists());
}

#[tokio::test]
async fn damage_is_counted_and_kept_and_the_rest_is_booked() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&folder).await;
    for turn in ["a", "b", "c"] {
        ledger.book(&record(turn)).unwrap();
    }
    let segment = ledger.journal.rotate().unwrap().remove(0);
    let mut bytes = std::fs::read(segment.path()).unwrap();
    bytes[20] ^= 1;
    bytes.truncate(bytes.len() - 5);
    std::fs::write(segment.path(), bytes).unwrap();
    drop(ledger);
    let ledger = open(&folder).await;
    assert_eq!(ledger.totals(&everyone()).await.unwrap().turns, 1);
    assert_eq!(ledger.troubles(), LedgerTroubles { refused: 0, torn_segments: 1, damaged_lines: 1 });
    let kept = std::fs::read_dir(folder.path().join("ledger")).unwrap();
    let kept =
        kept.filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with("damaged-"));
    assert_eq!(kept.count(), 1);
}

#[tokio::test]
async fn a_database_that_cannot_be_written_keeps_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&folder).await;
    let read_only = async |value: &'static str| {
        let sql = crate::sqlite::built_sql(format!("PRAGMA query_only = {value}"));
        sqlx::query(sql).execute(&mut *ledger.database.writer().await).await.unwrap();
    };
    read_only("ON").await;
    for turn in ["a", "b"] {
        ledger.book(&record(turn)).unwrap();
        assert_eq!(ledger.settle().await.unwrap_err().fault(), crate::StorageFault::ReadOnly);
    }
    read_only("OFF").await;
    ledger.settle().await.unwrap();
    assert_eq!(ledger.totals(&everyone()).await.unwrap().turns, 2);
}

#[tokio::test]
async fn the_drain_moves_what_is_booked_and_what_is_booked_last() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Arc::new(open(&folder).await);
    let stop = CancellationToken::new();
    let drain = LedgerDrain::new(Arc::clone(&ledger), Clock::system()).with_sync_interval(Duration::ZERO);
    let moved = async {
        ledger.book(&record("a")).unwrap();
        while ledger.totals(&everyone()).await.unwrap().turns == 0 {
            tokio::task::yield_now().await;
        }
        ledger.book(&record("b")).unwrap();
        stop.cancel();
    };
    tokio::join!(drain.run(stop.clone()), moved);
    assert_eq!(ledger.totals(&everyone()).await.unwrap().turns, 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_money_is_made_or_lost(
        records in prop::collection::vec(any_record(), 0..80),
        settled in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let mut ledger = open(&folder).await;
            let mut booked: Vec<TurnRecord> = Vec::new();
            let settled: Vec<usize> = settled.iter().map(|index| index.index(records.len().max(1))).collect();
            for (index, record) in records.into_iter().enumerate() {
                ledger.book(&record).unwrap();
                if booked.iter().all(|earlier| earlier.turn != record.turn) {
                    booked.push(record);
                }
                match settled.iter().position(|at| *at == index) {
                    // A new start of the process, without a farewell.
                    Some(0) => {
                        drop(ledger);
                        ledger = open(&folder).await;
                    }
                    Some(_) => ledger.settle().await.unwrap(),
                    None => {}
                }
            }
            ledger.settle().await.unwrap();
            let totals = ledger.totals(&everyone()).await.unwrap();
            assert_eq!(totals.cost, booked.iter().map(|record| record.total_cost()).sum());
            assert_eq!(totals.turns, booked.len() as u64);
            booked.sort_by(|a, b| (b.started_at, b.turn.as_str()).cmp(&(a.started_at, a.turn.as_str())));
            assert_eq!(ledger.recent(&everyone(), None, 1_000).await.unwrap(), booked);
        });
    }
}
