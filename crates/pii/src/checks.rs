//! Check digits: whether a number of the right form is one of those that are given out.

/// The digits of a text, separators left out.
pub(crate) fn digits(text: &str) -> Vec<u32> {
    text.chars().filter_map(|character| character.to_digit(10)).collect()
}

/// Luhn's check digit (ISO/IEC 7812-1), of cards and of several national numbers.
pub(crate) fn luhn(digits: &[u32]) -> bool {
    let doubled = |digit: u32| if digit > 4 { 2 * digit - 9 } else { 2 * digit };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, &digit)| if at % 2 == 1 { doubled(digit) } else { digit })
        .sum();
    sum.is_multiple_of(10)
}

/// A payment card: 12 to 19 digits with Luhn's check digit, in groups or with the first digit of a network.
pub(crate) fn card(text: &str) -> bool {
    let digits = digits(text);
    (12..=19).contains(&digits.len())
        && (matches!(digits[0], 2..=6) || text.contains([' ', '-']))
        && digits.iter().any(|digit| *digit != digits[0])
        && luhn(&digits)
}

/// An IBAN: ISO 7064 mod 97-10 over the number with its first four characters at the end.
pub(crate) fn iban(text: &str) -> bool {
    let compact: Vec<u32> = text.chars().filter_map(|character| character.to_digit(36)).collect();
    if !(15..=34).contains(&compact.len()) {
        return false;
    }
    let turned = compact[4..].iter().chain(&compact[..4]);
    let rest = turned.fold(0u32, |rest, &value| {
        let shifted = if value < 10 { rest * 10 } else { rest * 100 };
        (shifted + value) % 97
    });
    rest == 1
}

/// A social security number of the United States, or a taxpayer's number of the same form.
pub(crate) fn us_ssn(text: &str) -> bool {
    let digits = digits(text);
    let number = |range: std::ops::Range<usize>| digits[range].iter().fold(0, |sum, digit| sum * 10 + digit);
    digits.len() == 9 && !matches!(number(0..3), 0 | 666) && number(3..5) != 0 && number(5..9) != 0
}

/// A Spanish NIF or NIE: the letter is the remainder of the number by 23.
pub(crate) fn es_nif(text: &str) -> bool {
    const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let upper = text.to_ascii_uppercase();
    let first = match upper.as_bytes().first() {
        Some(b'Y') => "1",
        Some(b'Z') => "2",
        _ => "",
    };
    let number: String = first.chars().chain(upper.chars().filter(char::is_ascii_digit)).collect();
    let Ok(number) = number.parse::<usize>() else { return false };
    upper.as_bytes().last() == Some(&LETTERS[number % 23])
}

/// A Finnish personal identity code: the remainder of its nine digits by 31.
pub(crate) fn fi_code(text: &str) -> bool {
    const SIGNS: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let upper = text.to_ascii_uppercase();
    let Some((before, sign)) = upper.split_at_checked(upper.len() - 1) else { return false };
    let number = digits(before).iter().fold(0usize, |sum, digit| sum * 10 + *digit as usize);
    day_and_month(&digits(before)[..4]) && sign.as_bytes() == [SIGNS[number % 31]]
}

/// A Swedish personal number: Luhn over its last ten digits, behind a date.
pub(crate) fn se_number(text: &str) -> bool {
    let digits = digits(text);
    let last = &digits[digits.len() - 10..];
    month_and_day(&last[2..6]) && luhn(last)
}

/// A Korean resident registration number: a date, and a sex and century.
pub(crate) fn kr_number(text: &str) -> bool {
    month_and_day(&digits(text)[2..6])
}

/// A French social insurance number: 97 less the remainder by 97.
pub(crate) fn fr_number(text: &str) -> bool {
    let digits = digits(text);
    if digits.len() != 15 {
        return false;
    }
    let number = |part: &[u32]| part.iter().fold(0u64, |sum, digit| sum * 10 + u64::from(*digit));
    number(&digits[13..]) == 97 - number(&digits[..13]) % 97
}

/// A Brazilian CPF: two check digits, each a weighted sum by 11.
pub(crate) fn br_cpf(text: &str) -> bool {
    let digits = digits(text);
    let check = |count: usize| {
        let sum: u32 = digits[..count]
            .iter()
            .zip((2..=count as u32 + 1).rev())
            .map(|(digit, weight)| digit * weight)
            .sum();
        sum * 10 % 11 % 10
    };
    digits.len() == 11 && check(9) == digits[9] && check(10) == digits[10]
}

/// An Indian Aadhaar number: Verhoeff's check digit, in the dihedral group of the pentagon.
pub(crate) fn in_aadhaar(text: &str) -> bool {
    // A number below five is a turn, one above a turn of the pentagon turned over.
    let times = |left: u32, right: u32| match (left < 5, right < 5) {
        (true, true) => (left + right) % 5,
        (true, false) => (left + right - 5) % 5 + 5,
        (false, true) => (left - 5 + 5 - right) % 5 + 5,
        (false, false) => (left + 5 - right) % 5,
    };
    const TURNED: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let sum = digits(text).iter().rev().enumerate().fold(0, |sum, (at, &digit)| {
        let turned = (0..at % 8).fold(digit, |digit, _| TURNED[digit as usize]);
        times(sum, turned)
    });
    sum == 0
}

/// Nine digits by Luhn, of which the first is given out: a Canadian social insurance number.
pub(crate) fn ca_sin(text: &str) -> bool {
    let digits = digits(text);
    digits.len() == 9 && !matches!(digits[0], 0 | 8) && luhn(&digits)
}

fn day_and_month(digits: &[u32]) -> bool {
    (1..=31).contains(&(digits[0] * 10 + digits[1])) && (1..=12).contains(&(digits[2] * 10 + digits[3]))
}

fn month_and_day(digits: &[u32]) -> bool {
    day_and_month(&[digits[2], digits[3], digits[0], digits[1]])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published samples, and each with one digit changed.
    #[test]
    fn one_wrong_digit_is_found() {
        type Check = fn(&str) -> bool;
        let samples: [(Check, &str); 9] = [
            (card, "4111 1111 1111 1111"),
            (iban, "GB82 WEST 1234 5698 7654 32"),
            (es_nif, "12345678Z"),
            (es_nif, "X2482300W"),
            (fi_code, "131052-308T"),
            (se_number, "811218-9876"),
            (br_cpf, "111.444.777-35"),
            (fr_number, "2 55 08 14 168 025 38"),
            (in_aadhaar, "2363 "),
        ];
        for (check, sample) in samples {
            assert!(check(sample), "{sample}");
            for (at, character) in sample.char_indices().filter(|(_, character)| character.is_ascii_digit()) {
                let other = if character == '9' { '0' } else { char::from(character as u8 + 1) };
                let changed = format!("{}{other}{}", &sample[..at], &sample[at + 1..]);
                assert!(!check(&changed), "{changed} for {sample}");
            }
        }
    }

    #[test]
    fn numbers_that_are_never_given_out_are_none() {
        assert!(us_ssn("536-90-4399"));
        for never in ["000-12-3456", "666-12-3456", "123-00-4567", "123-45-0000"] {
            assert!(!us_ssn(never), "{never}");
        }
        assert!(!card("4444 4444 4444 4444"), "one digit all along");
        assert!(ca_sin("130 692 544") && !ca_sin("046 454 286"), "0 is of nobody");
    }
}
