//! The files that `mainstay plan files` writes, looked at by the tools that read them: promtool and amtool here, the schemas of
//! Kubernetes, KEDA and Grafana in the suites of the clients, which find the files in a folder that this writes.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use mainstay_manifests::{examples, generate};

use crate::debian::{files_in, unpack};
use crate::process::{output_of, run as run_program};

/// Packages of Debian and the program that is wanted of each. They are unpacked and not installed: an installed Prometheus starts
/// to serve.
const TOOLS: [(&str, &str); 2] = [("prometheus", "promtool"), ("prometheus-alertmanager", "amtool")];

/// Writes the files of every example blueprint, and of every configuration in `configurations` as the binary plans it, each into
/// a folder of its own under `out`.
pub(crate) fn write(binary: &Path, configurations: &Path, out: &Path) -> anyhow::Result<()> {
    for (name, blueprint) in examples::all() {
        for file in generate(&blueprint).with_context(|| format!("the blueprint {name}"))? {
            let path = out.join(name).join(&file.path);
            let folder = path.parent().context("a file without a folder")?;
            std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
            std::fs::write(&path, file.text).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    for configuration in files_in(configurations)? {
        let name = configuration.file_stem().context("a configuration without a name")?;
        let mut plan = Command::new(binary);
        plan.args(["plan", "files", "--config"]).arg(&configuration).arg("--out").arg(out.join(name));
        run_program(&mut plan)?;
    }
    Ok(())
}

/// Asks promtool and amtool about every folder that [`write()`] wrote.
pub(crate) fn check(folder: &Path, cache: &Path) -> anyhow::Result<()> {
    let [promtool, amtool] = TOOLS.map(|(package, program)| tool(package, program, cache));
    let (promtool, amtool) = (promtool?, amtool?);
    let mut problems = Vec::new();
    let mut ask = |command: &mut Command| {
        if let Err(problem) = output_of(command.env("LC_ALL", "C")) {
            problems.push(format!("{problem:#}"));
        }
    };
    let plans = files_in(folder)?;
    for plan in &plans {
        for file in files_in(&plan.join("prometheus"))?.iter().filter(|path| path.is_file()) {
            let known = known_to_promtool(&read(file)?);
            let copy = written(&plan.join("prometheus/known-to-promtool.yaml"), &known)?;
            ask(Command::new(&promtool).args(["check", "config", "--lint=none"]).arg(copy));
        }
        for file in files_in(&plan.join("prometheus/rules"))? {
            ask(Command::new(&promtool).args(["check", "rules", "--lint=all", "--lint-fatal"]).arg(file));
        }
        for file in files_in(&plan.join("prometheus/tests"))? {
            ask(Command::new(&promtool).args(["test", "rules"]).arg(file));
        }
        // Debian's amtool is older than `url_file`, which the file asks Alertmanager 0.26 for.
        let known = read(&plan.join("alertmanager/alertmanager.yaml"))?
            .replace("url_file: /", "url: http://receiver/");
        let copy = written(&plan.join("alertmanager/known-to-amtool.yaml"), &known)?;
        ask(Command::new(&amtool).arg("check-config").arg(copy));
    }
    println!("{} plans looked at", plans.len());
    if !problems.is_empty() {
        bail!("{}", problems.join("\n"));
    }
    Ok(())
}

/// The configuration as Debian's promtool takes it, which is built without the discovery of pods.
fn known_to_promtool(configuration: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut known = String::new();
    let mut inside = None;
    for line in configuration.lines() {
        if line.trim() == "kubernetes_sd_configs:" {
            inside = Some(indent(line));
        } else if inside.is_none_or(|outer| indent(line) <= outer) {
            inside = None;
            known.push_str(line);
            known.push('\n');
        }
    }
    known
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn written(path: &Path, text: &str) -> anyhow::Result<PathBuf> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path.to_owned())
}

/// The program of a package: the machine's, else the one of Debian's package, unpacked into `cache`.
fn tool(package: &str, program: &str, cache: &Path) -> anyhow::Result<PathBuf> {
    let usable = |path: &Path| output_of(Command::new(path).arg("--version")).is_ok();
    if usable(Path::new(program)) {
        return Ok(program.into());
    }
    let unpacked = cache.join("usr/bin").join(program);
    if !usable(&unpacked) {
        unpack(package, cache).with_context(|| {
            format!("generated files are checked by {program} (Debian: apt-get install {package})")
        })?;
    }
    Ok(unpacked)
}
