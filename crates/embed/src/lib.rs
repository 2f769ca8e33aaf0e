//! Embedders: the built-in static table and OpenAI-compatible endpoints.
