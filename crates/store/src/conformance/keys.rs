//! The promises of the key store.

use mainstay_domain::{KeyId, Permission, TenantId, Timestamp, UserId};

use super::Backend;
use crate::keys::KeyRecord;

pub(super) async fn conformance<B: Backend>(make: &impl AsyncFn() -> B) {
    keys_read_back_as_they_were_written(&make().await).await;
    keys_end_once_and_only_for_their_tenant(&make().await).await;
    keys_of_somebody_end_together(&make().await).await;
    uses_are_noted(&make().await).await;
}

fn key(id: &str, tenant: &str, created_at: i64) -> KeyRecord {
    KeyRecord {
        id: KeyId::new(id),
        tenant: TenantId::new(tenant),
        name: format!("key {id}"),
        role: "ingester".into(),
        only: (created_at % 2 == 0).then(|| vec![Permission::DocumentsRead, Permission::DocumentsWrite]),
        owner: (created_at % 2 == 0).then(|| "jane".into()),
        tier: (created_at % 2 == 0).then(|| "free".into()),
        secret_hash: [id.as_bytes()[0]; 32],
        created_at: Timestamp::from_micros(created_at),
        expires_at: None,
        revoked_at: None,
    }
}

const fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

async fn keys_read_back_as_they_were_written<B: Backend>(backend: &B) {
    let store = backend.keys();
    assert_eq!(store.all().await.unwrap(), []);
    let young = KeyRecord { expires_at: Some(at(9)), ..key("a", "t", 2) };
    let old = KeyRecord { role: "admin".into(), revoked_at: Some(at(3)), ..key("b", "u", 1) };
    store.insert(&young).await.unwrap();
    store.insert(&old).await.unwrap();
    assert_eq!(store.all().await.unwrap(), [old.clone(), young.clone()]);
    assert!(store.insert(&young).await.is_err(), "an id is given once");
    assert_eq!(store.all().await.unwrap(), [old, young]);
}

async fn keys_end_once_and_only_for_their_tenant<B: Backend>(backend: &B) {
    let store = backend.keys();
    store.insert(&key("a", "t", 1)).await.unwrap();
    let (tenant, stranger, id) = (TenantId::new("t"), TenantId::new("u"), KeyId::new("a"));
    assert!(!store.expire(&stranger, &id, at(5)).await.unwrap());
    assert!(!store.revoke(&stranger, &id, at(5)).await.unwrap());
    assert!(!store.revoke(&tenant, &KeyId::new("other"), at(5)).await.unwrap());
    assert_eq!(store.all().await.unwrap(), [key("a", "t", 1)]);

    for (end, expected) in [(7, 7), (9, 7), (5, 5)] {
        assert!(store.expire(&tenant, &id, at(end)).await.unwrap());
        assert_eq!(store.all().await.unwrap()[0].expires_at, Some(at(expected)), "the earliest end counts");
    }
    for moment in [4, 6] {
        assert!(store.revoke(&tenant, &id, at(moment)).await.unwrap());
        assert_eq!(store.all().await.unwrap()[0].revoked_at, Some(at(4)), "it is revoked once");
    }
}

async fn keys_of_somebody_end_together<B: Backend>(backend: &B) {
    let store = backend.keys();
    for (id, tenant, created_at) in [("a", "t", 2), ("b", "t", 1), ("c", "t", 4), ("d", "u", 2)] {
        store.insert(&key(id, tenant, created_at)).await.unwrap();
    }
    let (tenant, jane) = (TenantId::new("t"), UserId::new("jane"));
    assert_eq!(store.revoke_all(&tenant, Some(&UserId::new("john")), at(9)).await.unwrap(), 0);
    assert_eq!(store.revoke_all(&tenant, Some(&jane), at(9)).await.unwrap(), 2);
    let revoked = |keys: Vec<KeyRecord>| -> Vec<String> {
        keys.iter().filter(|key| key.revoked_at.is_some()).map(|key| key.id.to_string()).collect()
    };
    let keys = store.all().await.unwrap();
    assert!(
        keys.iter().all(|key| key.tenant.as_str() == "u" || key.owner.is_none()),
        "nobody knows whose they were"
    );
    assert_eq!(revoked(keys), ["a", "c"]);
    assert_eq!(store.revoke_all(&tenant, None, at(9)).await.unwrap(), 3);
    assert_eq!(revoked(store.all().await.unwrap()), ["b", "a", "c"], "and another tenant's work on");
}

async fn uses_are_noted<B: Backend>(backend: &B) {
    let store = backend.keys();
    for (id, tenant) in [("a", "t"), ("b", "t"), ("c", "u")] {
        store.insert(&key(id, tenant, 1)).await.unwrap();
    }
    let noted = [("a", 5), ("c", 6), ("a", 4), ("gone", 7)].map(|(id, moment)| (KeyId::new(id), at(moment)));
    store.note_use(&noted).await.unwrap();
    assert_eq!(store.last_uses(&TenantId::new("t")).await.unwrap(), [(KeyId::new("a"), at(5))]);
    assert_eq!(store.last_uses(&TenantId::new("u")).await.unwrap(), [(KeyId::new("c"), at(6))]);
}
