//! Dependencies go strictly downward, and what belongs to one crate stays in it.

use super::Finding;
use crate::workspace::{Dependency, DependencyKind, Layer, Member};

/// External crates that only some of ours may depend on, and why.
const OWNERS: &[Ownership] = &[
    Ownership {
        dependency: "axum",
        owners: &["mainstay-server"],
        why: "`server` alone knows how the product is served over HTTP; give it domain types",
    },
    Ownership {
        dependency: "hyper-rustls",
        owners: &["mainstay-providers"],
        why: "one HTTP client: `providers` makes the connections to the outside",
    },
    Ownership {
        dependency: "metrics-exporter-prometheus",
        owners: &["mainstay-ops", "mainstay"],
        why: "the binary alone decides how metrics are exported; record with the `metrics` macros",
    },
    Ownership {
        dependency: "qdrant-edge",
        owners: &["mainstay-vectors"],
        why: "`vectors` hides the index engine, so that another can take its place",
    },
    Ownership {
        dependency: "sqlx",
        owners: &["mainstay-store"],
        why: "`store` hides the database, so that another can take its place",
    },
    Ownership {
        dependency: "tracing-subscriber",
        owners: &["mainstay"],
        why: "the binary alone decides where logs go; record with the `tracing` macros",
    },
];

/// Crates of ours that must stay pure, and the external crates that would end that.
const PURE: &[Purity] = &[
    Purity { member: "mainstay-documents", must_not_use: &["tokio", "hyper", "hyper-util"] },
    Purity { member: "mainstay-domain", must_not_use: &["hyper", "hyper-util", "http"] },
    Purity { member: "mainstay-planner", must_not_use: &["tokio", "hyper", "hyper-util"] },
    Purity { member: "mainstay-text", must_not_use: &["tokio", "hyper", "hyper-util"] },
    Purity { member: "mainstay-wire", must_not_use: &["tokio", "hyper", "hyper-util"] },
];

struct Ownership {
    dependency: &'static str,
    owners: &'static [&'static str],
    why: &'static str,
}

struct Purity {
    member: &'static str,
    must_not_use: &'static [&'static str],
}

/// Checks the dependencies of every crate.
pub(super) fn check(members: &[Member]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in members {
        let Some(layer) = member.layer else {
            findings.push(Finding::new(
                member.manifest_path(),
                member.line_of("[package.metadata"),
                "has no layer: write `[package.metadata.mainstay]` with `layer = <number>`, or \"dev\" when it is not \
                 part of the product",
            ));
            continue;
        };
        for dependency in &member.dependencies {
            let problem = match members.iter().find(|other| other.name == dependency.name) {
                Some(other) => against_layers(member, layer, other, dependency),
                None => against_ownership(member, layer, dependency)
                    .or_else(|| against_purity(member, dependency)),
            };
            let line = member.line_of(&dependency.name);
            findings.extend(problem.map(|message| Finding::new(member.manifest_path(), line, message)));
        }
    }
    findings
}

fn against_layers(member: &Member, layer: Layer, other: &Member, dependency: &Dependency) -> Option<String> {
    let other_layer = other.layer?;
    let is_test_of_itself = other.name == member.name && dependency.kind == Some(DependencyKind::Dev);
    let allowed = match (layer, other_layer) {
        // Its own tests with a feature that others' tests use too, such as a conformance suite.
        _ if is_test_of_itself => true,
        (Layer::Dev, _) => true,
        (Layer::Number(_), Layer::Dev) => dependency.kind == Some(DependencyKind::Dev),
        (Layer::Number(own), Layer::Number(below)) => below < own,
    };
    let advice = match other_layer {
        Layer::Dev => "make it a dev-dependency",
        Layer::Number(_) => {
            "move what is shared into a lower crate, or put a trait below and implement it above"
        }
    };
    (!allowed).then(|| {
        format!("`{}` ({layer}) must not depend on `{}` ({other_layer}): {advice}", member.name, other.name)
    })
}

fn against_ownership(member: &Member, layer: Layer, dependency: &Dependency) -> Option<String> {
    if layer == Layer::Dev || dependency.kind == Some(DependencyKind::Dev) {
        return None;
    }
    let ownership = OWNERS.iter().find(|ownership| ownership.dependency == dependency.name)?;
    let allowed = ownership.owners.contains(&member.name.as_str());
    (!allowed)
        .then(|| format!("`{}` must not depend on `{}`: {}", member.name, dependency.name, ownership.why))
}

fn against_purity(member: &Member, dependency: &Dependency) -> Option<String> {
    let purity = PURE.iter().find(|purity| purity.member == member.name)?;
    let broken = dependency.kind != Some(DependencyKind::Dev)
        && purity.must_not_use.contains(&dependency.name.as_str());
    broken.then(|| {
        format!(
            "`{}` does no I/O, so it must not depend on `{}`: do that in the crate that calls it",
            member.name, dependency.name
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, layer: Option<Layer>, dependencies: &[(&str, Option<DependencyKind>)]) -> Member {
        let dependencies: Vec<_> =
            dependencies.iter().map(|&(name, kind)| Dependency { name: name.to_owned(), kind }).collect();
        let lines: String =
            dependencies.iter().map(|dependency| format!("{} = \"1\"\n", dependency.name)).collect();
        Member {
            name: name.to_owned(),
            folder: format!("crates/{name}"),
            layer,
            manifest: format!("[dependencies]\n{lines}"),
            dependencies,
        }
    }

    const LOW: Option<Layer> = Some(Layer::Number(1));
    const HIGH: Option<Layer> = Some(Layer::Number(2));

    fn messages(members: &[Member]) -> Vec<String> {
        check(members).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_dependency_downward_is_fine() {
        assert_eq!(messages(&[member("low", LOW, &[]), member("high", HIGH, &[("low", None)])]), [""; 0]);
    }

    #[test]
    fn a_dependency_upward_or_sideways_is_found_with_its_line() {
        let upward =
            messages(&[member("low", LOW, &[("serde", None), ("high", None)]), member("high", HIGH, &[])]);
        assert!(
            upward[0].starts_with("crates/low/Cargo.toml:3: `low` (layer 1) must not depend on `high`"),
            "{upward:?}"
        );
        let sideways = messages(&[member("one", LOW, &[("two", None)]), member("two", LOW, &[])]);
        assert_eq!(sideways.len(), 1);
    }

    #[test]
    fn development_crates_serve_tests_only() {
        let kit = member("kit", Some(Layer::Dev), &[("high", None)]);
        let high = |kind| member("high", HIGH, &[("kit", kind)]);
        assert_eq!(messages(&[high(Some(DependencyKind::Dev)), kit.clone()]), [""; 0]);
        assert!(messages(&[high(None), kit])[0].ends_with("make it a dev-dependency"));
    }

    #[test]
    fn a_crate_may_test_itself_with_a_feature() {
        let own = |kind| messages(&[member("low", LOW, &[("low", kind)])]);
        assert_eq!(own(Some(DependencyKind::Dev)), [""; 0]);
        assert_eq!(own(None).len(), 1);
    }

    #[test]
    fn a_crate_without_a_layer_is_found() {
        assert_eq!(messages(&[member("lost", None, &[])]).len(), 1);
    }

    #[test]
    fn the_database_stays_in_store_but_may_serve_tests_elsewhere() {
        let with = |name: &str, kind| messages(&[member(name, LOW, &[("sqlx", kind)])]);
        assert_eq!(with("mainstay-store", None), [""; 0]);
        assert_eq!(with("mainstay-rag", Some(DependencyKind::Dev)), [""; 0]);
        assert_eq!(with("mainstay-rag", None).len(), 1);
    }

    #[test]
    fn a_pure_crate_takes_no_runtime() {
        assert_eq!(messages(&[member("mainstay-wire", LOW, &[("tokio", None)])]).len(), 1);
        assert_eq!(
            messages(&[member("mainstay-wire", LOW, &[("tokio", Some(DependencyKind::Dev))])]),
            [""; 0]
        );
    }
}
