//! Whether an answer says what it should.

/// Whether `text` holds `answer` word for word, whatever the case, the punctuation and the spaces: what a golden answer is
/// held against where no judge is asked. An answer in Latin letters or digits counts only as whole words: 308 is not in
/// 1308. An answer without letters and digits is held as it stands.
pub fn holds(text: &str, answer: &str) -> bool {
    let (plain_text, plain_answer) = (plain(text), plain(answer));
    if plain_answer.is_empty() {
        return !answer.trim().is_empty() && text.contains(answer.trim());
    }
    let is_word = |character: Option<char>| character.is_some_and(|c| c.is_ascii_alphanumeric());
    let starts_in_word = is_word(plain_answer.chars().next());
    let ends_in_word = is_word(plain_answer.chars().next_back());
    plain_text.match_indices(&plain_answer).any(|(start, found)| {
        let before = plain_text[..start].chars().next_back();
        let after = plain_text[start + found.len()..].chars().next();
        let is_part_of_a_word = (starts_in_word && is_word(before)) || (ends_in_word && is_word(after));
        !is_part_of_a_word
    })
}

/// Letters and digits in lower case, everything else as one space.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_alphanumeric() {
            plain.extend(character.to_lowercase());
        } else if !plain.is_empty() && !plain.ends_with(' ') {
            plain.push(' ');
        }
    }
    plain.truncate(plain.trim_end().len());
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_found_however_it_is_written() {
        for (text, answer) in [
            ("Normandy is a region of FRANCE.", "France"),
            ("The defence gave up “308 points”, the sixth fewest", "308 points,"),
            ("on 7\u{a0}February\n2016", "7 February 2016"),
            ("答案是308次", "308"),
            ("यह दिल्ली में है।", "दिल्ली"),
            ("it costs € …", "€"),
        ] {
            assert!(holds(text, answer), "{text}: {answer}");
        }
    }

    #[test]
    fn a_part_of_a_word_or_of_a_number_is_no_answer() {
        for (text, answer) in
            [("about 1308 points", "308"), ("the artist", "art"), ("nothing", ""), ("x", " "), ("x", "…")]
        {
            assert!(!holds(text, answer), "{text}: {answer}");
        }
    }
}
