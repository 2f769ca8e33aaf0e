//! `mainstay search`: passages for a question, with the scores of each channel.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use mainstay_domain::ServiceTier;
use serde_json::json;

use crate::filter::FilterArgs;
use crate::printable;
use crate::session::{self, Target};
use crate::terminal;

/// Searches the documents.
#[derive(Args)]
#[command(after_help = "Example: mainstay search \"how long is the warranty\" --limit 5")]
pub(crate) struct SearchArgs {
    /// What to search for.
    query: String,
    /// In which corpus.
    #[arg(long, default_value = "default")]
    corpus: String,
    /// How many results at most.
    #[arg(long, default_value_t = 10)]
    limit: usize,
    /// How much work the order of the results is worth: quality (reranked where the corpus has a reranker) or fast.
    #[arg(long, default_value_t)]
    tier: ServiceTier,
    #[command(flatten)]
    filter: FilterArgs,
    /// Prints the API's JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

pub(crate) fn run(args: SearchArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    session::with_client(&args.target, config, async |client| {
        let body = json!({
            "query": args.query,
            "corpus": args.corpus,
            "limit": args.limit,
            "tier": args.tier,
            "filter": args.filter.filter,
        });
        let answer = client.post("/v1/search", &body).await?;
        if args.json {
            terminal::say(answer)?;
            return Ok(ExitCode::SUCCESS);
        }
        let results = answer["results"].as_array().map(Vec::as_slice).unwrap_or_default();
        if results.is_empty() {
            terminal::say(format_args!("Nothing was found in the corpus {:?}.", args.corpus))?;
            return Ok(ExitCode::SUCCESS);
        }
        let reranked = answer["reranking"]["reranked"] == true;
        let is_upgraded = results.iter().any(|result| result["scores"]["upgraded"].is_number());
        let has_grams = results.iter().any(|result| result["scores"]["grams"].is_number());
        let mut columns = vec!["", "score", "dense", "bm25", "parent", "document", "bytes", "text"];
        if has_grams {
            columns.insert(5, "grams");
        }
        if is_upgraded {
            columns.splice(3..3, ["upgraded", "multi"]);
        }
        if reranked {
            columns.splice(1..1, ["was", "rerank"]);
        }
        let mut table = terminal::table(&columns);
        for result in results {
            let number = |value: &serde_json::Value| {
                value.as_f64().map_or("–".to_owned(), |score| format!("{score:.3}"))
            };
            let mut row = vec![
                result["rank"].to_string(),
                number(&result["score"]),
                number(&result["scores"]["dense"]),
                number(&result["scores"]["sparse"]),
                number(&result["scores"]["parent"]),
                printable::line(result["doc_id"].as_str().unwrap_or_default()).into_owned(),
                format!("{}–{}", result["start_byte"], result["end_byte"]),
                excerpt(result["text"].as_str().unwrap_or_default()),
            ];
            if has_grams {
                row.insert(5, number(&result["scores"]["grams"]));
            }
            if is_upgraded {
                let scores = &result["scores"];
                row.splice(3..3, [number(&scores["upgraded"]), number(&scores["multi_vector"])]);
            }
            if reranked {
                row.splice(1..1, [result["fused_rank"].to_string(), number(&result["scores"]["rerank"])]);
            }
            table.add_row(row);
        }
        terminal::say(table)?;
        Ok(ExitCode::SUCCESS)
    })
}

/// The beginning of a text on one line.
fn excerpt(text: &str) -> String {
    const LONGEST: usize = 160;
    let mut line = printable::line(&text.split_whitespace().collect::<Vec<_>>().join(" ")).into_owned();
    if line.chars().count() > LONGEST {
        line = line.chars().take(LONGEST).collect::<String>() + " …";
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_one_line_that_a_terminal_can_show() {
        assert_eq!(excerpt("two\r\n lines\u{1b}[31m"), "two lines␛[31m");
        assert_eq!(excerpt(&"x".repeat(200)).chars().count(), 162);
    }
}
