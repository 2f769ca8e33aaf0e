//! Bearer tokens (JWT) of a team's identity providers: whose they are, and whether that is true.
//!
//! A token is believed when one of the configured issuers signed it, for us, for now. What the token says about how it is
//! to be checked is not believed: the issuer's settings say which algorithms count, and a shared secret and public keys are
//! different variants of [`KeySource`], so that a public key can never be taken for a secret. `none` is no algorithm here,
//! keys and addresses of keys inside a token (`jwk`, `jku`, `x5u`, `x5c`) are never looked at, and what can be read in two
//! ways (a name twice in an object, base64 that is not canonical, a time with a fraction) is refused.
//!
//! The keys come through a port, [`IssuerClient`]: nothing here speaks HTTP. They are kept per issuer; see `remote` for how
//! they stay fresh without a fetch per request.
//!
//! # Why not the `jsonwebtoken` crate
//!
//! Signatures are `ring`'s, which is in the build already, for TLS. What remains is to read two small JSON objects and to be
//! strict about them, and that is where `jsonwebtoken` (11.1) does less than is asked here: it reads `crit` and does not
//! look at it, takes fractions as times, checks `aud` and `iss` only where they are present unless told, and asks the
//! machine's clock itself, so that no test can move it. Its pure-Rust signatures would bring `rsa`, `p256`, `p384`,
//! `ed25519-dalek` and older generations of `sha2` and `hmac`, a second set of primitives beside `ring`; the other choice,
//! `aws-lc-rs`, needs cmake. With `ring` plugged in, what would be left of it is base64 and a header type.

mod settings;

mod claims;
mod compact;
mod error;
mod json;
mod key;
mod key_set;
mod remote;
mod verified;
mod verifier;

#[cfg(test)]
mod tests;

pub use claims::TokenIdentity;
pub use error::{Claim, Malformation, TokenError};
pub use key::Algorithm;
pub use key_set::KeySetFault;
pub use remote::{IssuerClient, IssuerError};
pub use settings::{
    ClaimNames, ClaimPath, ClaimPathFault, IssuerFault, IssuerSettings, KeyRefresh, KeySource, PublicKeys,
    RoleRules, TenantRule, is_protected,
};
pub use verifier::TokenVerifier;

/// Whether what somebody shows is meant as a token rather than as an API key: a guess by its first bytes, which says
/// nothing about whether it is a good one.
pub fn looks_like_token(shown: &str) -> bool {
    // A header is a JSON object, and `{` with what may follow it is `ey` or `ew` in base64. No API key has a dot.
    (shown.starts_with("ey") || shown.starts_with("ew")) && shown.contains('.')
}
