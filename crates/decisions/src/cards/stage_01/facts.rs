//! Facts that the cards of stage 1 alone ask about.

use crate::fact::Source::{Measured, Told};
use crate::fact::facts;
use crate::measured::{Reading, Series};

facts! {
    pub(super),
    TEAM_DRIVES = "latency_critical", YesNo, "answers are worth less with every half second", [Told("true for search and chat")];
    BUDGET_FIXED = "budget_is_fixed", YesNo, "what may be spent is fixed before anything else", [Told("true where a ceiling is given and cannot move")];
    SCOPE_OPEN = "scope_is_open", YesNo, "nobody knows yet what the product is", [Told("true before the first users have used it")];

    DAYS_LIVE = "days_live", Days, "since the product was opened to customers", [Told("days")];

    FOREIGN_FOUND = "cross_tenant_results", Count, "results of another tenant that hostile questions found",
        [Told("a test that asks as one tenant for what another one has")];
    WAITED_TOO_LONG = "waited_too_long", Share, "the share of requests that waited longer than limits.longest_wait",
        [Measured(Reading::Ratio {
            of: Series::with("mainstay_shed_requests_total", "reason", "waited_too_long"),
            among: Series::all("mainstay_turns_total"),
            scale: 1.0,
        })];

    OWN_WRITES = "own_writes_seen", YesNo, "people look at once for what they have just added", [Told("true where users upload documents")];
}
