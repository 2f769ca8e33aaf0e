//! The hot path: one small chunk of a provider's stream, decoded and written again for a caller.
//!
//! `cargo bench -p mainstay-wire`

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mainstay_wire::openai::chat::{ChunkDecoder, ChunkEncoder, ChunkOptions};
use mainstay_wire::{StreamDecoder, StreamEncoder, sse};

/// Chunks of the benchmark's stream.
const TOKENS: usize = 32;

/// A stream as OpenAI sends it, `TOKENS` chunks of text.
fn openai_stream() -> Vec<u8> {
    let chunk = |delta: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG\",\"object\":\"chat.completion.chunk\",\
             \"created\":1741570283,\"model\":\"gpt-4o-2024-08-06\",\"service_tier\":\"default\",\
             \"system_fingerprint\":\"fp_fc9f1d7035\",\"choices\":[{{\"index\":0,\"delta\":{delta},\
             \"logprobs\":null,\"finish_reason\":{finish}}}],\"usage\":null}}\n\n"
        )
    };
    let mut stream = chunk(r#"{"role":"assistant","content":"","refusal":null}"#, "null");
    for _ in 0..TOKENS {
        stream += &chunk(r#"{"content":" token"}"#, "null");
    }
    stream += &chunk("{}", "\"stop\"");
    stream += "data: [DONE]\n\n";
    stream.into_bytes()
}

/// Decodes and encodes a whole stream, which arrives in pieces of `piece` bytes.
fn relay(stream: &[u8], piece: usize, events: &mut Vec<mainstay_domain::ChatEvent>, out: &mut BytesMut) {
    let mut frames = sse::Decoder::default();
    let mut decoder = ChunkDecoder::new();
    let mut encoder = ChunkEncoder::new(ChunkOptions {
        id: "chatcmpl-0199c1d2".to_owned(),
        created: 1_741_570_283,
        model: Some("openai/gpt-4o".to_owned()),
        include_usage: false,
    });
    for bytes in stream.chunks(piece) {
        frames.push(bytes);
        while let Some(event) = frames.next_event().expect("the stream is well-formed") {
            decoder.decode(event, events).expect("the chunks are well-formed");
            for event in events.drain(..) {
                encoder.encode(&event, out);
            }
        }
    }
    decoder.finish(events).expect("the stream is complete");
    encoder.finish(out);
}

fn bench(criterion: &mut Criterion) {
    let stream = openai_stream();
    let mut group = criterion.benchmark_group("openai_stream_of_32_tokens");
    group.throughput(Throughput::Elements(TOKENS as u64));
    for (name, piece) in [("one_read_per_chunk", stream.len() / (TOKENS + 2)), ("one_read", stream.len())] {
        let mut events = Vec::new();
        let mut out = BytesMut::new();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                relay(black_box(&stream), piece, &mut events, &mut out);
                black_box(out.len())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
