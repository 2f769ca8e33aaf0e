//! From a file to a checked configuration.

use std::fs;
use std::path::{Path, PathBuf};

use mainstay_domain::config::{Problem, read};

use super::{Checked, Diagnostics, RawConfig};

/// The file that is read where none is named.
pub(crate) const FILE_NAME: &str = "mainstay.toml";

/// Loads the file at `path`; without a path, `mainstay.toml` of the working folder where there is one, else the defaults.
pub(crate) fn load(path: Option<&Path>) -> Result<Checked, Diagnostics> {
    let found = Path::new(FILE_NAME);
    match path {
        Some(path) => load_file(path),
        None if found.is_file() => load_file(found),
        None => Ok(Checked::default()),
    }
}

fn load_file(path: &Path) -> Result<Checked, Diagnostics> {
    let bytes = fs::read(path).map_err(|cause| Diagnostics::unreadable(path, &cause))?;
    let text = String::from_utf8(bytes).map_err(|error| not_utf8(path, &error))?;
    check_text(&text, path)
}

/// Checks the text of a file that is, or will be, at `path`. Of other files, only the prompts that it names are read.
pub(crate) fn check_text(text: &str, path: &Path) -> Result<Checked, Diagnostics> {
    let folder = folder_of(path);
    let read_file = |file: &Path| fs::read_to_string(folder.join(file));
    let reading = read::<RawConfig>(text);
    let mut findings = reading.findings;
    let checked = reading.value.map(|raw| raw.check(&folder, &read_file, &mut findings));
    match checked.filter(|_| findings.is_empty()) {
        Some(checked) => Ok(checked),
        None => Err(Diagnostics::of_text(path, text, findings)),
    }
}

/// The folder of the file, as the working folder reaches it.
fn folder_of(path: &Path) -> PathBuf {
    path.parent().map_or_else(PathBuf::new, Path::to_owned)
}

fn not_utf8(path: &Path, error: &std::string::FromUtf8Error) -> Diagnostics {
    let good = error.utf8_error().valid_up_to();
    let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
    let problem = Problem {
        path: String::new(),
        span: good..good + char::REPLACEMENT_CHARACTER.len_utf8(),
        message: "the text is not UTF-8".to_owned(),
        hint: "save the file as UTF-8".to_owned(),
        related: None,
    };
    Diagnostics::of_problems(path, text, vec![problem])
}
