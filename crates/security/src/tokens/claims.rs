//! What a token says, once its signature holds: when it counts, for whom it was made, and who shows it.

use std::sync::Arc;
use std::time::Duration;

use mainstay_domain::identity::TokenMark;
use mainstay_domain::{RegionName, RoleName, TenantId, TierName, Timestamp, UserId};
use serde_json::{Map, Value};

use super::error::{Claim, TokenError};
use super::settings::{ClaimPath, IssuerSettings, RoleRules, TenantRule};

/// Who shows a token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenIdentity {
    /// The identity provider, as the settings call it.
    pub issuer: Arc<str>,
    /// The user as the provider names it: another provider may give the same text to somebody else.
    pub user: UserId,
    /// Whose data the user may see.
    pub tenant: TenantId,
    /// What the user is; never empty, each once, in the order of the token. All of them, because which of two roles may do
    /// more is for policies to say and not for whoever reads tokens.
    pub roles: Vec<RoleName>,
    /// How the user is served, where the token says.
    pub tier: Option<TierName>,
    /// Where the user's data lies, where the token says.
    pub region: Option<RegionName>,
    /// When the token ends by its own word. It is accepted for the leeway longer.
    pub expires_at: Timestamp,
    /// Which token it was.
    pub token: Arc<TokenMark>,
}

/// Longest text that names somebody or something, in bytes.
const LONGEST_NAME: usize = 256;

/// Most roles of one user.
const MOST_ROLES: usize = 64;

/// Who the claims say it is, of a token whose signature holds. Its times are checked beforehand.
pub(super) fn identity(
    claims: &Map<String, Value>,
    settings: &IssuerSettings,
    issuer: &Arc<str>,
    times: Times,
) -> Result<TokenIdentity, TokenError> {
    check_audience(claims, settings)?;
    let names = &settings.claims;
    let optional = |path: &Option<ClaimPath>, claim| match path {
        Some(path) => text(claims, path, claim),
        None => Ok(None),
    };
    Ok(TokenIdentity {
        issuer: issuer.clone(),
        user: text(claims, &names.user, Claim::User)?.ok_or(TokenError::ClaimMissing(Claim::User))?.into(),
        tenant: tenant(claims, &settings.tenant)?,
        roles: roles(claims, names.role.as_ref(), &settings.roles)?,
        tier: optional(&names.tier, Claim::Tier)?.map(TierName::from),
        region: optional(&names.region, Claim::Region)?.map(RegionName::from),
        expires_at: moment(times.ends),
        token: Arc::new(TokenMark {
            id: match claims.get("jti") {
                None | Some(Value::Null) => None,
                Some(Value::String(id)) if is_name(id) => Some(Arc::from(id.as_str())),
                Some(_) => return Err(TokenError::ClaimInvalid(Claim::TokenId)),
            },
            issued_at: times.issued.map(moment),
        }),
    })
}

/// When a token counts, in seconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Times {
    ends: i64,
    begins: Option<i64>,
    issued: Option<i64>,
}

/// The last second that is taken for a time: the end of the year 9999.
const LATEST: u64 = 253_402_300_799;

impl Times {
    /// RFC 7519 allows fractions of seconds; they are refused, because not everybody rounds them in the same way.
    pub(super) fn read(claims: &Map<String, Value>) -> Result<Self, TokenError> {
        let seconds = |name: &str, claim| match claims.get(name) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(seconds) if seconds <= LATEST => Ok(Some(seconds as i64)),
                _ => Err(TokenError::ClaimInvalid(claim)),
            },
        };
        Ok(Self {
            ends: seconds("exp", Claim::Expiry)?.ok_or(TokenError::ClaimMissing(Claim::Expiry))?,
            begins: seconds("nbf", Claim::NotBefore)?,
            issued: seconds("iat", Claim::IssuedAt)?,
        })
    }

    /// Whether the token counts now.
    pub(super) fn check(self, settings: &IssuerSettings, now: Timestamp) -> Result<(), TokenError> {
        if now >= self.accepted_until(settings) {
            return Err(TokenError::Expired);
        }
        let (now, leeway) = (now.as_micros(), micros(settings.leeway));
        let is_ahead = |seconds: Option<i64>| {
            seconds.is_some_and(|seconds| moment(seconds).as_micros() > now.saturating_add(leeway))
        };
        if is_ahead(self.begins) || is_ahead(self.issued) {
            return Err(TokenError::NotYetValid);
        }
        let (ends, longest) = (moment(self.ends).as_micros(), micros(settings.longest_lifetime));
        let begins = self.issued.or(self.begins).map_or(now, |seconds| moment(seconds).as_micros());
        // What it has left is within it as well, because it begins at the latest now, give or take the leeway.
        let is_long = ends.saturating_sub(begins) > longest;
        if is_long { Err(TokenError::LifetimeTooLong) } else { Ok(()) }
    }

    /// From when on the token is worthless.
    pub(super) fn accepted_until(self, settings: &IssuerSettings) -> Timestamp {
        Timestamp::from_micros(moment(self.ends).as_micros().saturating_add(micros(settings.leeway)))
    }
}

fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds.saturating_mul(1_000_000))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn check_audience(claims: &Map<String, Value>, settings: &IssuerSettings) -> Result<(), TokenError> {
    let is_ours = |audience: &str| settings.audiences.contains(audience);
    let invalid = TokenError::ClaimInvalid(Claim::Audience);
    let found = match claims.get("aud") {
        None | Some(Value::Null) => return Err(TokenError::ClaimMissing(Claim::Audience)),
        Some(Value::String(audience)) => is_ours(audience),
        Some(Value::Array(audiences)) => {
            let audiences: Option<Vec<&str>> = audiences.iter().map(Value::as_str).collect();
            audiences.ok_or(invalid)?.into_iter().any(is_ours)
        }
        Some(_) => return Err(invalid),
    };
    if found { Ok(()) } else { Err(TokenError::WrongAudience) }
}

fn tenant(claims: &Map<String, Value>, rule: &TenantRule) -> Result<TenantId, TokenError> {
    match rule {
        TenantRule::Fixed(tenant) => Ok(tenant.clone()),
        TenantRule::Claim { path, allowed } => {
            let named = text(claims, path, Claim::Tenant)?;
            let named = TenantId::from(named.ok_or(TokenError::ClaimMissing(Claim::Tenant))?);
            match allowed {
                Some(allowed) if !allowed.contains(&named) => Err(TokenError::TenantNotAllowed),
                _ => Ok(named),
            }
        }
    }
}

fn roles(
    claims: &Map<String, Value>,
    path: Option<&ClaimPath>,
    rules: &RoleRules,
) -> Result<Vec<RoleName>, TokenError> {
    let invalid = TokenError::ClaimInvalid(Claim::Role);
    let said: Vec<&str> = match path.and_then(|path| find(claims, path)) {
        None => Vec::new(),
        Some(Value::String(role)) => vec![role],
        Some(Value::Array(roles)) => roles.iter().map(Value::as_str).collect::<Option<_>>().ok_or(invalid)?,
        Some(_) => return Err(invalid),
    };
    let mut roles = Vec::new();
    for name in said {
        let role = match &rules.names {
            Some(names) => names.get(name).cloned(),
            None if is_name(name) => Some(RoleName::new(name)),
            None => return Err(invalid),
        };
        roles.extend(role.filter(|role| !roles.contains(role)));
        if roles.len() > MOST_ROLES {
            return Err(invalid);
        }
    }
    if roles.is_empty() {
        roles.push(rules.default.clone().ok_or(TokenError::ClaimMissing(Claim::Role))?);
    }
    Ok(roles)
}

/// The one text at the path.
fn text<'a>(
    claims: &'a Map<String, Value>,
    path: &ClaimPath,
    claim: Claim,
) -> Result<Option<&'a str>, TokenError> {
    match find(claims, path) {
        None => Ok(None),
        Some(Value::String(text)) if is_name(text) => Ok(Some(text)),
        Some(_) => Err(TokenError::ClaimInvalid(claim)),
    }
}

/// What stands at the path. `null` is nothing.
fn find<'a>(claims: &'a Map<String, Value>, path: &ClaimPath) -> Option<&'a Value> {
    let (first, inner) = path.names().split_first()?;
    let mut value = claims.get(first)?;
    for name in inner {
        value = value.as_object()?.get(name)?;
    }
    (!value.is_null()).then_some(value)
}

/// Whether the text may name somebody: it can be seen, stored and printed.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST_NAME && !text.chars().any(char::is_control)
}
