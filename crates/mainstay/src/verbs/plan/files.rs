//! The files that run and watch the planned system.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use mainstay_manifests::generate;

use super::planned;
use crate::blueprint::{Site, blueprint};
use crate::config::{self, FILE_NAME};
use crate::terminal::{self, BadInput};

/// Writes the files that run and watch the planned system: Kubernetes, KEDA, Helm, Prometheus, Alertmanager, Grafana, OpenSLO and runbooks.
#[derive(Args)]
#[command(
    after_help = "Example: mainstay plan files --out deploy --image registry.example.com/mainstay:0.1.0\n\n\
    The same mainstay.toml gives the same bytes: a diff is a change."
)]
pub(crate) struct FilesArgs {
    /// The folder; files of the same names in it are replaced.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The namespace.
    #[arg(long, value_name = "NAME", default_value = "mainstay")]
    namespace: String,
    /// The image of Mainstay.
    #[arg(long, value_name = "IMAGE", default_value = "mainstay:latest")]
    image: String,
    /// Where the runbooks are put: alerts link there.
    #[arg(long, value_name = "URL", default_value = "https://runbooks.example.com")]
    runbooks: String,
}

pub(super) fn files(args: FilesArgs, config_path: Option<&Path>) -> anyhow::Result<()> {
    let checked = config::load(config_path)?;
    let plan = planned(&checked)?;
    let text = fs::read_to_string(config_path.unwrap_or(Path::new(FILE_NAME))).unwrap_or_default();
    let site = Site { namespace: args.namespace, image: args.image, runbooks_url: args.runbooks };
    let files =
        generate(&blueprint(&checked, &plan, text, site)).map_err(|error| BadInput(error.to_string()))?;
    for file in &files {
        let path = args.out.join(&file.path);
        let written =
            path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, &file.text));
        written.with_context(|| format!("{} cannot be written", path.display()))?;
    }
    terminal::say(format_args!("{} files in {}", files.len(), args.out.display()))?;
    Ok(())
}
