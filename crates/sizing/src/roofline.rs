//! The physics of serving: what one decode step and one prefill must read, compute and send, in milliseconds at the
//! GPU's nominal rates. Real engines reach a part of those rates; the factors are fitted elsewhere.
//!
//! Formulas: a step reads the weights once and the cache of every sequence; a mixture of experts reads the experts
//! that the batch touches; a prompt costs 2 operations per active parameter and token, and attention grows with the
//! square of its length; tensor parallelism sends the residual stream twice a layer.

use crate::catalogue::Model;
use crate::deployment::{Deployment, Load, Parallelism};
use crate::memory::{attention_weight_bytes, cache_number_bytes, cache_split, kv_bytes_per_sequence};

/// Parts of one decode step, milliseconds at nominal rates unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DecodeTerms {
    /// Reading attention, dense and head weights.
    pub dense_weights: f64,
    /// Reading the experts that the batch touches.
    pub expert_weights: f64,
    /// Reading the cache.
    pub cache: f64,
    /// Matrix products.
    pub compute: f64,
    /// Moving the residual stream between GPUs.
    pub transfer: f64,
    /// Layers, the unit of overhead per layer.
    pub layers: f64,
    /// Layers that synchronise GPUs (zero for one GPU).
    pub synchronised_layers: f64,
}

/// Parts of reading one prompt, milliseconds at nominal rates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PrefillTerms {
    /// Matrix products with weights.
    pub compute: f64,
    /// Attention over the prompt.
    pub attention: f64,
    /// Reading all weights once, the floor of a short prompt.
    pub weights: f64,
    /// Moving the residual stream between GPUs.
    pub transfer: f64,
}

/// Parts of one decode step of an instance that holds `sequences` sequences at the load's mean context.
pub fn decode_terms(deployment: &Deployment<'_>, load: &Load, sequences: f64) -> DecodeTerms {
    let model = deployment.model;
    let parallelism = deployment.serving.decode();
    let bandwidth = deployment.gpu.bandwidth_tb_s * 1e9;
    let gpus = f64::from(parallelism.gpus());
    let tp = f64::from(parallelism.tp.max(1));
    let precision = deployment.precision;
    let per_copy = (sequences / f64::from(parallelism.attention_dp.max(1))).max(1.0);
    let dense = model.attention_parameters() * attention_weight_bytes(model, precision)
        + model.dense_feed_forward_parameters() * precision.bytes()
        + model.embedding_parameters() * 2.0;
    let touched = model.experts.as_ref().map_or(0.0, |experts| experts.touched(sequences));
    let experts =
        touched * f64::from(model.expert_layers()) * model.parameters_per_expert() * precision.bytes() / gpus;
    let context = attended_context(model, load.mean_context());
    let cache = per_copy * kv_bytes_per_sequence(model, context, cache_number_bytes(precision))
        / cache_split(model, &parallelism);
    let operations = 2.0 * sequences * model.parameters_active as f64 / gpus;
    let sent = 4.0 * sent_bytes(model, &parallelism, per_copy);
    DecodeTerms {
        dense_weights: dense / tp / bandwidth,
        expert_weights: experts / bandwidth,
        cache: cache / bandwidth,
        compute: operations / (precision.tflops(deployment.gpu) * 1e9),
        transfer: sent / (deployment.gpu.link_gb_s * 1e6),
        layers: f64::from(model.layers),
        synchronised_layers: if gpus > 1.0 { f64::from(model.layers) } else { 0.0 },
    }
}

/// Parts of reading one prompt of the load on one instance.
pub fn prefill_terms(deployment: &Deployment<'_>, load: &Load) -> PrefillTerms {
    let model = deployment.model;
    let parallelism = deployment.serving.prefill();
    let gpus = f64::from(parallelism.gpus());
    let tp = f64::from(parallelism.tp.max(1));
    let tokens = f64::from(load.input_tokens);
    let flops = deployment.precision.tflops(deployment.gpu) * 1e9;
    let active = (model.parameters_active as f64 - model.embedding_parameters()).max(0.0);
    let full_layers = attending_layers(model, tokens);
    let attention =
        2.0 * full_layers * f64::from(model.attention_heads) * attention_width(model) * tokens * tokens;
    let touched = model.experts.as_ref().map_or(0.0, |experts| experts.touched(tokens));
    let weights = (model.attention_parameters() + model.dense_feed_forward_parameters()) / tp
        + touched * f64::from(model.expert_layers()) * model.parameters_per_expert() / gpus;
    PrefillTerms {
        compute: 2.0 * active * tokens / (gpus * flops),
        attention: attention / (tp * deployment.gpu.bf16_tflops * 1e9),
        weights: weights * deployment.precision.bytes() / (deployment.gpu.bandwidth_tb_s * 1e9),
        transfer: 4.0 * sent_bytes(model, &parallelism, tokens) / (deployment.gpu.link_gb_s * 1e6),
    }
}

/// Bytes that all layers send for `tokens` tokens in one direction, two exchanges of 16-bit vectors a layer.
fn sent_bytes(model: &Model, parallelism: &Parallelism, tokens: f64) -> f64 {
    let ranks = f64::from(parallelism.tp.max(1)).max(f64::from(parallelism.moe_ep.max(1)));
    f64::from(model.layers) * 2.0 * tokens * f64::from(model.hidden_size) * (ranks - 1.0) / ranks
}

/// Context that a decode step reads, in tokens.
fn attended_context(model: &Model, context: f64) -> f64 {
    model.sparse_attention_tokens.map_or(context, |picked| context.min(f64::from(picked)))
}

/// Layers that attend to the whole prompt, with windowed layers counted by the share they see.
fn attending_layers(model: &Model, tokens: f64) -> f64 {
    let linear = f64::from(model.linear_attention.as_ref().map_or(0, |linear| linear.layers));
    let (window, windowed) = model
        .sliding_window
        .as_ref()
        .map_or((0.0, 0.0), |window| (f64::from(window.window), f64::from(window.layers)));
    let share = if tokens > 0.0 { (2.0 * window / tokens).min(1.0) } else { 0.0 };
    f64::from(model.layers) - linear - windowed + windowed * share
}

/// Mean width of a head's key and value.
fn attention_width(model: &Model) -> f64 {
    match &model.latent_attention {
        Some(latent) => f64::from(latent.nope_dim + latent.rope_dim + latent.value_dim) / 2.0,
        None => f64::from(model.head_dim),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;
    use crate::deployment::{Engine, Precision, Serving};

    fn deployment(model: &str, tp: u32) -> Deployment<'static> {
        let catalogue = Catalogue::built_in();
        Deployment {
            model: catalogue.model(model).expect("known"),
            gpu: catalogue.gpu("h100").expect("known"),
            engine: Engine::Vllm,
            version: None,
            precision: Precision::Bf16,
            serving: Serving::Aggregated(Parallelism::tensor(tp)),
        }
    }

    const LOAD: Load = Load { input_tokens: 1024, output_tokens: 128, concurrency: 8 };

    #[test]
    fn an_eight_billion_model_reads_its_weights_in_under_five_milliseconds() {
        let terms = decode_terms(&deployment("Llama-3.1-8B", 1), &LOAD, 1.0);
        assert!((4.0..5.0).contains(&terms.dense_weights), "{terms:?}");
        assert_eq!(terms.expert_weights, 0.0);
        assert_eq!(terms.transfer, 0.0);
    }

    #[test]
    fn a_larger_batch_of_a_mixture_touches_more_experts() {
        let few = decode_terms(&deployment("Qwen3-235B-A22B", 8), &LOAD, 1.0);
        let many = decode_terms(&deployment("Qwen3-235B-A22B", 8), &LOAD, 64.0);
        assert!(many.expert_weights > 10.0 * few.expert_weights);
        assert_eq!(many.dense_weights, few.dense_weights);
    }

    #[test]
    fn a_prompt_of_twice_the_length_costs_four_times_the_attention() {
        let once = prefill_terms(&deployment("Llama-3.1-8B", 1), &LOAD);
        let twice = prefill_terms(&deployment("Llama-3.1-8B", 1), &Load { input_tokens: 2048, ..LOAD });
        assert!((twice.attention / once.attention - 4.0).abs() < 1e-9);
        assert!((twice.compute / once.compute - 2.0).abs() < 1e-9);
    }
}
