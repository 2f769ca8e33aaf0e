//! Bags of terms.

/// A term, by its hash.
///
/// The hash is FNV-1a (64 bits, offset basis 0xcbf29ce484222325, prime 0x100000001b3) over the UTF-8 bytes of the
/// normalised term, its bits then mixed by the finaliser of MurmurHash3 (`fmix64`), of which the upper 32 bits are kept.
/// It is part of the format of the index. Among a million different terms about 116 pairs share a hash: too few to
/// move a ranking.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TermId(pub u32);

impl TermId {
    /// The id of a term that is already normalised.
    pub fn of(term: &str) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in term.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        hash ^= hash >> 33;
        Self((hash >> 32) as u32)
    }
}

/// The terms of a text with the number of times that each occurs, and the length of the text.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Terms {
    /// Sorted by term, every term once.
    counts: Vec<(TermId, f32)>,
    length: f32,
}

impl Terms {
    /// Counts the occurrences. `length` is in words (in pairs of letters for scripts without spaces).
    pub(crate) fn from_occurrences(mut occurrences: Vec<(TermId, f32)>, length: f32) -> Self {
        occurrences.sort_unstable_by_key(|&(term, _)| term);
        occurrences.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        Self { counts: occurrences, length }
    }

    /// Every term once, in ascending order, with its number of occurrences (weighted, hence not always whole).
    pub fn counts(&self) -> &[(TermId, f32)] {
        &self.counts
    }

    /// The length of the text in words, or in pairs of letters where a script puts no spaces between words. Average
    /// this over a corpus for [`Bm25`](crate::Bm25).
    pub fn length(&self) -> f32 {
        self.length
    }

    /// No terms at all.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Adds what the same text has under other rules, each term `weight` times: a term that both have counts as often as
    /// the one that has it more often says.
    pub fn unite(&mut self, other: &Terms, weight: f32) {
        let mut counts = std::mem::take(&mut self.counts);
        counts.extend(other.counts.iter().map(|&(term, count)| (term, count * weight)));
        counts.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
        counts.dedup_by_key(|&mut (term, _)| term);
        *self = Self { counts, length: self.length.max(other.length * weight) };
    }

    /// Adds another field of the same passage, such as its title, as if it stood `weight` times in the text: its counts
    /// and its length both grow by `weight` times those of the field. This is BM25F with one saturation for all fields
    /// (Robertson, Zaragoza and Taylor, "Simple BM25 extension to multiple weighted fields", CIKM 2004).
    pub fn add_field(&mut self, field: &Terms, weight: f32) {
        let mut occurrences = std::mem::take(&mut self.counts);
        occurrences.extend(field.counts.iter().map(|&(term, count)| (term, count * weight)));
        *self = Self::from_occurrences(occurrences, self.length + field.length * weight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// These numbers are in every index on disk: a change of them needs a new [`crate::ANALYSIS_VERSION`].
    #[test]
    fn the_hash_of_a_term_never_changes() {
        for (term, id) in HASHES {
            assert_eq!(TermId::of(term), TermId(id), "{term}");
        }
    }

    const HASHES: [(&str, u32); 4] =
        [("", 0xefd01f60), ("rust", 0x48f4cd76), ("no-unused-vars", 0x28ee600b), ("日本", 0x1230c550)];

    #[test]
    fn a_field_counts_as_often_as_its_weight_says() {
        let term = TermId::of;
        let mut passage =
            Terms::from_occurrences(vec![(term("b"), 1.0), (term("a"), 1.0), (term("b"), 1.0)], 3.0);
        let title = Terms::from_occurrences(vec![(term("b"), 1.0), (term("c"), 1.0)], 2.0);
        passage.add_field(&title, 2.0);

        let mut expected = vec![(term("a"), 1.0), (term("b"), 4.0), (term("c"), 2.0)];
        expected.sort_unstable_by_key(|&(term, _)| term);
        assert_eq!(passage.counts(), expected);
        assert_eq!(passage.length(), 7.0);
    }
}
