//! `docs/failures.md`.

use std::fmt::Write as _;

use crate::failures::deployment::Way;
use crate::failures::verdict::Outcome;
use crate::failures::{Row, Table};

const HEAD: &str = "\
# What becomes of every failure

Measured, not promised: `cargo xtask failures` puts the real binary between a caller and `mainstay provider-sim`, lets the
provider fail in every way that there is, and writes this page. It fails where a caller was told that an answer is
finished which is not whole, where a request hung, and where something was billed twice.

- **one call**: `[reliability] attempts = 1`; the fault is of every call.
- **retry**: as Mainstay is by default; the fault is of the first call, and then it is over.
- **fallback**: with a second, healthy provider; the fault is of every call of the first one.
- **hedge**: `[reliability] hedge_share = \"100%\"`, streams only; the fault is of the first call. The first content usually takes 150 ms, and
  a stream that takes longer is asked for a second time.

Each cell says what the caller got, how many calls the first provider (and the second) saw, and what was billed, in answers
without a fault: `1` is the price of one, `+ 0.5 failed` half of one for calls that failed. \"part, then error\" is a stream that
had begun and ended with an error event, without `[DONE]`. A cell in bold is a defect. Where a provider counts no tokens
(`missing-usage`), Mainstay's estimate is billed. The time limits are `headers` and `first_token` 800 ms, `idle` 500 ms, `total`
3 s. What each fault does stands below, and in `mainstay provider-sim --help`. The first tables are of a provider that speaks
OpenAI's API; of Anthropic's and Gemini's there is what differs from them.
";

/// The page.
pub(super) fn of(tables: &[Table]) -> String {
    let mut page = HEAD.to_owned();
    let Some((first, others)) = tables.split_first() else { return page };
    for streamed in [false, true] {
        let title = if streamed { "Streams" } else { "Whole answers" };
        write_table(&mut page, title, streamed, first.rows.iter());
    }
    for other in others {
        for streamed in [false, true] {
            let differs = |(row, of_first): &(&Row, &Row)| {
                let cells =
                    |row: &Row| row.outcomes(streamed).iter().map(Outcome::in_words).collect::<Vec<_>>();
                cells(row) != cells(of_first)
            };
            let rows = other.rows.iter().zip(&first.rows).filter(differs).map(|(row, _)| row);
            let form = if streamed { "streams" } else { "whole answers" };
            write_table(&mut page, &format!("{}: {form} that differ", other.api.name()), streamed, rows);
        }
    }
    page += "\n## The faults\n\n| fault | what it does |\n|---|---|\n";
    for row in &first.rows {
        // Writing to a String does not fail.
        let _ = writeln!(page, "| `{}` | {} |", row.fault.example, row.fault.what);
    }
    page
}

fn write_table<'r>(page: &mut String, title: &str, streamed: bool, rows: impl Iterator<Item = &'r Row>) {
    let mut rows = rows.filter(|row| !row.outcomes(streamed).is_empty()).peekable();
    if rows.peek().is_none() {
        return;
    }
    let ways: Vec<_> = Way::of(streamed).map(Way::name).collect();
    // Writing to a String does not fail.
    let _ = write!(
        page,
        "\n## {title}\n\n| fault | {} |\n|---{}|\n",
        ways.join(" | "),
        "|---".repeat(ways.len())
    );
    for row in rows {
        let cells: Vec<String> = row.outcomes(streamed).iter().map(Outcome::in_words).collect();
        let _ = writeln!(page, "| `{}` | {} |", row.fault.example, cells.join(" | "));
    }
}
