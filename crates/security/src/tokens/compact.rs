//! A token taken apart: JWS in its compact form, RFC 7515, and of its header what RFC 8725 lets one look at.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::error::{Claim, Malformation, TokenError};
use super::json;

/// Longest token, in bytes: as much as most servers accept for all headers of a request.
pub(super) const LONGEST: usize = 16 * 1_024;

/// Longest key id, in bytes.
const LONGEST_KEY_ID: usize = 256;

/// A token that could be read. Nothing in it is known to be true.
#[derive(Debug)]
pub(super) struct Compact<'a> {
    /// How it says that it is signed.
    pub(super) algorithm: String,
    /// Which key it says that it is signed with. Compared with the key ids of the issuer, and nothing else.
    pub(super) key_id: Option<String>,
    pub(super) claims: Map<String, Value>,
    /// What the signature is about.
    pub(super) signed: &'a [u8],
    pub(super) signature: Vec<u8>,
}

impl<'a> Compact<'a> {
    /// Reads a token of at most [`LONGEST`] bytes.
    pub(super) fn read(token: &'a str) -> Result<Self, TokenError> {
        let malformed = TokenError::Malformed;
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed(Malformation::Parts));
        };
        let signed = &token.as_bytes()[..header.len() + 1 + payload.len()];
        let header = json::object(&decode(header)?).ok_or(malformed(Malformation::Header))?;
        let (algorithm, key_id) = read_header(header).map_err(malformed)?;
        let claims = json::object(&decode(payload)?).ok_or(malformed(Malformation::Payload))?;
        Ok(Self { algorithm, key_id, claims, signed, signature: decode(signature)? })
    }

    /// Who it says that it is from.
    pub(super) fn issuer(&self) -> Result<&str, TokenError> {
        match self.claims.get("iss") {
            Some(Value::String(issuer)) => Ok(issuer),
            Some(_) => Err(TokenError::ClaimInvalid(Claim::Issuer)),
            None => Err(TokenError::ClaimMissing(Claim::Issuer)),
        }
    }
}

/// The only way to write these bytes: no padding, no blanks, and no bits that do not count.
fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed(Malformation::Encoding))
}

fn read_header(mut header: Map<String, Value>) -> Result<(String, Option<String>), Malformation> {
    if header.contains_key("crit") {
        return Err(Malformation::Critical);
    }
    match header.get("typ") {
        None => {}
        Some(Value::String(name)) if is_access_token(name) => {}
        Some(_) => return Err(Malformation::Type),
    }
    let Some(Value::String(algorithm)) = header.remove("alg") else { return Err(Malformation::Header) };
    let key_id = match header.remove("kid") {
        None => None,
        Some(Value::String(key_id)) if key_id.len() <= LONGEST_KEY_ID => Some(key_id),
        Some(_) => return Err(Malformation::Header),
    };
    Ok((algorithm, key_id))
}

/// Media types are the same in any case, and may have their first half left out (RFC 7515, 4.1.9).
fn is_access_token(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    matches!(name.strip_prefix("application/").unwrap_or(&name), "jwt" | "at+jwt")
}
