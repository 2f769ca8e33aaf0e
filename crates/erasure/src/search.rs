//! Searching a data folder for bytes that should not be in it any more.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;

use crate::plan;

/// What was found, and how much was searched.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Searched {
    /// Files.
    pub(crate) files: u64,
    /// Bytes.
    pub(crate) bytes: u64,
    /// Files in which a marker is, from the data folder on.
    pub(crate) found_in: Vec<PathBuf>,
}

/// Bytes that are read at once.
const BLOCK: usize = 1 << 20;

/// Searches every file of a folder for the markers, whatever kind it is.
pub(crate) fn search(folder: &Path, markers: &[String]) -> io::Result<Searched> {
    let mut searched = Searched::default();
    if markers.is_empty() {
        return Ok(searched);
    }
    let automaton = AhoCorasick::new(markers).map_err(io::Error::other)?;
    let overlap = markers.iter().map(String::len).max().unwrap_or(1) - 1;
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        for entry in fs::read_dir(&current)? {
            let path = entry?.path();
            if path.is_dir() {
                if path != folder.join(plan::FOLDER) {
                    folders.push(path);
                }
                continue;
            }
            // A file that has gone since is not left.
            let file = match File::open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                file => file?,
            };
            searched.files += 1;
            if contains(file, &automaton, overlap, &mut searched.bytes)? {
                searched.found_in.push(path.strip_prefix(folder).unwrap_or(&path).to_owned());
            }
        }
    }
    searched.found_in.sort();
    Ok(searched)
}

fn contains(mut file: File, automaton: &AhoCorasick, overlap: usize, bytes: &mut u64) -> io::Result<bool> {
    let mut block = vec![0; overlap + BLOCK];
    let mut kept = 0;
    loop {
        let read = file.read(&mut block[kept..])?;
        if read == 0 {
            return Ok(false);
        }
        *bytes += read as u64;
        let filled = kept + read;
        if automaton.is_match(&block[..filled]) {
            return Ok(true);
        }
        // What may be the beginning of a marker is looked at again, with what follows it.
        kept = overlap.min(filled);
        block.copy_within(filled - kept..filled, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_found_wherever_it_lies_and_only_where_it_does() {
        let folder = tempfile::tempdir().unwrap();
        let marker = "jane.doe@example.com".to_owned();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        for at in [0, BLOCK - 5, BLOCK + marker.len() - 2, 2 * BLOCK + 17] {
            let mut bytes = vec![7; 3 * BLOCK];
            bytes[at..at + marker.len()].copy_from_slice(marker.as_bytes());
            write("deep/er/hit", &bytes);
            let searched = search(folder.path(), std::slice::from_ref(&marker)).unwrap();
            assert_eq!(searched.found_in, [PathBuf::from("deep/er/hit")], "at {at}");
        }
        write("deep/er/hit", &vec![7; 3 * BLOCK]);
        write("erasing/plan.json", marker.as_bytes());
        let searched = search(folder.path(), &[marker]).unwrap();
        assert_eq!((searched.found_in.len(), searched.files, searched.bytes), (0, 1, 3 << 20));
    }
}
