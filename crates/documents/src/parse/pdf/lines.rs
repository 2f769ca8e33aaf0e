//! Characters with places to lines of text.

use hayro_interpret::kurbo::{Point, Vec2};

/// A character that a page draws, in a coordinate system whose y goes down.
#[derive(Clone, Debug)]
pub(super) struct Character {
    /// What it reads as; empty for marks without meaning.
    pub(super) text: String,
    /// Where it begins, on its base line.
    pub(super) origin: Point,
    /// Where the text goes on; of any length.
    pub(super) direction: Vec2,
    /// How far it reaches in that direction, in points.
    pub(super) length: f64,
    /// Height of its font, in points.
    pub(super) size: f64,
}

/// A line of text.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Line {
    /// What it reads as.
    pub(super) text: String,
    /// Where it begins and ends in its own direction, in points.
    pub(super) start: f64,
    /// See `start`.
    pub(super) end: f64,
    /// Where its base line is, across its direction: the next line has a larger one.
    pub(super) across: f64,
    /// The direction, as a unit vector.
    pub(super) direction: Vec2,
    /// The height of its characters, in points, on average.
    pub(super) size: f64,
    /// Whether it has gaps as between the columns of a table.
    pub(super) has_columns: bool,
}

/// Puts lines together, in the order in which the characters come.
#[derive(Debug)]
pub(super) struct LineReader {
    lines: Vec<Line>,
    open: Option<OpenLine>,
}

#[derive(Debug)]
struct OpenLine {
    pieces: Vec<Piece>,
    direction: Vec2,
    across: f64,
    sizes: f64,
    /// The last character, for one that is drawn over it.
    last: Piece,
}

/// A character, or a run of spaces, in a line.
#[derive(Clone, Debug)]
struct Piece {
    text: String,
    start: f64,
    end: f64,
    size: f64,
}

/// Gap that is a space between words, in heights of the font.
const WORD_GAP: f64 = 0.2;

/// The same between characters of scripts without spaces, which are set wider to fill a line.
const UNSPACED_WORD_GAP: f64 = 0.8;

/// Gap that parts the columns of a table.
const COLUMN_GAP: f64 = 1.5;

/// Step back that begins a new line.
const STEP_BACK: f64 = 0.7;

/// Step across that stays on the line, for raised and lowered characters.
const STEP_ACROSS: f64 = 0.5;

impl LineReader {
    pub(super) fn new() -> Self {
        Self { lines: Vec::new(), open: None }
    }

    /// The next character.
    pub(super) fn push(&mut self, character: Character) {
        let length = character.direction.hypot();
        let measures = [character.origin.x, character.origin.y, character.length, character.size, length];
        if character.text.is_empty() || !measures.iter().all(|measure| measure.is_finite()) || length <= 0.0 {
            return;
        }
        let direction = character.direction / length;
        let start = character.origin.x * direction.x + character.origin.y * direction.y;
        let across = character.origin.y * direction.x - character.origin.x * direction.y;
        let piece =
            Piece { text: character.text, start, end: start + character.length.abs(), size: character.size };
        match &mut self.open {
            Some(line) if line.takes(&piece, across, direction) => line.push(piece),
            _ => {
                self.close();
                self.open = Some(OpenLine::new(piece, across, direction));
            }
        }
    }

    /// The lines.
    pub(super) fn finish(mut self) -> Vec<Line> {
        self.close();
        self.lines
    }

    fn close(&mut self) {
        let Some(line) = self.open.take().and_then(OpenLine::finish) else { return };
        // Shadows and strokes draw the same line again.
        let repeated = self.lines.last().is_some_and(|last| {
            last.text == line.text
                && (last.across - line.across).abs() < 0.2 * line.size
                && (last.start - line.start).abs() < 0.2 * line.size
        });
        if !repeated {
            self.lines.push(line);
        }
    }
}

impl OpenLine {
    fn new(piece: Piece, across: f64, direction: Vec2) -> Self {
        Self { direction, across, sizes: piece.size, last: piece.clone(), pieces: vec![piece] }
    }

    /// Whether a piece goes on with this line.
    fn takes(&self, piece: &Piece, across: f64, direction: Vec2) -> bool {
        let size = self.last.size.max(piece.size);
        let turned = self.direction.dot(direction) < 0.9;
        let on_line = (across - self.across).abs() <= STEP_ACROSS * size;
        let step = if is_right_to_left(&piece.text) {
            // Each character stands left of the one before, or right of it in files that reverse them.
            (self.last.start - piece.end).abs().min((piece.start - self.last.end).abs())
        } else {
            piece.start - self.last.end
        };
        !turned && on_line && step > -STEP_BACK * size
    }

    fn push(&mut self, piece: Piece) {
        let over_last =
            (piece.start - self.last.start).abs() < 0.1 * piece.size && piece.text == self.last.text;
        if over_last {
            return;
        }
        let gap = if piece.start >= self.last.start {
            piece.start - self.last.end
        } else {
            self.last.start - piece.end
        };
        let size = piece.size.max(self.last.size);
        let unspaced = is_ideographic(&piece.text) && is_ideographic(&self.last.text);
        let word_gap = if unspaced { UNSPACED_WORD_GAP } else { WORD_GAP };
        let spaced = piece.text.starts_with(' ') || self.last.text.ends_with(' ');
        if gap > COLUMN_GAP * size {
            self.space("   ");
        } else if gap > word_gap * size && !spaced {
            self.space(" ");
        }
        self.sizes += piece.size;
        self.last = piece.clone();
        self.pieces.push(piece);
    }

    fn space(&mut self, text: &str) {
        let at = self.last.end;
        self.pieces.push(Piece { text: text.to_owned(), start: at, end: at, size: 0.0 });
    }

    fn finish(mut self) -> Option<Line> {
        self.order_right_to_left();
        let text: String = self.pieces.iter().map(|piece| piece.text.as_str()).collect();
        let has_columns = text.trim().contains("   ");
        let text = if has_columns { columns(&text) } else { words(&text) };
        let drawn = || self.pieces.iter().filter(|piece| piece.size > 0.0);
        let count = drawn().count().max(1);
        (!text.is_empty()).then(|| Line {
            text,
            start: drawn().map(|piece| piece.start).fold(f64::INFINITY, f64::min),
            end: drawn().map(|piece| piece.end).fold(f64::NEG_INFINITY, f64::max),
            across: self.across,
            direction: self.direction,
            size: self.sizes / count as f64,
            has_columns,
        })
    }

    /// Many files draw Arabic and Hebrew from left to right, in the reverse of their reading order. Turns the line
    /// around, and the numbers and foreign words in it back.
    fn order_right_to_left(&mut self) {
        let (mut forward, mut backward) = (0, 0);
        for pair in self.pieces.windows(2) {
            let [one, two] = pair else { continue };
            if is_right_to_left(&one.text) && is_right_to_left(&two.text) {
                if two.start > one.start { forward += 1 } else { backward += 1 }
            }
        }
        if forward <= backward {
            return;
        }
        self.pieces.reverse();
        let is_left_to_right = |piece: &Piece| {
            piece
                .text
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || ".,:%".contains(character))
        };
        for run in self.pieces.chunk_by_mut(|one, two| is_left_to_right(one) == is_left_to_right(two)) {
            if run.first().is_some_and(is_left_to_right) {
                run.reverse();
            }
        }
    }
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The cells of a line with gaps, parted by bars.
fn columns(text: &str) -> String {
    text.split("   ").map(words).filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join(" | ")
}

fn is_right_to_left(text: &str) -> bool {
    text.starts_with(|character| matches!(character, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}'))
}

fn is_ideographic(text: &str) -> bool {
    text.starts_with(|character| matches!(character, '\u{0e00}'..='\u{0eff}' | '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}' | '\u{20000}'..='\u{3ffff}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws `text` with characters of half the height 10 at `x`, `y`.
    fn draw(reader: &mut LineReader, text: &str, x: f64, y: f64) {
        for (index, character) in text.chars().enumerate() {
            reader.push(Character {
                text: character.to_string(),
                origin: Point::new(x + 5.0 * index as f64, y),
                direction: Vec2::new(1.0, 0.0),
                length: 5.0,
                size: 10.0,
            });
        }
    }

    fn lines(draw: impl Fn(&mut LineReader)) -> Vec<String> {
        let mut reader = LineReader::new();
        draw(&mut reader);
        reader.finish().into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn gaps_are_spaces_and_wide_gaps_part_columns() {
        let found = lines(|page| {
            draw(page, "Hello", 0.0, 0.0);
            draw(page, "wor", 28.0, 0.0);
            draw(page, "ld", 43.5, 1.0);
            draw(page, "42", 100.0, 0.0);
            draw(page, "next", 0.0, 12.0);
        });
        assert_eq!(found, ["Hello world | 42", "next"]);
    }

    #[test]
    fn a_step_back_or_a_turn_begins_a_line() {
        let found = lines(|page| {
            draw(page, "right", 100.0, 0.0);
            draw(page, "left", 0.0, 0.0);
            for (index, letter) in ["u", "p"].iter().enumerate() {
                page.push(Character {
                    text: (*letter).to_owned(),
                    origin: Point::new(21.0, -5.0 * index as f64),
                    direction: Vec2::new(0.0, -2.0),
                    length: 5.0,
                    size: 10.0,
                });
            }
        });
        assert_eq!(found, ["right", "left", "up"]);
    }

    #[test]
    fn text_drawn_over_itself_is_read_once() {
        let found = lines(|page| {
            draw(page, "bold", 0.0, 0.0);
            draw(page, "bold", 0.3, 0.3);
        });
        assert_eq!(found, ["bold"]);
    }

    #[test]
    fn hebrew_drawn_from_left_to_right_is_turned_around() {
        assert_eq!(lines(|page| draw(page, "42 םולש", 0.0, 0.0)), ["שלום 42"]);
        let logical = lines(|page| {
            for (index, character) in "שלום".chars().enumerate() {
                draw(page, &character.to_string(), 100.0 - 5.0 * index as f64, 0.0);
            }
        });
        assert_eq!(logical, ["שלום"]);
    }

    #[test]
    fn places_that_are_no_numbers_are_passed_over() {
        assert!(lines(|page| draw(page, "x", f64::NAN, 0.0)).is_empty());
        assert!(lines(|page| draw(page, "x", f64::INFINITY, 0.0)).is_empty());
    }
}
