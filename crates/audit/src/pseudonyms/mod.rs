//! Pseudonyms: what stands in the log instead of a person.
//!
//! A person has another pseudonym in every period (a day, unless something else is said), so whoever reads the log alone
//! cannot follow anybody for longer. A pseudonym is 16 random bytes and nothing else. It is not computed from the user's
//! id, not even with a secret salt: a salt that is kept can be used again on a list of users, and would make an erasure
//! a matter of trust. The only connection is a row in a table beside the log, in a folder of its own; when the row is
//! gone, nothing in the world leads from the pseudonym to the person, and the log, whose chain is untouched, holds a
//! number that means nobody.
//!
//! The table has one file per period. An erasure writes the files that name the person anew, without them, and
//! overwrites and unlinks the old ones. Disks and file systems that never write in place, snapshots and backups keep old
//! bytes for a while: their retention must end, too, before a person is wholly forgotten.

mod table;

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mainstay_domain::{TenantId, Timestamp, UserId};
use serde::{Deserialize, Deserializer, Serialize};

use self::table::{MAX_ROW_BYTES, Row, Table};
use crate::files;
use crate::hash::{NotHex, hex, parse_hex};
use crate::segment::Segment;

/// What stands for a person in one period: 32 hexadecimal digits. Nothing else can be one, so that no name or user id
/// gets into the log by mistake.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Pseudonym(Arc<str>);

impl Pseudonym {
    fn random() -> Result<Self, PseudonymError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|_| PseudonymError::NoRandomness)?;
        Ok(Self(hex(&bytes).into()))
    }

    /// Its digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Pseudonym {
    type Err = NotHex;

    fn from_str(text: &str) -> Result<Self, NotHex> {
        parse_hex::<16>(text.as_bytes()).map(|_| Self(text.into())).ok_or(NotHex(32))
    }
}

impl<'de> Deserialize<'de> for Pseudonym {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// How pseudonyms are made and kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PseudonymSettings {
    /// For how long a person keeps a pseudonym; whole seconds.
    pub period: Duration,
    /// So many people of a period are remembered in memory, at about 200 bytes each. Those seen least recently are
    /// forgotten first, and get a second pseudonym when they come back in the same period; both lead to them.
    pub capacity: usize,
}

impl Default for PseudonymSettings {
    fn default() -> Self {
        Self { period: Duration::from_secs(24 * 60 * 60), capacity: 250_000 }
    }
}

/// Whom a pseudonym stands for.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// Their tenant.
    pub tenant: TenantId,
    /// Their id in it.
    pub user: UserId,
    /// When the period of the pseudonym began.
    pub since: Timestamp,
}

/// Whoever may resolve a pseudonym may not thereby write the person into a log.
impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person").field("since", &self.since).finish_non_exhaustive()
    }
}

/// Why pseudonyms cannot be given, resolved or erased.
#[derive(Debug, thiserror::Error)]
pub enum PseudonymError {
    /// Another process has the table.
    #[error("the table of pseudonyms {path:?} is in use by another process: ask that one, or stop it")]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The disk refused. An erasure that failed is to be asked for again.
    #[error("the table of pseudonyms {path:?} cannot be read or written")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The names are too long.
    #[error("tenant and user have {bytes} bytes as a row of the table, and {limit} are allowed")]
    TooLong {
        /// Their length.
        bytes: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// The machine gives no random bytes.
    #[error("the operating system gives no random bytes")]
    NoRandomness,
}

/// The table of who is who. Nobody needs it to write the log, to read it or to verify it; only who may know people opens
/// it for more than asking for pseudonyms.
#[derive(Debug)]
pub struct Pseudonyms {
    folder: PathBuf,
    settings: PseudonymSettings,
    /// The tables of the periods that are asked for: around midnight there are two.
    tables: Mutex<Vec<Table>>,
    /// Held while files are written anew.
    erasing: Mutex<()>,
    /// Holds the lock; never read again.
    _lock: fs::File,
}

impl Pseudonyms {
    /// Opens the table of a folder, which is made when it does not exist. One process has it at a time.
    pub fn open(folder: &Path, settings: PseudonymSettings) -> Result<Self, PseudonymError> {
        let failed = |source| PseudonymError::Io { path: folder.to_owned(), source };
        let lock = files::create_folder(folder).and_then(|()| files::lock(folder)).map_err(failed)?;
        let lock = lock.ok_or_else(|| PseudonymError::InUse { path: folder.to_owned() })?;
        files::remove_unfinished(folder).map_err(failed)?;
        let (tables, erasing) = (Mutex::default(), Mutex::new(()));
        Ok(Self { folder: folder.to_owned(), settings, tables, erasing, _lock: lock })
    }

    /// The pseudonym of a person in the period of this moment. The first time in a period it is made, and the operating
    /// system has its row when this returns; [`Pseudonyms::sync`] forces it to disk.
    pub fn of(&self, tenant: &TenantId, user: &UserId, now: Timestamp) -> Result<Pseudonym, PseudonymError> {
        let person = (tenant.clone(), user.clone());
        let mut tables = self.tables();
        let table = self.table(&mut tables, now)?;
        if let Some(pseudonym) = table.get(&person) {
            return Ok(pseudonym);
        }
        let pseudonym = Pseudonym::random()?;
        let row = Row::new(tenant, user, &pseudonym).to_line();
        if row.len() > MAX_ROW_BYTES {
            return Err(PseudonymError::TooLong { bytes: row.len(), limit: MAX_ROW_BYTES });
        }
        let failed = |source| PseudonymError::Io { path: self.folder.clone(), source };
        table.active.write(&row).map_err(failed)?;
        table.insert(person, pseudonym.clone(), self.settings.capacity);
        Ok(pseudonym)
    }

    /// Forces the rows that were written to disk; to be called as often as that of the log.
    pub fn sync(&self) -> Result<(), PseudonymError> {
        let unsynced: Vec<_> = {
            let tables = self.tables();
            let written = tables.iter().filter(|table| !table.active.is_synced());
            written.map(|table| table.active.unsynced()).collect()
        };
        for part in unsynced {
            let forced = part.force();
            for table in self.tables().iter_mut() {
                table.active.note_forced(&part, forced.is_ok());
            }
            forced.map_err(|source| PseudonymError::Io { path: self.folder.clone(), source })?;
        }
        Ok(())
    }

    /// Whom a pseudonym stands for; `None` when nobody knows (any more). Reads the files from the newest period on: for
    /// a thread of its own.
    pub fn resolve(&self, pseudonym: &Pseudonym) -> Result<Option<Person>, PseudonymError> {
        for file in self.files()?.iter().rev() {
            let failed = |source| PseudonymError::Io { path: file.path.clone(), source };
            let found = table::find(file, pseudonym).map_err(failed)?;
            if let Some((tenant, user)) = found {
                let since = Timestamp::from_micros((file.number as i64).saturating_mul(1_000_000));
                return Ok(Some(Person { tenant, user, since }));
            }
        }
        Ok(None)
    }

    /// Forgets a person: from here on nothing leads from any of their pseudonyms to them. Returns how many pseudonyms
    /// were forgotten. Reads all files: for a thread of its own. What others ask for goes on meanwhile; a person who is
    /// asked for again afterwards gets a new pseudonym.
    pub fn erase(&self, tenant: &TenantId, user: &UserId) -> Result<u64, PseudonymError> {
        self.erase_where(|of, who| of == tenant.as_str() && who == user.as_str())
    }

    /// Forgets all people of a tenant.
    pub fn erase_tenant(&self, tenant: &TenantId) -> Result<u64, PseudonymError> {
        self.erase_where(|of, _| of == tenant.as_str())
    }

    /// Removes the periods that ended before this moment: pseudonyms that old cannot be resolved any more. Returns how
    /// many periods were removed.
    pub fn expire(&self, before: Timestamp) -> Result<u64, PseudonymError> {
        let _alone = self.erasing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut removed = 0;
        for file in self.files()? {
            if file.number.saturating_add(self.period()) > before.as_seconds().max(0) as u64 {
                continue;
            }
            let failed = |source| PseudonymError::Io { path: file.path.clone(), source };
            let mut tables = self.tables();
            tables.retain(|table| table.active.segment != file);
            let old = fs::File::options().read(true).write(true).open(&file.path).map_err(failed)?;
            fs::remove_file(&file.path).and_then(|()| files::sync_folder(&self.folder)).map_err(failed)?;
            drop(tables);
            files::overwrite(&old).map_err(failed)?;
            removed += 1;
        }
        Ok(removed)
    }

    fn erase_where(&self, is_erased: impl Fn(&str, &str) -> bool) -> Result<u64, PseudonymError> {
        let _alone = self.erasing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut erased = 0;
        for file in self.files()? {
            let failed = |source| PseudonymError::Io { path: file.path.clone(), source };
            erased += self.erase_in(&file, &is_erased).map_err(failed)?;
        }
        Ok(erased)
    }

    /// Nearly all of the file is read and written without the lock; under it only what was appended meanwhile.
    fn erase_in(&self, file: &Segment, is_erased: &impl Fn(&str, &str) -> bool) -> io::Result<u64> {
        let end = fs::metadata(&file.path)?.len();
        let (mut erased, mut to) = table::copy(file, 0, end, is_erased, None)?;
        let mut next = None;
        if erased > 0 {
            let next = next.insert(files::begin(&file.path)?);
            (erased, to) = table::copy(file, 0, end, is_erased, Some(next))?;
        }
        let mut tables = self.tables();
        let written =
            tables.iter().find(|table| table.active.segment == *file).map(|table| table.active.bytes);
        let end = written.map_or_else(|| fs::metadata(&file.path).map(|found| found.len()), Ok)?;
        if next.is_none() {
            erased = table::copy(file, to, end, is_erased, None)?.0;
            if erased == 0 {
                return Ok(0);
            }
            // It came in this very moment.
            to = 0;
        }
        let mut next = next.map_or_else(|| files::begin(&file.path), Ok)?;
        erased = if to == 0 { 0 } else { erased } + table::copy(file, to, end, is_erased, Some(&mut next))?.0;
        let old = fs::File::options().read(true).write(true).open(&file.path)?;
        files::finish(&file.path, &next)?;
        for table in tables.iter_mut().filter(|table| table.active.segment == *file) {
            table.replace(next.try_clone()?, is_erased)?;
        }
        drop(tables);
        files::overwrite(&old)?;
        Ok(erased)
    }

    fn files(&self) -> Result<Vec<Segment>, PseudonymError> {
        table::files(&self.folder).map_err(|source| PseudonymError::Io { path: self.folder.clone(), source })
    }

    /// The table of the period of this moment.
    fn table<'a>(&self, tables: &'a mut Vec<Table>, now: Timestamp) -> Result<&'a mut Table, PseudonymError> {
        let seconds = now.as_seconds().max(0) as u64;
        let start = seconds - seconds % self.period();
        let place = match tables.iter().position(|table| table.active.segment.number == start) {
            Some(place) => place,
            None => {
                let failed = |source| PseudonymError::Io { path: self.folder.clone(), source };
                let table = Table::open(&self.folder, start, self.settings.capacity).map_err(failed)?;
                if tables.len() == 2 {
                    tables[0].active.unsynced().force().map_err(failed)?;
                    tables.remove(0);
                }
                tables.push(table);
                tables.len() - 1
            }
        };
        Ok(&mut tables[place])
    }

    /// In seconds.
    fn period(&self) -> u64 {
        self.settings.period.as_secs().max(1)
    }

    fn tables(&self) -> MutexGuard<'_, Vec<Table>> {
        // A row is written or not: a panic elsewhere leaves nothing half done.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who: as a key of a map.
type Who = (TenantId, UserId);

/// People of a period and their pseudonyms, at most so many: the younger half is full before the older one is forgotten.
#[derive(Default)]
struct Remembered {
    young: HashMap<Who, Pseudonym>,
    old: HashMap<Who, Pseudonym>,
}

impl Remembered {
    fn get(&self, who: &Who) -> Option<Pseudonym> {
        self.young.get(who).or_else(|| self.old.get(who)).cloned()
    }

    fn insert(&mut self, who: Who, pseudonym: Pseudonym, capacity: usize) {
        if self.young.len() >= (capacity / 2).max(1) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(who, pseudonym);
    }

    fn forget(&mut self, is_erased: impl Fn(&str, &str) -> bool) {
        for half in [&mut self.young, &mut self.old] {
            half.retain(|(tenant, user), _| !is_erased(tenant.as_str(), user.as_str()));
        }
    }
}
