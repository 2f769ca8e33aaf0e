//! An HTML page while it is read from top to bottom.

use super::elements::{Element, Role};
use crate::document::BlockKind;
use crate::parse::flow::Flow;

/// Which part of a page is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scope {
    /// All of it.
    Page,
    /// What stands in `<main>`, or has the role of it.
    Main,
    /// What stands in `<article>`.
    Article,
}

/// A page that is being read.
#[derive(Debug)]
pub(super) struct Page {
    scope: Scope,
    flow: Flow,
    title: Option<String>,
    open: OpenElements,
    tag: Option<StartTag>,
    /// Text of the block that is being read.
    inline: String,
    lists: Vec<List>,
    /// Marker and level of the item whose text has not come yet.
    marker: Option<(String, usize)>,
    table: Table,
    /// Bytes of text in `<main>` and in `<article>`.
    main_bytes: usize,
    article_bytes: usize,
    articles: usize,
}

/// A start tag whose attributes are being read.
#[derive(Debug)]
struct StartTag {
    element: Element,
    attribute: Attribute,
    hidden: bool,
    main: bool,
}

/// The attributes that say something about the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Attribute {
    AriaHidden,
    Class,
    Role,
    Style,
    Other,
}

#[derive(Debug)]
struct List {
    numbered: bool,
    items: usize,
}

/// The innermost table that is open.
#[derive(Debug, Default)]
struct Table {
    rows: Vec<Vec<String>>,
    bytes: usize,
    in_cell: bool,
}

/// Longest cell of a table, in bytes: tables with longer ones lay out the page.
const MAX_CELL_BYTES: usize = 1000;

impl Page {
    pub(super) fn new(scope: Scope, limit: usize) -> Self {
        Self {
            scope,
            flow: Flow::new(limit),
            title: None,
            open: OpenElements::new(),
            tag: None,
            inline: String::new(),
            lists: Vec::new(),
            marker: None,
            table: Table::default(),
            main_bytes: 0,
            article_bytes: 0,
            articles: 0,
        }
    }

    /// The part that holds what the page is about: its `<main>` if a quarter of the text is there, its only `<article>`
    /// if half of it is.
    pub(super) fn main_scope(&self) -> Scope {
        let all = self.flow.len();
        if self.main_bytes > 0 && self.main_bytes * 4 >= all {
            Scope::Main
        } else if self.articles == 1 && self.article_bytes * 2 >= all {
            Scope::Article
        } else {
            Scope::Page
        }
    }

    /// The text and the title.
    pub(super) fn finish(mut self) -> (Flow, Option<String>) {
        self.end_table();
        self.flush();
        (self.flow, self.title)
    }

    pub(super) fn open_tag(&mut self, name: &[u8]) {
        self.tag = Element::named(name).map(|element| StartTag {
            element,
            attribute: Attribute::Other,
            hidden: false,
            main: element.role() == Role::Main,
        });
    }

    pub(super) fn attribute_name(&mut self, name: &[u8]) {
        let Some(tag) = &mut self.tag else { return };
        tag.attribute = match name {
            b"aria-hidden" => Attribute::AriaHidden,
            b"class" => Attribute::Class,
            b"role" => Attribute::Role,
            b"style" => Attribute::Style,
            b"hidden" => {
                tag.hidden = true;
                Attribute::Other
            }
            _ => Attribute::Other,
        };
    }

    pub(super) fn attribute_value(&mut self, value: &[u8]) {
        let Some(tag) = &mut self.tag else { return };
        match tag.attribute {
            Attribute::AriaHidden => tag.hidden |= value == b"true",
            Attribute::Class => tag.hidden |= value.split(u8::is_ascii_whitespace).any(is_furniture_class),
            Attribute::Role if value == b"main" => tag.main = true,
            Attribute::Role => tag.hidden |= is_furniture_role(value),
            Attribute::Style => tag.hidden |= hides(value),
            Attribute::Other => {}
        }
    }

    pub(super) fn close_tag(&mut self, self_closing: bool) {
        let Some(tag) = self.tag.take() else { return };
        let role = tag.element.role();
        match role {
            Role::LineBreak => return self.line_break(),
            Role::Rule => return self.break_block(),
            Role::Drawing if self_closing => return,
            Role::Item => self.close_open_item(),
            _ => {}
        }
        let whole_page = matches!(role, Role::Main | Role::Root);
        let page_footer = role == Role::Footer && self.open.articles == 0 && self.open.main == 0;
        let hidden =
            matches!(role, Role::Hidden | Role::Drawing) || page_footer || (tag.hidden && !whole_page);
        let visible = !hidden && self.open.hidden == 0;
        if visible && role == Role::Inline {
            return;
        }
        if visible {
            self.start(role);
            self.articles += usize::from(role == Role::Article);
        }
        self.open.push(tag.element, hidden, tag.main);
    }

    pub(super) fn end_tag(&mut self, name: &[u8]) {
        let Some(element) = Element::named(name) else { return };
        match element.role() {
            Role::LineBreak => return self.line_break(),
            // An end without a beginning parts the text as well.
            Role::Block if !self.open.has(element) && self.open.hidden == 0 => return self.break_block(),
            _ => {}
        }
        // Any heading's end tag closes any heading.
        let is_heading = matches!(element.role(), Role::Heading(_));
        let element = self.open.heading.filter(|_| is_heading).unwrap_or(element);
        while let Some(top) = self.open.top_above(element) {
            if self.open.hidden == 0 {
                self.end(top.element.role(), top.main);
            }
            self.open.pop();
            if top.element == element {
                break;
            }
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        if self.open.hidden > 0 || self.flow.is_full(self.inline.len() + self.table.bytes) {
            return;
        }
        if self.open.titles > 0 {
            self.title.get_or_insert_default().push_str(text);
        } else if self.in_scope() {
            append(&mut self.inline, text, self.open.preformatted > 0);
        }
    }

    fn in_scope(&self) -> bool {
        match self.scope {
            Scope::Page => true,
            Scope::Main => self.open.main > 0,
            Scope::Article => self.open.articles > 0,
        }
    }

    fn line_break(&mut self) {
        if self.open.hidden == 0 && self.in_scope() {
            let text = self.inline.trim_end_matches(' ').len();
            self.inline.truncate(text);
            self.inline.push('\n');
        }
    }

    /// An element begins that readers see.
    fn start(&mut self, role: Role) {
        match role {
            Role::Heading(_) | Role::Preformatted => {
                self.end_table();
                self.flush();
            }
            Role::Bullets | Role::Numbers => {
                self.break_block();
                self.lists.push(List { numbered: role == Role::Numbers, items: 0 });
            }
            Role::Item => self.start_item(),
            Role::Table => {
                self.end_table();
                self.flush();
            }
            Role::Row => self.end_row(),
            Role::Cell => {
                self.end_cell();
                if self.table.rows.is_empty() {
                    self.flush();
                    self.table.rows.push(Vec::new());
                }
                self.table.in_cell = true;
            }
            Role::Inline | Role::Title => {}
            _ => self.break_block(),
        }
    }

    /// An element ends that readers see.
    fn end(&mut self, role: Role, main: bool) {
        match role {
            Role::Heading(level) => self.flush_heading(level),
            Role::Preformatted => self.flush_as(BlockKind::Code),
            Role::Bullets | Role::Numbers => {
                self.break_block();
                self.lists.pop();
                self.marker = None;
            }
            Role::Table => self.end_table(),
            Role::Row => self.end_row(),
            Role::Cell => self.end_cell(),
            Role::Inline | Role::Title => {}
            _ => self.break_block(),
        }
        // Counted while it is open.
        if main || role == Role::Article {
            self.end_table();
            self.flush();
        }
    }

    fn start_item(&mut self) {
        self.break_block();
        let level = self.lists.len().saturating_sub(1);
        let marker = match self.lists.last_mut() {
            Some(list) => {
                list.items += 1;
                if list.numbered { format!("{}. ", list.items) } else { "- ".to_owned() }
            }
            None => "- ".to_owned(),
        };
        if self.table.in_cell {
            append(&mut self.inline, &marker, false);
        } else if self.in_scope() {
            self.marker = Some((marker, level));
        }
    }

    /// An item ends where the next one of its list begins, closed or not.
    fn close_open_item(&mut self) {
        let roles = [Role::Item, Role::Bullets, Role::Numbers];
        if let Some(element) = self.open.nearest(roles).filter(|element| element.role() == Role::Item) {
            while let Some(top) = self.open.top_above(element) {
                self.open.pop();
                if top.element == element {
                    break;
                }
            }
        }
    }

    /// The text so far ends; inside a cell, a heading or code, only its line.
    fn break_block(&mut self) {
        if self.table.in_cell || self.open.heading.is_some() || self.open.preformatted > 0 {
            self.line_break();
        } else {
            self.flush();
        }
    }

    fn flush(&mut self) {
        match self.open.heading.map(Element::role) {
            Some(Role::Heading(level)) => self.flush_heading(level),
            _ if self.open.preformatted > 0 => self.flush_as(BlockKind::Code),
            _ => self.flush_as(BlockKind::Paragraph),
        }
    }

    fn flush_heading(&mut self, level: u8) {
        let text = std::mem::take(&mut self.inline);
        // Links to the heading itself.
        let text = text.trim_end_matches(['¶', '#', '§', '🔗', ' ', '\n']).replace('\n', " ");
        self.marker = None;
        self.push(BlockKind::Heading(level), &text);
    }

    fn flush_as(&mut self, kind: BlockKind) {
        let text = std::mem::take(&mut self.inline);
        if text.trim().is_empty() {
            return;
        }
        match self.marker.take() {
            Some((marker, level)) if kind == BlockKind::Paragraph => {
                let before = self.flow.len();
                self.flow.push_item(level, &(marker + text.trim()));
                self.count(before);
            }
            _ => self.push(kind, &text),
        }
    }

    fn push(&mut self, kind: BlockKind, text: &str) {
        let before = self.flow.len();
        self.flow.push(kind, text);
        self.count(before);
    }

    /// Counts the text since `before` for the part of the page that it stands in.
    fn count(&mut self, before: usize) {
        let bytes = self.flow.len() - before;
        if self.open.main > 0 {
            self.main_bytes += bytes;
        }
        if self.open.articles > 0 {
            self.article_bytes += bytes;
        }
    }

    fn end_cell(&mut self) {
        if !self.table.in_cell {
            return;
        }
        self.table.in_cell = false;
        let cell = std::mem::take(&mut self.inline).trim().to_owned();
        self.table.bytes += cell.len();
        if let Some(row) = self.table.rows.last_mut() {
            row.push(cell);
        }
    }

    fn end_row(&mut self) {
        self.end_cell();
        self.flush();
        self.table.rows.push(Vec::new());
    }

    /// Writes the table that is open, if any: as one block of a line per row, or, where it only lays out the page, as
    /// paragraphs.
    fn end_table(&mut self) {
        self.end_cell();
        let Table { rows, .. } = std::mem::take(&mut self.table);
        let is_data = rows.iter().any(|row| row.len() > 1)
            && rows.iter().flatten().all(|cell| cell.len() <= MAX_CELL_BYTES);
        if is_data {
            let lines: Vec<_> = rows.iter().map(|row| line(row)).filter(|line| !line.is_empty()).collect();
            self.push(BlockKind::Table, &lines.join("\n"));
        } else {
            for cell in rows.iter().flatten() {
                self.push(BlockKind::Paragraph, cell);
            }
        }
    }
}

/// The cells of a row on one line; empty where all of them are.
fn line(row: &[String]) -> String {
    if row.iter().all(String::is_empty) {
        return String::new();
    }
    let cells: Vec<_> =
        row.iter().map(|cell| cell.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    cells.join(" | ")
}

/// Appends text as a browser shows it: runs of whitespace as one space, unless it is preformatted. Soft hyphens and
/// zero-width spaces, which split words, are left out; no-break spaces become spaces.
fn append(inline: &mut String, text: &str, preformatted: bool) {
    inline.reserve(text.len());
    for character in text.chars() {
        match character {
            '\u{ad}' | '\u{200b}' | '\u{feff}' | '\r' => {}
            '\u{a0}' if preformatted => inline.push(' '),
            _ if preformatted => inline.push(character),
            ' ' | '\t' | '\n' | '\x0c' | '\u{a0}' => {
                if !inline.is_empty() && !inline.ends_with([' ', '\n']) {
                    inline.push(' ');
                }
            }
            _ => inline.push(character),
        }
    }
}

/// Roles of parts that are about the page and not its subject.
fn is_furniture_role(role: &[u8]) -> bool {
    const ROLES: [&[u8]; 8] = [
        b"navigation",
        b"search",
        b"menu",
        b"menubar",
        b"toolbar",
        b"dialog",
        b"alertdialog",
        b"contentinfo",
    ];
    ROLES.contains(&role)
}

/// Classes that documentation generators give to links to a heading itself and to line numbers, and frameworks to text
/// that is not shown.
fn is_furniture_class(class: &[u8]) -> bool {
    const CLASSES: [&[u8]; 7] = [
        b"headerlink",
        b"header-anchor",
        b"anchor-link",
        b"hash-link",
        b"linenos",
        b"sr-only",
        b"visually-hidden",
    ];
    CLASSES.contains(&class)
}

fn hides(style: &[u8]) -> bool {
    let style: Vec<u8> =
        style.iter().filter(|byte| !byte.is_ascii_whitespace()).map(u8::to_ascii_lowercase).collect();
    let declares = |declaration: &[u8]| style.windows(declaration.len()).any(|window| window == declaration);
    declares(b"display:none") || declares(b"visibility:hidden")
}

/// The elements that are open, with a count of each, so that an end tag without a start costs nothing.
#[derive(Debug)]
struct OpenElements {
    stack: Vec<Open>,
    counts: [u32; Element::COUNT],
    /// How many of those that are open hide their text, are the main part, and so on.
    hidden: usize,
    main: usize,
    articles: usize,
    preformatted: usize,
    titles: usize,
    /// The heading that is open.
    heading: Option<Element>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    element: Element,
    hidden: bool,
    main: bool,
}

impl OpenElements {
    fn new() -> Self {
        Self {
            stack: Vec::new(),
            counts: [0; Element::COUNT],
            hidden: 0,
            main: 0,
            articles: 0,
            preformatted: 0,
            titles: 0,
            heading: None,
        }
    }

    fn push(&mut self, element: Element, hidden: bool, main: bool) {
        self.stack.push(Open { element, hidden, main });
        self.counts[element.index()] += 1;
        self.hidden += usize::from(hidden);
        self.main += usize::from(main);
        match element.role() {
            Role::Article => self.articles += 1,
            Role::Preformatted => self.preformatted += 1,
            Role::Title => self.titles += 1,
            Role::Heading(_) => self.heading = Some(element),
            _ => {}
        }
    }

    fn pop(&mut self) {
        let Some(Open { element, hidden, main }) = self.stack.pop() else { return };
        self.counts[element.index()] -= 1;
        self.hidden -= usize::from(hidden);
        self.main -= usize::from(main);
        match element.role() {
            Role::Article => self.articles -= 1,
            Role::Preformatted => self.preformatted -= 1,
            Role::Title => self.titles -= 1,
            Role::Heading(_) => self.heading = None,
            _ => {}
        }
    }

    fn has(&self, element: Element) -> bool {
        self.counts[element.index()] > 0
    }

    /// The innermost element that is open, if `element` is open at all.
    fn top_above(&self, element: Element) -> Option<Open> {
        if self.has(element) { self.stack.last().copied() } else { None }
    }

    /// The innermost open element of one of `roles`, among those near the top.
    fn nearest(&self, roles: [Role; 3]) -> Option<Element> {
        const NEAR: usize = 64;
        let mut near = self.stack.iter().rev().take(NEAR).map(|open| open.element);
        near.find(|element| roles.contains(&element.role()))
    }
}
