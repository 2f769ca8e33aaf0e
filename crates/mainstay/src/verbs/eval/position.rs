//! `mainstay eval position`: the lost-in-the-middle test. The passage that answers a question stands at every position of
//! the context in turn, among passages that were retrieved for the same question and do not answer it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use futures_util::{StreamExt as _, stream};
use mainstay_domain::chat::{ChatRequest, MaxTokens, Message, Role};
use mainstay_domain::port::{ModelCall, RetrievalQuery, Retriever as _};
use mainstay_domain::{Clock, Deadline, ModelError, Passage, ServiceTier, TenantId};
use mainstay_evals::answers::holds;
use mainstay_evals::positions::Verdict;
use mainstay_evals::{DataSet, PositionTest, Question};
use mainstay_models::Route;
use mainstay_rag::assemble::{self, Grounding, best_at_the_edges};
use mainstay_rag::selection::{Rules, Source, select};
use serde::Serialize;

use super::sets::{bad_data, data_set};
use super::table::{bar, difference, interval, probability};
use super::trial::{Models, SEARCH_TIME, Setup, Trial};
use crate::terminal::{self, BadInput};
use crate::{compose, printable};

/// Puts the passage that answers at every position of the context, and asks the model each time. An answer is right when
/// it holds a golden answer of golden.jsonl word for word.
#[derive(Args)]
#[command(after_help = "Example: mainstay eval position ./golden --model openai/gpt-4o-mini --positions 7")]
pub(crate) struct PositionArgs {
    /// A data set with golden.jsonl: one object a line with query_id and answers.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// An assistant of mainstay.toml, or provider/model.
    #[arg(long, value_name = "MODEL")]
    model: String,
    /// The corpus of mainstay.toml whose settings cut and find the passages; without it, "default" or the first by name.
    #[arg(long, value_name = "NAME")]
    corpus: Option<String>,
    /// Passages of a context.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(3..=50))]
    positions: u32,
    /// At most so many questions, evenly spaced. Each is asked once for every position.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    queries: u32,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// What was found.
#[derive(Serialize)]
struct Positions {
    set: String,
    model: String,
    positions: usize,
    /// Questions that were asked at every position.
    questions: usize,
    /// Questions for which the answering passage was not found, or too few others.
    without_context: usize,
    /// Questions for which the model failed at a position; they do not count.
    failed: usize,
    /// Answers in all, right ones and others.
    answers: usize,
    #[serde(flatten)]
    test: PositionTest,
}

/// Passages that are retrieved for a question, for each position of the context.
const CANDIDATES: usize = 10;

/// How long the model may take for one answer.
const ANSWER_TIME: Duration = Duration::from_secs(300);

/// Calls of the model at once.
const AT_ONCE: usize = 4;

pub(crate) fn run(args: PositionArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let set = data_set(&args.folder)?;
    let answers = set.answers().map_err(bad_data)?;
    let questions: Vec<&Question> =
        set.questions.iter().filter(|one| answers.contains_key(&one.id)).collect();
    if questions.is_empty() {
        let message = "no question with a relevant document has an answer: the ids of golden.jsonl must be those of queries.jsonl";
        return Err(BadInput(format!("{}: {message}", args.folder.display())).into());
    }
    let setup = Setup::load(config, args.corpus.as_deref(), None)?;
    let found = compose::runtime()?.block_on(measure(&set, &questions, &answers, &setup, &args))?;
    if args.json {
        terminal::say(serde_json::to_string(&found)?)?;
    } else {
        print(&found)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn measure(
    set: &DataSet,
    questions: &[&Question],
    answers: &HashMap<String, Vec<String>>,
    setup: &Setup,
    args: &PositionArgs,
) -> anyhow::Result<Positions> {
    let trial = Trial::start(set, setup, Models::Needed, !args.json).await?;
    let result = match trial.instance.route(&args.model) {
        Ok(route) => ask(set, questions, answers, &trial, &route, args).await,
        Err(error) => Err(BadInput(error.to_string()).into()),
    };
    trial.stop().await;
    result
}

async fn ask(
    set: &DataSet,
    questions: &[&Question],
    answers: &HashMap<String, Vec<String>>,
    trial: &Trial,
    route: &Route,
    args: &PositionArgs,
) -> anyhow::Result<Positions> {
    let positions = args.positions as usize;
    // Of those without a context others take the place, so that as many are asked as were wanted.
    let (wanted, spaced) = (args.queries as usize, spaced(questions));
    let mut cases = Vec::new();
    let mut without_context = 0;
    for question in spaced {
        if cases.len() == wanted {
            break;
        }
        match Case::find(set, question, &answers[&question.id], trial, positions).await? {
            Some(case) => cases.push(case),
            None => without_context += 1,
        }
    }
    let bar = terminal::count_progress((cases.len() * positions) as u64, "answers", !args.json);
    let calls = cases
        .iter()
        .enumerate()
        .flat_map(|(index, case)| (0..positions).map(move |position| (index, position, case)));
    let calls = calls.map(|(index, position, case)| {
        let bar = &bar;
        async move {
            let right = case.is_answered(route, &args.model, position).await;
            bar.inc(1);
            (index, right)
        }
    });
    let results: Vec<(usize, Result<bool, ModelError>)> =
        stream::iter(calls).buffered(AT_ONCE).collect().await;
    bar.finish_and_clear();
    let mut rows: BTreeMap<usize, Vec<bool>> = BTreeMap::new();
    let mut failure = None;
    for (index, right) in results {
        match right {
            Ok(right) => rows.entry(index).or_default().push(right),
            Err(error) => failure = Some(error),
        }
    }
    let rows: Vec<Vec<bool>> = rows.into_values().filter(|row| row.len() == positions).collect();
    let failed = cases.len() - rows.len();
    let Some(test) = PositionTest::of(&rows) else {
        return Err(match failure {
            Some(error) => anyhow::Error::new(error).context("the model answered no question at every position"),
            None => BadInput(format!(
                "no question has its answer in a retrieved passage and {} other passages: add documents, or ask for fewer \
                 with --positions",
                positions - 1
            ))
            .into(),
        });
    };
    if let Some(error) = failure {
        terminal::complain(format_args!(
            "{failed} questions do not count, because the model failed: {error}"
        ));
    }
    Ok(Positions {
        set: set.name.clone(),
        model: args.model.clone(),
        positions,
        questions: rows.len(),
        without_context,
        failed,
        answers: rows.len() * positions,
        test,
    })
}

/// All questions, ordered so that the first of them, however many, lie all over the set.
fn spaced<'a>(questions: &[&'a Question]) -> Vec<&'a Question> {
    // Steps by a fraction of the length that no small number divides (the golden ratio) leave no part out.
    const GOLDEN: f64 = 0.618_033_988_75;
    let mut order: Vec<usize> = (0..questions.len()).collect();
    order.sort_by(|&one, &other| (one as f64 * GOLDEN).fract().total_cmp(&(other as f64 * GOLDEN).fract()));
    order.into_iter().map(|index| questions[index]).collect()
}

/// A question with a passage that answers it and others that do not.
struct Case<'a> {
    question: &'a Question,
    answers: &'a [String],
    relevant: Passage,
    distractors: Vec<Passage>,
}

impl<'a> Case<'a> {
    /// Of what a search finds. `None` where it does not find the answering passage, or too few others.
    async fn find(
        set: &DataSet,
        question: &'a Question,
        answers: &'a [String],
        trial: &Trial,
        positions: usize,
    ) -> anyhow::Result<Option<Self>> {
        let query = RetrievalQuery {
            tenant: TenantId::single(),
            corpus: trial.corpus.clone(),
            text: question.text.clone(),
            limit: positions * CANDIDATES,
            filter: None,
            tier: ServiceTier::default(),
            deadline: Deadline::after(&Clock::system(), SEARCH_TIME),
            payer: None,
        };
        let found = trial.instance.library().retrieve(query).await?.passages;
        // As in every prompt, passages of one parent are one source.
        let rules = Rules { most: found.len(), most_per_document: None, tokens: u64::MAX };
        let turns: Vec<usize> = (0..found.len()).collect();
        let sources = select(&found, &turns, rules, None).sources.into_iter().map(|source| source.passage);
        let sources: Vec<Passage> = sources.collect();
        let judgements = &set.judgements[&question.id];
        let is_relevant = |passage: &Passage| {
            judgements.get(passage.document.as_str()).is_some_and(|&relevance| relevance > 0)
        };
        let answering = |passage: &Passage| answers.iter().any(|answer| holds(&passage.parent_text, answer));
        let relevant = sources.iter().find(|passage| is_relevant(passage) && answering(passage)).cloned();
        let distractors: Vec<Passage> = sources
            .into_iter()
            .filter(|passage| !is_relevant(passage) && !answering(passage))
            .take(positions - 1)
            .collect();
        let is_complete = distractors.len() == positions - 1;
        Ok(relevant.filter(|_| is_complete).map(|relevant| Self { question, answers, relevant, distractors }))
    }

    /// Whether the model answers with the passage at this position of the context, from 0.
    async fn is_answered(&self, route: &Route, model: &str, position: usize) -> Result<bool, ModelError> {
        let mut shown = self.distractors.clone();
        shown.insert(position, self.relevant.clone());
        let mut request = ChatRequest {
            model: model.to_owned(),
            messages: vec![Message::text(Role::User, &self.question.text)],
            ..ChatRequest::default()
        };
        let assistant = route.assistant.as_deref();
        if let Some(assistant) = assistant {
            request.temperature = assistant.temperature;
            request.max_tokens = assistant.max_tokens.map(|limit| MaxTokens { limit, as_completion: true });
        }
        let prompt = assistant.and_then(|assistant| assistant.prompt.as_deref());
        assemble::insert(&mut request, prompt, &Grounding::new(to_be_shown_as(&shown)));
        let call = ModelCall {
            model: route.first().name.model.to_string(),
            request,
            passages: shown,
            deadline: Deadline::after(&Clock::system(), ANSWER_TIME),
            region: None,
        };
        // The model that was named is what is measured: no other one stands in for it.
        let completion = route.first().model.complete(call).await?;
        let said =
            completion.choices.first().and_then(|choice| choice.message.text.as_deref()).unwrap_or_default();
        Ok(self.answers.iter().any(|answer| holds(said, answer)))
    }
}

/// The passages in the order from which a prompt makes the order `shown`: it puts the best at the edges.
fn to_be_shown_as(shown: &[Passage]) -> Vec<Source> {
    let mut placed: Vec<(usize, &Passage)> = best_at_the_edges(shown.len()).into_iter().zip(shown).collect();
    placed.sort_by_key(|(rank, _)| *rank);
    placed.into_iter().map(|(_, passage)| Source::whole(passage.clone())).collect()
}

fn print(found: &Positions) -> Result<(), terminal::OutputError> {
    let mut table = terminal::table(&["position", "answered", ""]);
    for (position, rate) in found.test.by_position.iter().enumerate() {
        table.add_row([(position + 1).to_string(), interval(rate), bar(rate.mean)]);
    }
    terminal::say(table)?;
    terminal::say(format_args!(
        "{}: {} questions of {}, each with the answering passage at {} positions. In brackets: 95 % confidence intervals \
         (Wilson).",
        printable::line(&found.model),
        found.questions,
        printable::line(&found.set),
        found.positions,
    ))?;
    if found.without_context > 0 {
        terminal::say(format_args!(
            "{} questions were passed over: the passage that answers was not found, or too few others were.",
            found.without_context
        ))?;
    }
    let edges = &found.test.edges_over_middle;
    terminal::say(format_args!(
        "Edges over middle: {}, p {}. Any difference between positions: p {}. The smallest difference that so many \
         questions show: {:.3}.",
        difference(&edges.difference),
        probability(edges.p_value),
        probability(found.test.p_value),
        edges.smallest_detectable,
    ))?;
    terminal::say(match found.test.verdict {
        Verdict::UCurve => {
            "A U-curve: the model reads the middle of its context worse than the edges. Keep contexts short."
        }
        Verdict::InvertedUCurve => "The model reads the edges of its context worse than the middle.",
        Verdict::Uneven => "The position matters, but not as edges against middle.",
        Verdict::NoDifference => "No difference between the positions is shown.",
    })
}

#[cfg(test)]
mod tests {
    use mainstay_domain::ChunkId;

    use super::*;

    fn passage(number: u64) -> Passage {
        Passage::whole(ChunkId(number), &number.to_string(), format!("passage {number}"))
    }

    #[test]
    fn the_prompt_shows_the_passages_in_the_order_that_is_tested() {
        for count in 3..8 {
            let shown: Vec<Passage> = (0..count).map(passage).collect();
            let mut request =
                ChatRequest { messages: vec![Message::text(Role::User, "?")], ..ChatRequest::default() };
            assemble::insert(&mut request, None, &Grounding::new(to_be_shown_as(&shown)));
            let prompt: String = request.messages.iter().map(|message| message.content.text()).collect();
            let places: Vec<usize> = shown.iter().map(|one| prompt.find(&one.text).unwrap()).collect();
            assert!(places.is_sorted(), "{count}: {prompt}");
        }
    }

    #[test]
    fn the_first_questions_lie_all_over_the_set() {
        let all: Vec<Question> = (0..100)
            .map(|number| Question {
                id: number.to_string(),
                text: String::new(),
                language: String::new(),
                type_name: String::new(),
            })
            .collect();
        let all: Vec<&Question> = all.iter().collect();
        let first: Vec<usize> = spaced(&all)[..10].iter().map(|one| one.id.parse().unwrap()).collect();
        for tercile in [0..34, 34..67, 67..100] {
            assert!(first.iter().any(|number| tercile.contains(number)), "{first:?}");
        }
    }
}
