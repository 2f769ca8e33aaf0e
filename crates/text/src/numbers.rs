//! The numbers of a text, written one way.

use std::collections::HashSet;

use crate::script::ascii_digit;

/// The numbers that are written in digits: in ASCII, without leading zeros and without what groups thousands, and with a
/// point before decimals: `1,000`, `1.000` and `١٠٠٠` are all `1000`. Digits inside a name (`H1N1`) are part of the name.
pub fn numbers(text: &str) -> HashSet<String> {
    let characters: Vec<char> = text.chars().map(ascii_digit).collect();
    let digit_at = |position: usize| characters.get(position).is_some_and(char::is_ascii_digit);
    let mut found = HashSet::new();
    let mut position = 0;
    while position < characters.len() {
        if !digit_at(position) {
            position += 1;
            continue;
        }
        let start = position;
        while digit_at(position) || (is_separator(characters[position]) && digit_at(position + 1)) {
            position += 1;
            if position == characters.len() {
                break;
            }
        }
        let in_a_name = start > 0 && (characters[start - 1].is_alphabetic() || characters[start - 1] == '_');
        if !in_a_name {
            found.insert(normalised(&characters[start..position]));
        }
    }
    found
}

fn is_separator(character: char) -> bool {
    matches!(character, '.' | ',' | '\u{66B}' | '\u{66C}')
}

/// Groups of three digits after a separator are thousands; any other separator stands before decimals.
fn normalised(written: &[char]) -> String {
    let mut groups = written.split(|&character| is_separator(character));
    let first: String = groups.next().into_iter().flatten().collect();
    let first = first.trim_start_matches('0');
    let mut number = if first.is_empty() { "0".to_owned() } else { first.to_owned() };
    for group in groups {
        let thousands = group.len() == 3 && number != "0" && !number.contains('.');
        if !thousands {
            number.push('.');
        }
        number.extend(group);
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(numbers(text), expected.iter().map(|&number| number.to_owned()).collect());
    }

    #[test]
    fn one_number_is_the_same_however_it_is_written() {
        for text in ["1,000", "1.000", "١٠٠٠", "1000.", "01000"] {
            check(text, &["1000"]);
        }
        check("0,15 or $0.15", &["0.15"]);
        check("0.150", &["0.150"]);
        check("version 1.2.3", &["1.2.3"]);
    }

    #[test]
    fn digits_in_a_name_are_no_number() {
        check("H1N1, E0382, gpt_4 and 20MiB within 30 s", &["20", "30"]);
    }
}
