//! `ls crates` is the table of contents: flat folders, one package each, named after its folder, under the common lints.

use super::{File, Finding};
use crate::workspace::Member;

/// Packages that stand outside `crates/`: their folder and their name.
const OUTSIDE: &[(&str, &str)] =
    &[("xtask", "xtask"), ("bench", "mainstay-bench"), ("fuzz", "mainstay-fuzz")];

/// Packages that are workspaces of their own, because nothing else may be built as they are.
const APART: &[&str] = &["fuzz/libfuzzer/Cargo.toml"];

/// What every package takes from the workspace.
const INHERITED: &[&str] = &["version", "edition", "rust-version", "license", "publish"];

/// Checks the manifest of every crate.
pub(super) fn check(members: &[Member], files: &[File]) -> Vec<Finding> {
    let mut findings: Vec<_> = members.iter().flat_map(check_member).collect();
    for file in files {
        let is_manifest = file.path.rsplit('/').next() == Some("Cargo.toml") && file.path != "Cargo.toml";
        let is_apart = APART.contains(&file.path.as_str());
        if is_manifest && !is_apart && !members.iter().any(|member| member.manifest_path() == file.path) {
            findings.push(Finding::new(
                &file.path,
                1,
                "is not a member of the workspace: move it to `crates/<name>`",
            ));
        }
    }
    findings
}

fn check_member(member: &Member) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut finding = |line_beginning: &str, message: String| {
        findings.push(Finding::new(member.manifest_path(), member.line_of(line_beginning), message));
    };
    match expected_name(&member.folder) {
        Some(expected) if expected != member.name => {
            finding("name", format!("the package in `{}` must be named `{expected}`", member.folder));
        }
        Some(_) => {}
        None => finding("name", "crates stand flat in `crates/`: move the folder there".to_owned()),
    }
    let manifest: toml::Table = match member.manifest.parse() {
        Ok(manifest) => manifest,
        Err(error) => {
            finding("", format!("is not valid TOML: {}", error.message()));
            return findings;
        }
    };
    let from_workspace =
        |table: Option<&toml::Value>| table.and_then(|table| table.get("workspace")?.as_bool()) == Some(true);
    if !from_workspace(manifest.get("lints")) {
        finding("[lints", "add `[lints]` with `workspace = true`".to_owned());
    }
    let package = manifest.get("package");
    for key in INHERITED {
        if !from_workspace(package.and_then(|package| package.get(key))) {
            finding(key, format!("write `{key}.workspace = true`"));
        }
    }
    if package.and_then(|package| package.get("description")).is_none() {
        finding("[package]", "add a `description`: one line that says what the crate is for".to_owned());
    }
    for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let dependencies = manifest.get(table).and_then(toml::Value::as_table);
        for (name, dependency) in dependencies.into_iter().flatten() {
            if !from_workspace(Some(dependency)) {
                finding(
                    name,
                    format!(
                        "write `{name} = {{ workspace = true }}` and the version once in the root Cargo.toml"
                    ),
                );
            }
        }
    }
    findings
}

/// The name that a package in this folder must have; `None` when no package may be there.
fn expected_name(folder: &str) -> Option<String> {
    if let Some((_, name)) = OUTSIDE.iter().find(|(outside, _)| *outside == folder) {
        return Some((*name).to_owned());
    }
    match folder.strip_prefix("crates/")? {
        nested if nested.contains('/') => None,
        // The binary is what users start: it has the product's own name.
        "mainstay" => Some("mainstay".to_owned()),
        name => Some(format!("mainstay-{name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname = \"x\"\ndescription = \"d\"\nversion.workspace = true\n\
        edition.workspace = true\nrust-version.workspace = true\nlicense.workspace = true\npublish.workspace = true\n\
        [lints]\nworkspace = true\n[dependencies]\nserde = { workspace = true }\n";

    fn messages(folder: &str, name: &str, manifest: &str) -> Vec<String> {
        let member = Member {
            name: name.to_owned(),
            folder: folder.to_owned(),
            layer: None,
            dependencies: Vec::new(),
            manifest: manifest.to_owned(),
        };
        check(&[member], &[]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_package_is_named_after_its_folder() {
        assert_eq!(messages("crates/store", "mainstay-store", GOOD), [""; 0]);
        assert_eq!(messages("crates/mainstay", "mainstay", GOOD), [""; 0]);
        assert_eq!(messages("bench", "mainstay-bench", GOOD), [""; 0]);
        assert_eq!(
            messages("crates/store", "storage", GOOD),
            ["crates/store/Cargo.toml:2: the package in `crates/store` must be named `mainstay-store`"]
        );
    }

    #[test]
    fn crates_stand_flat() {
        assert!(messages("crates/store/remote", "mainstay-remote", GOOD)[0].contains("flat"));
        assert!(messages("tools/store", "mainstay-store", GOOD)[0].contains("flat"));
    }

    #[test]
    fn lints_and_versions_come_from_the_workspace() {
        let own_lints = GOOD.replace("[lints]\nworkspace = true", "[lints.clippy]\nall = \"allow\"");
        assert!(messages("crates/a", "mainstay-a", &own_lints)[0].contains("`[lints]`"));
        let own_version = GOOD.replace("serde = { workspace = true }", "serde = \"1\"");
        assert!(
            messages("crates/a", "mainstay-a", &own_version)[0]
                .starts_with("crates/a/Cargo.toml:12: write `serde")
        );
    }

    #[test]
    fn a_manifest_outside_the_workspace_is_found() {
        let stray = File { path: "tools/x/Cargo.toml".to_owned(), text: None };
        assert_eq!(check(&[], &[stray]).len(), 1);
    }
}
