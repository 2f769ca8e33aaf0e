//! How much of the memory that it may have this process uses.

use std::fs;

/// The share of its memory that is used, from 0 to 1: of the limit of its container (cgroup v2) what it has made itself, or, where
/// there is no limit, of the machine's memory what this process has. Files that are read through memory do not count: the system
/// takes that back when it needs to. `None` where nobody says.
pub fn memory_in_use() -> Option<f64> {
    let group = "/sys/fs/cgroup";
    let limit = fs::read_to_string(format!("{group}/memory.max")).ok();
    if let Some(limit) = limit.and_then(|text| text.trim().parse::<u64>().ok()) {
        let used = field(&fs::read_to_string(format!("{group}/memory.stat")).ok()?, "anon")?;
        return share(used, limit);
    }
    let own = field(&fs::read_to_string("/proc/self/status").ok()?, "RssAnon:")?;
    let all = field(&fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:")?;
    share(own, all)
}

/// The number behind a name that begins a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let mut fields = text.lines().map(str::split_whitespace);
    let mut found = fields.find_map(|mut words| (words.next() == Some(name)).then_some(words))?;
    found.next()?.parse().ok()
}

fn share(used: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| used as f64 / of as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_field_is_read_and_nothing_else() {
        let text = "anon 4096\nanon_thp 7\nRssAnon:\t   120 kB\nbad x\nempty\n";
        assert_eq!((field(text, "anon"), field(text, "RssAnon:")), (Some(4096), Some(120)));
        assert_eq!((field(text, "bad"), field(text, "empty"), field(text, "file")), (None, None, None));
        assert_eq!((share(1, 4), share(1, 0)), (Some(0.25), None));
    }

    #[test]
    fn this_process_uses_some_memory() {
        assert!(memory_in_use().is_some_and(|used| used > 0.0 && used < 1.0));
    }
}
