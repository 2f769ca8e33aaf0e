//! A process that writes is killed, again and again. Its successor resends what was not flushed, as the relational
//! store does, and must then hold what a process that was never killed would.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use super::*;

/// Carries the folder to the process that is to be killed.
const FOLDER: &str = "MAINSTAY_TEST_INDEX_FOLDER";
/// Events between two flushes, and between two optimizations.
const FLUSH_EVERY: u64 = 40;
const OPTIMIZE_EVERY: u64 = 130;

/// The event of a number: every fourth deletes, every fifth replaces, the others insert.
async fn send(index: &EmbeddedIndex, event: u64) {
    match (event % 4, event % 5) {
        (0, _) => index.delete(&namespace(), vec![ChunkId(event / 2)]).await,
        (_, 0) => index.upsert(&namespace(), vec![point(event / 3, event)]).await,
        _ => index.upsert(&namespace(), vec![point(event, event)]).await,
    }
    .unwrap();
}

/// What there is after the events up to a number: chunks and their versions.
fn contents_after(last: u64) -> BTreeMap<u64, u64> {
    let mut contents = BTreeMap::new();
    for event in 1..=last {
        match (event % 4, event % 5) {
            (0, _) => contents.remove(&(event / 2)),
            (_, 0) => contents.insert(event / 3, event),
            _ => contents.insert(event, event),
        };
    }
    contents
}

/// Writes until it is killed; says after each flush how far it is. Run by the test below, in a process of its own.
#[test]
#[ignore = "runs only as the process that another test kills"]
fn writes_until_it_is_killed() {
    let Some(folder) = folder_from_parent() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let index = index_in(Path::new(&folder));
        let Checkpoint(checkpoint) = index.open(&namespace(), &settings()).await.unwrap();
        for event in checkpoint + 1.. {
            send(&index, event).await;
            if event % FLUSH_EVERY == 0 {
                index.flush(&namespace(), Checkpoint(event)).await.unwrap();
            }
            if event % OPTIMIZE_EVERY == 0 {
                index.optimize(&namespace()).await.unwrap();
            }
            let mut output = std::io::stderr().lock();
            writeln!(output, "event {event}").unwrap();
        }
    });
}

#[expect(clippy::disallowed_methods, reason = "how the two processes of this test speak to each other")]
pub(super) fn folder_from_parent() -> Option<String> {
    std::env::var(FOLDER).ok()
}

fn start_writer(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "embedded::tests::crash::writes_until_it_is_killed", "--nocapture"])
        .env(FOLDER, folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Lets a process write so many events, kills it, and returns the last event of which it said that it was done.
fn write_and_kill(folder: &Path, events: usize) -> u64 {
    let mut writer = start_writer(folder);
    let output = BufReader::new(writer.stderr.take().unwrap());
    let done = output
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix("event ")?.parse().ok())
        .take(events)
        .last();
    writer.kill().unwrap();
    writer.wait().unwrap();
    done.expect("the writer ended before it wrote")
}

#[tokio::test]
async fn a_killed_process_loses_nothing_that_was_flushed() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..12 {
        let done = write_and_kill(folder.path(), random.usize(1..300));
        let index = index_in(folder.path());
        let Checkpoint(checkpoint) = index.open(&namespace(), &settings()).await.unwrap();
        assert!(checkpoint >= done / FLUSH_EVERY * FLUSH_EVERY, "{checkpoint} flushed, {done} done");

        let last = checkpoint + FLUSH_EVERY;
        for event in checkpoint + 1..=last {
            send(&index, event).await;
        }
        let contents = contents_after(last);
        let everything =
            index.search(&namespace(), vec![dense(vec![0.5; 4], Accuracy::Exact, 100_000)]).await;
        let mut found: Vec<u64> = everything.unwrap()[0].iter().map(|hit| hit.chunk.0).collect();
        found.sort_unstable();
        assert_eq!(found, contents.keys().copied().collect::<Vec<_>>());
        for (&chunk, &version) in contents.iter().step_by(7) {
            let own = point(chunk, version);
            let terms = own.sparse[0].1.terms();
            let searches = vec![dense(own.dense.clone(), Accuracy::Exact, 1), words(terms, 100_000)];
            let hits = index.search(&namespace(), searches).await.unwrap();
            assert!(
                (hits[0][0].score - 1.0).abs() < 1e-3,
                "chunk {chunk} has an older vector: {:?}",
                hits[0]
            );
            assert!(
                hits[1].iter().any(|hit| hit.chunk.0 == chunk),
                "chunk {chunk} is not found by its words"
            );
        }
        index.flush(&namespace(), Checkpoint(last)).await.unwrap();
    }
}
