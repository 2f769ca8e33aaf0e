//! From requirements to plan: pure functions over the spec.
