//! What the pages of a PDF draw, as characters with places.

use std::any::Any;
use std::panic::resume_unwind;

use hayro_interpret::font::{Glyph, GlyphRun, PositionedGlyph};
use hayro_interpret::hayro_cmap::{BfString, WritingMode};
use hayro_interpret::kurbo::{Affine, BezPath, Point, Rect, Vec2};
use hayro_interpret::{BlendMode, ClipPath, Device, DrawMode, DrawProps, Image, ImageDrawProps, SoftMask};

use super::lines::{Character, Line, LineReader};
use crate::document::MediaType;
use crate::error::ParseError;
use crate::parse::Limits;

/// How much a whole document may still draw. What it may not ends the drawing by an unwinding that [`stopped`] explains:
/// the interpreter offers no other way out.
#[derive(Debug)]
pub(super) struct Allowance {
    operations: usize,
    forms: usize,
    text_bytes: usize,
    text_limit: usize,
    glyphs: usize,
    unreadable: usize,
}

/// Lines, clips and images that a document may draw: an atlas has some millions.
const MAX_OPERATIONS: usize = 10_000_000;

/// Bytes that may be unpacked for forms, which are unpacked again at every use.
const MAX_FORM_BYTES: usize = 64 << 30;

/// Thrown to end the drawing.
struct Stop(ParseError);

impl Allowance {
    /// What a document may draw whose largest stream has `largest_stream` bytes.
    pub(super) fn new(limits: &Limits, largest_stream: usize) -> Self {
        Self {
            operations: MAX_OPERATIONS,
            forms: (MAX_FORM_BYTES / largest_stream.max(1)).clamp(1000, MAX_OPERATIONS),
            text_bytes: limits.max_text_bytes,
            text_limit: limits.max_text_bytes,
            glyphs: 0,
            unreadable: 0,
        }
    }

    /// Whether there is text, but its fonts do not say what most of its characters are.
    pub(super) fn is_unreadable(&self) -> bool {
        self.unreadable * 2 > self.glyphs
    }

    fn draw(&mut self) {
        match self.operations.checked_sub(1) {
            Some(left) => self.operations = left,
            None => too_complex(format!("it draws more than {MAX_OPERATIONS} shapes")),
        }
    }

    fn draw_form(&mut self) {
        self.draw();
        match self.forms.checked_sub(1) {
            Some(left) => self.forms = left,
            None => too_complex("it draws the same parts again and again".to_owned()),
        }
    }

    fn take_text(&mut self, bytes: usize) {
        match self.text_bytes.checked_sub(bytes) {
            Some(left) => self.text_bytes = left,
            None => stop(ParseError::TooMuchText { limit: self.text_limit }),
        }
    }
}

fn too_complex(detail: String) {
    stop(ParseError::TooComplex { detail });
}

fn stop(error: ParseError) {
    resume_unwind(Box::new(Stop(error)));
}

/// Why the reading ended before its end.
pub(super) fn stopped(panic: &(dyn Any + Send)) -> ParseError {
    match panic.downcast_ref::<Stop>() {
        Some(Stop(error)) => error.clone(),
        None => ParseError::corrupt(MediaType::Pdf, "the reader does not understand it"),
    }
}

/// Reads the characters of one page.
pub(super) struct GlyphReader<'b> {
    allowance: &'b mut Allowance,
    lines: LineReader,
}

impl<'b> GlyphReader<'b> {
    pub(super) fn new(allowance: &'b mut Allowance) -> Self {
        Self { allowance, lines: LineReader::new() }
    }

    /// The lines of the page, in the order in which they were drawn.
    pub(super) fn finish(self) -> Vec<Line> {
        self.lines.finish()
    }

    fn glyph(&mut self, glyph: &PositionedGlyph<'_>, transform: Affine, mode: WritingMode) {
        self.allowance.glyphs += 1;
        let mut text = String::new();
        match glyph.as_unicode() {
            Some(BfString::Char(character)) => append_readable(&mut text, character),
            Some(BfString::String(characters)) => {
                characters.chars().for_each(|character| append_readable(&mut text, character));
            }
            None => {
                self.allowance.unreadable += 1;
                return;
            }
        }
        self.allowance.take_text(text.len());
        let placed = transform * glyph.transform();
        let origin = placed * Point::ZERO;
        let along = linear(placed, Vec2::new(1000.0, 0.0));
        let up = linear(placed, Vec2::new(0.0, 1000.0));
        let advance = match &**glyph {
            Glyph::Outline(outline) => outline.advance_width(),
            Glyph::Type3(type3) => type3.advance_width(),
        };
        let advance = f64::from(advance.filter(|advance| advance.is_finite()).unwrap_or(500.0)) / 1000.0;
        let (direction, length) = match mode {
            WritingMode::Horizontal => (along, along.hypot() * advance),
            WritingMode::Vertical => (-up, up.hypot()),
        };
        self.lines.push(Character { text, origin, direction, length, size: up.hypot() });
    }
}

fn linear(transform: Affine, vector: Vec2) -> Vec2 {
    let [a, b, c, d, _, _] = transform.as_coeffs();
    Vec2::new(a * vector.x + c * vector.y, b * vector.x + d * vector.y)
}

/// Appends a character as it is searched for: ligatures as their letters, bullets of symbol fonts as bullets, and nothing
/// for controls, soft hyphens and characters that only a font knows.
fn append_readable(text: &mut String, character: char) {
    match character {
        '\u{fb00}' => text.push_str("ff"),
        '\u{fb01}' => text.push_str("fi"),
        '\u{fb02}' => text.push_str("fl"),
        '\u{fb03}' => text.push_str("ffi"),
        '\u{fb04}' => text.push_str("ffl"),
        '\u{fb05}' | '\u{fb06}' => text.push_str("st"),
        '\u{f0b7}' | '\u{f0a7}' | '\u{f0d8}' | '\u{f076}' => text.push('•'),
        '\t' | '\n' | '\r' | '\u{a0}' => text.push(' '),
        '\u{e000}'..='\u{f8ff}' | '\u{ad}' | '\u{200b}' | '\u{feff}' | '\u{fffd}' => {}
        _ if character.is_control() => {}
        _ => text.push(character),
    }
}

impl<'a> Device<'a> for GlyphReader<'_> {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, 'a>, props: DrawProps<'a>, mode: &DrawMode) {
        self.allowance.draw();
        // Filled and stroked text comes twice; the second time the lines drop it as drawn over itself.
        let _ = mode;
        for glyph in run.glyphs() {
            self.glyph(glyph, props.transform, run.writing_mode());
        }
    }

    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'a>, _: &DrawMode) {
        self.allowance.draw();
    }

    fn push_clip_path(&mut self, _: &ClipPath) {
        // Every form begins with one.
        self.allowance.draw_form();
    }

    fn push_clip_rect(&mut self, _: &Rect) {
        self.allowance.draw();
    }

    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'a>>, _: BlendMode) {
        self.allowance.draw();
    }

    fn draw_image(&mut self, _: Image<'a, '_>, _: ImageDrawProps<'a>) {
        self.allowance.draw();
    }

    fn pop_clip(&mut self) {}

    fn pop_transparency_group(&mut self) {}
}
