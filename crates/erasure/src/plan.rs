//! What is to be erased, in a file of its own: so that an erasure that was interrupted goes on, and nothing of its subject is
//! in a database because of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use mainstay_domain::{CorpusName, DocumentId, TenantId};
use serde::{Deserialize, Serialize};

use crate::subject::Subject;

/// The folder with the plans, inside the data folder. The search for what is left passes it over.
pub(crate) const FOLDER: &str = "erasing";

/// What is to be erased, and which documents that is.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) erasure: String,
    pub(crate) tenant: TenantId,
    pub(crate) subject: Subject,
    pub(crate) salt: String,
    pub(crate) documents: Vec<(CorpusName, DocumentId)>,
    /// What is searched for afterwards, once it was read: later the texts are gone.
    #[serde(default)]
    pub(crate) markers: Option<Vec<String>>,
}

impl Plan {
    /// Writes it, durably.
    pub(crate) fn write(&self, data_dir: &Path) -> io::Result<()> {
        let folder = data_dir.join(FOLDER);
        fs::create_dir_all(&folder)?;
        // Beside the old one first: half a plan would be none.
        let path = self.path(data_dir);
        let beside = path.with_extension("new");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&beside)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(beside, path)?;
        File::open(folder)?.sync_all()?;
        File::open(data_dir)?.sync_all()
    }

    /// Those of a data folder, in the order in which they were asked for. One that cannot be read was not acknowledged.
    pub(crate) fn read_all(data_dir: &Path) -> io::Result<Vec<Self>> {
        let entries = match fs::read_dir(data_dir.join(FOLDER)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut plans = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                // What was being written when the process ended was not acknowledged.
                fs::remove_file(&path)?;
                continue;
            }
            match serde_json::from_slice::<Self>(&fs::read(&path)?) {
                Ok(plan) => plans.push(plan),
                Err(_) => {
                    tracing::warn!(path = %path.display(), "an erasure was interrupted before it began; ask for it again")
                }
            }
        }
        plans.sort_by(|one, other| one.erasure.cmp(&other.erasure));
        Ok(plans)
    }

    /// Overwrites and removes it.
    pub(crate) fn remove(&self, data_dir: &Path) -> io::Result<()> {
        let path = self.path(data_dir);
        let mut file = match OpenOptions::new().write(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            file => file?,
        };
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&vec![0; length])?;
        file.sync_all()?;
        fs::remove_file(path)
    }

    fn path(&self, data_dir: &Path) -> PathBuf {
        data_dir.join(FOLDER).join(format!("{}.json", self.erasure))
    }
}
