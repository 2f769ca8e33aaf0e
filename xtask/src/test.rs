//! `cargo xtask test`: the tests of the crates, then the official clients against the real binary.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;

use crate::clients::Clients;
use crate::manifests;
use crate::process::{Steps, run as run_program};
use crate::service::Service;
use crate::usage;
use crate::workspace::Workspace;

/// Which tests to run.
#[derive(Args)]
pub(crate) struct TestArgs {
    /// Only the tests of the crates: unit, integration and documentation tests.
    #[arg(long, conflicts_with = "e2e")]
    unit: bool,
    /// Only the clients against the real binary.
    #[arg(long)]
    e2e: bool,
    /// Only tests whose name contains this.
    filter: Option<String>,
}

/// Runs the tests. Whatever they need is installed first, in folders under cargo's target folder.
pub(crate) fn run(workspace: &Workspace, args: &TestArgs) -> anyhow::Result<()> {
    let filter = args.filter.as_deref();
    let mut steps = Steps::default();
    // Tests and programs in one go: a separate build of the programs would resolve other features of the dependencies
    // and compile them a second time.
    let build = ["build", "--workspace", "--lib", "--bins", "--tests"];
    if !steps.run("build", || run_program(workspace.cargo().args(build))) {
        return steps.finish();
    }
    if !args.e2e {
        steps.run("tests of the crates", || {
            run_program(workspace.cargo().args(["test", "--workspace"]).args(filter))
        });
    }
    if !args.unit {
        client_tests(workspace, filter, &mut steps);
    }
    steps.finish()
}

/// The official SDKs against `mainstay up`, which has stand-ins for its providers behind it.
fn client_tests(workspace: &Workspace, filter: Option<&str>, steps: &mut Steps) {
    let suites = workspace.root.join("tests/e2e");
    let binary = workspace.program("mainstay");
    steps.run("commands in the documents", || usage::check(&workspace.root, &binary));

    let mut manifests = None;
    steps.run("files of plans: promtool, amtool", || {
        let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
        manifests::write(&binary, &suites.join("plans"), folder.path())?;
        let folder = manifests.insert(folder);
        manifests::check(folder.path(), &workspace.target.join("e2e/prometheus"))
    });
    let mut clients = None;
    steps.run("install the clients", || {
        clients = Some(Clients::install(&suites, &workspace.target.join("e2e"))?);
        Ok(())
    });
    let mut deployment = None;
    steps.run("start mainstay and its stand-ins", || {
        deployment = Some(Deployment::start(workspace, &suites)?);
        Ok(())
    });
    let (Some(clients), Some(deployment), Some(manifests)) = (clients, deployment, manifests) else { return };
    let visible = |mut suite: Command| {
        suite.env("MAINSTAY_MANIFESTS", manifests.path());
        deployment.visible_to(suite)
    };
    steps.run("Python: openai, anthropic, langchain, dashboards, charts", || {
        run_program(&mut visible(clients.pytest(&suites.join("python"), filter)))
    });
    steps.run("Node: openai, anthropic, console, objects of Kubernetes", || {
        run_program(&mut visible(clients.node_test(&suites.join("node"), filter)?))
    });
    steps.run("mainstay stops when asked", || deployment.stop());
}

/// The real binary, serving the documents of the suites, with provider stand-ins behind it.
struct Deployment {
    mainstay: Service,
    stand_in: Service,
    /// The data folder and the configuration: gone with the deployment.
    _folder: tempfile::TempDir,
    documents: PathBuf,
    stand_in_url: String,
    url: String,
    api_key: String,
}

impl Deployment {
    fn start(workspace: &Workspace, suites: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
        let logs = workspace.target.join("e2e");
        let documents = suites.join("documents");

        let mut stand_in = Command::new(workspace.program("mainstay"));
        stand_in.args(["provider-sim", "--listen", "127.0.0.1:0", "--json"]);
        let (stand_in, ready) = Service::start("provider-sim", stand_in, &logs)?;
        let stand_in_url = text_at(&ready, "url")?;

        let config = folder.path().join("mainstay.toml");
        let template = suites.join("mainstay.toml");
        let template = std::fs::read_to_string(&template)
            .with_context(|| format!("cannot read {}", template.display()))?;
        std::fs::write(&config, template.replace("http://stand-in", &stand_in_url))
            .context("cannot write mainstay.toml")?;

        let mut mainstay = Command::new(workspace.program("mainstay"));
        mainstay.current_dir(folder.path()).arg("up").arg("--config").arg(&config);
        mainstay.args(["--listen", "127.0.0.1:0", "--json"]);
        mainstay.arg("--data-dir").arg(folder.path().join("data")).arg("--docs").arg(&documents);
        // The configuration names this variable; the stand-in takes any key.
        mainstay.env("MAINSTAY_TEST_PROVIDER_KEY", "provider-key");
        let (mainstay, ready) = Service::start("mainstay", mainstay, &logs)?;
        let (url, api_key) = (text_at(&ready, "url")?, text_at(&ready, "api_key")?);
        println!("mainstay answers at {url}");
        Ok(Self { mainstay, stand_in, _folder: folder, documents, stand_in_url, url, api_key })
    }

    /// Tells a suite where everything is.
    fn visible_to(&self, mut suite: Command) -> Command {
        suite.env("MAINSTAY_URL", &self.url);
        suite.env("MAINSTAY_API_KEY", &self.api_key);
        suite.env("MAINSTAY_DOCUMENTS", &self.documents);
        suite.env("MAINSTAY_STAND_IN_URL", &self.stand_in_url);
        // What a developer has configured for their own use of these clients must not reach the tests.
        for name in [
            "OPENAI_BASE_URL",
            "OPENAI_API_KEY",
            "ANTHROPIC_BASE_URL",
            "ANTHROPIC_API_KEY",
            "ANTHROPIC_AUTH_TOKEN",
        ] {
            suite.env_remove(name);
        }
        suite
    }

    fn stop(self) -> anyhow::Result<()> {
        let mainstay = self.mainstay.stop();
        self.stand_in.kill();
        mainstay
    }
}

fn text_at(ready: &Value, key: &str) -> anyhow::Result<String> {
    match ready.get(key).and_then(Value::as_str) {
        Some(text) => Ok(text.to_owned()),
        None => bail!("the line that says it is ready has no `{key}`: {ready}"),
    }
}
