//! One input as several: targets that need a choice beside the bytes take it from their beginning.

/// The first byte as a choice, and the rest; zero where there is none.
pub(crate) fn choice(data: &[u8]) -> (u8, &[u8]) {
    data.split_first().map_or((0, data), |(first, rest)| (*first, rest))
}

/// The two halves on both sides of the first `0xff`, a byte that no UTF-8 has.
pub(crate) fn two(data: &[u8]) -> (&[u8], &[u8]) {
    let at = data.iter().position(|byte| *byte == 0xff).unwrap_or(data.len());
    (&data[..at], data.get(at + 1..).unwrap_or_default())
}
