//! What it costs a request to be let in: who calls, from a key, and whether they may.
//!
//! `cargo test -p mainstay-security --test cost --release -- --ignored --nocapture`

use std::sync::Arc;

use mainstay_domain::{Clock, Permission, TenantId};
use mainstay_policy::{Environment, Policies};
use mainstay_security::keys::KeyEntry;
use mainstay_security::tenants::{Audience, TenantSettings};
use mainstay_security::{Access, KeyTable, Residency, TenantOrder, Tenants};
use mainstay_store::{DataDir, EmbeddedStore};

const ROUNDS: u32 = 20_000;

#[tokio::test]
#[ignore = "a measurement: it prints figures and asserts none"]
async fn being_let_in_by_the_number_of_tenants_and_keys() {
    let clock = Clock::system();
    for tenants in [1_usize, 1_000, 100_000] {
        let folder = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(DataDir::open(folder.path()).unwrap(), clock).await.unwrap();
        let known = Arc::new(Tenants::open(store.tenants(), clock).await.unwrap());
        for number in 0..tenants {
            let order = TenantOrder {
                id: TenantId::from(format!("t{number}")),
                name: "a tenant".to_owned(),
                audience: Audience::Enterprise,
                settings: TenantSettings::default(),
            };
            known.create(order).await.unwrap();
        }
        let key = |number: usize| format!("msk_{number:016x}_{}", "5".repeat(64));
        let entry = |number: usize| KeyEntry {
            tenant: TenantId::from(format!("t{number}")),
            ..mainstay_security::testing::entry(&key(number), "customer_user")
        };
        let table = Arc::new(KeyTable::new((0..tenants).map(entry)));
        let access = Access {
            keys: table.clone(),
            tenants: known,
            tokens: None,
            policies: Policies::builtin().unwrap(),
            environment: Environment::Production,
            residency: Residency::default(),
            clock,
        };
        let began = clock.instant();
        for round in 0..ROUNDS {
            let number = round as usize * 7_919 % tenants;
            let caller = access.identify(Some(&key(number))).await.unwrap();
            access.authorize(&caller, Permission::AnswersAsk, &caller.tenant, false).unwrap();
        }
        let each = clock.instant().duration_since(began) / ROUNDS;
        let victim = entry(tenants - 1).id;
        let began = clock.instant();
        table.change(&victim, |key| key.revoked = true);
        let revoking = clock.instant().duration_since(began);
        let refused = access.identify(Some(&key(tenants - 1))).await;
        println!(
            "{tenants} tenants and keys: {each:?} a request, {revoking:?} to revoke, then refused: {}",
            refused.is_err()
        );
    }
}
