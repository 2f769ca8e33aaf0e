//! Which sources a question gets: a search, a second one where the first only names what is asked for, then the selection.
//! A question to an assistant and the page that explains one go through here alike.

use std::collections::HashSet;
use std::time::Duration;

use mainstay_domain::port::{RetrievalError, RetrievalQuery, Retrieved};
use mainstay_domain::rerank::Reranking;
use mainstay_domain::{AssistantName, ChunkId, CorpusName, Passage};
use mainstay_models::{Assistant, RetrievalSettings};
use mainstay_ops::measure;
use mainstay_rag::compression::Compression;
use mainstay_rag::selection::{Decision, Rules, Selection, select};
use mainstay_rag::{diversity, hops};

use crate::chat::Context;
use crate::error::FilterOrigin;
use crate::{Gateway, RequestError};

/// More passages are looked for than are shown: several may share a parent, and the budget may pass over a long one.
const PASSAGES_PER_SOURCE: usize = 4;

/// A second search is begun only with this much of the deadline left, and with as many times of what the first took: the
/// model needs the rest.
const LEAST_LEFT: Duration = Duration::from_secs(2);
const LEAST_TIMES: u32 = 8;

/// What was found for a question, and what of it a prompt shows.
#[derive(Clone, Debug)]
pub struct Found {
    /// The passages, best first; those of both searches where there were two. Behind them come those that were found only to
    /// be seen.
    pub passages: Vec<Passage>,
    /// Whose order the first search's passages are in.
    pub reranking: Reranking,
    /// Whether only the words of the question were searched for, because its embedder is down.
    pub words_alone: bool,
    /// The second search, if there was one.
    pub second: Option<SecondSearch>,
    /// Whether the sources were chosen from different groups of passages.
    pub is_diverse: bool,
    /// The sources, and one decision for every passage.
    pub selection: Selection,
}

/// A second search.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecondSearch {
    /// What was asked.
    pub question: String,
    /// What it found that the first did not.
    pub new: Vec<ChunkId>,
}

/// A question whose sources are to be explained.
#[derive(Clone, Debug)]
pub struct ExplainCall {
    /// The question.
    pub text: String,
    /// Which corpus.
    pub corpus: CorpusName,
    /// By whose rules sources are chosen; the first assistant of the corpus where none is named.
    pub assistant: Option<AssistantName>,
    /// How many passages are to be seen at least, even where fewer are looked for.
    pub limit: usize,
    /// Around it.
    pub context: Context,
}

/// What was found, and by whose rules sources were chosen.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// What was found.
    pub found: Found,
    /// The assistant whose rules they are; none where no assistant answers from the corpus.
    pub assistant: Option<AssistantName>,
    /// The rules.
    pub settings: RetrievalSettings,
}

impl Gateway {
    /// What an assistant's prompt would show for a question, and why. No model is asked.
    pub async fn explain(&self, call: ExplainCall) -> Result<Explanation, RequestError> {
        if call.text.trim().is_empty() {
            return Err(RequestError::Invalid {
                message: "the question is empty: say what to search for".to_owned(),
                param: Some("q"),
            });
        }
        let _admitted = self.admit(&call.context, None, 0).await?;
        let assistant = match &call.assistant {
            Some(name) => {
                let unknown = || self.registry.unknown(name.as_str());
                let assistant = self.registry.assistant(name.as_str()).ok_or_else(unknown)?;
                answers_from(assistant, &call.corpus)?;
                Some(assistant)
            }
            None => self.registry.assistants().find(|one| one.corpus.as_ref() == Some(&call.corpus)),
        };
        let settings = assistant.map_or_else(RetrievalSettings::default, |assistant| assistant.retrieval);
        let query = RetrievalQuery {
            tenant: call.context.caller.tenant.clone(),
            corpus: call.corpus,
            limit: call.limit.max(considered(&settings, &call.text)),
            text: call.text,
            filter: assistant.and_then(|assistant| assistant.filter.clone()),
            tier: settings.tier,
            deadline: call.context.deadline,
            payer: Some(call.context.caller),
        };
        let origin = FilterOrigin {
            sent: None,
            sent_as: "filter",
            assistant: assistant.map(|assistant| (&assistant.name, "assistant")),
        };
        let found = self.find_sources(query, &settings).await.map_err(|error| origin.blame(error))?;
        Ok(Explanation { found, assistant: assistant.map(|assistant| assistant.name.clone()), settings })
    }

    /// Finds the sources of an answer. The query's limit is how many passages the first search finds: those behind the ones that
    /// are considered are there to be seen, and change nothing of what is chosen.
    pub(crate) async fn find_sources(
        &self,
        query: RetrievalQuery,
        settings: &RetrievalSettings,
    ) -> Result<Found, RetrievalError> {
        let question = query.text.clone();
        let is_diverse = is_diverse(settings, &question);
        let considered = considered(settings, &question);
        let began = self.clock.instant();
        let Retrieved { passages: mut first, reranking, words_alone } =
            self.search_passages(query.clone()).await?;
        let took = self.clock.instant().duration_since(began);
        // Whoever looks at more passages must see the same choice: those go before anything is made of the rest.
        let only_seen = first.split_off(considered.min(first.len()));
        let query = RetrievalQuery { limit: considered, ..query };

        let (mut passages, second) = if settings.multi_hop.applies(|| hops::looks_chained(&question, &first))
        {
            self.search_again(query, first, took).await
        } else {
            (first, None)
        };

        let depth = considered.min(passages.len());
        let turns = match is_diverse {
            // Half as many groups as sources: each shows its best, and most of them a second.
            true => diversity::in_turns(&passages[..depth], settings.top_k.div_ceil(2)),
            false => (0..depth).collect(),
        };
        let rules = Rules {
            most: settings.top_k,
            most_per_document: settings.per_document,
            tokens: settings.context_tokens,
        };
        let compression = settings.compression.then(|| Compression::new(&question, &passages));
        let mut selection = select(&passages, &turns, rules, compression.as_ref());
        // The second search may have found some of them as well.
        let known: HashSet<ChunkId> = passages.iter().map(|passage| passage.chunk).collect();
        passages.extend(only_seen.into_iter().filter(|passage| !known.contains(&passage.chunk)));
        selection.decisions.resize(passages.len(), Decision::NotConsidered);
        Ok(Found { passages, reranking, words_alone, second, is_diverse, selection })
    }

    /// Looks for what the passages of a first search name. Whatever hinders it, the first search's passages stay.
    async fn search_again(
        &self,
        query: RetrievalQuery,
        first: Vec<Passage>,
        took: Duration,
    ) -> (Vec<Passage>, Option<SecondSearch>) {
        let left = query.deadline.remaining(&self.clock);
        let Some(question) = hops::second_question(&query.text, &first) else {
            measure::searched_again("nothing_to_ask");
            return (first, None);
        };
        if left < LEAST_LEFT || left < took * LEAST_TIMES {
            measure::searched_again("no_time");
            return (first, None);
        }
        let deadline = query.deadline.within(&self.clock, left / LEAST_TIMES);
        let again = RetrievalQuery { text: question.clone(), deadline, ..query };
        let Ok(Retrieved { passages: second, .. }) = self.search_passages(again).await else {
            measure::searched_again("failed");
            return (first, None);
        };
        measure::searched_again("merged");
        let is_new = |passage: &&Passage| first.iter().all(|known| known.chunk != passage.chunk);
        let new = second.iter().filter(is_new).map(|passage| passage.chunk).collect();
        (hops::merge(first, second), Some(SecondSearch { question, new }))
    }
}

/// How many passages are considered for the prompt of a question.
pub(crate) fn considered(settings: &RetrievalSettings, question: &str) -> usize {
    let least = if is_diverse(settings, question) { diversity::DEPTH } else { 0 };
    least.max(settings.top_k * PASSAGES_PER_SOURCE)
}

/// Whether the sources of a question are chosen from different groups of passages.
fn is_diverse(settings: &RetrievalSettings, question: &str) -> bool {
    settings.diversity.applies(|| diversity::asks_for_several(question))
}

/// An assistant's rules say nothing of a corpus from which it does not answer.
fn answers_from(assistant: &Assistant, corpus: &CorpusName) -> Result<(), RequestError> {
    let its_own = match &assistant.corpus {
        Some(its_own) if its_own == corpus => return Ok(()),
        Some(its_own) => format!("from the corpus \"{its_own}\""),
        None => "without documents".to_owned(),
    };
    Err(RequestError::Invalid {
        message: format!(
            "the assistant \"{}\" answers {its_own} and not from \"{corpus}\": search its corpus, or name an assistant of this \
             one, or none",
            assistant.name
        ),
        param: Some("assistant"),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use async_trait::async_trait;
    use mainstay_domain::port::Retriever;
    use mainstay_domain::rerank::NotReranked;
    use mainstay_domain::{ByteRange, Caller, Deadline, KeyId, RequestId, ServiceTier, TenantId, When};

    use super::*;
    use crate::tests::{Script, World, world};

    /// A harbour whose pages name each other: the ship names its yard, and only a search for the yard finds its owner.
    #[derive(Default)]
    struct Harbour {
        asked: Mutex<Vec<String>>,
        takes: Duration,
        fails_on_second: bool,
    }

    const SHIP: &str = "The ferry Alder was built in 1987 by the Nordhavn Yard.";
    const OWNER: &str = "The Nordhavn Yard belongs to the Lindqvist family.";

    #[async_trait]
    impl Retriever for Harbour {
        async fn retrieve(&self, query: RetrievalQuery) -> Result<Retrieved, RetrievalError> {
            tokio::time::sleep(self.takes).await;
            let mut asked = self.asked.lock().unwrap();
            asked.push(query.text.clone());
            if self.fails_on_second && asked.len() > 1 {
                return Err(RetrievalError::Storage("gone".to_owned()));
            }
            let mut found = vec![passage(1, "ship", SHIP)];
            if query.text.contains("Nordhavn") {
                found.insert(0, passage(2, "yard", OWNER));
            }
            let reranking = Reranking::Skipped(NotReranked::NoReranker);
            Ok(Retrieved { passages: found, reranking, words_alone: false })
        }
    }

    fn passage(chunk: u64, document: &str, text: &str) -> Passage {
        Passage::whole(ChunkId(chunk), document, text)
    }

    const CHAINED: &str = "Who owns the yard of the ship that is called Alder?";

    fn harbour(harbour: Harbour) -> (World, Arc<Harbour>) {
        let mut world = world(Script::Say("It is so."));
        let harbour = Arc::new(harbour);
        world.gateway.retriever = harbour.clone();
        (world, harbour)
    }

    async fn find(world: &World, question: &str, multi_hop: When, time: Duration) -> Found {
        let settings = RetrievalSettings { multi_hop, ..RetrievalSettings::default() };
        let query = RetrievalQuery {
            tenant: mainstay_domain::TenantId::single(),
            corpus: CorpusName::unnamed(),
            text: question.to_owned(),
            limit: considered(&settings, question),
            filter: None,
            tier: ServiceTier::Quality,
            deadline: Deadline::after(&world.clock, time),
            payer: None,
        };
        world.gateway.find_sources(query, &settings).await.unwrap()
    }

    const PLENTY: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_question_in_two_steps_is_searched_twice_with_what_the_first_has_found() {
        let (world, harbour) = harbour(Harbour::default());
        let found = find(&world, CHAINED, When::Auto, PLENTY).await;
        let texts: Vec<&str> = found.passages.iter().map(|passage| &*passage.text).collect();
        assert_eq!(texts, [SHIP, OWNER]);
        assert_eq!(found.second.unwrap().new, [ChunkId(2)]);
        assert_eq!(found.selection.sources.len(), 2);
        assert_eq!(harbour.asked.lock().unwrap().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn one_search_is_enough_for_a_plain_question_and_where_a_second_is_not_wanted() {
        for (question, multi_hop) in [("When was the ferry built?", When::Auto), (CHAINED, When::Never)] {
            let (world, harbour) = harbour(Harbour::default());
            assert_eq!(find(&world, question, multi_hop, PLENTY).await.second, None);
            assert_eq!(harbour.asked.lock().unwrap().len(), 1, "{question}");
        }
        let (world, _) = harbour(Harbour::default());
        assert!(find(&world, "When was the ferry built?", When::Always, PLENTY).await.second.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn without_time_and_when_it_fails_there_is_no_second_search() {
        let takes = Duration::from_secs(2);
        let (slow, asked) = harbour(Harbour { takes, ..Harbour::default() });
        assert_eq!(find(&slow, CHAINED, When::Always, Duration::from_secs(10)).await.passages.len(), 1);
        assert_eq!(asked.asked.lock().unwrap().len(), 1);
        let (failing, _) = harbour(Harbour { fails_on_second: true, ..Harbour::default() });
        let found = find(&failing, CHAINED, When::Always, PLENTY).await;
        assert_eq!((found.passages.len(), found.second), (1, None));
    }

    fn explain(world: &World, text: &str, limit: usize) -> ExplainCall {
        ExplainCall {
            text: text.to_owned(),
            corpus: CorpusName::unnamed(),
            assistant: None,
            limit,
            context: Context {
                request: RequestId::new("req_1"),
                caller: Caller::of(TenantId::single(), KeyId::new("k")),
                deadline: Deadline::after(&world.clock, PLENTY),
                client_retries: 0,
                address: None,
                place: tokio::sync::watch::Sender::new(0),
                team: None,
                feature: None,
                cache: mainstay_cache::Wish::default(),
            },
        }
    }

    /// Sixty pages about a yard; a search for the yard's name finds them from the other end.
    struct Shelf;

    #[async_trait]
    impl Retriever for Shelf {
        async fn retrieve(&self, query: RetrievalQuery) -> Result<Retrieved, RetrievalError> {
            let page =
                |n: u64| passage(n, "log", &format!("x{n}a x{n}b x{n}c of the Nordhavn Yard: x{n}d x{n}e"));
            let mut passages: Vec<Passage> = (0..60).map(page).collect();
            for (passage, start) in passages.iter_mut().zip((0..).step_by(1_000)) {
                passage.range = ByteRange { start, end: start + passage.text.len() };
                passage.parent_range = passage.range;
            }
            if query.text.contains("Nordhavn") {
                passages.reverse();
            }
            passages.truncate(query.limit);
            Ok(Retrieved {
                passages,
                reranking: Reranking::Skipped(NotReranked::NoReranker),
                words_alone: false,
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_looks_at_more_passages_sees_the_choice_that_a_prompt_makes() {
        let mut world = world(Script::Say("It is so."));
        world.gateway.retriever = Arc::new(Shelf);
        let chosen = |found: &Found| -> Vec<ChunkId> {
            found.selection.sources.iter().map(|source| source.passage.chunk).collect()
        };
        let prompt = find(&world, CHAINED, When::Auto, PLENTY).await;
        let [first, second] = chosen(&prompt)[..2] else { panic!("two searches have sources") };
        assert_eq!((first, second), (ChunkId(0), ChunkId(59)));
        let explained = world.gateway.explain(explain(&world, CHAINED, 100)).await.unwrap().found;
        assert_eq!(chosen(&explained), chosen(&prompt));
        assert_eq!(explained.second, prompt.second);
        assert_eq!(explained.passages[..prompt.passages.len()], prompt.passages);
        // The rest is there to be seen, each once.
        let mut chunks: Vec<ChunkId> = explained.passages.iter().map(|passage| passage.chunk).collect();
        chunks.sort_unstable();
        assert_eq!(chunks, (0..60).map(ChunkId).collect::<Vec<_>>());
        assert_eq!(explained.selection.decisions.len(), 60);
        assert_eq!(explained.selection.decisions.last(), Some(&Decision::NotConsidered));
    }

    #[tokio::test(start_paused = true)]
    async fn an_assistant_explains_its_own_corpus_alone() {
        let (world, _) = harbour(Harbour::default());
        let other = ExplainCall {
            corpus: CorpusName::new("other"),
            assistant: Some(AssistantName::new("support")),
            ..explain(&world, "When?", 10)
        };
        let Err(RequestError::Invalid { message, param: Some("assistant") }) =
            world.gateway.explain(other).await
        else {
            panic!("it is refused")
        };
        assert!(message.starts_with(
            "the assistant \"support\" answers from the corpus \"default\" and not from \"other\""
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn an_explanation_shows_what_a_prompt_would() {
        let (world, _) = harbour(Harbour::default());
        let call = |assistant: Option<&str>, text: &str| ExplainCall {
            assistant: assistant.map(AssistantName::new),
            ..explain(&world, text, 10)
        };
        let explained = world.gateway.explain(call(None, "When was the ferry built?")).await.unwrap();
        assert_eq!(explained.assistant, Some(AssistantName::new("support")));
        assert!(matches!(explained.found.selection.decisions[..], [Decision::Shown { source: 0, .. }]));
        let unknown = world.gateway.explain(call(Some("nobody"), "When?")).await;
        assert!(matches!(unknown, Err(RequestError::UnknownModel(_))));
        let empty = world.gateway.explain(call(None, " ")).await;
        assert!(matches!(empty, Err(RequestError::Invalid { param: Some("q"), .. })));
    }
}
