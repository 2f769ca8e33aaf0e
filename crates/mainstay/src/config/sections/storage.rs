//! `[storage]`: where data is kept.

use std::path::{Path, PathBuf};

use mainstay_domain::config::{ByteSize, Findings, KeyPath};
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
    /// Encryption of documents with a key per tenant; without it, they are kept as they are.
    encryption: Option<RawEncryption>,
}

/// Where the master key is, which protects the keys of the tenants. Where both a file and a command are named, the command
/// counts, and what the file protects is moved to it.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
struct RawEncryption {
    /// A file with 32 random bytes as hexadecimal digits or base64, which only its owner may read; a relative path starts at
    /// the folder of this file. `mainstay keys master` makes one.
    #[schemars(example = "master.key", length(min = 1))]
    key_file: Option<String>,
    /// A command that wraps and unwraps keys, as a key management service does: it is called with `wrap` or `unwrap` behind
    /// its arguments, gets base64 and answers it.
    #[schemars(example = ["/usr/local/bin/kms-wrap", "alias/mainstay"], length(min = 1), inner(length(min = 1)))]
    command: Option<Vec<String>>,
    /// The name of the key that the command uses: another name is another key.
    #[schemars(example = &"production", length(min = 1))]
    key_id: Option<String>,
}

/// Where the master key is, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Encryption {
    /// In a file.
    KeyFile(PathBuf),
    /// Behind a command.
    Command {
        /// The name of the key.
        key_id: String,
        /// The program and its arguments; never empty.
        command: Vec<String>,
        /// The file with the key that counted before, whose keys are moved.
        previous: Option<PathBuf>,
    },
}

impl RawEncryption {
    fn check(self, at: &KeyPath, folder: &Path, findings: &mut Findings) -> Encryption {
        match (self.key_file, self.command) {
            (Some(path), None) if !path.is_empty() => {
                if self.key_id.is_some() {
                    findings.report(
                        &at.key("key_id"),
                        "a key in a file is known by what it is",
                        "leave key_id out",
                    );
                }
                Encryption::KeyFile(folder.join(path))
            }
            (previous, Some(command)) => {
                let key_id = self.key_id.unwrap_or_default();
                if command.first().is_none_or(String::is_empty) {
                    let hint = "For example: command = [\"/usr/local/bin/kms-wrap\"]";
                    findings.report(&at.key("command"), "there is no program in it", hint);
                }
                if key_id.is_empty() {
                    findings.report(
                        &at.key("key_id"),
                        "the key that the command uses has no name",
                        "For example: key_id = \"production\"",
                    );
                }
                let previous = previous.map(|path| folder.join(path));
                Encryption::Command { key_id, command, previous }
            }
            _ => {
                findings.report(
                    &at.key("key_file"),
                    "it is not said in one way where the master key is",
                    "name one of key_file and command. For example: key_file = \"master.key\"",
                );
                Encryption::KeyFile(PathBuf::new())
            }
        }
    }
}

/// Where data is kept, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Storage {
    /// The folder for everything that Mainstay keeps, as the working folder reaches it.
    pub(crate) data_dir: PathBuf,
    /// The most that is kept of vectors that a provider made, in bytes; 0 keeps none.
    pub(crate) embedding_cache: u64,
    /// Where the master key is, where documents are encrypted.
    pub(crate) encryption: Option<Encryption>,
}

const DATA_DIR: &str = "./mainstay-data";
const EMBEDDING_CACHE: ByteSize = ByteSize(1 << 30);

impl RawStorage {
    /// The section, checked.
    pub(crate) fn check(self, at: &KeyPath, folder: &Path, findings: &mut Findings) -> Storage {
        let data_dir = self.data_dir.unwrap_or_else(|| DATA_DIR.to_owned());
        let ByteSize(embedding_cache) = self.embedding_cache.unwrap_or(EMBEDDING_CACHE);
        let encryption = self.encryption.map(|raw| raw.check(&at.key("encryption"), folder, findings));
        Storage { data_dir: folder.join(data_dir), embedding_cache, encryption }
    }
}
