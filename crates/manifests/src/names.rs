//! How the objects of one system are called.

use crate::blueprint::{Blueprint, Serving};
use crate::naming::{camel_case, dns_label};

/// Room for the product's part of a name: a model's part and suffixes of Kubernetes follow within 63.
const PRODUCT_ROOM: usize = 28;

/// Room for a model's part.
const MODEL_ROOM: usize = 24;

/// The names that files share.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Names {
    /// The workload of Mainstay, its service and its Prometheus job.
    pub(crate) product: String,
    /// The namespace.
    pub(crate) namespace: String,
}

impl Names {
    pub(crate) fn of(blueprint: &Blueprint) -> Self {
        Self {
            product: dns_label(&blueprint.product, PRODUCT_ROOM),
            namespace: dns_label(&blueprint.namespace, 63),
        }
    }

    /// The workload of a model, its service and its Prometheus job. It begins with the product's name, so it is never that.
    pub(crate) fn serving(&self, serving: &Serving) -> String {
        format!("{}-{}", self.product, dns_label(&serving.name, MODEL_ROOM))
    }
}

/// The alert about a promise, and the name of its runbook.
pub(crate) fn alert(objective: &str) -> String {
    format!("Slo{}", camel_case(objective))
}

/// The label `slo` of a promise: what its recorded series are told apart by.
pub(crate) fn slo(objective: &str) -> String {
    dns_label(objective, 63)
}
