//! What is found by its form: a table of forms, each with its check, and for those that many numbers have, with the words of
//! which one stands before it.
//!
//! A form is tried where a word or a number begins, and not everywhere: an expression for any place has to keep in mind every way
//! in which it may have begun, which takes ten times as long.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use crate::{Finding, Kind, checks};

/// Words that say what a number is.
#[derive(Clone, Copy)]
enum Words {
    Phone,
    Birth,
    OfficialId,
    Postcode,
    Age,
    /// Of numbers that look like those of telephones and cards, and are not.
    OfThings,
}

/// How far behind such a word something may be, in bytes, and without a digit or the end of a line but one in between.
const NEAR: usize = 30;

impl Words {
    const ALL: [Self; 6] =
        [Self::Phone, Self::Birth, Self::OfficialId, Self::Postcode, Self::Age, Self::OfThings];

    const fn listed(self) -> &'static str {
        match self {
            Self::Phone => {
                r"phone|tel|telephone|telefon\w*|t[ée]l[ée]phone|tel[ée]fono|mobile?|mobil\w*|handy|cell\w*|fax|call(?:ing)?|ring|dial|whatsapp|sms|text|reach|answering|contact|hotline|office|desk|work|home|numbers?"
            }
            Self::Birth => {
                r"born|birth\w*|dob|d\.o\.b|geboren|geb|geburtsdatum|geburtstag|n[ée]e?\s+le|naissance|nacid[oa]|nacimiento|nat[oa]\s+il|nascita|nascid[oa]|nascimento"
            }
            Self::OfficialId => {
                r"passports?|pasaporte|reisepass\w*|passeport|passaporto|driver'?s?|driving|licen[cs]es?|f[üu]hrerschein\w*|permis|patente|social\s+(?:security|insurance)|ssn|national\s+(?:id\w*|insurance)|identity|identification|id\s*(?:card|number|no|nr)|personalausweis\w*|ausweis\w*|dni|nie|nif|nino|nhs|medicare|medicaid|medical\s+record|mrn|patient\s+(?:id|number|no)|health\s+(?:card|insurance)|krankenversicher\w*|versicherten\w*|sozialversicherung\w*|insurance\s+(?:number|no|id)|policy\s+(?:number|no)|tax(?:payer)?\s*(?:id\w*|number|no|file\s+number)|tin|itin|tfn|steuer\w*|codice\s+fiscale|carta\s+d.identit[àa]|account\s*(?:number|no|nr)|bank\s+account|kontonummer|konto|routing|aadhaar|cpf|pesel|sin|nas|rrn|bsn|personnummer|henkil[öo]tunnus"
            }
            Self::Postcode => {
                r"zip(?:\s*codes?)?|post\s?codes?|postal\s+codes?|plz|code\s+postal|c[óo]digo\s+postal|cap"
            }
            Self::Age => r"aged?|age\s+(?:of|is)|turned|turning",
            Self::OfThings => {
                r"order|bestell\w*|commande|pedido|tracking|invoice|rechnung\w*|facture|isbn|timestamp|epoch|bytes?|allocated|version|build|commit|ticket|case|sku|item|part|serial|model|issue|page|port|pid|id|ref(?:erence)?"
            }
        }
    }

    fn regex(self) -> &'static Regex {
        static REGEXES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
            let regex = |words: &Words| {
                Regex::new(&format!(r"(?i)\b(?:{})\b", words.listed())).expect("the words are tested")
            };
            Words::ALL.iter().map(regex).collect()
        });
        &REGEXES[self as usize]
    }
}

/// Where something is looked for.
#[derive(Clone, Copy)]
enum Place {
    /// Anywhere: it begins with something that is rare.
    Anywhere,
    /// Where a word or a number begins.
    Begins,
    /// There, behind a word that says what it is.
    After(Words),
}

/// A form.
struct Form {
    kind: Kind,
    place: Place,
    /// What it looks like; where it has groups, what is meant is the one that took part.
    regex: Regex,
    /// Whether what looks like it is one.
    check: fn(&str) -> bool,
    /// Whether what looks like it may have taken in groups of what comes after it.
    is_greedy: bool,
    /// Whether it is something else behind words of things.
    may_be_of_things: bool,
}

/// A text, and where in it something may begin.
struct Searched<'t> {
    text: &'t str,
    /// Where words and numbers begin, with the sign or parenthesis of a number.
    beginnings: Vec<usize>,
    /// Where words of each sort end.
    ends: [OnceCell<Vec<usize>>; Words::ALL.len()],
}

impl<'t> Searched<'t> {
    fn new(text: &'t str) -> Self {
        let mut beginnings = Vec::new();
        let mut before = ' ';
        for (at, character) in text.char_indices() {
            if character.is_alphanumeric() && !before.is_alphanumeric()
                || matches!(character, '+' | '(' | ':')
            {
                beginnings.push(at);
            }
            before = character;
        }
        Self { text, beginnings, ends: Default::default() }
    }

    fn ends_of(&self, words: Words) -> &[usize] {
        self.ends[words as usize]
            .get_or_init(|| words.regex().find_iter(self.text).map(|word| word.end()).collect())
    }

    /// Whether a word of this sort stands before a place, with nothing else but signs and letters between them.
    fn is_behind(&self, words: Words, place: usize, within: usize) -> bool {
        let ends = self.ends_of(words);
        let next = ends.partition_point(|end| *end <= place);
        ends[..next].last().is_some_and(|end| {
            let between = &self.text[*end..place];
            between.len() <= within
                && !between.contains(|character: char| character.is_ascii_digit())
                && !between.trim_end().contains('\n')
        })
    }
}

impl Form {
    fn new(kind: Kind, place: Place, regex: &str) -> Self {
        let anchor = if matches!(place, Place::Anywhere) { "" } else { "^" };
        let regex = Regex::new(&format!("{anchor}(?:{regex})")).expect("the forms are tested");
        Self { kind, place, regex, check: |_| true, is_greedy: false, may_be_of_things: false }
    }

    fn checked(self, check: fn(&str) -> bool) -> Self {
        Self { check, ..self }
    }

    fn greedy(self) -> Self {
        Self { is_greedy: true, ..self }
    }

    fn or_of_things(self) -> Self {
        Self { may_be_of_things: true, ..self }
    }

    fn find(&self, searched: &Searched<'_>, found: &mut Vec<Finding>) {
        let text = searched.text;
        if matches!(self.place, Place::Anywhere) {
            let mut at = 0;
            while let Some((whole, meant)) = self.next(text, at) {
                at = whole.end.max(whole.start + 1);
                if let Some(range) = self.accepted(searched, meant) {
                    found.push(Finding { range, kind: self.kind });
                }
                if at > text.len() {
                    return;
                }
            }
            return;
        }
        let mut from = 0;
        for &beginning in &searched.beginnings {
            let is_behind = match self.place {
                Place::After(words) => searched.is_behind(words, beginning, NEAR),
                Place::Anywhere | Place::Begins => true,
            };
            if beginning < from || !is_behind {
                continue;
            }
            let Some((_, meant)) = self.next(&text[beginning..], 0) else { continue };
            if let Some(range) = self.accepted(searched, beginning + meant.start..beginning + meant.end) {
                from = range.end;
                found.push(Finding { range, kind: self.kind });
            }
        }
    }

    /// The next one, and what of it is meant.
    fn next(&self, text: &str, at: usize) -> Option<(Range<usize>, Range<usize>)> {
        if self.regex.captures_len() == 1 {
            return self.regex.find_at(text, at).map(|found| (found.range(), found.range()));
        }
        let captures = self.regex.captures_at(text, at)?;
        let whole = captures.get(0)?;
        let meant = captures.iter().skip(1).flatten().next().unwrap_or(whole);
        Some((whole.range(), meant.range()))
    }

    fn accepted(&self, searched: &Searched<'_>, range: Range<usize>) -> Option<Range<usize>> {
        let is_of_things = self.may_be_of_things && searched.is_behind(Words::OfThings, range.start, 12);
        if is_of_things || !stands_alone(searched.text, &range) {
            return None;
        }
        let mut piece = &searched.text[range.clone()];
        while !(self.check)(piece) {
            let (shorter, _) = piece.rsplit_once([' ', '-']).filter(|_| self.is_greedy)?;
            piece = shorter.trim_end();
        }
        Some(range.start..range.start + piece.len())
    }
}

/// Whether something is not a part of a longer word, number, version or path.
fn stands_alone(text: &str, range: &Range<usize>) -> bool {
    let piece = &text[range.clone()];
    let mut before = text[..range.start].chars().rev();
    let mut after = text[range.end..].chars();
    !goes_on(piece.chars().next(), before.next(), before.next())
        && !goes_on(piece.chars().next_back(), after.next(), after.next())
}

/// Whether what ends in `edge` goes on with `next` and what is `beyond` it.
fn goes_on(edge: Option<char>, next: Option<char>, beyond: Option<char>) -> bool {
    match (edge, next) {
        (Some(edge), Some(next)) if edge.is_alphanumeric() => match next {
            '-' | '.' | '/' => edge.is_ascii_digit() && beyond.is_some_and(|beyond| beyond.is_ascii_digit()),
            next => next == '_' || next.is_alphanumeric(),
        },
        _ => false,
    }
}

static FORMS: LazyLock<Vec<Form>> = LazyLock::new(|| {
    use Kind::{
        Address, Age, BirthDate, Card, Email, Iban, IpAddress, MacAddress, OfficialId, Phone, Secret,
    };
    use Place::{After, Anywhere, Begins};
    // Where two overlap the former counts: what can be checked stands before what cannot.
    vec![
        Form::new(Secret, Anywhere, r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)"),
        Form::new(Secret, Begins, r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
        Form::new(
            Secret,
            Begins,
            r"(?:sk|pk|rk|msk)[-_][A-Za-z0-9_-]{16,}|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,}|glpat-[\w-]{20,}|xox[abeprs]-[A-Za-z0-9-]{10,}|AIza[0-9A-Za-z_-]{35}|hf_[A-Za-z0-9]{30,}",
        ),
        Form::new(Secret, Anywhere, r#"://[^\s:/@"']+:([^\s/@"']+)@"#),
        Form::new(
            Secret,
            Begins,
            r#"(?i)(?:pass(?:word|wd|phrase|wort|code)|pwd|mot de passe|contrase[ñn]a|secret|token|api[_ -]?key|access[_ -]?key)["'`]?\s*(?:is|ist|est|es|=|:|=>)\s*["'`]?([^\s"'`,;<>]{6,})"#,
        )
        .checked(is_no_word),
        Form::new(
            Email,
            Anywhere,
            r"[\p{L}\p{N}._%+~][\p{L}\p{N}._%+~'-]*@[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?(?:\.[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?)+",
        ),
        Form::new(
            MacAddress,
            Begins,
            r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2}",
        ),
        Form::new(IpAddress, Begins, r"(?:[0-9A-Fa-f]{0,4}:){2,7}(?:[0-9A-Fa-f]{1,4}|(?:\d{1,3}\.){3}\d{1,3})?")
            .checked(ip_v6),
        Form::new(IpAddress, Begins, r"\d{1,3}(?:\.\d{1,3}){3}").checked(ip_v4),
        Form::new(Iban, Begins, r"[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]{1,4}){3,9}").checked(checks::iban).greedy(),
        Form::new(OfficialId, Begins, r"\d{3}-\d{2}-\d{4}").checked(checks::us_ssn),
        Form::new(OfficialId, Begins, r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]"),
        Form::new(OfficialId, Begins, r"(?:\d{7,8}|[XYZ]-?\d{7})-?[A-Z]").checked(checks::es_nif),
        Form::new(OfficialId, Begins, r"(?i)[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]"),
        Form::new(OfficialId, Begins, r"\d{6}[-+A]\d{3}[0-9A-Y]").checked(checks::fi_code),
        Form::new(OfficialId, Begins, r"(?:\d{2})?\d{6}[-+]\d{4}").checked(checks::se_number),
        Form::new(OfficialId, Begins, r"\d{6}-[1-8]\d{6}").checked(checks::kr_number),
        Form::new(OfficialId, Begins, r"[12] ?\d{2} ?\d{2} ?\d{2} ?\d{3} ?\d{3} ?\d{2}").checked(checks::fr_number),
        Form::new(OfficialId, Begins, r"\d{3}\.\d{3}\.\d{3}-\d{2}").checked(checks::br_cpf),
        Form::new(OfficialId, Begins, r"[2-9]\d{3}[ -]\d{4}[ -]\d{4}").checked(checks::in_aadhaar),
        Form::new(OfficialId, Begins, r"[A-Z]{3}[ABCFGHLJPT][A-Z]\d{4}[A-Z]"),
        Form::new(Card, Begins, r"\d(?:[ -]?\d){11,18}").checked(checks::card).greedy().or_of_things(),
        Form::new(
            OfficialId,
            After(Words::OfficialId),
            r"(?:[A-Z]{1,2} |[A-Za-z]{1,5})?\d[A-Za-z0-9]*(?:[ ./-]\d[A-Za-z0-9]*|-[A-Z0-9]+){0,6}",
        )
        .checked(|piece| checks::digits(piece).len() >= 4),
        Form::new(OfficialId, Begins, r"\d{3}[ -]\d{3}[ -]\d{3}").checked(checks::ca_sin),
        Form::new(
            BirthDate,
            After(Words::Birth),
            r"(?i)\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/. ]+\d{1,2}[-/. ]+\d{2,4}|\d{1,2}(?:st|nd|rd|th|\.)?(?: of| de)? [a-zà-ÿ]{3,10}\.?,?(?: de)? \d{2,4}|[a-zà-ÿ]{3,10}\.? \d{1,2}(?:st|nd|rd|th)?,? \d{4}",
        ),
        Form::new(Age, After(Words::Age), r"\d{1,3}"),
        Form::new(Age, Begins, r"(?i)\d{1,3}[ -]?(?:years?[ -]old|y/o|yrs?[ -]old|yo\b|ans\b|jahre alt|a[ñn]os)"),
        Form::new(Address, After(Words::Postcode), r"\d{2}[\d -]{1,8}\d"),
        // With a country's code; as in North America; as written with a trunk 0 elsewhere; and otherwise with a word.
        Form::new(
            Phone,
            Begins,
            r"(?:\+|00)[1-9]\d{0,2}[ ./-]?(?:\(0\)[ ./-]?)?(?:\(?\d{1,5}\)?[ ./-]?){1,6}\d{2,}(?:\s?(?:x|ext\.?)\s?\d{1,6})?",
        )
        .checked(|piece| (8..=21).contains(&checks::digits(piece).len())),
        Form::new(
            Phone,
            Begins,
            r"(?:1[ .-])?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?: ?(?:x|ext\.? ?)\d{1,6})?",
        )
        .or_of_things(),
        Form::new(Phone, Begins, r"(?:\(0\d{1,5}\)|0\d{1,5})(?:[ /.-]?\d{2,8}){1,5}").checked(national).or_of_things(),
        Form::new(
            Phone,
            After(Words::Phone),
            r"\(?\d{1,5}\)?(?:[ ./-]?\(?\d{1,8}\)?){1,6}(?: ?(?:x|ext\.? ?)\d{1,6})?",
        )
        .checked(|piece| (7..=18).contains(&checks::digits(piece).len()))
        .or_of_things(),
        Form::new(
            Phone,
            Begins,
            r"(\(?\d{1,5}\)?(?:[ ./-]?\(?\d{1,8}\)?){1,6}(?: ?(?:x|ext\.? ?)\d{1,6})?)[ -](?i:office|mobile|fax|cell|home|work|phone)\b",
        )
        .checked(|piece| (7..=18).contains(&checks::digits(piece).len())),
    ]
});

/// Finds every form: in order, none overlapping another.
pub(crate) fn find(text: &str) -> Vec<Finding> {
    let mut found: BTreeMap<usize, Finding> = BTreeMap::new();
    let mut of_form = Vec::new();
    let searched = Searched::new(text);
    for form in &*FORMS {
        form.find(&searched, &mut of_form);
        for finding in of_form.drain(..) {
            let last_before = found.range(..finding.range.end).next_back();
            if last_before.is_none_or(|(_, other)| other.range.end <= finding.range.start) {
                found.insert(finding.range.start, finding);
            }
        }
    }
    found.into_values().collect()
}

/// Whether a word is no word: most of what follows "the password is" is "wrong" or "required".
fn is_no_word(piece: &str) -> bool {
    piece.trim_end_matches(['.', '!', '?', ')']).contains(|character: char| !character.is_alphabetic())
}

fn ip_v4(piece: &str) -> bool {
    piece.parse::<std::net::Ipv4Addr>().is_ok()
}

/// An address with a digit in it: `a::b` is a path in many languages.
fn ip_v6(piece: &str) -> bool {
    piece.contains(|character: char| character.is_ascii_digit())
        && piece.parse::<std::net::Ipv6Addr>().is_ok()
}

/// A number with a trunk 0: ten or eleven digits, or in groups nine to twelve.
fn national(piece: &str) -> bool {
    let count = checks::digits(piece).len();
    let grouped = piece.contains([' ', '/', '.', '-', ')']);
    let dated = piece.matches(['-', '/', '.']).count() >= 2 && count <= 8;
    if grouped { (9..=13).contains(&count) && !dated } else { (10..=11).contains(&count) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(Kind, &str)> {
        find(text).into_iter().map(|finding| (finding.kind, &text[finding.range])).collect()
    }

    #[test]
    fn each_form_is_found_in_a_sentence() {
        for (kind, text, piece) in [
            (Kind::Email, "mail 'jane.o'neill@müller.example' today", "jane.o'neill@müller.example"),
            (Kind::Email, "cc:<a@b.example>.", "a@b.example"),
            (Kind::Email, "login user=j.doe+1@b.example ok", "j.doe+1@b.example"),
            (Kind::Phone, "Call me: +49 (0) 4881 411654.", "+49 (0) 4881 411654"),
            (Kind::Phone, "it is (505)498-8487x6837 now", "(505)498-8487x6837"),
            (Kind::Phone, "Tel: 02 77 27 57 97", "02 77 27 57 97"),
            (Kind::Phone, "a;0249290458;b", "0249290458"),
            (Kind::Phone, "nobody is answering at 785 8949", "785 8949"),
            (Kind::Phone, "98-28-96 94-Office", "98-28-96 94"),
            (Kind::Card, "my card 3037 0835 4310 25 was charged", "3037 0835 4310 25"),
            (Kind::Iban, "IBAN GB82 WEST 1234 5698 7654 32 thanks", "GB82 WEST 1234 5698 7654 32"),
            (Kind::IpAddress, "src=2001:db8::8a2e:370:7334 up", "2001:db8::8a2e:370:7334"),
            (Kind::IpAddress, "from 192.0.2.17:443", "192.0.2.17"),
            (Kind::MacAddress, "MAC aabb.ccdd.eeff", "aabb.ccdd.eeff"),
            (Kind::OfficialId, "My SSN is 536-90-4399", "536-90-4399"),
            (Kind::OfficialId, "driver's license number: 8027354", "8027354"),
            (Kind::OfficialId, "Reisepass Nr. C01X00T44", "C01X00T44"),
            (Kind::OfficialId, "NINO AB 12 34 56 C", "AB 12 34 56 C"),
            (Kind::BirthDate, "born on 22 January 1972 in", "22 January 1972"),
            (Kind::BirthDate, "(DOB 2025-07-12)", "2025-07-12"),
            (Kind::BirthDate, "geboren am 3.4.1980", "3.4.1980"),
            (Kind::Address, "my zip code is 90010-170", "90010-170"),
            (
                Kind::Secret,
                "Authorization: Bearer eyJhbGciOiJI.eyJzdWIiOiIx.abc",
                "eyJhbGciOiJI.eyJzdWIiOiIx.abc",
            ),
            (Kind::Secret, "password = \"hunter2!x\"", "hunter2!x"),
            (Kind::Secret, "postgres://app:s3cr3t@db/main", "s3cr3t"),
            (Kind::Secret, "the key sk-proj-abcdefghijklmnop1234", "sk-proj-abcdefghijklmnop1234"),
        ] {
            assert!(found(text).contains(&(kind, piece)), "{text}: {:?}", found(text));
        }
        assert_eq!(found("I just turned 42"), [(Kind::Age, "42")]);
        assert_eq!(found("a 41 years old bridge"), [(Kind::Age, "41 years old")]);
    }

    #[test]
    fn numbers_of_other_things_are_left() {
        for text in [
            "order no. 0221718004 shipped",
            "ISBN 978-5-4988-1673-8",
            "allocated 040143624 bytes at 0x526396851935",
            "timestamp 1704216096 epoch",
            "version 12.23.37-rc1 released",
            "commit 943a0b69627b9e0f169c71fcd015a908574bf324",
            "trace id a881c438-1848-41b2-a243-206dc748e76c",
            "std::net::Ipv4Addr and a::b",
            "at 12:53:39 on 2013-03-14",
            "The Paris agreement has Article 29.",
            "an @mention and a@b",
            "1,234,567.89 EUR",
            "the token is spent",
            "Your password is required.",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    /// Forms are tried everywhere, also in text of one kind of character.
    #[test]
    fn long_text_of_one_kind_ends() {
        for unit in ["1", "1 ", "a", "a.", ":", "(", "1-", "é", "@", "\n"] {
            find(&unit.repeat(20_000));
        }
    }
}
