//! What the styles of a Word document make of its paragraphs.

use std::collections::HashMap;

use super::xml::{Xml, XmlEvent, attribute};
use crate::error::ParseError;

/// What a style makes of a paragraph.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    /// The title of the document.
    Title,
    /// A heading of this level, from 1.
    Heading(u8),
    /// An item of a list.
    Item,
    /// Code.
    Code,
}

/// The styles of a document, by id.
#[derive(Default, Debug)]
pub(super) struct Styles {
    by_id: HashMap<String, Style>,
}

#[derive(Default, Debug)]
struct Style {
    role: Option<Role>,
    based_on: Option<String>,
}

impl Styles {
    /// What a style makes of a paragraph, by itself or by the styles that it is based on.
    pub(super) fn role(&self, id: &str) -> Option<Role> {
        // A chain of styles may be a circle.
        const LONGEST_CHAIN: usize = 16;
        let mut id = id;
        for _ in 0..LONGEST_CHAIN {
            // Documents without a table of styles use the ids of the built-in ones.
            let Some(style) = self.by_id.get(id) else { return named_role(id) };
            if style.role.is_some() {
                return style.role;
            }
            id = style.based_on.as_deref()?;
        }
        None
    }
}

/// Reads `word/styles.xml`.
pub(super) fn read(mut part: Xml<'_, '_>) -> Result<Styles, ParseError> {
    let mut styles = Styles::default();
    let mut open: Option<(String, Style)> = None;
    loop {
        match part.next()? {
            XmlEvent::Start(tag) | XmlEvent::Empty(tag) => match (tag.local_name().as_ref(), &mut open) {
                ("style", _) => open = attribute(&tag, "styleId").map(|id| (id, Style::default())),
                ("name", Some((_, style))) => {
                    style.role = style.role.or(attribute(&tag, "val").and_then(|name| named_role(&name)));
                }
                ("basedOn", Some((_, style))) => style.based_on = attribute(&tag, "val"),
                ("outlineLvl", Some((_, style))) => style.role = style.role.or(outline_role(&tag)),
                ("numPr", Some((_, style))) => style.role = style.role.or(Some(Role::Item)),
                _ => {}
            },
            XmlEvent::End(tag) if tag.local_name().as_ref() == "style" => {
                if let Some((id, style)) = open.take() {
                    styles.by_id.insert(id, style);
                }
            }
            XmlEvent::End(_) | XmlEvent::Text(_) => {}
            XmlEvent::Eof => return Ok(styles),
        }
    }
}

/// The role of `w:outlineLvl`: 0 to 8 are headings, 9 is text.
pub(super) fn outline_role(tag: &quick_xml::events::BytesStart<'_>) -> Option<Role> {
    let level: u8 = attribute(tag, "val")?.parse().ok()?;
    (level < 9).then(|| Role::Heading((level + 1).min(6)))
}

/// The role of a built-in style, by its name (the same in every language) or its usual id.
fn named_role(name: &str) -> Option<Role> {
    let name = name.to_lowercase().replace(' ', "");
    if let Some(level) = name.strip_prefix("heading").and_then(|level| level.parse::<u8>().ok()) {
        return (1..=9).contains(&level).then(|| Role::Heading(level.min(6)));
    }
    match name.as_str() {
        "title" => Some(Role::Title),
        "htmlpreformatted" | "sourcecode" | "code" | "macrotext" => Some(Role::Code),
        _ if name.starts_with("listbullet") || name.starts_with("listnumber") => Some(Role::Item),
        _ => None,
    }
}
