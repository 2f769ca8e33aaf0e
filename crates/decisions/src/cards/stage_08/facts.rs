//! Facts that the cards of stage 8 alone ask about.

use crate::fact::Source::Told;
use crate::fact::facts;

facts! {
    pub(super),
    STEPS_KNOWN = "steps_known", YesNo, "the steps of the task are known before it begins", [Told("true or false")];
    AUDITABLE = "steps_must_be_audited", YesNo, "somebody has to see afterwards which steps ran", [Told("true where compliance asks")];
    DELIVERABLE = "structured_deliverable", YesNo, "the result is a report or an extract of a known form", [Told("true or false")];
    TOOL_CALLS = "tool_calls", Count, "tool calls of a task", [Told("on average, from traces")];
    IRREVERSIBLE = "irreversible_actions", YesNo, "what tools do cannot be undone", [Told("true for refunds, mails, deletions")];
    TOOLS = "tools", Count, "tools that an agent has", [Told("how many")];
    TOOL_P95 = "tool_p95_ms", Milliseconds, "the time of a tool call at p95", [Told("from traces")];
    TURNS = "session_turns", Count, "turns of a session", [Told("at p95")];
    RETURNS = "people_return", YesNo, "people come back and expect to be known", [Told("true or false")];
    HISTORY_TOKENS = "history_tokens", Tokens, "tokens of a session's history", [Told("at p95")];
    CODE_EXEC = "runs_code", YesNo, "an agent runs code", [Told("true or false")];
    SESSION_COST = "session_cost", Dollars, "what a session costs", [Told("at p95")];
    STEP_LIMIT = "step_limit", Count, "steps after which a task is ended", [Told("of the loop")];
    REPEATS = "repeated_calls", Share, "tool calls that repeat an earlier one of the session", [Told("from traces")];
}
