//! What must not stand in a file: unfinished work, silenced tests and lints without a reason, and anything of the machine
//! that it was written on.

use std::path::Path;

use super::{File, Finding};

/// Marks of unfinished work. Written in two parts, so that this file does not find itself.
const UNFINISHED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("dbg", "!("),
];

/// The function that reads a body whole.
const READS_A_BODY: &str = concat!("to_", "bytes(");

/// Files that people write, by the end of their name. Data, locks and snapshots are read for machine paths only.
const WRITTEN: &[&str] =
    &[".rs", ".toml", ".md", ".py", ".mjs", ".sh", ".yml", ".yaml", ".html", ".css", ".js", "run"];

/// Ends of type and file names that say nothing about what the thing is.
const VAGUE_TYPE_ENDS: &[&str] = &["Manager", "Helper", "Helpers", "Util", "Utils"];
const VAGUE_FILES: &[&str] = &["util", "utils", "helper", "helpers", "common", "misc", "manager"];

/// Checks every file.
pub(super) fn check(files: &[File], machine: &MachinePaths) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        findings.extend(check_name(file));
        findings.extend(check_registry(file));
        findings.extend(machine.find(file));
        if WRITTEN.iter().any(|end| file.path.ends_with(end)) {
            findings.extend(check_unfinished(file));
        }
        if file.path.ends_with(".rs") {
            findings.extend(check_rust(file));
        }
    }
    findings
}

fn check_unfinished(file: &File) -> Vec<Finding> {
    let marks = file.lines().filter_map(|(line, text)| {
        let mark = UNFINISHED.iter().find(|mark| has_word(text, mark))?;
        Some(Finding::new(
            &file.path,
            line,
            format!("`{mark}`: finish it, or leave it out and write an issue that says what is missing"),
        ))
    });
    marks.collect()
}

fn check_rust(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut finding = |line, message: String| findings.push(Finding::new(&file.path, line, message));
    for (line, text) in file.lines() {
        let code = text.trim_start();
        if code == concat!("#[", "ignore]") {
            finding(line, "an ignored test says why: `#[ignore = \"…\"]`, or is deleted".to_owned());
        }
        if code.contains(READS_A_BODY) && code.contains("usize::MAX") {
            finding(
                line,
                "a body is read with a limit: give the number of bytes that this body may have".to_owned(),
            );
        }
        if let Some(name) = declared_type(code)
            && let Some(end) = VAGUE_TYPE_ENDS.iter().find(|end| name.ends_with(**end))
        {
            finding(
                line,
                format!("`{name}`: `{end}` says nothing; name the type after what it is in the domain"),
            );
        }
    }
    findings.extend(check_exceptions(file));
    findings
}

/// An exception from a lint is an `expect`, which ends when it is no longer needed, and says why.
fn check_exceptions(file: &File) -> Vec<Finding> {
    let text = file.text.as_deref().unwrap_or_default();
    let mut findings = Vec::new();
    for opening in ["[allow(", "[expect("] {
        for (start, _) in text.match_indices(opening) {
            let is_attribute = text[..start].ends_with('#') || text[..start].ends_with("#!");
            let attribute = text[start..].split(")]").next().unwrap_or_default();
            if is_attribute && !attribute.contains("reason = ") {
                let line = text[..start].matches('\n').count() + 1;
                let message = "an exception from a lint says why: `#[expect(…, reason = \"…\")]`";
                findings.push(Finding::new(&file.path, line, message));
            }
        }
    }
    findings
}

/// The name of the type that this line declares.
fn declared_type(code: &str) -> Option<&str> {
    let mut words = code.split(|character: char| !character.is_alphanumeric() && character != '_');
    words.by_ref().find(|word| matches!(*word, "struct" | "enum" | "trait" | "type"))?;
    let public = code.starts_with("pub");
    let first = code.split_whitespace().next()?;
    let begins_a_declaration = public || matches!(first, "struct" | "enum" | "trait" | "type");
    words.next().filter(|name| begins_a_declaration && !name.is_empty())
}

fn check_name(file: &File) -> Option<Finding> {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    if let Some(stem) = name.strip_suffix(".rs") {
        if VAGUE_FILES.contains(&stem) {
            let message = format!("`{stem}` names no subject: name the file after what it is about");
            return Some(Finding::new(&file.path, 1, message));
        }
        // A program is called by its file's name.
        let separator = if file.path.contains("/src/bin/") { '-' } else { '_' };
        let well_named = stem
            .chars()
            .all(|character| matches!(character, 'a'..='z' | '0'..='9') || character == separator);
        return (!well_named)
            .then(|| Finding::new(&file.path, 1, "name modules in snake_case and programs in kebab-case"));
    }
    let in_documents = file.path.starts_with("docs/") && name != "README.md";
    let kebab = name.chars().all(|character| matches!(character, 'a'..='z' | '0'..='9' | '-' | '.'));
    (in_documents && !kebab).then(|| Finding::new(&file.path, 1, "name documents in kebab-case"))
}

/// Packages come from the public registries and from nowhere else, on every machine.
fn check_registry(file: &File) -> Vec<Finding> {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    let foreign = |line: &str| match name {
        "Cargo.lock" => {
            line.starts_with("source = ")
                && !line.contains("\"registry+https://github.com/rust-lang/crates.io-index\"")
        }
        "package-lock.json" => {
            line.contains("\"resolved\":") && !line.contains("\"https://registry.npmjs.org/")
        }
        "requirements.txt" => line.starts_with("--") || line.contains("://"),
        "config.toml" => line.starts_with("[source") || line.starts_with("[registr"),
        ".npmrc" | "pip.conf" => true,
        _ => false,
    };
    let found = file.lines().filter(|(_, line)| foreign(line.trim_start()));
    let message =
        "takes packages from somewhere else than the public registry: such settings belong to the machine";
    found.map(|(line, _)| Finding::new(&file.path, line, message)).collect()
}

/// Folders of the machine at hand, and the places where machines keep home folders.
pub(super) struct MachinePaths {
    folders: Vec<String>,
}

impl MachinePaths {
    /// The checkout at `root`, the folder above it, and the usual homes. The folder above is left out when it is one
    /// that every machine has.
    pub(super) fn of(root: &Path) -> Self {
        let mut folders: Vec<_> = ["home", "root", "Users"].iter().map(|home| format!("/{home}/")).collect();
        let shared = [
            Path::new("/"),
            Path::new("/tmp"),
            Path::new("/var/tmp"),
            Path::new("/usr/src"),
            Path::new("/srv"),
        ];
        let own = std::iter::once(root).chain(root.parent());
        folders.extend(
            own.filter(|folder| !shared.contains(folder)).map(|folder| format!("{}/", folder.display())),
        );
        Self { folders }
    }

    fn find(&self, file: &File) -> Vec<Finding> {
        let found = file.lines().filter_map(|(line, text)| {
            let folder = self.folders.iter().find(|folder| is_mentioned(text, folder))?;
            let message =
                format!("`{folder}` is a folder of one machine: use a path relative to the checkout");
            Some(Finding::new(&file.path, line, message))
        });
        found.collect()
    }
}

/// Whether the absolute path stands in the text, and not merely the end of a longer one.
fn is_mentioned(text: &str, folder: &str) -> bool {
    text.match_indices(folder).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        !before.is_some_and(|character| character.is_alphanumeric() || "._-~/<>}*".contains(character))
    })
}

fn has_word(text: &str, word: &str) -> bool {
    let continues =
        |character: Option<char>| character.is_some_and(|one| one.is_alphanumeric() || one == '_');
    text.match_indices(word).any(|(start, _)| {
        let after = if word.ends_with('(') { None } else { text[start + word.len()..].chars().next() };
        !continues(text[..start].chars().next_back()) && !continues(after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        let file = File { path: path.to_owned(), text: Some(text.to_owned()) };
        let machine = MachinePaths { folders: vec!["/builder/checkout/".to_owned()] };
        check(&[file], &machine).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn unfinished_work_is_found_with_its_line() {
        let text = format!("fn a() {{\n    {}\n}}\n", UNFINISHED[2]);
        assert!(messages("a.rs", &text)[0].starts_with("a.rs:2: "), "{:?}", messages("a.rs", &text));
        let note = format!("# {}: write this\n", UNFINISHED[0]);
        assert_eq!(messages("docs/a.md", &note).len(), 1);
    }

    #[test]
    fn a_longer_word_is_no_mark() {
        assert_eq!(messages("a.rs", concat!("const MASTO", "DON: u8 = 1;")), [""; 0]);
    }

    #[test]
    fn exceptions_and_ignored_tests_say_why() {
        assert_eq!(messages("a.rs", concat!("#[", "ignore]\nfn a() {}")).len(), 1);
        assert_eq!(messages("a.rs", "#[ignore = \"needs a display\"]\nfn a() {}"), [""; 0]);
        assert_eq!(messages("a.rs", concat!("#", "[allow(dead_code)]\nfn a() {}")).len(), 1);
        assert_eq!(
            messages("a.rs", "#[expect(\n    dead_code,\n    reason = \"read by serde\",\n)]\nfn a() {}"),
            [""; 0]
        );
    }

    #[test]
    fn types_and_files_are_named_after_their_subject() {
        assert!(messages("a.rs", "pub(crate) struct CacheManager<T> {").len() == 1);
        assert_eq!(messages("a.rs", "pub struct Cache;"), [""; 0]);
        assert_eq!(messages("crates/a/src/utils.rs", "").len(), 1);
        assert_eq!(messages("crates/a/src/requestPath.rs", "").len(), 1);
        assert_eq!(messages("crates/a/src/bin/stand-in.rs", ""), [""; 0]);
        assert_eq!(messages("docs/Bench Marks.md", "").len(), 1);
        assert_eq!(messages("docs/decisions/README.md", ""), [""; 0]);
    }

    #[test]
    fn a_path_of_the_machine_is_found_but_not_the_end_of_another() {
        assert_eq!(messages("a.md", "see `/builder/checkout/notes.md`").len(), 1);
        assert_eq!(messages("a.md", "see crates/builder/checkout/notes.md"), [""; 0]);
        assert_eq!(messages("a.md", "see https://example.com/builder/checkout/notes.md"), [""; 0]);
    }

    #[test]
    fn packages_come_from_the_public_registries() {
        assert_eq!(messages("Cargo.lock", "source = \"registry+https://packages.example/index\"").len(), 1);
        assert_eq!(
            messages("Cargo.lock", "source = \"registry+https://github.com/rust-lang/crates.io-index\""),
            [""; 0]
        );
        assert_eq!(
            messages("tests/requirements.txt", "--index-url https://packages.example/simple").len(),
            1
        );
    }

    #[test]
    fn a_body_is_read_with_a_limit() {
        let read =
            |limit: &str| messages("a.rs", &format!("let body = {READS_A_BODY}body, {limit}).await?;"));
        assert_eq!(read("usize::MAX").len(), 1);
        assert_eq!(read("1024"), [""; 0]);
    }
}
