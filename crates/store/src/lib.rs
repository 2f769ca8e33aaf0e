//! Embedded relational storage: documents, events, keys and the cost ledger in SQLite.
