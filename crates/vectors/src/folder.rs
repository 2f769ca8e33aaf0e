//! Names of tenants and corpora as names of folders.
//!
//! Ids are any text at all, also `../..`, `NUL`, `A` beside `a`, or 10,000 characters. The name of the folder is safe on
//! every file system, also on those that ignore case or Unicode form: only `a-z`, `0-9`, `-`, `_` and `=`. Two different
//! ids never share one.

use sha2::{Digest, Sha256};

/// Longest name that spells its id out, in bytes. File systems allow 255; two of these and what lies below them stay
/// below the limit that some set to a whole path.
const MAX_SPELLED: usize = 80;

/// Names that Windows reserves, with any ending.
const RESERVED: [&str; 4] = ["con", "prn", "aux", "nul"];

/// The folder of an id. `a-z`, `0-9`, `-` and `_` stand for themselves, every other byte of the UTF-8 text for `=` and two
/// hexadecimal digits. An id that is too long for that becomes `=h` and its SHA-256; nothing becomes `=`.
pub fn folder_name(id: &str) -> String {
    if id.is_empty() {
        return "=".to_owned();
    }
    let spelled = spell(id);
    if spelled.len() > MAX_SPELLED { format!("=h{}", hex(&Sha256::digest(id.as_bytes()))) } else { spelled }
}

/// The id of a folder, where its name spells it out; `None` for a hashed one and for what is not ours.
pub(crate) fn spelled_id(folder: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(folder.len());
    let mut rest = folder.as_bytes();
    if folder != "=" {
        while let Some((&first, tail)) = rest.split_first() {
            if first == b'=' {
                let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                rest = &tail[2..];
            } else {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    let id = String::from_utf8(bytes).ok()?;
    (folder_name(&id) == folder).then_some(id)
}

fn spell(id: &str) -> String {
    let mut spelled = String::with_capacity(id.len());
    for (index, &byte) in id.as_bytes().iter().enumerate() {
        let plain = matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        if plain && !(index == 0 && is_reserved(id)) {
            spelled.push(char::from(byte));
        } else {
            spelled.push('=');
            spelled.push_str(&hex(&[byte]));
        }
    }
    spelled
}

fn is_reserved(id: &str) -> bool {
    RESERVED.contains(&id)
        || ["com", "lpt"].iter().any(|port| id.strip_prefix(port).is_some_and(|number| number.len() == 1))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all that is written");
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn usual_names_are_readable_and_hostile_ones_are_spelled_out() {
        for (id, folder) in [
            ("default", "default"),
            ("hand-book_2", "hand-book_2"),
            ("", "="),
            ("Acme", "=41cme"),
            ("..", "=2e=2e"),
            ("a/b", "a=2fb"),
            ("a\\b", "a=5cb"),
            ("nul", "=6eul"),
            ("com1", "=63om1"),
            ("=", "=3d"),
            ("é", "=c3=a9"),
        ] {
            assert_eq!(folder_name(id), folder);
            assert_eq!(spelled_id(folder).as_deref(), Some(id));
        }
    }

    #[test]
    fn what_we_did_not_write_is_no_id() {
        for folder in ["", "A", "=4", "=zz", "=61", "nul", ".lock", "=ff", "a.b", "=2E=2e"] {
            assert_eq!(spelled_id(folder), None, "{folder}");
        }
    }

    /// Ids as an attacker would choose them, beside any text.
    fn ids() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "[a-zA-Z0-9._=/\\\\-]{0,40}",
            "(con|prn|aux|nul|com[0-9]|lpt[0-9]|\\.|\\.\\.)",
            "[a-c]{70,90}",
            "\\PC{100,400}",
        ]
    }

    proptest! {
        #[test]
        fn a_folder_name_is_safe_everywhere_and_bounded(id in ids()) {
            let folder = folder_name(&id);
            prop_assert!(!folder.is_empty() && folder.len() <= MAX_SPELLED);
            prop_assert!(folder.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'=')));
            prop_assert!(!is_reserved(&folder));
        }

        #[test]
        fn an_id_of_usual_length_can_be_read_back(id in ids()) {
            let folder = folder_name(&id);
            match spelled_id(&folder) {
                Some(read) => prop_assert_eq!(read, id),
                None => prop_assert!(folder.starts_with("=h") && spell(&id).len() > MAX_SPELLED),
            }
        }

        #[test]
        fn different_ids_have_different_folders_even_without_case(one in ids(), other in ids()) {
            let (folder, other_folder) = (folder_name(&one), folder_name(&other));
            prop_assert_eq!(one == other, folder.eq_ignore_ascii_case(&other_folder));
        }
    }
}
