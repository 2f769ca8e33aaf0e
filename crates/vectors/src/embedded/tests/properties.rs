//! Whatever is done to it, the index answers as one in memory does that compares every point.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::exact::ExactIndex;

/// Something that is done to an index.
#[derive(Clone, Debug)]
enum Step {
    Upsert(Vec<(u64, u64)>),
    Delete(Vec<u64>),
    Flush,
    Optimize,
    Close,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => prop::collection::vec((0..300_u64, any::<u64>()), 0..120).prop_map(Step::Upsert),
        2 => prop::collection::vec(0..300_u64, 0..60).prop_map(Step::Delete),
        1 => Just(Step::Flush),
        2 => Just(Step::Optimize),
        1 => Just(Step::Close),
    ];
    prop::collection::vec(step, 1..14)
}

async fn take(index: &dyn VectorIndex, step: &Step) {
    match step {
        Step::Upsert(points) => {
            let points = points.iter().map(|&(chunk, version)| point(chunk, version)).collect();
            index.upsert(&namespace(), points).await
        }
        Step::Delete(chunks) => {
            index.delete(&namespace(), chunks.iter().copied().map(ChunkId).collect()).await
        }
        Step::Flush => index.flush(&namespace(), Checkpoint(1)).await,
        Step::Optimize => index.optimize(&namespace()).await,
        Step::Close => index.close().await,
    }
    .unwrap();
}

/// Both indexes after the same steps.
async fn both_after(folder: &Path, steps: &[Step]) -> (EmbeddedIndex, ExactIndex) {
    let options = EmbeddedOptions { loose_points: NonZeroUsize::new(50).unwrap(), ..small_options() };
    let embedded = EmbeddedIndex::new(folder, options).unwrap();
    let exact = ExactIndex::default();
    for index in [&embedded as &dyn VectorIndex, &exact] {
        index.open(&namespace(), &settings()).await.unwrap();
        for step in steps {
            take(index, step).await;
        }
    }
    (embedded, exact)
}

fn close_enough(one: &[Hit], other: &[Hit]) -> bool {
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .all(|(one, other)| (one.score - other.score).abs() < 1e-4 * one.score.abs().max(1.0))
}

fn filter() -> impl Strategy<Value = Filter> {
    let field = prop_oneof![
        3 => Just("shelf"), 2 => Just("tags"), 2 => Just("Jahr"), 1 => Just("never"),
    ]
    .prop_map(str::to_owned);
    let texts = prop::collection::vec((0..8_u8).prop_map(|number| format!("v{number}")), 0..4);
    let bound = (0..3_u8, -24..24_i32).prop_map(|(kind, quarters)| match kind {
        0 => std::ops::Bound::Included(f64::from(quarters) / 4.0),
        1 => std::ops::Bound::Excluded(f64::from(quarters) / 4.0),
        _ => std::ops::Bound::Unbounded,
    });
    let leaf = prop_oneof![
        (field.clone(), texts).prop_map(|(field, texts)| Filter::OneOf { field, texts }),
        (field.clone(), bound.clone(), bound).prop_map(|(field, from, to)| Filter::Between {
            field,
            from,
            to
        }),
        field.prop_map(|field| Filter::Exists { field }),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Filter::All),
            prop::collection::vec(inner.clone(), 0..3).prop_map(Filter::Any),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

fn chunks(hits: &[Hit]) -> BTreeSet<ChunkId> {
    hits.iter().map(|hit| hit.chunk).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn it_finds_what_comparing_every_point_finds(steps in steps(), question in any::<u64>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let (embedded, exact) = both_after(folder.path(), &steps).await;
            let vector = point(question, 1).dense;
            let searches = vec![
                dense(vector.clone(), Accuracy::Exact, 10),
                dense(vector, Accuracy::Indexed, 1_000),
                words(&[question as u32 % 40, 5, 17], 1_000),
            ];
            let ours = embedded.search(&namespace(), searches.clone()).await.unwrap();
            let expected = exact.search(&namespace(), searches).await.unwrap();
            prop_assert!(close_enough(&ours[0], &expected[0]), "{:?}\n{:?}", ours[0], expected[0]);
            prop_assert!(close_enough(&ours[1], &expected[1]), "{:?}\n{:?}", ours[1], expected[1]);
            prop_assert_eq!(chunks(&ours[2]), chunks(&expected[2]));
            // Points that were replaced or deleted may still count in the rarity of terms.
            let only_grew = steps.iter().filter(|step| matches!(step, Step::Upsert(_))).count() == 1
                && !steps.iter().any(|step| matches!(step, Step::Delete(_)));
            if only_grew {
                prop_assert!(close_enough(&ours[2], &expected[2]), "{:?}\n{:?}", ours[2], expected[2]);
            }
            prop_assert_eq!(count(&embedded).await, exact.stats(&namespace()).await.unwrap().points);
            Ok(())
        })?;
    }

    #[test]
    fn through_a_filter_it_finds_what_comparing_every_point_finds(
        steps in steps(),
        filters in prop::collection::vec(filter(), 1..8),
        question in any::<u64>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let (embedded, exact) = both_after(folder.path(), &steps).await;
            for filter in filters.into_iter().map(Arc::new) {
                let vector = point(question, 1).dense;
                let searches: Vec<Search> = [
                    dense(vector.clone(), Accuracy::Exact, 10),
                    dense(vector, Accuracy::Indexed, 1_000),
                    words(&[question as u32 % 40, 5, 17], 1_000),
                ]
                .map(|search| Search { filter: Some(filter.clone()), ..search })
                .to_vec();
                let ours = embedded.search(&namespace(), searches.clone()).await.unwrap();
                let expected = exact.search(&namespace(), searches).await.unwrap();
                prop_assert!(close_enough(&ours[0], &expected[0]), "{filter:?}: {:?}\n{:?}", ours[0], expected[0]);
                prop_assert_eq!(chunks(&ours[1]), chunks(&expected[1]), "{:?}", filter);
                prop_assert_eq!(chunks(&ours[2]), chunks(&expected[2]), "{:?}", filter);
            }
            Ok(())
        })?;
    }

    #[test]
    fn doing_everything_since_the_flush_again_changes_nothing(before in steps(), after in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let once: Vec<Step> = before.iter().chain(&after).cloned().collect();
            let (embedded, exact) = both_after(folder.path(), &once).await;
            for step in &after {
                take(&embedded, step).await;
            }
            let search = vec![dense(point(1, 1).dense, Accuracy::Exact, 1_000)];
            let ours = embedded.search(&namespace(), search.clone()).await.unwrap();
            let expected = exact.search(&namespace(), search).await.unwrap();
            prop_assert!(close_enough(&ours[0], &expected[0]), "{:?}\n{:?}", ours[0], expected[0]);
            Ok(())
        })?;
    }
}
