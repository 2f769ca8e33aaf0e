//! The models and GPUs that are known by name, with the dimensions that memory and time follow from.
//!
//! Both lists are data (`assets/models.json`, `assets/gpus.json`), read once. Lookup forgives case, an organisation
//! before a slash and the usual suffixes of fine-tuned or quantised copies; an unknown name gets the nearest ones.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use strsim::osa_distance;

static BUILT_IN: LazyLock<Catalogue> = LazyLock::new(|| {
    Catalogue::parse(include_str!("../assets/models.json"), include_str!("../assets/gpus.json"))
        .expect("the built-in catalogue is checked by a test")
});

/// Known models and GPUs.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalogue {
    models: Vec<Model>,
    gpus: Vec<Gpu>,
}

impl Catalogue {
    /// The catalogue that ships with the program.
    pub fn built_in() -> &'static Catalogue {
        &BUILT_IN
    }

    /// Reads a catalogue from the two JSON documents, for instance the built-in ones with a team's own model added.
    ///
    /// # Errors
    /// A document that is not JSON of the expected shape, with the document's kind and the place.
    pub fn parse(models: &str, gpus: &str) -> Result<Catalogue, CatalogueError> {
        #[derive(Deserialize)]
        struct Models {
            models: Vec<Model>,
        }
        #[derive(Deserialize)]
        struct Gpus {
            gpus: Vec<Gpu>,
        }
        let models: Models =
            serde_json::from_str(models).map_err(|source| CatalogueError { document: "models", source })?;
        let gpus: Gpus =
            serde_json::from_str(gpus).map_err(|source| CatalogueError { document: "gpus", source })?;
        Ok(Catalogue { models: models.models, gpus: gpus.gpus })
    }

    /// The same models with the GPUs that can be had, at other prices where `usd_per_hour` names them.
    #[must_use]
    pub fn restricted(&self, had: impl Fn(&Gpu) -> bool, usd_per_hour: &BTreeMap<String, f64>) -> Catalogue {
        let priced = |gpu: &Gpu| Gpu {
            usd_per_hour: usd_per_hour.get(&gpu.name).copied().unwrap_or(gpu.usd_per_hour),
            ..gpu.clone()
        };
        let gpus = self.gpus.iter().filter(|gpu| had(gpu)).map(priced).collect();
        Catalogue { models: self.models.clone(), gpus }
    }

    /// All models, in the order of the list.
    pub fn models(&self) -> &[Model] {
        &self.models
    }

    /// All GPUs, in the order of the list.
    pub fn gpus(&self) -> &[Gpu] {
        &self.gpus
    }

    /// The model of a name.
    ///
    /// # Errors
    /// No model has this name; the error lists the nearest names.
    pub fn model(&self, name: &str) -> Result<&Model, UnknownName> {
        find("model", name, &self.models, |model| (&model.name, &model.aliases))
    }

    /// The GPU of a name, such as `h100_sxm`, `H100` or `RTX 4090`.
    ///
    /// # Errors
    /// No GPU has this name; the error lists the nearest names.
    pub fn gpu(&self, name: &str) -> Result<&Gpu, UnknownName> {
        find("gpu", name, &self.gpus, |gpu| (&gpu.name, &gpu.aliases))
    }
}

/// A transformer with the dimensions that its memory and time follow from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Usual name without the organisation.
    pub name: String,
    /// Organisation that publishes it.
    pub organisation: String,
    /// Other names of the same dimensions.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// All parameters.
    pub parameters_total: u64,
    /// Parameters that one token passes through.
    pub parameters_active: u64,
    /// Decoder layers.
    pub layers: u32,
    /// Width of the residual stream.
    pub hidden_size: u32,
    /// Query heads of a layer.
    pub attention_heads: u32,
    /// Key and value heads of a layer.
    pub kv_heads: u32,
    /// Width of one head.
    pub head_dim: u32,
    /// Width of a dense feed-forward block.
    pub intermediate_size: u32,
    /// Entries of the vocabulary.
    pub vocabulary: u32,
    /// Whether input and output embeddings are one matrix.
    #[serde(default)]
    pub tied_embeddings: bool,
    /// Longest context in tokens.
    pub max_context: u32,
    /// Licence in words.
    pub licence: String,
    /// Precision the weights are published in.
    pub native_precision: String,
    /// Where the dimensions come from, in words.
    pub source: String,
    /// Mixture of experts, if the model is one.
    #[serde(default)]
    pub experts: Option<Experts>,
    /// Multi-head latent attention, if the model uses it.
    #[serde(default)]
    pub latent_attention: Option<LatentAttention>,
    /// Layers that see a window of the context only.
    #[serde(default)]
    pub sliding_window: Option<SlidingWindow>,
    /// Layers whose attention is a state of constant size.
    #[serde(default)]
    pub linear_attention: Option<LinearAttention>,
    /// Whether the query projection also makes an output gate.
    #[serde(default)]
    pub gated_query: bool,
    /// Tokens that sparse attention picks from the context, if it does.
    #[serde(default)]
    pub sparse_attention_tokens: Option<u32>,
}

impl Model {
    /// Layers whose feed-forward block is a mixture of experts.
    pub fn expert_layers(&self) -> u32 {
        self.experts.as_ref().map_or(0, |experts| self.layers.saturating_sub(experts.dense_layers))
    }

    /// Parameters of one expert in one layer (gate, up and down projection).
    pub fn parameters_per_expert(&self) -> f64 {
        self.experts
            .as_ref()
            .map_or(0.0, |experts| 3.0 * f64::from(self.hidden_size) * f64::from(experts.intermediate_size))
    }

    /// Parameters of all routed experts of all layers.
    pub fn routed_expert_parameters(&self) -> f64 {
        let count = self.experts.as_ref().map_or(0, |experts| experts.count);
        f64::from(self.expert_layers()) * f64::from(count) * self.parameters_per_expert()
    }

    /// Parameters of the attention projections of all layers.
    pub fn attention_parameters(&self) -> f64 {
        let hidden = f64::from(self.hidden_size);
        let heads = f64::from(self.attention_heads);
        let head_dim = f64::from(self.head_dim);
        let per_layer = match &self.latent_attention {
            Some(latent) => latent.parameters(hidden, heads),
            None => {
                let query_and_output = if self.gated_query { 3.0 } else { 2.0 };
                hidden * head_dim * (query_and_output * heads + 2.0 * f64::from(self.kv_heads))
            }
        };
        let linear_layers = self.linear_attention.as_ref().map_or(0, |linear| linear.layers);
        let linear = self.linear_attention.as_ref().map_or(0.0, |linear| linear.parameters(hidden));
        per_layer * f64::from(self.layers.saturating_sub(linear_layers)) + linear * f64::from(linear_layers)
    }

    /// Parameters of one embedding matrix, which is also the size of the output head.
    pub fn embedding_parameters(&self) -> f64 {
        f64::from(self.vocabulary) * f64::from(self.hidden_size)
    }

    /// Parameters of dense feed-forward blocks, shared experts and routers.
    pub fn dense_feed_forward_parameters(&self) -> f64 {
        let hidden = f64::from(self.hidden_size);
        let block = 3.0 * hidden * f64::from(self.intermediate_size);
        match &self.experts {
            None => f64::from(self.layers) * block,
            Some(experts) => {
                f64::from(experts.dense_layers) * block
                    + f64::from(self.expert_layers())
                        * (f64::from(experts.shared) * self.parameters_per_expert()
                            + hidden * f64::from(experts.count))
            }
        }
    }
}

/// Mixture of experts: sizes of the routed and shared feed-forward blocks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experts {
    /// Routed experts in a layer.
    pub count: u32,
    /// Routed experts that one token uses.
    pub per_token: u32,
    /// Experts that every token uses.
    pub shared: u32,
    /// Width of one expert.
    pub intermediate_size: u32,
    /// Leading layers without experts.
    pub dense_layers: u32,
}

impl Experts {
    /// Expected number of distinct experts of a layer that `tokens` tokens touch, if each picks evenly:
    /// `count · (1 − (1 − per_token / count)^tokens)`.
    pub fn touched(&self, tokens: f64) -> f64 {
        let count = f64::from(self.count.max(1));
        let missed = 1.0 - f64::from(self.per_token) / count;
        count * (1.0 - missed.clamp(0.0, 1.0).powf(tokens.max(0.0)))
    }
}

/// Multi-head latent attention (DeepSeek-V2, 2024): the cache holds one compressed vector per token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatentAttention {
    /// Width of the compressed key and value.
    pub kv_rank: u32,
    /// Width of the part that carries positions.
    pub rope_dim: u32,
    /// Width of the compressed query.
    pub query_rank: u32,
    /// Width of a head without positions.
    pub nope_dim: u32,
    /// Width of a value head.
    pub value_dim: u32,
}

impl LatentAttention {
    fn parameters(&self, hidden: f64, heads: f64) -> f64 {
        let [kv, rope, query, nope, value] =
            [self.kv_rank, self.rope_dim, self.query_rank, self.nope_dim, self.value_dim].map(f64::from);
        hidden * query
            + query * heads * (nope + rope)
            + hidden * (kv + rope)
            + kv * heads * (nope + value)
            + heads * value * hidden
    }
}

/// Layers whose attention sees only the last tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlidingWindow {
    /// Tokens that such a layer sees.
    pub window: u32,
    /// How many layers do.
    pub layers: u32,
}

/// Layers with a recurrent state instead of a cache (gated delta rule).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinearAttention {
    /// How many layers do.
    pub layers: u32,
    /// Key heads.
    pub key_heads: u32,
    /// Value heads.
    pub value_heads: u32,
    /// Width of a head.
    pub head_dim: u32,
}

impl LinearAttention {
    fn parameters(&self, hidden: f64) -> f64 {
        hidden
            * f64::from(self.head_dim)
            * (2.0 * f64::from(self.key_heads) + 3.0 * f64::from(self.value_heads))
    }

    /// Bytes of the states of all such layers for one sequence, kept in 32 bits.
    pub fn state_bytes(&self) -> f64 {
        let head = f64::from(self.head_dim);
        f64::from(self.layers) * f64::from(self.value_heads) * head * head * 4.0
    }
}

/// GPU generation, as far as its number formats differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the vendors' names of the generations")]
pub enum Architecture {
    Ampere,
    Ada,
    Hopper,
    Blackwell,
    BlackwellUltra,
    Cdna3,
    Cdna4,
}

/// One GPU with its rates; all rates are dense (no sparsity) and per GPU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gpu {
    /// Usual name.
    pub name: String,
    /// Other names.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Generation.
    pub architecture: Architecture,
    /// Memory in 10⁹ bytes.
    pub memory_gb: f64,
    /// Memory bandwidth in 10¹² bytes per second.
    pub bandwidth_tb_s: f64,
    /// 16-bit rate in 10¹² operations per second.
    pub bf16_tflops: f64,
    /// 8-bit floating point rate, if the GPU has the format.
    pub fp8_tflops: Option<f64>,
    /// 4-bit floating point rate, if the GPU has the format.
    pub fp4_tflops: Option<f64>,
    /// 8-bit integer rate.
    pub int8_tops: Option<f64>,
    /// Bandwidth to the neighbours in 10⁹ bytes per second, both directions together.
    pub link_gb_s: f64,
    /// GPUs that reach each other over that link.
    pub gpus_per_link_domain: u32,
    /// Rough public price of one GPU for an hour, US dollars.
    pub usd_per_hour: f64,
    /// Month of the price.
    pub price_as_of: String,
    /// Where the figures come from, in words.
    pub source: String,
}

/// A catalogue document that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the catalogue of {document} is not valid: check the named line")]
pub struct CatalogueError {
    document: &'static str,
    source: serde_json::Error,
}

/// A name that the catalogue does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} `{name}` is not in the catalogue; the nearest names are {}", nearest.join(", "))]
pub struct UnknownName {
    /// `model` or `gpu`.
    pub kind: &'static str,
    /// The name that was asked for.
    pub name: String,
    /// Up to three names that resemble it, the nearest first.
    pub nearest: Vec<String>,
}

fn find<'a, T>(
    kind: &'static str,
    name: &str,
    entries: &'a [T],
    names: impl Fn(&T) -> (&String, &Vec<String>),
) -> Result<&'a T, UnknownName> {
    let mut wanted = plain(name);
    loop {
        let found = entries.iter().find(|entry| {
            let (usual, aliases) = names(entry);
            std::iter::once(usual).chain(aliases).any(|known| squeeze(&plain(known)) == squeeze(&wanted))
        });
        if let Some(entry) = found {
            return Ok(entry);
        }
        match without_suffix(&wanted) {
            Some(shorter) => wanted = shorter,
            None => break,
        }
    }
    let mut ranked: Vec<(usize, &String)> = entries
        .iter()
        .map(|entry| {
            let usual = names(entry).0;
            (osa_distance(&squeeze(&wanted), &squeeze(&plain(usual))), usual)
        })
        .collect();
    ranked.sort();
    let nearest = ranked.into_iter().take(3).map(|(_, usual)| usual.clone()).collect();
    Err(UnknownName { kind, name: name.to_owned(), nearest })
}

/// Lower case, without what stands before the last slash, with one kind of separator.
fn plain(name: &str) -> String {
    let last = name.trim().rsplit('/').next().unwrap_or_default();
    last.to_lowercase().replace(['_', ' '], "-")
}

fn squeeze(name: &str) -> String {
    name.replace('-', "")
}

/// The name without its last dash-separated part, if that part says how a copy was tuned or quantised.
fn without_suffix(name: &str) -> Option<String> {
    const PARTS: &[&str] = &[
        "instruct",
        "chat",
        "it",
        "hf",
        "base",
        "thinking",
        "fp8",
        "nvfp4",
        "fp4",
        "mxfp4",
        "bf16",
        "int4",
        "int8",
        "awq",
        "gptq",
        "w4a16",
        "w8a8",
        "dynamic",
        "quantized",
        "turbo",
        "2507",
        "2407",
        "2409",
        "2411",
        "v0.1",
        "v0.2",
        "v0.3",
        "tee",
        "block",
    ];
    let (rest, part) = name.rsplit_once('-')?;
    PARTS.contains(&part).then(|| rest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dimensions_of_every_model_add_up_to_its_published_parameter_count() {
        for model in Catalogue::built_in().models() {
            let embeddings = if model.tied_embeddings { 1.0 } else { 2.0 } * model.embedding_parameters();
            let summed = embeddings
                + model.attention_parameters()
                + model.dense_feed_forward_parameters()
                + model.routed_expert_parameters();
            let ratio = summed / model.parameters_total as f64;
            assert!(
                (0.98..1.02).contains(&ratio),
                "{}: dimensions give {ratio} of the published count",
                model.name
            );
            assert!(!model.source.is_empty() && model.parameters_active <= model.parameters_total);
        }
    }

    #[test]
    fn names_are_found_whatever_their_case_organisation_or_suffix() {
        let catalogue = Catalogue::built_in();
        for (asked, found) in [
            ("meta-llama/Llama-3.1-8B-Instruct", "Llama-3.1-8B"),
            ("nvidia/Llama-3.1-8B-Instruct-FP8", "Llama-3.1-8B"),
            ("nvidia/DeepSeek-R1-NVFP4", "DeepSeek-R1"),
            ("nvidia/DeepSeek-V3.1-NVFP4", "DeepSeek-V3"),
            ("Qwen/Qwen3-235B-A22B-FP8", "Qwen3-235B-A22B"),
            ("QWEN3_32B", "Qwen3-32B"),
            ("google/gemma-3-27b-it", "Gemma-3-27B"),
            ("zhipuai/GLM-5", "GLM-5"),
            ("mistralai/Mistral-7B-Instruct-v0.3", "Mistral-7B"),
        ] {
            assert_eq!(catalogue.model(asked).map(|model| model.name.as_str()), Ok(found), "{asked}");
        }
        for (asked, found) in [
            ("h100_sxm", "H100-SXM"),
            ("RTX 4090", "RTX-4090"),
            ("GB200", "GB200"),
            ("a100", "A100-SXM-80GB"),
        ] {
            assert_eq!(catalogue.gpu(asked).map(|gpu| gpu.name.as_str()), Ok(found), "{asked}");
        }
    }

    #[test]
    fn an_unknown_name_gets_the_nearest_ones() {
        let unknown = Catalogue::built_in().model("Qwen3-33B").expect_err("there is no such model");
        assert_eq!(unknown.nearest[0], "Qwen3-32B");
        assert!(unknown.to_string().contains("Qwen3-33B"));
        let unknown = Catalogue::built_in().gpu("H300").expect_err("there is no such GPU");
        assert_eq!(unknown.nearest.len(), 3);
    }

    #[test]
    fn no_name_or_alias_stands_for_two_entries() {
        let catalogue = Catalogue::built_in();
        let mut owners = std::collections::BTreeMap::new();
        let models = catalogue.models().iter().map(|model| (&model.name, &model.aliases));
        let gpus = catalogue.gpus().iter().map(|gpu| (&gpu.name, &gpu.aliases));
        for (name, aliases) in models.chain(gpus) {
            for known in std::iter::once(name).chain(aliases) {
                let owner = owners.insert(squeeze(&plain(known)), name);
                assert!(owner.is_none_or(|owner| owner == name), "{known} names two entries");
            }
        }
    }

    #[test]
    fn a_batch_touches_no_more_experts_than_there_are() {
        let model = Catalogue::built_in().model("DeepSeek-R1").expect("is in the catalogue");
        let experts = model.experts.as_ref().expect("is a mixture of experts");
        assert!((experts.touched(1.0) - 8.0).abs() < 1e-9);
        assert!(experts.touched(64.0) > 200.0 && experts.touched(1e6) <= 256.0);
    }
}
