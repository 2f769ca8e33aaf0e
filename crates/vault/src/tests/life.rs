use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task;

use mainstay_domain::TenantId;
use tokio::task::JoinSet;

use super::{TestStore, master, sealer, start};
use crate::{
    Context, Form, KeyCensus, KeyError, KeyStore, MasterKeys, OpenError, Rewrapped, SealError, Shredded,
};

const PLACE: Context<'_> = Context::row("text_blocks.bytes", 1);

fn one_master() -> MasterKeys {
    MasterKeys::new(master(1))
}

fn acme() -> TenantId {
    TenantId::from("acme")
}

#[tokio::test]
async fn what_was_sealed_opens_after_a_restart_and_not_under_another_master_key() {
    let store = Arc::default();
    let sealed = sealer(&start(&store, one_master()), "acme").await.seal(&PLACE, b"text").expect("seals");
    let again = sealer(&start(&store, one_master()), "acme").await;
    assert_eq!(again.open(&PLACE, &sealed).as_deref(), Ok(b"text".as_slice()));

    let wrong = start(&store, MasterKeys::new(master(2)));
    let error = wrong.sealer(&acme()).await.expect_err("another master key");
    assert!(matches!(error, KeyError::UnknownMaster { version: 1, .. }), "{error}");
    let message = wrong.check().await.expect_err("another master key").to_string();
    let ids = [master(1), master(2)].map(|master| master.id().to_string());
    assert!(ids.iter().all(|id| message.contains(id)), "it names both: {message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_that_come_first_make_one_key() {
    let store = Arc::default();
    let keys = start(&store, one_master());
    let mut tasks = JoinSet::new();
    // On several threads, and in each task at the same time: the store gives way before it answers.
    for _ in 0..8 {
        let keys = keys.clone();
        tasks.spawn(async move {
            let seal = async || sealer(&keys, "acme").await.seal(&PLACE, b"text").expect("seals");
            futures_util::future::join_all((0..8).map(|_| seal())).await
        });
    }
    let sealed = tasks.join_all().await.concat();
    assert_eq!(store.inserts.load(Ordering::Relaxed), 1);
    let again = sealer(&start(&store, one_master()), "acme").await;
    assert!(sealed.iter().all(|sealed| again.open(&PLACE, sealed).is_ok()));
}

#[tokio::test]
async fn a_first_call_that_is_given_up_at_any_point_leaves_no_harm() {
    for polls in 0..6 {
        let store = Arc::default();
        let keys = start(&store, one_master());
        {
            let tenant = acme();
            let mut call = std::pin::pin!(keys.sealer(&tenant));
            let mut task = task::Context::from_waker(task::Waker::noop());
            for _ in 0..polls {
                if call.as_mut().poll(&mut task).is_ready() {
                    break;
                }
            }
        }
        let sealed = sealer(&keys, "acme").await.seal(&PLACE, b"text").expect("seals");
        assert_eq!(store.inserts.load(Ordering::Relaxed), 1, "given up after {polls}");
        assert!(sealer(&start(&store, one_master()), "acme").await.open(&PLACE, &sealed).is_ok());
    }
}

#[tokio::test]
async fn a_first_call_that_fails_is_made_up_for_by_the_next() {
    let store: Arc<TestStore> = Arc::default();
    let keys = start(&store, one_master());
    store.allow_writes(0);
    assert!(matches!(keys.sealer(&acme()).await, Err(KeyError::Store(_))));
    store.allow_writes(1);
    assert!(sealer(&keys, "acme").await.seal(&PLACE, b"text").is_ok());
}

#[tokio::test]
async fn a_destroyed_key_opens_and_seals_nothing_ever_again() {
    let store = Arc::default();
    let keys = start(&store, one_master());
    let (before, other) = (sealer(&keys, "acme").await, sealer(&keys, "globex").await);
    let sealed = before.seal(&PLACE, b"text").expect("seals");
    let others = other.seal(&PLACE, b"text").expect("seals");
    let tag = before.lookup_tag("documents.doc_id", b"a").expect("a tag");

    assert_eq!(keys.destroy(&acme()).await.expect("destroys"), Shredded { keys: 1, through: 1 });
    assert_eq!(before.open(&PLACE, &sealed), Err(OpenError::Shredded { tenant: acme() }));
    assert_eq!(before.seal(&PLACE, b"late"), Err(SealError::Shredded { tenant: acme() }));
    assert!(before.lookup_tag("documents.doc_id", b"a").is_err());
    assert!(matches!(keys.rotate(&acme()).await, Err(KeyError::Shredded { .. })));
    assert_eq!(keys.destroy(&acme()).await.expect("again"), Shredded { keys: 0, through: 1 });
    assert!(other.open(&PLACE, &others).is_ok(), "another tenant keeps its key");

    // It is remembered over a restart, and only a decision begins anew.
    let keys = start(&store, one_master());
    assert!(matches!(keys.sealer(&acme()).await, Err(KeyError::Shredded { .. })));
    assert_eq!([keys.readmit(&acme()).await.ok(), keys.readmit(&acme()).await.ok()], [Some(2); 2]);
    let anew = sealer(&keys, "acme").await;
    let new = anew.seal(&PLACE, b"new").expect("seals");
    assert_eq!(anew.open(&PLACE, &new).as_deref(), Ok(b"new".as_slice()));
    assert_eq!(anew.open(&PLACE, &sealed), Err(OpenError::Shredded { tenant: acme() }));
    assert_ne!(anew.lookup_tag("documents.doc_id", b"a").expect("a tag"), tag);
}

#[tokio::test]
async fn a_destruction_that_the_store_refuses_is_none() {
    let store: Arc<TestStore> = Arc::default();
    let keys = start(&store, one_master());
    let sealer = sealer(&keys, "acme").await;
    store.allow_writes(0);
    assert!(matches!(keys.destroy(&acme()).await, Err(KeyError::Store(_))));
    assert!(sealer.seal(&PLACE, b"text").is_ok());
    store.allow_writes(1);
    assert!(keys.destroy(&acme()).await.is_ok());
    assert!(sealer.seal(&PLACE, b"text").is_err());
}

#[tokio::test]
async fn destroying_the_keys_of_nobody_changes_nothing() {
    let keys = super::keys();
    assert_eq!(keys.destroy(&acme()).await.expect("destroys"), Shredded::default());
    assert!(sealer(&keys, "acme").await.seal(&PLACE, b"text").is_ok());
}

#[tokio::test]
async fn after_a_rotation_the_new_key_seals_and_the_old_ones_open() {
    let store = Arc::default();
    let keys = start(&store, one_master());
    let sealer_before = sealer(&keys, "acme").await;
    let old = sealer_before.seal(&PLACE, b"old").expect("seals");
    let tag = sealer_before.lookup_tag("documents.doc_id", b"a");
    assert_eq!(keys.rotate(&acme()).await.expect("rotates"), 2);
    let new = sealer_before.seal(&PLACE, b"new").expect("seals");
    assert_eq!([old[..5].to_vec(), new[..5].to_vec()], [[0xf9, 0, 0, 0, 1], [0xf9, 0, 0, 0, 2]]);
    assert!(sealer_before.is_outdated(Form::Sealed, &old) && !sealer_before.is_outdated(Form::Sealed, &new));

    let restarted = sealer(&start(&store, one_master()), "acme").await;
    for sealer in [sealer_before, restarted] {
        assert_eq!(sealer.open(&PLACE, &old).as_deref(), Ok(b"old".as_slice()));
        assert_eq!(sealer.open(&PLACE, &new).as_deref(), Ok(b"new".as_slice()));
        assert_eq!(sealer.lookup_tag("documents.doc_id", b"a"), tag, "what is stored by it is still found");
    }

    // The version is no say-so of the data: with the other key it does not open.
    let mut claimed = old;
    claimed[4] = 2;
    let error = sealer(&keys, "acme").await.open(&PLACE, &claimed);
    assert_eq!(error, Err(OpenError::Damaged { tenant: acme(), version: 2 }));
}

#[tokio::test]
async fn a_tenant_that_begins_with_a_rotation_has_one_key() {
    let keys = super::keys();
    assert_eq!(keys.rotate(&acme()).await.expect("rotates"), 1);
    let sealer = sealer(&keys, "acme").await;
    let sealed = sealer.seal(&PLACE, b"text").expect("seals");
    assert!(sealer.open(&PLACE, &sealed).is_ok());
}

#[tokio::test]
async fn wrapping_again_is_taken_up_where_it_was_interrupted() {
    let store: Arc<TestStore> = Arc::default();
    let keys = start(&store, one_master());
    let mut sealed = Vec::new();
    for tenant in ["a", "b", "c"] {
        let sealer = sealer(&keys, tenant).await;
        sealed.push((tenant, sealer.seal(&PLACE, tenant.as_bytes()).expect("seals")));
        keys.rotate(&TenantId::from(tenant)).await.expect("rotates");
    }

    // The process dies after two of six.
    let both = || MasterKeys::new(master(2)).and_previous(master(1));
    store.allow_writes(2);
    assert!(matches!(start(&store, both()).rewrap().await, Err(KeyError::Store(_))));
    let keys = start(&store, both());
    assert_eq!(keys.check().await.expect("both are known"), KeyCensus { current: 2, previous: 4 });
    for (tenant, sealed) in &sealed {
        let opened = sealer(&keys, tenant).await.open(&PLACE, sealed);
        assert_eq!(opened.as_deref(), Ok(tenant.as_bytes()), "half-way, everything opens");
    }
    let old_alone = start(&store, one_master());
    assert!(matches!(old_alone.check().await, Err(KeyError::UnknownMaster { .. })));

    store.allow_writes(u32::MAX);
    assert_eq!(keys.rewrap().await.expect("rewraps"), Rewrapped { moved: 4, already: 2 });
    assert_eq!(keys.rewrap().await.expect("rewraps"), Rewrapped { moved: 0, already: 6 });
    let new_alone = start(&store, MasterKeys::new(master(2)));
    assert_eq!(new_alone.check().await.expect("known"), KeyCensus { current: 6, previous: 0 });
    for (tenant, sealed) in &sealed {
        let opened = sealer(&new_alone, tenant).await.open(&PLACE, sealed);
        assert_eq!(opened.as_deref(), Ok(tenant.as_bytes()));
    }
}

#[tokio::test]
async fn a_wrapped_key_in_the_place_of_another_is_refused() {
    let store: Arc<TestStore> = Arc::default();
    let keys = start(&store, one_master());
    sealer(&keys, "acme").await;
    keys.rotate(&acme()).await.expect("rotates");
    let original = store.of_tenant(&acme()).await.expect("reads").keys;
    for (tenant, version) in [("mallory", 1), ("acme", 3)] {
        let mut moved = original[0].clone();
        (moved.tenant, moved.version) = (tenant.into(), version);
        store.insert(&moved).await.expect("inserts");
        let error = start(&store, one_master()).sealer(&moved.tenant).await.expect_err("moved");
        assert!(matches!(error, KeyError::WrongKey { .. }), "{error}");
    }
}

#[tokio::test]
async fn keys_do_not_show_in_debug_output() {
    let store: Arc<TestStore> = Arc::default();
    let keys = start(&store, one_master());
    sealer(&keys, "acme").await;
    let shown = format!("{keys:?} {:?}", store.of_tenant(&acme()).await);
    let wrapped = &store.of_tenant(&acme()).await.expect("reads").keys[0].wrapped;
    for bytes in [&wrapped[..4], &[1; 4]] {
        let numbers = format!("{bytes:?}");
        assert!(!shown.contains(numbers.trim_matches(['[', ']'])), "{shown}");
    }
}

mod behind_a_command {
    use mainstay_domain::Clock;

    use super::*;
    use crate::{CommandKms, MasterKey, MasterKeyError, MasterKeyId};

    fn command(id: &str, script: &str) -> MasterKey {
        let args = vec!["-c".to_owned(), script.to_owned(), "kms".to_owned()];
        MasterKey::command(CommandKms::new(MasterKeyId::new(id), "/bin/sh", args, Clock::system()))
    }

    const HONEST: &str =
        "case $1 in wrap) { printf kms:; cat; } | base64;; unwrap) base64 -d | sed 's/^kms://';; esac";

    #[tokio::test]
    async fn keys_are_wrapped_and_moved_from_a_file_to_a_command() {
        let store = Arc::default();
        let sealed = sealer(&start(&store, one_master()), "acme").await.seal(&PLACE, b"text").expect("seals");
        let both = MasterKeys::new(command("kms:prod", HONEST)).and_previous(master(1));
        assert_eq!(start(&store, both).rewrap().await.expect("rewraps").moved, 1);
        let keys = start(&store, MasterKeys::new(command("kms:prod", HONEST)));
        assert_eq!(sealer(&keys, "acme").await.open(&PLACE, &sealed).as_deref(), Ok(b"text".as_slice()));
    }

    #[tokio::test]
    async fn a_command_that_answers_something_else_is_found_out() {
        let store = Arc::default();
        sealer(&start(&store, MasterKeys::new(command("kms", HONEST))), "acme").await;
        for script in ["head -c 48 /dev/zero | base64", "head -c 47 /dev/zero | base64", "echo QUJD"] {
            let keys = start(&store, MasterKeys::new(command("kms", script)));
            let error = keys.sealer(&acme()).await.expect_err(script);
            assert!(matches!(error, KeyError::WrongKey { .. }), "{script}: {error}");
        }
        let failing = start(&store, MasterKeys::new(command("kms", "exit 7")));
        let error = failing.sealer(&acme()).await.expect_err("fails");
        assert!(matches!(&error, KeyError::Unwrap { source: MasterKeyError::Command(_), .. }), "{error}");
    }
}
