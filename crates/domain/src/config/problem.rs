//! What is wrong with a file, and where.

use std::ops::Range;

/// One thing that is wrong with a file. It names what to write instead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The key: `slo.ttft.p95`; empty when the file is not TOML at this place.
    pub path: String,
    /// The place: a range of bytes of the file. A missing key's place is the table that lacks it.
    pub span: Range<usize>,
    /// What is wrong: lower case, no full stop, never a secret.
    pub message: String,
    /// What to write instead.
    pub hint: String,
    /// Another place that has to do with it.
    pub related: Option<Related>,
}

/// Another place that has to do with a problem: the other side of a contradiction, the first of two.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Related {
    /// The place: a range of bytes of the file.
    pub span: Range<usize>,
    /// What is there.
    pub label: String,
}

/// A place for people: line and column, both counted from 1, the column in characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Position {
    /// The place of a byte of the text.
    pub fn of(text: &str, byte: usize) -> Self {
        let before = &text[..text.floor_char_boundary(byte)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.bytes().filter(|b| *b == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let text = "a\nüb = 1\n";
        let at = |byte| {
            let position = Position::of(text, byte);
            (position.line, position.column)
        };
        assert_eq!([at(0), at(2), at(4), at(9), at(999)], [(1, 1), (2, 1), (2, 2), (2, 7), (3, 1)]);
    }
}
