//! `docs/failures.md`.

use std::fmt::Write as _;

use crate::failures::Row;
use crate::failures::deployment::Way;
use crate::failures::verdict::Outcome;

const HEAD: &str = "\
# What becomes of every failure

Measured, not promised: `cargo xtask failures` puts the real binary between a caller and `mainstay provider-sim`, lets the
provider fail in every way that there is, and writes this page. It fails where a caller was told that an answer is
finished which is not whole, where a request hung, and where something was billed twice.

- **one call**: `[reliability] attempts = 1`; the fault is of every call.
- **retry**: as Mainstay is by default; the fault is of the first call, and then it is over.
- **fallback**: with a second, healthy provider; the fault is of every call of the first one.

Each cell says what the caller got, how many calls the first provider (and the second) saw, and what was billed, in answers
without a fault: `1` is the price of one, `+ 0.5 failed` half of one for calls that failed. \"part, then error\" is a stream that
had begun and ended with an error event, without `[DONE]`. A cell in bold is a defect. Where a provider counts no tokens
(`missing-usage`), Mainstay's estimate is billed. The provider speaks OpenAI's API; its time limits are `headers` and
`first_token` 800 ms, `idle` 500 ms, `total` 3 s. What each fault does stands below, and in `mainstay provider-sim --help`.
";

/// The page.
pub(super) fn of(rows: &[Row]) -> String {
    let mut page = HEAD.to_owned();
    table(&mut page, "Whole answers", rows.iter().map(|row| (row, row.whole.as_ref())));
    table(&mut page, "Streams", rows.iter().map(|row| (row, row.streamed.as_ref())));
    page += "\n## The faults\n\n| fault | what it does |\n|---|---|\n";
    for row in rows {
        // Writing to a String does not fail.
        let _ = writeln!(page, "| `{}` | {} |", row.fault.example, row.fault.what);
    }
    page
}

fn table<'r>(
    page: &mut String,
    title: &str,
    rows: impl Iterator<Item = (&'r Row, Option<&'r [Outcome; Way::ALL.len()]>)>,
) {
    let header = Way::ALL.map(Way::name).join(" | ");
    // Writing to a String does not fail.
    let _ = write!(page, "\n## {title}\n\n| fault | {header} |\n|---|---|---|---|\n");
    for (row, outcomes) in rows {
        if let Some(outcomes) = outcomes {
            let cells: Vec<String> = outcomes.iter().map(Outcome::in_words).collect();
            let _ = writeln!(page, "| `{}` | {} |", row.fault.example, cells.join(" | "));
        }
    }
}
