//! The text of one part of a Word document.

use quick_xml::events::BytesStart;

use super::styles::{Role, Styles, outline_role};
use super::xml::{Xml, XmlEvent, attribute};
use crate::document::BlockKind;
use crate::error::ParseError;
use crate::parse::flow::Flow;

/// Appends the text of a part to `flow`; the first paragraph in the style of a title becomes the title.
pub(super) fn read(
    mut part: Xml<'_, '_>,
    styles: &Styles,
    flow: &mut Flow,
    title: &mut Option<String>,
) -> Result<(), ParseError> {
    let mut body =
        Body { styles, flow, title, open: Vec::new(), skipped: 0, in_text: 0, table: None, code: None };
    loop {
        match part.next()? {
            XmlEvent::Start(tag) => body.start(&tag),
            XmlEvent::Empty(tag) => {
                body.start(&tag);
                body.end(tag.local_name().as_ref());
            }
            XmlEvent::End(tag) => body.end(tag.local_name().as_ref()),
            XmlEvent::Text(text) => body.text(&text),
            XmlEvent::Eof => break,
        }
    }
    body.flush_code();
    Ok(())
}

struct Body<'a> {
    styles: &'a Styles,
    flow: &'a mut Flow,
    title: &'a mut Option<String>,
    /// Paragraphs that are open: text boxes stand inside of others.
    open: Vec<Paragraph>,
    /// Elements that are open whose text is not read.
    skipped: usize,
    /// `w:t` elements that are open.
    in_text: usize,
    table: Option<Table>,
    /// Paragraphs of code in a row, which are one block.
    code: Option<String>,
}

#[derive(Default)]
struct Paragraph {
    text: String,
    role: Option<Role>,
    /// Level of the list that it is an item of.
    list_level: Option<usize>,
}

/// The outermost table that is open. Tables inside of it become part of their cell.
#[derive(Default)]
struct Table {
    rows: String,
    row: Vec<String>,
    cell: String,
    depth: usize,
}

/// Paragraphs that may be open inside of each other; deeper ones are read as part of the innermost.
const MAX_OPEN: usize = 64;

impl Body<'_> {
    fn start(&mut self, tag: &BytesStart<'_>) {
        let name = tag.local_name();
        if is_skipped(name.as_ref()) {
            self.skipped += 1;
        }
        if self.skipped > 0 {
            return;
        }
        match name.as_ref() {
            "p" if self.open.len() < MAX_OPEN => self.open.push(Paragraph::default()),
            "p" => self.push_text("\n"),
            "t" => self.in_text += 1,
            "tab" | "ptab" => self.push_text("\t"),
            "br" | "cr" => self.push_text("\n"),
            "noBreakHyphen" => self.push_text("-"),
            "tbl" => self.start_table(),
            "pStyle" | "outlineLvl" | "numPr" | "ilvl" | "numId" => self.property(name.as_ref(), tag),
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        if is_skipped(name) {
            self.skipped = self.skipped.saturating_sub(1);
            return;
        }
        if self.skipped > 0 {
            return;
        }
        match name {
            "p" => self.end_paragraph(),
            "t" => self.in_text = self.in_text.saturating_sub(1),
            "tc" => self.end_cell(),
            "tr" => self.end_row(),
            "tbl" => self.end_table(),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if self.skipped == 0 && self.in_text > 0 {
            self.push_text(text);
        }
    }

    fn push_text(&mut self, text: &str) {
        let table = self.table.as_ref().map_or(0, |table| table.rows.len() + table.cell.len());
        if let Some(paragraph) = self.open.last_mut()
            && !self.flow.is_full(paragraph.text.len() + table + text.len())
        {
            paragraph.text.extend(text.chars().filter(|&character| character != '\u{ad}'));
        }
    }

    fn property(&mut self, name: &str, tag: &BytesStart<'_>) {
        let Some(paragraph) = self.open.last_mut() else { return };
        match name {
            "pStyle" => {
                let role = attribute(tag, "val").and_then(|id| self.styles.role(&id));
                paragraph.role = paragraph.role.or(role);
            }
            // A paragraph's own level counts more than that of its style.
            "outlineLvl" => paragraph.role = outline_role(tag).or(paragraph.role),
            "numPr" => paragraph.list_level = Some(0),
            "ilvl" => paragraph.list_level = attribute(tag, "val").and_then(|level| level.parse().ok()),
            // List 0 takes a paragraph out of the list of its style.
            _ if attribute(tag, "val").as_deref() == Some("0") => {
                paragraph.list_level = None;
                paragraph.role = paragraph.role.filter(|role| *role != Role::Item);
            }
            _ => {}
        }
    }

    fn end_paragraph(&mut self) {
        let Some(paragraph) = self.open.pop() else { return };
        if let Some(table) = &mut self.table {
            if !table.cell.is_empty() {
                table.cell.push(' ');
            }
            table.cell.push_str(&one_line(&paragraph.text));
            return;
        }
        if paragraph.role == Some(Role::Code) {
            let code = self.code.get_or_insert_default();
            code.push_str(&paragraph.text);
            code.push('\n');
            return;
        }
        self.flush_code();
        self.push(&paragraph);
    }

    fn push(&mut self, paragraph: &Paragraph) {
        let text = paragraph.text.trim();
        match (paragraph.role, paragraph.list_level) {
            _ if text.is_empty() => {}
            (Some(Role::Title), _) => {
                self.title.get_or_insert_with(|| text.to_owned());
                self.flow.push(BlockKind::Paragraph, text);
            }
            // Numbered headings are in a list as well.
            (Some(Role::Heading(level)), _) => self.flow.push(BlockKind::Heading(level), &one_line(text)),
            (_, Some(level)) => self.flow.push_item(level, &format!("- {text}")),
            (Some(Role::Item), None) => self.flow.push_item(0, &format!("- {text}")),
            _ => self.flow.push(BlockKind::Paragraph, text),
        }
    }

    fn flush_code(&mut self) {
        if let Some(code) = self.code.take() {
            self.flow.push(BlockKind::Code, &code);
        }
    }

    fn start_table(&mut self) {
        self.flush_code();
        self.table.get_or_insert_default().depth += 1;
    }

    fn end_cell(&mut self) {
        if let Some(table) = self.table.as_mut().filter(|table| table.depth == 1) {
            table.row.push(std::mem::take(&mut table.cell).trim().to_owned());
        }
    }

    fn end_row(&mut self) {
        let Some(table) = self.table.as_mut().filter(|table| table.depth == 1) else { return };
        let row = std::mem::take(&mut table.row);
        if row.iter().any(|cell| !cell.is_empty()) {
            table.rows.push_str(&row.join(" | "));
            table.rows.push('\n');
        }
    }

    fn end_table(&mut self) {
        let Some(table) = &mut self.table else { return };
        table.depth -= 1;
        if table.depth > 0 {
            return;
        }
        let Some(Table { rows, .. }) = self.table.take() else { return };
        // A table of a single column frames text.
        let kind = if rows.contains(" | ") { BlockKind::Table } else { BlockKind::Paragraph };
        self.flow.push(kind, &rows);
    }
}

/// Elements that hold text which readers do not see: deleted text, the second form of a drawing.
fn is_skipped(name: &str) -> bool {
    matches!(name, "Fallback" | "del" | "moveFrom" | "instrText" | "delText")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
