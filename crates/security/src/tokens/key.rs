//! A public key of an issuer, and what it can check.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self, RsaParameters, UnparsedPublicKey};
use serde_json::{Map, Value};

/// How a token is signed with a private key. There is no shared secret among these, and no `none`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Algorithm {
    /// RSA PKCS #1 v1.5 with SHA-256.
    Rs256,
    /// RSA PKCS #1 v1.5 with SHA-384.
    Rs384,
    /// RSA PKCS #1 v1.5 with SHA-512.
    Rs512,
    /// RSA PSS with SHA-256.
    Ps256,
    /// RSA PSS with SHA-384.
    Ps384,
    /// RSA PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519, as `EdDSA` (RFC 8037) or `Ed25519` (RFC 9864).
    EdDsa,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// Its name in headers and settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm of that name. Names differ by case (RFC 7515, 4.1.1).
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "Ed25519" {
            return Some(Self::EdDsa);
        }
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }
}

/// A key, and what is said about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Key {
    pub(super) id: Option<String>,
    /// The only algorithm that it is for, where the set says.
    algorithm: Option<Algorithm>,
    material: Material,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Material {
    /// Modulus and exponent, big-endian, without zeros at the front.
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// An uncompressed point. Whether it is on the curve, each verification looks.
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// Why a key of a set is not used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unusable {
    /// It is for something else, or of a kind that we do not know: providers publish those beside the ones we need.
    ForAnotherPurpose,
    /// It does not have the parts of its kind.
    Malformed,
    /// It can be broken.
    Weak,
}

/// Sizes of RSA keys, in bits: below, they can be factored; above, a signature costs too much to check.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;

impl Key {
    /// A key of a set (RFC 7517). A shared secret (`oct`) among public keys is never used.
    pub(super) fn from_jwk(jwk: &Map<String, Value>) -> Result<Self, Unusable> {
        let text = |name: &str| match jwk.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(Unusable::Malformed),
        };
        if text("use")?.is_some_and(|purpose| purpose != "sig") || !may_verify(jwk)? {
            return Err(Unusable::ForAnotherPurpose);
        }
        let algorithm = match text("alg")? {
            None => None,
            Some(name) => Some(Algorithm::from_name(name).ok_or(Unusable::ForAnotherPurpose)?),
        };
        let bytes = |name: &str| {
            let encoded = text(name)?.ok_or(Unusable::Malformed)?;
            URL_SAFE_NO_PAD.decode(encoded).map_err(|_| Unusable::Malformed)
        };
        let point = |size: usize| {
            let (x, y) = (bytes("x")?, bytes("y")?);
            if x.len() != size || y.len() != size {
                return Err(Unusable::Malformed);
            }
            Ok([&[4], x.as_slice(), y.as_slice()].concat())
        };
        let material = match (text("kty")?, text("crv")?) {
            (Some("RSA"), _) => rsa(&bytes("n")?, &bytes("e")?)?,
            (Some("EC"), Some("P-256")) => Material::P256(point(32)?),
            (Some("EC"), Some("P-384")) => Material::P384(point(48)?),
            (Some("OKP"), Some("Ed25519")) => {
                Material::Ed25519(Some(bytes("x")?).filter(|x| x.len() == 32).ok_or(Unusable::Malformed)?)
            }
            (Some(_), _) => return Err(Unusable::ForAnotherPurpose),
            (None, _) => return Err(Unusable::Malformed),
        };
        let key = Self { id: text("kid")?.map(str::to_owned), algorithm, material };
        match algorithm {
            Some(algorithm) if !key.fits(algorithm) => Err(Unusable::Malformed),
            _ => Ok(key),
        }
    }

    /// Whether it may check signatures of this algorithm: by its kind, and by what the set says about it.
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        let is_kind = match self.material {
            Material::Rsa { .. } => matches!(algorithm, Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512),
            Material::P256(_) => algorithm == Es256,
            Material::P384(_) => algorithm == Es384,
            Material::Ed25519(_) => algorithm == EdDsa,
        };
        is_kind && self.algorithm.is_none_or(|only| only == algorithm)
    }

    /// Whether the signature is this key's. `false` where the key does not fit the algorithm.
    pub(super) fn verifies(&self, algorithm: Algorithm, signed: &[u8], given: &[u8]) -> bool {
        if !self.fits(algorithm) {
            return false;
        }
        match &self.material {
            Material::Rsa { modulus, exponent } => {
                let components = signature::RsaPublicKeyComponents { n: modulus, e: exponent };
                rsa_parameters(algorithm)
                    .is_some_and(|parameters| components.verify(parameters, signed, given).is_ok())
            }
            Material::P256(point) => UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)
                .verify(signed, given)
                .is_ok(),
            Material::P384(point) => UnparsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, point)
                .verify(signed, given)
                .is_ok(),
            Material::Ed25519(point) => {
                UnparsedPublicKey::new(&signature::ED25519, point).verify(signed, given).is_ok()
            }
        }
    }
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => None,
    }
}

fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Material, Unusable> {
    let (modulus, exponent) = (without_zeros(modulus), without_zeros(exponent));
    let bits = modulus.len() * 8 - modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
    if bits < *RSA_BITS.start() {
        return Err(Unusable::Weak);
    }
    // An even exponent is none, and with 1 everything is a signature. Above 33 bits `ring` takes none either.
    let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
    if bits > *RSA_BITS.end() || !is_odd(modulus) || !is_odd(exponent) || exponent.len() > 5 {
        return Err(Unusable::Malformed);
    }
    if exponent == [1] {
        return Err(Unusable::Weak);
    }
    Ok(Material::Rsa { modulus: modulus.to_vec(), exponent: exponent.to_vec() })
}

/// Some providers write a zero at the front, as ASN.1 has it.
fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

fn may_verify(jwk: &Map<String, Value>) -> Result<bool, Unusable> {
    match jwk.get("key_ops") {
        None => Ok(true),
        Some(Value::Array(operations)) => Ok(operations.iter().any(|operation| operation == "verify")),
        Some(_) => Err(Unusable::Malformed),
    }
}
