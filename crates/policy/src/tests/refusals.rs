//! Policies that are not put in force.

use proptest::prelude::*;

use super::{refusal, refused};
use crate::scan;
use crate::{EXAMPLE, Policies, PolicyError};

#[test]
fn a_refusal_says_where_and_what_to_do() {
    let texts = [
        "permit (principal, action, resource)\nwhen { principal.operator ",
        "permit (principal, action, resource);\n\nallow (principal, action, resource);",
        "permit (principal, action == Mainstay::Action::\"documents.wirte\", resource);",
        "permit (principal, action == Mainstay::Action::\"prompts\", resource);",
        "permit (principal, action == Action::\"answers.ask\", resource);",
        "permit (principal in Role::\"viewer\", action, resource);",
        "permit (principal in Mainstay::Rolle::\"viewer\", action, resource);",
        "// ä\npermit (principal, action, resource) when { principal.operater };",
        "permit (principal, action, resource) when { principal.tier == \"gold\" };",
        "permit (principal, action, resource) when { principal.operator == \"yes\" };",
        "permit (principal, action, resource) when { principal.operator < 3 };",
        "permit (principal, action, resource) when { context.environment == Mainstay::Environment::\"prod\" };",
        "permit (principal == Mainstay::User::\"alice\", action, resource);",
        "permit (principal, action, resource) when { resource in [Mainstay::Resource::\"handbook\"] };",
        "permit (principal in ?principal, action, resource);",
        "@id(\"viewer\")\npermit (principal, action, resource) when { principal.operator };",
        "@id(\"a\")\nforbid (principal, action, resource) when { principal.operator && resource has name };\n\
         @id(\"a\")\nforbid (principal, action, resource) when { principal.operator && resource has name };",
    ];
    let refusals: Vec<_> = texts.iter().map(|text| format!("{text}\n→ {}", refusal(text))).collect();
    insta::assert_snapshot!(refusals.join("\n\n"));
}

#[test]
fn every_fault_of_a_text_is_told_in_the_order_of_its_lines() {
    let text = "permit (principal, action == Mainstay::Action::\"a\", resource);\n\
                permit (principal, action == Mainstay::Action::\"answers.ask\", resource) when { principal.nme };\n\
                permit (principal, action == Mainstay::Action::\"b\", resource);";
    let PolicyError::Invalid(faults) = refused(text) else { panic!("refused for something else") };
    assert_eq!(faults.iter().map(|fault| fault.line).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn policies_that_lock_every_admin_out_are_refused_with_the_ones_to_remove() {
    let text = r#"
        @id("no-keys")
        forbid (principal, action == Mainstay::Action::"keys.manage", resource);
        @id("only-alice")
        forbid (principal, action == Mainstay::Action::"policies.read", resource)
        unless { principal has user && principal.user == "alice" };
    "#;
    let error = refused(text);
    assert_eq!(error, PolicyError::LocksOut { by: vec![crate::PolicyId::new("no-keys")] });
    assert!(
        error.to_string().ends_with("remove policy \"no-keys\" or the `policies` key and start again"),
        "{error}"
    );

    let nobody = Policies::replacing("", "team.cedar").unwrap_err();
    assert_eq!(nobody, PolicyError::LocksOut { by: Vec::new() });
    assert!(nobody.to_string().contains("Mainstay::Role::\"admin\""), "{nobody}");
}

#[test]
fn a_policy_that_fails_for_every_admin_locks_out_too() {
    let text =
        "@id(\"overflows\") permit (principal, action, resource) when { 9223372036854775807 + 1 > 0 };";
    assert_eq!(refused(text), PolicyError::LocksOut { by: vec![crate::PolicyId::new("overflows")] });
}

#[test]
fn one_person_or_one_way_to_sign_in_is_enough_to_administer() {
    let texts = [
        r#"forbid (principal, action, resource) unless { principal has user && principal.user == "alice" };"#,
        r#"forbid (principal, action, resource) unless { principal.via == Mainstay::Via::"process" };"#,
        r#"forbid (principal, action, resource) unless { principal.tenant == Mainstay::Tenant::"ours" };"#,
        r#"forbid (principal, action == Mainstay::Action::"keys.manage", resource)
           unless { principal in Mainstay::Role::"security_officer" };"#,
    ];
    for text in texts {
        let policies = Policies::with(text, "team.cedar");
        assert!(policies.is_ok(), "{text}: {}", policies.unwrap_err());
    }
}

#[test]
fn a_text_that_is_too_long_is_not_read() {
    let error = refused(&"// nothing\n".repeat(scan::MAX_BYTES / 11 + 1));
    assert!(matches!(error, PolicyError::TooLarge { bytes, .. } if bytes > scan::MAX_BYTES), "{error}");
}

#[test]
fn a_policy_that_is_too_long_or_too_deep_is_refused_before_it_is_parsed() {
    let policy = |condition: &str| format!("permit (principal, action, resource) when {{ {condition} }};");
    let long = policy(&vec!["principal.operator"; 500].join(" && "));
    assert!(refusal(&long).contains("bytes; at most"), "{}", refusal(&long));
    let chain = policy(&format!("{}1 == 1", "1+".repeat(600)));
    assert!(refusal(&chain).contains("602 characters of operators; at most"), "{}", refusal(&chain));
    let deep = policy(&format!("{}true{}", "(".repeat(200), ")".repeat(200)));
    assert!(refusal(&deep).contains("201 levels of brackets"), "{}", refusal(&deep));
    let many = policy("principal.operator").repeat(scan::MAX_POLICIES + 1);
    assert!(refusal(&many).contains("there are 501 policies"), "{}", refusal(&many));
}

/// Whatever fits within the bounds is answered on the stack of an ordinary thread.
#[test]
fn the_longest_chains_of_operators_fit_on_a_small_stack() {
    let fill = |unit: &str, end: &str| {
        let scope = "permit (principal, action, resource) when { ";
        let room = (scan::MAX_POLICY_BYTES - scope.len() - end.len() - 4) / unit.len();
        format!("{scope}{}{end} }};", unit.repeat(room))
    };
    let sums = |unit: &str, end: &str| {
        let room = (scan::MAX_OPERATORS - end.len()) / unit.matches(|c| "+-*&|.=".contains(c)).count();
        format!("permit (principal, action, resource) when {{ {}{end} }};", unit.repeat(room))
    };
    let texts = [
        sums("1+", "1==1"),
        sums("1*", "1==1"),
        sums("1-", "1==1"),
        sums("-", "1==1"),
        sums("true&&", "true"),
        sums("true||", "true"),
        sums("principal.operator||", "true"),
        sums("true==", "true"),
        format!("permit (principal, action, resource) when {{ context{} }};", ".environment".repeat(500)),
        fill("if true then true else ", "true"),
        fill("if principal.operator then false else ", "true"),
        fill("context [\"a\"]", ""),
        fill("[", ""),
        fill("! ", "true"),
        format!("permit (principal, action, resource) when {{ {}true{} }};", "(".repeat(30), ")".repeat(30)),
        format!("permit (principal, action, resource) {};", "when { true } ".repeat(550)),
        "@a(".repeat(2_000),
        "\"".to_owned(),
        "permit (principal, action, resource) when { \"\\".to_owned(),
        "\0;\u{202e};é".to_owned(),
    ];
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(move || {
        for text in texts {
            let _answered = Policies::with(&text, "team.cedar").map_err(|error| error.to_string());
        }
    });
    thread.unwrap().join().unwrap();
}

#[test]
fn more_roles_than_can_be_told_apart_are_refused() {
    let role = |number: usize| {
        format!(
            "permit (principal in Mainstay::Role::\"of_{number}\", action == Mainstay::Action::\"costs.read\", resource);\n"
        )
    };
    let text: String = (0..130).map(role).collect();
    assert!(refusal(&text).contains("more than 128 roles"), "{}", refusal(&text));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A file with slips of the finger is put in force or refused with places that are in it.
    #[test]
    fn a_mangled_file_is_answered(slips in prop::collection::vec((any::<prop::sample::Index>(), "\\PC{0,2}|[(){};\"]"), 1..4)) {
        let mut text: Vec<char> = EXAMPLE.chars().collect();
        for (at, written) in slips {
            let at = at.index(text.len());
            text.splice(at..(at + 2).min(text.len()), written.chars());
        }
        let text: String = text.into_iter().collect();
        match Policies::with(&text, "team.cedar") {
            Ok(_) | Err(PolicyError::LocksOut { .. }) => {}
            Err(PolicyError::Invalid(faults)) => {
                let last = text.matches('\n').count() + 1;
                prop_assert!(!faults.is_empty());
                prop_assert!(faults.iter().all(|fault| (1..=last).contains(&fault.line)), "{:?}", faults);
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}
