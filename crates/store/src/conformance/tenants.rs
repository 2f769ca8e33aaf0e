//! The promises of the tenant store.

use mainstay_domain::{TenantId, Timestamp};

use super::Backend;
use crate::tenants::{Audience, TenantRecord, TenantSettings, TenantState};

pub(super) async fn conformance<B: Backend>(make: &impl AsyncFn() -> B) {
    tenants_read_back_as_they_were_written(&make().await).await;
    an_id_is_given_once(&make().await).await;
}

fn tenant(id: &str) -> TenantRecord {
    TenantRecord {
        id: TenantId::new(id),
        name: format!("The {id} company"),
        audience: Audience::Enterprise,
        state: TenantState::Active,
        settings: TenantSettings::default(),
        created_at: Timestamp::from_micros(1),
        changed_at: Timestamp::from_micros(1),
    }
}

async fn tenants_read_back_as_they_were_written<B: Backend>(backend: &B) {
    let store = backend.tenants();
    assert_eq!(store.all().await.unwrap(), []);
    let settings = TenantSettings {
        tier: Some("gold".into()),
        region: Some("eu-west-1".into()),
        models: Some(vec!["support".to_owned()]),
        keep_documents_days: Some(30),
        keep_content: Some(true),
        weight: Some(3),
        requests_per_minute: Some(20),
        tokens_per_minute: Some(40_000),
    };
    let first = TenantRecord { settings, audience: Audience::Consumer, ..tenant("acme") };
    assert!(store.insert(&tenant("zoo")).await.unwrap());
    assert!(store.insert(&first).await.unwrap());
    assert_eq!(store.all().await.unwrap(), [first.clone(), tenant("zoo")]);

    let changed =
        TenantRecord { state: TenantState::Suspended, changed_at: Timestamp::from_micros(9), ..first };
    assert!(store.replace(&changed).await.unwrap());
    assert!(!store.replace(&tenant("nobody")).await.unwrap());
    assert_eq!(store.all().await.unwrap(), [changed, tenant("zoo")]);
}

async fn an_id_is_given_once<B: Backend>(backend: &B) {
    let store = backend.tenants();
    let gone = TenantRecord { state: TenantState::Deleted, ..tenant("acme") };
    assert!(store.insert(&gone).await.unwrap());
    assert!(!store.insert(&tenant("acme")).await.unwrap());
    assert_eq!(store.all().await.unwrap(), [gone]);
}
