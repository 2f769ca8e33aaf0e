//! `cargo xtask distill` and `cargo xtask quantise`: the built-in embedding models, made anew from all-MiniLM-L6-v2; and
//! `cargo xtask names`: the lists of names that personal data is found by. All are compared with those that are compiled in.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use clap::Args;

use crate::clients::install_python;
use crate::debian::unpack;
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
    /// The asset that teaches the model, and the Debian packages (of bookworm) whose texts it is taught with.
    school: Option<(&'static str, &'static [&'static str])>,
    /// Where the assets are.
    folder: &'static str,
    /// What the script writes, the asset that it becomes, and whether every machine makes the same bytes of it.
    assets: &'static [(&'static str, &'static str, Sameness)],
}

/// How near a model that is made again must be to the asset.
enum Sameness {
    Bytes,
    /// A table of token vectors, which hangs on the last places of what a transformer gives: [`are_near`].
    Table,
}

const TRANSFORMER_ASSET: &str = "minilm-l6-int8.onnx";

/// The static table of token vectors. A quarter of an hour on two cores.
pub(crate) const STATIC_TABLE: Recipe = Recipe {
    script: "distill.py",
    school: Some((
        TRANSFORMER_ASSET,
        &["wordnet-base", "postgresql-doc-15", "python3.11-doc", "sqlite3-doc"],
    )),
    folder: EMBED_ASSETS,
    assets: &[
        ("table.bin", "minilm-l6-static.bin", Sameness::Table),
        ("vocabulary.txt", "minilm-l6-vocabulary.txt", Sameness::Bytes),
    ],
};

/// The transformer with weights of 8 bits. Seconds.
pub(crate) const TRANSFORMER: Recipe = Recipe {
    script: "quantise.py",
    school: None,
    folder: EMBED_ASSETS,
    assets: &[("model.onnx", TRANSFORMER_ASSET, Sameness::Bytes)],
};

/// Names of people and places. Seconds.
pub(crate) const NAMES: Recipe = Recipe {
    script: "names.py",
    school: None,
    folder: "crates/pii/assets",
    assets: &[("names.bin", "names.bin", Sameness::Bytes)],
};

const EMBED_ASSETS: &str = "crates/embed/assets";

/// Makes a model, in a Python environment of its own under the target folder.
pub(crate) fn run(workspace: &Workspace, recipe: &Recipe, args: &ModelArgs) -> anyhow::Result<()> {
    let recipes = workspace.root.join("xtask/models");
    let cache = workspace.target.join("models");
    let python = install_python(&recipes.join("requirements.txt"), &cache.join("python"))?;
    let out = cache.join("out");
    let assets = workspace.root.join(recipe.folder);
    let mut script = Command::new(python);
    script.arg("-B").arg(recipes.join(recipe.script)).arg(&out);
    if let Some((teacher, packages)) = recipe.school {
        script.arg(assets.join(teacher)).arg(texts_of(packages, &cache.join("texts"))?);
    }
    run_program(&mut script)?;
    if args.write {
        for (made, asset, _) in recipe.assets {
            let target = assets.join(asset);
            std::fs::copy(out.join(made), &target)
                .with_context(|| format!("cannot write {}", target.display()))?;
        }
        return Ok(());
    }
    for (made, asset, sameness) in recipe.assets {
        let (now, then) = (read(&out.join(made))?, read(&assets.join(asset))?);
        let same = match sameness {
            Sameness::Bytes => now == then,
            Sameness::Table => are_near(&now, &then),
        };
        if !same {
            bail!(
                "{asset} differs from what the recipe gives now, {}; run the command with --write to take it over",
                out.join(made).display()
            );
        }
    }
    println!("the assets in {} are what the recipe gives", assets.display());
    Ok(())
}

/// A folder with what is in these packages of Debian.
fn texts_of(packages: &[&str], folder: &Path) -> anyhow::Result<PathBuf> {
    for package in packages {
        let home = folder.join(package);
        if !home.is_dir() {
            unpack(package, &home).with_context(|| format!("texts to learn from come with {package}"))?;
        }
    }
    Ok(folder.to_owned())
}

/// Whether two tables of token vectors have the same size, and numbers that differ by rounding: a scale by a hundredth at
/// most, of the rows one number in a hundred by more than 1, and none by more than 3.
fn are_near(one: &[u8], other: &[u8]) -> bool {
    const HEADER: usize = 16;
    if one.len() != other.len() || one.get(..HEADER) != other.get(..HEADER) || one.len() < HEADER {
        return false;
    }
    let rows = one[8..12].iter().rev().fold(0, |sum, byte| sum * 256 + usize::from(*byte));
    let Some(((scales, one), (others, other))) =
        one[HEADER..].split_at_checked(rows * 4).zip(other[HEADER..].split_at_checked(rows * 4))
    else {
        return false;
    };
    let scales = scales.as_chunks::<4>().0.iter().zip(others.as_chunks::<4>().0);
    let scales_are_near = scales
        .map(|(a, b)| (f32::from_le_bytes(*a), f32::from_le_bytes(*b)))
        .all(|(a, b)| (a - b).abs() <= 0.01 * a.abs().max(b.abs()));
    let distance = |(a, b): (&u8, &u8)| a.cast_signed().abs_diff(b.cast_signed());
    let distances = || one.iter().zip(other).map(distance);
    let apart = distances().filter(|distance| *distance > 1).count();
    scales_are_near && apart * 100 <= one.len() && distances().all(|distance| distance <= 3)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rows of a hundred numbers.
    fn table(scale: f32, numbers: &[i8; 200]) -> Vec<u8> {
        let mut bytes = b"MSTATIC1\x02\0\0\0\x64\0\0\0".to_vec();
        bytes.extend([scale, 1.0].iter().flat_map(|scale| scale.to_le_bytes()));
        bytes.extend(numbers.iter().map(|number| number.cast_unsigned()));
        bytes
    }

    #[test]
    fn tables_are_near_when_they_differ_by_rounding() {
        let mut numbers = [7; 200];
        let asset = table(0.5, &numbers);
        numbers[..100].fill(8);
        numbers[150] = 10;
        assert!(are_near(&table(0.503, &numbers), &asset));
        assert!(!are_near(&table(0.51, &numbers), &asset));
        numbers[150] = 11;
        assert!(!are_near(&table(0.5, &numbers), &asset));
        numbers[150..153].fill(9);
        assert!(!are_near(&table(0.5, &numbers), &asset), "too many are two away");
        assert!(
            !are_near(&asset[..50], &asset) && !are_near(b"", &asset) && !are_near(b"MSTATIC1", &asset[..8])
        );
    }
}
