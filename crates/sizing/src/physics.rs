//! Service time from the roofline with fitted factors: how much of the nominal rates engines reach, and what each
//! layer, step and request costs besides.
//!
//! A decode step reads weights and cache, computes, sends, and pays per layer. Under continuous batching the time per
//! output token also contains the prefills of the other sequences: `(b − 1) · prefill / output tokens`. The time to
//! first token is a request's own prefill, its share of prefills ahead of it, and, where the cache is full, the wait
//! for a sequence to end. All factors are logarithms, so that they stay positive while they are fitted.

use crate::catalogue::Architecture;
use crate::deployment::{Deployment, Engine, Load, Precision, Serving};
use crate::memory::plan_memory;
use crate::roofline::{DecodeTerms, PrefillTerms, decode_terms, prefill_terms};

/// Everything about one deployment and load that the formulas use.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Situation {
    pub(crate) decode: DecodeTerms,
    pub(crate) prefill: PrefillTerms,
    pub(crate) engine: Engine,
    pub(crate) precision: Precision,
    /// Sequences in one decoding instance.
    pub(crate) sequences: f64,
    pub(crate) concurrency: f64,
    pub(crate) prefill_workers: f64,
    /// Sequences of the mean context that fit into one decoding instance; 0 where not even the weights do.
    pub(crate) fitting: f64,
    pub(crate) input_tokens: f64,
    pub(crate) output_tokens: f64,
    pub(crate) aggregated: bool,
    /// 1 for a mixture of experts.
    pub(crate) mixture: f64,
    /// 1 for latent attention.
    pub(crate) latent: f64,
    pub(crate) linear_layers: f64,
    /// 1 for GPUs after Hopper.
    pub(crate) blackwell: f64,
}

impl Situation {
    pub(crate) fn of(deployment: &Deployment<'_>, load: &Load) -> Situation {
        let model = deployment.model;
        let (aggregated, prefill_workers, decode_workers) = match deployment.serving {
            Serving::Aggregated(_) => (true, None, None),
            Serving::Disaggregated { prefill, decode } => (false, prefill.workers, decode.workers),
        };
        let concurrency = f64::from(load.concurrency);
        let sequences = concurrency / f64::from(decode_workers.unwrap_or(1).max(1));
        let parallelism = deployment.serving.decode();
        let fitting =
            plan_memory(model, deployment.gpu, deployment.precision, &parallelism, load.mean_context())
                .map_or(0.0, |plan| f64::from(plan.sequences));
        Situation {
            decode: decode_terms(deployment, load, sequences),
            prefill: prefill_terms(deployment, load),
            engine: deployment.engine,
            precision: deployment.precision,
            sequences,
            concurrency,
            prefill_workers: f64::from(prefill_workers.unwrap_or(1).max(1)),
            fitting,
            input_tokens: f64::from(load.input_tokens),
            output_tokens: f64::from(load.output_tokens),
            aggregated,
            mixture: if model.experts.is_some() { 1.0 } else { 0.0 },
            latent: if model.latent_attention.is_some() { 1.0 } else { 0.0 },
            linear_layers: model.linear_attention.as_ref().map_or(0.0, |linear| f64::from(linear.layers)),
            blackwell: match deployment.gpu.architecture {
                Architecture::Blackwell | Architecture::BlackwellUltra | Architecture::Cdna4 => 1.0,
                _ => 0.0,
            },
        }
    }

    pub(crate) fn is(&self, precision: Precision) -> f64 {
        if self.precision == precision { 1.0 } else { 0.0 }
    }

    fn own(&self, per_engine: &[f64]) -> f64 {
        per_engine[self.engine as usize]
    }
}

/// Number of factors of the prefill, which both formulas end with.
const PREFILL_FACTORS: usize = 9;
/// Number of factors of the time per output token.
pub(crate) const TPOT_FACTORS: usize = 29 + PREFILL_FACTORS;
/// Number of factors of the time to first token.
pub(crate) const TTFT_FACTORS: usize = 21 + PREFILL_FACTORS;

/// Where the factors start before they are fitted (logarithms; overheads in microseconds).
pub(crate) const TPOT_START: [f64; TPOT_FACTORS] = [
    0.25, 0.4, 0.25, 0.5, 0.0, 0.0,
    0.0, // rates: dense, experts, cache, compute, transfer, Blackwell, four bits
    0.0, 0.0, 0.0, 3.0, 3.0, 3.0, 2.3, 2.3, 2.3, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0, 2.0,
    2.0, // per engine
    0.0, 1.0, 1.0, 0.0, // split deployment, latent layers, linear layers, 16-bit cache
    0.7, 0.0, 0.0, 0.0, 0.0, 0.5, 0.0, 0.3, 0.0,
];

/// Where the factors start before they are fitted (logarithms; overheads in milliseconds).
pub(crate) const TTFT_START: [f64; TTFT_FACTORS] = [
    3.5, 3.5, 3.5, 0.0, 0.0, 0.0, -1.0, -1.0, -1.0, 0.0, 0.0, 0.0, -6.5, -6.5, -6.5, // per engine
    -2.0, 1.0, 0.5, -2.0, 0.0, 3.0, // split wait, split overhead, step, full cache, weights, mixture
    0.7, 0.0, 0.0, 0.0, 0.0, 0.5, 0.0, 0.3, 0.0,
];

/// First places of the factors that each engine has its own of.
pub(crate) const TPOT_PER_ENGINE: [usize; 6] = [7, 10, 13, 16, 19, 22];
/// First places of the factors that each engine has its own of.
pub(crate) const TTFT_PER_ENGINE: [usize; 5] = [0, 3, 6, 9, 12];

/// Milliseconds of reading one prompt.
pub(crate) fn prefill_ms(factors: &[f64], at: &Situation) -> f64 {
    let [rate, blackwell, four, integer, sixteen, attention, transfer, mixture, latent] = match factors {
        [a, b, c, d, e, f, g, h, i] => [*a, *b, *c, *d, *e, *f, *g, *h, *i],
        _ => [0.0; PREFILL_FACTORS],
    };
    let compute = rate
        + blackwell * at.blackwell
        + four * at.is(Precision::Fp4)
        + integer * at.is(Precision::Int4)
        + sixteen * at.is(Precision::Bf16)
        + mixture * at.mixture
        + latent * at.latent;
    compute.exp() * at.prefill.compute
        + attention.exp() * at.prefill.attention
        + transfer.exp() * at.prefill.transfer
}

/// Milliseconds of one decode step.
pub(crate) fn step_ms(factors: &[f64; TPOT_FACTORS], at: &Situation) -> f64 {
    let f = factors;
    let decode = &at.decode;
    let reading = (f[5] * at.blackwell + at.own(&f[7..10])).exp();
    let read = f[0].exp() * decode.dense_weights
        + (f[1] + f[6] * at.is(Precision::Fp4)).exp() * decode.expert_weights
        + (f[2] + f[28] * at.is(Precision::Bf16)).exp() * decode.cache;
    let overhead_us = at.own(&f[10..13]).exp() * decode.layers
        + at.own(&f[13..16]).exp() * decode.synchronised_layers
        + at.own(&f[16..19]).exp() * at.sequences
        + at.own(&f[22..25]).exp() * at.mixture * decode.layers
        + f[26].exp() * at.latent * decode.layers
        + f[27].exp() * at.linear_layers;
    let split = if at.aggregated { 0.0 } else { f[25] };
    (read * reading + f[3].exp() * decode.compute + f[4].exp() * decode.transfer + overhead_us * 1e-3)
        * split.exp()
}

/// Milliseconds per output token, `(end to end − time to first token) / (output tokens − 1)`.
pub(crate) fn tpot_ms(factors: &[f64; TPOT_FACTORS], at: &Situation) -> f64 {
    let step = step_ms(factors, at);
    if !at.aggregated {
        return step;
    }
    let running = at.sequences.min(at.fitting.max(1.0));
    let others = (running - 1.0).max(0.0) * prefill_ms(&factors[29..], at) / at.output_tokens;
    step + at.own(&factors[19..22]).exp() * others
}

/// Milliseconds to the first token, given the milliseconds per output token.
pub(crate) fn ttft_ms(factors: &[f64; TTFT_FACTORS], at: &Situation, tpot: f64) -> f64 {
    let f = factors;
    let prefill = prefill_ms(&f[21..], at) + f[19].exp() * at.prefill.weights;
    let split = if at.aggregated { 0.0 } else { f[16] };
    let overhead = (at.own(&f[0..3]) + split).exp() + f[20].exp() * at.mixture;
    let ahead = if at.aggregated {
        at.own(&f[6..9]).exp() * at.sequences.max(1e-3).powf(at.own(&f[9..12]).exp())
    } else {
        f[15].exp() * at.concurrency / at.prefill_workers
    };
    let writing = at.output_tokens * tpot;
    let excess =
        if at.aggregated { (at.concurrency / at.fitting.max(0.5) - 1.0).clamp(0.0, 2.0) } else { 0.0 };
    overhead
        + (at.own(&f[3..6]).exp() + ahead) * prefill
        + f[17].exp() * tpot
        + (at.own(&f[12..15]).exp() + f[18].exp() * excess) * writing
}
