//! Running other programs, step by step, with a summary at the end.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};

/// The steps of a chore that ran so far. A step that fails does not keep the next ones from running, so that one run
/// shows everything that is wrong.
#[derive(Default)]
pub(crate) struct Steps {
    outcomes: Vec<Outcome>,
}

struct Outcome {
    name: String,
    took: Duration,
    failure: Option<String>,
}

impl Steps {
    /// Runs a step; true when it succeeded.
    pub(crate) fn run(&mut self, name: &str, step: impl FnOnce() -> anyhow::Result<()>) -> bool {
        println!("\n── {name}");
        let started = now();
        let failure = step().err().map(|error| format!("{error:#}"));
        if let Some(failure) = &failure {
            eprintln!("{name}: {failure}");
        }
        let succeeded = failure.is_none();
        self.outcomes.push(Outcome { name: name.to_owned(), took: started.elapsed(), failure });
        succeeded
    }

    /// Prints the summary; fails when a step failed.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        println!("\n── summary");
        for outcome in &self.outcomes {
            let verdict = if outcome.failure.is_some() { "FAILED" } else { "ok" };
            println!("{verdict:<7}{:<44}{:>8.1} s", outcome.name, outcome.took.as_secs_f64());
        }
        let failed: Vec<_> = self.outcomes.iter().filter(|outcome| outcome.failure.is_some()).collect();
        for outcome in &failed {
            println!("\n{}: {}", outcome.name, outcome.failure.as_deref().unwrap_or_default());
        }
        match failed.len() {
            0 => Ok(()),
            count => bail!("{count} of {} steps failed", self.outcomes.len()),
        }
    }
}

/// Runs a program to its end, its output shown; fails unless it exits with 0.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let line = describe(command);
    println!("$ {line}");
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Runs a program to its end and takes what it prints; fails unless it exits with 0.
pub(crate) fn output_of(command: &mut Command) -> anyhow::Result<String> {
    let line = describe(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` failed ({}):\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{line}` printed something that is not UTF-8"))
}

/// The command line, as a person would type it.
pub(crate) fn describe(command: &Command) -> String {
    let parts = std::iter::once(command.get_program()).chain(command.get_args());
    parts.map(|part| part.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// A point in time, to measure from.
#[expect(
    clippy::disallowed_methods,
    reason = "how long a chore took for the person who waits: never part of the product"
)]
pub(crate) fn now() -> std::time::Instant {
    std::time::Instant::now()
}
