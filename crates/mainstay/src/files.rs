//! Files: one that is replaced as a whole, and what those of a folder take.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::Context;

/// Replaces a file as a whole, or not at all: whoever reads it meanwhile sees the old one or the new one.
pub(crate) fn replace_file(path: &Path, text: &str, permissions: Permissions) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = || format!("{} cannot be written", path.display());
    let mut new = tempfile::NamedTempFile::new_in(folder).with_context(failed)?;
    new.write_all(text.as_bytes()).with_context(failed)?;
    new.as_file().set_permissions(permissions).with_context(failed)?;
    new.persist(path).with_context(failed)?;
    Ok(())
}

/// What the files below a folder take on the disk; what cannot be read takes nothing.
pub(crate) fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
            // Files that are mostly holes have a size that they do not take.
            Ok(metadata) => metadata.blocks() * 512,
            Err(_) => 0,
        })
        .sum()
}
