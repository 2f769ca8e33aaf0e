//! How the index fails.

use std::path::PathBuf;

use mainstay_domain::ChunkId;

use crate::port::{IndexSettings, Namespace};

/// Why an operation on the index failed.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum IndexError {
    /// There is no such namespace.
    #[error("there is no index of corpus {0}; it is created when the first document arrives")]
    UnknownNamespace(Namespace),
    /// The namespace was built with other settings than are asked for.
    #[error(
        "the index of corpus {namespace} was built with {}, the configuration now asks for {}; \
         `mainstay index rebuild` builds it anew, or configure the former embedder again",
        describe(built),
        describe(wanted)
    )]
    OtherSettings {
        /// Which namespace.
        namespace: Namespace,
        /// What it was built with.
        built: Box<IndexSettings>,
        /// What was asked for.
        wanted: Box<IndexSettings>,
    },
    /// The settings are not possible.
    #[error("an index cannot have {0}")]
    InvalidSettings(String),
    /// A point does not fit the namespace.
    #[error("chunk {chunk} cannot be indexed: {reason}")]
    InvalidPoint {
        /// Which point.
        chunk: ChunkId,
        /// What is wrong with it.
        reason: String,
    },
    /// A query does not fit the namespace.
    #[error("{0}")]
    InvalidQuery(String),
    /// The namespace's files cannot be read.
    #[error("the index of corpus {namespace} is damaged ({detail}); `mainstay index rebuild` builds it anew")]
    Damaged {
        /// Which namespace.
        namespace: Namespace,
        /// What was found.
        detail: String,
    },
    /// The namespace's files were written by a newer version of Mainstay.
    #[error(
        "the index of corpus {namespace} has format {found}, this version of mainstay knows {known}; \
         use the newer version, or let `mainstay index rebuild` build it anew"
    )]
    NewerFormat {
        /// Which namespace.
        namespace: Namespace,
        /// The format of the files.
        found: u32,
        /// The newest format that this version reads.
        known: u32,
    },
    /// An earlier failure may have lost writes.
    #[error(
        "the index of corpus {0} failed and may have lost its latest writes; it is to be opened and caught up"
    )]
    Suspended(Namespace),
    /// Reading or writing failed. What was written since the last flush may be lost.
    #[error("the index of corpus {namespace} could not {action}: {detail}")]
    Storage {
        /// Which namespace.
        namespace: Namespace,
        /// What was being done: a verb and its object.
        action: &'static str,
        /// What the storage said.
        detail: String,
    },
    /// The disk is nearly full. Nothing was written and nothing is lost.
    #[error(
        "the disk of the index folder {} has {} MiB free and {} MiB are to stay free; make room, then send again",
        path.display(), free >> 20, reserve >> 20
    )]
    DiskFull {
        /// Which folder.
        path: PathBuf,
        /// Bytes that are free.
        free: u64,
        /// Bytes that are to stay free.
        reserve: u64,
    },
    /// The folder of the indexes cannot be used.
    #[error("the index folder {} cannot be used: {detail}", path.display())]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// Another process uses the folder of the indexes.
    #[error("another process uses the index folder {}; stop it, or use another data folder", .0.display())]
    Locked(PathBuf),
    /// The process is ending.
    #[error("mainstay is shutting down")]
    Stopping,
}

fn describe(settings: &IndexSettings) -> String {
    let channels: Vec<&str> = settings.channels.iter().map(|channel| channel.as_str()).collect();
    format!(
        "embedder {:?} ({} numbers per vector; {}{})",
        settings.embedder,
        settings.dimension,
        if settings.multi_dimension.is_some() { "multi-vectors; " } else { "" },
        if channels.is_empty() { "no keywords".to_owned() } else { channels.join(" and ") }
    )
}
