//! The 48 architectural decisions: options, rules, premises.
