//! Sealing and opening the data of one tenant.

use std::sync::Arc;

use mainstay_domain::TenantId;

use crate::cipher::{EncryptError, Use, decrypt, derive, encrypt};
use crate::keys::{KeyRing, Tenant};
use crate::sealed::{BadHeader, Form, HEADER_BYTES, header, key_version};

/// The place of a value: opens nothing that was sealed for another one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Context<'a> {
    purpose: &'a str,
    record: Record<'a>,
}

/// Which record of its table a value belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Record<'a> {
    /// By its number.
    Number(u64),
    /// By its name. Not taken for a number that is written in the same bytes.
    Name(&'a [u8]),
}

/// Names can be content, such as the name of a file.
impl std::fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "Number({number})"),
            Self::Name(_) => f.write_str("Name(…)"),
        }
    }
}

impl<'a> Context<'a> {
    /// The place of a record's value for a purpose, which is its table and column: `revisions.title`.
    pub const fn new(purpose: &'a str, record: Record<'a>) -> Self {
        Self { purpose, record }
    }

    /// The place of the value of a numbered row.
    pub const fn row(purpose: &'a str, number: u64) -> Self {
        Self::new(purpose, Record::Number(number))
    }

    /// Tenant, purpose and record as bytes, such that no two of them are the same: every part but the last has its
    /// length before it.
    fn encode(&self, tenant: &TenantId) -> Vec<u8> {
        let (kind, number, name) = match self.record {
            Record::Number(number) => (0, number.to_be_bytes(), [].as_slice()),
            Record::Name(name) => (1, [0; 8], name),
        };
        let mut bytes = encode_parts(&[tenant.as_str(), self.purpose], 9 + name.len());
        bytes.push(kind);
        bytes.extend_from_slice(&number);
        bytes.extend_from_slice(name);
        bytes
    }
}

fn encode_parts(parts: &[&str], room: usize) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| 8 + part.len()).sum();
    let mut bytes = Vec::with_capacity(length + room);
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

/// By this a sealed value is found without being opened: equal values of one tenant and purpose have equal tags, and
/// whoever lacks the key learns from a tag only that.
pub type LookupTag = [u8; 32];

/// Seals and opens for one tenant, with keys that are in memory. A clone is cheap, and all clones see at once that a key was
/// rotated or destroyed.
#[derive(Clone)]
pub struct Sealer {
    tenant: Arc<Tenant>,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").field("tenant", &self.tenant.id).finish_non_exhaustive()
    }
}

impl Sealer {
    pub(crate) const fn new(tenant: Arc<Tenant>) -> Self {
        Self { tenant }
    }

    /// Whose data this is for.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant.id
    }

    /// Seals a value for its place with the tenant's newest key. It gets longer by [`OVERHEAD`](crate::OVERHEAD) bytes. Takes
    /// microseconds.
    pub fn seal(&self, context: &Context<'_>, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let keys = self.keys();
        let Some((version, key)) = keys.newest() else {
            return Err(SealError::Shredded { tenant: self.tenant.id.clone() });
        };
        Ok(encrypt(key, Use::Data, &header(version), &context.encode(&self.tenant.id), plain)?)
    }

    /// Opens what was sealed for the place. The result is not wiped when it is dropped: content goes on into answers, which
    /// are not either.
    pub fn open(&self, context: &Context<'_>, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let tenant = || self.tenant.id.clone();
        let version = key_version(sealed).map_err(|bad| match bad {
            BadHeader::NotSealed => OpenError::NotSealed,
            BadHeader::NewerFormat(format) => OpenError::NewerFormat { format },
            BadHeader::TooShort => OpenError::TooShort { bytes: sealed.len() },
        })?;
        let keys = self.keys();
        let Some(key) = keys.version(version) else {
            return Err(if version <= keys.shredded_through {
                OpenError::Shredded { tenant: tenant() }
            } else {
                OpenError::UnknownKey { tenant: tenant(), version }
            });
        };
        decrypt(key, Use::Data, HEADER_BYTES, &context.encode(&self.tenant.id), sealed)
            .ok_or_else(|| OpenError::Damaged { tenant: tenant(), version })
    }

    /// Opens a value that is stored in this form. As long as a store takes the form from what somebody else could have
    /// written, that somebody can put a plain value in the place of a sealed one: after the migration, use
    /// [`Sealer::open`].
    pub fn open_as(&self, form: Form, context: &Context<'_>, stored: &[u8]) -> Result<Vec<u8>, OpenError> {
        match form {
            Form::Plain => Ok(stored.to_vec()),
            Form::Sealed => self.open(context, stored),
        }
    }

    /// Whether a stored value should be sealed again: because it is sealed with an older key than the newest, or not at
    /// all. Says nothing about whether it opens.
    pub fn is_outdated(&self, form: Form, stored: &[u8]) -> bool {
        let newest = self.keys().newest().map(|(version, _)| version);
        form == Form::Plain || key_version(stored).ok() != newest
    }

    /// The tag by which a value is found that is itself sealed. It stays the same when the key is rotated, and ends with the
    /// keys. Values of which there are few, or which somebody can guess, can be counted and compared by whoever reads
    /// the tags, but not computed.
    pub fn lookup_tag(&self, purpose: &str, value: &[u8]) -> Result<LookupTag, SealError> {
        let keys = self.keys();
        let Some((_, key)) = keys.oldest() else {
            return Err(SealError::Shredded { tenant: self.tenant.id.clone() });
        };
        let mut info = encode_parts(&[self.tenant.id.as_str(), purpose], value.len());
        info.extend_from_slice(value);
        let mut tag = [0; 32];
        derive(key, Use::Lookup, &info, &mut tag);
        Ok(tag)
    }

    fn keys(&self) -> Arc<KeyRing> {
        self.tenant.ring().expect("a sealer is made after its keys were loaded")
    }
}

/// Why a value could not be sealed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SealError {
    /// The tenant's keys were destroyed.
    #[error(
        "the keys of tenant {tenant:?} were destroyed, so nothing is stored for it; readmit the tenant to begin anew"
    )]
    Shredded {
        /// The tenant.
        tenant: TenantId,
    },
    /// The value could not be encrypted.
    #[error(transparent)]
    Encrypt(#[from] EncryptError),
}

/// Why a value could not be opened.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    /// The key was destroyed: the data is erased, and its rows can be removed.
    #[error("the key of tenant {tenant:?} was destroyed: what was sealed with it is erased for good")]
    Shredded {
        /// The tenant.
        tenant: TenantId,
    },
    /// The data, its place or its tenant is not that for which it was sealed.
    #[error(
        "sealed data of tenant {tenant:?} (key version {version}) is damaged, or stands in another place than the one \
         it was sealed for: restore it from a backup, and find out who changed it"
    )]
    Damaged {
        /// The tenant.
        tenant: TenantId,
        /// The version of the key that the data names.
        version: u32,
    },
    /// There is no such key.
    #[error(
        "tenant {tenant:?} has no key of version {version}, with which the data is sealed: restore the keys and the \
         data from the same backup"
    )]
    UnknownKey {
        /// The tenant.
        tenant: TenantId,
        /// The version of the key that the data names.
        version: u32,
    },
    /// It does not begin as sealed data does.
    #[error("the data is not sealed: seal it, or read it as plain data while a migration runs")]
    NotSealed,
    /// A newer Mainstay sealed it.
    #[error(
        "the data is sealed in format {format:#04x}, which this build does not know: start the newer Mainstay"
    )]
    NewerFormat {
        /// Its first byte.
        format: u8,
    },
    /// It ends before it can hold anything.
    #[error("sealed data of {bytes} bytes is cut off: restore it from a backup")]
    TooShort {
        /// Its length.
        bytes: usize,
    },
}
