//! `cargo xtask distill` and `cargo xtask quantise`: the built-in embedding models, made anew from all-MiniLM-L6-v2 and
//! compared with those that are compiled in.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use clap::Args;

use crate::clients::install_python;
use crate::process::run as run_program;
use crate::workspace::Workspace;

/// What to do with the model.
#[derive(Args)]
pub(crate) struct ModelArgs {
    /// Replaces the assets instead of comparing with them. Then give the embedder another name, so that indexes are
    /// rebuilt, and write the new digests into the model card.
    #[arg(long)]
    write: bool,
}

/// How a model is made.
pub(crate) struct Recipe {
    /// Below `xtask/models`.
    script: &'static str,
    /// What the script writes, and the asset that it becomes.
    assets: &'static [(&'static str, &'static str)],
}

/// The static table of token vectors. A minute on one core.
pub(crate) const STATIC_TABLE: Recipe = Recipe {
    script: "distill.py",
    assets: &[("table.bin", "minilm-l6-static.bin"), ("vocabulary.txt", "minilm-l6-vocabulary.txt")],
};

/// The transformer with weights of 8 bits. Seconds.
pub(crate) const TRANSFORMER: Recipe =
    Recipe { script: "quantise.py", assets: &[("model.onnx", "minilm-l6-int8.onnx")] };

/// Makes a model, in a Python environment of its own under the target folder.
pub(crate) fn run(workspace: &Workspace, recipe: &Recipe, args: &ModelArgs) -> anyhow::Result<()> {
    let recipes = workspace.root.join("xtask/models");
    let cache = workspace.target.join("models");
    let python = install_python(&recipes.join("requirements.txt"), &cache.join("python"))?;
    let out = cache.join("out");
    run_program(Command::new(python).arg("-B").arg(recipes.join(recipe.script)).arg(&out))?;
    let assets = workspace.root.join("crates/embed/assets");
    if args.write {
        for (made, asset) in recipe.assets {
            let target = assets.join(asset);
            std::fs::copy(out.join(made), &target)
                .with_context(|| format!("cannot write {}", target.display()))?;
        }
        return Ok(());
    }
    for (made, asset) in recipe.assets {
        if read(&out.join(made))? != read(&assets.join(asset))? {
            bail!(
                "{asset} differs from what the recipe gives now, {}; run the command with --write to take it over",
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
