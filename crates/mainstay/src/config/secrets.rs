//! Where secrets come from: the environment and the files of this machine.

use std::path::{Path, PathBuf};
use std::{fs, io};

use mainstay_domain::config::SecretSource;

/// This process's environment, and files relative to the folder of `mainstay.toml`.
pub(crate) struct Surroundings {
    folder: PathBuf,
}

impl Surroundings {
    /// The surroundings of a configuration in this folder.
    pub(crate) fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }
}

impl SecretSource for Surroundings {
    #[expect(clippy::disallowed_methods, reason = "the binary reads the environment and hands values down")]
    fn environment(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        fs::read_to_string(self.folder.join(path))
    }
}
