//! `cargo xtask distill`: the built-in embedding table, made anew from its teacher and compared with the one that is
//! compiled in.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use clap::Args;

use crate::clients::install_python;
use crate::process::run as run_program;
use crate::workspace::Workspace;

/// What to do with the table.
#[derive(Args)]
pub(crate) struct DistillArgs {
    /// Replaces the assets instead of comparing with them. Then give the embedder another name, so that indexes are
    /// rebuilt, and write the new digests into the model card.
    #[arg(long)]
    write: bool,
}

/// What the script writes, and the asset that it becomes.
const ASSETS: [(&str, &str); 2] =
    [("table.bin", "minilm-l6-static.bin"), ("vocabulary.txt", "minilm-l6-vocabulary.txt")];

/// Distils, in a Python environment of its own under the target folder. Minutes on two cores.
pub(crate) fn run(workspace: &Workspace, args: &DistillArgs) -> anyhow::Result<()> {
    let recipe = workspace.root.join("xtask/distill");
    let cache = workspace.target.join("distill");
    let python = install_python(&recipe.join("requirements.txt"), &cache.join("python"))?;
    let out = cache.join("out");
    run_program(Command::new(python).arg("-B").arg(recipe.join("distill.py")).arg(&out))?;
    let assets = workspace.root.join("crates/embed/assets");
    if args.write {
        for (made, asset) in ASSETS {
            let target = assets.join(asset);
            std::fs::copy(out.join(made), &target)
                .with_context(|| format!("cannot write {}", target.display()))?;
        }
        return Ok(());
    }
    for (made, asset) in ASSETS {
        if read(&out.join(made))? != read(&assets.join(asset))? {
            bail!(
                "{asset} differs from what the recipe gives now, {}; `cargo xtask distill --write` takes it over",
                out.join(made).display()
            );
        }
    }
    println!("the assets in {} are what the recipe gives", assets.display());
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
