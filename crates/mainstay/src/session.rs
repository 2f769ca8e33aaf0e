//! How a verb reaches a Mainstay: the one that is running on the data folder, one at an address, or, when none runs, one
//! that is started inside this process for as long as the verb takes. Either way the verb speaks the same HTTP API.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::client::Client;
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
    /// The data folder; without it, storage.data_dir of mainstay.toml.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
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
        return runtime.block_on(work(&Client::new(url, key).of_tenant(target.tenant.clone())));
    }
    let mut checked = config::load(config_path)?;
    if let Some(data_dir) = &target.data_dir {
        checked.storage.data_dir.clone_from(data_dir);
    }
    if let Some(running) = compose::running_on(&checked.storage.data_dir) {
        return runtime.block_on(work(&running.client().of_tenant(target.tenant.clone())));
    }
    let Some(prepare) = prepare else {
        let folder = checked.storage.data_dir.display();
        let message = "start it with `mainstay up`, or name another with --url";
        return Err(BadInput(format!("no Mainstay is running on the data folder {folder}: {message}")).into());
    };
    runtime.block_on(async {
        let instance = Instance::start(prepare(checked), Listen::Private).await?;
        let client = instance.client().of_tenant(target.tenant.clone());
        let result = work(&client).await;
        instance.stop().await;
        result
    })
}
