//! The larger passage around each chunk.

use std::ops::Range;

use mainstay_domain::ByteRange;

use super::Chunk;

/// The chunks of one section.
pub(super) struct SectionChunks {
    /// Level of its heading; 0 for the text before the first.
    pub(super) level: u8,
    /// Indices of its chunks.
    pub(super) chunks: Range<usize>,
}

/// Sets the parent of every chunk.
///
/// A section of up to `limit` words is one parent, together with the sections that follow it as long as they fit: its
/// subsections, and its siblings while half the limit is not reached. A longer section is cut into runs of chunks of
/// about equal size.
pub(super) fn assign(chunks: &mut [Chunk], sections: &[SectionChunks], limit: u32) {
    let limit = u64::from(limit);
    let mut at = 0;
    while let Some(first) = sections.get(at) {
        at += 1;
        let mut words = total(&chunks[first.chunks.clone()]);
        if words > limit {
            cut(&mut chunks[first.chunks.clone()], words, limit);
            continue;
        }
        let mut end = first.chunks.end;
        while let Some(next) = sections.get(at) {
            let more = total(&chunks[next.chunks.clone()]);
            let joins = next.level > first.level || (next.level == first.level && words < limit / 2);
            if !joins || words + more > limit {
                break;
            }
            words += more;
            end = next.chunks.end;
            at += 1;
        }
        join(&mut chunks[first.chunks.start..end]);
    }
}

/// Sets the parent of every chunk to its section alone, or to a run of its chunks where the section has more than `limit`
/// words.
pub(super) fn assign_each(chunks: &mut [Chunk], sections: &[SectionChunks], limit: u32) {
    for section in sections {
        let chunks = &mut chunks[section.chunks.clone()];
        let words = total(chunks);
        if words > u64::from(limit) {
            cut(chunks, words, u64::from(limit));
        } else {
            join(chunks);
        }
    }
}

/// Sets the parent of every chunk to a run of chunks of up to `limit` words, whatever sections they are of.
pub(super) fn assign_over_all(chunks: &mut [Chunk], limit: u32) {
    let everything = SectionChunks { level: 0, chunks: 0..chunks.len() };
    assign_each(chunks, &[everything], limit);
}

/// Cuts the chunks of one section into the fewest parents of at most `limit` words, of about equal size.
fn cut(chunks: &mut [Chunk], words: u64, limit: u64) {
    let share = words.div_ceil(words.div_ceil(limit.max(1)));
    let mut start = 0;
    let mut gathered = 0;
    for index in 0..chunks.len() {
        let own = u64::from(chunks[index].words);
        // Half a chunk over its share is as near as half a chunk under it.
        if index > start && (gathered + own > limit || gathered + own / 2 > share) {
            join(&mut chunks[start..index]);
            start = index;
            gathered = 0;
        }
        gathered += own;
    }
    join(&mut chunks[start..]);
}

fn join(chunks: &mut [Chunk]) {
    let (Some(first), Some(last)) = (chunks.first(), chunks.last()) else { return };
    let parent = ByteRange { start: first.range.start, end: last.range.end };
    for chunk in chunks {
        chunk.parent_range = parent;
    }
}

fn total(chunks: &[Chunk]) -> u64 {
    chunks.iter().map(|chunk| u64::from(chunk.words)).sum()
}
