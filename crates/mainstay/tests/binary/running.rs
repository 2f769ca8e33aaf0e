//! Starting the binary and talking to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use mainstay_provider_sim::StandIn;
use serde_json::Value;
use tokio::runtime::Runtime;

/// A `mainstay up` that is ready; killed when dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) address: String,
    /// The line of JSON that it printed.
    pub(crate) ready: Value,
    /// The key of the first start.
    pub(crate) api_key: Option<String>,
}

impl Running {
    /// Starts one in a folder, with its data below.
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_logging(folder, Stdio::null(), None)
    }

    /// The same, with a log of what its own crates say at this level.
    pub(crate) fn start_logging(folder: &Path, log: Stdio, level: Option<&str>) -> Self {
        let mut up = command(folder, &["up", "--json", "--listen", "127.0.0.1:0", "--data-dir", "data"]);
        if let Some(level) = level {
            up.env("RUST_LOG", format!("mainstay={level}"));
        }
        let mut child = up.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value =
            serde_json::from_str(&line).expect("`up --json` prints a line of JSON when it is ready");
        let url = ready["url"].as_str().unwrap();
        let address = url.split_once("://").unwrap().1.to_owned();
        let api_key = ready["api_key"].as_str().map(str::to_owned);
        Self { child, address, ready, api_key }
    }

    /// One request with the key of the first start.
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        call(&self.address, self.api_key.as_deref().unwrap(), method, path, body).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Killed already, unless the test has failed or has seen enough.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A stand-in for providers, where it listens, and what it runs on.
pub(crate) fn stand_in() -> (StandIn, SocketAddr, Runtime) {
    let runtime = Runtime::new().unwrap();
    let stand_in = StandIn::new();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let address = runtime.block_on(stand_in.listen(any)).unwrap();
    (stand_in, address, runtime)
}

/// The binary in a folder, whatever the environment of the tests says.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mainstay"));
    command.args(arguments).current_dir(folder);
    for variable in ["MAINSTAY_URL", "MAINSTAY_API_KEY", "MAINSTAY_CA", "RUST_LOG"] {
        command.env_remove(variable);
    }
    command
}

/// Runs a verb on the data folder of [`Running::start`] to its end.
pub(crate) fn mainstay(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).args(["--data-dir", "data"]).stdin(Stdio::null()).output().unwrap()
}

/// One request with JSON on a connection of its own.
pub(crate) fn call(
    address: &str,
    key: &str,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> std::io::Result<(u16, Value)> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let (status, _, answer) =
        send(address, key, method, path, "content-type: application/json\r\n", body.as_bytes())?;
    Ok((status, serde_json::from_str(&answer).map_err(|_| cut())?))
}

/// One request with these header lines; returns status, head and body of the answer, which is read after everything was
/// sent.
pub(crate) fn send(
    address: &str,
    key: &str,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> std::io::Result<(u16, String, String)> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n{headers}\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(cut)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(cut)?;
    Ok((status, head.to_owned(), body.to_owned()))
}

fn cut() -> std::io::Error {
    std::io::Error::from(std::io::ErrorKind::UnexpectedEof)
}
