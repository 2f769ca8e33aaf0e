//! `[storage]`: where data is kept.

use std::path::{Path, PathBuf};

use mainstay_domain::config::ByteSize;
use schemars::JsonSchema;
use serde::Deserialize;

/// Where data is kept.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawStorage {
    /// The folder for everything that Mainstay keeps; a relative path starts at the folder of this file.
    #[schemars(example = "./mainstay-data", length(min = 1))]
    data_dir: Option<String>,
    /// The most that is kept of vectors that a provider made of documents, so that a text that did not change is not paid
    /// for again; 0B keeps none.
    #[schemars(example = "1GiB")]
    embedding_cache: Option<ByteSize>,
}

/// Where data is kept, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Storage {
    /// The folder for everything that Mainstay keeps, as the working folder reaches it.
    pub(crate) data_dir: PathBuf,
    /// The most that is kept of vectors that a provider made, in bytes; 0 keeps none.
    pub(crate) embedding_cache: u64,
}

const DATA_DIR: &str = "./mainstay-data";
const EMBEDDING_CACHE: ByteSize = ByteSize(1 << 30);

impl RawStorage {
    /// The section, checked.
    pub(crate) fn check(self, folder: &Path) -> Storage {
        let data_dir = self.data_dir.unwrap_or_else(|| DATA_DIR.to_owned());
        let ByteSize(embedding_cache) = self.embedding_cache.unwrap_or(EMBEDDING_CACHE);
        Storage { data_dir: folder.join(data_dir), embedding_cache }
    }
}
