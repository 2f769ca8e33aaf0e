//! What the documents say about the workspace is true: files exist, links lead somewhere, commands can be run, the map of
//! crates is complete.

use std::collections::HashSet;

use super::{File, Finding};
use crate::workspace::Member;

/// Documents that every checkout has.
const REQUIRED: &[&str] = &[
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "NOTICE",
    "README.md",
];

/// Checks all documents.
pub(super) fn check(members: &[Member], files: &[File], chores: &[String]) -> Vec<Finding> {
    let paths: HashSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let missing = REQUIRED.iter().filter(|required| !paths.contains(*required));
    let mut findings: Vec<_> = missing.map(|path| Finding::new(*path, 1, "is missing: write it")).collect();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        findings.extend(check_links(file, &paths));
        for (line, command) in shell_commands(file) {
            let problem = check_command(&command, members, &paths, chores);
            findings.extend(problem.map(|message| Finding::new(&file.path, line, message)));
        }
    }
    if let Some(map) = files.iter().find(|file| file.path == "ARCHITECTURE.md") {
        findings.extend(check_map(map, members));
    }
    findings
}

/// ARCHITECTURE.md names every crate by its folder, in backquotes.
fn check_map(map: &File, members: &[Member]) -> Vec<Finding> {
    let text = map.text.as_deref().unwrap_or_default();
    let crates = members.iter().filter_map(|member| member.folder.strip_prefix("crates/"));
    let missing = crates
        .filter(|name| !text.contains(&format!("`{name}`")) && !text.contains(&format!("`crates/{name}`")));
    missing
        .map(|name| {
            Finding::new(
                &map.path,
                1,
                format!("does not list the crate `{name}`: add it to the map of crates"),
            )
        })
        .collect()
}

/// Relative links lead to files of the repository.
fn check_links(file: &File, paths: &HashSet<&str>) -> Vec<Finding> {
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut findings = Vec::new();
    for (line, text) in prose(file) {
        for (start, _) in text.match_indices("](") {
            let target = text[start + 2..].split([')', '#', ' ']).next().unwrap_or_default();
            if target.is_empty() || target.contains(':') || target.starts_with('/') {
                continue;
            }
            let path = resolve(folder, target);
            let is_folder = paths.iter().any(|other| other.starts_with(&format!("{path}/")));
            if !paths.contains(path.as_str()) && !is_folder {
                findings.push(Finding::new(
                    &file.path,
                    line,
                    format!("links to `{target}`, which does not exist"),
                ));
            }
        }
    }
    findings
}

/// The lines outside code blocks.
fn prose(file: &File) -> impl Iterator<Item = (usize, &str)> {
    let mut in_block = false;
    file.lines().filter(move |(_, text)| {
        let fence = text.trim_start().starts_with("```");
        in_block ^= fence;
        !in_block && !fence
    })
}

/// A relative path as seen from the root.
fn resolve(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.trim_end_matches('/').split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The lines of a document's code blocks that may be commands (blocks of a shell, or of no language), each with its line
/// number, continued lines joined.
pub(crate) fn shell_commands_of(text: &str) -> Vec<(usize, String)> {
    let mut commands: Vec<(usize, String)> = Vec::new();
    let mut in_shell = None;
    let mut continued = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(language) = line.strip_prefix("```") {
            in_shell = match in_shell {
                Some(_) => None,
                None => Some(matches!(language.trim(), "" | "sh" | "bash" | "console" | "shell")),
            };
            continue;
        }
        if in_shell != Some(true) || line.is_empty() || line.starts_with('#') {
            continue;
        }
        let text = line.strip_prefix("$ ").unwrap_or(line);
        match commands.last_mut() {
            Some((_, command)) if continued => {
                *command = format!("{} {text}", command.trim_end_matches('\\'))
            }
            _ => commands.push((index + 1, text.to_owned())),
        }
        continued = text.ends_with('\\');
    }
    commands
}

fn shell_commands(file: &File) -> Vec<(usize, String)> {
    shell_commands_of(file.text.as_deref().unwrap_or_default())
}

fn check_command(
    command: &str,
    members: &[Member],
    paths: &HashSet<&str>,
    chores: &[String],
) -> Option<String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    match words.as_slice() {
        ["cargo", "xtask", chore, ..] if !chores.iter().any(|known| known == chore) => {
            Some(format!("`cargo xtask {chore}` does not exist; there are: {}", chores.join(", ")))
        }
        ["cargo", rest @ ..] => {
            let before_arguments = rest.split(|word| *word == "--").next().unwrap_or_default();
            let package = before_arguments.windows(2).find(|pair| matches!(pair[0], "-p" | "--package"))?[1];
            let exists = members.iter().any(|member| member.name == package);
            (!exists).then(|| format!("there is no package `{package}` in this workspace"))
        }
        ["bash" | "sh", script, ..]
            if !script.starts_with('-') && !paths.contains(script.trim_start_matches("./")) =>
        {
            Some(format!("there is no `{script}` in this repository"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str) -> Member {
        Member {
            name: format!("mainstay-{name}"),
            folder: format!("crates/{name}"),
            layer: None,
            dependencies: Vec::new(),
            manifest: String::new(),
        }
    }

    fn messages(path: &str, text: &str) -> Vec<String> {
        let mut files: Vec<_> = REQUIRED
            .iter()
            .map(|path| File { path: (*path).to_owned(), text: Some("`store`".to_owned()) })
            .collect();
        files.push(File { path: path.to_owned(), text: Some(text.to_owned()) });
        files.push(File { path: "docs/known.md".to_owned(), text: Some(String::new()) });
        files.retain(|file| file.path != path || file.text.as_deref() == Some(text));
        check(&[member("store")], &files, &["test".to_owned()]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_missing_document_is_found() {
        assert_eq!(check(&[], &[], &[]).len(), REQUIRED.len());
    }

    #[test]
    fn the_map_lists_every_crate() {
        assert_eq!(messages("ARCHITECTURE.md", "`store` keeps documents"), [""; 0]);
        assert!(messages("ARCHITECTURE.md", "nothing")[0].contains("the crate `store`"));
    }

    #[test]
    fn links_lead_to_files() {
        assert_eq!(
            messages("docs/a.md", "[k](known.md#part), [up](../NOTICE), [out](https://example.com)"),
            [""; 0]
        );
        assert_eq!(
            messages("docs/a.md", "\n[gone](lost.md)"),
            ["docs/a.md:2: links to `lost.md`, which does not exist"]
        );
        assert_eq!(messages("docs/a.md", "```rust\nlet x = a[0](b);\n```"), [""; 0]);
    }

    #[test]
    fn commands_exist() {
        assert_eq!(
            messages("a.md", "```sh\n$ cargo xtask test --e2e\ncargo run -p mainstay-store\n```"),
            [""; 0]
        );
        assert!(
            messages("a.md", "```sh\ncargo xtask tset\n```")[0].starts_with("a.md:2: `cargo xtask tset`")
        );
        assert_eq!(messages("a.md", "```sh\ncargo test \\\n  -p mainstay-stoer\n```").len(), 1);
        assert_eq!(messages("a.md", "```toml\ncargo xtask tset\n```"), [""; 0]);
    }
}
