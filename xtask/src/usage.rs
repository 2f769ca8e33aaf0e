//! Whether the `mainstay` commands that the documents show can be typed: the verb exists and knows the options.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::process::output_of;
use crate::tidy::shell_commands_of;

/// Asks the binary about every command of README.md and `docs/`.
pub(crate) fn check(root: &Path, binary: &Path) -> anyhow::Result<()> {
    let mut problems = Vec::new();
    let mut count = 0;
    for document in documents(root)? {
        let text = std::fs::read_to_string(&document)
            .with_context(|| format!("cannot read {}", document.display()))?;
        for (line, command) in shell_commands_of(&text) {
            let Some(words) = arguments_of_mainstay(&command) else { continue };
            count += 1;
            if let Some(problem) = problem_with(binary, &words)? {
                let document = document.strip_prefix(root).unwrap_or(&document);
                problems.push(format!(
                    "{}:{line}: `mainstay {}`: {problem}",
                    document.display(),
                    words.join(" ")
                ));
            }
        }
    }
    println!("{count} commands in the documents");
    if !problems.is_empty() {
        bail!("{}", problems.join("\n"));
    }
    Ok(())
}

fn documents(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut documents = vec![root.join("README.md")];
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        let entries =
            std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                documents.push(path);
            }
        }
    }
    documents.sort();
    Ok(documents)
}

/// What follows the name of the program, in a command that starts it; the rest of a pipeline is left out.
fn arguments_of_mainstay(command: &str) -> Option<Vec<&str>> {
    let command = command.split([';', '|', '>', '<', '&', '#']).next().unwrap_or_default();
    let words: Vec<_> = command.split_whitespace().skip_while(|word| word.contains('=')).collect();
    let first = *words.first()?;
    if first == "mainstay" || first.ends_with("/mainstay") {
        return Some(words[1..].to_vec());
    }
    let separator = words.iter().position(|word| *word == "--")?;
    let starts_the_product = words.starts_with(&["cargo", "run"])
        && !words[..separator]
            .windows(2)
            .any(|pair| matches!(pair[0], "-p" | "--package" | "--bin") && pair[1] != "mainstay");
    starts_the_product.then(|| words[separator + 1..].to_vec())
}

/// Why this cannot be typed; `None` when it can.
fn problem_with(binary: &Path, words: &[&str]) -> anyhow::Result<Option<String>> {
    let mut verb: Vec<&str> = Vec::new();
    let mut help = help_of(binary, &verb)?;
    for word in words.iter().take_while(|word| !word.starts_with('-')) {
        let has_verbs = help.contains("\nCommands:");
        if !has_verbs {
            break;
        }
        verb.push(word);
        match help_of(binary, &verb) {
            Ok(text) => help = text,
            Err(_) => return Ok(Some(format!("there is no `{}`", verb.join(" ")))),
        }
    }
    let known = |option: &str| {
        let option = option.split('=').next().unwrap_or_default();
        let mut words =
            help.split(|character: char| character.is_whitespace() || ",[]<>=".contains(character));
        words.any(|word| word == option)
    };
    let options = words
        .iter()
        .filter(|word| word.starts_with('-') && word.len() > 1 && !matches!(**word, "--help" | "--version"));
    let unknown = options.copied().find(|option| !known(option));
    Ok(unknown.map(|option| format!("`{}` does not know {option}", verb.join(" "))))
}

fn help_of(binary: &Path, verb: &[&str]) -> anyhow::Result<String> {
    output_of(Command::new(binary).args(verb).arg("--help"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_product_is_recognised_however_it_is_started() {
        for command in [
            "mainstay up --json",
            "KEY=x ./target/release/mainstay up --json",
            "cargo run --release -- up --json",
        ] {
            assert_eq!(arguments_of_mainstay(command), Some(vec!["up", "--json"]), "{command}");
        }
    }

    #[test]
    fn other_programs_are_left_alone() {
        for command in [
            "curl http://127.0.0.1/mainstay",
            "cargo run -p mainstay-bench -- gateway",
            "cargo xtask test",
            "cd mainstay",
        ] {
            assert_eq!(arguments_of_mainstay(command), None, "{command}");
        }
    }

    #[test]
    fn the_rest_of_a_pipeline_is_not_ours() {
        assert_eq!(
            arguments_of_mainstay("mainstay search tea --json | jq .results"),
            Some(vec!["search", "tea", "--json"])
        );
    }
}
