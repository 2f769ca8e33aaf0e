//! Personal data in a text, and placeholders in its place.
//!
//! What has a form is found by it ([`patterns`](self)), and where the form has a check digit, by that too. Names of people and
//! places, and addresses, are found by a small linear model over words, their shapes and lists of names ([`tagger`]). Neither
//! finds everything: [`find`] lowers what leaks, it proves nothing.

mod checks;
mod names;
mod patterns;
mod scrub;
pub mod tagger;

use std::ops::Range;

pub use self::scrub::scrub;

/// A kind of personal data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// A key, a token, a password: of nobody in particular, and never to be shown.
    Secret,
    /// An email address.
    Email,
    /// A telephone number.
    Phone,
    /// The number of a payment card.
    Card,
    /// An international bank account number.
    Iban,
    /// An address of the internet, version 4 or 6.
    IpAddress,
    /// The hardware address of a network card.
    MacAddress,
    /// A number that an authority or an insurer gave a person: of an identity card, a passport, a licence, a tax office.
    OfficialId,
    /// A date on which a person was born.
    BirthDate,
    /// How old a person is.
    Age,
    /// The name of a person.
    Person,
    /// Where somebody lives or works, in part or whole.
    Address,
    /// A town, a region, a country.
    Place,
    /// A company or another organization. It is no person: found, because names are told apart by it.
    Organization,
}

impl Kind {
    /// What stands in placeholders and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Secret => "SECRET",
            Self::Email => "EMAIL",
            Self::Phone => "PHONE",
            Self::Card => "CARD",
            Self::Iban => "IBAN",
            Self::IpAddress => "IP_ADDRESS",
            Self::MacAddress => "MAC_ADDRESS",
            Self::OfficialId => "OFFICIAL_ID",
            Self::BirthDate => "BIRTH_DATE",
            Self::Age => "AGE",
            Self::Person => "PERSON",
            Self::Address => "ADDRESS",
            Self::Place => "PLACE",
            Self::Organization => "ORGANIZATION",
        }
    }
}

/// A piece of personal data in a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Where, in bytes.
    pub range: Range<usize>,
    /// What.
    pub kind: Kind,
}

/// Finds what is personal in a text: in order, none overlapping another. Linear in the length of the text.
pub fn find(text: &str) -> Vec<Finding> {
    let formed = patterns::find(text);
    let mut found = Vec::with_capacity(formed.len());
    let mut formed = formed.into_iter().peekable();
    for name in tagger::built_in().find(text) {
        // A form says more surely what something is than the words around it: of a name, what no form covers is left.
        let mut start = name.range.start;
        while let Some(form) = formed.next_if(|form| form.range.start < name.range.end) {
            if start < form.range.start {
                found.push(Finding { range: start..form.range.start, kind: name.kind });
            }
            start = start.max(form.range.end);
            found.push(form);
        }
        if start < name.range.end {
            found.push(Finding { range: start..name.range.end, kind: name.kind });
        }
    }
    found.extend(formed);
    found
}
