//! Server-sent events.

use bytes::BytesMut;
use mainstay_wire::sse::{Decoder, SseError, write_event};

use crate::parts::choice;

/// Small, so that the limit is met.
const MAX_EVENT_BYTES: usize = 256;

type Events = (Vec<(String, String)>, Option<SseError>);

/// The events do not depend on where the stream is cut, and one that is written reads back as it was.
pub(crate) fn decode(data: &[u8]) {
    let (seed, data) = choice(data);
    let whole = events(std::iter::once(data));
    assert_eq!(events(data.chunks(1)), whole, "byte by byte");
    assert_eq!(events(data.chunks(2 + usize::from(seed) % 61)), whole, "in pieces of equal length");
    assert_eq!(events(irregular(data, seed)), whole, "in pieces of any length");
    for (name, data) in &whole.0 {
        assert!(data.len() + name.len() <= MAX_EVENT_BYTES, "an event is larger than the limit");
        assert!(!name.contains(['\r', '\n']) && !data.contains('\r'), "a line end is no part of a field");
        if !data.contains('\n') {
            let mut out = BytesMut::new();
            write_event(&mut out, name, data);
            let mut decoder = Decoder::default();
            decoder.push(&out);
            let event = decoder.next_event().expect("what we write is well-formed").expect("it is whole");
            assert_eq!((event.name, event.data), (name.as_str(), data.as_str()));
        }
    }
}

fn events<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Events {
    let mut decoder = Decoder::new(MAX_EVENT_BYTES);
    let mut events = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.next_event() {
                Ok(Some(event)) => events.push((event.name.to_owned(), event.data.to_owned())),
                Ok(None) => break,
                Err(error) => return (events, Some(error)),
            }
        }
    }
    match decoder.finish() {
        Ok(event) => {
            events.extend(event.map(|event| (event.name.to_owned(), event.data.to_owned())));
            (events, None)
        }
        Err(error) => (events, Some(error)),
    }
}

/// Pieces of 1 to 8 bytes, another sequence for each seed.
fn irregular(mut data: &[u8], seed: u8) -> impl Iterator<Item = &[u8]> {
    let mut state = u32::from(seed) + 1;
    std::iter::from_fn(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let length = (1 + (state >> 24) as usize % 8).min(data.len());
        let (piece, rest) = data.split_at(length);
        data = rest;
        (!piece.is_empty()).then_some(piece)
    })
}
