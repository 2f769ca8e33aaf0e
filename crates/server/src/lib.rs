//! HTTP: routes, SSE, error to status.
