//! What was said in some turns, of tenants that agreed to it. It comes here scrubbed, and is sealed with the tenant's keys; who
//! said it, and from which documents it was answered, is known by tags that only those keys make.

use mainstay_domain::{AssistantName, CorpusName, DocumentId, RequestId, TenantId, Timestamp, UserId};
use mainstay_vault::{Context, Record, Sealer, TenantKeys};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::data_dir::{DataDir, DataDirError};
use crate::error::StorageError;
use crate::sqlite::{Database, Migration, column, number, optional, sql_number};

const FILE: &str = "contents.db";

const MIGRATIONS: [Migration; 1] =
    [Migration { version: 1, sql: include_str!("sqlite/schema/contents_1.sql") }];

/// What is sealed, and what tags are for: part of both, and never to be changed.
const SEALED: &str = "contents.said";
const PERSON_TAG: &str = "contents.person";
const DOCUMENT_TAG: &str = "contents.document";

/// What was said in a turn, to be kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContentEntry {
    /// Whose tenant it is.
    pub tenant: TenantId,
    /// The request.
    pub request: RequestId,
    /// When it ended.
    pub at: Timestamp,
    /// The assistant that was asked.
    pub assistant: Option<AssistantName>,
    /// `provider/model` that answered.
    pub model: Option<String>,
    /// Who asked, where that is known.
    pub person: Option<UserId>,
    /// The documents that were in the prompt.
    pub documents: Vec<(CorpusName, DocumentId)>,
    /// What was said, scrubbed: JSON.
    pub said: String,
}

/// What was said in a turn, as it was kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptContent {
    /// Its place: later ones have greater numbers.
    pub number: u64,
    /// The request.
    pub request: RequestId,
    /// When it ended.
    pub at: Timestamp,
    /// The assistant that was asked.
    pub assistant: Option<AssistantName>,
    /// `provider/model` that answered.
    pub model: Option<String>,
    /// What was said, scrubbed: JSON.
    pub said: String,
}

/// Of whom, or of what, contents are.
#[derive(Clone, Debug)]
pub enum ContentsOf {
    /// A person's.
    Person(UserId),
    /// Answered from a document.
    Document(CorpusName, DocumentId),
    /// All of the tenant.
    Tenant,
}

/// The contents of a data folder.
#[derive(Clone, Debug)]
pub struct SqliteContents {
    database: Database,
    keys: TenantKeys,
}

impl SqliteContents {
    /// Opens what the folder holds. `keys`: by which contents are sealed; without keys none are kept.
    pub async fn open(folder: &DataDir, keys: TenantKeys) -> Result<Self, DataDirError> {
        Ok(Self { database: Database::open(folder, FILE, &MIGRATIONS).await?, keys })
    }

    /// Keeps what was said in a turn.
    pub async fn put(&self, entry: &ContentEntry) -> Result<(), StorageError> {
        let sealer = self.keys.sealer(&entry.tenant).await?;
        let place = Context::new(SEALED, Record::Name(entry.request.as_str().as_bytes()));
        let sealed = sealer.seal(&place, entry.said.as_bytes())?;
        let person = entry.person.as_ref().map(|person| person_tag(&sealer, person)).transpose()?;
        let mut transaction = self.database.write().await?;
        let row = sqlx::query(
            "INSERT INTO contents (tenant, request, at, assistant, model, person, sealed) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING content_row",
        )
        .bind(entry.tenant.as_str())
        .bind(entry.request.as_str())
        .bind(entry.at.as_micros())
        .bind(entry.assistant.as_ref().map(AssistantName::as_str))
        .bind(entry.model.as_deref())
        .bind(person.as_ref().map(<[u8; 32]>::as_slice))
        .bind(sealed)
        .fetch_one(&mut *transaction)
        .await?;
        let number: i64 = column(&row, 0)?;
        for (corpus, document) in &entry.documents {
            sqlx::query("INSERT OR IGNORE INTO content_documents (content_row, document) VALUES ($1, $2)")
                .bind(number)
                .bind(document_tag(&sealer, corpus, document)?.as_slice())
                .execute(&mut *transaction)
                .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// The newest of a tenant, newest first: of one request where it is named, before a number where one is. What cannot be
    /// opened, by keys that are gone, is left out.
    pub async fn list(
        &self,
        tenant: &TenantId,
        request: Option<&RequestId>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<KeptContent>, StorageError> {
        let sealer = self.keys.sealer(tenant).await?;
        let rows = sqlx::query(
            "SELECT content_row, request, at, assistant, model, sealed FROM contents \
             WHERE tenant = $1 AND content_row < $2 AND ($3 IS NULL OR request = $3) \
             ORDER BY content_row DESC LIMIT $4",
        )
        .bind(tenant.as_str())
        .bind(before.map_or(i64::MAX, sql_number))
        .bind(request.map(RequestId::as_str))
        .bind(sql_number(limit as u64))
        .fetch_all(&mut *self.database.read().await?)
        .await?;
        rows.iter().filter_map(|row| kept(&sealer, row).transpose()).collect()
    }

    /// Removes, and overwrites, what is of somebody or something. Answers how many went.
    pub async fn forget(&self, tenant: &TenantId, of: &ContentsOf) -> Result<u64, StorageError> {
        let tag = match of {
            ContentsOf::Tenant => None,
            of => Some(self.tag(tenant, of).await?),
        };
        let which = match of {
            ContentsOf::Tenant => "$2 IS NULL",
            ContentsOf::Person(_) => "person = $2",
            ContentsOf::Document(..) => {
                "content_row IN (SELECT content_row FROM content_documents WHERE document = $2)"
            }
        };
        let mut transaction = self.database.write().await?;
        let sql = crate::sqlite::built_sql(format!("DELETE FROM contents WHERE tenant = $1 AND {which}"));
        let removed = sqlx::query(sql)
            .bind(tenant.as_str())
            .bind(tag.as_ref().map(<[u8; 32]>::as_slice))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        if removed.rows_affected() > 0 {
            self.database.empty_log().await?;
        }
        Ok(removed.rows_affected())
    }

    /// Removes, and overwrites, what a tenant's turns before a moment said; what is `held` stays.
    pub async fn remove_before(
        &self,
        tenant: &TenantId,
        moment: Timestamp,
        held: &[ContentsOf],
    ) -> Result<u64, StorageError> {
        if held.iter().any(|of| matches!(of, ContentsOf::Tenant)) {
            return Ok(0);
        }
        let mut tags = Vec::with_capacity(held.len());
        for of in held {
            tags.push(hexadecimal(&self.tag(tenant, of).await?));
        }
        let mut transaction = self.database.write().await?;
        let removed = sqlx::query(
            "WITH held (tag) AS (SELECT unhex(value) FROM json_each($3)) \
             DELETE FROM contents WHERE tenant = $1 AND at < $2 \
             AND (person IS NULL OR person NOT IN (SELECT tag FROM held)) \
             AND content_row NOT IN (SELECT content_row FROM content_documents WHERE document IN (SELECT tag FROM held))",
        )
        .bind(tenant.as_str())
        .bind(moment.as_micros())
        .bind(serde_json::json!(tags).to_string())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        if removed.rows_affected() > 0 {
            self.database.empty_log().await?;
        }
        Ok(removed.rows_affected())
    }

    /// The tenants of whom something is kept.
    pub async fn tenants(&self) -> Result<Vec<TenantId>, StorageError> {
        let rows = sqlx::query("SELECT DISTINCT tenant FROM contents ORDER BY 1")
            .fetch_all(&mut *self.database.read().await?)
            .await?;
        rows.iter().map(|row| Ok(TenantId::new(column::<&str>(row, 0)?))).collect()
    }

    /// Waits for running statements and closes the file.
    pub async fn close(&self) {
        self.database.close().await;
    }

    async fn tag(&self, tenant: &TenantId, of: &ContentsOf) -> Result<[u8; 32], StorageError> {
        let sealer = self.keys.sealer(tenant).await?;
        match of {
            ContentsOf::Person(person) => person_tag(&sealer, person),
            ContentsOf::Document(corpus, document) => document_tag(&sealer, corpus, document),
            ContentsOf::Tenant => Ok([0; 32]),
        }
    }
}

fn kept(sealer: &Sealer, row: &SqliteRow) -> Result<Option<KeptContent>, StorageError> {
    let request = RequestId::new(column::<&str>(row, 1)?);
    let place = Context::new(SEALED, Record::Name(request.as_str().as_bytes()));
    let Ok(said) = sealer.open(&place, row.try_get::<&[u8], _>(5)?) else { return Ok(None) };
    let said = String::from_utf8(said).map_err(|_| StorageError::damaged("what was said is no text"))?;
    Ok(Some(KeptContent {
        number: number(row, 0)?,
        request,
        at: Timestamp::from_micros(column(row, 2)?),
        assistant: optional(row, 3)?,
        model: optional(row, 4)?,
        said,
    }))
}

fn person_tag(sealer: &Sealer, person: &UserId) -> Result<[u8; 32], StorageError> {
    Ok(sealer.lookup_tag(PERSON_TAG, person.as_str().as_bytes())?)
}

fn document_tag(
    sealer: &Sealer,
    corpus: &CorpusName,
    document: &DocumentId,
) -> Result<[u8; 32], StorageError> {
    // Between the two something that no name of a corpus has.
    Ok(sealer.lookup_tag(DOCUMENT_TAG, format!("{corpus}\n{document}").as_bytes())?)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use mainstay_domain::Clock;
    use mainstay_vault::testing::MemoryKeyStore;
    use mainstay_vault::{MasterKey, MasterKeys};

    use super::*;

    async fn contents(folder: &Path) -> SqliteContents {
        let clock = Clock::starting_at(Timestamp::from_micros(1_764_000_000_000_000));
        let masters = MasterKeys::new(MasterKey::generate_file(&folder.join("master.key")).unwrap());
        let keys = TenantKeys::new(Arc::new(MemoryKeyStore::default()), masters, clock);
        SqliteContents::open(&DataDir::open(folder).unwrap(), keys).await.unwrap()
    }

    fn acme() -> TenantId {
        TenantId::new("acme")
    }

    fn entry(request: &str, second: i64) -> ContentEntry {
        ContentEntry {
            tenant: acme(),
            request: RequestId::new(request),
            at: Timestamp::from_micros(second * 1_000_000),
            assistant: Some(AssistantName::new("support")),
            model: Some("p/m".to_owned()),
            person: None,
            documents: Vec::new(),
            said: format!("{{\"answer\":\"said in {request}\"}}"),
        }
    }

    fn by(request: &str, person: &str, document: &str) -> ContentEntry {
        let document = (CorpusName::new("faq"), DocumentId::new(document));
        ContentEntry { person: Some(UserId::new(person)), documents: vec![document], ..entry(request, 1) }
    }

    async fn requests(contents: &SqliteContents, tenant: &TenantId) -> Vec<String> {
        let kept = contents.list(tenant, None, None, 100).await.unwrap();
        kept.into_iter().map(|kept| kept.request.to_string()).collect()
    }

    #[tokio::test]
    async fn what_was_kept_is_read_newest_first_and_by_its_tenant_alone() {
        let folder = tempfile::tempdir().unwrap();
        let contents = contents(folder.path()).await;
        for number in 0..5 {
            contents.put(&entry(&format!("r{number}"), number)).await.unwrap();
        }
        assert_eq!(requests(&contents, &acme()).await, ["r4", "r3", "r2", "r1", "r0"]);
        assert_eq!(requests(&contents, &TenantId::new("zoo")).await, Vec::<String>::new());
        let page = contents.list(&acme(), None, Some(3), 1).await.unwrap();
        assert_eq!(page[0].request.as_str(), "r1");
        let one = contents.list(&acme(), Some(&RequestId::new("r2")), None, 100).await.unwrap();
        assert_eq!((one.len(), one[0].said.as_str()), (1, "{\"answer\":\"said in r2\"}"));
    }

    #[tokio::test]
    async fn nothing_of_it_can_be_read_in_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let contents = contents(folder.path()).await;
        contents.put(&by("r1", "jane@acme.example", "handbook.md")).await.unwrap();
        contents.close().await;
        let mut bytes = 0;
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let path = file.unwrap().path();
            let read = std::fs::read(&path).unwrap_or_default();
            bytes += read.len();
            for secret in ["said in", "jane", "handbook"] {
                let found = read.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{secret} in {}", path.display());
            }
        }
        assert!(bytes > 4_096, "the file has been looked into");
    }

    #[tokio::test]
    async fn who_and_what_is_erased_takes_its_contents_along() {
        let folder = tempfile::tempdir().unwrap();
        let contents = contents(folder.path()).await;
        for (request, person, document) in [("r1", "jane", "a"), ("r2", "john", "b"), ("r3", "john", "a")] {
            contents.put(&by(request, person, document)).await.unwrap();
        }
        let zoo = ContentEntry { tenant: TenantId::new("zoo"), ..by("r4", "jane", "a") };
        contents.put(&zoo).await.unwrap();
        let jane = ContentsOf::Person(UserId::new("jane"));
        assert_eq!(contents.forget(&acme(), &jane).await.unwrap(), 1);
        assert_eq!(contents.forget(&acme(), &jane).await.unwrap(), 0);
        let document = ContentsOf::Document(CorpusName::new("faq"), DocumentId::new("a"));
        assert_eq!(contents.forget(&acme(), &document).await.unwrap(), 1);
        assert_eq!(requests(&contents, &acme()).await, ["r2"]);
        assert_eq!(contents.forget(&acme(), &ContentsOf::Tenant).await.unwrap(), 1);
        assert_eq!(contents.tenants().await.unwrap(), [TenantId::new("zoo")]);
    }

    #[tokio::test]
    async fn what_is_old_goes_but_what_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let contents = contents(folder.path()).await;
        contents.put(&by("r1", "jane", "a")).await.unwrap();
        contents.put(&by("r2", "john", "b")).await.unwrap();
        contents.put(&by("r3", "eve", "c")).await.unwrap();
        contents.put(&entry("new", 100)).await.unwrap();
        let held = [
            ContentsOf::Person(UserId::new("jane")),
            ContentsOf::Document(CorpusName::new("faq"), DocumentId::new("b")),
        ];
        let moment = Timestamp::from_micros(50_000_000);
        assert_eq!(contents.remove_before(&acme(), moment, &[ContentsOf::Tenant]).await.unwrap(), 0);
        assert_eq!(contents.remove_before(&acme(), moment, &held).await.unwrap(), 1);
        assert_eq!(requests(&contents, &acme()).await, ["new", "r2", "r1"]);
        assert_eq!(contents.remove_before(&acme(), moment, &[]).await.unwrap(), 2);
    }
}
