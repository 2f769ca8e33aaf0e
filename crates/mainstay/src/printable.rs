//! Text of others as a terminal may show it. A document must not move the cursor, change colours, or write into the
//! clipboard of whoever asks about it: control characters are shown, not sent.

use std::borrow::Cow;

/// A text of several lines. Line ends and tabs stay; the carriage return of a Windows line end goes.
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    shown(text, |c| match c {
        '\n' | '\t' => Some(c),
        '\r' => None,
        _ => Some(picture(c)),
    })
}

/// A name or a title: one line, whatever it contains.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    shown(text, |c| Some(picture(c)))
}

fn shown(text: &str, show: impl Fn(char) -> Option<char>) -> Cow<'_, str> {
    if text.chars().any(char::is_control) {
        Cow::Owned(text.chars().filter_map(|c| if c.is_control() { show(c) } else { Some(c) }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// The picture that Unicode has for a control character.
fn picture(control: char) -> char {
    match u32::from(control) {
        code @ 0..=0x1f => char::from_u32(0x2400 + code).unwrap_or(char::REPLACEMENT_CHARACTER),
        0x7f => '\u{2421}',
        _ => char::REPLACEMENT_CHARACTER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_instead_of_sent() {
        assert_eq!(lines("a\u{1b}[2Jb\u{9b}31m\u{7f}\u{7}"), "a␛[2Jb\u{fffd}31m␡␇");
        assert_eq!(lines("one\r\n\ttwo\rthree"), "one\n\ttwothree");
        assert_eq!(line("Title\r\nwith\u{1b}]52;c;x\u{7} more"), "Title␍␊with␛]52;c;x␇ more");
    }

    #[test]
    fn other_text_stays_as_it_is() {
        assert!(matches!(lines("Füße 漢字 👩‍👧"), Cow::Borrowed("Füße 漢字 👩‍👧")));
    }
}
