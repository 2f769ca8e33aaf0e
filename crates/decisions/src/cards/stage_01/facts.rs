//! Facts that the cards of stage 1 alone ask about.

use crate::fact::Source::{Spec, Told};
use crate::fact::facts;

facts! {
    pub(super),
    TEAM_DRIVES = "latency_critical", YesNo, "answers are worth less with every half second", [Told("true for search and chat")];
    BUDGET_FIXED = "budget_is_fixed", YesNo, "what may be spent is fixed before anything else", [Told("true where a ceiling is given and cannot move")];


    CONTRACTS = "contracts", Count, "tiers with a contract", [Spec("sla.tiers")];
    DAYS_LIVE = "days_live", Days, "since the product was opened to customers", [Told("days")];
    STALE_HURTS = "stale_read_hurts", YesNo, "a read that is a minute old would bill wrongly or let the wrong person in", [Told("true for bills, permissions, consent, experiment assignment")];
    OWN_WRITES = "own_writes_seen", YesNo, "people look at once for what they have just added", [Told("true where users upload documents")];
}
