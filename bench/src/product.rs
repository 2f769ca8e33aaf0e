//! The processes under measurement: Mainstay as a user starts it, and the upstream.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::Common;
use crate::load::{LoadArgs, Seen};
use crate::observe::{memory, now, pause};

/// The name that the configuration gives to the upstream.
pub(crate) const PROVIDER: &str = "mock";

/// The `mainstay` program to measure.
pub(crate) fn binary(common: &Common) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    let binary = common.mainstay.clone().unwrap_or_else(|| own.with_file_name("mainstay"));
    if !binary.exists() {
        bail!(
            "there is no {}: build it with `cargo build --release`, or name it by --mainstay",
            binary.display()
        );
    }
    Ok(binary)
}

/// A folder with a configuration, in which Mainstay can be started again and again. It is gone with this value.
pub(crate) struct Site {
    binary: PathBuf,
    folder: tempfile::TempDir,
}

impl Site {
    /// Writes a configuration that names the upstream, where there is one.
    pub(crate) fn new(binary: &Path, upstream: Option<&str>) -> anyhow::Result<Self> {
        Self::with(binary, upstream, "")
    }

    /// The same with more in the configuration.
    pub(crate) fn with(binary: &Path, upstream: Option<&str>, more: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
        let config = upstream.map_or_else(String::new, |url| {
            format!("[providers.{PROVIDER}]\nkind = \"openai-compatible\"\nbase_url = \"{url}/v1\"\n")
        });
        std::fs::write(folder.path().join("mainstay.toml"), config + more)
            .context("cannot write mainstay.toml")?;
        std::fs::create_dir(folder.path().join("nothing")).context("cannot create a folder")?;
        Ok(Self { binary: binary.to_owned(), folder })
    }

    /// Where files of a measurement may be put.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A command of Mainstay on this data folder.
    pub(crate) fn command(&self, verb: &str) -> anyhow::Result<Command> {
        let log = self.folder.path().join(format!("{verb}.log"));
        let log = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = Command::new(&self.binary);
        command.current_dir(self.folder.path()).arg(verb).arg("--data-dir").arg(self.data()).arg("--json");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        Ok(command)
    }

    /// Starts Mainstay with these documents, or with none, and waits until it is ready.
    pub(crate) fn up(&self, documents: Option<&Path>) -> anyhow::Result<Product> {
        let mut command = self.command("up")?;
        command.args(["--listen", "127.0.0.1:0", "--docs"]);
        // An empty folder, so that it does not add its handbook.
        command.arg(documents.unwrap_or(&self.folder.path().join("nothing")));
        let started = now();
        let (process, ready) = Process::start(command).with_context(|| self.end_of_log("up"))?;
        let ready_seconds = started.elapsed().as_secs_f64();
        let text = |key: &str| ready.get(key).and_then(Value::as_str).map(str::to_owned);
        let url = text("url").with_context(|| format!("no url in what Mainstay said: {ready}"))?;
        Ok(Product { process, url, first_key: text("api_key"), ready_seconds })
    }

    fn end_of_log(&self, verb: &str) -> String {
        let log = std::fs::read_to_string(self.folder.path().join(format!("{verb}.log"))).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        format!(
            "`mainstay {verb}` failed; its log ends:\n{}",
            lines[lines.len().saturating_sub(20)..].join("\n")
        )
    }

    /// Runs a command to its end and watches it; answers what it printed.
    pub(crate) fn watch(&self, verb: &str, mut command: Command) -> anyhow::Result<Watched> {
        let started = now();
        let mut child = command.spawn().with_context(|| format!("cannot start `mainstay {verb}`"))?;
        let output = child.stdout.take().context("standard output was not captured")?;
        let (mut cpu_seconds, mut peak_mb) = (0.0, 0.0);
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            // Between these lines it may end: then the figures of the last look stand.
            if let (Ok(cpu), Ok(memory)) = (crate::observe::cpu_seconds(child.id()), memory(child.id())) {
                (cpu_seconds, peak_mb) = (cpu, memory.peak_mb);
            }
            pause(Duration::from_millis(10));
        };
        let seconds = started.elapsed().as_secs_f64();
        let printed = std::io::read_to_string(output)?;
        let summary = serde_json::from_str(printed.trim());
        match summary {
            // 1 means that some documents were refused: the summary says which.
            Ok(summary) if matches!(status.code(), Some(0 | 1)) => {
                Ok(Watched { summary, seconds, cpu_seconds, peak_mb })
            }
            _ => bail!("{}\nit ended with {status} and printed: {printed}", self.end_of_log(verb)),
        }
    }
}

/// A command that ended.
pub(crate) struct Watched {
    /// The JSON it printed.
    pub(crate) summary: Value,
    /// From start to end.
    pub(crate) seconds: f64,
    /// CPU time of all its threads.
    pub(crate) cpu_seconds: f64,
    /// The most memory it held.
    pub(crate) peak_mb: f64,
}

/// A running Mainstay.
pub(crate) struct Product {
    process: Process,
    /// Its address, without a path.
    pub(crate) url: String,
    /// The API key, at the first start on a data folder.
    pub(crate) first_key: Option<String>,
    /// From the start of the process to the line that says it is ready.
    pub(crate) ready_seconds: f64,
}

impl Product {
    /// The id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.child.id()
    }

    /// The API key; fails when this was not the first start.
    pub(crate) fn key(&self) -> anyhow::Result<&str> {
        self.first_key.as_deref().context("Mainstay printed no API key at its first start")
    }

    /// Asks it to end, and waits.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        Command::new("kill")
            .args(["-TERM", &self.id().to_string()])
            .status()
            .context("cannot start `kill`")?;
        let status = self.process.child.wait()?;
        if !status.success() {
            bail!("mainstay ended with {status}");
        }
        Ok(())
    }
}

/// The upstream of the gateway measures, as a process of its own.
pub(crate) struct Upstream {
    _process: Process,
    /// Its address, without a path.
    pub(crate) url: String,
}

impl Upstream {
    /// Starts it.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("upstream").stdin(Stdio::null()).stdout(Stdio::piped());
        let (process, ready) = Process::start(command)?;
        let url = ready["url"].as_str().context("the upstream did not say where it is")?.to_owned();
        Ok(Self { _process: process, url })
    }
}

/// Makes load from a process of its own.
pub(crate) fn make_load(args: &LoadArgs) -> anyhow::Result<Seen> {
    let mut command = Command::new(std::env::current_exe()?);
    let output =
        command.args(args.to_command_line()).stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("the load on {} failed", args.url);
    }
    serde_json::from_slice(&output.stdout)
        .context("the load generator printed something else than its figures")
}

/// A child process that says by its first line, in JSON, that it is ready; killed when dropped.
struct Process {
    child: Child,
}

impl Process {
    fn start(mut command: Command) -> anyhow::Result<(Self, Value)> {
        let mut process = Self { child: command.spawn().context("cannot start the process")? };
        let output = process.child.stdout.take().context("standard output was not captured")?;
        let mut output = BufReader::new(output);
        let mut line = String::new();
        output.read_line(&mut line)?;
        if line.is_empty() {
            bail!("it ended before it was ready");
        }
        // Reads what follows, so that the process never blocks on a full pipe; ends when the process does.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        let ready =
            serde_json::from_str(&line).with_context(|| format!("its first line is not JSON: {line}"))?;
        Ok((process, ready))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
