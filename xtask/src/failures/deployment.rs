//! The real binary between a caller and two provider simulators: the first has the faults, the second is healthy.

use std::fmt::Write as _;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::failures::Fault;
use crate::failures::call::{Question, ask, send};
use crate::service::{Service, pause_for};
use crate::workspace::Workspace;

/// The API that the providers speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Api {
    OpenAi,
    Anthropic,
    Gemini,
}

impl Api {
    pub(super) const ALL: [Self; 3] = [Self::OpenAi, Self::Anthropic, Self::Gemini];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "OpenAI",
            Self::Anthropic => "Anthropic",
            Self::Gemini => "Gemini",
        }
    }

    /// The kind of a provider in `mainstay.toml`, and where the simulator has its API.
    const fn kind_and_path(self) -> (&'static str, &'static str) {
        match self {
            Self::OpenAi => ("openai", "openai/v1"),
            Self::Anthropic => ("anthropic", "anthropic/v1"),
            Self::Gemini => ("gemini", "gemini/v1beta"),
        }
    }
}

/// What Mainstay does about a fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    /// One call. The fault is of every call.
    OneCall,
    /// As it is by default. The fault is of the first call, and then it is over.
    Retry,
    /// As it is by default, with another provider behind the first. The fault is of every call of the first one.
    Fallback,
    /// A stream whose first content is late is asked for a second time. The fault is of the first call.
    Hedge,
}

impl Way {
    pub(super) const ALL: [Self; 4] = [Self::OneCall, Self::Retry, Self::Fallback, Self::Hedge];

    /// Those of whole answers, or of streams: whole answers are not hedged.
    pub(super) fn of(streamed: bool) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |way| streamed || *way != Self::Hedge)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::OneCall => "one call",
            Self::Retry => "retry",
            Self::Fallback => "fallback",
            Self::Hedge => "hedge",
        }
    }
}

/// A running Mainstay with its simulators.
pub(super) struct Deployment {
    way: Way,
    mainstay: Service,
    first: Simulator,
    second: Simulator,
    /// The data folder and the configuration: gone with the deployment.
    _folder: tempfile::TempDir,
    address: String,
    api_key: String,
}

struct Simulator {
    service: Service,
    address: String,
}

/// What was booked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Booked {
    pub(super) turns: u64,
    /// Of answers, in nano-dollars.
    pub(super) cost: u64,
    /// Of calls that failed, in nano-dollars.
    pub(super) failed: u64,
}

/// How many models the configuration knows: one for each request.
const MODELS: usize = 240;

/// Streams from which Mainstay learns what is usual: as many as it wants before it calls one late.
const LEARNT_FROM: u64 = 20;
/// How long the first content takes in those: far more than an answer without a fault, far less than a time limit.
const USUAL: Duration = Duration::from_millis(150);

/// Small, so that the whole table takes a minute or two.
const TIMEOUTS: &str =
    r#"{ connect = "1s", headers = "800ms", first_token = "800ms", idle = "500ms", total = "3s" }"#;

impl Deployment {
    pub(super) fn start(workspace: &Workspace, api: Api, way: Way) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
        let logs = workspace.target.join("failures").join(api.name()).join(way.name().replace(' ', "-"));
        let simulator = |name| -> anyhow::Result<Simulator> {
            let mut command = Command::new(workspace.program("mainstay"));
            command.args(["provider-sim", "--listen", "127.0.0.1:0", "--json"]);
            let (service, ready) = Service::start(name, command, &logs)?;
            Ok(Simulator { service, address: address_at(&ready)? })
        };
        let (first, second) = (simulator("first")?, simulator("second")?);
        let config = folder.path().join("mainstay.toml");
        std::fs::write(&config, configuration(api, way, &first.address, &second.address))
            .context("cannot write mainstay.toml")?;

        let mut mainstay = Command::new(workspace.program("mainstay"));
        mainstay.current_dir(folder.path()).arg("up").arg("--config").arg(&config);
        mainstay.args(["--listen", "127.0.0.1:0", "--json"]);
        mainstay.arg("--data-dir").arg(folder.path().join("data"));
        // Any document: without one it would take in its handbook.
        mainstay.arg("--docs").arg(workspace.root.join("tests/e2e/documents/tickets.md"));
        mainstay.env("MAINSTAY_TEST_PROVIDER_KEY", "provider-key");
        let (mainstay, ready) = Service::start("mainstay", mainstay, &logs)?;
        let address = address_at(&ready)?;
        let api_key = ready["api_key"].as_str().context("there is no API key")?.to_owned();
        Ok(Self { way, mainstay, first, second, _folder: folder, address, api_key })
    }

    pub(super) fn way(&self) -> Way {
        self.way
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn api_key(&self) -> &str {
        &self.api_key
    }

    /// Names of models, each of which may be asked once.
    pub(super) fn models(&self) -> impl Iterator<Item = String> + use<> {
        (0..MODELS).map(|number| format!("first/{}", model(number)))
    }

    /// All faults.
    pub(super) fn faults(&self) -> anyhow::Result<Vec<Fault>> {
        #[derive(Deserialize)]
        struct Listed {
            faults: Vec<Fault>,
        }
        let text = send(&self.first.address, "GET", "/control/faults", None, "")?.body;
        Ok(serde_json::from_str::<Listed>(&text).context("cannot read the list of faults")?.faults)
    }

    /// Lets Mainstay learn how long the first content of this model usually takes: [`USUAL`].
    pub(super) fn learn(&self, model: &str) -> anyhow::Result<()> {
        let late = format!("latency:{},0", USUAL.as_millis());
        self.first.control("POST", "/control", &json!({ "always": [late] }).to_string())?;
        let before = self.booked()?.turns;
        thread::scope(|scope| {
            let ask = || ask(&self.address, &self.api_key, model, Question::Text, true);
            let asked: Vec<_> = (0..LEARNT_FROM).map(|_| scope.spawn(ask)).collect();
            asked.into_iter().try_for_each(|asked| match asked.join() {
                Ok(told) if told.is_whole() => Ok(()),
                told => bail!("without a fault there is {told:?}"),
            })
        })?;
        // What is booked for them is not booked for the fault.
        while self.booked()?.turns < before + LEARNT_FROM {
            pause_for(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Lets the next request have this fault, and forgets what was received.
    pub(super) fn set_fault(&self, fault: &str) -> anyhow::Result<()> {
        let wanted = match self.way {
            Way::OneCall | Way::Fallback => json!({ "always": [fault] }),
            Way::Retry | Way::Hedge => json!({ "faults": [fault] }),
        };
        for simulator in [&self.first, &self.second] {
            simulator.control("DELETE", "/control", "")?;
            simulator.control("DELETE", "/control/requests", "")?;
        }
        self.first.control("POST", "/control", &wanted.to_string())?;
        Ok(())
    }

    /// How many calls each provider has seen.
    pub(super) fn calls(&self) -> anyhow::Result<[u64; 2]> {
        let calls = |simulator: &Simulator| -> anyhow::Result<u64> {
            let seen = simulator.control("GET", "/control/requests", "")?;
            seen["count"].as_u64().context("there is no count")
        };
        Ok([calls(&self.first)?, calls(&self.second)?])
    }

    /// What was booked since it was started.
    pub(super) fn booked(&self) -> anyhow::Result<Booked> {
        let answer = send(&self.address, "GET", "/metrics", Some(&self.api_key), "")?;
        if answer.status != 200 {
            bail!("the metrics are not to be had: status {}", answer.status);
        }
        let text = answer.body;
        let sum = |name: &str| -> u64 {
            let lines =
                text.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{')));
            lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum::<f64>() as u64
        };
        Ok(Booked {
            turns: sum("mainstay_turns_total"),
            cost: sum("mainstay_cost_nano_dollars_total"),
            failed: sum("mainstay_failed_attempts_cost_nano_dollars_total"),
        })
    }

    /// What was booked for the request that has just ended. A caller who hung up may be gone before it is.
    pub(super) fn booked_since(&self, before: &Booked) -> anyhow::Result<Booked> {
        let pause = Duration::from_millis(50);
        let mut now = self.booked()?;
        for _ in 0..100 {
            if now.turns > before.turns {
                break;
            }
            pause_for(pause);
            now = self.booked()?;
        }
        // What would be booked a second time comes after.
        pause_for(pause);
        let now = self.booked()?;
        Ok(Booked {
            turns: now.turns - before.turns,
            cost: now.cost - before.cost,
            failed: now.failed - before.failed,
        })
    }

    /// Ends all of it.
    pub(super) fn stop(self) -> anyhow::Result<()> {
        let mainstay = self.mainstay.stop();
        self.first.service.kill();
        self.second.service.kill();
        mainstay
    }
}

impl Simulator {
    fn control(&self, method: &str, path: &str, body: &str) -> anyhow::Result<Value> {
        let answer = send(&self.address, method, path, None, body)?;
        if answer.status != 200 {
            bail!("the simulator refuses {method} {path} {body}: {}", answer.body);
        }
        let text = answer.body;
        serde_json::from_str(&text).with_context(|| format!("the simulator answers something else: {text}"))
    }
}

fn model(number: usize) -> String {
    format!("model-{number}")
}

fn configuration(api: Api, way: Way, first: &str, second: &str) -> String {
    let mut text = match way {
        Way::OneCall => "[reliability]\nattempts = 1\n\n".to_owned(),
        Way::Hedge => "[reliability]\nhedge_share = \"100%\"\n\n".to_owned(),
        Way::Retry | Way::Fallback => String::new(),
    };
    let (kind, path) = api.kind_and_path();
    for (name, address) in [("first", first), ("second", second)] {
        text += &format!(
            "[providers.{name}]\nkind = \"{kind}\"\nbase_url = \"http://{address}/{path}\"\n\
             api_key = \"env:MAINSTAY_TEST_PROVIDER_KEY\"\ntimeouts = {TIMEOUTS}\n\n"
        );
    }
    let mut priced = vec!["second/spare".to_owned()];
    for number in 0..MODELS {
        let name = format!("first/{}", model(number));
        if way == Way::Fallback {
            // Writing to a String does not fail.
            let _ = writeln!(text, "[models.\"{name}\"]\nfallback = [\"second/spare\"]");
        }
        priced.push(name);
    }
    for name in priced {
        // Writing to a String does not fail.
        let _ = writeln!(text, "[prices.\"{name}\"]\ninput = \"$1\"\noutput = \"$10\"");
    }
    text
}

/// The address in the line that says that a program is ready.
fn address_at(ready: &Value) -> anyhow::Result<String> {
    let url = ready["url"].as_str().context("the line that says it is ready has no `url`")?;
    Ok(url.trim_start_matches("http://").to_owned())
}
