//! How verbs of one machine find the Mainstay that runs there.

use std::path::{Path, PathBuf};

use anyhow::Context;
use mainstay_store::{DataDir, DataDirError};
use serde::{Deserialize, Serialize};

use crate::client::Client;

/// What lets other verbs of this machine find the Mainstay that runs on a data folder: its address and a key for it, in a
/// file that only the owner can read, for as long as it runs.
#[derive(Serialize, Deserialize)]
pub(crate) struct Running {
    /// Its address.
    pub(super) url: String,
    /// A key for it, made anew at every start.
    pub(super) key: String,
    /// The most bytes that it takes in one request.
    pub(super) body_limit: usize,
}

impl Running {
    /// A client of it.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.url, &self.key, None).with_body_limit(self.body_limit)
    }
}

/// The file with a [`Running`]; removed when dropped.
pub(super) struct RunningFile {
    path: PathBuf,
}

const RUNNING_FILE: &str = "running.json";

impl RunningFile {
    pub(super) fn write(data_dir: &Path, running: &Running) -> anyhow::Result<Self> {
        let path = data_dir.join(RUNNING_FILE);
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).with_context(|| format!("{} cannot be written", path.display()))?;
        serde_json::to_writer(file, running)?;
        Ok(Self { path })
    }
}

impl Drop for RunningFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, "the file of the running process could not be removed");
        }
    }
}

/// The Mainstay that runs on a data folder, if one does. What a killed process left behind does not count: nobody holds
/// its lock.
pub(crate) fn running_on(data_dir: &Path) -> Option<Running> {
    let text = std::fs::read_to_string(data_dir.join(RUNNING_FILE)).ok()?;
    let in_use = matches!(DataDir::open(data_dir), Err(DataDirError::InUse { .. }));
    in_use.then(|| serde_json::from_str(&text).ok()).flatten()
}
