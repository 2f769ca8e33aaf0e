//! The path of a key in the file.

use std::fmt;

/// The keys from the root of the file to a value: `slo.ttft.p95`, `prices."openai/gpt-4o".input`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct KeyPath(Vec<Step>);

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Step {
    Key(String),
    Item(usize),
}

impl KeyPath {
    /// The root of the file.
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// The path of a key in the table at this path.
    pub fn key(&self, key: impl Into<String>) -> Self {
        self.with(Step::Key(key.into()))
    }

    /// The path of an item, counted from 0, of the array at this path.
    pub fn item(&self, index: usize) -> Self {
        self.with(Step::Item(index))
    }

    /// The last key; of an item, its array's.
    pub fn last_key(&self) -> Option<&str> {
        self.0.iter().rev().find_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Item(_) => None,
        })
    }

    /// Whether `other` is this path or below it.
    pub fn contains(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.0
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

/// With dots between the keys; a key that TOML would not take bare is quoted.
impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Item(index) => write!(f, "[{index}]")?,
                Step::Key(key) => {
                    let dot = if position == 0 { "" } else { "." };
                    let is_bare = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
                    if !key.is_empty() && key.bytes().all(is_bare) {
                        write!(f, "{dot}{key}")?;
                    } else {
                        write!(f, "{dot}{key:?}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_it_would_be_written_in_the_file() {
        let prices = KeyPath::root().key("prices").key("openai/gpt-4o").key("input");
        assert_eq!(prices.to_string(), r#"prices."openai/gpt-4o".input"#);
        let second = KeyPath::root().key("constraints").key("residency").item(1);
        assert_eq!(
            (second.to_string().as_str(), second.last_key()),
            ("constraints.residency[1]", Some("residency"))
        );
        assert!(KeyPath::root().key("constraints").contains(&second));
    }
}
