//! Files that must be there after a loss of power, and files that must not.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const LOCK: &str = "lock";
/// What stands behind the name of a file that is not finished yet.
pub(crate) const UNFINISHED: &str = ".new";

/// Makes a folder that only its owner may look into, with those above it.
pub(crate) fn create_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Locks a folder for this process, for as long as the file is open; `None` when another process, or another part of this
/// one, has it.
pub(crate) fn lock(folder: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(folder.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Makes a file that only its owner may read. It is an error when it exists.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

/// Forces the names in a folder to disk.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Forces the name of a file to disk.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => sync_folder(folder),
        _ => sync_folder(Path::new(".")),
    }
}

/// Where the next content of a file is written before it takes the file's place.
pub(crate) fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(UNFINISHED);
    name.into()
}

/// Begins the next content of a file; what an interrupted attempt left is thrown away.
pub(crate) fn begin(path: &Path) -> io::Result<File> {
    let next = unfinished(path);
    match fs::remove_file(&next) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    create(&next)
}

/// Puts the finished content in the file's place, durably: after a loss of power the one or the other is there, whole.
pub(crate) fn finish(path: &Path, next: &File) -> io::Result<()> {
    next.sync_all()?;
    fs::rename(unfinished(path), path)?;
    sync_folder_of(path)
}

/// Gives a file another content.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut next = begin(path)?;
    next.write_all(content)?;
    finish(path, &next)
}

/// Overwrites a file that has no name any more. Disks and file systems that never write in place keep the old bytes for
/// a while all the same; what can be done from here is done.
pub(crate) fn overwrite(file: &File) -> io::Result<()> {
    let length = file.metadata()?.len();
    let zeros = [0; 16 * 1_024];
    let mut at = 0;
    while at < length {
        let size = zeros.len().min((length - at) as usize);
        file.write_all_at(&zeros[..size], at)?;
        at += size as u64;
    }
    file.sync_data()
}

/// Removes what interrupted replacements left in a folder.
pub(crate) fn remove_unfinished(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(UNFINISHED) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The numbers of the files in a folder that are called `prefix` and 16 digits, in order.
pub(crate) fn numbers(folder: &Path, prefix: &str) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let digits = name.to_str().and_then(|name| name.strip_prefix(prefix));
        let is_number =
            |digits: &&str| digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_digit());
        numbers.extend(digits.filter(is_number).and_then(|digits| digits.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Whether nothing is at the path.
pub(crate) fn is_missing(path: &Path) -> io::Result<bool> {
    path.try_exists().map(|exists| !exists)
}
