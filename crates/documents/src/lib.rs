//! Bytes of a document to text with structure, and that text to chunks.
