//! A program that runs beside the tests and says on its first line of output that it is ready.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde_json::Value;

use crate::process::describe;

/// How long a program may take to say that it is ready: ingest of the test documents by a debug build on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// How long it may take to end when asked: longer than its own limit for requests in flight.
const STOPPED_WITHIN: Duration = Duration::from_secs(60);

/// A running program. It is killed when this is dropped.
pub(crate) struct Service {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Service {
    /// Starts a program and waits for its first line, which is JSON. What it writes to standard error goes to
    /// `<logs>/<name>.log`.
    pub(crate) fn start(
        name: &'static str,
        mut command: Command,
        logs: &Path,
    ) -> anyhow::Result<(Self, Value)> {
        let line = describe(&command);
        println!("$ {line}");
        std::fs::create_dir_all(logs).with_context(|| format!("cannot create {}", logs.display()))?;
        let log = logs.join(format!("{name}.log"));
        let log_file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log_file);
        let mut child = command.spawn().with_context(|| format!("cannot start `{line}`"))?;
        let output = child.stdout.take().context("standard output was not captured")?;
        let service = Self { name, child, log };

        let (lines, first_line) = mpsc::channel();
        // Reads to the end, so that the program never blocks on a full pipe; ends when the program does.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Nobody listens after the first line.
                let _ = lines.send(line);
            }
        });
        let Ok(first_line) = first_line.recv_timeout(READY_WITHIN) else {
            bail!("{name} did not say that it is ready; its log ends:\n{}", service.end_of_log());
        };
        let ready = serde_json::from_str(&first_line)
            .map_err(|error| anyhow!("the first line of {name} is not JSON ({error}): {first_line}"))?;
        Ok((service, ready))
    }

    /// The id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, as an operator would, and waits; fails unless it ends in time and with exit code 0.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        let asked = Command::new("kill").args(["-TERM", &self.id().to_string()]).status();
        asked.context("cannot start `kill`")?;
        let name = self.name;
        match self.wait(STOPPED_WITHIN)? {
            Some(status) if status.success() => Ok(()),
            Some(status) => bail!("{name} ended with {status}; its log ends:\n{}", self.end_of_log()),
            None => {
                bail!("{name} did not end within {STOPPED_WITHIN:?}; its log ends:\n{}", self.end_of_log())
            }
        }
    }

    /// Ends it without asking.
    pub(crate) fn kill(self) {
        drop(self);
    }

    fn wait(&mut self, limit: Duration) -> anyhow::Result<Option<ExitStatus>> {
        let mut waited = Duration::ZERO;
        let pause = Duration::from_millis(50);
        while waited < limit {
            if let Some(status) = self.child.try_wait().context("cannot wait for the program")? {
                return Ok(Some(status));
            }
            pause_for(pause);
            waited += pause;
        }
        Ok(None)
    }

    fn end_of_log(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for another process.
#[expect(
    clippy::disallowed_methods,
    reason = "a development tool that waits for another process: no runtime to block"
)]
pub(crate) fn pause_for(duration: Duration) {
    std::thread::sleep(duration);
}
