//! What is found about a chunk under the settings of its corpus.

use mainstay_documents::words;
use mainstay_store::documents::{Finding, Fingerprint, IndexableDocument};

use super::middles::Middles;
use super::unreadable::unreadable;
use super::{Consequence, QualitySettings, Reason};
use crate::library::PreparedDocument;
use crate::prepare::Searchable;

/// Judges chunks, by the settings of a corpus and what is usual there.
#[derive(Clone, Debug)]
pub(crate) struct Judge {
    pub(crate) settings: QualitySettings,
    pub(crate) middles: Middles,
}

impl Judge {
    /// For a corpus of which nothing was measured.
    pub(crate) fn new(settings: QualitySettings) -> Self {
        Self { settings, middles: Middles::default() }
    }

    /// What is odd about a chunk of this text and language, where anybody wants to know.
    pub(crate) fn reason(&self, text: &str, language: Option<&str>) -> Option<Reason> {
        self.reason_where(text, language, |consequence| consequence != Consequence::Off)
    }

    /// Why no search is to find a chunk of this text and language, if so.
    pub(crate) fn obstacle(&self, text: &str, language: Option<&str>) -> Option<Reason> {
        self.reason_where(text, language, |consequence| consequence == Consequence::Quarantine)
    }

    fn reason_where(
        &self,
        text: &str,
        language: Option<&str>,
        counts: impl Fn(Consequence) -> bool,
    ) -> Option<Reason> {
        let QualitySettings { least_words, most_words, farthest, .. } = self.settings;
        if let Some(reason) = unreadable(text).filter(|_| counts(self.settings.unreadable)) {
            return Some(reason);
        }
        if !counts(self.settings.outliers) {
            return None;
        }
        match words(text) {
            few if few < least_words => Some(Reason::TooShort),
            many if many > most_words => Some(Reason::TooLong),
            _ => {
                let excess = self.middles.excess(language, text)?;
                (excess > farthest).then_some(Reason::Far)
            }
        }
    }

    /// Whether how far chunks are from the others decides about any.
    pub(crate) fn needs_middles(&self) -> bool {
        self.settings.outliers == Consequence::Quarantine
    }

    /// Puts findings to the chunks of a document that was just prepared.
    pub(crate) fn judge_prepared(&self, document: &mut PreparedDocument) {
        let content = &mut document.content;
        let language = content.language.map(|language| language.to_string());
        for one in &mut content.chunks {
            let reason = self.obstacle(one.searchable.text(), language.as_deref());
            let range = one.chunk.range;
            one.finding = reason.map(|reason| finding(reason, &content.text[range.start..range.end]));
        }
    }

    /// What is found about each chunk of a document that was read back.
    pub(crate) fn judge_stored(
        &self,
        document: &IndexableDocument,
        searchables: &[Searchable],
    ) -> Vec<Option<Finding>> {
        let chunks = document.chunks.iter().zip(searchables);
        chunks
            .map(|(chunk, searchable)| {
                let reason = self.obstacle(searchable.text(), document.language.as_deref());
                reason.map(|reason| finding(reason, document.text_of(chunk)))
            })
            .collect()
    }
}

/// The finding about a chunk of this text.
fn finding(reason: Reason, text: &str) -> Finding {
    Finding { reason: reason.as_str().to_owned(), content: content_of(text) }
}

/// By what the content of a chunk is recognised.
pub(crate) fn content_of(text: &str) -> Fingerprint {
    Fingerprint::of([text.as_bytes()])
}

#[cfg(test)]
mod tests {
    use mainstay_documents::{ChunkOptions, Limits};
    use proptest::prelude::*;

    use super::*;
    use crate::prepare::{Upload, prepare};

    fn judge(unreadable: Consequence, outliers: Consequence) -> Judge {
        Judge::new(QualitySettings { unreadable, outliers, ..QualitySettings::default() })
    }

    #[test]
    fn what_counts_is_what_the_settings_say() {
        let (off, report, quarantine) = (Consequence::Off, Consequence::Report, Consequence::Quarantine);
        for (unreadable, outliers, text, reason, obstacle) in [
            (quarantine, report, "---", Some(Reason::NoWords), Some(Reason::NoWords)),
            (report, report, "---", Some(Reason::NoWords), None),
            (off, report, "---", Some(Reason::TooShort), None),
            (off, off, "---", None, None),
            (quarantine, report, "Ja.", Some(Reason::TooShort), None),
            (quarantine, quarantine, "Ja.", Some(Reason::TooShort), Some(Reason::TooShort)),
            (off, quarantine, "The ferry leaves at nine.", None, None),
        ] {
            let judge = judge(unreadable, outliers);
            assert_eq!(judge.reason(text, None), reason, "{unreadable:?} {outliers:?} {text}");
            assert_eq!(judge.obstacle(text, None), obstacle, "{unreadable:?} {outliers:?} {text}");
        }
        let long = "word ".repeat(500);
        assert_eq!(judge(off, report).reason(&long, None), Some(Reason::TooLong));
    }

    /// Paragraphs of a document: sentences, and what nobody reads.
    fn paragraphs() -> impl Strategy<Value = Vec<String>> {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let data = |(seed, length)| {
            let mut random = fastrand::Rng::with_seed(seed);
            (0..length).map(|_| char::from(LETTERS[random.usize(..64)])).collect()
        };
        let sentence = (1..9_u32).prop_map(|hour| format!("The gates are opened at {hour} by the keeper. "));
        let paragraph = prop_oneof![
            (sentence, 1..12_usize).prop_map(|(sentence, times)| sentence.repeat(times)),
            (any::<u64>(), 1..6_000_usize).prop_map(data),
            "[-=*|]{1,300}",
            "x{500,3000}",
            Just("# Gates".to_owned()),
        ];
        proptest::collection::vec(paragraph, 1..12)
    }

    proptest! {
        /// Whatever stands beside it, a sentence is found; and with what is kept from searches, nothing of the text is lost.
        #[test]
        fn no_sentence_is_kept_from_searches_and_chunks_rejoin_to_the_text(paragraphs in paragraphs()) {
            let upload = Upload {
                author: None,
                doc_id: None,
                title: None,
                language: None,
                file_name: Some("gates.md".to_owned()),
                media_type: None,
                metadata: serde_json::Map::new(),
                bytes: paragraphs.join("\n\n").into(),
            };
            let prepared = prepare(&upload, &Limits::default(), &ChunkOptions::default()).unwrap();
            let judge = Judge::new(QualitySettings::default());
            let mut end = 0;
            for one in &prepared.chunks {
                let range = one.chunk.range;
                prop_assert_eq!(prepared.text[end..range.start].trim(), "");
                end = range.end;
                if judge.obstacle(one.searchable.text(), None).is_some() {
                    prop_assert!(!prepared.text[range.start..range.end].contains("keeper"));
                }
            }
            prop_assert_eq!(prepared.text[end..].trim(), "");
        }

        /// However many short words of letters a text has, and in whichever script: by default it is found.
        #[test]
        fn words_are_never_kept_from_searches(words in proptest::collection::vec("\\p{L}{1,24}", 1..200)) {
            let judge = Judge::new(QualitySettings::default());
            prop_assert_eq!(judge.obstacle(&words.join(" "), None), None);
        }
    }
}
