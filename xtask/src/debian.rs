//! Packages of Debian that are unpacked and not installed: an installed Prometheus, say, starts to serve.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::process::run as run_program;

/// Unpacks a package into a folder.
pub(crate) fn unpack(package: &str, folder: &Path) -> anyhow::Result<()> {
    let download = tempfile::tempdir().context("cannot create a temporary folder")?;
    let fetch =
        || run_program(Command::new("apt-get").current_dir(&download).args(["download", "-qq", package]));
    // The lists of a machine may be older than the archive.
    if fetch().is_err() {
        run_program(Command::new("apt-get").args(["update", "-qq"]))?;
        fetch()?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for archive in files_in(download.path())? {
        run_program(Command::new("dpkg").arg("-x").arg(archive).arg(folder))?;
    }
    Ok(())
}

/// What is in a folder, sorted; nothing where there is none.
pub(crate) fn files_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}
