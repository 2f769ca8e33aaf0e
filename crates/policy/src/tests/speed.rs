//! How long a decision takes: `cargo test -p mainstay-policy -- --ignored --nocapture speed`.

use mainstay_domain::Clock;
use mainstay_domain::id::{RoleName, TenantId};
use mainstay_domain::identity::Permission;

use super::somebody;
use crate::{EXAMPLE, Policies};

const ROUNDS: u32 = 200;
const RUNS: u32 = 200;

/// Microseconds of one call in the quickest run: runs are shorter than what a busy machine takes away at a time.
fn micros(mut call: impl FnMut(u32)) -> f64 {
    let clock = Clock::system();
    let run = |call: &mut dyn FnMut(u32)| {
        let start = clock.instant();
        (0..ROUNDS).for_each(call);
        (clock.instant() - start).as_secs_f64() * 1e6 / f64::from(ROUNDS)
    };
    (0..RUNS).map(|_| run(&mut call)).fold(f64::INFINITY, f64::min)
}

#[test]
#[ignore = "measures"]
fn decisions_take_this_long() {
    for (name, policies) in [
        ("built-in", Policies::builtin().unwrap()),
        ("built-in and example", Policies::with(EXAMPLE, "example.cedar").unwrap()),
    ] {
        let situation = somebody(&["engineer"], Permission::AnswersAsk);
        let tenants: Vec<_> = (0..5_000).map(|number| TenantId::new(format!("tenant {number}"))).collect();
        let groups: Vec<_> = (0..200).map(|number| RoleName::new(format!("group {number}"))).collect();
        let mut member = situation.clone();
        member.roles.extend(groups);

        let kept = micros(|_| assert!(policies.decide(&situation.question()).allowed));
        let mut asked = 0;
        let many = micros(|_| {
            asked += 1;
            let tenant = &tenants[asked % tenants.len()];
            let mut question = situation.question();
            (question.principal.tenant, question.resource.tenant) = (tenant, tenant);
            assert!(policies.decide(&question).allowed);
        });
        let grouped = micros(|_| assert!(policies.decide(&member.question()).allowed));
        let evaluated = micros(|_| assert!(policies.evaluate(&situation.question()).allowed));
        println!(
            "{name}: kept {kept:.2} µs, kept with 5000 tenants {many:.2} µs, kept with 201 roles {grouped:.2} µs, \
             evaluated {evaluated:.1} µs"
        );
    }
    let clock = Clock::system();
    let start = clock.instant();
    let policies = Policies::with(EXAMPLE, "example.cedar").unwrap();
    let read = clock.instant();
    let rows = policies.matrix().rows.len();
    println!("read in {:.1?}, matrix of {rows} roles in {:.1?}", read - start, clock.instant() - read);
    let shadowed: String = (0..480)
        .map(|number| {
            format!(
                "permit (principal in Mainstay::Role::\"viewer\", action == Mainstay::Action::\"keys.manage\", resource) \
                 when {{ principal.tenant != resource.tenant && principal.via == Mainstay::Via::\"key\" \
                 && principal has user && principal.user != \"{number}\" }};\n"
            )
        })
        .collect();
    let before = clock.instant();
    let doubts = Policies::with(&shadowed, "team.cedar").unwrap().warnings().len();
    println!("480 shadowed policies read with {doubts} warnings in {:.1?}", clock.instant() - before);
}
