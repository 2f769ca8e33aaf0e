//! Metrics and the cost ledger turn.
