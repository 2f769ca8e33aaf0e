//! How a verb reaches a Mainstay: the one that is running on the data folder, one at an address, or, when none runs, one
//! that is started inside this process for as long as the verb takes. Either way the verb speaks the same HTTP API.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use crate::client::{Authorities, Client};
use crate::compose::{self, Instance, Listen};
use crate::config::{self, Checked};
use crate::terminal::BadInput;

/// Which Mainstay is meant.
#[derive(Args, Clone, Default)]
pub(crate) struct Target {
    /// The address of a running Mainstay, such as http://127.0.0.1:8088. Without it, the one of the data folder.
    #[arg(long, env = "MAINSTAY_URL", value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The API key for it.
    #[arg(long, env = "MAINSTAY_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub(crate) api_key: Option<String>,
    /// Whose things are meant, where an operator means another tenant's.
    #[arg(long, value_name = "TENANT")]
    pub(crate) tenant: Option<String>,
    /// Certificates (PEM) of who vouches for the server behind --url, where that is not a public authority.
    #[arg(long, env = "MAINSTAY_CA", value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// The id of the approval for a change that takes two people.
    #[arg(long, value_name = "APPROVAL")]
    pub(crate) approval: Option<String>,
    /// The data folder; without it, storage.data_dir of mainstay.toml.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

impl Target {
    /// The client for what is meant.
    fn of(&self, client: Client) -> Client {
        client.of_tenant(self.tenant.clone()).with_approval(self.approval.clone())
    }

    /// Who may vouch for the server.
    fn authorities(&self) -> anyhow::Result<Option<Authorities>> {
        let Some(path) = &self.ca else { return Ok(None) };
        let pem = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let message = || format!("{} holds no certificates in PEM that can be used", path.display());
        Ok(Some(Authorities::of_pem(&pem).ok_or_else(|| BadInput(message()))?))
    }

    /// A client for what needs no key, where a Mainstay is named or runs on the data folder.
    pub(crate) fn running(&self, checked: &Checked) -> anyhow::Result<Option<Client>> {
        if let Some(url) = &self.url {
            let key = self.api_key.as_deref().unwrap_or_default();
            return Ok(Some(Client::new(url, key, self.authorities()?.as_ref())));
        }
        let folder = self.data_dir.as_ref().unwrap_or(&checked.storage.data_dir);
        Ok(compose::running_on(folder).map(|running| running.client()))
    }
}

/// Runs `work` against the Mainstay that is meant. It deals with documents and keys: one that is started for it asks for no
/// secret of a provider that no corpus embeds with.
pub(crate) fn with_client(
    target: &Target,
    config_path: Option<&Path>,
    work: impl AsyncFnOnce(&Client) -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    run(target, config_path, Some(Checked::without_models), work)
}

/// The same for work that calls models.
pub(crate) fn with_models(
    target: &Target,
    config_path: Option<&Path>,
    work: impl AsyncFnOnce(&Client) -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    run(target, config_path, Some(|checked| checked), work)
}

/// The same for work whose effect lives in the memory of a Mainstay: one has to be running.
pub(crate) fn with_running(
    target: &Target,
    config_path: Option<&Path>,
    work: impl AsyncFnOnce(&Client) -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    run(target, config_path, None, work)
}

/// `prepare`: makes the configuration of one that is started for this; without it none is.
fn run(
    target: &Target,
    config_path: Option<&Path>,
    prepare: Option<fn(Checked) -> Checked>,
    work: impl AsyncFnOnce(&Client) -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    let runtime = compose::runtime()?;
    if let Some(url) = &target.url {
        let key = target.api_key.as_deref().ok_or_else(|| {
            BadInput("--url needs a key: pass --api-key or set MAINSTAY_API_KEY".to_owned())
        })?;
        return runtime.block_on(work(&target.of(Client::new(url, key, target.authorities()?.as_ref()))));
    }
    let mut checked = config::load(config_path)?;
    if let Some(data_dir) = &target.data_dir {
        checked.storage.data_dir.clone_from(data_dir);
    }
    if let Some(running) = compose::running_on(&checked.storage.data_dir) {
        return runtime.block_on(work(&target.of(running.client())));
    }
    let Some(prepare) = prepare else {
        let folder = checked.storage.data_dir.display();
        let message = "start it with `mainstay up`, or name another with --url";
        return Err(BadInput(format!("no Mainstay is running on the data folder {folder}: {message}")).into());
    };
    runtime.block_on(async {
        let instance = Instance::start(prepare(checked), Listen::Private).await?;
        let client = target.of(instance.client());
        let result = work(&client).await;
        instance.stop().await;
        result
    })
}
