//! One message under one key: AES-256-GCM with a key of its own for every message.
//!
//! GCM breaks when one key sees the same 96-bit nonce twice, which random nonces make likely after some 2^32 messages: a
//! number that a large tenant reaches in blocks of text. So the key of a message is derived from the given one with 96
//! more random bits, the salt, and with the place for which it is sealed. Two messages share a key and a nonce only when
//! 192 random bits are the same *and* the place is: after 2^80 messages the chance is 2^-32. There is nothing to count,
//! and a snapshot of a virtual machine that repeats its randomness hurts only where the same record is written again.
//!
//! The derivation is HKDF-Expand (RFC 5869) with HMAC-SHA-256; the step before it, which makes a uniform key, may be left
//! out where the key is uniform already, as all of ours are.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf;

use crate::key_bytes::{KeyBytes, NoRandomness, fill_random};

const SALT_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const PREFIX_BYTES: usize = SALT_BYTES + NONCE_LEN;

/// Bytes that encrypting adds: salt, nonce and tag.
pub(crate) const ADDED_BYTES: usize = PREFIX_BYTES + TAG_BYTES;

/// What a key is used for. No two uses of one key derive the same bytes from it.
#[derive(Clone, Copy)]
pub(crate) enum Use {
    /// Data of a tenant.
    Data,
    /// Data keys under a master key.
    Wrap,
    /// What tells that a data key belongs to its tenant and version.
    KeyCheck,
    /// The public name of a master key.
    KeyId,
    /// Tags by which sealed values are found.
    Lookup,
}

impl Use {
    /// Labels have one length, so that what follows them in a derivation cannot be taken for a part of them.
    const fn label(self) -> &'static [u8; 24] {
        match self {
            Self::Data => b"mainstay vault 1: data  ",
            Self::Wrap => b"mainstay vault 1: wrap  ",
            Self::KeyCheck => b"mainstay vault 1: check ",
            Self::KeyId => b"mainstay vault 1: key id",
            Self::Lookup => b"mainstay vault 1: lookup",
        }
    }
}

/// Encrypts: the result is the header as it is, salt, nonce, ciphertext, tag. Header and context are authenticated; the
/// context must be such that no two places have the same.
pub(crate) fn encrypt(
    key: &KeyBytes,
    purpose: Use,
    header: &[u8],
    context: &[u8],
    plain: &[u8],
) -> Result<Vec<u8>, EncryptError> {
    let mut message = Vec::with_capacity(header.len() + ADDED_BYTES + plain.len());
    message.extend_from_slice(header);
    let mut random = [0; PREFIX_BYTES];
    fill_random(&mut random)?;
    message.extend_from_slice(&random);
    let body = message.len();
    message.extend_from_slice(plain);
    let (salt, nonce) = split_prefix(&random);
    let tag = message_key(key, purpose, salt, context)
        .seal_in_place_separate_tag(nonce, authenticated(header, context), &mut message[body..])
        .map_err(|_| EncryptError::TooLong { bytes: plain.len() })?;
    message.extend_from_slice(tag.as_ref());
    Ok(message)
}

/// Decrypts what [`encrypt`] made, with the header as the first bytes of the message; `None` when anything of it, the
/// context or the key is another.
pub(crate) fn decrypt(
    key: &KeyBytes,
    purpose: Use,
    header_bytes: usize,
    context: &[u8],
    message: &[u8],
) -> Option<Vec<u8>> {
    let (header, rest) = message.split_at_checked(header_bytes)?;
    let (prefix, body) = rest.split_first_chunk::<PREFIX_BYTES>()?;
    let (salt, nonce) = split_prefix(prefix);
    let mut plain = body.to_vec();
    let length = message_key(key, purpose, salt, context)
        .open_in_place(nonce, authenticated(header, context), &mut plain)
        .ok()?
        .len();
    plain.truncate(length);
    Some(plain)
}

/// Derives 32 bytes from the key that say nothing about it.
pub(crate) fn derive(key: &KeyBytes, purpose: Use, info: &[u8], into: &mut [u8; 32]) {
    pseudorandom_key(key)
        .expand(&[purpose.label(), info], hkdf::HKDF_SHA256)
        .and_then(|bytes| bytes.fill(into))
        .expect("HKDF gives up to 8,160 bytes");
}

fn message_key(key: &KeyBytes, purpose: Use, salt: &[u8], context: &[u8]) -> LessSafeKey {
    let parts = [purpose.label().as_slice(), salt, context];
    let prk = pseudorandom_key(key);
    let bytes = prk.expand(&parts, &AES_256_GCM).expect("HKDF gives up to 8,160 bytes");
    LessSafeKey::new(UnboundKey::from(bytes))
}

fn pseudorandom_key(key: &KeyBytes) -> hkdf::Prk {
    hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, key.expose())
}

fn split_prefix(prefix: &[u8; PREFIX_BYTES]) -> (&[u8], Nonce) {
    let (salt, nonce) = prefix.split_at(SALT_BYTES);
    (salt, Nonce::try_assume_unique_for_key(nonce).expect("the prefix ends with a nonce"))
}

/// The context is in the key already; in here too, so that a message does not hang on the derivation alone.
fn authenticated(header: &[u8], context: &[u8]) -> Aad<Vec<u8>> {
    Aad::from([header, context].concat())
}

/// Why something could not be encrypted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EncryptError {
    /// The operating system gave no randomness.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// AES-GCM takes at most 64 GiB in one message.
    #[error("{bytes} bytes are too many for one sealed value: cut them into pieces below 64 GiB")]
    TooLong {
        /// How many bytes there are.
        bytes: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_use_of_a_key_derives_other_bytes() {
        let key = KeyBytes::copy_of(&[7; 32]).expect("32 bytes");
        let derived: std::collections::HashSet<_> =
            [Use::Data, Use::Wrap, Use::KeyCheck, Use::KeyId, Use::Lookup]
                .map(|purpose| {
                    let mut bytes = [0; 32];
                    derive(&key, purpose, b"x", &mut bytes);
                    bytes
                })
                .into();
        assert_eq!(derived.len(), 5);
    }

    /// Computed with Python: `HMAC-SHA256(key, label + salt + context + b"\x01")` is the key of the message, and
    /// `cryptography.hazmat`'s AESGCM made ciphertext and tag. It holds the format fixed: what was sealed must open.
    #[test]
    fn a_message_that_another_implementation_made_opens() {
        let key = KeyBytes::copy_of(&[7; 32]).expect("32 bytes");
        let message = include_bytes!("known_message.bin");
        let plain = decrypt(&key, Use::Data, 1, b"place", message);
        assert_eq!(plain.as_deref(), Some(b"known plain text".as_slice()));
    }
}
