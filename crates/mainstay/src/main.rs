//! Mainstay: the production platform under an AI product. One file per verb in [`verbs`]; [`compose`] alone names
//! concrete backends.

mod cli;
mod compose;
mod config;
mod verbs;

mod blueprint;
mod client;
mod files;
mod filter;
mod handbook;
mod page;
mod planning;
mod printable;
mod sending;
mod session;
mod situation;
mod sources;
mod terminal;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
