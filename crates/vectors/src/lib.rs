//! Dense and sparse vector index in process, on qdrant-edge.
