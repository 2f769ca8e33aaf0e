//! Sealing what was stored before content was sealed: a walk over all revisions, in small transactions, that goes on where
//! it was stopped.
//!
//! Readers take either form until the walk is over, and writers seal from the beginning, so nothing waits for it. Each step
//! leaves alone what is sealed already. Where it stands is remembered in the same transaction.

use std::collections::HashMap;
use std::ops::Range;

use mainstay_domain::TenantId;
use mainstay_vault::Form;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use tokio_util::sync::CancellationToken;

use super::SqliteDocuments;
use super::blocks::blocks_of;
use super::seal::{Content, fingerprint, form_of_fingerprint, purpose};
use crate::error::{StorageError, StorageFault};
use crate::sealing::Sealing;
use crate::sqlite::{MultiRowInsert, Row, column, number, sql_number};

/// At most so many revisions are sealed in one transaction,
const STEP_REVISIONS: u32 = 64;
/// so many blocks of text (a megabyte),
const STEP_BLOCKS: u64 = 256;
/// and so many chunks. A revision that has more is sealed in several.
const STEP_CHUNKS: u64 = 2_000;

/// How often the write-ahead log is emptied before the caller has to try again. Each try waits for readers by itself.
const TRIES: usize = 3;

static SEAL_BLOCKS: MultiRowInsert = MultiRowInsert::new(
    "INSERT INTO text_blocks (block, bytes)",
    2,
    "ON CONFLICT (block) DO UPDATE SET bytes = excluded.bytes",
);

static SEAL_HEADINGS: MultiRowInsert = MultiRowInsert::new(
    "UPDATE chunks SET headings = v.column2 FROM (",
    2,
    ") AS v WHERE chunks.chunk_id = v.column1",
);

static SEAL_FINDINGS: MultiRowInsert = MultiRowInsert::new(
    "UPDATE quarantine SET content = v.column2, sealed_content = v.column3 FROM (",
    3,
    ") AS v WHERE quarantine.chunk_id = v.column1",
);

static SEAL_REVISIONS: MultiRowInsert = MultiRowInsert::new(
    "UPDATE revisions SET title = v.column2, source_name = v.column3, metadata = v.column4, \
     source_sha256 = v.column5 FROM (",
    5,
    ") AS v WHERE revisions.revision = v.column1",
);

/// How far the sealing of what was stored before has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SealingProgress {
    /// Revisions that this call has walked over.
    pub done: u64,
    /// Revisions that were ahead when it began, less those.
    pub ahead: u64,
    /// Whether everything is sealed, and no plain content is left in the files.
    pub finished: bool,
}

/// A revision on the way.
struct Candidate {
    revision: u64,
    tenant: TenantId,
    chunks: Range<u64>,
    blocks: Range<u64>,
    is_sealed: bool,
}

/// What became of a step.
enum Step {
    /// Every revision up to this one is sealed.
    Through { revision: u64, count: u64 },
    /// It was told to stop.
    Stopped,
    /// There are no more.
    End,
}

impl SqliteDocuments {
    /// See [`EmbeddedStore::seal_what_is_plain`](crate::EmbeddedStore::seal_what_is_plain).
    pub(crate) async fn seal_what_is_plain(
        &self,
        stop: &CancellationToken,
        mut report: impl FnMut(SealingProgress) + Send,
    ) -> Result<SealingProgress, StorageError> {
        let mut progress = SealingProgress { finished: true, ..SealingProgress::default() };
        let Some(sealing) = self.sealing.as_ref().filter(|sealing| !sealing.is_finished()) else {
            return Ok(progress);
        };
        let mut through = sealing.through().await?;
        progress = SealingProgress { ahead: self.revisions_after(through).await?, ..Default::default() };
        loop {
            match self.seal_step(sealing, through, stop).await? {
                Step::Through { revision, count } => {
                    through = revision;
                    progress.done += count;
                    // Documents that come meanwhile are walked over, too.
                    progress.ahead = progress.ahead.saturating_sub(count);
                    report(progress);
                }
                Step::Stopped => return Ok(progress),
                Step::End => break,
            }
        }
        while self.seal_released().await? {
            if stop.is_cancelled() {
                return Ok(progress);
            }
        }
        self.overwrite_plain().await?;
        sealing.finish(self.now()).await?;
        progress.finished = true;
        report(progress);
        Ok(progress)
    }

    async fn revisions_after(&self, through: u64) -> Result<u64, StorageError> {
        let row = sqlx::query("SELECT count(*) FROM revisions WHERE revision > $1")
            .bind(sql_number(through))
            .fetch_one(&mut *self.database.read().await?)
            .await?;
        number(&row, 0)
    }

    async fn seal_step(
        &self,
        sealing: &Sealing,
        after: u64,
        stop: &CancellationToken,
    ) -> Result<Step, StorageError> {
        if stop.is_cancelled() {
            return Ok(Step::Stopped);
        }
        let candidates = self.candidates(after).await?;
        let Some(last) = candidates.last() else { return Ok(Step::End) };
        let (revision, count) = (last.revision, candidates.len() as u64);

        let mut contents: HashMap<&TenantId, Content> = HashMap::new();
        let plain: Vec<&Candidate> = candidates.iter().filter(|candidate| !candidate.is_sealed).collect();
        for candidate in &plain {
            if !contents.contains_key(&candidate.tenant) {
                contents.insert(&candidate.tenant, self.content_or_erased(&candidate.tenant).await?);
            }
        }
        if let [only] = plain.as_slice()
            && !self.seal_slices(&contents[&only.tenant], only, stop).await?
        {
            return Ok(Step::Stopped);
        }
        let mut transaction = self.database.write().await?;
        for candidate in plain {
            let content = &contents[&candidate.tenant];
            // What was sealed in slices is found sealed, at the price of reading it again.
            if candidate.is_small() {
                seal_blocks(&mut transaction, content, candidate.blocks.clone()).await?;
                seal_chunks(&mut transaction, content, candidate.chunks.clone()).await?;
            }
            seal_revision(&mut transaction, content, candidate.revision).await?;
        }
        sealing.advance(&mut transaction, revision).await?;
        transaction.commit().await?;
        Ok(Step::Through { revision, count })
    }

    /// The next revisions, as many as fit into a step; one that does not fit comes alone.
    async fn candidates(&self, after: u64) -> Result<Vec<Candidate>, StorageError> {
        let rows = sqlx::query(
            "SELECT r.revision, c.tenant, r.first_chunk, r.chunk_count, r.first_block, r.text_bytes, r.source_sha256 \
             FROM revisions r JOIN corpora c ON c.corpus_row = r.corpus_row \
             WHERE r.revision > $1 ORDER BY r.revision LIMIT $2",
        )
        .bind(sql_number(after))
        .bind(STEP_REVISIONS)
        .fetch_all(&mut *self.database.read().await?)
        .await?;
        let mut candidates: Vec<Candidate> = Vec::with_capacity(rows.len());
        let (mut blocks, mut chunks) = (0, 0);
        for row in &rows {
            let candidate = Candidate::read(row)?;
            if !candidate.is_sealed {
                blocks += candidate.blocks.end - candidate.blocks.start;
                chunks += candidate.chunks.end - candidate.chunks.start;
            }
            if !candidates.is_empty() && (blocks > STEP_BLOCKS || chunks > STEP_CHUNKS) {
                break;
            }
            candidates.push(candidate);
        }
        Ok(candidates)
    }

    /// Seals text and chunks of a large revision in several transactions. `false` when it was told to stop.
    async fn seal_slices(
        &self,
        content: &Content,
        candidate: &Candidate,
        stop: &CancellationToken,
    ) -> Result<bool, StorageError> {
        if candidate.is_small() {
            return Ok(true);
        }
        for slice in slices(candidate.blocks.clone(), STEP_BLOCKS) {
            if stop.is_cancelled() {
                return Ok(false);
            }
            let mut transaction = self.database.write().await?;
            seal_blocks(&mut transaction, content, slice).await?;
            transaction.commit().await?;
        }
        for slice in slices(candidate.chunks.clone(), STEP_CHUNKS) {
            if stop.is_cancelled() {
                return Ok(false);
            }
            let mut transaction = self.database.write().await?;
            seal_chunks(&mut transaction, content, slice).await?;
            transaction.commit().await?;
        }
        Ok(true)
    }

    /// Puts tags in the place of some contents that were released. `false` when there are none left.
    async fn seal_released(&self) -> Result<bool, StorageError> {
        let rows = sqlx::query(
            "SELECT c.tenant, r.corpus_row, r.content, r.released_at FROM released r \
             JOIN corpora c ON c.corpus_row = r.corpus_row WHERE r.sealed = 0 LIMIT $1",
        )
        .bind(STEP_REVISIONS)
        .fetch_all(&mut *self.database.read().await?)
        .await?;
        let mut released = Vec::with_capacity(rows.len());
        for row in &rows {
            let content = self.content_or_erased(&TenantId::new(column::<&str>(row, 0)?)).await?;
            released.push((
                content,
                column::<i64>(row, 1)?,
                column::<&[u8]>(row, 2)?,
                column::<i64>(row, 3)?,
            ));
        }
        let mut transaction = self.database.write().await?;
        for (content, corpus_row, plain, released_at) in &released {
            sqlx::query("DELETE FROM released WHERE corpus_row = $1 AND content = $2 AND sealed = 0")
                .bind(corpus_row)
                .bind(plain)
                .execute(&mut *transaction)
                .await?;
            if content.is_erased() {
                continue;
            }
            let key = content.key_of(&fingerprint(plain)?)?;
            sqlx::query(
                "INSERT INTO released (corpus_row, content, released_at, sealed) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (corpus_row, content) DO NOTHING",
            )
            .bind(corpus_row)
            .bind(key.as_slice())
            .bind(released_at)
            .bind(Form::Sealed.as_number())
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(!released.is_empty())
    }

    /// Takes what was plain out of the files: rows are overwritten when they change, but the database may have moved them from
    /// page to page before, and the write-ahead log has older states.
    async fn overwrite_plain(&self) -> Result<(), StorageError> {
        self.database.compact().await?;
        for _ in 0..TRIES {
            if self.database.empty_log().await? {
                return Ok(());
            }
        }
        Err(StorageError::new(
            StorageFault::Busy,
            "the write-ahead log could not be emptied while others read",
        ))
    }
}

impl Candidate {
    fn read(row: &SqliteRow) -> Result<Self, StorageError> {
        let (first_chunk, first_block) = (number(row, 2)?, number(row, 4)?);
        Ok(Self {
            revision: number(row, 0)?,
            tenant: TenantId::new(column::<&str>(row, 1)?),
            chunks: first_chunk..first_chunk + number(row, 3)?,
            blocks: first_block..first_block + blocks_of(number(row, 5)?),
            is_sealed: form_of_fingerprint(column(row, 6)?) == Form::Sealed,
        })
    }

    const fn is_small(&self) -> bool {
        self.blocks.end - self.blocks.start <= STEP_BLOCKS
            && self.chunks.end - self.chunks.start <= STEP_CHUNKS
    }
}

fn slices(range: Range<u64>, step: u64) -> impl Iterator<Item = Range<u64>> {
    let end = range.end;
    range.step_by(step as usize).map(move |start| start..(start + step).min(end))
}

async fn seal_blocks(
    connection: &mut SqliteConnection,
    content: &Content,
    blocks: Range<u64>,
) -> Result<(), StorageError> {
    let rows = sqlx::query("SELECT block, bytes FROM text_blocks WHERE block >= $1 AND block < $2")
        .bind(sql_number(blocks.start))
        .bind(sql_number(blocks.end))
        .fetch_all(&mut *connection)
        .await?;
    SEAL_BLOCKS
        .try_run(connection, &plain_rows(&rows)?, |(id, bytes), row| {
            row.add(sql_number(*id));
            content.add_bytes(row, purpose::TEXT, *id, bytes)
        })
        .await?;
    Ok(())
}

/// Seals the headings of chunks, and what was found about them.
async fn seal_chunks(
    connection: &mut SqliteConnection,
    content: &Content,
    chunks: Range<u64>,
) -> Result<(), StorageError> {
    let rows = sqlx::query("SELECT chunk_id, headings FROM chunks WHERE chunk_id >= $1 AND chunk_id < $2")
        .bind(sql_number(chunks.start))
        .bind(sql_number(chunks.end))
        .fetch_all(&mut *connection)
        .await?;
    SEAL_HEADINGS
        .try_run(connection, &plain_rows(&rows)?, |(id, headings), row| {
            row.add(sql_number(*id));
            content.add_bytes(row, purpose::HEADINGS, *id, headings)
        })
        .await?;
    let rows = sqlx::query(
        "SELECT chunk_id, content FROM quarantine WHERE chunk_id >= $1 AND chunk_id < $2 AND sealed_content IS NULL",
    )
    .bind(sql_number(chunks.start))
    .bind(sql_number(chunks.end))
    .fetch_all(&mut *connection)
    .await?;
    let findings = rows
        .iter()
        .map(|row| Ok((number(row, 0)?, fingerprint(column(row, 1)?)?)))
        .collect::<Result<Vec<_>, StorageError>>()?;
    SEAL_FINDINGS
        .try_run(connection, &findings, |(chunk, judged), row| {
            row.add(sql_number(*chunk));
            content.add_judged(row, *chunk, judged)
        })
        .await?;
    Ok(())
}

async fn seal_revision(
    connection: &mut SqliteConnection,
    content: &Content,
    revision: u64,
) -> Result<(), StorageError> {
    let rows =
        sqlx::query("SELECT title, source_name, metadata, source_sha256 FROM revisions WHERE revision = $1")
            .bind(sql_number(revision))
            .fetch_all(&mut *connection)
            .await?;
    SEAL_REVISIONS
        .try_run(connection, &rows, |stored, row| {
            row.add(sql_number(revision));
            let columns = [purpose::TITLE, purpose::SOURCE_NAME, purpose::METADATA, purpose::FINGERPRINT];
            for (index, purpose) in columns.into_iter().enumerate() {
                add_sealed(row, content, purpose, revision, column(stored, index)?)?;
            }
            Ok(())
        })
        .await?;
    Ok(())
}

fn add_sealed(
    row: &mut Row<'_>,
    content: &Content,
    purpose: &str,
    id: u64,
    plain: Option<&[u8]>,
) -> Result<(), StorageError> {
    match plain {
        Some(plain) => content.add_bytes(row, purpose, id, plain),
        None => {
            row.add(None::<&[u8]>);
            Ok(())
        }
    }
}

/// The rows whose value, a text or a piece of one, is plain: id and value.
fn plain_rows(rows: &[SqliteRow]) -> Result<Vec<(u64, &[u8])>, StorageError> {
    let mut plain = Vec::with_capacity(rows.len());
    for row in rows {
        let value: &[u8] = column(row, 1)?;
        if Form::of_text(value) == Form::Plain {
            plain.push((number(row, 0)?, value));
        }
    }
    Ok(plain)
}
