//! What we keep beside qdrant's files, and which of its files a flush relied on.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use mainstay_domain::{CorpusName, TenantId};
use serde::{Deserialize, Serialize};

use crate::error::IndexError;
use crate::folder::{folder_name, spelled_id};
use crate::port::{Checkpoint, IndexSettings, Namespace};

/// The format of the folder. A change that older versions cannot read raises it.
const FORMAT: u32 = 1;
const MANIFEST: &str = "namespace.json";
const CHECKPOINT: &str = "checkpoint.json";
const SHARD: &str = "shard";
const SEGMENTS: &str = "segments";

/// Whose namespace a folder holds, and what it was built with.
#[derive(Serialize, Deserialize)]
struct Manifest {
    format: u32,
    tenant: TenantId,
    corpus: CorpusName,
    settings: IndexSettings,
}

/// The last flush.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct FlushRecord {
    /// Up to which event of the store.
    pub(super) checkpoint: Checkpoint,
    /// The files that the flush relied on, below the segments' folder, with their least sizes in bytes; `None` while they are
    /// being rearranged. Qdrant replaces what is missing by nothing and maps what is short into memory, where
    /// reading past the end kills the process: so both are looked for before it opens them.
    files: Option<BTreeMap<String, u64>>,
}

/// The folder of one namespace.
#[derive(Clone, Debug)]
pub(super) struct NamespaceFolder {
    namespace: Namespace,
    root: PathBuf,
    path: PathBuf,
}

impl NamespaceFolder {
    pub(super) fn new(root: &Path, namespace: Namespace) -> Self {
        let path = folder_of(root, &namespace);
        Self { namespace, root: root.to_owned(), path }
    }

    pub(super) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The folder of qdrant's files.
    pub(super) fn shard(&self) -> PathBuf {
        self.path.join(SHARD)
    }

    /// What the namespace was built with; `None` where there is no namespace, or one whose creation was cut off.
    pub(super) fn settings(&self) -> Result<Option<IndexSettings>, IndexError> {
        let bytes = match std::fs::read(self.path.join(MANIFEST)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.storage_error("read its settings", &error)),
        };
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let damaged = |error: serde_json::Error| self.damaged(format!("{MANIFEST}: {error}"));
        let Format { format } = serde_json::from_slice(&bytes).map_err(damaged)?;
        if format > FORMAT {
            let namespace = self.namespace.clone();
            return Err(IndexError::NewerFormat { namespace, found: format, known: FORMAT });
        }
        let manifest: Manifest = serde_json::from_slice(&bytes).map_err(damaged)?;
        if (&manifest.tenant, &manifest.corpus) != (&self.namespace.tenant, &self.namespace.corpus) {
            return Err(self.damaged(format!("{MANIFEST} is of another corpus")));
        }
        Ok(Some(manifest.settings))
    }

    /// Makes room for a new shard: removes what a creation that was cut off has left.
    pub(super) fn prepare(&self) -> io::Result<PathBuf> {
        self.remove()?;
        let shard = self.shard();
        // A second time, in case the last other corpus of the tenant is removed at this moment, and the folder with it.
        std::fs::create_dir_all(&shard).or_else(|_| std::fs::create_dir_all(&shard))?;
        Ok(shard)
    }

    /// Declares the namespace to exist: the last step of its creation.
    pub(super) fn declare(&self, settings: &IndexSettings) -> io::Result<()> {
        let manifest = Manifest {
            format: FORMAT,
            tenant: self.namespace.tenant.clone(),
            corpus: self.namespace.corpus.clone(),
            settings: settings.clone(),
        };
        replace_file(&self.path.join(MANIFEST), &serde_json::to_vec_pretty(&manifest)?)?;
        self.path.parent().map_or(Ok(()), sync_folder)?;
        sync_folder(&self.root)
    }

    /// Removes the namespace. The manifest goes first, so that a removal that is cut off leaves no namespace.
    pub(super) fn remove(&self) -> io::Result<()> {
        ignore_missing(std::fs::remove_file(self.path.join(MANIFEST)))?;
        ignore_missing(std::fs::remove_dir_all(&self.path))?;
        if let Some(tenant) = self.path.parent() {
            // Stays where the tenant has other corpora.
            let _ = std::fs::remove_dir(tenant);
        }
        Ok(())
    }

    /// The last flush; that of nothing where there was none.
    pub(super) fn read_flush(&self) -> Result<FlushRecord, IndexError> {
        match std::fs::read(self.path.join(CHECKPOINT)) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|error| self.damaged(format!("{CHECKPOINT}: {error}")))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(FlushRecord::default()),
            Err(error) => Err(self.storage_error("read its checkpoint", &error)),
        }
    }

    /// Records that everything up to `checkpoint` is in the files as they are now.
    pub(super) fn record_flush(&self, checkpoint: Checkpoint) -> io::Result<()> {
        let files = Some(file_sizes(&self.shard().join(SEGMENTS))?);
        self.write_flush(&FlushRecord { checkpoint, files })
    }

    /// Records that files are about to be replaced; the checkpoint stays.
    pub(super) fn record_rearrangement(&self) -> Result<(), IndexError> {
        let FlushRecord { checkpoint, .. } = self.read_flush()?;
        self.write_flush(&FlushRecord { checkpoint, files: None })
            .map_err(|error| self.storage_error("record its state", &error))
    }

    /// Records the files as they are now; the checkpoint stays.
    pub(super) fn record_files(&self) -> Result<(), IndexError> {
        let FlushRecord { checkpoint, .. } = self.read_flush()?;
        self.record_flush(checkpoint).map_err(|error| self.storage_error("record its state", &error))
    }

    fn write_flush(&self, record: &FlushRecord) -> io::Result<()> {
        replace_file(&self.path.join(CHECKPOINT), &serde_json::to_vec(record)?)
    }

    /// Checks that the files of the last flush are there and not cut off.
    pub(super) fn check_files(&self, flush: &FlushRecord) -> Result<(), IndexError> {
        let Some(expected) = &flush.files else { return Ok(()) };
        let segments = self.shard().join(SEGMENTS);
        for (file, &size) in expected {
            match std::fs::metadata(segments.join(file)) {
                Ok(found) if found.len() >= size => {}
                Ok(found) => {
                    return Err(self.damaged(format!("{file} has {} bytes instead of {size}", found.len())));
                }
                Err(error) => return Err(self.damaged(format!("{file}: {error}"))),
            }
        }
        Ok(())
    }

    /// Checks that so many bytes of the disk are free.
    pub(super) fn check_space(&self, reserve: u64) -> Result<(), IndexError> {
        match fs4::available_space(&self.root) {
            Ok(free) if free < reserve => {
                Err(IndexError::DiskFull { path: self.root.clone(), free, reserve })
            }
            Ok(_) => Ok(()),
            Err(error) => Err(self.storage_error("find out how full its disk is", &error)),
        }
    }

    pub(super) fn size_on_disk(&self) -> u64 {
        size_on_disk(&self.path)
    }

    pub(super) fn damaged(&self, detail: impl Into<String>) -> IndexError {
        IndexError::Damaged { namespace: self.namespace.clone(), detail: detail.into() }
    }

    pub(super) fn storage_error(&self, action: &'static str, error: &dyn std::fmt::Display) -> IndexError {
        IndexError::Storage { namespace: self.namespace.clone(), action, detail: error.to_string() }
    }
}

/// Whether there is such a namespace.
pub(super) fn exists(root: &Path, namespace: &Namespace) -> bool {
    folder_of(root, namespace).join(MANIFEST).is_file()
}

/// The namespaces below `root`, in order.
pub(super) fn list_namespaces(root: &Path) -> io::Result<Vec<Namespace>> {
    let mut namespaces = Vec::new();
    for tenant in std::fs::read_dir(root)? {
        let tenant = tenant?;
        if !tenant.file_type()?.is_dir() {
            continue;
        }
        for corpus in std::fs::read_dir(tenant.path())? {
            namespaces.extend(namespace_at(&tenant.path(), &corpus?.path()));
        }
    }
    namespaces.sort_unstable();
    Ok(namespaces)
}

/// The namespace in a folder: by the folders' names, and where these are hashed by the manifest.
fn namespace_at(tenant: &Path, corpus: &Path) -> Option<Namespace> {
    let manifest = std::fs::read(corpus.join(MANIFEST)).ok()?;
    let id = |folder: &Path| spelled_id(folder.file_name()?.to_str()?);
    if let (Some(tenant), Some(corpus)) = (id(tenant), id(corpus)) {
        return Some(Namespace::new(tenant, corpus));
    }
    let Manifest { tenant: tenant_id, corpus: corpus_id, .. } = serde_json::from_slice(&manifest).ok()?;
    let named =
        |folder: &Path, id: &str| folder.file_name().is_some_and(|name| name == folder_name(id).as_str());
    (named(tenant, tenant_id.as_str()) && named(corpus, corpus_id.as_str()))
        .then(|| Namespace::new(tenant_id, corpus_id))
}

fn folder_of(root: &Path, namespace: &Namespace) -> PathBuf {
    root.join(folder_name(namespace.tenant.as_str())).join(folder_name(namespace.corpus.as_str()))
}

/// The least sizes that all files below a folder must have, by their paths below it.
fn file_sizes(folder: &Path) -> io::Result<BTreeMap<String, u64>> {
    let mut sizes = BTreeMap::new();
    visit_files(folder, &mut |path, metadata| {
        if let Some(name) = path.strip_prefix(folder).ok().and_then(Path::to_str) {
            // JSON is read, not mapped, and may become shorter when it is written anew.
            let size =
                if path.extension().is_some_and(|ending| ending == "json") { 0 } else { metadata.len() };
            sizes.insert(name.to_owned(), size);
        }
    })?;
    Ok(sizes)
}

/// Bytes that the files below a folder take up. Files are laid out with room to grow, which takes up nothing.
pub(super) fn size_on_disk(folder: &Path) -> u64 {
    let mut total = 0;
    // A file that disappears meanwhile ends the count early: it is a figure for people.
    let _ = visit_files(folder, &mut |_, metadata| total += allocated(metadata));
    total
}

#[cfg(unix)]
fn allocated(metadata: &std::fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    metadata.blocks() * 512
}

#[cfg(not(unix))]
fn allocated(metadata: &std::fs::Metadata) -> u64 {
    metadata.len()
}

fn visit_files(folder: &Path, visit: &mut impl FnMut(&Path, &std::fs::Metadata)) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let metadata = std::fs::symlink_metadata(&path)?;
        if metadata.is_dir() {
            visit_files(&path, visit)?;
        } else {
            visit(&path, &metadata);
        }
    }
    Ok(())
}

/// Writes a file whole or not at all.
fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let next = path.with_extension("next");
    write_synced(&next, bytes)?;
    std::fs::rename(&next, path)?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Writes a file to the disk itself.
pub(super) fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the names in a folder durable. Only Unix needs and allows it.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
