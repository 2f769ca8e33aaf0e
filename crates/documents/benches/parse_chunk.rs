//! How fast text becomes chunks: `cargo bench -p mainstay-documents`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mainstay_documents::{ChunkOptions, Limits, MediaType, chunk, parse_text, plain};

/// About a megabyte of prose with abbreviations, quotes and numbers, in paragraphs of different sizes.
fn prose() -> String {
    let sentences = [
        "The wing of the aircraft was tested by Dr. Smith at 3.5 times the speed of sound.",
        "“It held,” he said, “and nobody expected that.”",
        "Costs rose (see Fig. 3) by 12.4 percent in 2019, i.e. before the work had begun!",
        "Why?",
        "Because the parts, which came from two suppliers, e.g. Acme Inc. and its neighbour, had to be joined by hand.",
        "This is an ordinary sentence without anything in it that needs a second look.",
    ];
    let mut text = String::new();
    for number in 0.. {
        if text.len() > 1_000_000 {
            break;
        }
        text.push_str(sentences[number * 7 % sentences.len()]);
        text.push_str(if number % 5 == 4 { "\n\n" } else { " " });
    }
    text
}

/// The same as Markdown, with headings, lists, code and links.
fn markdown() -> String {
    let mut text = String::new();
    for (number, paragraph) in prose().split("\n\n").enumerate() {
        match number % 6 {
            0 => text.push_str(&format!("## Section {number}\n\n{paragraph}\n\n")),
            1 => text.push_str(&format!(
                "- **Item** {paragraph}\n- See [the link](https://example.com/{number}).\n\n"
            )),
            2 => text
                .push_str(&format!("```rust\nfn main() {{\n    run({number});\n}}\n```\n\n{paragraph}\n\n")),
            _ => text.push_str(&format!("{paragraph}\n\n")),
        }
    }
    text
}

/// The same as HTML.
fn html() -> String {
    let paragraphs =
        prose().split("\n\n").map(|text| format!("<p class=\"x\">{text}</p>\n")).collect::<String>();
    format!("<!DOCTYPE html><html><head><title>T</title></head><body><main>{paragraphs}</main></body></html>")
}

/// Chinese, which has neither spaces nor ASCII punctuation.
fn chinese() -> String {
    "人工智能正在改变我们的生活方式，它在很多领域都有应用。研究人员说：“这只是开始！”\n\n".repeat(8_000)
}

fn parse_chunk(criterion: &mut Criterion) {
    let inputs = [
        ("plain text", prose(), MediaType::PlainText),
        ("Chinese", chinese(), MediaType::PlainText),
        ("Markdown", markdown(), MediaType::Markdown),
        ("HTML", html(), MediaType::Html),
    ];
    let (limits, options) = (Limits::default(), ChunkOptions::default());
    let cut = |document: &_| chunk(document, &options, &|_| Vec::new());
    for (name, text, media_type) in inputs {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function("parse", |bencher| {
            bencher.iter(|| parse_text(black_box(text.clone()), media_type, &limits));
        });
        let document = parse_text(text.clone(), media_type, &limits).expect("text");
        group.throughput(Throughput::Bytes(document.text.len() as u64));
        group.bench_function("chunk", |bencher| bencher.iter(|| cut(black_box(&document))));
        let chunks = cut(&document);
        group.bench_function("plain", |bencher| {
            bencher.iter(|| {
                let texts = chunks.iter().map(|chunk| &document.text[chunk.range.start..chunk.range.end]);
                texts.map(|text| plain(black_box(text), media_type).len()).sum::<usize>()
            });
        });
        group.finish();
    }
}

criterion_group!(benches, parse_chunk);
criterion_main!(benches);
