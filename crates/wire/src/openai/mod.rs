//! OpenAI's API and everything compatible with it (vLLM, Ollama, llama.cpp, …).

pub mod chat;
pub mod embeddings;
pub mod error;
pub mod models;
