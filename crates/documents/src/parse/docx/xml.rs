//! One XML part of an Office document as a stream.

use std::borrow::Cow;
use std::io::BufReader;

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesEnd, BytesStart, Event};

use super::package::{Bounded, Budget};
use crate::document::MediaType;
use crate::error::ParseError;

/// A part that is being read. Entities that the document defines itself are not expanded.
pub(super) struct Xml<'a, 'b> {
    reader: Reader<BufReader<Bounded<'a, 'b>>>,
    buffer: Vec<u8>,
    name: String,
    budget: &'b Budget,
}

/// What comes next in a part.
pub(super) enum XmlEvent<'e> {
    /// An element begins.
    Start(BytesStart<'e>),
    /// An element without content.
    Empty(BytesStart<'e>),
    /// An element ends.
    End(BytesEnd<'e>),
    /// Text.
    Text(Cow<'e, str>),
    /// The part ends.
    Eof,
}

impl<'a, 'b> Xml<'a, 'b> {
    pub(super) fn new(source: BufReader<Bounded<'a, 'b>>, name: &str, budget: &'b Budget) -> Self {
        Self { reader: Reader::from_reader(source), buffer: Vec::new(), name: name.to_owned(), budget }
    }

    /// The next tag or text.
    pub(super) fn next(&mut self) -> Result<XmlEvent<'_>, ParseError> {
        loop {
            self.buffer.clear();
            // The borrow of an event that is returned would last for the loop: decided on the event's kind first.
            let event = match self.reader.read_event_into(&mut self.buffer) {
                Ok(Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Comment(_)) => continue,
                Ok(event) => event.into_owned(),
                Err(_) => return Err(self.fault()),
            };
            return Ok(match event {
                Event::Start(tag) => XmlEvent::Start(tag),
                Event::Empty(tag) => XmlEvent::Empty(tag),
                Event::End(tag) => XmlEvent::End(tag),
                Event::Text(text) => XmlEvent::Text(Cow::Owned(text.xml10_content().into_owned())),
                Event::CData(text) => XmlEvent::Text(Cow::Owned(text.xml10_content().into_owned())),
                Event::GeneralRef(reference) => XmlEvent::Text(match reference.resolve_char_ref() {
                    Ok(Some(character)) => Cow::Owned(character.to_string()),
                    _ => Cow::Borrowed(resolve_xml_entity(&reference).unwrap_or_default()),
                }),
                _ => XmlEvent::Eof,
            });
        }
    }

    fn fault(&self) -> ParseError {
        self.budget.fault().unwrap_or_else(|| {
            let detail = format!("{} is broken at byte {}", self.name, self.reader.buffer_position());
            ParseError::corrupt(MediaType::Docx, detail)
        })
    }
}

/// The value of an attribute, by its name without prefix.
pub(super) fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = tag
        .attributes()
        .with_checks(false)
        .flatten()
        .find(|found| found.key.local_name().as_ref() == name)?;
    found.normalized_value(XmlVersion::Implicit1_0).ok().map(Cow::into_owned)
}
