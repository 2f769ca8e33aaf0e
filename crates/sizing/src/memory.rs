//! What a deployment needs of the GPUs' memory, and how many sequences fit beside the weights.
//!
//! Formula of the cache: `2 · layers · kv_heads · head_dim · bytes` per token (grouped-query attention), one latent
//! vector per token and layer (multi-head latent attention), at most the window (sliding window), a constant state
//! (linear attention). Activations and the runtime take a fixed reserve.

use crate::catalogue::{Gpu, Model};
use crate::deployment::{Parallelism, Precision};

/// Bytes of a GPU that weights and cache cannot use: runtime, graphs and communication buffers.
const RESERVED_BYTES: f64 = 3.5e9;
/// Share of the memory that engines let weights and cache take.
const USABLE_SHARE: f64 = 0.93;

/// Bytes of all weights of a model. Embeddings and, in mixtures of experts below eight bits, the attention stay wider,
/// as published checkpoints have it.
pub fn weight_bytes(model: &Model, precision: Precision) -> f64 {
    let embeddings = model.embedding_parameters() * if model.tied_embeddings { 1.0 } else { 2.0 };
    embeddings * 2.0
        + model.attention_parameters() * attention_weight_bytes(model, precision)
        + (model.dense_feed_forward_parameters() + model.routed_expert_parameters()) * precision.bytes()
}

/// Bytes of one weight of the attention.
pub(crate) fn attention_weight_bytes(model: &Model, precision: Precision) -> f64 {
    match (precision, model.experts.is_some()) {
        (Precision::Fp4, true) if model.latent_attention.is_some() => 1.0,
        (Precision::Fp4 | Precision::Int4, true) => 2.0,
        _ => precision.bytes(),
    }
}

/// Bytes of one number in the cache: engines keep 8 bits where the weights are 8 bits or narrower, else 16.
pub(crate) fn cache_number_bytes(precision: Precision) -> f64 {
    match precision {
        Precision::Bf16 | Precision::Int4 => 2.0,
        Precision::Fp8 | Precision::Fp4 => 1.0,
    }
}

/// Bytes that one sequence of `tokens` tokens keeps, over all layers, with `number_bytes` bytes a number.
pub fn kv_bytes_per_sequence(model: &Model, tokens: f64, number_bytes: f64) -> f64 {
    let linear = model.linear_attention.as_ref();
    let linear_layers = linear.map_or(0, |linear| linear.layers);
    let windowed = model.sliding_window.as_ref();
    let windowed_layers = windowed.map_or(0, |window| window.layers);
    let full_layers = model.layers.saturating_sub(linear_layers + windowed_layers);
    let per_layer_token = match &model.latent_attention {
        Some(latent) => f64::from(latent.kv_rank + latent.rope_dim),
        None => 2.0 * f64::from(model.kv_heads) * f64::from(model.head_dim),
    };
    let window = windowed.map_or(0.0, |window| tokens.min(f64::from(window.window)));
    let numbers = per_layer_token * (f64::from(full_layers) * tokens + f64::from(windowed_layers) * window);
    numbers * number_bytes + linear.map_or(0.0, |linear| linear.state_bytes())
}

/// How the memory of one instance is used; bytes are per GPU.
#[derive(Debug, Clone, PartialEq)]
pub struct MemoryPlan {
    /// Weights on one GPU.
    pub weight_bytes: f64,
    /// Cache that one sequence of the asked length takes on the GPU that holds it.
    pub sequence_bytes: f64,
    /// Memory of one GPU left for the cache.
    pub cache_bytes: f64,
    /// Sequences of the asked length that fit at once over the instance.
    pub sequences: u32,
}

/// The weights, or one sequence beside them, exceed the memory.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "does not fit: {model} in {precision} needs {needed_gb:.1} GB per GPU on {gpus} of {gpu} ({part}), and {usable_gb:.1} GB are usable; use more GPUs, a narrower precision or shorter sequences"
)]
pub struct DoesNotFit {
    /// Model asked for.
    pub model: String,
    /// Precision asked for.
    pub precision: &'static str,
    /// GPU asked for.
    pub gpu: String,
    /// GPUs of one instance.
    pub gpus: u32,
    /// `weights` or `weights and one sequence`.
    pub part: &'static str,
    /// 10⁹ bytes needed on each GPU.
    pub needed_gb: f64,
    /// 10⁹ bytes usable on each GPU.
    pub usable_gb: f64,
}

/// Plans the memory of one instance for sequences of `tokens` tokens.
///
/// # Errors
/// The weights, or the weights and one sequence, exceed the usable memory.
pub fn plan_memory(
    model: &Model,
    gpu: &Gpu,
    precision: Precision,
    parallelism: &Parallelism,
    tokens: f64,
) -> Result<MemoryPlan, DoesNotFit> {
    let tp = f64::from(parallelism.tp.max(1));
    let pp = f64::from(parallelism.pp.max(1));
    let gpus = f64::from(parallelism.gpus());
    let routed = model.routed_expert_parameters() * precision.bytes() / gpus;
    let rest =
        (weight_bytes(model, precision) - model.routed_expert_parameters() * precision.bytes()) / (tp * pp);
    let weights = routed + rest;
    let sequence = kv_bytes_per_sequence(model, tokens, cache_number_bytes(precision))
        / (cache_split(model, parallelism) * pp);
    let usable = (gpu.memory_gb * 1e9 * USABLE_SHARE - RESERVED_BYTES).max(0.0);
    let refuse = |part: &'static str, needed: f64| DoesNotFit {
        model: model.name.clone(),
        precision: precision.name(),
        gpu: gpu.name.clone(),
        gpus: parallelism.gpus(),
        part,
        needed_gb: needed / 1e9,
        usable_gb: usable / 1e9,
    };
    if weights > usable {
        return Err(refuse("weights", weights));
    }
    let cache = usable - weights;
    let per_copy = (cache / sequence.max(1.0)).floor();
    if per_copy < 1.0 {
        return Err(refuse("weights and one sequence", weights + sequence));
    }
    let sequences = (per_copy * f64::from(parallelism.attention_dp.max(1))).min(f64::from(u32::MAX)) as u32;
    Ok(MemoryPlan { weight_bytes: weights, sequence_bytes: sequence, cache_bytes: cache, sequences })
}

/// Over how many GPUs the cache of one sequence is split: heads can be, a latent vector cannot.
pub(crate) fn cache_split(model: &Model, parallelism: &Parallelism) -> f64 {
    match model.latent_attention {
        Some(_) => 1.0,
        None => f64::from(parallelism.tp.clamp(1, model.kv_heads.max(1))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;

    fn model(name: &str) -> &'static Model {
        Catalogue::built_in().model(name).expect("is in the catalogue")
    }

    fn gpu(name: &str) -> &'static Gpu {
        Catalogue::built_in().gpu(name).expect("is in the catalogue")
    }

    #[test]
    fn cache_per_token_matches_the_published_figures() {
        for (name, bytes) in [
            ("Llama-3.1-8B", 131_072.0),
            ("Llama-3.1-70B", 327_680.0),
            ("Llama-3.1-405B", 516_096.0),
            ("Qwen3-32B", 262_144.0),
            ("DeepSeek-V3", 70_272.0),
        ] {
            assert_eq!(kv_bytes_per_sequence(model(name), 1.0, 2.0), bytes, "{name}");
        }
    }

    #[test]
    fn a_window_stops_the_cache_from_growing_and_a_state_is_constant() {
        let windowed = model("gpt-oss-120b");
        let full = windowed.layers - windowed.sliding_window.as_ref().expect("alternates").layers;
        let growth =
            kv_bytes_per_sequence(windowed, 2000.0, 2.0) - kv_bytes_per_sequence(windowed, 1000.0, 2.0);
        assert_eq!(growth, 1000.0 * f64::from(full) * 2.0 * 8.0 * 64.0 * 2.0);
        let hybrid = model("Qwen3.5-397B-A17B");
        assert!(kv_bytes_per_sequence(hybrid, 0.0, 2.0) > 1e8);
    }

    #[test]
    fn seventy_billion_parameters_in_sixteen_bits_need_two_large_gpus() {
        let refused = plan_memory(
            model("Llama-3.1-70B"),
            gpu("a100"),
            Precision::Bf16,
            &Parallelism::tensor(1),
            2048.0,
        )
        .expect_err("140 GB do not fit into 80 GB");
        assert!(refused.to_string().contains("141"), "{refused}");
        let plan = plan_memory(
            model("Llama-3.1-70B"),
            gpu("h100"),
            Precision::Bf16,
            &Parallelism::tensor(4),
            2048.0,
        )
        .expect("fits");
        assert!((150..250).contains(&plan.sequences), "{plan:?}");
        let halved = plan_memory(
            model("Llama-3.1-70B"),
            gpu("h100"),
            Precision::Bf16,
            &Parallelism::tensor(4),
            4096.0,
        )
        .expect("fits");
        assert!(halved.sequences <= plan.sequences / 2 + 1);
    }

    #[test]
    fn data_parallel_attention_keeps_more_latent_sequences_than_tensor_parallel_attention() {
        let spread = Parallelism { tp: 1, pp: 1, attention_dp: 8, moe_tp: 1, moe_ep: 8 };
        let tensor =
            plan_memory(model("DeepSeek-R1"), gpu("h200"), Precision::Fp8, &Parallelism::tensor(8), 9000.0);
        let data = plan_memory(model("DeepSeek-R1"), gpu("h200"), Precision::Fp8, &spread, 9000.0);
        assert!(data.expect("fits").sequences > 2 * tensor.expect("fits").sequences);
    }
}
