//! DOCX: paragraphs, headings by their style, lists, tables and notes of a Word document.

mod body;
mod package;
mod styles;
mod xml;

use crate::document::{MediaType, ParsedDocument};
use crate::error::ParseError;
use crate::parse::Limits;
use crate::parse::flow::Flow;
use package::Package;
use styles::Styles;
use xml::{Xml, XmlEvent};

/// The text of a DOCX file. Fails for archives that are something else.
pub(super) fn parse(bytes: &[u8], limits: &Limits) -> Result<ParsedDocument, ParseError> {
    let mut package = Package::open(bytes, limits)?;
    let document = package.main_part()?;
    let styles = match package.part("word/styles.xml")? {
        Some(part) => styles::read(part)?,
        None => Styles::default(),
    };
    let title = match package.part("docProps/core.xml")? {
        Some(part) => core_title(part)?,
        None => None,
    };
    let mut flow = Flow::new(limits.max_text_bytes);
    let mut body_title = None;
    for name in [document.as_str(), "word/footnotes.xml", "word/endnotes.xml"] {
        if let Some(part) = package.part(name)? {
            body::read(part, &styles, &mut flow, &mut body_title)?;
        }
    }
    flow.finish(title.or(body_title), MediaType::Docx)
}

/// The title in the properties of the document.
fn core_title(mut part: Xml<'_, '_>) -> Result<Option<String>, ParseError> {
    let mut title: Option<String> = None;
    let mut inside = false;
    loop {
        match part.next()? {
            XmlEvent::Start(tag) => inside = tag.local_name().as_ref() == "title",
            XmlEvent::Text(text) if inside => title.get_or_insert_default().push_str(&text),
            XmlEvent::End(_) => inside = false,
            XmlEvent::Eof => break,
            XmlEvent::Text(_) | XmlEvent::Empty(_) => {}
        }
    }
    Ok(title.filter(|title| !title.trim().is_empty()))
}

#[cfg(test)]
pub(crate) mod tests;
