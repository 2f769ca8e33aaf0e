//! Ingest, hybrid search, context assembly, citations and the extractive answerer.
