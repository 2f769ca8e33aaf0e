//! `[storage]`: where data is kept.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

/// Where data is kept.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawStorage {
    /// The folder for everything that Mainstay keeps; a relative path starts at the folder of this file.
    #[schemars(example = "./mainstay-data", length(min = 1))]
    data_dir: Option<String>,
}

/// Where data is kept, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Storage {
    /// The folder for everything that Mainstay keeps, as the working folder reaches it.
    pub(crate) data_dir: PathBuf,
}

const DATA_DIR: &str = "./mainstay-data";

impl RawStorage {
    /// The section, checked.
    pub(crate) fn check(self, folder: &Path) -> Storage {
        let data_dir = self.data_dir.unwrap_or_else(|| DATA_DIR.to_owned());
        Storage { data_dir: folder.join(data_dir) }
    }
}
