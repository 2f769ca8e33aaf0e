//! Identity: who calls.
