//! What is said in some of the turns, kept for those who look into a failure: only of tenants that agreed to it, only a share of
//! their turns, without what is personal in it, sealed, and for a time only.
//!
//! A [`Recording`] goes with a turn and is given away when the turn ends, however it ends; what is personal is taken out and the
//! rest is stored by the [`ContentWriter`], so that no answer waits for it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mainstay_domain::chat::{ChatRequest, Completion, Role};
use mainstay_domain::{AssistantName, Caller, Clock, CorpusName, DocumentId, RequestId, TenantId, Timestamp};
use mainstay_store::{ContentEntry, ContentsOf, SqliteContents, StorageError};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::measure::{self, ContentFate};

/// What is kept; by default nothing is.
#[derive(Clone, Default)]
pub struct ContentLog {
    kept: Option<Arc<Kept>>,
}

struct Kept {
    share: f64,
    store: SqliteContents,
    queue: mpsc::Sender<Step>,
    /// What was forgotten lately: turns that ran meanwhile are not stored after it.
    forgotten: Mutex<Vec<Forgotten>>,
    clock: Clock,
}

struct Forgotten {
    tenant: TenantId,
    of: ContentsOf,
    at: Timestamp,
}

/// What the writer does next.
#[expect(clippy::large_enum_variant, reason = "nearly all are the large one")]
enum Step {
    Store(Said),
    /// Says that all before it is stored.
    Settled(oneshot::Sender<()>),
}

/// Takes out what is personal, and stores.
pub struct ContentWriter {
    queue: mpsc::Receiver<Step>,
    kept: Arc<Kept>,
}

/// A turn that is kept, while it goes on.
pub struct Recording {
    /// Taken when the turn has ended.
    said: Option<Said>,
    queue: mpsc::Sender<Step>,
    clock: Clock,
}

/// What was said, as it was said: in memory only.
struct Said {
    entry: ContentEntry,
    began: Timestamp,
    /// Role and text.
    messages: Vec<(&'static str, String)>,
    answer: Option<String>,
    /// `answered`, or the stable code of the error.
    outcome: &'static str,
}

/// Turns that may wait to be stored. Where more come, they are not kept, and counted.
const WAITING: usize = 128;

/// For how long it is remembered what was forgotten: longer than any turn takes.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// The most that is kept of a turn, in bytes of text; of a longer conversation its end.
const MOST_BYTES: usize = 128 << 10;

impl ContentLog {
    /// Keeps a share of the turns, from 0 to 1, and what is to be run for it. With 0, what was kept before is still there to be
    /// read and forgotten.
    pub fn new(share: f64, store: SqliteContents, clock: Clock) -> (Self, ContentWriter) {
        let (sender, queue) = mpsc::channel(WAITING);
        let kept = Arc::new(Kept { share, store, queue: sender, forgotten: Mutex::default(), clock });
        (Self { kept: Some(kept.clone()) }, ContentWriter { queue, kept })
    }

    /// What is stored, where anything may be.
    pub fn stored(&self) -> Option<&SqliteContents> {
        self.kept.as_ref().map(|kept| &kept.store)
    }

    /// Removes what is of somebody or something, also what was said in turns that have not ended or are not stored yet. Answers
    /// how many were stored.
    pub async fn forget(&self, tenant: &TenantId, of: Vec<ContentsOf>) -> Result<u64, StorageError> {
        let Some(kept) = &self.kept else { return Ok(0) };
        let now = kept.clock.now();
        {
            let mut forgotten = kept.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
            let long_ago = now.as_micros() - REMEMBERED.as_micros() as i64;
            forgotten.retain(|forgotten| forgotten.at.as_micros() > long_ago);
            let new = of.iter().map(|of| Forgotten { tenant: tenant.clone(), of: of.clone(), at: now });
            forgotten.extend(new);
        }
        let (settled, all_is_stored) = oneshot::channel();
        // A writer that has stopped stores nothing more.
        if kept.queue.send(Step::Settled(settled)).await.is_ok() {
            let _ = all_is_stored.await;
        }
        let mut removed = 0;
        for of in &of {
            removed += kept.store.forget(tenant, of).await?;
        }
        Ok(removed)
    }

    /// Whether this turn is one of those that are kept; then it goes along with it.
    pub fn begin(&self, caller: &Caller, id: &RequestId, request: &ChatRequest) -> Option<Box<Recording>> {
        let kept = self.kept.as_ref().filter(|_| caller.keeps_content)?;
        if fastrand::f64() >= kept.share {
            return None;
        }
        let mut room = MOST_BYTES;
        let mut messages: Vec<_> = request
            .messages
            .iter()
            .rev()
            .map(|message| (role(message.role), shortened(message.content.text(), &mut room)))
            .filter(|(_, text)| !text.is_empty())
            .collect();
        messages.reverse();
        let began = kept.clock.now();
        let entry = ContentEntry {
            tenant: caller.tenant.clone(),
            request: id.clone(),
            at: began,
            assistant: None,
            model: None,
            person: caller.user.clone(),
            documents: Vec::new(),
            said: String::new(),
        };
        let said = Said { entry, began, messages, answer: None, outcome: CANCELLED };
        Some(Box::new(Recording { said: Some(said), queue: kept.queue.clone(), clock: kept.clock }))
    }
}

/// The outcome of a turn whose caller went away.
const CANCELLED: &str = "cancelled";

impl Recording {
    /// The assistant that was asked.
    pub fn assisted_by(&mut self, assistant: &AssistantName) {
        if let Some(said) = &mut self.said {
            said.entry.assistant = Some(assistant.clone());
        }
    }

    /// The documents that are in the prompt, or that a stored answer cites: when one is erased, so is this.
    pub fn made_from<'d>(
        &mut self,
        corpus: &CorpusName,
        documents: impl IntoIterator<Item = &'d DocumentId>,
    ) {
        if let Some(said) = &mut self.said {
            said.entry
                .documents
                .extend(documents.into_iter().map(|document| (corpus.clone(), document.clone())));
            said.entry.documents.sort_unstable();
            said.entry.documents.dedup();
        }
    }

    /// The turn ended with an answer.
    pub fn answered(self, model: Option<&str>, answer: &Completion) {
        let texts = answer.choices.iter().filter_map(|choice| choice.message.text.as_deref());
        self.end("answered", model, texts.collect::<Vec<_>>().join("\n\n"));
    }

    /// The turn ended with an error, after some of the answer had left.
    pub fn failed(self, code: &'static str, model: Option<&str>, sent: &str) {
        self.end(code, model, sent.to_owned());
    }

    /// The caller went away, after some of the answer had left.
    pub fn cancelled(self, model: Option<&str>, sent: &str) {
        self.end(CANCELLED, model, sent.to_owned());
    }

    /// The turn ended with the text of a streamed answer.
    pub fn streamed(self, model: Option<&str>, sent: &str) {
        self.end("answered", model, sent.to_owned());
    }

    fn end(mut self, outcome: &'static str, model: Option<&str>, answer: String) {
        if let Some(said) = &mut self.said {
            said.outcome = outcome;
            said.entry.model = model.map(str::to_owned);
            said.answer = (!answer.is_empty()).then(|| shortened(answer, &mut { MOST_BYTES }));
        }
    }
}

/// However a turn ends, it is kept.
impl Drop for Recording {
    fn drop(&mut self) {
        let Some(mut said) = self.said.take() else { return };
        said.entry.at = self.clock.now();
        if self.queue.try_send(Step::Store(said)).is_err() {
            measure::content(ContentFate::Dropped);
        }
    }
}

impl ContentWriter {
    /// Stores what comes until it is told to stop, and then what has come.
    pub async fn run(mut self, stop: CancellationToken) {
        while let Some(Some(step)) = stop.run_until_cancelled(self.queue.recv()).await {
            self.take(step).await;
        }
        self.queue.close();
        while let Some(step) = self.queue.recv().await {
            self.take(step).await;
        }
    }

    async fn take(&self, step: Step) {
        match step {
            Step::Store(said) if self.kept.has_forgotten(&said) => {}
            Step::Store(said) => self.store(said).await,
            Step::Settled(settled) => {
                let _ = settled.send(());
            }
        }
    }

    async fn store(&self, said: Said) {
        // A long conversation takes a second of one core.
        let scrubbing = tokio::task::spawn_blocking(move || scrubbed(said)).await;
        let Ok(entry) = scrubbing else {
            tracing::error!("what was said in a turn could not be scrubbed, and is not kept");
            return measure::content(ContentFate::Failed);
        };
        match self.kept.store.put(&entry).await {
            Ok(()) => measure::content(ContentFate::Kept),
            Err(error) => {
                tracing::warn!(%error, request = %entry.request, "what was said in a turn could not be kept");
                measure::content(ContentFate::Failed);
            }
        }
    }
}

impl Kept {
    /// Whether the turn ran when something was forgotten that it is of.
    fn has_forgotten(&self, Said { entry, began, .. }: &Said) -> bool {
        let is_of = |of: &ContentsOf| match of {
            ContentsOf::Tenant => true,
            ContentsOf::Person(person) => entry.person.as_ref() == Some(person),
            ContentsOf::Document(corpus, document) => {
                entry.documents.iter().any(|(one, other)| one == corpus && other == document)
            }
        };
        let forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        forgotten.iter().any(|forgotten| {
            forgotten.tenant == entry.tenant && *began <= forgotten.at && is_of(&forgotten.of)
        })
    }
}

fn scrubbed(said: Said) -> ContentEntry {
    let texts: Vec<&str> =
        said.messages.iter().map(|(_, text)| text.as_str()).chain(said.answer.as_deref()).collect();
    let mut texts = mainstay_pii::scrub(&texts).into_iter();
    let messages: Vec<_> = said
        .messages
        .iter()
        .zip(texts.by_ref())
        .map(|((role, _), text)| json!({ "role": role, "text": text }))
        .collect();
    let said_now = json!({ "messages": messages, "answer": texts.next(), "outcome": said.outcome });
    ContentEntry { said: said_now.to_string(), ..said.entry }
}

/// As much of a text as there is room for: its end, where it is too long, and nothing where there is none.
fn shortened(text: String, room: &mut usize) -> String {
    if *room == 0 {
        return String::new();
    }
    let start = text.ceil_char_boundary(text.len().saturating_sub(*room));
    *room = if start == 0 { *room - text.len() } else { 0 };
    if start == 0 { text } else { format!("… {}", &text[start..]) }
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::Developer => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    }
}

#[cfg(test)]
mod tests {
    use mainstay_domain::KeyId;
    use mainstay_domain::chat::Message;
    use mainstay_store::DataDir;
    use mainstay_vault::testing::MemoryKeyStore;
    use mainstay_vault::{MasterKey, MasterKeys, TenantKeys};

    use super::*;

    struct World {
        log: ContentLog,
        writer: ContentWriter,
        folder: tempfile::TempDir,
    }

    async fn world(share: f64) -> World {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::starting_at(Timestamp::from_micros(1_764_000_000_000_000));
        let masters = MasterKeys::new(MasterKey::generate_file(&folder.path().join("master.key")).unwrap());
        let keys = TenantKeys::new(Arc::new(MemoryKeyStore::default()), masters, clock);
        let store = SqliteContents::open(&DataDir::open(folder.path()).unwrap(), keys).await.unwrap();
        let (log, writer) = ContentLog::new(share, store, clock);
        World { log, writer, folder }
    }

    impl World {
        fn begin(&self, texts: &[&str]) -> Option<Box<Recording>> {
            self.log.begin(&caller(true), &RequestId::new("r"), &request(texts))
        }

        /// Stores what has come, and answers what is stored.
        async fn written(mut self) -> (Vec<serde_json::Value>, tempfile::TempDir) {
            while let Ok(step) = self.writer.queue.try_recv() {
                self.writer.take(step).await;
            }
            let stored =
                self.log.stored().unwrap().list(&TenantId::new("acme"), None, None, 1_000).await.unwrap();
            let said = stored.iter().rev().map(|kept| serde_json::from_str(&kept.said).unwrap());
            (said.collect(), self.folder)
        }
    }

    fn caller(keeps_content: bool) -> Caller {
        Caller { keeps_content, ..Caller::of(TenantId::new("acme"), KeyId::new("k")) }
    }

    fn request(texts: &[&str]) -> ChatRequest {
        let messages = texts.iter().map(|text| Message::text(Role::User, *text)).collect();
        ChatRequest { messages, ..ChatRequest::default() }
    }

    #[tokio::test]
    async fn nothing_is_kept_without_the_tenant_s_word_nor_more_than_the_share() {
        let all = world(1.0).await;
        assert!(all.log.begin(&caller(false), &RequestId::new("r"), &request(&["Hello?"])).is_none());
        assert!(
            ContentLog::default().begin(&caller(true), &RequestId::new("r"), &request(&["Hello?"])).is_none()
        );
        let half = world(0.5).await;
        let kept = (0..2_000).filter(|_| half.begin(&["Hello?"]).is_some()).count();
        assert!((800..1_200).contains(&kept), "{kept}");
        let none = world(0.0).await;
        assert!((0..100).all(|_| none.begin(&["Hello?"]).is_none()));
    }

    #[tokio::test]
    async fn however_a_turn_ends_it_is_kept_with_how_it_ended() {
        let world = world(1.0).await;
        world.begin(&["Hello?"]).unwrap().failed("timeout", Some("p/m"), "It st");
        drop(world.begin(&["Hello?"]));
        world.begin(&["Hello?"]).unwrap().streamed(Some("p/m"), "It stands.");
        let (said, _folder) = world.written().await;
        let ends: Vec<_> =
            said.iter().map(|said| (said["outcome"].clone(), said["answer"].clone())).collect();
        let wanted =
            [json!(["timeout", "It st"]), json!([CANCELLED, null]), json!(["answered", "It stands."])];
        assert_eq!(ends, wanted.map(|end| (end[0].clone(), end[1].clone())));
    }

    #[tokio::test]
    async fn no_turn_waits_for_room() {
        let world = world(1.0).await;
        for _ in 0..WAITING + 10 {
            drop(world.begin(&["Hello?"]));
        }
        assert_eq!(world.written().await.0.len(), WAITING);
    }

    #[tokio::test]
    async fn of_a_long_conversation_the_end_is_kept_and_what_is_personal_is_not() {
        let world = world(1.0).await;
        let long = "é".repeat(MOST_BYTES);
        let texts = ["No room for this.", &long, "My name is Olivia Smith.", "Please ask Olivia."];
        world.begin(&texts).unwrap().streamed(None, "Olivia Smith was asked.");
        let (said, _folder) = world.written().await;
        assert!(said[0].to_string().len() < MOST_BYTES + 1_000 && !said[0].to_string().contains("Olivia"));
        assert!(said[0]["messages"][0]["text"].as_str().unwrap().starts_with("… é"));
        assert_eq!(said[0]["messages"][2]["text"], "Please ask [PERSON_1].");
        assert_eq!(said[0]["answer"], "[PERSON_1] was asked.");
    }

    #[tokio::test]
    async fn a_turn_that_ran_when_its_person_was_erased_is_not_stored_after_that() {
        let mut world = world(1.0).await;
        let jane = Caller { user: Some("jane".into()), ..caller(true) };
        let of_jane =
            |log: &ContentLog| log.begin(&jane, &RequestId::new("r"), &request(&["Hello?"])).unwrap();
        let (waiting, running) = (of_jane(&world.log), of_jane(&world.log));
        drop(waiting);
        let log = world.log.clone();
        let acme = TenantId::new("acme");
        let erasing = log.forget(&acme, vec![ContentsOf::Person("jane".into())]);
        let writing = async {
            for _ in 0..2 {
                let step = world.writer.queue.recv().await.unwrap();
                world.writer.take(step).await;
            }
        };
        let (erased, ()) = tokio::join!(erasing, writing);
        assert_eq!(erased.unwrap(), 0);
        running.streamed(None, "It stands.");
        drop(world.begin(&["Hello?"]));
        let (said, _folder) = world.written().await;
        assert_eq!(said.len(), 1, "another's is stored");
    }
}
