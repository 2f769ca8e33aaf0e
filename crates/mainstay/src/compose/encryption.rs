//! The master key of the configuration, and the store that is opened with it.

use std::path::Path;

use anyhow::Context;
use mainstay_domain::Clock;
use mainstay_store::{DataDir, EmbeddedStore};
use mainstay_vault::{CommandKms, MasterKey, MasterKeyId, MasterKeys};
use tokio_util::sync::CancellationToken;

use crate::config::sections::storage::{Encryption, Storage};

/// Opens the store of a data folder, sealed where the configuration says so.
pub(super) async fn open_store(storage: &Storage, clock: Clock) -> anyhow::Result<EmbeddedStore> {
    let folder = DataDir::open(&storage.data_dir)?;
    let Some(encryption) = &storage.encryption else { return Ok(EmbeddedStore::open(folder, clock).await?) };
    let in_file =
        |path: &Path| MasterKey::from_file(path).context("storage.encryption.key_file cannot be used");
    let masters = match encryption {
        Encryption::KeyFile(path) => MasterKeys::new(in_file(path)?),
        Encryption::Command { key_id, command, previous } => {
            let (program, arguments) =
                command.split_first().context("storage.encryption.command is empty")?;
            let id = MasterKeyId::new(key_id);
            let masters =
                MasterKeys::new(MasterKey::command(CommandKms::new(id, program, arguments.to_vec(), clock)));
            match previous {
                Some(path) => masters.and_previous(in_file(path)?),
                None => masters,
            }
        }
    };
    Ok(EmbeddedStore::open_sealed(folder, clock, masters).await?)
}

/// Moves the tenants' keys to the master key that counts now, and seals what was stored before there was one, while others
/// work.
pub(super) async fn seal_what_is_plain(store: EmbeddedStore, stop: CancellationToken) {
    let Some(keys) = store.tenant_keys() else { return };
    match keys.rewrap().await {
        Ok(rewrapped) if rewrapped.moved > 0 => {
            tracing::info!(
                keys = rewrapped.moved,
                "the keys of the tenants are protected by the new master key"
            );
        }
        Ok(_) => {}
        Err(error) => {
            tracing::error!(%error, "keys of tenants could not be moved to the new master key; the next start tries again")
        }
    }
    match store.seal_what_is_plain(&stop, |_| {}).await {
        Ok(progress) if progress.finished => tracing::debug!("every document is sealed"),
        Ok(_) => {}
        Err(error) => {
            tracing::error!(%error, "documents that were stored before could not be sealed; the next start tries again")
        }
    }
}
