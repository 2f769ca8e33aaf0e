//! Where the policies of a text begin and end, before Cedar reads them.
//!
//! Cedar's parser and its checks go as deep as what they read is nested, so a text is measured first: what is too long or
//! too deep is refused with its place, not found out by the stack.

use std::ops::Range;

/// Longest text of policies, in bytes.
pub(crate) const MAX_BYTES: usize = 256 * 1024;
/// Longest policy, in bytes.
pub(crate) const MAX_POLICY_BYTES: usize = 8 * 1024;
/// Deepest nesting of brackets.
pub(crate) const MAX_DEPTH: usize = 32;
/// Most characters of operators in a policy: `a && b && c` nests like brackets do.
pub(crate) const MAX_OPERATORS: usize = 512;
/// Most policies of a text.
pub(crate) const MAX_POLICIES: usize = 500;

/// One policy in a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Statement {
    /// Its bytes, from its first annotation to its semicolon.
    pub(crate) span: Range<usize>,
    /// How deep its brackets nest.
    pub(crate) depth: usize,
    /// How many characters of operators it has.
    pub(crate) operators: usize,
}

/// The statements of a text; what follows the last semicolon counts as one where it is not blank. Semicolons, brackets and
/// slashes inside quotes and comments are only characters.
pub(crate) fn statements(text: &str) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut start = None;
    let (mut depth, mut deepest, mut operators) = (0_usize, 0, 0);
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        if byte == b'/' && bytes.peek().is_some_and(|(_, next)| *next == b'/') {
            while bytes.next_if(|(_, next)| *next != b'\n').is_some() {}
            continue;
        }
        if byte.is_ascii_whitespace() {
            continue;
        }
        let began = *start.get_or_insert(at);
        match byte {
            b'"' => {
                while let Some((_, inside)) = bytes.next() {
                    match inside {
                        b'"' => break,
                        b'\\' => drop(bytes.next()),
                        _ => {}
                    }
                }
            }
            b'(' | b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'+' | b'-' | b'*' | b'!' | b'<' | b'>' | b'=' | b'&' | b'|' | b'.' => operators += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b';' => {
                statements.push(Statement { span: began..at + 1, depth: deepest, operators });
                (start, depth, deepest, operators) = (None, 0, 0, 0);
            }
            _ => {}
        }
    }
    if let Some(began) = start {
        statements.push(Statement { span: began..text.len(), depth: deepest, operators });
    }
    statements
}

/// The line and the column, counted from 1 in characters, of a byte of a text.
pub(crate) fn place(text: &str, offset: usize) -> (usize, usize) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(text: &str) -> Vec<&str> {
        statements(text).into_iter().map(|statement| &text[statement.span]).collect()
    }

    #[test]
    fn a_semicolon_in_quotes_or_in_a_comment_ends_no_policy() {
        let text = "// one; two\n@id(\"a;\\\";\") permit (x); // three;\nforbid\n// ;\n(y);\n  ";
        assert_eq!(spans(text), ["@id(\"a;\\\";\") permit (x);", "forbid\n// ;\n(y);"]);
    }

    #[test]
    fn what_is_not_finished_is_a_statement_too() {
        assert_eq!(spans("permit(a);\nforbid (\"x;"), ["permit(a);", "forbid (\"x;"]);
        assert_eq!(spans("// nothing here"), [""; 0]);
    }

    #[test]
    fn depth_is_that_of_the_policy_alone() {
        let depths: Vec<_> =
            statements("a ([{}]); b (\"((((\") // ((((\n;").iter().map(|one| one.depth).collect();
        assert_eq!(depths, [3, 1]);
    }

    #[test]
    fn a_place_counts_characters_from_one() {
        assert_eq!(place("äb\ncd", 0), (1, 1));
        assert_eq!(place("äb\ncd", 2), (1, 2));
        assert_eq!(place("äb\ncd", 5), (2, 2));
        assert_eq!(place("äb\ncd", 99), (2, 3));
        assert_eq!(place("äb", 1), (1, 1));
    }
}
