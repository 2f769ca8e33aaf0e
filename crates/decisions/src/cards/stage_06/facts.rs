//! Facts that the cards of stage 6 alone ask about.

use crate::fact::Source::{Measured, Spec, Told};
use crate::fact::facts;
use crate::measured::{Reading, Series};

facts! {
    pub(super),
    SERVICES = "inference_services", Count, "services behind the same callers", [Told("how many")];
    TEAMS = "teams", Count, "teams that serve models", [Told("how many")];
    MESH = "needs_mtls_everywhere", YesNo, "every hop must prove who it is", [Told("true where an auditor asks for it")];
    BIDIRECTIONAL = "bidirectional", YesNo, "callers send while they receive", [Told("true for voice and live collaboration")];
    SERVER_TO_SERVER = "server_to_server", YesNo, "callers are servers of one's own", [Told("true or false")];
    STALLS = "chunk_gap_p99_ms", Milliseconds, "the gap between two pieces of a stream at p99", [Measured(Reading::Quantile { histogram: "mainstay_chunk_gap_seconds", q: 0.99, scale: 1000.0 })];
    IDEMPOTENT = "calls_are_idempotent", YesNo, "a call can be made twice without harm", [Told("true for questions; false for actions")];
    FAILED_ATTEMPTS = "failed_attempt_share", Share, "failed calls of models over requests", [Measured(Reading::Ratio { of: Series::all("mainstay_failed_attempts_total"), among: Series::all("mainstay_turns_total"), scale: 1.0 })];
    PROVIDER_UPTIME = "provider_availability", Share, "the availability that one provider really has", [Spec("planning.provider_availability"), Told("its status page, last year")];
    REDUCED = "service_level", Score, "the lowest service level that holds (0 full, 1 reduced, 2 without providers)", [Measured(Reading::Largest(Series::all("mainstay_service_level")))];
    SERVICE_SWINGS = "service_oscillations", Count, "changes of the service level back and forth", [Measured(Reading::Sum(Series::all("mainstay_service_oscillations_total")))];
    REGULATED = "regulated_fallback", YesNo, "what is said without the model is regulated", [Told("true for triage and trading")];
}
