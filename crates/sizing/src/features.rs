//! What the learned correction sees of a deployment and its load: the parts of the physical estimate as logarithms and
//! shares, the shape of the load, and the parallelism. Names of models and GPUs are not among them, so that what was
//! learned carries over to others; the version of the engine is.

use crate::deployment::{Deployment, Engine, Precision};
use crate::physics::Situation;

/// The physical estimate that the columns are taken from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Physical {
    pub(crate) step_ms: f64,
    pub(crate) tpot_ms: f64,
    pub(crate) prefill_ms: f64,
    pub(crate) ttft_ms: f64,
}

/// The columns of one row; `versions` are the engine versions known from training, each gets a column of its own.
pub(crate) fn columns(
    deployment: &Deployment<'_>,
    at: &Situation,
    physical: &Physical,
    versions: &[String],
) -> Vec<f32> {
    let log = |value: f64| value.max(1e-4).ln();
    let flag = |holds: bool| if holds { 1.0 } else { 0.0 };
    let Physical { step_ms, tpot_ms, prefill_ms, ttft_ms } = *physical;
    let (decode, prefill) = (&at.decode, &at.prefill);
    let writing = tpot_ms * at.output_tokens;
    let ahead = at.sequences * prefill_ms;
    let (decoder, reader) = (deployment.serving.decode(), deployment.serving.prefill());
    let mut columns = vec![
        log(tpot_ms),
        log(ttft_ms),
        log(step_ms),
        log((tpot_ms - step_ms) / step_ms),
        log(prefill_ms),
        prefill.attention / prefill.compute.max(1e-9),
        decode.expert_weights / step_ms,
        decode.dense_weights / step_ms,
        decode.cache / step_ms,
        decode.compute / step_ms,
        prefill.transfer / prefill.compute.max(1e-9),
        log(ahead),
        log(writing),
        log(ahead / writing),
        decode.layers,
        log(at.concurrency),
        log(at.sequences / f64::from(decoder.attention_dp.max(1))),
        log(at.input_tokens),
        log(at.output_tokens),
        log(at.concurrency / at.fitting.max(0.5)),
        log(decode.dense_weights),
        log(decode.expert_weights),
        log(prefill.compute),
        at.prefill_workers,
        at.concurrency / at.sequences,
        flag(at.aggregated),
        deployment.gpu.memory_gb,
        at.blackwell,
    ];
    for instance in [decoder, reader] {
        columns.extend(
            [instance.tp, instance.attention_dp, instance.gpus(), instance.moe_tp, instance.moe_ep]
                .map(f64::from),
        );
    }
    columns.extend(Engine::ALL.map(|engine| flag(deployment.engine == engine)));
    columns.extend(Precision::ALL.map(|precision| flag(deployment.precision == precision)));
    let version = version_key(deployment);
    columns.extend(versions.iter().map(|known| flag(*known == version)));
    columns.into_iter().map(|value| value as f32).collect()
}

/// Engine and version in one word; the version is empty where it is not known.
pub(crate) fn version_key(deployment: &Deployment<'_>) -> String {
    format!("{} {}", deployment.engine.name(), deployment.version.as_deref().unwrap_or_default())
}
