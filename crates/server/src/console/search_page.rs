//! `GET /console/search`: what a search finds, what each channel says of it, and what of it a prompt would show and why.

use std::cmp::Ordering;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{Request, StatusCode};
use mainstay_domain::citation::PassageScore;
use mainstay_domain::rerank::{NotReranked, Reranked, Reranking};
use mainstay_domain::usage::estimate_tokens;
use mainstay_domain::{AssistantName, CorpusName, Passage, TenantId};
use mainstay_gateway::Context;
use mainstay_gateway::sources::{ExplainCall, Explanation};
use mainstay_rag::assemble::best_at_the_edges;
use mainstay_rag::highlight::asked_words;
use mainstay_rag::library::CorpusInfo;
use mainstay_rag::selection::{Decision, Extent};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;

use super::layout::{self, address, grouped, marked};
use super::{page, refused};
use crate::App;
use crate::error::HttpError;
use crate::extract::{corpus_named, limit_of, query_of};
use crate::guard::Visit;

/// What the form sends.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Wanted {
    corpus: Option<String>,
    /// The question.
    q: String,
    limit: Option<usize>,
    /// By whose rules the sources of a prompt are chosen; empty for the first assistant of the corpus.
    assistant: String,
}

const DEFAULT_LIMIT: usize = 20;
const MOST_PASSAGES: usize = 100;

pub(crate) async fn search(State(app): State<Arc<App>>, visit: Visit, request: Request<Body>) -> Response {
    if let Err(error) = visit.accessed(&app, "documents.search", "chunks", json!({ "page": "search" })) {
        return refused(&app, &error.into());
    }
    let Visit { context, tenant, .. } = visit;
    let banner = layout::banner(app.gateway.level_of(&context.caller));
    let (wanted, answer) = match query_of::<Wanted>(request.uri()) {
        Ok(wanted) if wanted.q.trim().is_empty() => (wanted, Ok(None)),
        Ok(wanted) => {
            let answer = explain(&app, &wanted, context).await;
            (wanted, answer.map(Some))
        }
        Err(error) => (Wanted::default(), Err(error)),
    };
    let form = match form(&app, &tenant, &wanted).await {
        Ok(form) => form,
        Err(error) => {
            return page(error.status(), layout::problem("The search cannot be shown", &error.to_string()));
        }
    };
    let status = answer.as_ref().map_or_else(HttpError::status, |_| StatusCode::OK);
    let content = html! {
        (form)
        @match &answer {
            Err(error) => p.error role="alert" { (error) },
            Ok(None) => p.note { "See which passages a question finds, what each channel says of them, and which of them a prompt would show." },
            Ok(Some((corpus, explanation))) => (results(corpus, &wanted, explanation)),
        }
    };
    let title = if wanted.q.trim().is_empty() { "Search" } else { wanted.q.trim() };
    page(status, layout::signed_in(title, banner, &content))
}

async fn explain(
    app: &App,
    wanted: &Wanted,
    context: Context,
) -> Result<(CorpusName, Explanation), HttpError> {
    let corpus = corpus_named(wanted.corpus.clone())?;
    let limit = limit_of(wanted.limit, DEFAULT_LIMIT, MOST_PASSAGES)?;
    let assistant = Some(wanted.assistant.as_str()).filter(|name| !name.is_empty()).map(AssistantName::new);
    let call = ExplainCall { text: wanted.q.clone(), corpus: corpus.clone(), assistant, limit, context };
    Ok((corpus, app.gateway.explain(call).await?))
}

async fn form(app: &App, tenant: &TenantId, wanted: &Wanted) -> Result<Markup, HttpError> {
    let corpora: Vec<CorpusInfo> = app.library.corpora(tenant).await?;
    let chosen = wanted.corpus.clone().unwrap_or_else(|| CorpusName::unnamed().to_string());
    let assistants = app.gateway.registry.assistants();
    let assistants: Vec<(&AssistantName, &CorpusName)> =
        assistants.filter_map(|assistant| Some((&assistant.name, assistant.corpus.as_ref()?))).collect();
    Ok(html! {
        form.search method="get" action="/console/search" role="search" {
            label.question { "Question" input name="q" type="search" value=(wanted.q) required autofocus dir="auto"; }
            label { "Corpus"
                select name="corpus" {
                    @for corpus in &corpora {
                        option value=(corpus.corpus) selected[corpus.corpus.as_str() == chosen] {
                            (corpus.corpus) " (" (grouped(corpus.documents)) " documents)"
                        }
                    }
                }
            }
            label { "Prompt of"
                select name="assistant" {
                    option value="" { "its first assistant" }
                    @for (name, corpus) in assistants {
                        option value=(name) selected[name.as_str() == wanted.assistant] { (name) " (" (corpus) ")" }
                    }
                }
            }
            label.limit { "Passages"
                input name="limit" type="number" min="1" max=(MOST_PASSAGES) value=(wanted.limit.unwrap_or(DEFAULT_LIMIT));
            }
            button { "Search" }
        }
    })
}

fn results(corpus: &CorpusName, wanted: &Wanted, explanation: &Explanation) -> Markup {
    let found = &explanation.found;
    let limit = wanted.limit.unwrap_or(DEFAULT_LIMIT);
    let best = found.passages.iter().map(|passage| passage.score).fold(PassageScore::default(), best_of);
    html! {
        @if found.passages.is_empty() {
            p.note { "Nothing was found. The corpus may be empty, or have no word of the question." }
        } @else {
            (prompt(explanation))
            ol.results {
                // A source is listed even behind the limit: its number leads here.
                @for (position, passage) in found.passages.iter().enumerate().filter(|(position, _)| {
                    *position < limit || shown_as(found.selection.decisions.get(*position).copied()).is_some()
                }) {
                    li { (result(corpus, wanted, explanation, position, passage, &best)) }
                }
            }
        }
    }
}

/// What the prompt as a whole shows.
fn prompt(explanation: &Explanation) -> Markup {
    let Explanation { found, assistant, settings } = explanation;
    let sources = &found.selection.sources;
    let tokens: u64 = sources.iter().map(|source| estimate_tokens(&source.text())).sum();
    html! {
        section.prompt aria-labelledby="prompt" {
            h2 #prompt { "In the prompt" }
            p {
                @match assistant {
                    Some(name) => { "The assistant " b { (name) } " would show" },
                    None => { "No assistant answers from this corpus. By default a prompt would show" },
                }
                " " (sources.len()) " of at most " (settings.top_k) " sources, about " (grouped(tokens)) " of "
                (grouped(settings.context_tokens)) " tokens, in the order "
                @for position in best_at_the_edges(sources.len()) {
                    a.source href={ "#source-" (position + 1) } { "[" (position + 1) "]" } " "
                }
                "because models read the edges of a prompt best."
            }
            @if let Some(order) = order(&found.reranking) { p.note { (order) } }
            @if found.is_diverse {
                p.note { "The question asks for several things: the passages are grouped, and each group gives its best in turn." }
            }
            @if let Some(second) = &found.second {
                p.note dir="auto" { "What was found names more, or lacks a name of the question: a second search asked “" (second.question) "”." }
            }
        }
    }
}

fn result(
    corpus: &CorpusName,
    wanted: &Wanted,
    explanation: &Explanation,
    position: usize,
    passage: &Passage,
    best: &PassageScore,
) -> Markup {
    let title = passage.title.as_deref().unwrap_or(passage.document.as_str());
    let (start, end) = (passage.range.start.to_string(), passage.range.end.to_string());
    let mut place = address(
        "/console/search/document",
        &[
            ("corpus", corpus.as_str()),
            ("document", passage.document.as_str()),
            ("start", &start),
            ("end", &end),
            ("q", &wanted.q),
        ],
    );
    place.push_str("#passage");
    let decision = explanation.found.selection.decisions.get(position).copied();
    let is_second =
        explanation.found.second.as_ref().is_some_and(|second| second.new.contains(&passage.chunk));
    html! {
        article id=[shown_as(decision).map(|source| format!("source-{}", source + 1))] {
            header {
                span.rank aria-label={ "Rank " (position + 1) } { (position + 1) }
                div {
                    h3 dir="auto" { a href=(place) { (title) } }
                    @if !passage.headings.is_empty() { p.where dir="auto" { (passage.headings.join(" › ")) } }
                    p.where { (passage.document) " · bytes " (start) "–" (end)
                        @if is_second { " · found by the second search" }
                        @if let Some(shift) = shift(position + 1, &passage.score) { " · " (shift) }
                    }
                }
            }
            (verdict(decision))
            blockquote dir="auto" { (marked(&passage.text, &asked_words(&passage.text, &wanted.q))) }
            (scores(position + 1, &passage.score, best))
        }
    }
}

fn shown_as(decision: Option<Decision>) -> Option<usize> {
    match decision {
        Some(Decision::Shown { source, .. }) => Some(source),
        _ => None,
    }
}

/// Whether the prompt shows the passage, and why or why not.
fn verdict(decision: Option<Decision>) -> Markup {
    let link = |source: usize| html! { a.source href={ "#source-" (source + 1) } { "[" (source + 1) "]" } };
    html! {
        @match decision {
            Some(Decision::Shown { source, extent }) => p.verdict.shown {
                b { "In the prompt as [" (source + 1) "]" }
                @match extent {
                    Extent::Parent => { " with the text around it" },
                    Extent::Sentences => { " with the sentences around it that matter" },
                    Extent::Chunk => { " alone: the text around it did not fit" },
                }
            },
            Some(Decision::Within { source }) => p.verdict { "In the prompt within " (link(source)) },
            Some(Decision::NearDuplicate { source }) => p.verdict {
                "Not in the prompt: says nearly the same as " (link(source))
            },
            Some(Decision::DocumentHasEnough { most }) => p.verdict {
                "Not in the prompt: its document has given " (most) " already"
            },
            Some(Decision::OverBudget { needed, left }) => p.verdict {
                "Not in the prompt: takes " (grouped(needed)) " tokens, and " (grouped(left)) " were left"
            },
            Some(Decision::Enough { most }) => p.verdict { "Not in the prompt: there were " (most) " better ones" },
            Some(Decision::NotConsidered) | None => p.verdict {
                "Not in the prompt: it is behind the best, from which sources are chosen"
            },
        }
    }
}

/// What a channel says of a passage.
struct Row {
    channel: &'static str,
    rank: Option<usize>,
    score: Option<f32>,
    /// The best score of the channel on this page.
    best: Option<f32>,
}

/// What every channel says of the passage at `place`, from 1, and what became of that.
fn scores(place: usize, score: &PassageScore, best: &PassageScore) -> Markup {
    let mut rows = vec![
        Row { channel: "Meaning", rank: score.ranks.dense, score: score.dense, best: best.dense },
        Row { channel: "Words", rank: score.ranks.sparse, score: score.sparse, best: best.sparse },
        Row { channel: "Words around it", rank: score.ranks.parent, score: score.parent, best: best.parent },
        Row { channel: "Characters", rank: score.ranks.grams, score: score.grams, best: best.grams },
        Row {
            channel: "Better vectors",
            rank: score.ranks.upgraded,
            score: score.upgraded,
            best: best.upgraded,
        },
        Row {
            channel: "Word by word",
            rank: score.ranks.multi_vector,
            score: score.multi_vector,
            best: best.multi_vector,
        },
        Row { channel: "Its document", rank: None, score: score.document, best: best.document },
        Row {
            channel: "Fused",
            rank: Some(score.fused_rank),
            score: Some(score.fused),
            best: Some(best.fused),
        },
        Row {
            channel: "Reranked",
            rank: score.rerank.map(|_| place),
            score: score.rerank,
            best: best.rerank,
        },
    ];
    // A corpus that has no better vectors has no such channel, and not every search is reranked.
    rows.retain(|row| row.best.is_some());
    html! {
        table.scores {
            thead { tr { th scope="col" { "Channel" } th scope="col" { "Rank" } th scope="col" { "Score" } th scope="col" aria-hidden="true" {} } }
            tbody {
                @for row in rows {
                    tr {
                        th scope="row" { (row.channel) }
                        td { @match row.rank { Some(rank) => (rank), None => "–" } }
                        td { @match row.score { Some(score) => { (format!("{score:.3}")) }, None => "–" } }
                        td.bar aria-hidden="true" { (bar(row.score, row.best)) }
                    }
                }
            }
        }
    }
}

/// A score as a length, of the best.
fn bar(score: Option<f32>, best: Option<f32>) -> Markup {
    let share = match (score, best) {
        (Some(score), Some(best)) if best > 0.0 => (100.0 * score / best).clamp(0.0, 100.0),
        _ => 0.0,
    };
    html! {
        svg viewBox="0 0 100 6" preserveAspectRatio="none" { rect width=(format!("{share:.0}")) height="6" {} }
    }
}

/// Where the reranker has moved a passage that is now at `place`, from 1.
fn shift(place: usize, score: &PassageScore) -> Option<String> {
    score.rerank?;
    let places = place.abs_diff(score.fused_rank);
    match place.cmp(&score.fused_rank) {
        Ordering::Less => Some(format!("moved up {places} by the reranker")),
        Ordering::Greater => Some(format!("moved down {places} by the reranker")),
        Ordering::Equal => None,
    }
}

/// Whose order the passages are in; nothing where the corpus has no reranker.
fn order(reranking: &Reranking) -> Option<String> {
    match reranking {
        Reranking::Done(Reranked { model, took, .. }) => {
            Some(format!("Reranked by {model} in {:.0} ms.", 1_000.0 * took.as_secs_f64()))
        }
        Reranking::Skipped(NotReranked::NoReranker) => None,
        Reranking::Skipped(reason) => Some(format!("Not reranked: {}.", reason.as_str().replace('_', " "))),
        Reranking::Failed { model, kind } => {
            Some(format!("Not reranked, because {model} failed: {}.", kind.code()))
        }
    }
}

/// The best of each score.
fn best_of(one: PassageScore, other: PassageScore) -> PassageScore {
    PassageScore {
        fused: one.fused.max(other.fused),
        fused_rank: one.fused_rank,
        rerank: larger(one.rerank, other.rerank),
        dense: larger(one.dense, other.dense),
        sparse: larger(one.sparse, other.sparse),
        parent: larger(one.parent, other.parent),
        grams: larger(one.grams, other.grams),
        upgraded: larger(one.upgraded, other.upgraded),
        multi_vector: larger(one.multi_vector, other.multi_vector),
        document: larger(one.document, other.document),
        ranks: one.ranks,
    }
}

fn larger(one: Option<f32>, other: Option<f32>) -> Option<f32> {
    one.into_iter().chain(other).reduce(f32::max)
}

#[cfg(test)]
mod tests {
    use mainstay_domain::{ChunkId, DocumentId};
    use mainstay_gateway::sources::Found;
    use mainstay_models::RetrievalSettings;
    use mainstay_rag::selection::{Rules, select};

    use super::*;

    fn passage(chunk: u64, text: &str) -> Passage {
        Passage {
            title: Some("<script>title</script>".to_owned()),
            headings: vec!["<script>heading</script>".to_owned()],
            score: PassageScore { fused: 0.5, dense: Some(0.25), ..PassageScore::default() },
            ..Passage::whole(ChunkId(chunk), "<i>doc</i>", text)
        }
    }

    fn explained(passages: Vec<Passage>) -> Explanation {
        let turns: Vec<usize> = (0..passages.len()).collect();
        let rules = Rules { most: 5, most_per_document: None, tokens: 100 };
        let selection = select(&passages, &turns, rules, None);
        let found = Found {
            passages,
            words_alone: false,
            reranking: Reranking::Skipped(NotReranked::NoReranker),
            second: None,
            is_diverse: false,
            selection,
        };
        Explanation {
            found,
            assistant: Some(AssistantName::new("<script>assistant</script>")),
            settings: RetrievalSettings::default(),
        }
    }

    #[test]
    fn documents_and_questions_are_text_and_nothing_else() {
        let explanation =
            explained(vec![passage(1, "<script>alert('text')</script> <img src=x onerror=alert(1)> ferry")]);
        let wanted = Wanted { q: "\"><script>alert(1)</script> ferry".to_owned(), ..Wanted::default() };
        let shown = results(&CorpusName::from("<script>".to_owned()), &wanted, &explanation).into_string();
        for tag in ["<script", "<img", "<i>"] {
            assert!(!shown.contains(tag), "{tag}: {shown}");
        }
        assert!(shown.contains("<b>ferry</b>"), "{shown}");
    }

    #[test]
    fn every_passage_says_whether_the_prompt_shows_it_and_why() {
        let text = "The ferry leaves at nine from the northern quay, except on the first of January.";
        let explanation = explained(vec![
            passage(1, text),
            Passage { document: DocumentId::new("copy"), ..passage(2, text) },
            Passage { document: DocumentId::new("long"), ..passage(3, &"word ".repeat(900)) },
        ]);
        let shown = results(&CorpusName::unnamed(), &Wanted::default(), &explanation).into_string();
        assert!(shown.contains("<b>In the prompt as [1]</b> with the text around it"), "{shown}");
        assert!(
            shown.contains("says nearly the same as <a class=\"source\" href=\"#source-1\">[1]</a>"),
            "{shown}"
        );
        assert!(shown.contains("Not in the prompt: takes 900 tokens"), "{shown}");
    }

    #[test]
    fn a_passage_says_where_the_reranker_has_moved_it() {
        let score = |fused_rank, rerank| PassageScore { fused_rank, rerank, ..PassageScore::default() };
        assert_eq!(shift(1, &score(7, Some(0.9))).as_deref(), Some("moved up 6 by the reranker"));
        assert_eq!(shift(4, &score(3, Some(0.1))).as_deref(), Some("moved down 1 by the reranker"));
        assert_eq!(shift(2, &score(2, Some(0.5))), None);
        assert_eq!(shift(2, &score(9, None)), None);
    }
}
