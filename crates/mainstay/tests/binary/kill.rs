//! A Mainstay that is killed while it takes documents loses none that it acknowledged and has none twice, and the next
//! start finds all of them by search.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::mpsc::{SyncSender, sync_channel};

use serde_json::json;

use crate::running::{Running, call};

const ROUNDS: usize = 12;
/// Clients that send documents at the same time.
const CLIENTS: usize = 3;

/// What must be there: a word that each document alone has, by the document.
type Expected = BTreeMap<String, Vec<String>>;

#[test]
fn a_killed_mainstay_has_every_document_that_it_acknowledged_and_none_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random(42);
    // The words that a document may have: that of the last acknowledged version, and of one under way at the kill.
    let mut expected = Expected::new();
    let mut key = None;
    for round in 0..ROUNDS {
        let running = &mut Running::start(folder.path());
        let key = key.get_or_insert_with(|| running.api_key.clone().expect("the first start prints a key"));
        check(&running.address, key, &expected, round);
        let wanted = random.below(24) + 1;
        let known = Mutex::new(std::mem::take(&mut expected));
        let (acknowledge, acknowledged) = sync_channel(1_024);
        std::thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (known, address, key) = (&known, &running.address, &*key);
                let acknowledge = acknowledge.clone();
                scope.spawn(move || send_until_killed(address, key, round, client, known, &acknowledge));
            }
            drop(acknowledge);
            // All clients failed if there are fewer; then the scope panics as they do.
            acknowledged.iter().take(wanted).for_each(drop);
            // A moment that has nothing to do with what the process does.
            (0..random.below(400_000)).for_each(|_| std::hint::spin_loop());
            running.child.kill().unwrap();
        });
        running.child.wait().unwrap();
        expected = known.into_inner().unwrap();
    }
    assert!(expected.len() > 30, "only {} documents were acknowledged", expected.len());
    let running = Running::start(folder.path());
    check(&running.address, &key.unwrap(), &expected, ROUNDS);
}

/// Every document that was acknowledged is listed once and found by its word, in one version.
fn check(address: &str, key: &str, expected: &Expected, round: usize) {
    let (status, list) = call(address, key, "GET", "/v1/documents?limit=1000", None).unwrap();
    assert_eq!(status, 200, "{list}");
    let listed: Vec<&str> =
        list["data"].as_array().unwrap().iter().map(|one| one["doc_id"].as_str().unwrap()).collect();
    let mut once = listed.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), listed.len(), "a document is listed twice in round {round}: {listed:?}");
    for (document, words) in expected {
        assert!(
            once.contains(&document.as_str()),
            "{document} was acknowledged and is gone in round {round}"
        );
        let found: Vec<&String> = words
            .iter()
            .filter(|word| found_in(address, key, word).iter().any(|found| found == document))
            .collect();
        assert_eq!(found.len(), 1, "{document} of the versions {words:?} shows {found:?} in round {round}");
    }
}

/// The documents that have the word.
fn found_in(address: &str, key: &str, word: &str) -> Vec<String> {
    let body = json!({ "query": word, "limit": 5 });
    let (status, answer) = call(address, key, "POST", "/v1/search", Some(&body)).unwrap();
    assert_eq!(status, 200, "{answer}");
    let results = answer["results"].as_array().unwrap().iter();
    let sentence = format!("The word is {word}.");
    let with = results.filter(|result| result["text"].as_str().unwrap().contains(&sentence));
    with.map(|result| result["doc_id"].as_str().unwrap().to_owned()).collect()
}

/// Sends new documents and new versions of older ones, one after the other, until the connection breaks.
fn send_until_killed(
    address: &str,
    key: &str,
    round: usize,
    client: usize,
    known: &Mutex<Expected>,
    acknowledge: &SyncSender<()>,
) {
    for number in 0.. {
        // Every third is a new version of a document of an earlier round.
        let from = if number % 3 == 2 { round / 2 } else { round };
        let document = format!("doc-{from}-{client}-{}", number % 7);
        let word = format!("marker{round}c{client}n{number}");
        let line = "The keeper notes the weather and winds the clock. ".repeat(3 + number % 30);
        let body = json!({ "doc_id": document, "text": format!("{line}\n\nThe word is {word}.\n\n{line}") });
        // From here on this version may be there, acknowledged or not.
        known.lock().unwrap().entry(document.clone()).or_default().push(word.clone());
        let answer = call(address, key, "POST", "/v1/documents", Some(&body));
        let mut known = known.lock().unwrap();
        match answer {
            Ok((200 | 201, _)) => {
                known.insert(document, vec![word]);
                // Whoever counts has counted enough when nobody listens.
                let _ = acknowledge.try_send(());
            }
            Ok((status, answer)) => panic!("{status}: {answer}"),
            Err(_) => {
                // Without an earlier version the document may be there or not: nothing is promised.
                if known[&document].len() == 1 {
                    known.remove(&document);
                }
                return;
            }
        }
    }
}

/// The same numbers in every run (Marsaglia's xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}
