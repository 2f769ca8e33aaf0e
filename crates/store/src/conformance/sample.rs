//! Documents for tests.

use mainstay_domain::{ByteRange, CorpusName, Metadata, TenantId};

use crate::documents::{DocumentStore, Fingerprint, NewChunk, NewDocument};

pub(super) const EMBEDDER: &str = "builtin/test";
pub(super) const DIMENSION: usize = 4;

/// A tenant's corpus, which is created.
pub(super) async fn corpus(store: &dyn DocumentStore, tenant: &str, corpus: &str) -> (TenantId, CorpusName) {
    let (tenant, corpus) = (TenantId::new(tenant), CorpusName::new(corpus));
    store.create_corpus(&tenant, &corpus, EMBEDDER, DIMENSION, serde_json::json!({})).await.unwrap();
    (tenant, corpus)
}

/// A document whose chunks are its lines and whose parents are pairs of them.
pub(super) fn document(doc_id: &str, text: &str) -> NewDocument {
    NewDocument {
        author: None,
        doc_id: doc_id.into(),
        title: Some(format!("Title of {doc_id}")),
        media_type: "text/plain".to_owned(),
        language: Some("en".to_owned()),
        source_name: Some(format!("{doc_id}.txt")),
        fingerprint: Fingerprint::of([text.as_bytes()]),
        source_bytes: text.len() as u64,
        text: text.to_owned(),
        metadata: metadata(&[("shelf", serde_json::json!(3))]),
        chunks: lines(text),
    }
}

/// Metadata of these fields.
pub(super) fn metadata(fields: &[(&str, serde_json::Value)]) -> Metadata {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    Metadata::new(fields.collect()).unwrap()
}

fn lines(text: &str) -> Vec<NewChunk> {
    let mut start = 0;
    let ranges: Vec<ByteRange> = text
        .split_inclusive('\n')
        .map(|line| {
            let range = ByteRange { start, end: start + line.len() };
            start = range.end;
            range
        })
        .collect();
    ranges
        .chunks(2)
        .flat_map(|pair| {
            let parent = ByteRange { start: pair[0].start, end: pair[pair.len() - 1].end };
            pair.iter().map(move |range| (*range, parent))
        })
        .enumerate()
        .map(|(index, (range, parent_range))| NewChunk {
            range,
            parent_range,
            headings: vec!["Part".to_owned(), format!("§ {index}")],
            language: (index % 3 == 2).then(|| "de".to_owned()),
            finding: None,
        })
        .collect()
}

/// A text of about so many bytes, in lines of very different lengths, with characters of one to four bytes.
pub(super) fn text(random: &mut fastrand::Rng, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 4);
    while text.len() < bytes {
        text.push(match random.u8(..) {
            0..=1 => '\n',
            2..=9 => 'ß',
            10..=14 => '語',
            15..=17 => '🦀',
            letter => char::from(b'a' + letter % 26),
        });
    }
    text
}
