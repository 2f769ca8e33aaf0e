//! The licences and bans of `deny.toml`, checked against everything that cargo resolves.
//!
//! `deny.toml` is a configuration of cargo-deny. These two checks of it run here, so that they need nothing but cargo and
//! run for every change; the advisories need cargo-deny itself and the network (`cargo deny check advisories`).

use std::collections::HashMap;

use anyhow::Context;
use serde::Deserialize;

use super::Finding;
use crate::workspace::{Workspace, cargo_metadata};

/// Checks every package that the product, its tests or its tools are built from.
pub(super) fn check(workspace: &Workspace) -> anyhow::Result<Vec<Finding>> {
    let text = std::fs::read_to_string(workspace.root.join("deny.toml")).context("cannot read deny.toml")?;
    let policy: Policy = toml::from_str(&text).context("cannot read deny.toml")?;
    let mut arguments = vec!["--locked"];
    for target in &policy.graph.targets {
        arguments.extend(["--filter-platform", target]);
    }
    let resolved: Resolved = cargo_metadata(&workspace.root, &arguments)?;
    let lock =
        std::fs::read_to_string(workspace.root.join("Cargo.lock")).context("cannot read Cargo.lock")?;
    Ok(policy.check(&resolved, &lock))
}

/// What `deny.toml` says, as far as it is checked here.
#[derive(Deserialize)]
struct Policy {
    graph: Graph,
    licenses: Licences,
    bans: Bans,
}

#[derive(Deserialize)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Deserialize)]
struct Licences {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

/// What `cargo metadata` resolves for the targets.
#[derive(Deserialize)]
struct Resolved {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    /// Where it was taken from; ours have none.
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    dependencies: Vec<String>,
}

impl Policy {
    fn check(&self, resolved: &Resolved, lock: &str) -> Vec<Finding> {
        let packages: HashMap<_, _> =
            resolved.packages.iter().map(|package| (&package.id, package)).collect();
        let mut findings = Vec::new();
        for node in &resolved.resolve.nodes {
            let Some(package) = packages.get(&node.id) else { continue };
            let entry = format!("name = \"{}\"", package.name);
            let line = lock.lines().position(|line| line == entry).map_or(1, |index| index + 1);
            let mut finding = |message| findings.push(Finding::new("Cargo.lock", line, message));
            if package.source.is_some() {
                self.licences_against(package).map(&mut finding);
            }
            if let Some(ban) = self.bans.deny.iter().find(|ban| ban.name == package.name) {
                let parents =
                    resolved.resolve.nodes.iter().filter(|parent| parent.dependencies.contains(&node.id));
                let parents: Vec<_> = parents.filter_map(|parent| packages.get(&parent.id)).collect();
                let parents =
                    parents.iter().map(|parent| parent.name.as_str()).collect::<Vec<_>>().join(", ");
                let name = &package.name;
                finding(format!("`{name}` is banned by deny.toml ({}); it comes by {parents}", ban.reason));
            }
        }
        findings
    }

    fn licences_against(&self, package: &Package) -> Option<String> {
        let Package { name, version, .. } = package;
        let advice =
            "use another crate, or add the licence to deny.toml if it lets us ship under MIT OR Apache-2.0";
        let Some(expression) = &package.license else {
            return Some(format!("`{name}` {version} states no licence: {advice}"));
        };
        let Ok(parsed) = spdx::Expression::parse_mode(expression, spdx::ParseMode::LAX) else {
            return Some(format!(
                "`{name}` {version} has the licence `{expression}`, which is not SPDX: {advice}"
            ));
        };
        let exceptions = self.licenses.exceptions.iter().filter(|exception| exception.name == *name);
        let allowed: Vec<_> =
            self.licenses.allow.iter().chain(exceptions.flat_map(|exception| &exception.allow)).collect();
        let accepted =
            parsed.evaluate(|requirement| allowed.iter().any(|one| **one == requirement.to_string()));
        (!accepted)
            .then(|| format!("`{name}` {version} is under `{expression}`, which is not allowed: {advice}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_package(name: &str, license: Option<&str>) -> Vec<String> {
        let policy: Policy = toml::from_str(
            "[graph]\ntargets = []\n[licenses]\nallow = [\"MIT\", \"Apache-2.0\", \"Apache-2.0 WITH LLVM-exception\"]\n\
             exceptions = [{ crate = \"roots\", allow = [\"CDLA-Permissive-2.0\"] }]\n\
             [bans]\ndeny = [{ crate = \"openssl\", reason = \"one TLS stack\" }]\n",
        )
        .unwrap();
        let package = |id: &str, name: &str, license: Option<&str>| Package {
            id: id.to_owned(),
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            license: license.map(str::to_owned),
            source: Some("registry".to_owned()),
        };
        let node = |id: &str, dependencies: &[&str]| Node {
            id: id.to_owned(),
            dependencies: dependencies.iter().map(|&id| id.to_owned()).collect(),
        };
        let resolved = Resolved {
            packages: vec![package("1", "parent", Some("MIT")), package("2", name, license)],
            resolve: Resolve { nodes: vec![node("1", &["2"]), node("2", &[])] },
        };
        let lock = format!("[[package]]\nname = \"parent\"\n\n[[package]]\nname = \"{name}\"\n");
        policy.check(&resolved, &lock).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn one_allowed_side_of_a_choice_is_enough() {
        assert_eq!(check_package("a", Some("GPL-3.0-only OR MIT")), [""; 0]);
        assert_eq!(check_package("a", Some("MIT/Apache-2.0")), [""; 0]);
        assert_eq!(check_package("a", Some("Apache-2.0 WITH LLVM-exception")), [""; 0]);
    }

    #[test]
    fn all_parts_of_a_conjunction_must_be_allowed() {
        assert_eq!(check_package("a", Some("MIT AND GPL-3.0-only")).len(), 1);
    }

    #[test]
    fn an_unknown_or_missing_licence_is_found() {
        assert!(check_package("a", None)[0].starts_with("Cargo.lock:5: `a` 1.0.0 states no licence"));
        assert_eq!(check_package("a", Some("Do what you like")).len(), 1);
    }

    #[test]
    fn an_exception_holds_for_its_crate_only() {
        assert_eq!(check_package("roots", Some("CDLA-Permissive-2.0")), [""; 0]);
        assert_eq!(check_package("a", Some("CDLA-Permissive-2.0")).len(), 1);
    }

    #[test]
    fn a_banned_crate_is_found_with_who_brings_it() {
        let found = check_package("openssl", Some("MIT"));
        assert!(found[0].ends_with("banned by deny.toml (one TLS stack); it comes by parent"), "{found:?}");
    }
}
