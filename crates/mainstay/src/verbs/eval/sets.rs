//! The data sets that a command names.

use std::fs;
use std::path::{Path, PathBuf};

use mainstay_evals::{DataSet, DataSetError};

use crate::terminal::{self, BadInput};

/// The sets at the folders, or in them. What is odd in one is told.
pub(super) fn data_sets(folders: &[PathBuf]) -> anyhow::Result<Vec<DataSet>> {
    let mut sets = Vec::new();
    for folder in folders {
        let mut found = vec![folder.clone()];
        if !DataSet::is_at(folder) {
            let entries = fs::read_dir(folder).map_err(|error| {
                BadInput(format!("the folder {} cannot be read: {error}", folder.display()))
            })?;
            found = entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| DataSet::is_at(path))
                .collect();
            found.sort();
            if found.is_empty() {
                found.push(folder.clone());
            }
        }
        for folder in found {
            sets.push(data_set(&folder)?);
        }
    }
    Ok(sets)
}

/// The set at a folder.
pub(in crate::verbs) fn data_set(folder: &Path) -> anyhow::Result<DataSet> {
    let set = DataSet::read(folder).map_err(bad_data)?;
    for oddity in &set.oddities {
        terminal::complain(format_args!("note: {oddity}"));
    }
    Ok(set)
}

pub(super) fn bad_data(error: DataSetError) -> anyhow::Error {
    match &error {
        DataSetError::File { source, .. } => BadInput(format!("{error}: {source}")).into(),
        _ => BadInput(error.to_string()).into(),
    }
}
