//! The table of one period: a file of rows, and what of it is in memory.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use mainstay_domain::{TenantId, UserId};
use serde::{Deserialize, Serialize};

use super::{Pseudonym, Remembered, Who};
use crate::files;
use crate::segment::{Active, Piece, Segment};

const PERIOD: &str = "period-";
/// The longest row, in bytes with its end.
pub(super) const MAX_ROW_BYTES: usize = 8 * 1_024;

/// A row: who has which pseudonym.
#[derive(Serialize, Deserialize)]
pub(super) struct Row<'a> {
    #[serde(borrow)]
    tenant: Cow<'a, str>,
    #[serde(borrow)]
    user: Cow<'a, str>,
    #[serde(borrow)]
    pseudonym: Cow<'a, str>,
}

impl<'a> Row<'a> {
    pub(super) fn new(tenant: &'a TenantId, user: &'a UserId, pseudonym: &'a Pseudonym) -> Self {
        Self {
            tenant: Cow::Borrowed(tenant.as_str()),
            user: Cow::Borrowed(user.as_str()),
            pseudonym: Cow::Borrowed(pseudonym.as_str()),
        }
    }

    pub(super) fn to_line(&self) -> Vec<u8> {
        // Three texts: there is nothing in it that JSON cannot say.
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

/// The table of the period that is asked for.
pub(super) struct Table {
    pub(super) active: Active,
    remembered: Remembered,
}

/// Who is in it is nobody's business in a log.
impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("file", &self.active.segment).finish_non_exhaustive()
    }
}

impl Table {
    /// Opens the table of the period that began in this second.
    pub(super) fn open(folder: &Path, start: u64, capacity: usize) -> io::Result<Self> {
        let file = file(folder, start);
        let mut remembered = Remembered::default();
        if files::is_missing(&file.path)? {
            return Ok(Self { active: Active::create(file)?, remembered });
        }
        let (mut lines, mut end, mut damaged) = (file.lines(None)?, 0, 0);
        while let Some(piece) = lines.next()? {
            match piece {
                // The process was killed while it was written, and nobody was told of that pseudonym.
                Piece::Torn(_) => continue,
                Piece::TooLong => damaged += 1,
                Piece::Whole(text) => match serde_json::from_slice::<Row<'_>>(text) {
                    Ok(row) => match row.pseudonym.parse() {
                        Ok(pseudonym) => {
                            let who = (TenantId::new(&row.tenant), UserId::new(&row.user));
                            remembered.insert(who, pseudonym, capacity);
                        }
                        Err(_) => damaged += 1,
                    },
                    Err(_) => damaged += 1,
                },
            }
            end = lines.offset();
        }
        if damaged > 0 {
            tracing::error!(file = %file.path.display(), damaged, "rows of the table of pseudonyms were changed");
        }
        Ok(Self { active: Active::reopen(file, end)?, remembered })
    }

    pub(super) fn get(&self, who: &Who) -> Option<Pseudonym> {
        self.remembered.get(who)
    }

    pub(super) fn insert(&mut self, who: Who, pseudonym: Pseudonym, capacity: usize) {
        self.remembered.insert(who, pseudonym, capacity);
    }

    /// Goes on with the file that took the place of this one's, and forgets who is not in it.
    pub(super) fn replace(&mut self, file: File, is_erased: impl Fn(&str, &str) -> bool) -> io::Result<()> {
        self.active = Active::of_file(self.active.segment.clone(), file)?;
        self.remembered.forget(is_erased);
        Ok(())
    }
}

fn file(folder: &Path, start: u64) -> Segment {
    Segment { number: start, path: folder.join(format!("{PERIOD}{start:016}")) }
}

/// The files of a folder, oldest period first.
pub(super) fn files(folder: &Path) -> io::Result<Vec<Segment>> {
    Ok(files::numbers(folder, PERIOD)?.into_iter().map(|start| file(folder, start)).collect())
}

/// Whose row has this pseudonym.
pub(super) fn find(file: &Segment, pseudonym: &Pseudonym) -> io::Result<Option<(TenantId, UserId)>> {
    let mut lines = file.lines(None)?;
    while let Some(piece) = lines.next()? {
        let Piece::Whole(text) = piece else { continue };
        let Ok(row) = serde_json::from_slice::<Row<'_>>(text) else { continue };
        if row.pseudonym == pseudonym.as_str() {
            return Ok(Some((TenantId::new(&row.tenant), UserId::new(&row.user))));
        }
    }
    Ok(None)
}

/// Copies the rows of a part of a file that are not erased; without a target it only counts. Returns how many are erased,
/// and where the last whole row ends. A row that cannot be read may be anybody's: it is not copied.
pub(super) fn copy(
    file: &Segment,
    from: u64,
    to: u64,
    is_erased: impl Fn(&str, &str) -> bool,
    target: Option<&mut File>,
) -> io::Result<(u64, u64)> {
    let mut lines = file.lines_from(from, to)?;
    let mut target = target.map(|file| BufWriter::with_capacity(64 * 1_024, file));
    let (mut erased, mut end) = (0, from);
    while let Some(piece) = lines.next()? {
        if let Piece::Whole(text) = piece {
            match serde_json::from_slice::<Row<'_>>(text) {
                Ok(row) if is_erased(&row.tenant, &row.user) => erased += 1,
                Ok(_) => {
                    if let Some(target) = &mut target {
                        target.write_all(text)?;
                        target.write_all(b"\n")?;
                    }
                }
                Err(_) => {}
            }
        }
        if !matches!(piece, Piece::Torn(_)) {
            end = lines.offset();
        }
    }
    if let Some(mut target) = target {
        target.flush()?;
    }
    Ok((erased, end))
}
