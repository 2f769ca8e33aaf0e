//! The files that run and watch a planned system: Kubernetes, KEDA, Helm, Prometheus, Alertmanager, Grafana, OpenSLO, and runbooks.
//!
//! [`generate`] is a pure function: the same [`Blueprint`] gives the same bytes. Rules and dashboards use the metrics of
//! `docs/metrics.md`, those of vLLM, and a few of Kubernetes; no other ones.
//!
//! Limits: the files say what to run, not that it fits. Receivers of alerts are webhooks whose addresses an operator puts into
//! files, and secrets are named and never contained.

mod alertmanager;
mod blueprint;
#[cfg(any(test, feature = "examples"))]
pub mod examples;
mod grafana;
mod helm;
mod kubernetes;
mod names;
mod naming;
mod openslo;
mod prometheus;
mod runbooks;
#[cfg(test)]
mod tests;
mod yaml;

pub use blueprint::{
    Alerting, Blueprint, BlueprintError, CronFloor, Gpu, HpaMetric, LatencyOf, Measure, Network, Objective,
    QualityOf, Receivers, RedisStream, Replicas, Resources, Scaling, SecretReference, Serving, Storage,
    Store, StorePlace, Trigger,
};

use crate::names::Names;

/// A file of text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct GeneratedFile {
    /// Its path in the folder of the plan, with `/` between the parts.
    pub path: String,
    /// Its content.
    pub text: String,
}

/// All files of a planned system, by their paths.
///
/// # Errors
///
/// The first thing in the blueprint that Kubernetes, Prometheus or arithmetic would not take.
pub fn generate(blueprint: &Blueprint) -> Result<Vec<GeneratedFile>, BlueprintError> {
    blueprint.check()?;
    let names = Names::of(blueprint);
    let mut files = kubernetes::files(blueprint, &names);
    files.extend(helm::files(blueprint, &names));
    files.extend(prometheus::files(blueprint, &names));
    files.push(alertmanager::file(blueprint));
    files.extend(runbooks::files(blueprint, &names));
    files.extend(grafana::files(blueprint, &names));
    files.extend(openslo::files(blueprint, &names));
    files.sort();
    Ok(files)
}
