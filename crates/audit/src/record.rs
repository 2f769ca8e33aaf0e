//! What is recorded: who did what to which thing, and how it ended. Never content.

use std::borrow::Cow;
use std::fmt;

use mainstay_domain::{KeyId, RequestId, TenantId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::hash::hex;
use crate::pseudonyms::Pseudonym;

/// The most bytes that a record may have as JSON. Old and new value of a configuration change are in it.
pub const MAX_BODY_BYTES: usize = 256 * 1_024;

/// The deepest nesting of `details`. A reader refuses more than 128 levels, of which a record uses some itself.
const MAX_DEPTH: usize = 64;

/// What a record is about: the six kinds that auditors ask for, and the log's own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Who came in, or tried to: logins, keys made, rotated and revoked.
    Authentication,
    /// What was allowed and what was not.
    Authorization,
    /// Who read or wrote which tenant's data.
    DataAccess,
    /// What was changed in the configuration, with its value before and after.
    ConfigurationChange,
    /// What threatens the service: limits hit, injections found, breakers opened, the log itself opened and closed.
    SecurityEvent,
    /// That a model was asked: tokens, cost, model. Never the question or the answer.
    Inference,
    /// What the log says about itself: keys, checkpoints, expiry. Only the log writes these, and they never expire.
    Log,
}

impl Category {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Authentication,
        Self::Authorization,
        Self::DataAccess,
        Self::ConfigurationChange,
        Self::SecurityEvent,
        Self::Inference,
        Self::Log,
    ];

    /// Its name in lines and exports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Authorization => "authorization",
            Self::DataAccess => "data_access",
            Self::ConfigurationChange => "configuration_change",
            Self::SecurityEvent => "security_event",
            Self::Inference => "inference",
            Self::Log => "log",
        }
    }

    /// The category of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.as_str() == name)
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How it ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It was allowed.
    Granted,
    /// It was not allowed, for the reason that this code names.
    Denied(Cow<'static, str>),
    /// It was done.
    Succeeded,
    /// It was tried and not done, for the reason that this code names.
    Failed(Cow<'static, str>),
}

impl Outcome {
    /// Its name in lines and exports; the code stands beside it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Denied(_) => "denied",
            Self::Succeeded => "succeeded",
            Self::Failed(_) => "failed",
        }
    }

    /// Why not, where it was not.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Denied(code) | Self::Failed(code) => Some(code),
            Self::Granted | Self::Succeeded => None,
        }
    }
}

/// The thing that something was done to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Resource {
    /// What it is: `document`, `key`, `model`.
    pub kind: Cow<'static, str>,
    /// Which one.
    pub id: String,
}

/// One thing that happened.
#[derive(Clone, PartialEq)]
pub struct Record {
    /// What it is about.
    pub category: Category,
    /// What was done, as the permission or the event is called: `keys.create`, `answers.ask`.
    pub action: Cow<'static, str>,
    /// How it ended.
    pub outcome: Outcome,
    /// Whose data or service it was about.
    pub tenant: Option<TenantId>,
    /// Who did it. A pseudonym and never a name: see [`crate::Pseudonyms`].
    pub subject: Option<Pseudonym>,
    /// The public id of the key or session that was shown.
    pub credential: Option<KeyId>,
    /// In which request.
    pub request: Option<RequestId>,
    /// What it was done to.
    pub resource: Option<Resource>,
    /// What else is to be known: counts, models, costs, old and new values. No content and no names of people.
    pub details: Map<String, Value>,
}

impl Record {
    /// A record with nothing but what every record has.
    pub fn new(category: Category, action: impl Into<Cow<'static, str>>, outcome: Outcome) -> Self {
        Self {
            category,
            action: action.into(),
            outcome,
            tenant: None,
            subject: None,
            credential: None,
            request: None,
            resource: None,
            details: Map::new(),
        }
    }

    /// A change of the configuration that was made, from `old` to `new`; `Null` where there was or is nothing.
    pub fn configuration_change(action: impl Into<Cow<'static, str>>, old: Value, new: Value) -> Self {
        Self::new(Category::ConfigurationChange, action, Outcome::Succeeded)
            .with_detail("old", old)
            .with_detail("new", new)
    }

    /// Whose data or service it was about.
    #[must_use]
    pub fn with_tenant(self, tenant: TenantId) -> Self {
        Self { tenant: Some(tenant), ..self }
    }

    /// Who did it.
    #[must_use]
    pub fn with_subject(self, subject: Pseudonym) -> Self {
        Self { subject: Some(subject), ..self }
    }

    /// The public id of what was shown.
    #[must_use]
    pub fn with_credential(self, credential: KeyId) -> Self {
        Self { credential: Some(credential), ..self }
    }

    /// In which request.
    #[must_use]
    pub fn with_request(self, request: RequestId) -> Self {
        Self { request: Some(request), ..self }
    }

    /// What it was done to.
    #[must_use]
    pub fn with_resource(self, kind: impl Into<Cow<'static, str>>, id: impl Into<String>) -> Self {
        Self { resource: Some(Resource { kind: kind.into(), id: id.into() }), ..self }
    }

    /// One more detail.
    #[must_use]
    pub fn with_detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// The record as the JSON of a body, with 16 random bytes, so that nobody guesses a removed body from its digest.
    pub(crate) fn to_body(&self) -> Result<Vec<u8>, RecordFault> {
        if self.details.values().any(|value| is_deeper(value, MAX_DEPTH)) {
            return Err(RecordFault::TooDeep { limit: MAX_DEPTH });
        }
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|_| RecordFault::NoRandomness)?;
        let stored = Stored {
            salt: hex(&salt).into(),
            action: Cow::Borrowed(&self.action),
            outcome: self.outcome.as_str().into(),
            code: self.outcome.code().map(Into::into),
            tenant: self.tenant.as_ref().map(Cow::Borrowed),
            subject: self.subject.as_ref().map(Cow::Borrowed),
            credential: self.credential.as_ref().map(Cow::Borrowed),
            request: self.request.as_ref().map(Cow::Borrowed),
            resource: self.resource.as_ref().map(Cow::Borrowed),
            details: Cow::Borrowed(&self.details),
        };
        let mut body = Vec::with_capacity(512);
        // Strings, numbers and maps with texts as keys: there is nothing in it that JSON cannot say.
        serde_json::to_writer(&mut body, &stored).map_err(|_| RecordFault::NotJson)?;
        if body.len() > MAX_BODY_BYTES {
            return Err(RecordFault::TooLarge { bytes: body.len(), limit: MAX_BODY_BYTES });
        }
        Ok(body)
    }

    /// The record of a body; `None` when it is not one.
    pub(crate) fn from_body(category: Category, body: &[u8]) -> Option<Self> {
        let stored: Stored<'_> = serde_json::from_slice(body).ok()?;
        let code = || Cow::Owned(stored.code.as_deref().unwrap_or_default().to_owned());
        let outcome = match stored.outcome.as_ref() {
            "granted" => Outcome::Granted,
            "denied" => Outcome::Denied(code()),
            "succeeded" => Outcome::Succeeded,
            "failed" => Outcome::Failed(code()),
            _ => return None,
        };
        Some(Self {
            category,
            outcome,
            action: Cow::Owned(stored.action.into_owned()),
            tenant: stored.tenant.map(Cow::into_owned),
            subject: stored.subject.map(Cow::into_owned),
            credential: stored.credential.map(Cow::into_owned),
            request: stored.request.map(Cow::into_owned),
            resource: stored.resource.map(Cow::into_owned),
            details: stored.details.into_owned(),
        })
    }
}

/// Details may hold values of the configuration, which are nobody's business in a log.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("category", &self.category)
            .field("action", &self.action)
            .field("outcome", &self.outcome)
            .field("tenant", &self.tenant)
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}

/// Why a record cannot be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RecordFault {
    /// Its details are too long.
    #[error(
        "the record has {bytes} bytes and {limit} are allowed: put a digest of large values into its details"
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// Its details could not be read back.
    #[error("the details of the record are nested more than {limit} levels deep: write the value as text")]
    TooDeep {
        /// The most that is allowed.
        limit: usize,
    },
    /// Only the log writes about itself.
    #[error("the category \"log\" is the log's own: use the category of what happened")]
    OwnCategory,
    /// The machine gives no random bytes.
    #[error("the operating system gives no random bytes")]
    NoRandomness,
    /// It cannot be written as JSON.
    #[error("the record cannot be written as JSON")]
    NotJson,
}

fn is_deeper(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(values) => levels == 0 || values.iter().any(|value| is_deeper(value, levels - 1)),
        Value::Object(values) => levels == 0 || values.values().any(|value| is_deeper(value, levels - 1)),
        _ => false,
    }
}

/// A body as it stands in a line.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    salt: Cow<'a, str>,
    action: Cow<'a, str>,
    outcome: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<Cow<'a, TenantId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<Cow<'a, Pseudonym>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credential: Option<Cow<'a, KeyId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<Cow<'a, RequestId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resource: Option<Cow<'a, Resource>>,
    #[serde(default, skip_serializing_if = "is_empty")]
    details: Cow<'a, Map<String, Value>>,
}

fn is_empty(details: &Map<String, Value>) -> bool {
    details.is_empty()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nested(levels: usize) -> Value {
        (0..levels).fold(Value::Null, |value, _| json!([value]))
    }

    #[test]
    fn a_record_reads_back_from_its_body_and_no_two_bodies_are_equal() {
        let record =
            Record::new(Category::Authorization, "answers.ask", Outcome::Denied("no_permission".into()))
                .with_tenant(TenantId::new("acme\n\"x\""))
                .with_subject("00112233445566778899aabbccddeeff".parse().unwrap())
                .with_credential(KeyId::new("k1"))
                .with_request(RequestId::new("req_1"))
                .with_resource("corpus", "legal")
                .with_detail("deep", nested(MAX_DEPTH));
        let body = record.to_body().unwrap();
        assert!(!body.contains(&b'\n'));
        assert_eq!(Record::from_body(Category::Authorization, &body), Some(record.clone()));
        assert_ne!(record.to_body().unwrap(), body);
    }

    #[test]
    fn what_could_not_be_read_back_is_refused() {
        let record = || Record::new(Category::ConfigurationChange, "prompts.set", Outcome::Succeeded);
        let deep = record().with_detail("new", nested(MAX_DEPTH + 1));
        assert_eq!(deep.to_body(), Err(RecordFault::TooDeep { limit: MAX_DEPTH }));
        let large = record().with_detail("new", "x".repeat(MAX_BODY_BYTES));
        assert!(matches!(large.to_body(), Err(RecordFault::TooLarge { .. })));
    }

    #[test]
    fn details_do_not_show_in_debug_output() {
        let record = Record::configuration_change("secrets.set", json!("hunter1"), json!("hunter2"));
        assert!(!format!("{record:?}").contains("hunter"));
    }
}
