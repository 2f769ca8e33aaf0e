//! What people see: results on standard output, colours only on a terminal, tables, progress, and errors with their causes.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write as _};
use std::process::ExitCode;

use comfy_table::{ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::client::ClientError;
use crate::config::Diagnostics;

/// Wrong use or bad input, in distinction to something that failed: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadInput(pub(crate) String);

/// Why standard output could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    /// Whoever read it has seen enough, as in `mainstay search … | head -1`.
    #[error("nobody reads standard output any more")]
    Closed,
    /// The disk is full, most likely.
    #[error("standard output cannot be written")]
    Failed(#[source] io::Error),
}

/// Writes a line to standard output.
pub(crate) fn say(text: impl Display) -> Result<(), OutputError> {
    say_piece(format_args!("{text}\n"))
}

/// Writes a piece of a line to standard output, where it is seen at once.
pub(crate) fn say_piece(text: impl Display) -> Result<(), OutputError> {
    let mut out = io::stdout().lock();
    write!(out, "{text}").and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => OutputError::Closed,
        _ => OutputError::Failed(error),
    })
}

/// Writes a line to standard error. Where that fails, there is nobody left to tell.
pub(crate) fn complain(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Tells what failed, and why, and ends with the exit code that fits. A reader who has seen enough is no failure.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if matches!(error.downcast_ref(), Some(OutputError::Closed)) {
        return ExitCode::SUCCESS;
    }
    complain(format_args!("error: {error}"));
    for cause in error.chain().skip(1) {
        complain(format_args!("  because {cause}"));
    }
    ExitCode::from(if is_bad_input(error) { 2 } else { 1 })
}

/// Whether the one who called is to blame: for the command line, for mainstay.toml, or for what was sent.
fn is_bad_input(error: &anyhow::Error) -> bool {
    error.is::<BadInput>()
        || error.is::<Diagnostics>()
        || error.downcast_ref().is_some_and(ClientError::is_bad_input)
}

/// Whether this stream shows colours: a terminal, and NO_COLOR is not set.
#[expect(clippy::disallowed_methods, reason = "the binary reads the environment")]
pub(crate) fn colours(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// An empty table with this header.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header.iter().copied());
    table
}

/// The same for sentences, which are wrapped also where no terminal says how wide it is.
pub(crate) fn prose_table(header: &[&str]) -> Table {
    let mut table = table(header);
    if !table.is_tty() {
        table.set_width(140);
    }
    table
}

/// A progress bar over things with rate and time left.
pub(crate) fn count_progress(total: u64, things: &'static str, visible: bool) -> ProgressBar {
    progress(total, "{pos}/{len} {msg} {wide_bar} {per_sec}, {eta} left", visible).with_message(things)
}

/// A progress bar over bytes with rate and time left.
pub(crate) fn byte_progress(total: u64, visible: bool) -> ProgressBar {
    progress(total, "{msg:<22!} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left", visible)
}

/// A progress bar of this form. Where standard error is no terminal, nothing is drawn.
fn progress(total: u64, template: &str, visible: bool) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(
        Some(total),
        if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() },
    );
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// `1,234,567`
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `512 B`, `35.6 KB`, `8.1 MB`
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(&str, f64); 3] = [("GB", 1e9), ("MB", 1e6), ("KB", 1e3)];
    match UNITS.iter().find(|(_, unit)| bytes as f64 >= *unit) {
        Some((name, unit)) => format!("{:.1} {name}", bytes as f64 / unit),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_caller_got_wrong_is_told_from_what_failed() {
        let refused = |status| {
            let (code, message) = ("x".to_owned(), "x".to_owned());
            anyhow::Error::new(ClientError::Refused { status, code, message, retry_after: None })
                .context("stopped")
        };
        assert!(is_bad_input(&BadInput("no question".to_owned()).into()));
        assert!([400, 404, 422].into_iter().all(|status| is_bad_input(&refused(status))));
        assert!(![429, 500, 503].into_iter().any(|status| is_bad_input(&refused(status))));
    }

    #[test]
    fn sizes_are_told_in_a_unit_that_fits() {
        assert_eq!(
            [0, 999, 35_594, 8_100_000, 2_000_000_000].map(size),
            ["0 B", "999 B", "35.6 KB", "8.1 MB", "2.0 GB"]
        );
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
