//! `[planning]`: what the plan may choose from, and what it costs.

use std::collections::BTreeMap;

use mainstay_domain::NanoUsd;
use mainstay_domain::config::{Dollars, Findings, KeyPath, Ratio};
use mainstay_sizing::Catalogue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the plan may choose from. What is not written is assumed, with a range and a reason.
#[derive(Clone, Deserialize, JsonSchema, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub struct RawPlanning {
    /// The model whose price stands for providers; without it, the first of an assistant that has a price.
    #[schemars(example = "openai/gpt-4o-mini", length(min = 1))]
    api_model: Option<String>,
    /// The model that would be self-hosted, by its name in the catalogue: `mainstay plan catalogue`.
    #[schemars(example = "llama-3.1-70b", length(min = 1))]
    self_hosted_model: Option<String>,
    /// The GPUs that can be had, by their names in the catalogue; without it, all of them.
    #[schemars(example = ["h100_sxm", "h200_sxm"], extend("uniqueItems" = true), length(min = 1), inner(length(min = 1)))]
    gpus: Option<Vec<String>>,
    /// What serves a self-hosted model.
    #[schemars(example = &"vllm")]
    engine: Option<Engine>,
    /// The precisions that quality allows.
    #[schemars(example = ["fp8"], extend("uniqueItems" = true), length(min = 1))]
    precisions: Option<Vec<Precision>>,
    /// What a GPU costs in an hour, where it differs from the catalogue.
    gpu_prices: BTreeMap<String, PerHour>,
    /// How much more than the peak is provided.
    #[schemars(example = 1.3, range(min = 1))]
    headroom: Option<f64>,
    /// Engineers who would look after self-hosted models.
    #[schemars(example = 1.0, range(min = 0))]
    engineers: Option<f64>,
    /// What an engineer costs in a year, all in all.
    #[schemars(example = "$250000")]
    engineer_salary: Option<Dollars>,
    /// Documents of the largest corpus.
    #[schemars(example = 100_000)]
    documents: Option<u64>,
    /// Tokens of a document, on average.
    #[schemars(example = 1200, range(min = 1))]
    document_tokens: Option<u64>,
    /// The availability that one provider really has.
    #[schemars(example = "99.9%")]
    provider_availability: Option<Ratio>,
    /// What a lost request costs, for choosing how the fleet follows the load.
    #[schemars(example = "$0.05")]
    lost_request: Option<Dollars>,
    /// Months that are looked ahead.
    #[schemars(example = 24, range(min = 1, max = 120))]
    horizon_months: Option<u32>,
}

/// What an hour of it costs.
#[derive(Clone, Copy, Deserialize, JsonSchema, Debug)]
#[serde(transparent)]
#[schemars(inline)]
struct PerHour(Dollars);

/// What serves a self-hosted model.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// vLLM.
    #[default]
    Vllm,
    /// SGLang.
    Sglang,
    /// TensorRT-LLM.
    Trtllm,
}

/// How many bits a weight has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 16 bits.
    Bf16,
    /// 8 bits.
    Fp8,
    /// 4 bits, computed in 4 bits.
    Fp4,
    /// 4 bits, computed in 16.
    Int4,
}

/// What the plan may choose from, checked. Names of the catalogue are for the plan to look up.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Planning {
    /// The model whose price stands for providers.
    pub api_model: Option<String>,
    /// The model that would be self-hosted.
    pub self_hosted_model: Option<String>,
    /// The GPUs that can be had; empty for all.
    pub gpus: Vec<String>,
    /// What serves a self-hosted model.
    pub engine: Engine,
    /// The precisions that quality allows; empty for all.
    pub precisions: Vec<Precision>,
    /// What a GPU costs in an hour, by its name.
    pub gpu_prices: BTreeMap<String, NanoUsd>,
    /// How much more than the peak is provided; at least 1.
    pub headroom: Option<f64>,
    /// Engineers who would look after self-hosted models.
    pub engineers: Option<f64>,
    /// What an engineer costs in a year.
    pub engineer_salary: Option<NanoUsd>,
    /// Documents of the largest corpus.
    pub documents: Option<u64>,
    /// Tokens of a document.
    pub document_tokens: Option<u64>,
    /// The availability that one provider really has; below 1.
    pub provider_availability: Option<Ratio>,
    /// What a lost request costs.
    pub lost_request: Option<NanoUsd>,
    /// Months that are looked ahead; 1 to 120.
    pub horizon_months: Option<u32>,
}

impl RawPlanning {
    /// Names of models and GPUs are in the catalogue; the nearest are offered.
    fn check_names(&self, at: &KeyPath, findings: &mut Findings) {
        let catalogue = Catalogue::built_in();
        let hint = "`mainstay plan catalogue` lists them all";
        if let Some(name) = &self.self_hosted_model
            && let Err(unknown) = catalogue.model(name)
        {
            findings.report(&at.key("self_hosted_model"), unknown.to_string(), hint);
        }
        for (index, name) in self.gpus.iter().flatten().enumerate() {
            if let Err(unknown) = catalogue.gpu(name) {
                findings.report(&at.key("gpus").item(index), unknown.to_string(), hint);
            }
        }
        for name in self.gpu_prices.keys() {
            if let Err(unknown) = catalogue.gpu(name) {
                findings.report_key(&at.key("gpu_prices").key(name), unknown.to_string(), hint);
            }
        }
    }

    /// The section, checked.
    pub fn check(self, at: &KeyPath, findings: &mut Findings) -> Planning {
        if self.provider_availability.is_some_and(|share| share.as_f64() >= 1.0) {
            let hint = "take what its status page says of the last year. For example: provider_availability = \"99.9%\"";
            findings.report(&at.key("provider_availability"), "no provider is always there", hint);
        }
        for (name, PerHour(Dollars(price))) in &self.gpu_prices {
            if *price == NanoUsd::ZERO {
                let hint = format!(
                    "say what an hour costs, also of a GPU that you own. For example: {name} = \"$2.50\""
                );
                findings.report(&at.key("gpu_prices").key(name), "a GPU is never free", hint);
            }
        }
        self.check_names(at, findings);
        let amount = |dollars: Option<Dollars>| dollars.map(|Dollars(amount)| amount);
        Planning {
            api_model: self.api_model,
            self_hosted_model: self.self_hosted_model,
            gpus: self.gpus.unwrap_or_default(),
            engine: self.engine.unwrap_or_default(),
            precisions: self.precisions.unwrap_or_default(),
            gpu_prices: self
                .gpu_prices
                .into_iter()
                .map(|(name, PerHour(Dollars(price)))| (name, price))
                .collect(),
            headroom: self.headroom,
            engineers: self.engineers,
            engineer_salary: amount(self.engineer_salary),
            documents: self.documents,
            document_tokens: self.document_tokens,
            provider_availability: self.provider_availability,
            lost_request: amount(self.lost_request),
            horizon_months: self.horizon_months,
        }
    }
}
