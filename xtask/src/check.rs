//! `cargo xtask check`: everything that is checked without running the product.

use crate::process::{Steps, run as run_program};
use crate::tidy;
use crate::workspace::Workspace;

/// Runs all checks. The profile is `dev`, as for the tests, so that dependencies are compiled once.
pub(crate) fn run(workspace: &Workspace, chores: &[String]) -> anyhow::Result<()> {
    let cargo = |arguments: &[&str]| {
        let mut command = workspace.cargo();
        command.args(arguments);
        command
    };
    let mut steps = Steps::default();
    steps.run("formatting", || run_program(&mut cargo(&["fmt", "--all", "--check"])));
    steps.run("tidy", || tidy::run(workspace, chores));
    steps.run("clippy", || {
        run_program(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))
    });
    steps.run("documentation", || {
        let arguments = ["doc", "--workspace", "--no-deps", "--document-private-items"];
        // The private items are documented too, so a link to one leads somewhere.
        let flags = "--deny warnings --allow rustdoc::private_intra_doc_links";
        run_program(cargo(&arguments).env("RUSTDOCFLAGS", flags))
    });
    steps.finish()
}
