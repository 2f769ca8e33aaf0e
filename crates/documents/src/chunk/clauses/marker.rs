//! How clauses are numbered.

/// What a line of a contract or a statute begins with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Marker {
    /// The number of a clause.
    Clause(Number),
    /// `(a)`, `(1)`, `b)`: a part of a clause, numbered within it.
    Part,
}

/// The number of a clause: `Article 5`, `§ 12`, `4.2.1`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Number {
    /// What is counted; `None` for a bare number.
    pub(super) keyword: Option<Keyword>,
    /// How many numbers it consists of: three for `4.2.1`.
    pub(super) components: usize,
    /// How it is cited.
    pub(super) label: String,
    /// Where in the line it ends, with the full stop, colon or dash that separates it from its title.
    pub(super) end: usize,
}

/// What is counted, in any language. The first three contain the others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Keyword {
    Part,
    Title,
    Chapter,
    Section,
    Article,
    /// `§`, which German, Austrian, Czech and Nordic laws count in.
    Paragraph,
    Clause,
    Rule,
    Item,
    /// Stands behind everything else, and begins a count of its own.
    Annex,
}

impl Keyword {
    /// Whether it contains articles, wherever it stands.
    pub(super) fn is_container(self) -> bool {
        self <= Self::Chapter
    }

    fn of(word: &str) -> Option<Self> {
        let word = word.to_lowercase();
        let found = KEYWORDS.binary_search_by(|(name, _)| (*name).cmp(&word)).ok()?;
        Some(KEYWORDS[found].1)
    }
}

/// The words that stand before a number, in English, German, French, Spanish, Italian, Portuguese, Dutch, Polish, Czech,
/// Romanian, the Nordic languages, Greek, Russian and Bulgarian; sorted.
const KEYWORDS: &[(&str, Keyword)] = &[
    ("abschnitt", Keyword::Section),
    ("anhang", Keyword::Annex),
    ("anlage", Keyword::Annex),
    ("annex", Keyword::Annex),
    ("annexe", Keyword::Annex),
    ("appendix", Keyword::Annex),
    ("art", Keyword::Article),
    ("article", Keyword::Article),
    ("articolo", Keyword::Article),
    ("articolul", Keyword::Article),
    ("artigo", Keyword::Article),
    ("artikel", Keyword::Article),
    ("artikkel", Keyword::Article),
    ("artykuł", Keyword::Article),
    ("artículo", Keyword::Article),
    ("bijlage", Keyword::Annex),
    ("capo", Keyword::Chapter),
    ("capítulo", Keyword::Chapter),
    ("chapitre", Keyword::Chapter),
    ("chapter", Keyword::Chapter),
    ("clause", Keyword::Clause),
    ("clausola", Keyword::Clause),
    ("cláusula", Keyword::Clause),
    ("deel", Keyword::Part),
    ("exhibit", Keyword::Annex),
    ("hoofdstuk", Keyword::Chapter),
    ("item", Keyword::Item),
    ("kapitel", Keyword::Chapter),
    ("kapitola", Keyword::Chapter),
    ("klausel", Keyword::Clause),
    ("part", Keyword::Part),
    ("partie", Keyword::Part),
    ("regulation", Keyword::Rule),
    ("rozdział", Keyword::Chapter),
    ("rule", Keyword::Rule),
    ("schedule", Keyword::Annex),
    ("sec", Keyword::Section),
    ("sección", Keyword::Section),
    ("sectie", Keyword::Section),
    ("section", Keyword::Section),
    ("sezione", Keyword::Section),
    ("seção", Keyword::Section),
    ("teil", Keyword::Part),
    ("titel", Keyword::Title),
    ("title", Keyword::Title),
    ("titolo", Keyword::Title),
    ("titre", Keyword::Title),
    ("título", Keyword::Title),
    ("ziffer", Keyword::Clause),
    ("čl", Keyword::Article),
    ("článek", Keyword::Article),
    ("άρθρο", Keyword::Article),
    ("глава", Keyword::Chapter),
    ("статья", Keyword::Article),
    ("член", Keyword::Article),
];

/// What a line, without whitespace before it, begins with. A reference to a clause (`Section 4.2 shall apply`, `Article 5
/// of the Treaty`) is none: it goes on in lowercase or with a comma.
pub(super) fn marker(line: &str) -> Option<Marker> {
    let undecorated = line.trim_start_matches(['#', '*', '_', '>', '-', '+', '•', ' ', '\t', '\u{a0}']);
    if is_part(undecorated) {
        return Some(Marker::Part);
    }
    let mut number = with_keyword(undecorated).or_else(|| bare(undecorated))?;
    let rest = &undecorated[number.end..];
    // `4.2(b) shall`: a reference into the clause.
    let separated =
        rest.trim_start_matches(['.', ':', ')', ' ', '\t', '\u{a0}', '–', '—', '-', '|', '*', '_', '\r']);
    if separated.len() == rest.len() && !rest.is_empty() {
        return None;
    }
    let follows =
        separated.chars().find(|character| !matches!(character, '"' | '“' | '„' | '«' | '(' | '[' | '‘'));
    if follows.is_some_and(|character| character.is_lowercase() || matches!(character, ',' | ';')) {
        return None;
    }
    number.end = line.len() - separated.len();
    Some(Marker::Clause(number))
}

/// `(a)`, `(12)`, `(iv)`, `a)`, `1)`.
fn is_part(line: &str) -> bool {
    let opened = line.strip_prefix('(');
    let inside = opened.unwrap_or(line);
    let length = inside.bytes().take(5).take_while(u8::is_ascii_alphanumeric).count();
    let name = &inside[..length];
    let named = (1..=4).contains(&length)
        && (opened.is_some()
            || length == 1
            || name.bytes().all(|byte| byte.is_ascii_digit() || b"ivx".contains(&byte)));
    named
        && inside[length..]
            .strip_prefix(')')
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

/// `Article 5`, `Art. 5a`, `Chapter IV`, `§ 12`.
fn with_keyword(line: &str) -> Option<Number> {
    let (word, keyword) = match line.strip_prefix('§') {
        Some(rest) => ("§", (!rest.starts_with('§')).then_some(Keyword::Paragraph)?),
        None => {
            let length = line.find(|character: char| !character.is_alphabetic())?;
            (&line[..length], Keyword::of(&line[..length])?)
        }
    };
    let after = &line[word.len()..];
    let abbreviated = after.strip_prefix('.').unwrap_or(after);
    let numeral_at = line.len() - abbreviated.trim_start_matches([' ', '\t', '\u{a0}']).len();
    let spaced = numeral_at > line.len() - abbreviated.len();
    if !(spaced || keyword == Keyword::Paragraph) {
        return None;
    }
    let numeral = Numeral::decimal(&line[numeral_at..])
        .or_else(|| Numeral::roman(&line[numeral_at..]))
        .or_else(|| {
            Numeral::letter(&line[numeral_at..])
                .filter(|_| keyword == Keyword::Annex || keyword.is_container())
        })?;
    let end = numeral_at + numeral.length;
    let label = format!(
        "{}{} {}",
        titlecase(word),
        if abbreviated.len() < after.len() { "." } else { "" },
        &line[numeral_at..end]
    );
    Some(Number { keyword: Some(keyword), components: numeral.components, label, end })
}

/// `4.2.1`, `4.`, and the Nordic and Hungarian `5 §`.
fn bare(line: &str) -> Option<Number> {
    let numeral = Numeral::decimal(line)?;
    let written = &line[..numeral.length];
    let rest = &line[numeral.length..];
    let dotted = rest.strip_prefix('.').unwrap_or(rest);
    let symbol = dotted.trim_start_matches([' ', '\u{a0}']);
    if let Some(behind) = symbol.strip_prefix('§') {
        let (keyword, end) = (Some(Keyword::Paragraph), line.len() - behind.len());
        return Some(Number { keyword, components: numeral.components, label: line[..end].to_owned(), end });
    }
    // `30 Days` is none, `30. Days` is.
    let separated = numeral.components > 1 || dotted.len() < rest.len();
    let spaced =
        dotted.is_empty() || dotted.starts_with(char::is_whitespace) || dotted.starts_with(['*', '_']);
    (separated && spaced).then(|| Number {
        keyword: None,
        components: numeral.components,
        label: written.to_owned(),
        end: numeral.length,
    })
}

/// A number as clauses have it, at the beginning of a text.
struct Numeral {
    length: usize,
    components: usize,
}

/// Digits of a component: more are a year, or part of a date or of a sum.
const MOST_DIGITS: usize = 3;

/// Components that are told apart. Nothing is numbered deeper.
const MOST_COMPONENTS: usize = 8;

impl Numeral {
    /// `5`, `5a`, `4.2.1`, `1er`, `2º`.
    fn decimal(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut length = digits(0);
        let mut components = 1;
        if !(1..=MOST_DIGITS).contains(&length) {
            return None;
        }
        while bytes.get(length) == Some(&b'.') {
            let more = digits(length + 1);
            if more == 0 {
                break;
            }
            if more > MOST_DIGITS || components == MOST_COMPONENTS {
                return None;
            }
            length += 1 + more;
            components += 1;
        }
        let suffix: usize = text[length..]
            .chars()
            .take_while(|character| character.is_alphabetic())
            .map(char::len_utf8)
            .sum();
        let is_suffix = text[length..length + suffix].chars().count() <= 2;
        is_suffix.then_some(Self { length: length + suffix, components })
    }

    /// `IV`.
    fn roman(text: &str) -> Option<Self> {
        let length = text.bytes().take_while(|byte| b"IVXLC".contains(byte)).count();
        Self::word(text, length, 1..=8)
    }

    /// `B`.
    fn letter(text: &str) -> Option<Self> {
        let length = text.bytes().take_while(u8::is_ascii_uppercase).count();
        Self::word(text, length, 1..=1)
    }

    fn word(text: &str, length: usize, lengths: std::ops::RangeInclusive<usize>) -> Option<Self> {
        let ends = text[length..].chars().next().is_none_or(|character| !character.is_alphanumeric());
        (lengths.contains(&length) && ends).then_some(Self { length, components: 1 })
    }
}

/// `ARTICLE` as `Article`.
fn titlecase(word: &str) -> String {
    let mut characters = word.chars();
    let first = characters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(characters.flat_map(char::to_lowercase)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(line: &str) -> Option<String> {
        match marker(line)? {
            Marker::Clause(number) => Some(number.label),
            Marker::Part => Some("part".to_owned()),
        }
    }

    #[test]
    fn the_keywords_are_sorted_for_their_search() {
        assert!(KEYWORDS.is_sorted_by(|one, next| one.0 < next.0));
    }

    #[test]
    fn numbers_are_cited_as_they_are_written() {
        for (line, expected) in [
            ("Article 5", "Article 5"),
            ("ARTICLE 5 – TERMINATION", "Article 5"),
            ("**Article 5.2** Termination", "Article 5.2"),
            ("Art. 12a Notice", "Art. 12a"),
            ("§ 12 Kündigung", "§ 12"),
            ("§12a", "§ 12a"),
            ("12 § Uppsägning", "12 §"),
            ("Section 4.2.1. Fees", "Section 4.2.1"),
            ("4.2.1 Fees", "4.2.1"),
            ("4. Fees", "4"),
            ("Clause 7", "Clause 7"),
            ("Artikel 3 Zweck", "Artikel 3"),
            ("Artículo 1º Objeto", "Artículo 1º"),
            ("CHAPTER IV", "Chapter IV"),
            ("Annex B", "Annex B"),
            ("Статья 10. Предмет", "Статья 10"),
            ("## Άρθρο 3", "Άρθρο 3"),
            ("Item 1A. Risk Factors", "Item 1A"),
            ("(a) the goods", "part"),
            ("(iv) the goods", "part"),
            ("1) the goods", "part"),
        ] {
            assert_eq!(label(line).as_deref(), Some(expected), "{line}");
        }
    }

    #[test]
    fn references_dates_and_quantities_are_no_numbers_of_clauses() {
        for line in [
            "Section 4.2 shall apply",
            "Article 5, the parties",
            "Section 4.2(b) of this",
            "Article of faith",
            "§§ 12 and 13",
            "2024. The year",
            "12.05.2024 Meeting",
            "30 Days",
            "12.5 percent",
            "3.5mm jacks",
            "1.000.0000 Euro",
            "Part of it",
            "Artless 5",
            "(see below)",
            "Section A",
            "",
            "#",
        ] {
            assert_eq!(label(line), None, "{line}");
        }
    }

    #[test]
    fn what_separates_the_number_from_its_title_belongs_to_it() {
        for (line, rest) in
            [("Article 5 – Termination", "Termination"), ("4.2.1.\tFees", "Fees"), ("Clause 7", "")]
        {
            let Some(Marker::Clause(number)) = marker(line) else { panic!("{line}") };
            assert_eq!(&line[number.end..], rest);
        }
    }
}
