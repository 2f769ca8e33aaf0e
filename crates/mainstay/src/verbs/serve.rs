//! `mainstay serve`: serves the API as mainstay.toml says, and nothing else. For service managers and containers.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::compose::{self, Instance, Listen, StopSignals};
use crate::config::{self, Checked};
use crate::terminal::BadInput;

/// Serves the API.
#[derive(Args)]
#[command(after_help = "Example: mainstay serve --config /etc/mainstay.toml")]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Where Mainstay listens and keeps its data, where that differs from mainstay.toml.
#[derive(Args, Clone, Default)]
pub(crate) struct Place {
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

impl Place {
    /// The configuration with what the command line says put before it.
    pub(crate) fn apply(&self, mut config: Checked) -> anyhow::Result<Checked> {
        if let Some(listen) = &self.listen {
            config.server.listen = listen.parse().map_err(|_| {
                BadInput(format!(
                    "{listen:?} is no address to listen on; write it as 127.0.0.1:8088, or with port 0"
                ))
            })?;
        }
        if let Some(data_dir) = &self.data_dir {
            config.storage.data_dir.clone_from(data_dir);
        }
        Ok(config)
    }
}

pub(crate) fn run(args: ServeArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let checked = args.place.apply(config::load(config)?)?;
    compose::runtime()?.block_on(async {
        let signals = StopSignals::listen()?;
        let instance = Instance::start(checked, Listen::Configured).await?;
        tracing::info!(url = %instance.url(), "serving");
        instance.until(signals).await;
        Ok(ExitCode::SUCCESS)
    })
}
