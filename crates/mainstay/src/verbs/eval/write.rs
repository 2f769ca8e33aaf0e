//! A tuned setting into `mainstay.toml`, with everything else in it left as it is.

use std::fs;
use std::path::Path;

use anyhow::Context;
use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

use super::tune::Setting;
use crate::config;
use crate::files::replace_file;
use crate::terminal::BadInput;

/// How the comment above a tuned key begins; the next tuning replaces it.
const COMMENT: &str = "# Tuned by mainstay eval tune: ";

/// Writes the setting of a corpus into the file, with a comment that says what it gains.
pub(super) fn setting(path: &Path, corpus: &str, setting: Setting, note: &str) -> anyhow::Result<()> {
    let file = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("{file} cannot be read"))?;
    let changed = with_setting(&text, corpus, &setting.entries(), note)?;
    // What is written must be read again.
    config::check_text(&changed, path)?;
    replace_file(path, &changed, fs::metadata(path)?.permissions())
}

fn with_setting(text: &str, corpus: &str, entries: &[(&str, Value)], note: &str) -> anyhow::Result<String> {
    let mut document: DocumentMut = text.parse().context("the file is no TOML")?;
    let corpora = document.entry("corpora").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let no_table = |name: &str| BadInput(format!("{name} of mainstay.toml is no table"));
    let corpora = corpora.as_table_like_mut().ok_or_else(|| no_table("corpora"))?;
    if !corpora.contains_key(corpus) {
        corpora.insert(corpus, Item::Table(Table::new()));
    }
    let item = corpora.get_mut(corpus).ok_or_else(|| no_table("corpora"))?;
    let table = item.as_table_like_mut().ok_or_else(|| no_table(&format!("corpora.{corpus}")))?;
    for (key, value) in entries {
        put(table, key, value.clone());
    }
    // A table in braces, or in dots, has no line of its own for a comment.
    if let (Item::Table(table), Some((first, _))) = (item, entries.first())
        && !table.is_dotted()
    {
        comment(table, first, note);
    }
    Ok(document.to_string())
}

/// Sets a key. What stands around a value that was there stays.
fn put(table: &mut dyn TableLike, key: &str, mut value: Value) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        None => {
            table.insert(key, Item::Value(value));
        }
    }
}

/// Puts the comment above a key, in the place of one from before.
fn comment(table: &mut Table, key: &str, note: &str) {
    let Some(mut key) = table.key_mut(key) else { return };
    let before = key.leaf_decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default().to_owned();
    let kept: String =
        before.split_inclusive('\n').filter(|line| !line.trim_start().starts_with(COMMENT)).collect();
    key.leaf_decor_mut().set_prefix(format!("{kept}{COMMENT}{note}\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(text: &str) -> String {
        let entries = [("fusion", Value::from("convex")), ("dense_weight", Value::from(0.35))];
        with_setting(text, "docs", &entries, "+0.02").unwrap()
    }

    #[test]
    fn everything_but_the_setting_stays_as_it_is() {
        let text = "# Ours.\n[corpora.docs]   # the docs\n# Measured by Ada.\ndense_weight = 0.2 # low\nchunk_words=90\n\n[server]\n";
        let expected = "# Ours.\n[corpora.docs]   # the docs\n# Measured by Ada.\ndense_weight = 0.35 # low\nchunk_words=90\n\
                        # Tuned by mainstay eval tune: +0.02\nfusion = \"convex\"\n\n[server]\n";
        assert_eq!(changed(text), expected);
    }

    #[test]
    fn a_comment_of_an_earlier_tuning_is_replaced() {
        let once = changed("[corpora.docs]\n");
        assert_eq!(once.matches(COMMENT).count(), 1, "{once}");
        assert_eq!(changed(&once), once);
    }

    #[test]
    fn a_corpus_is_found_in_every_way_to_write_it() {
        for text in [
            "",
            "[corpora.other]\n",
            "corpora.docs.dense_weight = 0.1\n",
            "[corpora]\ndocs = { dense_weight = 0.1, chunk_words = 90 }\n",
            "corpora = { docs = {} }\n",
        ] {
            let after: toml::Table = changed(text).parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(after["corpora"]["docs"]["dense_weight"].as_float(), Some(0.35), "{text}");
            assert_eq!(after["corpora"]["docs"]["fusion"].as_str(), Some("convex"), "{text}");
        }
        assert!(with_setting("corpora = 5\n", "docs", &[], "").is_err());
    }
}
