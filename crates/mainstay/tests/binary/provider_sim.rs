//! `mainstay provider-sim` as a test of somebody else starts it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::running::{call, command};

struct Simulator {
    child: Child,
    ready: Value,
    address: String,
}

impl Simulator {
    fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = command(folder.path(), &["provider-sim", "--listen", "127.0.0.1:0", "--json"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let address = ready["url"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
        Self { child, ready, address }
    }

    fn ask(&self, model: &str) -> (u16, Value) {
        let body = json!({ "model": model, "messages": [{ "role": "user", "content": "Hello" }] });
        call(&self.address, "key", "POST", "/openai/v1/chat/completions", Some(&body)).unwrap()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // The test may have failed because it ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn faults_of_the_command_line_come_in_turn_and_models_may_name_theirs() {
    let simulator = Simulator::start(&["--fault", "529", "--fault", "none", "--ttft", "1ms"]);
    assert!(simulator.ready["anthropic"].as_str().unwrap().ends_with("/anthropic"), "{}", simulator.ready);
    let statuses = [(); 3].map(|()| simulator.ask("gpt-4o-mini").0);
    assert_eq!(statuses, [529, 200, 529]);
    let (status, answer) = simulator.ask("fault-429:7");
    assert_eq!((status, answer["error"]["code"].as_str()), (429, Some("rate_limit_exceeded")));
}

#[test]
fn a_command_that_makes_no_sense_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        ["--fault", "stal"],
        ["--fault-share", "110%"],
        ["--ttft", "fast"],
        ["--ttft-jitter", "-1"],
        ["--tokens-per-second", "1e9"],
    ] {
        let output = command(folder.path(), &["provider-sim", "--listen", "127.0.0.1:0"])
            .arg(arguments.join("="))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}: {output:?}");
    }
}
