//! The titles of clauses.

use crate::document::shortened;

/// A title, and where in the line it ends.
pub(super) struct Title {
    pub(super) text: String,
    pub(super) end: usize,
}

/// Words of a title that has a line of its own, or is set in bold.
const MOST_WORDS: usize = 12;

/// Words of a title with which a sentence is run in: `5.2 Termination for cause. Either party …`.
const MOST_WORDS_RUN_IN: usize = 6;

/// Words of a title that ends in a full stop.
const MOST_WORDS_STOPPED: usize = 3;

/// Words that no title ends in: a line that does is wrapped.
const NEVER_LAST: &[&str] = &[
    "a", "an", "and", "as", "at", "be", "by", "for", "from", "in", "is", "may", "of", "on", "or", "shall",
    "that", "the", "this", "to", "under", "will", "with", "das", "dem", "den", "der", "des", "die", "ein",
    "eine", "im", "mit", "nach", "oder", "und", "von", "zu", "au", "aux", "de", "des", "du", "en", "et",
    "la", "le", "les", "ou", "par", "pour", "del", "e", "el", "los", "por", "y", "di", "il", "per",
];

/// Bytes of a title that is kept.
const MOST_BYTES: usize = 160;

/// The title that a clause begins with, in the line behind its number, given the line that follows in the same paragraph.
pub(super) fn title(line: &str, next: Option<&str>) -> Option<Title> {
    let found = bold(line).or_else(|| whole_line(line, next)).or_else(|| run_in(line))?;
    let text = line[..found].trim_matches(['*', '_', '#', ' ', '\t', '\r', '\n', '.', ':', '–', '—', '-']);
    let text = text.replace("**", "");
    (!text.is_empty()).then(|| Title { text: shortened(&text, MOST_BYTES), end: found })
}

/// A line that is a title as a whole. A wrapped line is none: the next one goes on in lowercase.
pub(super) fn whole_line(line: &str, next: Option<&str>) -> Option<usize> {
    let trimmed = line.trim_end();
    let goes_on = next.and_then(|next| next.trim_start().chars().next()).is_some_and(char::is_lowercase);
    let most = match trimmed.trim_end_matches(['*', '_']).chars().last()? {
        ',' | ';' | ':' | '!' | '?' => return None,
        '.' => MOST_WORDS_STOPPED,
        _ => MOST_WORDS,
    };
    let last = trimmed.rsplit(char::is_whitespace).next()?;
    if NEVER_LAST.contains(&last) {
        return None;
    }
    let capital = !trimmed.chars().find(|character| character.is_alphabetic())?.is_lowercase();
    (capital && !goes_on && has_at_most(trimmed, most)).then_some(trimmed.len())
}

/// `**Termination.** Either party …`, also where the number stands in the emphasis.
fn bold(line: &str) -> Option<usize> {
    let opened = if line.starts_with("**") { 2 } else { 0 };
    let close = line[opened..].find("**")? + opened;
    let behind = &line[close + 2..];
    // Emphasis that begins here is that of a word of the text.
    let closes = behind.is_empty() || behind.starts_with(char::is_whitespace);
    (closes && has_at_most(&line[opened..close], MOST_WORDS)).then_some(close + 2)
}

fn run_in(line: &str) -> Option<usize> {
    let end = [". ", ": ", " – ", " — "]
        .into_iter()
        .filter_map(|mark| Some(line.find(mark)? + mark.trim_end().len()))
        .min()?;
    let begins_sentence =
        line[end..].trim_start().chars().next().is_some_and(|character| !character.is_lowercase());
    let capital = line.chars().next().is_some_and(char::is_uppercase);
    (begins_sentence && capital && has_at_most(&line[..end], MOST_WORDS_RUN_IN)).then_some(end)
}

fn has_at_most(text: &str, words: usize) -> bool {
    let counted = text.split_whitespace().take(words + 1).count();
    (1..=words).contains(&counted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, next: Option<&str>, expected: Option<(&str, &str)>) {
        let found = title(line, next);
        let found = found.as_ref().map(|title| (title.text.as_str(), &line[title.end..]));
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn a_title_has_a_line_of_its_own_or_is_run_in() {
        check("Termination for cause", None, Some(("Termination for cause", "")));
        check("Termination.", Some("Either party"), Some(("Termination", "")));
        check(
            "Termination for cause. Either party may end it.",
            None,
            Some(("Termination for cause", " Either party may end it.")),
        );
        check(
            "Termination — Either party may end it.",
            None,
            Some(("Termination", " Either party may end it.")),
        );
        check(
            "**Right to erasure.** The data subject",
            None,
            Some(("Right to erasure", " The data subject")),
        );
        check("Right to erasure.** The data subject", None, Some(("Right to erasure", " The data subject")));
    }

    #[test]
    fn text_is_no_title() {
        check("Either party may terminate this agreement", Some("by notice in writing."), None);
        check("Either party may terminate it as set out in", Some("Section 4.2 of this agreement."), None);
        check("Either party may terminate this agreement by notice in writing.", None, None);
        check(
            "Either party **must** give notice of the other party's **material** breach in writing.",
            None,
            None,
        );
        check("the goods", None, None);
        check("Fees, payable monthly,", None, None);
        check("", Some("Text"), None);
    }
}
