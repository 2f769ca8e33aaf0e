//! Embedders that run in this process: the built-in static table and the built-in transformer, which need no network and
//! no model file, and other transformers from a folder.
//!
//! [`StaticEmbedder`] turns a text into a vector by averaging one vector per token, at many megabytes a second. It was
//! distilled from all-MiniLM-L6-v2 (`assets/README.md` says how, and what it is worth); `cargo xtask distill` makes
//! its asset again.

mod cross_encoder;
mod static_embedder;
mod transformer;

mod encoder;
mod folder;
mod network;
mod table;
mod threads;
mod tokenizer;
mod vector;
mod wordpiece;

pub use cross_encoder::CrossEncoder;
pub use folder::{FolderError, Pooling};
pub use static_embedder::{StaticEmbedder, dot};
pub use transformer::{FolderOptions, Transformer};
