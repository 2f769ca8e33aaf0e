//! What there is to ingest: walks folders, reads files, and cuts JSON Lines into requests of a bounded size.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::terminal::grouped;

/// Everything that was found.
#[derive(Default)]
pub(crate) struct Plan {
    files: Vec<File>,
    /// The file of each id.
    taken: HashMap<String, PathBuf>,
    /// Bytes of all files.
    pub(crate) bytes: u64,
    /// What is no document.
    pub(crate) skipped: Vec<Refusal>,
    /// What may be one and cannot be taken.
    pub(crate) refused: Vec<Refusal>,
}

struct File {
    path: PathBuf,
    /// Its id: the path below the folder that was named.
    name: String,
    bytes: u64,
}

/// One request's worth of documents.
pub(crate) struct Delivery {
    /// For the progress bar.
    pub(crate) label: String,
    /// The documents, in the order of the body.
    pub(crate) documents: Vec<Named>,
    /// Whether the body is JSON Lines; else it is the bytes of the only document.
    pub(crate) is_json_lines: bool,
    /// What is sent.
    pub(crate) body: Bytes,
    /// Bytes of the file that this stands for.
    pub(crate) source_bytes: u64,
    /// Lines that are no document.
    pub(crate) refused: Vec<Refusal>,
}

/// A document of a delivery.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    /// Its id.
    pub(crate) id: String,
    /// Where it is: its path, or its line in a file of JSON Lines.
    pub(crate) place: String,
}

/// A document that was not taken.
#[derive(Serialize, Debug)]
pub(crate) struct Refusal {
    /// Its path, or its line in a file of JSON Lines.
    pub(crate) source: String,
    /// Why.
    pub(crate) reason: String,
}

/// How large a request of several documents grows: large enough that its cost is spread, small enough that progress is
/// seen and little is sent again after a stop.
const BATCH_BYTES: usize = 1 << 20;
const BATCH_DOCUMENTS: usize = 256;

/// A line longer than this is refused instead of read.
const LONGEST_LINE: usize = 64 << 20;

/// Files whose names end so may be documents; what they really are is decided by their bytes.
const EXTENSIONS: &[&str] = &[
    "txt", "text", "md", "markdown", "mdx", "rst", "adoc", "html", "htm", "xhtml", "pdf", "docx", "jsonl",
    "ndjson",
];

/// Finds the documents at `paths`. A file that is named is taken whatever its name; below a folder, only what may be a
/// document. What cannot be read is refused, and the rest goes on.
pub(crate) fn plan(paths: &[PathBuf]) -> Plan {
    let mut plan = Plan::default();
    for path in paths {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => plan.walk(path, path),
            Ok(metadata) => {
                let name =
                    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
                plan.take(path.clone(), name, metadata.len());
            }
            Err(error) => plan.refuse(path, format!("it cannot be read: {error}")),
        }
    }
    plan
}

fn has_known_extension(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

impl Plan {
    /// Adds what is below `folder`, in the order of names, without following links: a link could lead out of the folder or
    /// in a circle.
    fn walk(&mut self, root: &Path, folder: &Path) {
        let entries = fs::read_dir(folder).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
        let mut entries: Vec<fs::DirEntry> = match entries {
            Ok(entries) => entries,
            Err(error) => return self.refuse(folder, format!("the folder cannot be read: {error}")),
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            match entry.file_type().and_then(|kind| Ok((kind, entry.metadata()?.len()))) {
                Ok((kind, bytes)) => self.look_at(root, path, kind, bytes),
                Err(error) => self.refuse(&path, format!("it cannot be read: {error}")),
            }
        }
    }

    /// Takes, skips or enters what is at `path`, below `root`.
    fn look_at(&mut self, root: &Path, path: PathBuf, kind: fs::FileType, bytes: u64) {
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let reason = if is_hidden {
            "hidden"
        } else if kind.is_symlink() {
            "a link; name its target to ingest it"
        } else if kind.is_dir() {
            return self.walk(root, &path);
        } else if !kind.is_file() {
            "no regular file"
        } else if !has_known_extension(&path) {
            "no document format that is known by this name"
        } else {
            return self.take(path, name, bytes);
        };
        self.skipped.push(Refusal { source: name, reason: reason.to_owned() });
    }

    /// Takes a file under a name that no other file has: the later of two would replace the earlier one.
    fn take(&mut self, path: PathBuf, name: String, bytes: u64) {
        let Some(earlier) = self.taken.get(&name) else {
            self.taken.insert(name.clone(), path.clone());
            self.bytes += bytes;
            self.files.push(File { path, name, bytes });
            return;
        };
        if is_same_file(earlier, &path) {
            self.skipped
                .push(Refusal { source: path.display().to_string(), reason: "named twice".to_owned() });
        } else {
            let reason = format!(
                "its id would be {name:?}, which is that of {}; ingest a folder above both, so that their ids differ, or \
                 one of them into another corpus",
                earlier.display()
            );
            self.refuse(&path, reason);
        }
    }

    fn refuse(&mut self, path: &Path, reason: String) {
        self.refused.push(Refusal { source: path.display().to_string(), reason });
    }

    /// The requests, made one at a time as they are asked for, none larger than `limit` bytes.
    pub(crate) fn deliveries(self, limit: usize) -> impl Iterator<Item = Delivery> {
        self.files.into_iter().flat_map(move |file| -> Box<dyn Iterator<Item = Delivery>> {
            let extension = file.path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
            if extension == "jsonl" || extension == "ndjson" {
                match JsonLines::open(&file, limit) {
                    Ok(lines) => Box::new(lines),
                    Err(error) => Box::new(std::iter::once(file.refuse(unreadable(&error)))),
                }
            } else {
                Box::new(std::iter::once(file.deliver(limit)))
            }
        })
    }
}

fn unreadable(error: &std::io::Error) -> String {
    format!("it cannot be read: {error}")
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

impl File {
    fn deliver(self, limit: usize) -> Delivery {
        if self.bytes > limit as u64 {
            return self.refuse(format!(
                "it has {} bytes, and a request may have {}: raise server.body_limit in mainstay.toml",
                grouped(self.bytes),
                grouped(limit as u64)
            ));
        }
        match fs::read(&self.path) {
            Ok(bytes) => Delivery {
                documents: vec![Named { id: self.name.clone(), place: self.name.clone() }],
                body: Bytes::from(bytes),
                source_bytes: self.bytes,
                ..Delivery::of(self.name)
            },
            Err(error) => self.refuse(unreadable(&error)),
        }
    }

    /// Nothing to send, and why.
    fn refuse(&self, reason: String) -> Delivery {
        let refused = vec![Refusal { source: self.name.clone(), reason }];
        Delivery { source_bytes: self.bytes, refused, ..Delivery::of(self.name.clone()) }
    }
}

impl Delivery {
    /// Nothing yet, of a file of this name.
    fn of(label: String) -> Self {
        Self {
            label,
            documents: Vec::new(),
            is_json_lines: false,
            body: Bytes::new(),
            source_bytes: 0,
            refused: Vec::new(),
        }
    }
}

/// A document as a line of JSON. Fields beyond these are somebody else's.
#[derive(Deserialize, Serialize)]
struct Line {
    #[serde(alias = "_id", alias = "id")]
    doc_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<serde_json::Map<String, serde_json::Value>>,
}

/// A file of JSON Lines, a request's worth at a time.
struct JsonLines {
    reader: BufReader<fs::File>,
    name: String,
    number: usize,
    /// Most bytes of a request.
    limit: usize,
    /// A document that has no room in the request before.
    held: Option<(Vec<u8>, Named)>,
    ended: bool,
}

impl JsonLines {
    fn open(file: &File, limit: usize) -> std::io::Result<Self> {
        let mut reader = BufReader::with_capacity(1 << 16, fs::File::open(&file.path)?);
        // The mark that some editors of Windows put before UTF-8.
        if reader.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
            reader.consume(3);
        }
        Ok(Self { reader, name: file.name.clone(), number: 0, limit, held: None, ended: false })
    }

    fn longest_line(&self) -> usize {
        self.limit.min(LONGEST_LINE)
    }

    /// The next line without its end; `None` at the end of the file. The bytes of a line that is too long are passed
    /// over and it comes back empty.
    fn next_line(&mut self, line: &mut Vec<u8>) -> std::io::Result<Option<usize>> {
        line.clear();
        let longest = self.longest_line();
        let mut length = 0;
        loop {
            let available = self.reader.fill_buf()?;
            if available.is_empty() {
                return Ok((length > 0).then_some(length));
            }
            let (part, ended) = match available.iter().position(|byte| *byte == b'\n') {
                Some(end) => (end + 1, true),
                None => (available.len(), false),
            };
            if length + part <= longest {
                line.extend_from_slice(&available[..part]);
            } else {
                line.clear();
            }
            length += part;
            self.reader.consume(part);
            if ended {
                return Ok(Some(length));
            }
        }
    }

    fn read_batch(&mut self) -> Delivery {
        let mut delivery = Delivery { is_json_lines: true, ..Delivery::of(self.name.clone()) };
        let most = BATCH_BYTES.min(self.limit);
        let mut body = Vec::with_capacity(most + (most >> 2));
        let mut line = Vec::new();
        while delivery.documents.len() < BATCH_DOCUMENTS {
            let next = match self.held.take() {
                Some(held) => Some(held),
                None => match self.next_line(&mut line) {
                    Ok(Some(length)) => {
                        self.number += 1;
                        delivery.source_bytes += length as u64;
                        self.read_document(&line, &mut delivery.refused)
                    }
                    Ok(None) => {
                        self.ended = true;
                        break;
                    }
                    Err(error) => {
                        let source = format!("{} after line {}", self.name, self.number);
                        delivery.refused.push(Refusal { source, reason: unreadable(&error) });
                        self.ended = true;
                        break;
                    }
                },
            };
            let Some((json, named)) = next else { continue };
            if !body.is_empty() && body.len() + json.len() > most {
                self.held = Some((json, named));
                break;
            }
            body.extend_from_slice(&json);
            delivery.documents.push(named);
        }
        delivery.body = Bytes::from(body);
        delivery
    }

    /// The document of a line, as a line of a request. `None` where there is none, or where it is refused.
    fn read_document(&self, line: &[u8], refused: &mut Vec<Refusal>) -> Option<(Vec<u8>, Named)> {
        let place = format!("{} line {}", self.name, self.number);
        let mut refuse = |reason: String| refused.push(Refusal { source: place.clone(), reason });
        if line.is_empty() {
            refuse(format!("the line is longer than {} bytes", grouped(self.longest_line() as u64)));
            return None;
        }
        if line.trim_ascii().is_empty() {
            return None;
        }
        let document = match serde_json::from_slice::<Line>(line) {
            Ok(document) => document,
            Err(error) => {
                refuse(format!("no document with doc_id and text: {error}"));
                return None;
            }
        };
        let id = document.doc_id.clone().unwrap_or_else(|| format!("{}#{}", self.name, self.number));
        let document = Line { doc_id: Some(id.clone()), ..document };
        let mut json = serde_json::to_vec(&document).expect("texts serialise");
        json.push(b'\n');
        Some((json, Named { id, place }))
    }
}

impl Iterator for JsonLines {
    type Item = Delivery;

    fn next(&mut self) -> Option<Delivery> {
        (!self.ended || self.held.is_some()).then(|| self.read_batch())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_documents_by_their_path_and_says_what_it_leaves_out() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("guide")).unwrap();
        for (name, text) in [("guide/a.md", "# A"), ("b.txt", "B"), ("c.png", "x"), (".hidden.md", "h")] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let plan = plan(&[folder.path().to_owned()]);
        let skipped: Vec<&str> = plan.skipped.iter().map(|one| one.source.as_str()).collect();
        assert_eq!(skipped, [".hidden.md", "c.png"]);
        let ids: Vec<String> =
            plan.deliveries(1 << 20).flat_map(|delivery| delivery.documents).map(|one| one.id).collect();
        assert_eq!(ids, ["b.txt", "guide/a.md"]);
    }

    #[test]
    fn of_two_files_with_one_id_the_later_is_refused_and_both_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
        for folder in [&one, &two] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("readme.md"), "# Readme").unwrap();
        }
        let found = plan(&[one.clone(), two.clone(), one.join("readme.md")]);
        assert_eq!(found.files.len(), 1);
        assert_eq!(found.skipped[0].reason, "named twice");
        let [refused] = found.refused.as_slice() else { panic!("{:?}", found.refused) };
        assert_eq!(refused.source, two.join("readme.md").display().to_string());
        assert!(refused.reason.contains(&one.join("readme.md").display().to_string()), "{}", refused.reason);
        assert_eq!(plan(&[folder.path().to_owned()]).files.len(), 2, "above both, their ids differ");
    }

    #[test]
    fn what_cannot_be_read_is_refused_and_the_rest_is_found() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.md"), "# A").unwrap();
        let mut found = plan(&[folder.path().join("gone"), folder.path().to_owned()]);
        found.walk(folder.path(), &folder.path().join("a.md"));
        assert_eq!((found.files.len(), found.refused.len()), (1, 2));
    }

    #[test]
    fn a_bad_line_is_refused_with_its_number_and_the_rest_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("corpus.jsonl");
        fs::write(
            &path,
            "{\"_id\":\"1\",\"text\":\"one\"}\n\nnot json\n{\"doc_id\":\"4\",\"text\":\"four\",\"extra\":1}",
        )
        .unwrap();
        let deliveries: Vec<Delivery> = plan(&[path]).deliveries(1 << 20).collect();
        let documents: Vec<(&str, &str)> = deliveries
            .iter()
            .flat_map(|one| one.documents.iter().map(|named| (named.id.as_str(), named.place.as_str())))
            .collect();
        assert_eq!(documents, [("1", "corpus.jsonl line 1"), ("4", "corpus.jsonl line 4")]);
        let refused: Vec<&str> =
            deliveries.iter().flat_map(|one| one.refused.iter().map(|line| line.source.as_str())).collect();
        assert_eq!(refused, ["corpus.jsonl line 3"]);
    }

    #[test]
    fn a_byte_order_mark_before_the_first_line_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("corpus.jsonl");
        fs::write(&path, "\u{feff}{\"doc_id\":\"1\",\"text\":\"one\"}").unwrap();
        let delivery = plan(&[path]).deliveries(1 << 20).next().unwrap();
        assert_eq!((delivery.documents.len(), delivery.refused.len()), (1, 0));
    }

    #[test]
    fn no_request_is_larger_than_the_limit_and_what_cannot_fit_is_refused_alone() {
        let folder = tempfile::tempdir().unwrap();
        let line =
            |id: usize, bytes: usize| format!("{{\"doc_id\":\"{id}\",\"text\":\"{}\"}}\n", "x".repeat(bytes));
        let lines: String =
            [60, 60, 900, 60, 120].iter().enumerate().map(|(id, bytes)| line(id, *bytes)).collect();
        fs::write(folder.path().join("corpus.jsonl"), lines).unwrap();
        fs::write(folder.path().join("large.txt"), "x".repeat(201)).unwrap();
        let deliveries: Vec<Delivery> = plan(&[folder.path().to_owned()]).deliveries(200).collect();
        assert!(deliveries.iter().all(|delivery| delivery.body.len() <= 200));
        let ids: Vec<&str> =
            deliveries.iter().flat_map(|one| one.documents.iter().map(|named| named.id.as_str())).collect();
        assert_eq!(ids, ["0", "1", "3", "4"]);
        let refused: Vec<&str> =
            deliveries.iter().flat_map(|one| one.refused.iter().map(|line| line.source.as_str())).collect();
        assert_eq!(refused, ["corpus.jsonl line 3", "large.txt"]);
    }
}
