//! Files that a verb writes.

use std::fs::Permissions;
use std::io::Write as _;
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
