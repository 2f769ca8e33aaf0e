//! The public keys of an issuer: a JWK set, RFC 7517.

use serde_json::{Map, Value};

use super::json;
use super::key::{Algorithm, Key, Unusable};

/// Largest set, in bytes. Those of the large providers have a few thousand.
const LARGEST: usize = 1024 * 1024;

/// Most keys in a set. Providers have two to ten.
const MOST: usize = 200;

/// The keys of a set that can check tokens; at least one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct KeySet {
    keys: Vec<Key>,
}

/// Why a text is no key set that can be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeySetFault {
    /// It is too large.
    #[error("the key set is larger than {LARGEST} bytes")]
    TooLarge,
    /// It is no JWK set.
    #[error(
        "the key set is not JSON of the form {{\"keys\": [{{…}}, …]}}; is this the address of the keys themselves?"
    )]
    Malformed,
    /// There are too many keys.
    #[error("the key set has more than {MOST} keys")]
    TooMany,
    /// No key of it can be used.
    #[error(
        "no key of the key set can check tokens: it needs RSA keys of 2048 to 8192 bits, or keys on P-256, P-384 or Ed25519, \
         that are for signatures"
    )]
    NothingUsable,
    /// A key of a set that stands in the settings is too weak.
    #[error(
        "a key of the key set is too weak: RSA keys need 2048 bits at least, and an exponent other than 1"
    )]
    Weak,
    /// A key of a set that stands in the settings is none.
    #[error("a key of the key set is incomplete, or contradicts itself: copy it anew from the provider")]
    BrokenKey,
}

impl KeySet {
    /// The keys of a provider. What cannot be used is left out, because providers publish all sorts of keys in one set.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, KeySetFault> {
        let keys = jwks(bytes)?.into_iter().filter_map(|jwk| Key::from_jwk(&jwk).ok());
        Self::of(keys.collect())
    }

    /// The keys of the settings, where a weak one is a mistake that somebody wants to hear of.
    pub(super) fn read_configured(bytes: &[u8]) -> Result<Self, KeySetFault> {
        let mut keys = Vec::new();
        for jwk in &jwks(bytes)? {
            match Key::from_jwk(jwk) {
                Ok(key) => keys.push(key),
                Err(Unusable::Weak) => return Err(KeySetFault::Weak),
                Err(Unusable::Malformed) => return Err(KeySetFault::BrokenKey),
                Err(Unusable::ForAnotherPurpose) => {}
            }
        }
        Self::of(keys)
    }

    fn of(keys: Vec<Key>) -> Result<Self, KeySetFault> {
        if keys.is_empty() { Err(KeySetFault::NothingUsable) } else { Ok(Self { keys }) }
    }

    /// The one key that a token can be signed with. `None` also where several could: which of them it is, the token must say.
    pub(super) fn find(&self, key_id: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let is_named = |key: &&Key| key_id.is_none() || key.id.as_deref() == key_id;
        let mut fitting = self.keys.iter().filter(is_named).filter(|key| key.fits(algorithm));
        let found = fitting.next()?;
        fitting.next().is_none().then_some(found)
    }
}

fn jwks(bytes: &[u8]) -> Result<Vec<Map<String, Value>>, KeySetFault> {
    if bytes.len() > LARGEST {
        return Err(KeySetFault::TooLarge);
    }
    let mut set = json::object(bytes).ok_or(KeySetFault::Malformed)?;
    let Some(Value::Array(keys)) = set.remove("keys") else { return Err(KeySetFault::Malformed) };
    if keys.len() > MOST {
        return Err(KeySetFault::TooMany);
    }
    let objects = keys.into_iter().map(|key| match key {
        Value::Object(jwk) => Ok(jwk),
        _ => Err(KeySetFault::Malformed),
    });
    objects.collect()
}
