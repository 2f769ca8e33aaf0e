//! Lists of names of people and places, kept as hashes: what is looked up is whether a word is one.

use std::sync::LazyLock;

/// Hashes of the names, list after list, each in ascending order: `xtask/models/names.py` makes it of the lists of Faker.
static LISTS: &[u8] = include_bytes!("../assets/names.bin");

/// What a word is a name of. A word may be several.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum List {
    /// A first name.
    First,
    /// A family name.
    Last,
    /// A town, region or country, of up to three words.
    Place,
    /// A word for a kind of street.
    Street,
}

impl List {
    pub(crate) const ALL: [Self; 4] = [Self::First, Self::Last, Self::Place, Self::Street];

    /// Whether it has a word, or some with a blank between them; in lower case.
    pub(crate) fn has(self, words: &str) -> bool {
        NAMES[self as usize].binary_search(&hash(words)).is_ok()
    }
}

static NAMES: LazyLock<[Vec<u32>; 4]> = LazyLock::new(|| {
    let (numbers, _) = LISTS.as_chunks::<4>();
    let mut numbers = numbers.iter().map(|bytes| u32::from_le_bytes(*bytes));
    List::ALL.map(|_| {
        let length = numbers.next().unwrap_or(0) as usize;
        numbers.by_ref().take(length).collect()
    })
});

/// FNV-1a of the bytes of UTF-8.
pub(crate) fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_many_languages_are_in_their_lists() {
        for (list, names) in [
            (List::First, ["olivia", "jürgen", "зоя"]),
            (List::Last, ["smith", "gautier", "nowak"]),
            (List::Place, ["france", "new zealand", "københavn"]),
            (List::Street, ["street", "rue", "road"]),
        ] {
            for name in names {
                assert!(list.has(name), "{name} in {list:?}");
            }
        }
        for word in ["keyboard", "invoice", ""] {
            assert!(!List::First.has(word) && !List::Last.has(word) && !List::Place.has(word), "{word}");
        }
    }
}
