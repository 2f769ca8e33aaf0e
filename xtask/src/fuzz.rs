//! `cargo xtask fuzz`: a fuzzer looks for bytes that break what the parsers promise (`fuzz/src/lib.rs`).

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use clap::Args;

use crate::process::{Steps, output_of, run as run_program};
use crate::workspace::Workspace;

/// What is fuzzed, and for how long.
#[derive(Args)]
pub(crate) struct FuzzArgs {
    /// Seconds for all targets together; each gets the same share, of one at least.
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
    /// So many inputs of each target instead, beginning with the seeds of the checkout and always the same ones: what fails
    /// then fails again, and is the change's doing.
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    runs: Option<u64>,
    /// Only this target.
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
}

/// Counts edges and tells libFuzzer what is compared. These are options of LLVM's, so a stable compiler takes them; they
/// are what cargo-fuzz passes too.
const INSTRUMENTATION: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares";

/// An input that takes longer is reported, in seconds. Most take less than a millisecond; the machine may be busy.
const SLOWEST_SECONDS: u64 = 10;

/// A process that needs more is reported, in MiB: an input has a few thousand bytes, and what was found in earlier runs
/// lies in memory too.
const MOST_MEMORY_MIB: u64 = 1_024;

/// Builds the fuzzer and runs it over the targets.
pub(crate) fn run(workspace: &Workspace, args: &FuzzArgs) -> anyhow::Result<()> {
    let fuzzer = Fuzzer::build(workspace)?;
    let mut targets = fuzzer.targets()?;
    if let Some(name) = &args.target {
        let names = targets.iter().map(|target| target.name.as_str()).collect::<Vec<_>>().join(", ");
        targets.retain(|target| target.name == *name);
        if targets.is_empty() {
            bail!("there is no target `{name}`; there are {names}");
        }
    }
    let most = match args.runs {
        Some(runs) => Most::Runs(runs),
        None => Most::Seconds((args.seconds / targets.len() as u64).max(1)),
    };
    let mut steps = Steps::default();
    for target in &targets {
        steps.run(&target.name, || fuzzer.run(target, most));
    }
    steps.finish()
}

/// How much of a target is tried.
#[derive(Clone, Copy)]
enum Most {
    Seconds(u64),
    Runs(u64),
}

/// The program with libFuzzer in it.
struct Fuzzer {
    program: PathBuf,
    /// `fuzz/` of the checkout.
    folder: PathBuf,
    /// Where everything goes that a run writes.
    output: PathBuf,
}

/// A target, as the fuzzer lists it.
struct Target {
    name: String,
    max_bytes: String,
    dictionary: Option<String>,
}

impl Fuzzer {
    fn build(workspace: &Workspace) -> anyhow::Result<Self> {
        let folder = workspace.root.join("fuzz");
        let output = workspace.target.join("fuzz");
        let package = folder.join("libfuzzer");
        created(&output)?;
        take_lock(
            &workspace.root.join("Cargo.lock"),
            &package.join("Cargo.lock"),
            &output.join("Cargo.lock"),
        )?;
        // Named, so that the flags are not for build scripts, which could not be linked.
        let host = host()?;
        let mut cargo = workspace.cargo();
        cargo.current_dir(&package).args(["build", "--release", "--target", &host]);
        cargo.env("CARGO_TARGET_DIR", &output).env("RUSTFLAGS", INSTRUMENTATION);
        run_program(&mut cargo)?;
        let program = output.join(host).join("release").join("mainstay-fuzz-libfuzzer");
        Ok(Self { program, folder, output })
    }

    fn targets(&self) -> anyhow::Result<Vec<Target>> {
        let list = output_of(&mut Command::new(&self.program))?;
        let targets = list.lines().map(|line| {
            let mut words = line.split(' ').map(str::to_owned);
            let (Some(name), Some(max_bytes)) = (words.next(), words.next()) else {
                bail!("the fuzzer lists a target in another way: {line}")
            };
            Ok(Target { name, max_bytes, dictionary: words.next() })
        });
        targets.collect()
    }

    /// Fuzzes a target, beginning with the seeds of the checkout and what earlier runs have added to them.
    fn run(&self, target: &Target, most: Most) -> anyhow::Result<()> {
        let seeds = self.folder.join("corpus").join(&target.name);
        let grown = match most {
            Most::Seconds(_) => created(&self.output.join("corpus").join(&target.name))?,
            Most::Runs(_) => {
                let fresh = self.output.join("fresh").join(&target.name);
                if fresh.exists() {
                    fs::remove_dir_all(&fresh)
                        .with_context(|| format!("cannot empty {}", fresh.display()))?;
                }
                created(&fresh)?
            }
        };
        let found = created(&self.output.join("found").join(&target.name))?;
        let log = created(&self.output.join("logs"))?.join(&target.name);
        let mut fuzzer = Command::new(&self.program);
        fuzzer.env("FUZZ_TARGET", &target.name).args([&grown, &seeds]);
        match most {
            Most::Seconds(seconds) => fuzzer.arg(format!("-max_total_time={seconds}")),
            Most::Runs(runs) => fuzzer.arg(format!("-runs={runs}")).arg("-seed=1"),
        };
        fuzzer.arg(format!("-max_len={}", target.max_bytes));
        fuzzer.arg(format!("-timeout={SLOWEST_SECONDS}")).arg(format!("-rss_limit_mb={MOST_MEMORY_MIB}"));
        fuzzer.arg("-print_final_stats=1").arg(format!("-artifact_prefix={}/", found.display()));
        if let Some(dictionary) = &target.dictionary {
            let dictionary = self.folder.join("dictionaries").join(format!("{dictionary}.dict"));
            fuzzer.arg(format!("-dict={}", dictionary.display()));
        }
        let written = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        fuzzer.stdin(Stdio::null()).stdout(Stdio::null()).stderr(written);
        let status = fuzzer.status().context("cannot start the fuzzer")?;
        // Parts of the input stand in it, so it need not be UTF-8.
        let text =
            String::from_utf8_lossy(&fs::read(&log).context("cannot read the fuzzer's log")?).into_owned();
        let figure = |name: &str| text.rsplit_once(name).and_then(|(_, rest)| rest.split_whitespace().next());
        let runs = figure("stat::number_of_executed_units:").unwrap_or("?");
        println!("{runs} inputs, {} edges reached", figure(" cov: ").unwrap_or("?"));
        if !status.success() {
            let kept = format!("fuzz/regressions/{}/", target.name);
            let reason = text.lines().filter(|line| line.contains("panicked at") || line.contains("ERROR: "));
            bail!(
                "{}\nthe input is in {}, all that was printed in {}; mend what it breaks, and keep the input in {kept}",
                reason.take(2).collect::<Vec<_>>().join("\n"),
                found.display(),
                log.display()
            );
        }
        Ok(())
    }
}

/// Gives the fuzzer, which is a workspace of its own so that nothing else is built with its flags, the versions of the
/// product. Cargo adds to them only what libFuzzer needs, whose versions its manifest pins; that takes the network, so it
/// is done when the product's lock is another than the one that was `taken`.
fn take_lock(product: &Path, fuzzer: &Path, taken: &Path) -> anyhow::Result<()> {
    let lock = fs::read(product).with_context(|| format!("cannot read {}", product.display()))?;
    if fuzzer.exists() && fs::read(taken).is_ok_and(|taken| taken == lock) {
        return Ok(());
    }
    for path in [fuzzer, taken] {
        fs::write(path, &lock).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn created(folder: &Path) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder.to_owned())
}

/// The triple of this machine.
fn host() -> anyhow::Result<String> {
    let version = output_of(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_owned())
}
