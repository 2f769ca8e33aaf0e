//! The files that run and watch a planned system: Kubernetes, KEDA, Prometheus, Grafana, OpenSLO.
