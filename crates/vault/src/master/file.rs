//! A master key in a file.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::key_bytes::{KeyBytes, NoRandomness};

/// The rights of the file: its owner reads and writes.
const MODE: u32 = 0o600;

/// A key file is shorter; whatever is longer is some other file.
const MAX_FILE_BYTES: u64 = 1_024;

/// Reads a key.
pub(super) fn read(path: &Path) -> Result<KeyBytes, KeyFileError> {
    let failed = |source| KeyFileError::Unreadable { path: path.to_owned(), source };
    let is_regular =
        |metadata: fs::Metadata| if metadata.is_file() { Ok(metadata) } else { Err(not_a_file(path)) };
    // Before it is opened, because opening a pipe waits for its writer; and again on what was opened, because somebody may
    // have put another file there.
    is_regular(fs::metadata(path).map_err(failed)?)?;
    let file = File::open(path).map_err(failed)?;
    let metadata = is_regular(file.metadata().map_err(failed)?)?;
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Exposed { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_FILE_BYTES as usize + 1));
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut text).map_err(failed)?;
    let key = parse(text.trim_ascii()).ok_or_else(|| KeyFileError::NoKey { path: path.to_owned() })?;
    let first = key.expose()[0];
    if key.expose().iter().all(|byte| *byte == first) {
        return Err(KeyFileError::NotRandom { path: path.to_owned() });
    }
    Ok(key)
}

fn not_a_file(path: &Path) -> KeyFileError {
    KeyFileError::NotAFile { path: path.to_owned() }
}

/// 64 hexadecimal digits, or base64 of 32 bytes, which is 44 characters long: neither can be taken for the other.
fn parse(text: &[u8]) -> Option<KeyBytes> {
    let mut bytes = Zeroizing::new([0_u8; 48]);
    let length = if text.len() == 2 * KeyBytes::LENGTH {
        for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            *byte = (hex_digit(digits[0])? << 4) | hex_digit(digits[1])?;
        }
        KeyBytes::LENGTH
    } else {
        STANDARD.decode_slice(text, bytes.as_mut_slice()).ok()?
    };
    KeyBytes::copy_of(&bytes[..length])
}

fn hex_digit(character: u8) -> Option<u8> {
    (character as char).to_digit(16).map(|digit| digit as u8)
}

/// Makes a key and its file.
pub(super) fn generate(path: &Path) -> Result<KeyBytes, KeyFileError> {
    let key = KeyBytes::generate()?;
    let failed = |source| KeyFileError::NotWritten { path: path.to_owned(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or_else(|| not_a_file(path))?;
    let mut beside = [0; 8];
    crate::key_bytes::fill_random(&mut beside)?;
    let unfinished = folder.join(format!(".{}.{:016x}", name.to_string_lossy(), u64::from_be_bytes(beside)));
    let linked = write_whole(&unfinished, &key).and_then(|()| {
        // Unlike a rename, a link never takes the place of a file.
        fs::hard_link(&unfinished, path)
    });
    // Also when it was not written to its end.
    let removed = fs::remove_file(&unfinished);
    match linked {
        Ok(()) => {
            removed.and_then(|()| File::open(folder)?.sync_all()).map_err(failed)?;
            Ok(key)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(KeyFileError::Exists { path: path.to_owned() })
        }
        Err(error) => Err(failed(error)),
    }
}

fn write_whole(path: &Path, key: &KeyBytes) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)?;
    // The mode above is narrowed by the process's mask, which may have taken the owner's own rights.
    file.set_permissions(Permissions::from_mode(MODE))?;
    let mut text = Zeroizing::new(Vec::with_capacity(2 * KeyBytes::LENGTH + 1));
    for byte in key.expose() {
        text.extend([byte >> 4, byte & 0xf].map(|digit| b"0123456789abcdef"[usize::from(digit)]));
    }
    text.push(b'\n');
    file.write_all(&text)?;
    file.sync_all()
}

/// Why there is no master key from a file.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read.
    #[error("the master key's file {path:?} cannot be read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Others may read or write it.
    #[error("the master key's file {path:?} is open to others (mode {mode:03o}): chmod 600 {path:?}")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its rights.
        mode: u32,
    },
    /// It is a folder, a pipe or a device.
    #[error(
        "the master key's path {path:?} is no regular file: name a file that holds the key, or can be made"
    )]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// Its text is no key.
    #[error(
        "the master key's file {path:?} does not hold a key: 32 random bytes as 64 hexadecimal digits or in base64, as \
         `openssl rand -hex 32` writes them"
    )]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// All bytes of the key are the same.
    #[error(
        "the master key in {path:?} is one byte over and over, which anybody guesses: use `openssl rand -hex 32`"
    )]
    NotRandom {
        /// The file.
        path: PathBuf,
    },
    /// The file of a new key exists.
    #[error(
        "{path:?} exists and is left as it is: a master key that is overwritten takes all sealed data with it; name \
         another path"
    )]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file of a new key could not be written.
    #[error("the master key could not be written to {path:?}")]
    NotWritten {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The operating system gave no randomness.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1E1F";

    fn file_with(folder: &tempfile::TempDir, text: &[u8], mode: u32) -> PathBuf {
        let path = folder.path().join("key");
        fs::write(&path, text).expect("writable");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("ours");
        path
    }

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder")
    }

    #[test]
    fn a_key_is_read_from_hexadecimal_digits_or_base64_with_or_without_a_line_end() {
        let bytes: Vec<u8> = (0..32).collect();
        let base64 = STANDARD.encode(&bytes);
        for text in [HEX, &format!("{HEX}\n"), &base64, &format!("{base64}\r\n")] {
            let folder = folder();
            let key = read(&file_with(&folder, text.as_bytes(), 0o400)).expect(text);
            assert_eq!(key.expose().as_slice(), bytes, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_repeated() {
        let long = HEX.repeat(100);
        let not_hex = HEX.replace('a', "g");
        for text in ["", "\n", "c2hvcnQ=", &HEX[..63], &HEX[..62], &not_hex, &long, "\u{e4}\u{f6}"] {
            let folder = folder();
            let error = read(&file_with(&folder, text.as_bytes(), 0o600)).expect_err(text);
            assert!(matches!(error, KeyFileError::NoKey { .. }), "{text:?}: {error}");
            assert!(!format!("{error}{error:?}").contains("0102030405"), "{error:?}");
        }
    }

    #[test]
    fn a_key_of_equal_bytes_is_refused() {
        let folder = folder();
        let error = read(&file_with(&folder, "00".repeat(32).as_bytes(), 0o600)).expect_err("no key");
        assert!(matches!(error, KeyFileError::NotRandom { .. }), "{error}");
    }

    #[test]
    fn a_file_that_others_may_touch_is_refused_and_the_message_says_what_to_type() {
        for mode in [0o640, 0o604, 0o660, 0o622, 0o610, 0o644, 0o777] {
            let folder = folder();
            let path = file_with(&folder, HEX.as_bytes(), mode);
            let message = read(&path).expect_err("open to others").to_string();
            assert!(message.contains(&format!("chmod 600 {path:?}")), "{message}");
            assert!(message.contains(&format!("{mode:03o}")), "{message}");
        }
    }

    #[test]
    fn a_folder_or_nothing_is_no_key_file() {
        let folder = folder();
        assert!(matches!(read(folder.path()), Err(KeyFileError::NotAFile { .. })));
        assert!(matches!(read(&folder.path().join("none")), Err(KeyFileError::Unreadable { .. })));
    }

    #[test]
    fn a_generated_file_is_its_owners_alone_and_holds_the_key() {
        let folder = folder();
        let path = folder.path().join("master.key");
        let key = generate(&path).expect("a new file");
        assert_eq!(read(&path).expect("readable").expose(), key.expose());
        assert_eq!(fs::metadata(&path).expect("exists").mode() & 0o7777, MODE);
        let names: Vec<_> = fs::read_dir(folder.path()).expect("a folder").collect();
        assert_eq!(names.len(), 1, "nothing is left beside it: {names:?}");
    }

    #[test]
    fn generating_never_touches_what_exists() {
        let folder = folder();
        let path = file_with(&folder, b"something else", 0o600);
        let dangling = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("none"), &dangling).expect("a link");
        for existing in [&path, &dangling] {
            let error = generate(existing).expect_err("exists");
            assert!(matches!(error, KeyFileError::Exists { .. }), "{error}");
        }
        assert_eq!(fs::read(&path).expect("still there"), b"something else");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2);
    }

    #[test]
    fn generating_into_no_folder_says_where() {
        let folder = folder();
        let error = generate(&folder.path().join("none/key")).expect_err("no folder");
        assert!(matches!(error, KeyFileError::NotWritten { .. }), "{error}");
    }
}
