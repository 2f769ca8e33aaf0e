//! `mainstay corpus report`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use mainstay_evals::DataSet;
use mainstay_rag::quality::report::{CorpusReport, Coverage};
use serde_json::json;

use super::{check_name, page, table};
use crate::session::{self, Target};
use crate::terminal::{self, BadInput};
use crate::verbs::eval::sets::data_set;

#[derive(Args)]
pub(crate) struct ReportArgs {
    /// The corpus.
    #[arg(value_name = "CORPUS", default_value = "default")]
    corpus: String,
    /// A folder with questions whose answers are known (corpus.jsonl, queries.jsonl, qrels.tsv): says which documents and
    /// topics no question asks about.
    #[arg(long, value_name = "DIR")]
    golden: Option<PathBuf>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    /// Also writes the report as a page.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

pub(super) fn run(args: ReportArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    check_name(&args.corpus)?;
    let golden = args.golden.as_deref().map(data_set).transpose()?;
    let body = match &golden {
        Some(golden) => json!({ "corpus": args.corpus, "questions": relevant_documents(golden) }),
        None => json!({ "corpus": args.corpus }),
    };
    session::with_client(&args.target, config, async |client| {
        let answer = client.post("/admin/corpora/report", &body).await?;
        let report: CorpusReport =
            serde_json::from_value(answer.clone()).context("the report is not as expected")?;
        if let (Some(golden), Some(coverage)) = (&golden, &report.coverage) {
            check_coverage(golden, &args.corpus, coverage)?;
        }
        if args.json {
            terminal::say(answer)?;
        } else {
            table::print(&report)?;
        }
        if let Some(path) = &args.html {
            std::fs::write(path, page::page(&report))
                .with_context(|| format!("{} cannot be written", path.display()))?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// The ids of the documents that are relevant for each question.
fn relevant_documents(golden: &DataSet) -> Vec<Vec<&str>> {
    let relevant = |question: &str| {
        let judged = golden.judgements.get(question).into_iter().flatten();
        let mut ids: Vec<&str> =
            judged.filter(|(_, relevance)| **relevance > 0).map(|(id, _)| id.as_str()).collect();
        ids.sort_unstable();
        ids
    };
    golden.questions.iter().map(|question| relevant(&question.id)).collect()
}

/// Questions about other documents than those of the corpus say nothing about it.
fn check_coverage(golden: &DataSet, corpus: &str, coverage: &Coverage) -> Result<(), BadInput> {
    if coverage.relevant_in_corpus > 0 {
        let missing = coverage.relevant_documents - coverage.relevant_in_corpus;
        if missing > 0 {
            terminal::complain(format_args!(
                "note: {missing} of the {} documents that the questions of {} ask for are not in the corpus {corpus:?}",
                coverage.relevant_documents,
                golden.corpus.with_file_name("").display(),
            ));
        }
        return Ok(());
    }
    let example = coverage.missing.first().map(|id| format!(", such as {id:?}")).unwrap_or_default();
    Err(BadInput(format!(
        "none of the {} documents that the questions of {} ask for{example} is in the corpus {corpus:?}; add them with \
         `mainstay ingest {} --corpus {corpus}`, or name the corpus that has them",
        coverage.relevant_documents,
        golden.corpus.with_file_name("").display(),
        golden.corpus.display(),
    )))
}
