//! Streams of providers, from their bytes to those that a caller gets.

use bytes::BytesMut;
use mainstay_domain::ChatEvent;
use mainstay_wire::{StreamDecoder, StreamEncoder, anthropic, gemini, openai, sse};

use crate::json::ours;

const MAX_EVENT_BYTES: usize = 1 << 16;

/// An OpenAI stream that is complete says the same after it was passed on, and whatever is written is well-formed.
pub(crate) fn openai(data: &[u8]) {
    pass_on(data, &mut openai::chat::ChunkDecoder::new());
}

/// The same for Anthropic's.
pub(crate) fn anthropic(data: &[u8]) {
    pass_on(data, &mut anthropic::messages::EventDecoder::new());
}

/// The same for Gemini's.
pub(crate) fn gemini(data: &[u8]) {
    pass_on(data, &mut gemini::ChunkDecoder::new(1));
}

fn pass_on(data: &[u8], decoder: &mut dyn StreamDecoder) {
    let (events, is_complete) = read(data, decoder);
    let mut openai = openai::chat::ChunkEncoder::new(openai::chat::ChunkOptions {
        id: "i".to_owned(),
        created: 0,
        model: None,
        include_usage: true,
    });
    let mut anthropic = anthropic::messages::EventEncoder::new(anthropic::messages::EventOptions {
        id: "i".to_owned(),
        model: None,
        input_tokens: 0,
    });
    let as_openai = write(&events, &mut openai);
    let as_anthropic = write(&events, &mut anthropic);
    // Other dialects have nothing but a first choice, or begin with it.
    if is_complete && choices(&events).contains(&0) {
        let (again, is_complete) = read(&as_openai, &mut openai::chat::ChunkDecoder::new());
        assert!(is_complete, "a complete stream stays one in OpenAI's shape");
        assert_eq!(text(&again), text(&events), "through OpenAI's shape");
        let (again, is_complete) = read(&as_anthropic, &mut anthropic::messages::EventDecoder::new());
        assert!(is_complete, "a complete stream stays one in Anthropic's shape");
        assert_eq!(text(&again), text(&events), "through Anthropic's shape");
    }
}

/// The events of a stream, and whether it was complete.
fn read(data: &[u8], decoder: &mut dyn StreamDecoder) -> (Vec<ChatEvent>, bool) {
    let mut frames = sse::Decoder::new(MAX_EVENT_BYTES);
    frames.push(data);
    let mut events = Vec::new();
    while !decoder.is_finished() {
        match frames.next_event() {
            Ok(None) => break,
            Ok(Some(event)) if decoder.decode(event, &mut events).is_ok() => {}
            _ => return (events, false),
        }
    }
    let is_complete = decoder.finish(&mut events).is_ok();
    (events, is_complete)
}

fn write(events: &[ChatEvent], encoder: &mut dyn StreamEncoder) -> BytesMut {
    let mut out = BytesMut::new();
    events.iter().for_each(|event| encoder.encode(event, &mut out));
    encoder.finish(&mut out);
    let mut frames = sse::Decoder::default();
    frames.push(&out);
    while let Some(event) = frames.next_event().expect("what we write is well-formed") {
        if event.data != "[DONE]" {
            ours(event.data.as_bytes());
        }
    }
    out
}

/// The choices that something was said of.
fn choices(events: &[ChatEvent]) -> Vec<u32> {
    let choices = events.iter().filter_map(|event| match event {
        ChatEvent::Delta(delta) => Some(delta.choice),
        _ => None,
    });
    choices.collect()
}

/// The text of the first choice: the only one that every dialect has.
fn text(events: &[ChatEvent]) -> String {
    let texts = events.iter().filter_map(|event| match event {
        ChatEvent::Delta(delta) if delta.choice == 0 => delta.text.as_deref(),
        _ => None,
    });
    texts.collect()
}
