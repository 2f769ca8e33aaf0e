//! Mainstay's own handbook, bundled, so that the first question of a new user has something to be answered from.

use serde_json::{Value, json};

use crate::client::{Client, ClientError};

/// The chapters: name and text.
const CHAPTERS: &[(&str, &str)] = &[
    ("handbook/01-getting-started.md", include_str!("../../../docs/handbook/01-getting-started.md")),
    ("handbook/02-documents.md", include_str!("../../../docs/handbook/02-documents.md")),
    ("handbook/03-asking.md", include_str!("../../../docs/handbook/03-asking.md")),
    ("handbook/04-providers.md", include_str!("../../../docs/handbook/04-providers.md")),
    ("handbook/05-configuration.md", include_str!("../../../docs/handbook/05-configuration.md")),
    ("handbook/06-keys.md", include_str!("../../../docs/handbook/06-keys.md")),
    ("handbook/07-operating.md", include_str!("../../../docs/handbook/07-operating.md")),
    ("handbook/08-evaluation.md", include_str!("../../../docs/handbook/08-evaluation.md")),
    ("handbook/09-quality.md", include_str!("../../../docs/handbook/09-quality.md")),
    ("handbook/10-when-providers-fail.md", include_str!("../../../docs/handbook/10-when-providers-fail.md")),
    (
        "handbook/11-testing-against-failures.md",
        include_str!("../../../docs/handbook/11-testing-against-failures.md"),
    ),
    ("handbook/12-limits-and-budgets.md", include_str!("../../../docs/handbook/12-limits-and-budgets.md")),
    ("handbook/13-answers-again.md", include_str!("../../../docs/handbook/13-answers-again.md")),
    ("handbook/14-cheap-models-first.md", include_str!("../../../docs/handbook/14-cheap-models-first.md")),
    ("handbook/15-tenants-and-roles.md", include_str!("../../../docs/handbook/15-tenants-and-roles.md")),
    ("handbook/16-audit.md", include_str!("../../../docs/handbook/16-audit.md")),
    (
        "handbook/17-erasure-and-encryption.md",
        include_str!("../../../docs/handbook/17-erasure-and-encryption.md"),
    ),
    ("handbook/18-planning.md", include_str!("../../../docs/handbook/18-planning.md")),
    ("handbook/19-decisions.md", include_str!("../../../docs/handbook/19-decisions.md")),
];

/// Adds the handbook to the corpus "default".
pub(crate) async fn add(client: &Client) -> Result<(), ClientError> {
    let documents: Vec<Value> = CHAPTERS
        .iter()
        .map(|(name, text)| json!({ "doc_id": name, "text": text, "media_type": "text/markdown" }))
        .collect();
    client.post("/v1/documents", &json!({ "documents": documents })).await?;
    Ok(())
}

/// All chapters as one text.
pub(crate) fn text() -> String {
    CHAPTERS.iter().map(|(_, text)| *text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chapter_of_the_handbook_is_bundled() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/handbook");
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| format!("handbook/{}", entry.unwrap().file_name().to_string_lossy()))
            .collect();
        names.sort();
        let bundled: Vec<&str> = CHAPTERS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, bundled);
    }
}
