//! The markers `[1]` by which an answer cites: where one stands in a text that may still be growing, and whether it is an
//! index in code that only looks like one.

/// What comes next in an answer.
#[derive(PartialEq, Debug)]
pub(crate) enum Token {
    /// So many bytes that are no marker.
    Text(usize),
    /// A run of so many backticks.
    Backticks(usize),
    /// A marker.
    Marker(Marker),
    /// It takes more text to tell.
    Undecided,
}

/// A marker: `[1]`, `[2, 3]`.
#[derive(PartialEq, Debug)]
pub(crate) struct Marker {
    /// Bytes of space before it.
    pub(crate) space: usize,
    /// Bytes in all, with the space.
    pub(crate) length: usize,
    /// The sources that it names.
    pub(crate) numbers: Vec<usize>,
    /// Whether a field follows it, as in `items[1].name`.
    has_field: bool,
}

/// What a marker can be, by what stands before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reading {
    /// A citation alone.
    Citation,
    /// A citation or an index: only what the source says can tell.
    Either,
    /// An index.
    Index,
}

/// The longest text that can be a marker: `[12, 13, 14, 15]`.
const LONGEST_MARKER: usize = 24;

impl Marker {
    /// How to read it after this text. Attached to an expression, as in `response.choices[0]` or `list(x)[1]`, it may be
    /// an index; attached to a plain word it is a citation unless a field follows.
    pub(crate) fn reading(&self, before: &str) -> Reading {
        let attached =
            self.space == 0 && before.ends_with(|last: char| last.is_alphanumeric() || "_)]".contains(last));
        // `items[0]` is code more often than a sign that is set without a space.
        let is_first_item =
            self.numbers == [0] && before.ends_with(|last: char| last.is_ascii_alphanumeric());
        if !attached {
            Reading::Citation
        } else if self.has_field || is_first_item {
            Reading::Index
        } else {
            let word = before.rsplit(char::is_whitespace).next().unwrap_or_default();
            if is_expression(word) { Reading::Either } else { Reading::Citation }
        }
    }
}

/// Whether a word has a sign inside that words of a sentence do not have.
fn is_expression(word: &str) -> bool {
    let inside = word.trim_matches(|edge: char| !edge.is_alphanumeric());
    let call = word.ends_with([')', ']']) && word.trim_start_matches(['(', '[']).contains(['(', '[']);
    call || inside.contains(['_', '.', '(', '[', '$']) || inside.contains("::") || inside.contains("->")
}

/// Reads the next token. `complete`: no more text follows.
pub(crate) fn next_token(text: &str, in_code: bool, complete: bool) -> Token {
    let backticks = text.len() - text.trim_start_matches('`').len();
    if backticks > 0 {
        // More backticks may follow in the next piece.
        return if backticks == text.len() && !complete {
            Token::Undecided
        } else {
            Token::Backticks(backticks)
        };
    }
    if in_code {
        return Token::Text(text.find('`').unwrap_or(text.len()));
    }
    let space = text.len() - text.trim_start_matches(' ').len();
    let after_space = &text[space..];
    if after_space.is_empty() {
        return if complete { Token::Text(space) } else { Token::Undecided };
    }
    if after_space.starts_with('[') {
        return match parse_marker(after_space, complete) {
            Parsed::Marker { length, numbers, has_field } => {
                Token::Marker(Marker { space, length: space + length, numbers, has_field })
            }
            Parsed::Undecided => Token::Undecided,
            Parsed::Other => Token::Text(space + 1),
        };
    }
    let until = after_space.find([' ', '[', '`']).unwrap_or(after_space.len());
    Token::Text(space + until)
}

enum Parsed {
    Marker { length: usize, numbers: Vec<usize>, has_field: bool },
    Undecided,
    Other,
}

/// Reads `[1]`, `[1, 2]`, and `[0]`, which says that no source has the answer and stands alone. What is followed by `(` or
/// `:` is a Markdown link or its definition.
fn parse_marker(text: &str, complete: bool) -> Parsed {
    let undecided = if complete { Parsed::Other } else { Parsed::Undecided };
    let window = &text[..text.floor_char_boundary(LONGEST_MARKER.min(text.len()))];
    let Some(close) = window.find(']') else {
        let could_be = window[1..].chars().all(is_marker_character);
        return if could_be && window.len() < LONGEST_MARKER { undecided } else { Parsed::Other };
    };
    if !window[1..close].chars().all(is_marker_character) {
        return Parsed::Other;
    }
    let numbers: Option<Vec<usize>> =
        window[1..close].split(',').map(|part| part.trim().parse().ok()).collect();
    let Some(numbers) = numbers.filter(|numbers| numbers.len() == 1 || !numbers.contains(&0)) else {
        return Parsed::Other;
    };
    let mut after = text[close + 1..].chars();
    let has_field = match (after.next(), after.next()) {
        (Some('(' | ':'), _) => return Parsed::Other,
        (None, _) | (Some('.'), None) if !complete => return Parsed::Undecided,
        (Some('.'), Some(next)) => next.is_lowercase() || next == '_',
        _ => false,
    };
    Parsed::Marker { length: close + 1, numbers, has_field }
}

fn is_marker_character(character: char) -> bool {
    character.is_ascii_digit() || matches!(character, ',' | ' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(before: &str, marker: &str) -> Reading {
        match next_token(marker, false, true) {
            Token::Marker(marker) => marker.reading(before),
            token => panic!("{marker} is {token:?}"),
        }
    }

    #[test]
    fn what_stands_before_a_marker_tells_what_it_can_be() {
        for (before, marker, expected) in [
            ("The warranty lasts two years", " [1]", Reading::Citation),
            ("The warranty lasts two years", "[1].", Reading::Citation),
            ("It lasts two years.", "[1] It", Reading::Citation),
            ("the office (in Oslo)", "[1]", Reading::Citation),
            ("(Oslo)", "[1]", Reading::Citation),
            ("the answer is response.choices", "[1]", Reading::Either),
            ("list(x)", "[1]", Reading::Either),
            ("matrix[0]", "[1]", Reading::Either),
            ("of my_items", "[2]", Reading::Either),
            ("print choices", "[1].message", Reading::Index),
        ] {
            assert_eq!(reading(before, marker), expected, "{before}{marker}");
        }
    }

    #[test]
    fn the_number_zero_stands_alone_because_no_source_has_it() {
        assert!(matches!(next_token("[0]", false, true), Token::Marker(marker) if marker.numbers == [0]));
        assert_eq!(next_token("[1, 0]", false, true), Token::Text(1));
    }
}
