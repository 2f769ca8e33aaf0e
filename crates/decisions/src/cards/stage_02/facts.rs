//! Facts that the cards of stage 2 alone ask about.

use crate::fact::Source::{Measured, Plan, Spec, Told};
use crate::fact::facts;
use crate::measured::{Reading, Series};

facts! {
    pub(super),
    HAS_TRACE = "has_traffic_trace", YesNo, "real traffic has been recorded", [Told("true when a trace or metrics of at least a week exist")];
    MEMORY_NEEDED = "model_memory_gb", Count, "gigabytes that the model's weights and running answers need", [Plan("sizing.memory_gb")];
    GPU_MEMORY = "gpu_memory_gb", Count, "gigabytes of a GPU that can be had", [Plan("sizing.gpu_memory_gb")];
    GPUS = "gpus_at_peak", Count, "GPUs at the peak", [Plan("sizing.gpus")];
    QUALITY_CRITICAL = "quality_critical", YesNo, "a point of perplexity matters", [Told("true for medicine, law, code")];
    ML_OPS = "ml_engineers", Count, "engineers who can run models", [Told("how many"), Spec("planning.engineers")];
    KV_USAGE = "kv_cache_usage", Share, "the share of the memory for running answers that is used", [Measured(Reading::Largest(Series::all("vllm:kv_cache_usage_perc")))];
    LOAD_STEADY = "load_is_steady", YesNo, "the load hardly moves over the day", [Told("true where the peak is below twice the average")];
    SPIKES_KNOWN = "spikes_are_scheduled", YesNo, "spikes come at known hours", [Told("true for a start of work, a lecture, a weekly mail")];
    FLASH_FACTOR = "flash_factor", Times, "how much a sudden burst is over the usual load", [Told("of the largest burst without a date")];
    BOOT_SECONDS = "boot_seconds", Seconds, "the time until a new replica serves", [Told("node, image and model: measure one")];
    SHED_SHARE = "shed_share", Share, "the share of requests that were turned away", [Measured(Reading::Ratio { of: Series::all("mainstay_shed_requests_total"), among: Series::all("mainstay_turns_total"), scale: 1.0 })];
}
