//! How fast a model answers on which GPUs, what fits into their memory, and how sure that is.
