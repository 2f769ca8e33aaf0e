//! Files are cut off, removed and overwritten. Whatever happens to them, the process lives, and says what is wrong or
//! works.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::crash::folder_from_parent;
use super::*;

/// What is done to a file.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Removed,
    Emptied,
    Halved,
    Zeroed,
    Garbled,
}

const DAMAGES: [Damage; 5] =
    [Damage::Removed, Damage::Emptied, Damage::Halved, Damage::Zeroed, Damage::Garbled];

impl Damage {
    fn inflict(self, file: &File) -> Option<File> {
        let mut bytes = file.bytes.clone();
        let mut length = file.length;
        match self {
            Self::Removed => return None,
            Self::Emptied => length = 0,
            Self::Halved => length /= 2,
            Self::Zeroed => bytes.clear(),
            Self::Garbled => {
                let mut random = fastrand::Rng::with_seed(length);
                // The first bytes, where headers are, and some of the others.
                for (position, byte) in bytes.iter_mut().enumerate() {
                    if position < 64 || random.u8(..) < 16 {
                        *byte ^= random.u8(1..);
                    }
                }
            }
        }
        bytes.truncate(length as usize);
        Some(File { path: file.path.clone(), length, bytes })
    }
}

/// A file of a folder. Most are laid out large and empty.
struct File {
    path: PathBuf,
    length: u64,
    /// The bytes up to the last that is not zero.
    bytes: Vec<u8>,
}

impl File {
    fn write_below(&self, folder: &Path) {
        let path = folder.join(&self.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &self.bytes).unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_len(self.length).unwrap();
    }
}

/// An index with parts in every form.
async fn build(folder: &Path) {
    let index = index_in(folder);
    index.open(&namespace(), &settings()).await.unwrap();
    index.upsert(&namespace(), (0..700).map(|chunk| point(chunk, 0)).collect()).await.unwrap();
    index.optimize(&namespace()).await.unwrap();
    index.upsert(&namespace(), (690..760).map(|chunk| point(chunk, 1)).collect()).await.unwrap();
    index.delete(&namespace(), (0..9).map(ChunkId).collect()).await.unwrap();
    index.flush(&namespace(), Checkpoint(5)).await.unwrap();
    index.close().await.unwrap();
}

fn files_below(folder: &Path) -> Vec<File> {
    fn visit(folder: &Path, below: &Path, files: &mut Vec<File>) {
        for entry in std::fs::read_dir(folder.join(below)).unwrap() {
            let path = below.join(entry.unwrap().file_name());
            if folder.join(&path).is_dir() {
                visit(folder, &path, files);
            } else {
                let mut bytes = std::fs::read(folder.join(&path)).unwrap();
                let length = bytes.len() as u64;
                bytes.truncate(bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1));
                files.push(File { path, length, bytes });
            }
        }
    }
    let mut files = Vec::new();
    visit(folder, Path::new(""), &mut files);
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
}

/// Uses an index in every way; an error ends it.
async fn use_it(index: &EmbeddedIndex) -> Result<(), IndexError> {
    index.open(&namespace(), &settings()).await?;
    let searches = vec![
        dense(point(3, 0).dense, Accuracy::Indexed, 10),
        dense(point(3, 0).dense, Accuracy::Exact, 10),
        words(&[1, 2, 3], 10),
    ];
    index.search(&namespace(), searches.clone()).await?;
    index.upsert(&namespace(), (650..800).map(|chunk| point(chunk, 2)).collect()).await?;
    index.delete(&namespace(), (100..250).map(ChunkId).collect()).await?;
    index.flush(&namespace(), Checkpoint(6)).await?;
    index.optimize(&namespace()).await?;
    index.search(&namespace(), searches).await?;
    index.close().await
}

/// Damages every file, one at a time, each in one of the ways in turn. Run by the test below, in a process of its own:
/// reading past the end of a file that is mapped into memory kills the process, and a test would not report that.
#[test]
#[ignore = "runs only as the process that another test watches"]
fn uses_damaged_folders() {
    let Some(folder) = folder_from_parent() else { return };
    let folder = Path::new(&folder);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let whole = folder.join("whole");
    runtime.block_on(build(&whole));
    let files = files_below(&whole);
    for (position, file) in files.iter().enumerate() {
        for damage in [DAMAGES[position % DAMAGES.len()]] {
            println!("\ncase {damage:?} {}", file.path.display());
            let damaged = folder.join("damaged");
            for (other, file) in files.iter().enumerate() {
                match other == position {
                    true => damage.inflict(file).iter().for_each(|file| file.write_below(&damaged)),
                    false => file.write_below(&damaged),
                }
            }
            let index = index_in(&damaged);
            match runtime.block_on(use_it(&index)) {
                Ok(()) => println!("\noutcome works"),
                Err(error) => {
                    println!("\noutcome {error}");
                    // The way out that the error names.
                    runtime.block_on(index.drop_namespace(&namespace())).unwrap();
                    runtime.block_on(use_it(&index)).unwrap();
                }
            }
            drop(index);
            std::fs::remove_dir_all(&damaged).unwrap();
        }
    }
    println!("\nfinished");
}

#[test]
fn no_damage_to_a_file_kills_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "embedded::tests::damage::uses_damaged_folders", "--nocapture"])
        .env("MAINSTAY_TEST_INDEX_FOLDER", folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines: Vec<String> =
        BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok).collect();
    let status = process.wait().unwrap();
    let last_case = lines.iter().rfind(|line| line.starts_with("case "));
    assert!(status.success() && lines.iter().any(|line| line == "finished"), "{status} at {last_case:?}");

    let outcomes: Vec<&String> = lines.iter().filter(|line| line.starts_with("outcome ")).collect();
    let noticed = outcomes.iter().filter(|line| line.contains("damaged")).count();
    assert!(noticed > outcomes.len() / 3, "{noticed} of {} noticed", outcomes.len());
}
