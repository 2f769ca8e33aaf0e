//! Secrets: the file says where one is, never what it is.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::value::{ConfigValue, ValueError, config_value};

/// Where a secret is to be found: `env:NAME` or `file:PATH`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum SecretRef {
    /// In an environment variable.
    Environment(String),
    /// In a file, which holds nothing else. A relative path starts at the folder of `mainstay.toml`.
    File(PathBuf),
}

// `writeOnly` tells the reader that a wrong value may be a secret, so that no message shows it.
config_value!(SecretRef, "secret", {
    "type": "string",
    "pattern": "^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$",
    "writeOnly": true,
    "examples": ["env:OPENAI_API_KEY", "file:/run/secrets/openai"],
});

impl ConfigValue for SecretRef {
    const EXPECTED: &'static str = "a place of a secret such as \"env:OPENAI_API_KEY\"";

    fn from_text(text: &str) -> Result<Self, ValueError> {
        let trimmed = text.trim();
        if let Some(name) = trimmed.strip_prefix("env:") {
            let starts_well = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
            if starts_well && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                return Ok(Self::Environment(name.to_owned()));
            }
            return Err(ValueError::Refused("after \"env:\" comes the name of an environment variable"));
        }
        match trimmed.strip_prefix("file:") {
            Some("") => Err(ValueError::Refused("after \"file:\" comes the path of a file")),
            Some(path) => Ok(Self::File(PathBuf::from(path))),
            None => Err(ValueError::Refused(
                "a secret must not stand in this file: say where it is, as \"env:NAME\" or \"file:PATH\"",
            )),
        }
    }

    fn from_number(_: f64) -> Result<Self, ValueError> {
        Err(ValueError::Refused("a secret is given as \"env:NAME\" or \"file:PATH\""))
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

/// What looks secrets up. The binary implements it, so that no library reads the environment.
pub trait SecretSource {
    /// The environment variable, if it is set.
    fn environment(&self, name: &str) -> Option<String>;

    /// The text of the file.
    fn file(&self, path: &Path) -> io::Result<String>;
}

impl SecretRef {
    /// Fetches the secret. A line end after it is not part of it.
    pub fn resolve(&self, source: &dyn SecretSource) -> Result<Secret, SecretError> {
        let found = match self {
            Self::Environment(name) => {
                source.environment(name).ok_or_else(|| SecretError::Unset { name: name.clone() })?
            }
            Self::File(path) => {
                source.file(path).map_err(|cause| SecretError::Unreadable { path: path.clone(), cause })?
            }
        };
        let found = Zeroizing::new(found);
        let text = found.trim_end_matches(['\n', '\r']);
        if text.is_empty() { Err(SecretError::Empty { place: self.clone() }) } else { Ok(Secret::new(text)) }
    }
}

/// Why a secret could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The environment variable is not set.
    #[error("the environment variable {name} is not set: set it, or take out the key that refers to it")]
    Unset {
        /// Its name.
        name: String,
    },
    /// The file cannot be read.
    #[error("the secret's file {} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// There is nothing in it.
    #[error("{place} is empty")]
    Empty {
        /// The place.
        place: SecretRef,
    },
}

/// A secret in memory: never printed, wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a copy of the text as a secret.
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// The secret itself, for the place that sends it. Not for messages, logs or traces.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct OneOfEach;

    impl SecretSource for OneOfEach {
        fn environment(&self, name: &str) -> Option<String> {
            (name == "KEY").then(|| "sk-1".to_owned())
        }

        fn file(&self, path: &Path) -> io::Result<String> {
            match path.to_str() {
                Some("key.txt") => Ok("sk-2\r\n".to_owned()),
                Some("empty.txt") => Ok("\n".to_owned()),
                _ => Err(io::ErrorKind::NotFound.into()),
            }
        }
    }

    #[test]
    fn references_are_resolved_by_the_source_they_are_given() {
        let resolve = |text: &str| text.parse::<SecretRef>().expect(text).resolve(&OneOfEach);
        assert_eq!(resolve("env:KEY").expect("set").expose(), "sk-1");
        assert_eq!(resolve("file:key.txt").expect("a file").expose(), "sk-2");
        assert!(matches!(resolve("env:OTHER"), Err(SecretError::Unset { name }) if name == "OTHER"));
        assert!(matches!(resolve("file:none.txt"), Err(SecretError::Unreadable { .. })));
        assert!(matches!(resolve("file:empty.txt"), Err(SecretError::Empty { .. })));
    }

    #[test]
    fn a_literal_secret_is_refused_and_not_repeated() {
        for text in ["sk-hunter2", "env:", "env:A-B hunter2", "env:1X", "file:", "", "hunter2"] {
            let message = text.parse::<SecretRef>().expect_err(text).to_string();
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn a_secret_does_not_show_in_debug_output() {
        assert_eq!(format!("{:?}", Some(Secret::new("hunter2"))), "Some(Secret(…))");
    }
}
