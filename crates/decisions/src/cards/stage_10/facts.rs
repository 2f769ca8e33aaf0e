//! Facts that the cards of stage 10 alone ask about.

use crate::fact::Source::{Measured, Plan, Spec, Told};
use crate::fact::facts;
use crate::measured::{Reading, Series};

facts! {
    pub(super),
    GPU_BUSY = "gpu_utilisation", Share, "the share of time in which GPUs are busy", [Told("DCGM or nvidia-smi, at the peak")];
    KV_FULL = "kv_cache_full", Share, "the share of the memory for running answers that is used", [Measured(Reading::Largest(Series::all("vllm:kv_cache_usage_perc")))];
    QUEUED = "requests_waiting", Count, "requests that wait", [Measured(Reading::Sum(Series::all("mainstay_waiting_requests")))];
    TTFT_IDLE = "ttft_idle_ms", Milliseconds, "the time to first token of a single request on an idle system", [Told("one request at night")];
    FITS = "model_fits_one_gpu", YesNo, "the model fits on one GPU", [Plan("sizing.fits_one_gpu")];
    LOAD_SECONDS = "model_load_seconds", Seconds, "until a replica has loaded its model", [Told("measure one")];
    TASK_SECONDS = "task_seconds", Seconds, "how long a task takes", [Told("at p95")];
    MACHINE_CALLERS = "callers_are_machines", YesNo, "callers are programs that can be called back", [Told("true or false")];
    RETRYABLE = "may_fail_and_retry", YesNo, "a task may fail and be tried again", [Told("true or false")];
    OLDEST_JOB = "oldest_job_s", Seconds, "the age of the oldest job that waits", [Told("from the queue")];
    CONTRACT_TIERS = "contract_tiers", Count, "tiers with a contract", [Spec("sla.tiers")];
    TIERS_SET = "tiers_set", Count, "tiers of callers", [Spec("limits.tiers")];
    ASYNC_OK = "waiting_is_fine", YesNo, "callers can wait for minutes", [Told("true for batches")];
    SHED_SHARE_NOW = "shed_now", Share, "the share of requests that were turned away", [Measured(Reading::Ratio { of: Series::all("mainstay_shed_requests_total"), among: Series::all("mainstay_turns_total"), scale: 1.0 })];
    WRITES_EVERYWHERE = "writes_in_every_region", YesNo, "documents are written in every region", [Told("true or false")];
    LEGAL_ISOLATION = "legal_isolation", YesNo, "the law forbids that data crosses regions", [Told("true or false")];
    FAR_LATENCY = "far_latency_ms", Milliseconds, "the network's latency of the farthest users", [Told("from their browsers")];
    REPLICA_LAG = "replica_lag_s", Seconds, "how far the other regions are behind", [Told("from the replication")];
}
