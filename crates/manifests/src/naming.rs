//! Names that Kubernetes, Prometheus and Grafana accept, made from whatever a team calls things.
//!
//! Two different names never become the same one unseen: where something of a name cannot be kept, a part of its hash follows.

use sha2::{Digest as _, Sha256};

/// The longest name of a service or a label's value.
const LONGEST_LABEL: usize = 63;

/// How much of a hash tells names apart.
const HASH_LENGTH: usize = 8;

/// The SHA-256 of a text, in hexadecimal.
pub(crate) fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A DNS label (RFC 1035): at most `room` of `a-z`, `0-9` and `-`, beginning with a letter and ending with a letter or digit.
/// Blanks and punctuation become single hyphens; whoever needs a suffix asks for less room than 63.
pub(crate) fn dns_label(name: &str, room: usize) -> String {
    let room = room.clamp(2 + HASH_LENGTH, LONGEST_LABEL);
    let mut label = String::new();
    let mut lost = false;
    for char in name.chars() {
        if char.is_ascii_alphanumeric() {
            label.push(char.to_ascii_lowercase());
        } else {
            lost |= !char.is_ascii();
            if !label.is_empty() && !label.ends_with('-') {
                label.push('-');
            }
        }
    }
    let label = label.trim_matches('-');
    let starts_with_letter = label.starts_with(|first: char| first.is_ascii_lowercase());
    let label = if starts_with_letter { label.to_owned() } else { format!("p-{label}") };
    let label = label.trim_end_matches('-');
    if label.len() <= room && !lost {
        return label.to_owned();
    }
    let kept: String = label.chars().take(room - HASH_LENGTH - 1).collect();
    let hash = hash(name);
    format!("{}-{}", kept.trim_end_matches('-'), &hash[..HASH_LENGTH])
}

/// A word in CamelCase of ASCII letters and digits, which begins with a letter: a name of an alert.
pub(crate) fn camel_case(name: &str) -> String {
    dns_label(name, LONGEST_LABEL)
        .split('-')
        .map(|word| {
            let mut chars = word.chars();
            let first = chars.next().map(|first| first.to_ascii_uppercase());
            first.into_iter().chain(chars).collect::<String>()
        })
        .collect()
}

/// Whether a text is a DNS label already.
#[cfg(test)]
pub(crate) fn is_dns_label(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= LONGEST_LABEL
        && text.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-')
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_names_stay_readable() {
        assert_eq!(dns_label("Acme Support!", 63), "acme-support");
        assert_eq!(dns_label("gpt-4o_mini", 63), "gpt-4o-mini");
        assert_eq!(dns_label("3 lakes", 63), "p-3-lakes");
        assert_eq!(camel_case("ttft p95"), "TtftP95");
    }

    #[test]
    fn names_of_other_scripts_are_told_apart() {
        let (japan, korea) = (dns_label("日本", 63), dns_label("한국", 63));
        assert_ne!(japan, korea);
        assert!(is_dns_label(&japan) && is_dns_label(&korea), "{japan} {korea}");
        assert_ne!(dns_label("café", 63), dns_label("caf", 63));
    }

    proptest! {
        #[test]
        fn every_name_becomes_a_label_that_fits(name in "\\PC{0,90}", room in 12usize..=63) {
            let label = dns_label(&name, room);
            prop_assert!(is_dns_label(&label), "{label:?}");
            prop_assert!(label.len() <= room);
            let alert = camel_case(&name);
            prop_assert!(alert.chars().all(|char| char.is_ascii_alphanumeric()));
            prop_assert!(alert.starts_with(|first: char| first.is_ascii_uppercase()));
        }
    }
}
