//! The numbering of writes.
//!
//! Qdrant numbers every write with its position in a log, and ignores a write whose number is lower than what a point
//! already carries. In the embedded edition the log is written but never read back and never cut: it would grow without
//! end, take ever longer to open, and a log that lost its tail in a power cut would number new writes too low, so that
//! they were silently ignored. Nothing in it is needed, as the relational store resends what was not flushed. So each
//! opening starts an empty log, far above every number that was ever used.

use std::io;
use std::path::Path;

use super::files::{sync_folder, write_synced};

/// The log's folder, by qdrant's name for it.
const LOG: &str = "wal";
/// The new log, until it takes the place of the old one.
const NEXT_LOG: &str = "wal-next";
/// More writes than there can be between two flushes.
const MARGIN: u64 = 1 << 32;
/// A log file without entries: qdrant's magic, the version of the format, and a seed for checksums.
const EMPTY_LOG_FILE: [u8; 8] = *b"wal\0\x4d\x61\x69\x6e";

/// Replaces the log of a closed shard by an empty one that numbers on above everything used before.
pub(super) fn renew(shard: &Path) -> io::Result<()> {
    let (log, next) = (shard.join(LOG), shard.join(NEXT_LOG));
    let used = highest_segment_version(&shard.join("segments"))?
        .max(highest_start(&log)?)
        .max(highest_start(&next)?);
    let start = used.saturating_add(MARGIN);

    remove_folder(&next)?;
    std::fs::create_dir(&next)?;
    write_synced(&next.join(format!("closed-{start}")), &EMPTY_LOG_FILE)?;
    sync_folder(&next)?;
    remove_folder(&log)?;
    std::fs::rename(&next, &log)?;
    sync_folder(shard)
}

/// The log's size in bytes.
pub(super) fn size(shard: &Path) -> u64 {
    super::files::size_on_disk(&shard.join(LOG))
}

/// The highest number in the segments' own records.
fn highest_segment_version(segments: &Path) -> io::Result<u64> {
    #[derive(serde::Deserialize)]
    struct State {
        version: Option<u64>,
    }
    let mut highest = 0;
    for segment in read_folder(segments)? {
        // A segment that was never finished has no state; qdrant removes it when it opens the shard.
        let Ok(state) = std::fs::read(segment?.path().join("segment.json")) else { continue };
        let state: State = serde_json::from_slice(&state)?;
        highest = highest.max(state.version.unwrap_or(0));
    }
    Ok(highest)
}

/// The highest number that a log's files begin at.
fn highest_start(log: &Path) -> io::Result<u64> {
    let mut highest = 0;
    for file in read_folder(log)? {
        let name = file?.file_name();
        let start = name.to_str().and_then(|name| name.strip_prefix("closed-")?.parse().ok());
        highest = highest.max(start.unwrap_or(0));
    }
    Ok(highest)
}

/// A folder's entries; none where there is no folder.
fn read_folder(folder: &Path) -> io::Result<impl Iterator<Item = io::Result<std::fs::DirEntry>>> {
    match std::fs::read_dir(folder) {
        Ok(entries) => Ok(Some(entries).into_iter().flatten()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None.into_iter().flatten()),
        Err(error) => Err(error),
    }
}

fn remove_folder(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
