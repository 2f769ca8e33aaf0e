//! What a fuzzer found once stays mended: every kept input goes through its target, and so does every seed.

use std::collections::BTreeMap;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use mainstay_fuzz::TARGETS;

/// The files of `corpus/` or `regressions/`, by target.
fn inputs(kind: &str) -> BTreeMap<String, Vec<PathBuf>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(kind);
    let entries = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        entries.map(|entry| entry.expect("an entry").path()).collect()
    };
    let folders = entries(&root).into_iter().filter(|path| path.is_dir());
    folders
        .map(|folder| {
            let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
            (name, entries(&folder))
        })
        .collect()
}

#[track_caller]
fn replay(kind: &str) {
    let mut inputs = inputs(kind);
    let mut broken = Vec::new();
    for target in TARGETS {
        for file in inputs.remove(target.name).unwrap_or_default() {
            let data = fs::read(&file).expect("an input");
            if catch_unwind(|| (target.check)(&data)).is_err() {
                broken.push(file);
            }
        }
    }
    assert!(broken.is_empty(), "a promise is broken, see the panics above: {broken:#?}");
    assert!(inputs.is_empty(), "no target has these names: {:?}", inputs.keys());
}

#[test]
fn what_was_found_once_stays_mended() {
    replay("regressions");
}

#[test]
fn every_seed_keeps_the_promises() {
    replay("corpus");
}

#[test]
fn every_target_has_seeds_its_dictionary_and_a_name_of_its_own() {
    let seeds = inputs("corpus");
    for target in TARGETS {
        assert!(seeds.get(target.name).is_some_and(|files| !files.is_empty()), "{}", target.name);
        let dictionary = target.dictionary.map(|name| format!("{name}.dict"));
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dictionaries");
        assert!(dictionary.is_none_or(|name| folder.join(name).is_file()), "{}", target.name);
    }
    assert!(TARGETS.is_sorted_by(|one, other| one.name < other.name), "in the order of their names");
}
