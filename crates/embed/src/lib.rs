//! Embedders: the built-in static table, which needs no network and no model file.
//!
//! [`StaticEmbedder`] turns a text into a vector by averaging one vector per token, at many megabytes a second. It was
//! distilled from all-MiniLM-L6-v2 (`assets/README.md` says how, and what it is worth); `cargo xtask distill` makes
//! its asset again, byte for byte.

mod static_embedder;

mod table;
mod wordpiece;

pub use static_embedder::StaticEmbedder;
