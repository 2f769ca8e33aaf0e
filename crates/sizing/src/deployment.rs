//! What is asked about: an engine serving a model on GPUs, and the load on it.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::catalogue::{Gpu, Model};

/// Serving engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// TensorRT-LLM.
    Trtllm,
    /// SGLang.
    Sglang,
    /// vLLM.
    Vllm,
}

impl Engine {
    /// All engines.
    pub const ALL: [Engine; 3] = [Engine::Trtllm, Engine::Sglang, Engine::Vllm];

    /// Name as in the measurements.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Trtllm => "trtllm",
            Engine::Sglang => "sglang",
            Engine::Vllm => "vllm",
        }
    }
}

impl FromStr for Engine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim().to_lowercase().as_str() {
            "trtllm" | "tensorrt-llm" | "tensorrt_llm" => Ok(Engine::Trtllm),
            "sglang" => Ok(Engine::Sglang),
            "vllm" => Ok(Engine::Vllm),
            other => Err(format!("engine `{other}` is none of trtllm, sglang, vllm")),
        }
    }
}

/// Number format of the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 16-bit weights.
    Bf16,
    /// 8-bit floating point weights and arithmetic.
    Fp8,
    /// 4-bit floating point weights with block scales (NVFP4, MXFP4).
    Fp4,
    /// 4-bit integer weights, 16-bit arithmetic.
    Int4,
}

impl Precision {
    /// All precisions, the widest first.
    pub const ALL: [Precision; 4] = [Precision::Bf16, Precision::Fp8, Precision::Fp4, Precision::Int4];

    /// Name as in the measurements.
    pub fn name(self) -> &'static str {
        match self {
            Precision::Bf16 => "bf16",
            Precision::Fp8 => "fp8",
            Precision::Fp4 => "fp4",
            Precision::Int4 => "int4",
        }
    }

    /// Bytes of one weight with its share of the block scales.
    pub fn bytes(self) -> f64 {
        match self {
            Precision::Bf16 => 2.0,
            Precision::Fp8 => 1.0,
            Precision::Fp4 => 0.5625,
            Precision::Int4 => 0.53,
        }
    }

    /// Rate of matrix products in 10¹² operations per second: the format's own rate where the GPU has it, otherwise
    /// that of the next wider format, into which the weights are expanded.
    pub fn tflops(self, gpu: &Gpu) -> f64 {
        match self {
            Precision::Bf16 | Precision::Int4 => gpu.bf16_tflops,
            Precision::Fp8 => gpu.fp8_tflops.unwrap_or(gpu.bf16_tflops),
            Precision::Fp4 => gpu.fp4_tflops.unwrap_or(gpu.bf16_tflops),
        }
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim().to_lowercase().as_str() {
            "" | "bf16" | "fp16" | "bfloat16" => Ok(Precision::Bf16),
            "fp8" | "fp8_block" | "int8" => Ok(Precision::Fp8),
            "fp4" | "nvfp4" | "mxfp4" => Ok(Precision::Fp4),
            "int4" | "int4_wo" | "awq" | "gptq" => Ok(Precision::Int4),
            other => Err(format!("precision `{other}` is none of bf16, fp8, fp4, int4")),
        }
    }
}

/// How one engine instance spreads a model over GPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Parallelism {
    /// Tensor parallel degree of the attention.
    pub tp: u32,
    /// Pipeline stages.
    pub pp: u32,
    /// Data parallel copies of the attention.
    pub attention_dp: u32,
    /// Tensor parallel degree of the experts.
    pub moe_tp: u32,
    /// Expert parallel degree.
    pub moe_ep: u32,
}

impl Parallelism {
    /// Tensor parallelism alone, the experts split alike.
    pub fn tensor(tp: u32) -> Parallelism {
        Parallelism { tp, pp: 1, attention_dp: 1, moe_tp: tp, moe_ep: 1 }
    }

    /// GPUs of one instance.
    pub fn gpus(&self) -> u32 {
        self.tp.max(1).saturating_mul(self.attention_dp.max(1)).saturating_mul(self.pp.max(1))
    }

    /// The instance as it ran. Published tables multiply some degrees twice: an instance of `n` GPUs with experts over
    /// all of them has `tp` or `attention_dp` given as `n · n`, and one with data parallel attention `tp = attention_dp
    /// = n`, `moe_ep = n · n`.
    pub fn corrected(mut self) -> Parallelism {
        let (tensor, expert) = (self.moe_tp, self.moe_ep);
        if tensor == expert && tensor >= 4 && self.gpus() == tensor.saturating_mul(expert) {
            if self.attention_dp > 1 {
                self.attention_dp = tensor;
            } else {
                self.tp = tensor;
            }
            self.moe_tp = 1;
        } else if self.tp == self.attention_dp && self.tp > 1 && self.gpus() == expert {
            self.tp = 1;
            self.moe_ep = self.attention_dp;
        }
        self
    }
}

/// Instances of one kind and how many there are, where that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pool {
    /// How one instance is spread.
    pub parallelism: Parallelism,
    /// How many instances serve; tables often leave it out.
    pub workers: Option<u32>,
}

/// Whether one engine does both phases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Serving {
    /// Prefill and decode in one engine, with continuous batching.
    Aggregated(Parallelism),
    /// Separate instances for prefill and decode.
    Disaggregated {
        /// Instances that read prompts.
        prefill: Pool,
        /// Instances that write answers.
        decode: Pool,
    },
}

impl Serving {
    /// The instance that decodes.
    pub fn decode(&self) -> Parallelism {
        match self {
            Serving::Aggregated(parallelism) => *parallelism,
            Serving::Disaggregated { decode, .. } => decode.parallelism,
        }
    }

    /// The instance that reads prompts.
    pub fn prefill(&self) -> Parallelism {
        match self {
            Serving::Aggregated(parallelism) => *parallelism,
            Serving::Disaggregated { prefill, .. } => prefill.parallelism,
        }
    }
}

/// A model served by an engine on GPUs of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment<'a> {
    /// Model served.
    pub model: &'a Model,
    /// GPU it runs on.
    pub gpu: &'a Gpu,
    /// Serving engine.
    pub engine: Engine,
    /// Version of the engine, where known.
    pub version: Option<String>,
    /// Number format of the weights.
    pub precision: Precision,
    /// Instances and their parallelism.
    pub serving: Serving,
}

/// Requests on a deployment, held at a constant number in flight.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Tokens of a prompt.
    pub input_tokens: u32,
    /// Tokens of an answer.
    pub output_tokens: u32,
    /// Requests in flight over the whole deployment.
    pub concurrency: u32,
}

impl Load {
    /// Context halfway through the answer, in tokens.
    pub fn mean_context(&self) -> f64 {
        f64::from(self.input_tokens) + f64::from(self.output_tokens) / 2.0
    }
}
