//! What the built-in roles may do.

use std::fmt::Write;

use mainstay_domain::identity::Permission;

use super::{may, somebody};
use crate::matrix::{Extent, Matrix};
use crate::read;
use crate::{BOUNDARIES, BUILTIN_ROLES, EXAMPLE, Policies, ROLES};

/// One line per role and permission that it has at all.
fn drawn(matrix: &Matrix) -> String {
    let mut text = String::new();
    for row in &matrix.rows {
        writeln!(text, "{}", row.role).unwrap();
        for permission in Permission::ALL {
            let reach = row.of(permission);
            let places = [
                ("own", reach.own),
                ("other", reach.other),
                ("own as operator", reach.operator_own),
                ("other as operator", reach.operator_other),
            ];
            let places: Vec<_> = places
                .into_iter()
                .filter_map(|(place, extent)| match extent {
                    Extent::Never => None,
                    Extent::Sometimes => Some(format!("{place} sometimes")),
                    Extent::Always => Some(place.to_owned()),
                })
                .collect();
            if !places.is_empty() {
                writeln!(text, "  {:<17} {}", permission.as_str(), places.join(", ")).unwrap();
            }
        }
    }
    text
}

#[test]
fn the_built_in_roles_may_do_this() {
    insta::assert_snapshot!(drawn(&Policies::builtin().unwrap().matrix()));
}

#[test]
fn with_the_example_the_roles_may_do_this() {
    insta::assert_snapshot!(drawn(&Policies::with(EXAMPLE, "example.cedar").unwrap().matrix()));
}

#[test]
fn every_permission_is_reached_by_some_role_in_the_own_tenant() {
    let matrix = Policies::builtin().unwrap().matrix();
    for permission in Permission::ALL {
        let reached = matrix.rows.iter().any(|row| row.of(permission).operator_own == Extent::Always);
        assert!(reached, "nobody may {}", permission.as_str());
    }
}

#[test]
fn the_policies_name_exactly_the_built_in_roles() {
    let policies = Policies::builtin().unwrap();
    let roles = policies.roles();
    let names: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
    assert_eq!(names, BUILTIN_ROLES);
}

#[test]
fn no_role_and_an_unknown_role_give_nothing() {
    let policies = Policies::builtin().unwrap();
    for permission in Permission::ALL {
        for roles in [&[][..], &["wizard"], &["Admin"]] {
            assert!(!may(&policies, &somebody(roles, permission).operating()), "{roles:?} {permission:?}");
        }
    }
}

#[test]
fn several_roles_give_what_any_of_them_gives() {
    let policies = Policies::builtin().unwrap();
    for roles in [["auditor", "viewer"], ["viewer", "auditor"]] {
        assert!(may(&policies, &somebody(&roles, Permission::AuditRead)));
        assert!(may(&policies, &somebody(&roles, Permission::AnswersAsk)));
        assert!(!may(&policies, &somebody(&roles, Permission::DocumentsWrite)));
    }
}

#[test]
fn everything_that_is_shipped_has_a_name_a_reason_and_an_effect() {
    let files = [("boundaries.cedar", BOUNDARIES), ("roles.cedar", ROLES), ("example.cedar", EXAMPLE)];
    for (file, text) in files {
        for rule in read::read(text, file, &[]).unwrap() {
            assert!(rule.text.starts_with(&format!("@id(\"{}\")", rule.id)), "{}", rule.text);
            assert!(!rule.reason.is_empty() && !rule.reason.ends_with('.'), "{}", rule.id);
        }
    }
    // As a team's, the roles are tried out like any others: none is without effect.
    assert_eq!(Policies::replacing(ROLES, "roles.cedar").unwrap().warnings(), []);
    assert_eq!(Policies::with(EXAMPLE, "example.cedar").unwrap().warnings(), []);
}
