//! Why policies are refused.

use std::fmt;

use crate::decision::PolicyId;
use crate::scan;

/// Why policies cannot be put in force. What was in force before stays.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PolicyError {
    /// The text is longer than any that is read.
    #[error(
        "the policies in {file} have {bytes} bytes; at most {} are read: name roles instead of people, and give people \
         their roles where they sign in",
        scan::MAX_BYTES
    )]
    TooLarge {
        /// The file.
        file: String,
        /// Its length in bytes.
        bytes: usize,
    },
    /// The text cannot be read, or says what the schema does not know.
    #[error("{}", listed(.0))]
    Invalid(Vec<Fault>),
    /// Nobody could see or mend these policies, or hand out keys.
    #[error(
        "with these policies nobody can administer this Mainstay: no admin of the operating tenant may both keys.manage \
         and policies.read there; {}",
        way_out(.by)
    )]
    LocksOut {
        /// The policies that forbid it; none where no policy permits it.
        by: Vec<PolicyId>,
    },
}

/// One thing that is wrong in a text of policies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The file.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The column, counted from 1 in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do, where it is known.
    pub hint: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, message, hint } = self;
        write!(f, "{file}:{line}:{column}: {message}")?;
        hint.iter().try_for_each(|hint| write!(f, ": {hint}"))
    }
}

fn listed(faults: &[Fault]) -> String {
    let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

fn way_out(by: &[PolicyId]) -> String {
    match by {
        [] => "permit both to principal in Mainstay::Role::\"admin\", or remove the `policies` key and start again"
            .to_owned(),
        by => {
            let names: Vec<_> = by.iter().map(|policy| format!("{:?}", policy.as_str())).collect();
            let noun = if by.len() == 1 { "policy" } else { "policies" };
            format!("remove {noun} {} or the `policies` key and start again", names.join(", "))
        }
    }
}
