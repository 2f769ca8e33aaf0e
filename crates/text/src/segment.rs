//! Cuts a text into the pieces from which terms are made.

use crate::script::CharClass;

/// A piece of a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Piece<'text, 'parts> {
    /// A word, or an identifier or code that consists of several: `house`, `no-unused-vars`, `Vec::new`, `v1.2.3`,
    /// `getUserName`, `O'Reilly`.
    Word {
        /// As it stands in the text.
        whole: &'text str,
        /// Its parts in order: slices of `whole`, at least one.
        parts: &'parts [&'text str],
        /// Whether an apostrophe joins any of them.
        apostrophe: bool,
    },
    /// A run of letters of a script without spaces between words.
    Unspaced(&'text str),
}

/// Calls `visit` with each piece in order. What is neither letter nor digit is passed over.
pub(crate) fn segment<'text>(text: &'text str, mut visit: impl FnMut(Piece<'text, '_>)) {
    let mut parts = Vec::new();
    let mut position = 0;
    while let Some((start, class)) = next_start(text, position) {
        position = if class == CharClass::Unspaced {
            let end = run_end(text, start, |class| matches!(class, CharClass::Unspaced | CharClass::Mark));
            visit(Piece::Unspaced(&text[start..end]));
            end
        } else {
            visit_word(text, start, &mut parts, &mut visit)
        };
    }
}

/// Where the next word or run begins, at or after `position`.
fn next_start(text: &str, position: usize) -> Option<(usize, CharClass)> {
    text[position..]
        .char_indices()
        .map(|(offset, character)| (position + offset, CharClass::of(character)))
        .find(|&(_, class)| matches!(class, CharClass::Word | CharClass::Unspaced))
}

/// Visits the word that begins at `start`, with everything that is joined to it, and returns where it ends.
fn visit_word<'text>(
    text: &'text str,
    start: usize,
    parts: &mut Vec<&'text str>,
    visit: &mut impl FnMut(Piece<'text, '_>),
) -> usize {
    parts.clear();
    let mut apostrophe = false;
    let mut part_start = start;
    let mut part_end = word_end(text, start);
    let mut end = part_end;
    while let Some(joiner) = Joiner::at(text, end) {
        let next_start = end + joiner.length;
        let next_end = word_end(text, next_start);
        match joiner.kind {
            JoinerKind::Comma => {}
            // The English possessive is no part of the name.
            JoinerKind::Apostrophe if text[next_start..next_end].eq_ignore_ascii_case("s") => {
                end = next_end;
                break;
            }
            kind => {
                apostrophe |= kind == JoinerKind::Apostrophe;
                push_case_parts(&text[part_start..part_end], parts);
                part_start = next_start;
            }
        }
        part_end = next_end;
        end = next_end;
    }
    push_case_parts(&text[part_start..part_end], parts);
    end += operator_length(&text[start..end], &text[end..]);
    visit(Piece::Word { whole: &text[start..end], parts, apostrophe });
    end
}

/// What joins two parts of one identifier.
struct Joiner {
    length: usize,
    kind: JoinerKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum JoinerKind {
    Apostrophe,
    /// Between the digits of one number.
    Comma,
    Sign,
}

impl Joiner {
    /// The joiner at `position`, if a word goes on after it.
    fn at(text: &str, position: usize) -> Option<Self> {
        let rest = &text[position..];
        let joiner = rest.chars().next()?;
        let (kind, length) = match joiner {
            '-' | '_' | '.' | '&' | '\u{2010}' | '\u{2011}' => (JoinerKind::Sign, joiner.len_utf8()),
            ':' if rest.starts_with("::") => (JoinerKind::Sign, 2),
            '\'' | '\u{2019}' => (JoinerKind::Apostrophe, joiner.len_utf8()),
            ',' if text[..position].ends_with(|before: char| before.is_ascii_digit()) => {
                (JoinerKind::Comma, 1)
            }
            _ => return None,
        };
        let next = rest[length..].chars().next()?;
        let goes_on = match kind {
            JoinerKind::Comma => next.is_ascii_digit(),
            _ => CharClass::of(next) == CharClass::Word,
        };
        goes_on.then_some(Self { length, kind })
    }
}

/// `C++`, `C#`, `F#`: signs that belong to a name of one letter.
fn operator_length(word: &str, rest: &str) -> usize {
    match word.as_bytes() {
        [letter] if letter.is_ascii_alphabetic() => {
            if rest.starts_with("++") {
                2
            } else {
                usize::from(rest.starts_with('#'))
            }
        }
        _ => 0,
    }
}

fn word_end(text: &str, start: usize) -> usize {
    run_end(text, start, |class| matches!(class, CharClass::Word | CharClass::Mark | CharClass::Ignorable))
}

fn run_end(text: &str, start: usize, belongs: impl Fn(CharClass) -> bool) -> usize {
    text[start..]
        .char_indices()
        .find(|&(_, character)| !belongs(CharClass::of(character)))
        .map_or(text.len(), |(offset, _)| start + offset)
}

/// Pushes the words of a camel-case name, or the word itself: `HTTPServerName` is `HTTP`, `Server`, `Name`.
fn push_case_parts<'text>(word: &'text str, parts: &mut Vec<&'text str>) {
    // Most words have no capital after their first letter.
    if !word.bytes().skip(1).any(|byte| byte.is_ascii_uppercase()) {
        parts.push(word);
        return;
    }
    let bytes = word.as_bytes();
    let mut start = 0;
    for index in 1..bytes.len() {
        let begins_word = bytes[index].is_ascii_uppercase()
            && (bytes[index - 1].is_ascii_lowercase()
                || bytes[index - 1].is_ascii_uppercase()
                    && bytes.get(index + 1).is_some_and(u8::is_ascii_lowercase)
                    // "PhDs", "APIs", "URLs": a plural, not a word.
                    && &bytes[index + 1..] != b"s");
        if begins_word {
            parts.push(&word[start..index]);
            start = index;
        }
    }
    parts.push(&word[start..]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let mut found = Vec::new();
        segment(text, |piece| {
            found.push(match piece {
                Piece::Word { whole, parts, .. } if parts == [whole] => whole.to_owned(),
                Piece::Word { whole, parts, .. } => format!("{whole}={}", parts.join("|")),
                Piece::Unspaced(run) => format!("~{run}"),
            });
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn words_end_at_spaces_and_signs() {
        check("The house, (really) big.", &["The", "house", "really", "big"]);
        check("end. Next… 100% a/b", &["end", "Next", "100", "a", "b"]);
        check("", &[]);
        check(" — !", &[]);
    }

    #[test]
    fn identifiers_stay_whole_and_show_their_parts() {
        check("no-unused-vars", &["no-unused-vars=no|unused|vars"]);
        check("Vec::new()", &["Vec::new=Vec|new"]);
        check("error E0382:", &["error", "E0382"]);
        check("v1.2.3", &["v1.2.3=v1|2|3"]);
        check("getUserName", &["getUserName=get|User|Name"]);
        check("HTTPServer APIs iOS", &["HTTPServer=HTTP|Server", "APIs", "iOS=i|OS"]);
        check("snake_case_name", &["snake_case_name=snake|case|name"]);
        check("C++ and C#, F#", &["C++=C", "and", "C#=C", "F#=F"]);
        check("R&D at AT&T", &["R&D=R|D", "at", "AT&T=AT|T"]);
        check("1,000.5 items, 20", &["1,000.5=1,000|5", "items", "20"]);
    }

    #[test]
    fn apostrophes_join_and_the_possessive_is_dropped() {
        check("O'Reilly’s dog's don't", &["O'Reilly’s=O|Reilly", "dog's=dog", "don't=don|t"]);
        check("'quoted'", &["quoted"]);
    }

    #[test]
    fn marks_stay_inside_words() {
        check("हिन्दी में", &["हिन्दी", "में"]);
        check("cafe\u{301} noir", &["cafe\u{301}", "noir"]);
        check("مُحَمَّد", &["مُحَمَّد"]);
    }

    #[test]
    fn runs_of_unspaced_scripts_are_cut_from_words() {
        check("iPhoneを買う。", &["iPhone=i|Phone", "~を買う"]);
        check("ภาษาไทย 2024", &["~ภาษาไทย", "2024"]);
    }

    proptest! {
        #[test]
        fn pieces_come_in_order_and_hold_every_letter(text in "\\PC{0,60}") {
            let mut letters = 0;
            let mut last_end = 0;
            segment(&text, |piece| {
                let whole = match piece {
                    Piece::Word { whole, parts, .. } => {
                        assert!(!parts.is_empty() && parts.iter().all(|part| !part.is_empty()));
                        whole
                    }
                    Piece::Unspaced(run) => run,
                };
                let start = whole.as_ptr().addr() - text.as_ptr().addr();
                assert!(start >= last_end);
                last_end = start + whole.len();
                letters += count_letters(whole);
            });
            prop_assert_eq!(letters, count_letters(&text));
        }
    }

    fn count_letters(text: &str) -> usize {
        let is_letter = |class| matches!(class, CharClass::Word | CharClass::Unspaced);
        text.chars().map(CharClass::of).filter(|&class| is_letter(class)).count()
    }
}
