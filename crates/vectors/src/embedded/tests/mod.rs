//! What an index with storage promises beyond the conformance suite: it survives, it notices damage, it stays small.

mod crash;
mod damage;
mod properties;

use mainstay_domain::port::MultiVector;

use super::*;
use crate::filter::{FieldValues, Fields, Filter};
use crate::port::{Accuracy, Query, SparseChannel};
use crate::sparse::SparseVector;

mod conformance {
    use super::*;

    async fn make() -> (tempfile::TempDir, EmbeddedIndex) {
        let folder = tempfile::tempdir().unwrap();
        let index = index_in(folder.path());
        (folder, index)
    }

    crate::conformance_tests!(make());
}

/// Options under which the tests reach every form that a segment can take: few points come to be in final order, few
/// more get a graph.
fn small_options() -> EmbeddedOptions {
    EmbeddedOptions {
        exact_points: 500,
        loose_points: NonZeroUsize::new(200).unwrap(),
        ..EmbeddedOptions::default()
    }
}

fn index_in(folder: &Path) -> EmbeddedIndex {
    EmbeddedIndex::new(folder, small_options()).unwrap()
}

fn settings() -> IndexSettings {
    IndexSettings {
        embedder: "test/embedder".to_owned(),
        dimension: 4,
        channels: vec![SparseChannel::Bm25],
        multi_dimension: None,
    }
}

fn namespace() -> Namespace {
    Namespace::new("tenant", "corpus")
}

/// A point whose vectors and fields follow from its id and `version`.
fn point(chunk: u64, version: u64) -> Point {
    let mut random = fastrand::Rng::with_seed(chunk.wrapping_mul(1_000_003) ^ version);
    let dense: Vec<f32> = (0..4).map(|_| random.f32() - 0.5).collect();
    let length = dense.iter().map(|number| number * number).sum::<f32>().sqrt();
    let words: SparseVector = (0..5).map(|_| (random.u32(0..40), 0.5 + random.f32())).collect();
    Point {
        chunk: ChunkId(chunk),
        dense: dense.iter().map(|number| number / length).collect(),
        sparse: vec![(SparseChannel::Bm25, words)],
        multi: MultiVector::default(),
        fields: Arc::new(fields(&mut random)),
    }
}

/// Fields of which some points have some: a text of eight, several texts, and a number.
fn fields(random: &mut fastrand::Rng) -> Fields {
    let text = |random: &mut fastrand::Rng| format!("v{}", random.u8(0..8));
    let mut fields = Fields::new();
    fields.insert("shelf".to_owned(), FieldValues::Texts(vec![text(random)]));
    if random.bool() {
        let tags = (0..random.usize(0..4)).map(|_| text(random)).collect();
        fields.insert("tags".to_owned(), FieldValues::Texts(tags));
    }
    if random.bool() {
        fields.insert("Jahr".to_owned(), FieldValues::Numbers(vec![f64::from(random.i32(-20..20)) / 4.0]));
    }
    fields
}

fn dense(vector: Vec<f32>, accuracy: Accuracy, limit: usize) -> Search {
    Search { query: Query::Dense { vector, accuracy }, limit, filter: None }
}

fn words(terms: &[u32], limit: usize) -> Search {
    let vector = terms.iter().map(|&term| (term, 1.0)).collect();
    Search { query: Query::Sparse { channel: SparseChannel::Bm25, vector }, limit, filter: None }
}

async fn count(index: &EmbeddedIndex) -> usize {
    index.stats(&namespace()).await.unwrap().points
}

#[tokio::test]
async fn a_folder_has_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let first = index_in(folder.path());
    let second = EmbeddedIndex::new(folder.path(), small_options()).unwrap_err();
    assert_eq!(second, IndexError::Locked(folder.path().to_owned()));
    drop(first);
    index_in(folder.path());
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = EmbeddedIndex::new(&file, small_options()).unwrap_err();
    assert!(matches!(&error, IndexError::Folder { path, .. } if *path == file), "{error}");
}

#[tokio::test]
async fn what_was_flushed_is_there_in_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let index = index_in(folder.path());
    index.open(&namespace(), &settings()).await.unwrap();
    index.upsert(&namespace(), (0..700).map(|chunk| point(chunk, 0)).collect()).await.unwrap();
    index.optimize(&namespace()).await.unwrap();
    index.upsert(&namespace(), (650..750).map(|chunk| point(chunk, 1)).collect()).await.unwrap();
    index.delete(&namespace(), (0..10).map(ChunkId).collect()).await.unwrap();
    index.flush(&namespace(), Checkpoint(42)).await.unwrap();
    let searches = || vec![words(&[1, 2, 3], 20), dense(point(7, 7).dense, Accuracy::Exact, 20)];
    let before = index.search(&namespace(), searches()).await.unwrap();
    drop(index);

    let index = index_in(folder.path());
    assert_eq!(index.search(&namespace(), searches()).await.unwrap(), before);
    assert_eq!(index.open(&namespace(), &settings()).await.unwrap(), Checkpoint(42));
    assert_eq!(count(&index).await, 740);
}

#[tokio::test]
async fn a_creation_that_was_cut_off_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let leftover = folder.path().join("tenant/corpus/shard/segments/half");
    std::fs::create_dir_all(&leftover).unwrap();
    std::fs::write(leftover.join("segment.json"), "{").unwrap();
    std::fs::write(folder.path().join("tenant/corpus/checkpoint.json"), r#"{"checkpoint":9,"files":null}"#)
        .unwrap();
    let index = index_in(folder.path());
    assert_eq!(index.namespaces().await.unwrap(), []);
    assert_eq!(index.open(&namespace(), &settings()).await.unwrap(), Checkpoint::START);
    index.upsert(&namespace(), vec![point(1, 0)]).await.unwrap();
    assert_eq!(count(&index).await, 1);
}

#[tokio::test]
async fn a_folder_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let index = index_in(folder.path());
    index.open(&namespace(), &settings()).await.unwrap();
    index.close().await.unwrap();
    let manifest = folder.path().join("tenant/corpus/namespace.json");
    std::fs::write(&manifest, r#"{"format":99,"something":"else"}"#).unwrap();
    let error = index.open(&namespace(), &settings()).await.unwrap_err();
    assert!(matches!(error, IndexError::NewerFormat { found: 99, .. }), "{error}");
    assert!(std::fs::read_to_string(&manifest).unwrap().contains("99"));
}

#[tokio::test]
async fn after_a_failure_nothing_works_until_the_sender_knows() {
    let folder = tempfile::tempdir().unwrap();
    let index = index_in(folder.path());
    index.open(&namespace(), &settings()).await.unwrap();
    index.upsert(&namespace(), vec![point(1, 0)]).await.unwrap();
    index.flush(&namespace(), Checkpoint(1)).await.unwrap();
    // A folder where the record's file is to be written makes writing it fail.
    let in_the_way = folder.path().join("tenant/corpus/checkpoint.next");
    std::fs::create_dir(&in_the_way).unwrap();
    let error = index.flush(&namespace(), Checkpoint(2)).await.unwrap_err();
    assert!(matches!(error, IndexError::Storage { .. }), "{error}");
    let suspended = IndexError::Suspended(namespace());
    assert_eq!(index.upsert(&namespace(), vec![point(2, 0)]).await, Err(suspended.clone()));
    assert_eq!(index.flush(&namespace(), Checkpoint(3)).await, Err(suspended.clone()));
    assert_eq!(index.search(&namespace(), vec![words(&[1], 1)]).await, Err(suspended));

    std::fs::remove_dir(&in_the_way).unwrap();
    assert_eq!(index.open(&namespace(), &settings()).await, Ok(Checkpoint(1)));
    index.upsert(&namespace(), vec![point(2, 0)]).await.unwrap();
    index.flush(&namespace(), Checkpoint(3)).await.unwrap();
    assert_eq!(count(&index).await, 2);
}

#[tokio::test]
async fn only_so_many_namespaces_are_open_and_all_are_usable() {
    let folder = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions { open_namespaces: NonZeroUsize::new(2).unwrap(), ..small_options() };
    let index = EmbeddedIndex::new(folder.path(), options).unwrap();
    let namespaces: Vec<_> =
        (0..5).map(|number| Namespace::new("tenant", format!("corpus {number}"))).collect();
    let loaded = || index.shared.slots().values().filter(|slot| slot.is_loaded()).count();
    for (number, namespace) in namespaces.iter().enumerate() {
        index.open(namespace, &settings()).await.unwrap();
        index.upsert(namespace, vec![point(number as u64, 0)]).await.unwrap();
        assert!(loaded() <= 2);
    }
    for (number, namespace) in namespaces.iter().enumerate() {
        let hits =
            index.search(namespace, vec![dense(point(number as u64, 0).dense, Accuracy::Indexed, 1)]).await;
        assert_eq!(hits.unwrap()[0][0].chunk, ChunkId(number as u64));
        assert!(loaded() <= 2);
    }
}

#[tokio::test]
async fn questions_about_unknown_namespaces_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let index = index_in(folder.path());
    for number in 0..100 {
        let unknown = Namespace::new(format!("tenant {number}"), "corpus");
        index.search(&unknown, vec![words(&[1], 1)]).await.unwrap_err();
    }
    assert!(index.shared.slots().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_writes_and_an_optimization_go_on_together() {
    let folder = tempfile::tempdir().unwrap();
    let index = index_in(folder.path());
    index.open(&namespace(), &settings()).await.unwrap();
    index.upsert(&namespace(), (0..1_000).map(|chunk| point(chunk, 0)).collect()).await.unwrap();

    let write = async {
        for chunk in (1_000..2_000).step_by(50) {
            index
                .upsert(&namespace(), (chunk..chunk + 50).map(|chunk| point(chunk, 0)).collect())
                .await
                .unwrap();
            index.delete(&namespace(), vec![ChunkId(chunk - 1_000)]).await.unwrap();
            index.flush(&namespace(), Checkpoint(chunk)).await.unwrap();
        }
    };
    let search = async {
        for round in 0..100 {
            let searches = vec![words(&[1, 2, 3], 10), dense(point(round, 9).dense, Accuracy::Indexed, 10)];
            for hits in index.search(&namespace(), searches).await.unwrap() {
                assert_eq!(hits.len(), 10);
            }
        }
    };
    let optimize = async {
        for _ in 0..5 {
            index.optimize(&namespace()).await.unwrap();
        }
    };
    tokio::join!(write, search, optimize);
    assert_eq!(count(&index).await, 1_980);
}

#[tokio::test]
async fn a_graph_finds_what_comparing_everything_finds() {
    let folder = tempfile::tempdir().unwrap();
    let index = index_in(folder.path());
    index.open(&namespace(), &settings()).await.unwrap();
    index.upsert(&namespace(), (0..5_000).map(|chunk| point(chunk, 0)).collect()).await.unwrap();
    index.optimize(&namespace()).await.unwrap();
    let (mut found, mut expected) = (0, 0);
    for question in 0..100 {
        let vector = point(question, 3).dense;
        let searches = vec![dense(vector.clone(), Accuracy::Exact, 10), dense(vector, Accuracy::Indexed, 10)];
        let [exact, indexed] =
            <[Vec<Hit>; 2]>::try_from(index.search(&namespace(), searches).await.unwrap()).unwrap();
        expected += exact.len();
        found += exact.iter().filter(|hit| indexed.iter().any(|other| other.chunk == hit.chunk)).count();
    }
    assert!(found * 100 >= expected * 98, "{found} of {expected}");
}

#[tokio::test]
async fn a_graph_finds_what_comparing_everything_finds_through_a_filter_too() {
    let folder = tempfile::tempdir().unwrap();
    let index = index_in(folder.path());
    index.open(&namespace(), &settings()).await.unwrap();
    index.upsert(&namespace(), (0..8_000).map(|chunk| point(chunk, 0)).collect()).await.unwrap();
    index.optimize(&namespace()).await.unwrap();
    // Half of the points, an eighth, and a sixteenth: all more than are compared one by one.
    let of_shelves = |shelves: &[&str]| Filter::OneOf {
        field: "shelf".to_owned(),
        texts: shelves.iter().map(|&shelf| shelf.to_owned()).collect(),
    };
    let numbered = Filter::Exists { field: "Jahr".to_owned() };
    let high = Filter::Between {
        field: "Jahr".to_owned(),
        from: std::ops::Bound::Included(1.25),
        to: std::ops::Bound::Unbounded,
    };
    let not_v3 = Filter::Not(Box::new(of_shelves(&["v3"])));
    let filters = [
        numbered.clone(),
        of_shelves(&["v3"]),
        Filter::All(vec![of_shelves(&["v3"]), numbered]),
        high.clone(),
        Filter::All(vec![high, not_v3]),
    ];
    for filter in filters.map(Arc::new) {
        let (mut found, mut expected) = (0, 0);
        for question in 0..50 {
            let searches = [Accuracy::Exact, Accuracy::Indexed].map(|accuracy| Search {
                filter: Some(filter.clone()),
                ..dense(point(question, 3).dense, accuracy, 10)
            });
            let [exact, indexed] =
                <[Vec<Hit>; 2]>::try_from(index.search(&namespace(), searches.to_vec()).await.unwrap())
                    .unwrap();
            expected += exact.len();
            found += exact.iter().filter(|hit| indexed.iter().any(|other| other.chunk == hit.chunk)).count();
        }
        assert!(found * 100 >= expected * 98, "{found} of {expected} through {filter:?}");
    }
}

#[tokio::test]
async fn the_log_of_writes_does_not_grow_from_opening_to_opening() {
    let folder = tempfile::tempdir().unwrap();
    let index = index_in(folder.path());
    index.open(&namespace(), &settings()).await.unwrap();
    let log = folder.path().join("tenant/corpus/shard/wal");
    let mut sizes = Vec::new();
    for version in 0..4 {
        index.upsert(&namespace(), (0..500).map(|chunk| point(chunk, version)).collect()).await.unwrap();
        index.close().await.unwrap();
        // Opens, which begins a new log.
        assert_eq!(count(&index).await, 500);
        sizes.push(files::size_on_disk(&log));
    }
    assert!(sizes.iter().all(|&size| size < 64 << 10), "{sizes:?}");
}

#[tokio::test]
async fn a_disk_that_is_nearly_full_takes_nothing_in_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let index = index_in(folder.path());
    index.open(&namespace(), &settings()).await.unwrap();
    index.upsert(&namespace(), vec![point(1, 0)]).await.unwrap();
    index.close().await.unwrap();
    drop(index);

    let options = EmbeddedOptions { reserve: u64::MAX, ..small_options() };
    let index = EmbeddedIndex::new(folder.path(), options).unwrap();
    index.open(&namespace(), &settings()).await.unwrap();
    let refused = [
        index.upsert(&namespace(), vec![point(2, 0)]).await,
        index.delete(&namespace(), vec![ChunkId(1)]).await,
        index.flush(&namespace(), Checkpoint(1)).await,
        index.optimize(&namespace()).await,
        index.open(&Namespace::new("tenant", "other"), &settings()).await.map(|_| ()),
    ];
    for result in refused {
        assert!(matches!(result, Err(IndexError::DiskFull { .. })), "{result:?}");
    }
    assert_eq!(
        index.search(&namespace(), vec![words(point(1, 0).sparse[0].1.terms(), 9)]).await.unwrap()[0].len(),
        1
    );
}
