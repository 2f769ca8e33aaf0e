//! Why a token is not accepted.

use std::fmt;

/// Why a token is not accepted. Names no value of the token: the message goes to whoever showed it, and into logs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TokenError {
    /// No token was shown.
    #[error("no token: send \"Authorization: Bearer …\" with an access token of your identity provider")]
    Missing,
    /// It is longer than tokens may be.
    #[error("the token is longer than {limit} bytes: have the identity provider put fewer claims into it")]
    TooLong {
        /// The most bytes that are accepted.
        limit: usize,
    },
    /// It cannot be read.
    #[error("the token cannot be read: {0}")]
    Malformed(Malformation),
    /// Nobody is configured under its `iss`.
    #[error("the token's issuer (`iss`) is not configured here: the two texts must be equal to the byte")]
    UnknownIssuer,
    /// Its `alg` is not one of those that its issuer may use.
    #[error("the token's algorithm (`alg`) is not allowed for its issuer")]
    AlgorithmNotAllowed,
    /// No key of its issuer fits it, or several do.
    #[error(
        "the issuer's keys contain not exactly one that fits the token's key id (`kid`) and algorithm: if its keys have \
         just changed, ask again in a minute"
    )]
    UnknownKey,
    /// Its signature is not its issuer's.
    #[error("the token's signature does not hold: it was altered, or signed with another key")]
    BadSignature,
    /// It was made for somebody else.
    #[error(
        "the token was made for another audience: ask the identity provider for one whose `aud` names this service"
    )]
    WrongAudience,
    /// It is over.
    #[error("the token has expired; get a new one from the identity provider")]
    Expired,
    /// It was taken away from whoever has it.
    #[error("the token was revoked; sign in anew at the identity provider")]
    Revoked,
    /// It is of another sign-in.
    #[error("the token is not of this sign-in (`nonce`); begin again")]
    AnotherSignIn,
    /// It counts only later, or it was issued in the future.
    #[error(
        "the token is not valid yet (`nbf` or `iat`): compare the clocks of this machine and of the identity provider"
    )]
    NotYetValid,
    /// It is valid for longer than is accepted.
    #[error(
        "the token is valid for longer than is accepted here: have the identity provider issue shorter ones"
    )]
    LifetimeTooLong,
    /// It does not say what is needed.
    #[error("the token does not contain {0}")]
    ClaimMissing(Claim),
    /// It says something that cannot be what it stands for.
    #[error("{0} in the token is not of the form that is expected")]
    ClaimInvalid(Claim),
    /// Its tenant is not one of those for which its issuer speaks.
    #[error("the token's issuer does not speak for the tenant that the token names")]
    TenantNotAllowed,
    /// The keys of its issuer are not to be had: nothing is known about the token.
    #[error("the keys of the token's issuer cannot be fetched at the moment; try again in a few seconds")]
    KeysUnavailable,
}

/// What makes a text no token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Malformation {
    /// It does not have three parts.
    #[error("it must have three parts with a dot between each two; encrypted tokens are not accepted")]
    Parts,
    /// A part is not base64url.
    #[error("its parts must be base64url without padding, blanks or line breaks")]
    Encoding,
    /// Its header is no JSON object.
    #[error("its header must be one JSON object, not deeply nested, with no name twice")]
    Header,
    /// Its payload is no JSON object.
    #[error("its payload must be one JSON object, not deeply nested, with no name twice")]
    Payload,
    /// It is some other kind of token.
    #[error(
        "its type (`typ`) must be `JWT` or `at+jwt`: ID tokens with a type of their own, logout and proof tokens do not identify a caller"
    )]
    Type,
    /// It demands extensions.
    #[error("it demands extensions (`crit`), and none is supported")]
    Critical,
}

/// What a token is asked for. Which of its claims that is, the issuer's settings say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Claim {
    /// `iss`.
    Issuer,
    /// `aud`.
    Audience,
    /// `exp`.
    Expiry,
    /// `nbf`.
    NotBefore,
    /// `iat`.
    IssuedAt,
    /// `jti`.
    TokenId,
    /// Who the user is.
    User,
    /// Whose data it is about.
    Tenant,
    /// How the user is served.
    Tier,
    /// What the user is.
    Role,
    /// Where the user's data lies.
    Region,
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Issuer => "its issuer (`iss`)",
            Self::Audience => "its audience (`aud`)",
            Self::Expiry => "its expiry (`exp`, whole seconds)",
            Self::NotBefore => "its beginning (`nbf`, whole seconds)",
            Self::IssuedAt => "the time of its issue (`iat`, whole seconds)",
            Self::TokenId => "its id (`jti`)",
            Self::User => "the claim for the user",
            Self::Tenant => "the claim for the tenant",
            Self::Tier => "the claim for the tier",
            Self::Role => "a role that counts here: the claim for roles",
            Self::Region => "the claim for the region",
        })
    }
}

impl TokenError {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "missing_token",
            Self::Expired => "expired_token",
            Self::Revoked => "revoked_token",
            Self::KeysUnavailable => "identity_provider_unavailable",
            _ => "invalid_token",
        }
    }

    /// Whether nothing is known about the token because its issuer does not answer: the same token may be good a moment
    /// later. All other errors are about the token itself.
    pub const fn is_unavailable(self) -> bool {
        matches!(self, Self::KeysUnavailable)
    }
}
