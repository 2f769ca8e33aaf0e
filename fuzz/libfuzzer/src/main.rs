//! libFuzzer around one of the targets, which `FUZZ_TARGET` names; without it, a list of the targets with their longest
//! input and their dictionary. `cargo xtask fuzz` builds and starts it.
#![no_main]

use std::sync::OnceLock;

use mainstay_fuzz::{TARGETS, Target};

static TARGET: OnceLock<&Target> = OnceLock::new();

libfuzzer_sys::fuzz_target!(
    init: {
        let Ok(name) = std::env::var("FUZZ_TARGET") else {
            for Target { name, max_bytes, dictionary, .. } in TARGETS {
                let line = format!("{name} {max_bytes} {}", dictionary.unwrap_or_default());
                println!("{}", line.trim_end());
            }
            std::process::exit(0);
        };
        let target = TARGETS.iter().find(|target| target.name == name);
        let target = target.expect("FUZZ_TARGET is the name of a target");
        TARGET.set(target).expect("libFuzzer begins once");
    },
    |data: &[u8]| {
        let target = TARGET.get().expect("libFuzzer begins before it runs");
        (target.check)(data);
    }
);
