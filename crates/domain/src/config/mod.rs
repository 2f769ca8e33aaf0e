//! What every section of `mainstay.toml` shares: typed values (durations, sizes, ratios, money, addresses, secrets) and
//! a reader that finds all problems of a file at once, each with its key, its place and what to write instead.
//!
//! A section is two types, owned by the crate that uses it. The *raw* type says what the file may contain: it derives
//! `Deserialize` and `JsonSchema`, refuses unknown keys, and gives every key a sentence and an example. The *checked*
//! type is what the program uses; only the section's `check` makes one, and reports contradictions to [`Findings`].
//!
//! The sentence and the example of a key are not only for the schema: [`read()`] makes the hints of its problems from
//! them, so that a target such as `p95 = "fast"` is answered with a measurable one for exactly that key.

mod read;
mod schema;

mod findings;
mod path;
mod problem;
mod spans;
mod suggest;
mod syntax;

mod address;
mod duration;
mod fact;
mod money;
mod ratio;
mod secret;
mod size;
mod value;

pub use address::{BaseUrl, ListenAddress};
pub use duration::HumanDuration;
pub use fact::FactValue;
pub use findings::Findings;
pub use money::Dollars;
pub use path::KeyPath;
pub use problem::{Position, Problem, Related};
pub use ratio::Ratio;
pub use read::{Reading, read};
pub use schema::schema_of;
pub use secret::{Secret, SecretError, SecretRef, SecretSource};
pub use size::ByteSize;
pub use suggest::closest;
pub use value::{ConfigValue, ValueError, deserialize_value};

#[cfg(test)]
mod tests;
