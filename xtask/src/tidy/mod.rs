//! `cargo xtask tidy`: the rules of this workspace that rustc and clippy cannot check. Every finding says where it is and
//! what to do about it.

mod documents;
mod layers;
mod licences;
mod manifests;
mod sources;

use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

use crate::process::output_of;
use crate::workspace::Workspace;

pub(crate) use documents::shell_commands_of;

/// Checks the workspace and prints what is wrong; fails when anything is.
pub(crate) fn run(workspace: &Workspace, chores: &[String]) -> anyhow::Result<()> {
    let files = repository_files(&workspace.root)?;
    let mut findings = Vec::new();
    findings.extend(layers::check(&workspace.members));
    findings.extend(manifests::check(&workspace.members, &files));
    findings.extend(licences::check(workspace)?);
    findings.extend(sources::check(&files, &sources::MachinePaths::of(&workspace.root)));
    findings.extend(documents::check(&workspace.members, &files, chores));
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("tidy: {} crates and {} files, nothing wrong", workspace.members.len(), files.len());
            Ok(())
        }
        1 => bail!("tidy found 1 thing to mend"),
        count => bail!("tidy found {count} things to mend"),
    }
}

/// Something that breaks a rule.
#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Finding {
    /// The file, relative to the root.
    path: String,
    /// The line in it, from 1.
    line: usize,
    /// What is wrong and what to do.
    message: String,
}

impl Finding {
    fn new(path: impl Into<String>, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.into(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// A file of the repository: tracked, or new and not ignored.
struct File {
    /// Relative to the root, with `/` between the parts.
    path: String,
    /// Its text; `None` when it is not UTF-8.
    text: Option<String>,
}

impl File {
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.as_deref().unwrap_or_default().lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

fn repository_files(root: &Path) -> anyhow::Result<Vec<File>> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let listing = output_of(&mut git)?;
    let mut paths: Vec<_> = listing.split_terminator('\0').collect();
    paths.sort_unstable();
    paths.dedup();
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        match std::fs::read(root.join(path)) {
            Ok(bytes) => files.push(File { path: path.to_owned(), text: String::from_utf8(bytes).ok() }),
            // Deleted in the working tree and not yet in the index.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot read {path}")),
        }
    }
    Ok(files)
}
