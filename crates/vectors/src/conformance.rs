//! The contract of [`VectorIndex`], as tests that every implementation passes.
//!
//! ```ignore
//! mainstay_vectors::conformance_tests!(async { (guard, index) });
//! ```
//!
//! Every test gets an index of its own, empty. What only an index with storage can promise (survival, damage) is tested
//! beside that index.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::ops::Bound;
use std::sync::Arc;

use mainstay_domain::ChunkId;
use mainstay_domain::port::MultiVector;

use crate::error::IndexError;
use crate::filter::{FieldValues, Fields, Filter};
use crate::port::{
    Accuracy, Checkpoint, Hit, IndexSettings, Namespace, Point, Query, Search, SparseChannel, VectorIndex,
};
use crate::sparse::SparseVector;

/// Makes a test of every scenario. The expression is a future of something that is kept for the test's duration (a
/// temporary folder, a server) and an empty index.
#[macro_export]
macro_rules! conformance_tests {
    ($make:expr) => {
        $crate::conformance_tests!(@tests $make;
            a_namespace_is_created_once_and_then_only_opened,
            other_settings_are_refused,
            impossible_settings_are_refused,
            what_does_not_exist_is_said_to,
            namespaces_see_nothing_of_each_other,
            hostile_names_are_names_like_others,
            a_dense_search_finds_the_nearest_first,
            a_question_is_moved_towards_chunks,
            a_sparse_search_weighs_rare_terms_more,
            a_search_returns_one_list_per_query_in_order,
            what_has_nothing_in_common_is_not_found,
            a_write_is_visible_when_it_returns,
            a_replaced_point_is_found_only_by_its_new_vectors,
            replacing_after_an_optimization_leaves_nothing_of_the_old,
            a_deleted_point_is_never_found,
            writes_may_be_repeated,
            after_an_optimization_deleted_points_do_not_count,
            a_point_that_does_not_fit_is_refused_with_its_batch,
            a_query_that_does_not_fit_is_refused,
            any_limit_is_served,
            chunks_are_compared_vector_by_vector,
            a_comparison_holds_after_an_optimization_and_after_closing,
            a_filter_finds_only_what_fits_it,
            a_filter_counts_only_what_fits_towards_the_limit,
            a_replaced_point_has_only_its_new_fields,
            filters_hold_after_an_optimization_and_after_closing,
            fields_and_filters_that_do_not_fit_are_refused,
            a_dropped_namespace_is_gone_and_can_be_made_again,
            after_closing_everything_is_there,
            a_checkpoint_is_remembered,
        );
    };
    (@tests $make:expr; $($scenario:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                let (_keep, index) = $make.await;
                $crate::conformance::$scenario(&index).await;
            }
        )*
    };
}

/// What a search without hits finds.
const NOTHING: [u64; 0] = [];

/// Numbers per dense vector in these tests.
const DIMENSION: usize = 4;

/// The settings of these tests.
pub fn settings() -> IndexSettings {
    IndexSettings {
        embedder: "test/embedder".to_owned(),
        dimension: DIMENSION,
        channels: vec![SparseChannel::Bm25, SparseChannel::Grams],
        multi_dimension: Some(MULTI_DIMENSION),
    }
}

fn namespace() -> Namespace {
    Namespace::new("tenant", "corpus")
}

fn point(chunk: u64, dense: [f32; DIMENSION], terms: &[u32]) -> Point {
    let bm25: SparseVector = terms.iter().map(|&term| (term, 1.0)).collect();
    Point {
        chunk: ChunkId(chunk),
        dense: dense.to_vec(),
        sparse: vec![(SparseChannel::Bm25, bm25)],
        multi: MultiVector::default(),
        fields: Arc::default(),
    }
}

/// A point that every search of these tests finds, with fields.
fn point_with(chunk: u64, fields: &[(&str, FieldValues)]) -> Point {
    let fields: Fields = fields.iter().map(|(name, values)| ((*name).to_owned(), values.clone())).collect();
    Point { fields: Arc::new(fields), ..point(chunk, [1.0, 0.0, 0.0, 0.0], &[7]) }
}

fn texts(texts: &[&str]) -> FieldValues {
    FieldValues::Texts(texts.iter().map(|&text| text.to_owned()).collect())
}

fn number(number: f64) -> FieldValues {
    FieldValues::Numbers(vec![number])
}

fn one_of(field: &str, texts: &[&str]) -> Filter {
    Filter::OneOf { field: field.to_owned(), texts: texts.iter().map(|&text| text.to_owned()).collect() }
}

fn between(field: &str, from: Bound<f64>, to: Bound<f64>) -> Filter {
    Filter::Between { field: field.to_owned(), from, to }
}

fn exists(field: &str) -> Filter {
    Filter::Exists { field: field.to_owned() }
}

fn not(filter: Filter) -> Filter {
    Filter::Not(Box::new(filter))
}

/// The chunks that both a dense and a sparse search find through a filter, in the order of their ids.
async fn found_through(index: &dyn VectorIndex, namespace: &Namespace, filter: &Filter) -> Vec<u64> {
    let filter = Some(Arc::new(filter.clone()));
    let searches = [dense([1.0, 0.0, 0.0, 0.0], 100), bm25(&[7])]
        .map(|search| Search { filter: filter.clone(), ..search });
    let lists = index.search(namespace, searches.to_vec()).await.unwrap();
    let mut lists = lists.into_iter().map(|hits| {
        let mut chunks: Vec<u64> = hits.iter().map(|hit| hit.chunk.0).collect();
        chunks.sort_unstable();
        chunks
    });
    let first = lists.next().unwrap();
    assert_eq!(lists.next().unwrap(), first, "{filter:?}");
    first
}

fn dense(vector: [f32; DIMENSION], limit: usize) -> Search {
    Search {
        query: Query::Dense { vector: vector.to_vec(), accuracy: Accuracy::Indexed },
        limit,
        filter: None,
    }
}

fn sparse(channel: SparseChannel, terms: &[u32], limit: usize) -> Search {
    Search {
        query: Query::Sparse { channel, vector: terms.iter().map(|&term| (term, 1.0)).collect() },
        limit,
        filter: None,
    }
}

fn bm25(terms: &[u32]) -> Search {
    sparse(SparseChannel::Bm25, terms, 100)
}

async fn opened(index: &dyn VectorIndex) -> Namespace {
    index.open(&namespace(), &settings()).await.unwrap();
    namespace()
}

async fn hits(index: &dyn VectorIndex, namespace: &Namespace, search: Search) -> Vec<Hit> {
    index.search(namespace, vec![search]).await.unwrap().remove(0)
}

async fn found(index: &dyn VectorIndex, namespace: &Namespace, search: Search) -> Vec<u64> {
    hits(index, namespace, search).await.iter().map(|hit| hit.chunk.0).collect()
}

async fn count(index: &dyn VectorIndex, namespace: &Namespace) -> usize {
    index.stats(namespace).await.unwrap().points
}

/// Scenario.
pub async fn a_namespace_is_created_once_and_then_only_opened(index: &dyn VectorIndex) {
    let namespace = opened(index).await;
    index.upsert(&namespace, vec![point(1, [1.0, 0.0, 0.0, 0.0], &[7])]).await.unwrap();
    opened(index).await;
    assert_eq!(count(index, &namespace).await, 1);
    assert_eq!(index.namespaces().await.unwrap(), [namespace]);
}

/// Scenario.
pub async fn other_settings_are_refused(index: &dyn VectorIndex) {
    let namespace = opened(index).await;
    let other_model = IndexSettings { embedder: "other/embedder".to_owned(), ..settings() };
    let other_dimension = IndexSettings { dimension: 3, ..settings() };
    let other_channels = IndexSettings { channels: vec![SparseChannel::Bm25], ..settings() };
    for other in [other_model, other_dimension, other_channels] {
        let error = index.open(&namespace, &other).await.unwrap_err();
        assert!(matches!(error, IndexError::OtherSettings { .. }), "{error}");
        assert!(error.to_string().contains("mainstay index rebuild"), "{error}");
    }
    opened(index).await;
}

/// Scenario.
pub async fn impossible_settings_are_refused(index: &dyn VectorIndex) {
    let nothing = IndexSettings { dimension: 0, ..settings() };
    let twice = IndexSettings { channels: vec![SparseChannel::Bm25, SparseChannel::Bm25], ..settings() };
    for impossible in [nothing, twice] {
        let error = index.open(&namespace(), &impossible).await.unwrap_err();
        assert!(matches!(error, IndexError::InvalidSettings(_)), "{error}");
    }
    assert_eq!(index.namespaces().await.unwrap(), []);
}

/// Scenario.
pub async fn what_does_not_exist_is_said_to(index: &dyn VectorIndex) {
    let namespace = namespace();
    let unknown = IndexError::UnknownNamespace(namespace.clone());
    assert_eq!(index.upsert(&namespace, Vec::new()).await, Err(unknown.clone()));
    assert_eq!(index.delete(&namespace, vec![ChunkId(1)]).await, Err(unknown.clone()));
    assert_eq!(index.search(&namespace, vec![bm25(&[1])]).await, Err(unknown.clone()));
    assert_eq!(index.flush(&namespace, Checkpoint(1)).await, Err(unknown.clone()));
    assert_eq!(index.optimize(&namespace).await, Err(unknown.clone()));
    assert_eq!(index.stats(&namespace).await, Err(unknown));
    assert_eq!(index.drop_namespace(&namespace).await, Ok(()));
    assert_eq!(index.namespaces().await, Ok(Vec::new()));
}

/// Scenario.
pub async fn namespaces_see_nothing_of_each_other(index: &dyn VectorIndex) {
    let ours = Namespace::new("us", "book");
    let others =
        [Namespace::new("them", "book"), Namespace::new("us", "other"), Namespace::new("US", "book")];
    index.open(&ours, &settings()).await.unwrap();
    for other in &others {
        index.open(other, &settings()).await.unwrap();
        index.upsert(other, vec![point(1, [1.0, 0.0, 0.0, 0.0], &[7])]).await.unwrap();
    }
    assert_eq!(count(index, &ours).await, 0);
    assert_eq!(found(index, &ours, dense([1.0, 0.0, 0.0, 0.0], 10)).await, NOTHING);
    assert_eq!(found(index, &ours, bm25(&[7])).await, NOTHING);

    index.delete(&ours, vec![ChunkId(1)]).await.unwrap();
    index.drop_namespace(&ours).await.unwrap();
    for other in &others {
        assert_eq!(found(index, other, bm25(&[7])).await, [1], "{other}");
    }
}

/// Scenario.
pub async fn hostile_names_are_names_like_others(index: &dyn VectorIndex) {
    let long = "ü".repeat(500);
    let names = ["..", ".", "", "/etc", "a/../b", "NUL", "nul", "A", "a", "-", ".lock", "\0", long.as_str()];
    let namespaces: Vec<_> = names.iter().map(|&name| Namespace::new(name, name)).collect();
    for (position, namespace) in namespaces.iter().enumerate() {
        index.open(namespace, &settings()).await.unwrap();
        index.upsert(namespace, vec![point(position as u64, [1.0, 0.0, 0.0, 0.0], &[7])]).await.unwrap();
    }
    for (position, namespace) in namespaces.iter().enumerate() {
        assert_eq!(found(index, namespace, bm25(&[7])).await, [position as u64], "{namespace}");
    }
    let mut expected = namespaces.clone();
    expected.sort();
    assert_eq!(index.namespaces().await.unwrap(), expected);
    for namespace in &namespaces {
        index.drop_namespace(namespace).await.unwrap();
    }
    assert_eq!(index.namespaces().await.unwrap(), []);
}

/// Scenario.
pub async fn a_dense_search_finds_the_nearest_first(index: &dyn VectorIndex) {
    let namespace = opened(index).await;
    let points = vec![
        point(1, [0.6, 0.8, 0.0, 0.0], &[]),
        point(2, [1.0, 0.0, 0.0, 0.0], &[]),
        point(3, [-1.0, 0.0, 0.0, 0.0], &[]),
        point(4, [0.8, 0.6, 0.0, 0.0], &[]),
    ];
    index.upsert(&namespace, points).await.unwrap();
    let hits = hits(index, &namespace, dense([1.0, 0.0, 0.0, 0.0], 3)).await;
    assert_eq!(hits.iter().map(|hit| hit.chunk.0).collect::<Vec<_>>(), [2, 4, 1]);
    for (hit, expected) in hits.iter().zip([1.0, 0.8, 0.6]) {
        assert!((hit.score - expected).abs() < 1e-3, "{hit:?} instead of {expected}");
    }
    let exact = Query::Dense { vector: vec![1.0, 0.0, 0.0, 0.0], accuracy: Accuracy::Exact };
    assert_eq!(found(index, &namespace, Search { query: exact, limit: 9, filter: None }).await, [2, 4, 1, 3]);
}

/// Scenario.
pub async fn a_question_is_moved_towards_chunks(index: &dyn VectorIndex) {
    let namespace = opened(index).await;
    let points = vec![
        point(1, [0.6, 0.8, 0.0, 0.0], &[]),
        point(2, [0.6, 0.0, 0.8, 0.0], &[]),
        point(3, [0.0, 0.0, 1.0, 0.0], &[]),
        point(4, [0.0, 1.0, 0.0, 0.0], &[]),
    ];
    index.upsert(&namespace, points).await.unwrap();
    let towards = |chunks: &[u64], share| {
        let chunks = chunks.iter().copied().map(ChunkId).collect();
        let query = Query::Towards { vector: vec![1.0, 0.0, 0.0, 0.0], chunks, share };
        Search { query, limit: 2, filter: None }
    };
    // (1, 0, 0, 0) and half of (.3, .4, .5, 0), of length 1; the seventh does not exist.
    let hits = hits(index, &namespace, towards(&[1, 3, 7], 0.5)).await;
    assert_eq!(hits.iter().map(|hit| hit.chunk.0).collect::<Vec<_>>(), [2, 1]);
    let length = (1.15f32 * 1.15 + 0.2 * 0.2 + 0.25 * 0.25).sqrt();
    for (hit, expected) in hits.iter().zip([1.15 * 0.6 + 0.25 * 0.8, 1.15 * 0.6 + 0.2 * 0.8]) {
        assert!((hit.score - expected / length).abs() < 1e-3, "{hit:?} instead of {}", expected / length);
    }
    // Towards nothing it stays where it is.
    let mut alone = found(index, &namespace, towards(&[7], 0.5)).await;
    alone.sort_unstable();
    assert_eq!(alone, [1, 2]);
    assert_eq!(found(index, &namespace, towards(&[4], 9.0)).await, [4, 1]);
}

/// Scenario.
pub async fn a_sparse_search_weighs_rare_terms_more(index: &dyn VectorIndex) {
    let namespace = opened(index).await;
    let points = (0..9)
        .map(|chunk| point(chunk, [1.0, 0.0, 0.0, 0.0], &[7]))
        .chain([point(9, [1.0, 0.0, 0.0, 0.0], &[8]), point(10, [1.0, 0.0, 0.0, 0.0], &[])]);
    index.upsert(&namespace, points.collect()).await.unwrap();
    let hits = hits(index, &namespace, bm25(&[7, 8])).await;
    // Ten of the points have words: `ln(1 + (10 - n + 0.5) / (n + 0.5))`.
    let idf = |with: f32| (1.0 + (10.0 - with + 0.5) / (with + 0.5)).ln();
    assert_eq!(hits.len(), 10);
    assert_eq!(hits[0].chunk.0, 9);
    assert!((hits[0].score - idf(1.0)).abs() < 1e-3, "{} instead of {}", hits[0].score, idf(1.0));
    assert!((hits[1].score - idf(9.0)).abs() < 1e-3, "{} instead of {}", hits[1].score, idf(9.0));
}

/// Numbers per vector of the multi-vectors of these tests: enough that their signs tell them apart.
const MULTI_DIMENSION: usize = 64;

/// Vectors of length 1 that are far from each other, one for each number.
fn multi(of: &[u64]) -> MultiVector {
    let values = of.iter().flat_map(|&seed| {
        let mut state = seed;
        std::iter::repeat_with(move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if state >> 63 == 0 { 0.125 } else { -0.125 }
        })
        .take(MULTI_DIMENSION)
    });
    MultiVector { dimension: MULTI_DIMENSION, values: values.collect() }
}

fn with_multi(chunk: u64, of: &[u64]) -> Point {
    Point { multi: multi(of), ..point(chunk, [1.0, 0.0, 0.0, 0.0], &[7]) }
}

fn compared(of: &[u64], among: &[u64]) -> Search {
    let among = among.iter().map(|&chunk| ChunkId(chunk)).collect();
    Search { query: Query::Multi { vector: multi(of), among }, limit: 100, filter: None }
}

/// Scenario.
pub async fn chunks_are_compared_vector_by_vector(index: &dyn VectorIndex) {
    let namespace = opened(index).await;
    let points = vec![
        with_multi(1, &[10, 11, 12]),
        with_multi(2, &[20, 10, 22, 23]),
        with_multi(3, &[10, 11]),
        with_multi(4, &[]),
    ];
    index.upsert(&namespace, points).await.unwrap();
    // Of those that are asked for, and have a multi-vector, however many vectors that has.
    let hits = hits(index, &namespace, compared(&[10, 11], &[1, 2, 4, 9])).await;
    assert_eq!(hits.iter().map(|hit| hit.chunk.0).collect::<Vec<_>>(), [1, 2]);
    assert!((hits[0].score - 1.0).abs() < 0.02 && hits[1].score < 0.9, "{hits:?}");
    for nothing in [compared(&[], &[1, 2]), compared(&[10], &[]), compared(&[10], &[4, 9])] {
        assert_eq!(found(index, &namespace, nothing).await, NOTHING);
    }
    let first = Search { limit: 1, ..compared(&[22], &[3, 2, 1]) };
    assert_eq!(found(index, &namespace, first).await, [2]);
}

/// Scenario.
pub async fn a_comparison_holds_after_an_optimization_and_after_closing(index: &dyn VectorIndex) {
    let namespace = opened(index).await;
    let points = (0..300).map(|chunk| Point {
        fields: point_with(chunk, &[("kind", texts(&[if chunk % 2 == 0 { "even" } else { "odd" }]))]).fields,
        ..with_multi(chunk, &[1_000 + chunk, 2_000 + chunk])
    });
    index.upsert(&namespace, points.collect()).await.unwrap();
    // One is replaced, one loses its multi-vector, one goes.
    let replaced = vec![with_multi(7, &[5_000]), with_multi(8, &[])];
    index.upsert(&namespace, replaced).await.unwrap();
    index.delete(&namespace, vec![ChunkId(9)]).await.unwrap();
    let all: Vec<u64> = (0..300).collect();
    for _ in 0..2 {
        let best = async |seed| hits(index, &namespace, compared(&[seed], &all)).await[0];
        for chunk in [0, 50, 299] {
            let hit = best(2_000 + chunk).await;
            assert!(hit.chunk == ChunkId(chunk) && hit.score > 0.95, "{hit:?}");
        }
        assert_eq!(best(5_000).await.chunk, ChunkId(7));
        for gone in [1_007, 1_008, 1_009] {
            assert!(best(gone).await.score < 0.9);
        }
        let odd = Search {
            filter: Some(Arc::new(one_of("kind", &["odd"]))),
            ..compared(&[1_050, 1_051], &[50, 51, 52])
        };
        assert_eq!(found(index, &namespace, odd).await, [51]);
        index.optimize(&namespace).await.unwrap();
        index.close().await.unwrap();
    }
}

/// Scenario.
pub async fn a_search_returns_one_list_per_query_in_order(index: &dyn VectorIndex) {
    let namespace = opened(index).await;
    let mut second = point(2, [0.0, 1.0, 0.0, 0.0], &[8]);
    second.sparse.push((SparseChannel::Grams, [(70, 1.0)].into_iter().collect()));
    index.upsert(&namespace, vec![point(1, [1.0, 0.0, 0.0, 0.0], &[7]), second]).await.unwrap();
    let searches =
        vec![bm25(&[7]), sparse(SparseChannel::Grams, &[70], 5), bm25(&[9]), dense([1.0, 0.1, 0.0, 0.0], 1)];
    let lists = index.search(&namespace, searches).await.unwrap();
    let chunks: Vec<Vec<u64>> =
        lists.iter().map(|hits| hits.iter().map(|hit| hit.chunk.0).collect()).collect();
    assert_eq!(chunks, [vec![1], vec![2], vec![], vec![1]]);
    assert_eq!(index.search(&namespace, Vec::new()).await.unwrap(), Vec::<Vec<Hit>>::new());
}

/// Scenario.
pub async fn what_has_nothing_in_common_is_not_found(index: &dyn VectorIndex) {
    let namespace = opened(index).await;
    index
        .upsert(&namespace, vec![point(1, [0.0; 4], &[]), point(2, [1.0, 0.0, 0.0, 0.0], &[7])])
        .await
        .unwrap();
    assert_eq!(found(index, &namespace, dense([0.0, 1.0, 0.0, 0.0], 10)).await, NOTHING);
    assert_eq!(found(index, &namespace, dense([0.0; 4], 10)).await, NOTHING);
    assert_eq!(found(index, &namespace, dense([0.5, 0.5, 0.5, 0.5], 10)).await, [2]);
    assert_eq!(found(index, &namespace, bm25(&[])).await, NOTHING);
    assert_eq!(found(index, &namespace, bm25(&[u32::MAX])).await, NOTHING);
}

/// Scenario.
pub async fn a_write_is_visible_when_it_returns(index: &dyn VectorIndex) {
    let namespace = opened(index).await;
    for chunk in 0..50 {
        index.upsert(&namespace, vec![point(chunk, [1.0, 0.0, 0.0, 0.0], &[chunk as u32])]).await.unwrap();
        assert_eq!(found(index, &namespace, bm25(&[chunk as u32])).await, [chunk]);
        assert_eq!(count(index, &namespace).await as u64, chunk + 1);
    }
}

/// Scenario.
pub async fn a_replaced_point_is_found_only_by_its_new_vectors(index: &dyn VectorIndex) {
    let namespace = opened(index).await;
    let mut old = point(1, [1.0, 0.0, 0.0, 0.0], &[7]);
    old.sparse.push((SparseChannel::Grams, [(70, 1.0)].into_iter().collect()));
    index.upsert(&namespace, vec![old]).await.unwrap();
    index.upsert(&namespace, vec![point(1, [0.0, 1.0, 0.0, 0.0], &[8])]).await.unwrap();
    assert_replaced(index, &namespace).await;

    // Of two points with one id in one batch, the later.
    let twice = vec![point(2, [1.0, 0.0, 0.0, 0.0], &[7]), point(2, [0.0, 1.0, 0.0, 0.0], &[9])];
    index.upsert(&namespace, twice).await.unwrap();
    assert_eq!(found(index, &namespace, bm25(&[7])).await, NOTHING);
    assert_eq!(found(index, &namespace, bm25(&[9])).await, [2]);
}

/// Scenario.
pub async fn replacing_after_an_optimization_leaves_nothing_of_the_old(index: &dyn VectorIndex) {
    let namespace = opened(index).await;
    let mut old = point(1, [1.0, 0.0, 0.0, 0.0], &[7]);
    old.sparse.push((SparseChannel::Grams, [(70, 1.0)].into_iter().collect()));
    let filling = (100..400).map(|chunk| point(chunk, [0.0, 0.0, 1.0, 0.0], &[3, 4]));
    index.upsert(&namespace, filling.chain([old]).collect()).await.unwrap();
    index.optimize(&namespace).await.unwrap();
    index.upsert(&namespace, vec![point(1, [0.0, 1.0, 0.0, 0.0], &[8])]).await.unwrap();
    assert_replaced(index, &namespace).await;
    index.optimize(&namespace).await.unwrap();
    assert_replaced(index, &namespace).await;
}

async fn assert_replaced(index: &dyn VectorIndex, namespace: &Namespace) {
    assert_eq!(found(index, namespace, bm25(&[7])).await, NOTHING);
    assert_eq!(found(index, namespace, sparse(SparseChannel::Grams, &[70], 5)).await, NOTHING);
    assert_eq!(found(index, namespace, dense([1.0, 0.0, 0.0, 0.0], 5)).await, NOTHING);
    assert_eq!(found(index, namespace, bm25(&[8])).await, [1]);
    assert_eq!(found(index, namespace, dense([0.0, 1.0, 0.0, 0.0], 5)).await, [1]);
}

/// Scenario.
pub async fn a_deleted_point_is_never_found(index: &dyn VectorIndex) {
    let namespace = opened(index).await;
    let points = (0..300).map(|chunk| point(chunk, [1.0, 0.0, 0.0, 0.0], &[7])).collect();
    index.upsert(&namespace, points).await.unwrap();
    let assert_gone = async |gone: u64| {
        for search in [bm25(&[7]), dense([1.0, 0.0, 0.0, 0.0], 400), sparse(SparseChannel::Bm25, &[7], 400)] {
            assert!(!found(index, &namespace, search).await.contains(&gone), "{gone}");
        }
    };
    index.delete(&namespace, vec![ChunkId(5), ChunkId(99_999), ChunkId(5)]).await.unwrap();
    assert_gone(5).await;
    index.optimize(&namespace).await.unwrap();
    assert_gone(5).await;
    index.delete(&namespace, vec![ChunkId(6)]).await.unwrap();
    assert_gone(6).await;
    index.optimize(&namespace).await.unwrap();
    assert_gone(5).await;
    assert_gone(6).await;
    assert_eq!(count(index, &namespace).await, 298);

    index.upsert(&namespace, vec![point(5, [1.0, 0.0, 0.0, 0.0], &[8])]).await.unwrap();
    assert_eq!(found(index, &namespace, bm25(&[8])).await, [5]);
    index.delete(&namespace, (0..300).map(ChunkId).collect()).await.unwrap();
    assert_eq!(count(index, &namespace).await, 0);
    assert_eq!(found(index, &namespace, dense([1.0, 0.0, 0.0, 0.0], 400)).await, NOTHING);
}

/// Scenario.
pub async fn writes_may_be_repeated(index: &dyn VectorIndex) {
    let namespace = opened(index).await;
    let points: Vec<_> =
        (0..20).map(|chunk| point(chunk, [1.0, 0.0, 0.0, 0.0], &[7, chunk as u32 + 10])).collect();
    index.upsert(&namespace, points.clone()).await.unwrap();
    let once = hits(index, &namespace, bm25(&[7, 15])).await;
    index.upsert(&namespace, points).await.unwrap();
    assert_eq!(hits(index, &namespace, bm25(&[7, 15])).await, once);
    assert_eq!(count(index, &namespace).await, 20);
    for _ in 0..2 {
        index.delete(&namespace, vec![ChunkId(3)]).await.unwrap();
        assert_eq!(count(index, &namespace).await, 19);
    }
}

/// Scenario.
pub async fn after_an_optimization_deleted_points_do_not_count(index: &dyn VectorIndex) {
    let namespace = opened(index).await;
    let kept = |chunk| point(chunk, [1.0, 0.0, 0.0, 0.0], &[7, if chunk == 0 { 9 } else { 8 }]);
    index.upsert(&namespace, (0..400).map(kept).collect()).await.unwrap();
    let expected = hits(index, &namespace, bm25(&[8, 9])).await;
    // Term 9 is now in most points, so rare no longer; and then again.
    let passing = |chunk| point(chunk, [1.0, 0.0, 0.0, 0.0], &[9]);
    index.upsert(&namespace, (1000..2500).map(passing).collect()).await.unwrap();
    assert_ne!(hits(index, &namespace, bm25(&[8, 9])).await, expected);
    index.delete(&namespace, (1000..2500).map(ChunkId).collect()).await.unwrap();
    index.optimize(&namespace).await.unwrap();
    let after = hits(index, &namespace, bm25(&[8, 9])).await;
    assert_eq!(after[0].chunk, expected[0].chunk);
    assert!((after[0].score - expected[0].score).abs() < 1e-3, "{} {}", after[0].score, expected[0].score);
}

/// Scenario.
pub async fn a_point_that_does_not_fit_is_refused_with_its_batch(index: &dyn VectorIndex) {
    let namespace = opened(index).await;
    let short = Point { dense: vec![1.0; 3], ..point(66, [1.0; 4], &[]) };
    let empty = Point { dense: Vec::new(), ..point(66, [1.0; 4], &[]) };
    let not_a_number = point(66, [f32::NAN, 0.0, 0.0, 0.0], &[]);
    let infinite = point(66, [f32::INFINITY, 0.0, 0.0, 0.0], &[]);
    let mut heavy = point(66, [1.0; 4], &[]);
    heavy.sparse = vec![(SparseChannel::Bm25, [(1, f32::INFINITY)].into_iter().collect())];
    let mut twice = point(66, [1.0; 4], &[1]);
    twice.sparse.push(twice.sparse[0].clone());
    for wrong in [short, empty, not_a_number, infinite, heavy, twice] {
        let batch = vec![point(1, [1.0, 0.0, 0.0, 0.0], &[7]), wrong];
        let error = index.upsert(&namespace, batch).await.unwrap_err();
        assert!(matches!(error, IndexError::InvalidPoint { chunk: ChunkId(66), .. }), "{error}");
    }
    assert_eq!(count(index, &namespace).await, 0);
    let without_words = Namespace::new("tenant", "without words");
    index.open(&without_words, &IndexSettings { channels: Vec::new(), ..settings() }).await.unwrap();
    let error = index.upsert(&without_words, vec![point(66, [1.0; 4], &[7])]).await.unwrap_err();
    assert!(matches!(error, IndexError::InvalidPoint { .. }), "{error}");
}

/// Scenario.
pub async fn a_query_that_does_not_fit_is_refused(index: &dyn VectorIndex) {
    let without_grams = IndexSettings { channels: vec![SparseChannel::Bm25], ..settings() };
    index.open(&namespace(), &without_grams).await.unwrap();
    index.upsert(&namespace(), vec![point(1, [1.0, 0.0, 0.0, 0.0], &[7])]).await.unwrap();
    let dense = |vector: Vec<f32>| Search {
        query: Query::Dense { vector, accuracy: Accuracy::Indexed },
        ..bm25(&[])
    };
    let heavy = Query::Sparse { channel: SparseChannel::Bm25, vector: [(7, f32::NAN)].into_iter().collect() };
    let wrong = [
        dense(vec![1.0; 5]),
        dense(Vec::new()),
        dense(vec![f32::NAN, 0.0, 0.0, 0.0]),
        sparse(SparseChannel::Grams, &[1], 1),
        Search { query: heavy, limit: 1, filter: None },
    ];
    for search in wrong {
        let error = index.search(&namespace(), vec![bm25(&[7]), search]).await.unwrap_err();
        assert!(matches!(error, IndexError::InvalidQuery(_)), "{error}");
    }
    assert_eq!(found(index, &namespace(), bm25(&[7])).await, [1]);
}

/// Scenario.
pub async fn any_limit_is_served(index: &dyn VectorIndex) {
    let namespace = opened(index).await;
    for limit in [0, 1, usize::MAX] {
        assert_eq!(found(index, &namespace, dense([1.0, 0.0, 0.0, 0.0], limit)).await, NOTHING);
    }
    index
        .upsert(&namespace, (0..3).map(|chunk| point(chunk, [1.0, 0.0, 0.0, 0.0], &[7])).collect())
        .await
        .unwrap();
    for (limit, expected) in [(0, 0), (1, 1), (3, 3), (4, 3), (usize::MAX, 3)] {
        assert_eq!(found(index, &namespace, dense([1.0, 0.0, 0.0, 0.0], limit)).await.len(), expected);
        assert_eq!(found(index, &namespace, sparse(SparseChannel::Bm25, &[7], limit)).await.len(), expected);
    }
}

/// Points with every combination of fields that the scenarios below ask for.
async fn shelved(index: &dyn VectorIndex) -> Namespace {
    let namespace = opened(index).await;
    let points = vec![
        point_with(1, &[("shelf", texts(&["a"])), ("year", number(2001.0))]),
        point_with(2, &[("shelf", texts(&["b"])), ("year", number(2002.5))]),
        point_with(3, &[("shelf", texts(&["a", "c"])), ("year", FieldValues::Numbers(vec![1990.0, 2010.0]))]),
        point_with(4, &[("shelf", texts(&[])), ("Größe", number(-1.0))]),
        point_with(5, &[]),
    ];
    index.upsert(&namespace, points).await.unwrap();
    namespace
}

async fn assert_filters_hold(index: &dyn VectorIndex, namespace: &Namespace) {
    use Bound::{Excluded, Included, Unbounded};
    let any = |filters: &[Filter]| Filter::Any(filters.to_vec());
    let all = |filters: &[Filter]| Filter::All(filters.to_vec());
    let a = one_of("shelf", &["a"]);
    for (filter, expected) in [
        (a.clone(), vec![1, 3]),
        (one_of("shelf", &["b", "c", "d"]), vec![2, 3]),
        (one_of("shelf", &[]), vec![]),
        (one_of("year", &["2001"]), vec![]),
        (one_of("nowhere", &["a"]), vec![]),
        (between("year", Included(2001.0), Included(2001.0)), vec![1]),
        (between("year", Excluded(2001.0), Unbounded), vec![2, 3]),
        (between("year", Unbounded, Excluded(2001.0)), vec![3]),
        (between("year", Included(2001.0), Excluded(2002.5)), vec![1]),
        (between("year", Included(3.0), Included(2.0)), vec![]),
        (between("year", Unbounded, Unbounded), vec![1, 2, 3]),
        (between("shelf", Unbounded, Unbounded), vec![]),
        (between("Größe", Unbounded, Included(0.0)), vec![4]),
        (exists("shelf"), vec![1, 2, 3]),
        (not(exists("shelf")), vec![4, 5]),
        (exists("nowhere"), vec![]),
        (not(a.clone()), vec![2, 4, 5]),
        (not(not(a.clone())), vec![1, 3]),
        (all(&[]), vec![1, 2, 3, 4, 5]),
        (any(&[]), vec![]),
        (not(any(&[])), vec![1, 2, 3, 4, 5]),
        (not(all(&[])), vec![]),
        (any(&[all(&[]), a.clone()]), vec![1, 2, 3, 4, 5]),
        (all(&[a.clone(), any(&[])]), vec![]),
        (all(&[a.clone(), between("year", Excluded(2001.0), Unbounded)]), vec![3]),
        (any(&[a, exists("Größe")]), vec![1, 3, 4]),
    ] {
        assert_eq!(found_through(index, namespace, &filter).await, expected, "{filter:?}");
    }
}

/// Scenario.
pub async fn a_filter_finds_only_what_fits_it(index: &dyn VectorIndex) {
    let namespace = shelved(index).await;
    assert_filters_hold(index, &namespace).await;
}

/// Scenario.
pub async fn filters_hold_after_an_optimization_and_after_closing(index: &dyn VectorIndex) {
    let namespace = shelved(index).await;
    // Enough that the points come into their final order, none of which any filter of the scenario finds.
    let others = (1_000..1_400).map(|chunk| point(chunk, [0.0, 1.0, 0.0, 0.0], &[3])).collect();
    index.upsert(&namespace, others).await.unwrap();
    index.optimize(&namespace).await.unwrap();
    assert_filters_hold(index, &namespace).await;
    index.close().await.unwrap();
    assert_filters_hold(index, &namespace).await;
    // A field that comes only now.
    index.upsert(&namespace, vec![point_with(6, &[("late", texts(&["x"]))])]).await.unwrap();
    assert_eq!(found_through(index, &namespace, &one_of("late", &["x"])).await, [6]);
    index.optimize(&namespace).await.unwrap();
    index.close().await.unwrap();
    assert_eq!(found_through(index, &namespace, &exists("late")).await, [6]);
}

/// Scenario.
pub async fn a_filter_counts_only_what_fits_towards_the_limit(index: &dyn VectorIndex) {
    let namespace = opened(index).await;
    // What does not fit is nearer and has more of the words.
    let near = (0..50).map(|chunk| {
        let fields = Arc::new(Fields::from([("shelf".to_owned(), texts(&["near"]))]));
        Point { fields, ..point(chunk, [1.0, 0.0, 0.0, 0.0], &[7, 8]) }
    });
    let far = (50..60).map(|chunk| {
        let fields = Arc::new(Fields::from([("shelf".to_owned(), texts(&["far"]))]));
        Point { fields, ..point(chunk, [0.6, 0.8, 0.0, 0.0], &[7]) }
    });
    index.upsert(&namespace, near.chain(far).collect()).await.unwrap();
    let filter = Some(Arc::new(one_of("shelf", &["far"])));
    for search in [dense([1.0, 0.0, 0.0, 0.0], 5), sparse(SparseChannel::Bm25, &[7, 8], 5)] {
        let hits = hits(index, &namespace, Search { filter: filter.clone(), ..search }).await;
        assert!(hits.len() == 5 && hits.iter().all(|hit| hit.chunk.0 >= 50), "{hits:?}");
    }
}

/// Scenario.
pub async fn a_replaced_point_has_only_its_new_fields(index: &dyn VectorIndex) {
    let namespace = opened(index).await;
    let old = [("shelf", texts(&["a"])), ("year", number(2001.0))];
    index.upsert(&namespace, vec![point_with(1, &old)]).await.unwrap();
    index.optimize(&namespace).await.unwrap();
    index.upsert(&namespace, vec![point_with(1, &[("shelf", texts(&["b"]))])]).await.unwrap();
    for (filter, expected) in
        [(one_of("shelf", &["a"]), vec![]), (one_of("shelf", &["b"]), vec![1]), (exists("year"), vec![])]
    {
        assert_eq!(found_through(index, &namespace, &filter).await, expected, "{filter:?}");
    }
    index.upsert(&namespace, vec![point_with(1, &[])]).await.unwrap();
    assert_eq!(found_through(index, &namespace, &exists("shelf")).await, NOTHING);
}

/// Scenario.
pub async fn fields_and_filters_that_do_not_fit_are_refused(index: &dyn VectorIndex) {
    let namespace = opened(index).await;
    for fields in [("a.b", texts(&["x"])), ("", texts(&["x"])), ("year", number(f64::NAN))] {
        let error = index.upsert(&namespace, vec![point_with(66, &[fields])]).await.unwrap_err();
        assert!(matches!(error, IndexError::InvalidPoint { chunk: ChunkId(66), .. }), "{error}");
    }
    let filters = [
        between("year", Bound::Included(f64::NAN), Bound::Unbounded),
        Filter::All(vec![not(exists("a\"b"))]),
        Filter::Any(vec![one_of("a[0]", &["x"])]),
    ];
    for filter in filters {
        let search = Search { filter: Some(Arc::new(filter)), ..bm25(&[7]) };
        let error = index.search(&namespace, vec![search]).await.unwrap_err();
        assert!(matches!(error, IndexError::InvalidQuery(_)), "{error}");
    }
    assert_eq!(count(index, &namespace).await, 0);
}

/// Scenario.
pub async fn a_dropped_namespace_is_gone_and_can_be_made_again(index: &dyn VectorIndex) {
    let namespace = opened(index).await;
    index.upsert(&namespace, vec![point(1, [1.0, 0.0, 0.0, 0.0], &[7])]).await.unwrap();
    index.flush(&namespace, Checkpoint(9)).await.unwrap();
    index.drop_namespace(&namespace).await.unwrap();
    index.drop_namespace(&namespace).await.unwrap();
    let error = index.search(&namespace, vec![bm25(&[7])]).await.unwrap_err();
    assert_eq!(error, IndexError::UnknownNamespace(namespace.clone()));
    let other = IndexSettings { embedder: "other/embedder".to_owned(), ..settings() };
    assert_eq!(index.open(&namespace, &other).await, Ok(Checkpoint::START));
    assert_eq!(count(index, &namespace).await, 0);
}

/// Scenario.
pub async fn after_closing_everything_is_there(index: &dyn VectorIndex) {
    let namespace = opened(index).await;
    index
        .upsert(&namespace, (0..9).map(|chunk| point(chunk, [1.0, 0.0, 0.0, 0.0], &[7])).collect())
        .await
        .unwrap();
    index.delete(&namespace, vec![ChunkId(4)]).await.unwrap();
    for _ in 0..3 {
        index.close().await.unwrap();
        assert_eq!(found(index, &namespace, bm25(&[7])).await, [0, 1, 2, 3, 5, 6, 7, 8]);
    }
}

/// Scenario.
pub async fn a_checkpoint_is_remembered(index: &dyn VectorIndex) {
    let namespace = opened(index).await;
    assert_eq!(index.open(&namespace, &settings()).await, Ok(Checkpoint::START));
    index.flush(&namespace, Checkpoint(7)).await.unwrap();
    assert_eq!(index.open(&namespace, &settings()).await, Ok(Checkpoint(7)));
    index.optimize(&namespace).await.unwrap();
    index.close().await.unwrap();
    assert_eq!(index.open(&namespace, &settings()).await, Ok(Checkpoint(7)));
}
