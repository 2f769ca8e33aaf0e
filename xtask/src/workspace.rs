//! The workspace as cargo sees it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The checkout: where it is, where cargo builds, and its crates.
pub(crate) struct Workspace {
    /// The folder of the root manifest.
    pub(crate) root: PathBuf,
    /// Cargo's target folder.
    pub(crate) target: PathBuf,
    /// The crates of the workspace.
    pub(crate) members: Vec<Member>,
}

/// A crate of the workspace.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// The package's name.
    pub(crate) name: String,
    /// Its folder, relative to the root, with `/` between the parts.
    pub(crate) folder: String,
    /// What `[package.metadata.mainstay] layer` says; `None` when it is missing or neither a number nor `"dev"`.
    pub(crate) layer: Option<Layer>,
    /// Direct dependencies of every kind.
    pub(crate) dependencies: Vec<Dependency>,
    /// The text of its `Cargo.toml`.
    pub(crate) manifest: String,
}

/// How high a crate stands: it may depend only on crates of a lower layer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Layer {
    /// Part of the product.
    Number(u64),
    /// Development only: never part of the product.
    Dev,
}

/// A direct dependency of a crate.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Dependency {
    /// The package depended on.
    pub(crate) name: String,
    /// When it is needed.
    #[serde(default)]
    pub(crate) kind: Option<DependencyKind>,
}

/// When a dependency is needed, unless always.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DependencyKind {
    /// For tests, examples and benchmarks.
    Dev,
    /// For the build script.
    Build,
}

impl Workspace {
    /// Asks cargo about the workspace that this program was started in.
    pub(crate) fn load() -> anyhow::Result<Self> {
        let metadata: Metadata = cargo_metadata(Path::new("."), &["--no-deps"])?;
        let members = metadata
            .packages
            .into_iter()
            .map(|package| Member::read(&metadata.workspace_root, package))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { root: metadata.workspace_root, target: metadata.target_directory, members })
    }

    /// A call of cargo on the workspace, which builds just as one from the shell would. What `cargo run` tells this
    /// program about its own package stays here: build scripts of dependencies look at those variables, and half of
    /// everything would be compiled again whenever a developer changes between the two.
    #[expect(
        clippy::disallowed_methods,
        reason = "which of cargo's own variables there are is for the environment to say"
    )]
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = Command::new("cargo");
        cargo.current_dir(&self.root);
        for (name, _) in std::env::vars_os() {
            let told = name.to_string_lossy();
            if told.starts_with("CARGO_PKG_") || told.starts_with("CARGO_MANIFEST_") {
                cargo.env_remove(&name);
            }
        }
        cargo
    }

    /// Where cargo puts a program of the workspace, built for development.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }
}

impl Member {
    fn read(root: &Path, package: Package) -> anyhow::Result<Self> {
        let manifest = std::fs::read_to_string(&package.manifest_path)
            .with_context(|| format!("cannot read {}", package.manifest_path.display()))?;
        let folder = package.manifest_path.parent().and_then(|folder| folder.strip_prefix(root).ok());
        let folder = folder.context("cargo names a member outside the workspace")?;
        Ok(Self {
            layer: Layer::of(&package.metadata),
            folder: folder.to_string_lossy().replace('\\', "/"),
            name: package.name,
            dependencies: package.dependencies,
            manifest,
        })
    }

    /// The path of its manifest, relative to the root.
    pub(crate) fn manifest_path(&self) -> String {
        format!("{}/Cargo.toml", self.folder)
    }

    /// The first line of its manifest that begins with `text` (1-based), or line 1.
    pub(crate) fn line_of(&self, text: &str) -> usize {
        self.manifest.lines().position(|line| line.starts_with(text)).map_or(1, |index| index + 1)
    }
}

impl Layer {
    fn of(package_metadata: &serde_json::Value) -> Option<Self> {
        let layer = package_metadata.get("mainstay")?.get("layer")?;
        if layer.as_str() == Some("dev") { Some(Self::Dev) } else { layer.as_u64().map(Self::Number) }
    }
}

impl std::fmt::Display for Layer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(formatter, "layer {number}"),
            Self::Dev => formatter.write_str("development only"),
        }
    }
}

/// What `cargo metadata` answers, as far as `T` asks.
pub(crate) fn cargo_metadata<T: DeserializeOwned>(folder: &Path, arguments: &[&str]) -> anyhow::Result<T> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(folder).args(["metadata", "--format-version", "1"]).args(arguments);
    let output = cargo.output().context("cannot start `cargo`; is Rust installed? see https://rustup.rs")?;
    if !output.status.success() {
        bail!("`cargo metadata` failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).context("cannot read the answer of `cargo metadata`")
}

#[derive(Deserialize)]
struct Metadata {
    workspace_root: PathBuf,
    target_directory: PathBuf,
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
    #[serde(default)]
    metadata: serde_json::Value,
}
