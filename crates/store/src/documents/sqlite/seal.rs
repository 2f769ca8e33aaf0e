//! Content in its columns: as it is, or sealed with a key of its tenant for the very column and row.
//!
//! Sealed values are bytes in the columns that hold texts otherwise. Nothing that is looked up in SQL is sealed, but for
//! fingerprints of what was judged, which are found by tags.

use std::borrow::Cow;
use std::collections::HashMap;

use mainstay_domain::TenantId;
use mainstay_vault::{Context, Form, OVERHEAD, OpenError, Sealer, unopenable};
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;

use super::SqliteDocuments;
use crate::documents::{DocumentStoreError, Fingerprint, Result};
use crate::error::{StorageError, StorageFault};
use crate::sqlite::{Row, column};

/// The columns that are sealed, as their table and name. They are sealed into the values: never to be changed.
pub(super) mod purpose {
    pub(in super::super) const TEXT: &str = "text_blocks.bytes";
    pub(in super::super) const TITLE: &str = "revisions.title";
    pub(in super::super) const SOURCE_NAME: &str = "revisions.source_name";
    pub(in super::super) const METADATA: &str = "revisions.metadata";
    pub(in super::super) const FINGERPRINT: &str = "revisions.source_sha256";
    pub(in super::super) const HEADINGS: &str = "chunks.headings";
    pub(in super::super) const JUDGED: &str = "quarantine.sealed_content";
    /// Of the tags by which judged and released contents are found: one for both, because they are compared.
    pub(in super::super) const JUDGED_TAG: &str = "released.content";
}

const FINGERPRINT_BYTES: usize = 32;

/// Seals and opens the content of a tenant; leaves it as it is in a store without keys.
#[derive(Clone, Debug)]
pub(super) struct Content(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Plain,
    Sealed {
        sealer: Sealer,
        /// Whether a value that is not sealed is refused.
        strict: bool,
    },
    /// The tenant's keys were destroyed: nothing can be read, and what is still plain is to be taken away.
    Erased(TenantId),
}

impl SqliteDocuments {
    /// What seals and opens for the tenant. To be had before a connection is taken, because the first time may take as long
    /// as the master key's command.
    pub(super) async fn content(&self, tenant: &TenantId) -> Result<Content, StorageError> {
        let Some(sealing) = &self.sealing else { return Ok(Content(Kind::Plain)) };
        let sealer = sealing.keys().sealer(tenant).await?;
        Ok(Content(Kind::Sealed { sealer, strict: sealing.is_finished() }))
    }

    /// The same for those who pass over what was erased.
    pub(super) async fn content_or_erased(&self, tenant: &TenantId) -> Result<Content, StorageError> {
        match self.content(tenant).await {
            Err(error) if error.fault() == StorageFault::Erased => Ok(Content(Kind::Erased(tenant.clone()))),
            content => content,
        }
    }
}

impl Content {
    pub(super) const fn is_erased(&self) -> bool {
        matches!(self.0, Kind::Erased(_))
    }

    /// The value as it is to be stored; `None` when that is as it is.
    fn sealed(&self, purpose: &str, id: u64, plain: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        match &self.0 {
            Kind::Plain => Ok(None),
            Kind::Sealed { sealer, .. } => Ok(Some(sealer.seal(&Context::row(purpose, id), plain)?)),
            Kind::Erased(_) => Ok(Some(unopenable(plain.len()))),
        }
    }

    /// Adds a text to a row.
    pub(super) fn add_text(
        &self,
        row: &mut Row<'_>,
        purpose: &str,
        id: u64,
        text: &str,
    ) -> Result<(), StorageError> {
        match self.sealed(purpose, id, text.as_bytes())? {
            Some(sealed) => row.add(sealed),
            None => row.add(text),
        };
        Ok(())
    }

    /// Adds a text or nothing to a row.
    pub(super) fn add_optional(
        &self,
        row: &mut Row<'_>,
        purpose: &str,
        id: u64,
        text: Option<&str>,
    ) -> Result<(), StorageError> {
        match text {
            Some(text) => self.add_text(row, purpose, id, text)?,
            None => {
                row.add(None::<&str>);
            }
        }
        Ok(())
    }

    /// Adds bytes to a row.
    pub(super) fn add_bytes(
        &self,
        row: &mut Row<'_>,
        purpose: &str,
        id: u64,
        bytes: &[u8],
    ) -> Result<(), StorageError> {
        match self.sealed(purpose, id, bytes)? {
            Some(sealed) => row.add(sealed),
            None => row.add(bytes),
        };
        Ok(())
    }

    /// Adds to a row of the quarantine by what a content is found, and the content where that is something else.
    pub(super) fn add_judged(
        &self,
        row: &mut Row<'_>,
        chunk: u64,
        content: &Fingerprint,
    ) -> Result<(), StorageError> {
        row.add(self.key_of(content)?.as_slice()).add(self.sealed(purpose::JUDGED, chunk, &content.0)?);
        Ok(())
    }

    /// By what a judged content is found from now on.
    pub(super) fn key_of(&self, content: &Fingerprint) -> Result<[u8; FINGERPRINT_BYTES], StorageError> {
        match &self.0 {
            Kind::Plain => Ok(content.0),
            Kind::Sealed { sealer, .. } => Ok(sealer.lookup_tag(purpose::JUDGED_TAG, &content.0)?),
            // Finds nothing, and says nothing.
            Kind::Erased(_) => Ok([0; FINGERPRINT_BYTES]),
        }
    }

    /// Everything by which these contents may be found: until everything is sealed, also by themselves.
    pub(super) fn keys_of<'a>(
        &self,
        contents: &'a [Fingerprint],
    ) -> Result<HashMap<[u8; FINGERPRINT_BYTES], &'a Fingerprint>, StorageError> {
        let mut keys = HashMap::with_capacity(contents.len());
        for content in contents {
            keys.insert(self.key_of(content)?, content);
            if !matches!(self.0, Kind::Sealed { strict: true, .. }) {
                keys.insert(content.0, content);
            }
        }
        Ok(keys)
    }

    /// How the key in a row of the released contents is stored.
    pub(super) const fn form(&self) -> Form {
        match self.0 {
            Kind::Plain => Form::Plain,
            Kind::Sealed { .. } | Kind::Erased(_) => Form::Sealed,
        }
    }

    /// Opens a value that is stored in this form.
    fn open<'a>(
        &self,
        form: Form,
        purpose: &str,
        id: u64,
        stored: &'a [u8],
    ) -> Result<Cow<'a, [u8]>, StorageError> {
        match &self.0 {
            Kind::Erased(tenant) => Err(OpenError::Shredded { tenant: tenant.clone() }.into()),
            Kind::Sealed { sealer, strict } if *strict || form == Form::Sealed => {
                Ok(Cow::Owned(sealer.open(&Context::row(purpose, id), stored)?))
            }
            Kind::Plain | Kind::Sealed { .. } => Ok(Cow::Borrowed(stored)),
        }
    }

    /// A piece of a text as it was written.
    pub(super) fn piece<'a>(&self, id: u64, stored: &'a [u8]) -> Result<Cow<'a, [u8]>, StorageError> {
        self.open(Form::of_text(stored), purpose::TEXT, id, stored)
    }

    /// A column that holds a text or nothing.
    pub(super) fn text(
        &self,
        row: &SqliteRow,
        index: usize,
        purpose: &str,
        id: u64,
    ) -> Result<Option<String>, StorageError> {
        let Some(stored) = column::<Option<&[u8]>>(row, index)? else { return Ok(None) };
        let bytes = self.open(Form::of_text(stored), purpose, id, stored)?.into_owned();
        String::from_utf8(bytes).map(Some).map_err(|_| StorageError::damaged("a text is not UTF-8"))
    }

    /// A column that holds JSON.
    pub(super) fn json<T: DeserializeOwned>(
        &self,
        row: &SqliteRow,
        index: usize,
        purpose: &str,
        id: u64,
    ) -> Result<T, StorageError> {
        let stored = column(row, index)?;
        serde_json::from_slice(&self.open(Form::of_text(stored), purpose, id, stored)?)
            .map_err(|_| StorageError::damaged("a column that holds JSON is none"))
    }

    /// The fingerprint of a revision.
    pub(super) fn fingerprint(
        &self,
        row: &SqliteRow,
        index: usize,
        revision: u64,
    ) -> Result<Fingerprint, StorageError> {
        let stored: &[u8] = column(row, index)?;
        fingerprint(&self.open(form_of_fingerprint(stored), purpose::FINGERPRINT, revision, stored)?)
    }

    /// The content of a finding, of the columns that [`Content::add_judged`] filled.
    pub(super) fn judged(
        &self,
        row: &SqliteRow,
        index: usize,
        chunk: u64,
    ) -> Result<Fingerprint, StorageError> {
        match column::<Option<&[u8]>>(row, index + 1)? {
            Some(stored) => fingerprint(&self.open(Form::Sealed, purpose::JUDGED, chunk, stored)?),
            None => fingerprint(&self.open(Form::Plain, purpose::JUDGED, chunk, column(row, index)?)?),
        }
    }
}

/// A fingerprint can begin as sealed values do, and is told from them by its length.
pub(super) const fn form_of_fingerprint(stored: &[u8]) -> Form {
    if stored.len() == FINGERPRINT_BYTES + OVERHEAD { Form::Sealed } else { Form::Plain }
}

pub(super) fn fingerprint(bytes: &[u8]) -> Result<Fingerprint, StorageError> {
    bytes.try_into().map(Fingerprint).map_err(|_| StorageError::damaged("a fingerprint has not 32 bytes"))
}

/// `None` for what was erased, which happens to single rows where a tenant was erased and began anew.
pub(super) fn unless_erased<T>(read: Result<T>) -> Result<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(DocumentStoreError::Storage(error)) if error.fault() == StorageFault::Erased => Ok(None),
        Err(error) => Err(error),
    }
}
