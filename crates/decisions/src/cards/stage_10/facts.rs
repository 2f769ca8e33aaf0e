//! Facts that the cards of stage 10 alone ask about.

use crate::fact::Source::{Plan, Told};
use crate::fact::facts;

facts! {
    pub(super),
    GPU_BUSY = "gpu_utilisation", Share, "the share of time in which GPUs are busy", [Told("DCGM or nvidia-smi, at the peak")];
    TTFT_IDLE = "ttft_idle_ms", Milliseconds, "the time to first token of a single request on an idle system", [Told("one request at night")];
    FITS = "model_fits_one_gpu", YesNo, "the model fits on one GPU", [Plan("sizing.fits_one_gpu")];
    LOAD_SECONDS = "model_load_seconds", Seconds, "until a replica has loaded its model", [Told("measure one")];
    TASK_SECONDS = "task_seconds", Seconds, "how long a task takes", [Told("at p95")];
    MACHINE_CALLERS = "callers_are_machines", YesNo, "callers are programs that can be called back", [Told("true or false")];
    RETRYABLE = "may_fail_and_retry", YesNo, "a task may fail and be tried again", [Told("true or false")];
    OLDEST_JOB = "oldest_job_s", Seconds, "the age of the oldest job that waits", [Told("from the queue")];
    ASYNC_OK = "waiting_is_fine", YesNo, "callers can wait for minutes", [Told("true for batches")];
    WRITES_EVERYWHERE = "writes_in_every_region", YesNo, "documents are written in every region", [Told("true or false")];
    LEGAL_ISOLATION = "legal_isolation", YesNo, "the law forbids that data crosses regions", [Told("true or false")];
    FAR_LATENCY = "far_latency_ms", Milliseconds, "the network's latency of the farthest users", [Told("from their browsers")];
    REPLICA_LAG = "replica_lag_s", Seconds, "how far the other regions are behind", [Told("from the replication")];
}
