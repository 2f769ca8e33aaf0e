//! Facts that the cards of stage 2 alone ask about.

use crate::fact::Source::{Measured, Plan, Spec, Told};
use crate::fact::facts;
use crate::measured::{Reading, Series};

facts! {
    pub(super),
    HAS_TRACE = "has_traffic_trace", YesNo, "real traffic has been recorded", [Told("true when a trace or metrics of at least a week exist")];
    WORTH_ASKED = "worth_is_asked", YesNo, "the estimate decides whether the product is built at all", [Told("true for a business case")];
    DAILY_SHARE = "daily_active_share", Share, "the share of a month's people who come on a day", [Spec("traffic.daily_active_share")];
    BUSIEST_MINUTE = "busiest_minute", PerSecond, "requests in the busiest minute",
        [Told("max_over_time(sum(rate(mainstay_turns_total[1m]))[7d:1m])")];
    FOLDER_BYTES = "data_folder_bytes", Bytes, "what the data folder takes on disk", [Measured(Reading::Largest(Series::all("mainstay_data_folder_bytes")))];
    FOLDER_PLANNED = "data_folder_planned", Bytes, "what the data folder is planned to take after a year", [Plan("storage.data_folder")];

    MEMORY_NEEDED = "model_memory_gb", Count, "gigabytes that the model's weights and running answers need", [Plan("sizing.memory_gb")];
    GPU_MEMORY = "gpu_memory_gb", Count, "gigabytes of a GPU that can be had", [Plan("sizing.gpu_memory_gb")];
    GPUS = "gpus_at_peak", Count, "GPUs at the peak", [Plan("sizing.gpus")];
    GPUS_RUNNING = "gpus_running", Count, "GPUs that run models now", [Told("count(DCGM_FI_DEV_GPU_UTIL), or by hand")];
    QUALITY_CRITICAL = "quality_critical", YesNo, "a point of perplexity matters", [Told("true for medicine, law, code")];
    IN_REGION = "provider_in_region", YesNo, "a provider works on data in the regions that are asked for", [Told("from its contract")];
    OWN_WEIGHTS = "own_weights", YesNo, "the model has to be one that was trained on own data", [Told("true where no provider serves it")];
    SPIKES_KNOWN = "spikes_are_scheduled", YesNo, "spikes come at known hours", [Told("true for a start of work, a lecture, a weekly mail")];
    FLASH_FACTOR = "flash_factor", Times, "how much a sudden burst is over the usual load", [Told("of the largest burst without a date")];
    RAMP_SECONDS = "ramp_seconds", Seconds, "how long the load takes to double at its steepest",
        [Told("from a trace or mainstay_http_requests_total")];
    BOOT_SECONDS = "boot_seconds", Seconds, "the time until a new replica serves", [Told("node, image and model: measure one")];
}
