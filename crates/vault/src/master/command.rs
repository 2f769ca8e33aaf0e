//! A master key behind a command, which speaks to a key management service or a security module.
//!
//! The command is started with `wrap` or `unwrap` as its last argument. On its standard input it gets one line of base64:
//! the key to wrap, or the wrapped key; on its standard output it answers base64, line breaks or not, and ends with
//! status 0. What it wrapped it must unwrap to the same bytes; it need not know what they are.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mainstay_domain::Clock;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::{MasterKey, MasterKeyId};

/// The most that is read of an answer: a wrapped key in base64, and as many line breaks as there are characters.
const MAX_ANSWER_BYTES: usize = MasterKey::MAX_WRAPPED_BYTES * 8 / 3;

/// What is kept of the error output. The rest is read and forgotten, so that a talkative command does not hang.
const MAX_ERROR_BYTES: usize = 4 << 10;

/// Characters of the error output that a message shows.
const EXCERPT_CHARACTERS: usize = 200;

/// A run of so many characters of base64 or hexadecimal digits is taken for a key. What is wrapped has 64 of them.
const KEY_LIKE_RUN: usize = 40;

/// So many commands run at once; further calls wait for their turn.
const AT_ONCE: usize = 8;

/// How long a command may take.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// A command that wraps and unwraps. It inherits the environment of the process, in which such commands look for
/// credentials.
pub struct CommandKms {
    id: MasterKeyId,
    program: PathBuf,
    args: Vec<String>,
    time_limit: Duration,
    clock: Clock,
    turns: Semaphore,
}

impl CommandKms {
    /// The command that stands for the master key of this id. The id is the team's own, such as the service's name for the
    /// key; a new key of the service needs a new id, unless the command unwraps what the old one wrapped.
    pub fn new(id: MasterKeyId, program: impl Into<PathBuf>, args: Vec<String>, clock: Clock) -> Self {
        let turns = Semaphore::new(AT_ONCE);
        Self { id, program: program.into(), args, time_limit: TIME_LIMIT, clock, turns }
    }

    /// With another time limit than 10 seconds. It counts from the start of the command and holds whatever the command, or
    /// one that it started, does: the command is killed, its children are not waited for.
    pub fn with_time_limit(mut self, time_limit: Duration) -> Self {
        self.time_limit = time_limit;
        self
    }

    pub(super) const fn id(&self) -> &MasterKeyId {
        &self.id
    }

    pub(super) async fn wrap(&self, payload: &[u8]) -> Result<Vec<u8>, CommandError> {
        let mut wrapped = self.answer("wrap", payload).await?;
        if wrapped.len() > MasterKey::MAX_WRAPPED_BYTES {
            return Err(self.too_much());
        }
        // A wrapped key is no secret; taking it out leaves nothing to wipe.
        Ok(std::mem::take(&mut *wrapped))
    }

    pub(super) async fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, CommandError> {
        self.answer("unwrap", wrapped).await
    }

    async fn answer(&self, verb: &'static str, input: &[u8]) -> Result<Zeroizing<Vec<u8>>, CommandError> {
        let _turn = self.turns.acquire().await.expect("nobody closes it");
        let mut child = Command::new(&self.program)
            .args(&self.args)
            .arg(verb)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| CommandError::NotStarted { program: self.program.clone(), source })?;
        // When the time is over, the future goes, and the pipes with it; then the child is killed by being dropped.
        let answered = self.clock.timeout(self.time_limit, self.talk(&mut child, input)).await;
        answered.unwrap_or_else(|| {
            Err(CommandError::TimedOut { program: self.program.clone(), limit: self.time_limit })
        })
    }

    async fn talk(&self, child: &mut Child, input: &[u8]) -> Result<Zeroizing<Vec<u8>>, CommandError> {
        let failed = |source| CommandError::Pipe { program: self.program.clone(), source };
        let stdin = child.stdin.take();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let write = async {
            // Into a buffer that is wiped: encoding to a string goes through one that is not.
            let mut line = Zeroizing::new(vec![b'\n'; input.len().div_ceil(3) * 4 + 1]);
            let length =
                STANDARD.encode_slice(input, &mut line).expect("base64 has 4 characters for 3 bytes");
            debug_assert_eq!(length + 1, line.len());
            if let Some(mut stdin) = stdin {
                // A command that does not read all of it shows in its status and answer.
                let _ = stdin.write_all(&line).await;
            }
        };
        // An answer that is too long ends the call at once: the command may never end by itself.
        let read = async {
            let answer = read_up_to(stdout, MAX_ANSWER_BYTES + 1).await.map_err(failed)?;
            if answer.len() > MAX_ANSWER_BYTES { Err(self.too_much()) } else { Ok(answer) }
        };
        let complain = async { read_and_forget_rest(stderr, MAX_ERROR_BYTES).await.map_err(failed) };
        let end = async { child.wait().await.map_err(failed) };
        let written = async {
            write.await;
            Ok(())
        };
        let ((), answer, complaint, status) = tokio::try_join!(written, read, complain, end)?;
        if !status.success() {
            let (program, excerpt) = (self.program.clone(), excerpt(&complaint));
            return Err(CommandError::Failed { program, status, excerpt });
        }
        decode(&answer).ok_or_else(|| CommandError::NoAnswer { program: self.program.clone() })
    }

    fn too_much(&self) -> CommandError {
        CommandError::TooMuch { program: self.program.clone(), limit: MasterKey::MAX_WRAPPED_BYTES }
    }
}

/// Arguments may hold secrets.
impl fmt::Debug for CommandKms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandKms")
            .field("id", &self.id)
            .field("program", &self.program)
            .finish_non_exhaustive()
    }
}

/// Reads to the end, but not more than so many bytes. The buffer never grows, so that it leaves no copies behind.
async fn read_up_to(pipe: Option<impl AsyncRead + Unpin>, limit: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut buffer = Zeroizing::new(vec![0; limit]);
    let mut length = 0;
    if let Some(mut pipe) = pipe {
        while length < limit {
            match pipe.read(&mut buffer[length..]).await? {
                0 => break,
                count => length += count,
            }
        }
    }
    buffer.truncate(length);
    Ok(buffer)
}

async fn read_and_forget_rest(
    pipe: Option<impl AsyncRead + Unpin>,
    limit: usize,
) -> io::Result<Zeroizing<Vec<u8>>> {
    let Some(mut pipe) = pipe else { return Ok(Zeroizing::default()) };
    let kept = read_up_to(Some(&mut pipe), limit).await?;
    let mut rest = Zeroizing::new([0; 1_024]);
    while pipe.read(rest.as_mut_slice()).await? > 0 {}
    Ok(kept)
}

/// The bytes of an answer; `None` when it is not base64, or empty.
fn decode(answer: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(Vec::with_capacity(answer.len()));
    text.extend(answer.iter().copied().filter(|byte| !byte.is_ascii_whitespace()));
    let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(text.len())]);
    let length = STANDARD.decode_slice(&*text, &mut bytes).ok().filter(|length| *length > 0)?;
    bytes.truncate(length);
    Some(bytes)
}

/// What a message may show of the error output: one short line of printable characters, without what looks like a key.
fn excerpt(stderr: &[u8]) -> String {
    let text = Zeroizing::new(String::from_utf8_lossy(stderr).into_owned());
    let mut line = String::new();
    let is_key_like =
        |character: &char| character.is_ascii_alphanumeric() || matches!(character, '+' | '/' | '=');
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        let run = rest.chars().take_while(is_key_like).count();
        if run >= KEY_LIKE_RUN {
            line.push_str("[withheld]");
            rest = &rest[run..];
            continue;
        }
        // Key-like characters have one byte each.
        let taken = run.max(first.len_utf8());
        for character in rest[..taken].chars() {
            match character {
                _ if character.is_whitespace() => {
                    if !line.ends_with(' ') && !line.is_empty() {
                        line.push(' ');
                    }
                }
                _ if character.is_ascii_graphic() || character.is_alphanumeric() => line.push(character),
                _ => line.push('?'),
            }
        }
        rest = &rest[taken..];
    }
    let line = line.trim_end();
    match line.char_indices().nth(EXCERPT_CHARACTERS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None if line.is_empty() => "nothing".to_owned(),
        None => line.to_owned(),
    }
}

/// Why a command did not wrap or unwrap.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It could not be started.
    #[error("the key command {program:?} could not be started: check its path and that it may be executed")]
    NotStarted {
        /// The command.
        program: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It took too long, and was killed.
    #[error("the key command {program:?} took longer than {limit:?}: check that its service can be reached")]
    TimedOut {
        /// The command.
        program: PathBuf,
        /// How long it may take.
        limit: Duration,
    },
    /// It said itself that it failed.
    #[error("the key command {program:?} failed ({status}); it said: {excerpt}")]
    Failed {
        /// The command.
        program: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// The beginning of its error output, as one printable line.
        excerpt: String,
    },
    /// It answered more than a wrapped key can be.
    #[error("the key command {program:?} answered more than the {limit} bytes of the longest wrapped key")]
    TooMuch {
        /// The command.
        program: PathBuf,
        /// The most bytes that a wrapped key may have.
        limit: usize,
    },
    /// Its answer is not base64, or there is none.
    #[error("the key command {program:?} did not answer base64 on its standard output")]
    NoAnswer {
        /// The command.
        program: PathBuf,
    },
    /// The connection to it failed.
    #[error("reading the answer of the key command {program:?} failed")]
    Pipe {
        /// The command.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl CommandError {
    /// The command that failed.
    pub fn program(&self) -> &Path {
        match self {
            Self::NotStarted { program, .. }
            | Self::TimedOut { program, .. }
            | Self::Failed { program, .. }
            | Self::TooMuch { program, .. }
            | Self::NoAnswer { program }
            | Self::Pipe { program, .. } => program,
        }
    }
}

#[cfg(test)]
mod tests;
