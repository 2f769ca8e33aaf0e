//! Documents to measure with: made-up English whose words are as unevenly frequent as real ones.

use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use fastrand::Rng;
use serde_json::json;

/// Words that make up half of any English text, the commonest first.
const COMMON: &str = "the of and to a in is that for it as was with be by on not he this are or his from at which but have \
    an had they you were their one all we can her has there been if more when will would who so no said what up its about \
    into than them time only some could new other these two may then do first any my now such like our over man me even most \
    made after also did many off before must well back through years where much your way down should because long each just \
    state those people too how little good world very year still see work men day get here old both between life being under \
    three never know same last another while us might great go come since against right came take used use states himself few \
    house American place during without again home around small however found thought went part number water point give \
    system order set group early area though form local public second power light means interest small later value";

const BEGINNINGS: &[&str] = &[
    "", "re", "un", "pre", "sub", "inter", "over", "counter", "micro", "trans", "super", "anti", "semi",
    "hydro", "electro", "thermo", "bio", "geo", "auto", "multi",
];
const ROOTS: &[&str] = &[
    "form",
    "struct",
    "port",
    "graph",
    "meter",
    "press",
    "tract",
    "duct",
    "scope",
    "vert",
    "mit",
    "pend",
    "fract",
    "cycl",
    "therm",
    "spher",
    "crystal",
    "magnet",
    "stabil",
    "oscill",
    "turbin",
    "valv",
    "filtr",
    "harvest",
    "ferment",
    "navig",
    "calibr",
    "segment",
    "modul",
    "reson",
    "circul",
    "lumin",
    "sediment",
    "pigment",
    "contract",
    "insur",
    "warrant",
    "invoic",
    "deliver",
    "regist",
    "archiv",
    "catalog",
    "translat",
    "compil",
    "index",
    "parallel",
    "distribut",
    "synchron",
    "encrypt",
    "audit",
    "forecast",
    "bridg",
    "harbour",
    "orchard",
    "quarry",
    "glaci",
    "volcan",
    "plankton",
    "migrat",
    "pollin",
];
const ENDINGS: &[&str] = &[
    "", "s", "ed", "ing", "er", "ers", "ation", "ations", "able", "ment", "ments", "al", "ally", "ive",
    "ity", "or", "ic", "ism", "ist", "ance",
];

/// A writer of made-up documents; the same seed writes the same documents.
pub(crate) struct Author {
    words: Vec<String>,
    random: Rng,
}

/// What was written.
pub(crate) struct Written {
    pub(crate) documents: usize,
    /// Bytes of text, without the JSON around it.
    pub(crate) text_bytes: u64,
    /// Stretches of the documents, to search for.
    pub(crate) queries: Vec<String>,
}

/// Words of a chunk as the product cuts it by default; only the number of documents is chosen by it.
const WORDS_PER_CHUNK: usize = 90;

impl Author {
    /// An author with this seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let mut rare: Vec<String> = Vec::with_capacity(BEGINNINGS.len() * ROOTS.len() * ENDINGS.len());
        for beginning in BEGINNINGS {
            for root in ROOTS {
                rare.extend(ENDINGS.iter().map(|ending| format!("{beginning}{root}{ending}")));
            }
        }
        random.shuffle(&mut rare);
        let words = COMMON.split_whitespace().map(str::to_owned).chain(rare).collect();
        Self { words, random }
    }

    /// Writes JSON Lines that the product cuts into about this many chunks.
    pub(crate) fn write_corpus(
        &mut self,
        path: &Path,
        chunks: usize,
        queries: usize,
    ) -> anyhow::Result<Written> {
        let file = std::fs::File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        let mut file = BufWriter::new(file);
        let mut written = Written { documents: 0, text_bytes: 0, queries: Vec::new() };
        let words_wanted = chunks * WORDS_PER_CHUNK;
        let mut words_left = words_wanted;
        while words_left > 0 {
            let text = self.document(words_left.min(1_200));
            let words: Vec<&str> = text.split_whitespace().collect();
            words_left = words_left.saturating_sub(words.len());
            let wanted = queries * (words_wanted - words_left) / words_wanted;
            while written.queries.len() < wanted {
                let start = self.random.usize(..words.len() - 10);
                written.queries.push(words[start..start + self.random.usize(3..9)].join(" "));
            }
            let number = written.documents;
            let line = json!({ "doc_id": format!("doc-{number}"), "title": self.title(), "text": text, "language": "en" });
            writeln!(file, "{line}")?;
            written.documents += 1;
            written.text_bytes += text.len() as u64;
        }
        file.flush()?;
        Ok(written)
    }

    /// Paragraphs of about so many words.
    fn document(&mut self, words: usize) -> String {
        let mut text = String::with_capacity(words * 7);
        let mut count = 0;
        while count < words {
            for _ in 0..self.random.usize(3..7) {
                let length = self.random.usize(8..25);
                count += length;
                self.sentence(length, &mut text);
            }
            text.truncate(text.trim_end().len());
            text.push_str("\n\n");
        }
        text
    }

    fn sentence(&mut self, words: usize, text: &mut String) {
        let start = text.len();
        for index in 0..words {
            let word = self.word();
            text.push_str(&self.words[word]);
            text.push_str(if index + 1 < words { " " } else { ". " });
        }
        if let Some(first) = text[start..].chars().next() {
            let capital = first.to_ascii_uppercase().to_string();
            text.replace_range(start..start + first.len_utf8(), &capital);
        }
    }

    fn title(&mut self) -> String {
        let numbers = [(); 4].map(|()| self.word());
        numbers.map(|number| self.words[number].as_str()).join(" ")
    }

    /// The number of a word. The n-th word comes about 1/n as often as the first, as in real text (Zipf's law): its rank
    /// is e to the power of something evenly spread.
    fn word(&mut self) -> usize {
        let rank = (self.random.f64() * (self.words.len() as f64).ln()).exp();
        (rank as usize).saturating_sub(1).min(self.words.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_words_are_common_and_rare_ones_occur() {
        let mut author = Author::new(7);
        let text = author.document(20_000).to_lowercase();
        let words: Vec<&str> =
            text.split(|letter: char| !letter.is_alphabetic()).filter(|word| !word.is_empty()).collect();
        let count = |wanted: &str| words.iter().filter(|word| **word == wanted).count();
        assert!(count("the") > 5 * count("could"), "{} and {}", count("the"), count("could"));
        let distinct: std::collections::HashSet<_> = words.iter().collect();
        assert!(distinct.len() > 3_000, "{}", distinct.len());
    }

    #[test]
    fn a_corpus_has_the_wanted_size_and_is_the_same_every_time() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let path = folder.path().join(name);
            let written = Author::new(1).write_corpus(&path, 100, 20).unwrap();
            (written, std::fs::read_to_string(path).unwrap())
        };
        let (written, lines) = write("a.jsonl");
        assert_eq!(written.queries.len(), 20);
        assert_eq!(written.documents, lines.lines().count());
        let words = lines.split_whitespace().count();
        assert!((8_500..11_000).contains(&words), "{words}");
        assert_eq!(lines, write("b.jsonl").1);
    }
}
