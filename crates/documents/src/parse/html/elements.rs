//! What each HTML element means for its text.

/// An element that is known, by its index in the table of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Element(u8);

/// What an element means for the text in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    /// Its text stands on lines of its own.
    Block,
    /// A heading of this level.
    Heading(u8),
    /// Its spaces and line breaks count.
    Preformatted,
    /// A list without numbers.
    Bullets,
    /// A list with numbers.
    Numbers,
    /// An item of a list.
    Item,
    /// A table.
    Table,
    /// A row of a table.
    Row,
    /// A cell of a row.
    Cell,
    /// The whole page.
    Root,
    /// The title of the page.
    Title,
    /// The main part of the page.
    Main,
    /// A self-contained part of the page.
    Article,
    /// What a page ends in; of an article, text like any other.
    Footer,
    /// No text for readers.
    Hidden,
    /// A drawing, in XML syntax: may close itself.
    Drawing,
    /// A line break.
    LineBreak,
    /// A line across.
    Rule,
    /// Part of the text around it.
    Inline,
}

impl Element {
    /// Number of elements that are known.
    pub(super) const COUNT: usize = ELEMENTS.len();

    /// The element of a lowercase tag name; `None` for those that mean nothing to the text.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        let index = ELEMENTS.binary_search_by(|(known, _)| known.as_bytes().cmp(name)).ok()?;
        u8::try_from(index).ok().map(Self)
    }

    /// What it means.
    pub(super) fn role(self) -> Role {
        ELEMENTS[self.index()].1
    }

    /// Its place in a table of [`Element::COUNT`] entries.
    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// Sorted by name.
const ELEMENTS: &[(&str, Role)] = &[
    ("a", Role::Inline),
    ("abbr", Role::Inline),
    ("address", Role::Block),
    ("annotation", Role::Hidden),
    ("article", Role::Article),
    ("aside", Role::Block),
    ("audio", Role::Hidden),
    ("b", Role::Inline),
    ("blockquote", Role::Block),
    ("body", Role::Root),
    ("br", Role::LineBreak),
    ("button", Role::Hidden),
    ("canvas", Role::Hidden),
    ("caption", Role::Block),
    ("center", Role::Block),
    ("code", Role::Inline),
    ("dd", Role::Block),
    ("details", Role::Block),
    ("dialog", Role::Hidden),
    ("div", Role::Block),
    ("dl", Role::Block),
    ("dt", Role::Block),
    ("em", Role::Inline),
    ("fieldset", Role::Block),
    ("figcaption", Role::Block),
    ("figure", Role::Block),
    ("footer", Role::Footer),
    ("form", Role::Block),
    ("h1", Role::Heading(1)),
    ("h2", Role::Heading(2)),
    ("h3", Role::Heading(3)),
    ("h4", Role::Heading(4)),
    ("h5", Role::Heading(5)),
    ("h6", Role::Heading(6)),
    ("header", Role::Block),
    ("hgroup", Role::Block),
    ("hr", Role::Rule),
    ("html", Role::Root),
    ("i", Role::Inline),
    ("iframe", Role::Hidden),
    ("label", Role::Inline),
    ("legend", Role::Block),
    ("li", Role::Item),
    ("listing", Role::Preformatted),
    ("main", Role::Main),
    ("menu", Role::Bullets),
    ("nav", Role::Hidden),
    ("noembed", Role::Hidden),
    ("noframes", Role::Hidden),
    ("noscript", Role::Hidden),
    ("object", Role::Hidden),
    ("ol", Role::Numbers),
    ("optgroup", Role::Block),
    ("option", Role::Block),
    ("p", Role::Block),
    ("pre", Role::Preformatted),
    ("rp", Role::Hidden),
    ("rt", Role::Hidden),
    ("s", Role::Inline),
    ("script", Role::Hidden),
    ("search", Role::Hidden),
    ("section", Role::Block),
    ("select", Role::Hidden),
    ("small", Role::Inline),
    ("span", Role::Inline),
    ("strong", Role::Inline),
    ("style", Role::Hidden),
    ("sub", Role::Inline),
    ("summary", Role::Block),
    ("sup", Role::Inline),
    ("svg", Role::Drawing),
    ("table", Role::Table),
    ("tbody", Role::Block),
    ("td", Role::Cell),
    ("template", Role::Hidden),
    ("textarea", Role::Hidden),
    ("tfoot", Role::Block),
    ("th", Role::Cell),
    ("thead", Role::Block),
    ("time", Role::Inline),
    ("title", Role::Title),
    ("tr", Role::Row),
    ("u", Role::Inline),
    ("ul", Role::Bullets),
    ("video", Role::Hidden),
    ("xmp", Role::Preformatted),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_for_its_search() {
        assert!(ELEMENTS.is_sorted_by_key(|(name, _)| name));
        assert_eq!(Element::named(b"h3").map(Element::role), Some(Role::Heading(3)));
        assert_eq!(Element::named(b"xmp").map(Element::role), Some(Role::Preformatted));
        assert_eq!(Element::named(b"blink"), None);
    }
}
