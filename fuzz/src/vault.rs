//! Sealed data and key files.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use mainstay_domain::{Clock, TenantId};
use mainstay_vault::testing::MemoryKeyStore;
use mainstay_vault::{Context, Form, KeyFileError, MasterKey, MasterKeys, OVERHEAD, Sealer, TenantKeys};
use tempfile::TempDir;

static SEALER: LazyLock<Sealer> = LazyLock::new(|| {
    let folder = TempDir::new().expect("a temporary folder");
    let master = MasterKey::generate_file(&folder.path().join("key")).expect("a key");
    let keys = TenantKeys::new(Arc::new(MemoryKeyStore::default()), MasterKeys::new(master), Clock::system());
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(keys.sealer(&TenantId::from("tenant"))).expect("a sealer")
});

/// What is sealed opens in its place only and only as it was; nothing that nobody sealed opens.
pub(crate) fn sealed(data: &[u8]) {
    let place = Context::row("table.column", 1);
    assert!(SEALER.open(&place, data).is_err(), "opened what nobody sealed");
    let _ = (SEALER.is_outdated(Form::of_text(data), data), SEALER.open_as(Form::Plain, &place, data));

    let mut sealed = SEALER.seal(&place, data).expect("seals");
    assert_eq!(sealed.len(), data.len() + OVERHEAD);
    assert_eq!(SEALER.open(&place, &sealed).expect("opens"), data);
    assert!(SEALER.open(&Context::row("table.column", 2), &sealed).is_err(), "opened in another place");
    // The bytes say where it is damaged, and how.
    let at = data.iter().fold(0_usize, |at, byte| at.wrapping_mul(31).wrapping_add(usize::from(*byte)));
    let end = sealed.len();
    sealed[at % end] ^= 1 << (at / end % 8);
    assert!(SEALER.open(&place, &sealed).is_err(), "opened what was changed");
    sealed[at % end] ^= 1 << (at / end % 8);
    assert!(SEALER.open(&place, &sealed[..at % end]).is_err(), "opened what was cut");
}

thread_local! {
    static FOLDER: RefCell<TempDir> = RefCell::new(TempDir::new().expect("a temporary folder"));
}

/// A file is a key only if it is 32 bytes in one of the two notations, and errors never show what is in it.
pub(crate) fn key_file(data: &[u8]) {
    FOLDER.with_borrow(|folder| {
        let path = folder.path().join("key");
        fs::write(&path, data).expect("writes");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("closes it to others");
        check(&path, data);
    });
}

fn check(path: &Path, data: &[u8]) {
    let text = data.trim_ascii();
    match MasterKey::from_file(path) {
        Ok(key) => {
            let is_hex = text.len() == 64 && text.iter().all(u8::is_ascii_hexdigit);
            let is_base64 = text.len() == 44 && text.ends_with(b"=");
            assert!(is_hex || is_base64, "took something else for a key");
            let again = MasterKey::from_file(path).expect("reads it again");
            assert_eq!(again.id(), key.id());
        }
        Err(KeyFileError::NoKey { .. } | KeyFileError::NotRandom { .. }) => {}
        Err(other) => panic!("a file that can be read is a key or none: {other}"),
    }
}
