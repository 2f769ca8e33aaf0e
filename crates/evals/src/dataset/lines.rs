//! Files of one item a line.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;

use serde::de::DeserializeOwned;

use super::DataSetError;

/// The lines of a file with their numbers, from 1.
pub(super) fn lines(
    path: &Path,
) -> Result<impl Iterator<Item = Result<(usize, String), DataSetError>>, DataSetError> {
    let failed = |path: &Path, source| DataSetError::File { path: path.to_owned(), source };
    let file = File::open(path).map_err(|error| failed(path, error))?;
    let path = path.to_owned();
    Ok(BufReader::new(file).lines().enumerate().map(move |(index, line)| {
        let number = index + 1;
        let line = line.map_err(|error| match error.kind() {
            ErrorKind::InvalidData => {
                let reason = "the text is not UTF-8; save the file as UTF-8".to_owned();
                DataSetError::Line { path: path.clone(), line: number, reason }
            }
            _ => failed(&path, error),
        })?;
        Ok((number, line.trim_start_matches('\u{feff}').to_owned()))
    }))
}

/// The objects of a file with their lines; empty lines are passed over.
pub(super) fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<(usize, T)>, DataSetError> {
    let mut items = Vec::new();
    for line in lines(path)? {
        let (number, text) = line?;
        if !text.trim().is_empty() {
            let item = serde_json::from_str(&text).map_err(|error| DataSetError::Line {
                path: path.to_owned(),
                line: number,
                // The line that serde_json knows is that of the item, which is always 1.
                reason: error.to_string().replace(" at line 1 column ", " at column "),
            })?;
            items.push((number, item));
        }
    }
    Ok(items)
}
