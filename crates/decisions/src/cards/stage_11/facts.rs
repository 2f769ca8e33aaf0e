//! Facts that the cards of stage 11 alone ask about.

use crate::fact::Source::{Spec, Told};
use crate::fact::facts;

facts! {
    pub(super),
    UPLOADS = "users_upload", YesNo, "users upload documents that others' answers read", [Told("true or false")];
    PUBLIC = "open_to_the_public", YesNo, "anybody may ask", [Told("true or false")];
    FALSE_POSITIVES = "guard_false_positives", Share, "good questions that a guard stops", [Told("of a labelled sample")];
    ATTACKS_CAUGHT = "guard_recall", Share, "attacks that a guard stops", [Told("of a labelled sample")];
    PERSONAL = "personal_data", YesNo, "questions or documents carry personal data", [Told("true or false")];
    HEALTH = "health_data", YesNo, "health data is among it", [Told("true or false")];
    THIRD_PARTY_MODEL = "third_party_model", YesNo, "a model of somebody else reads it", [Told("true or false")];
    PII_IN_LOGS = "pii_found_in_logs", Count, "personal data found in logs", [Told("a daily scan")];
    PEOPLE = "people_with_access", Count, "people who can change prompts, models or documents", [Told("mainstay keys list")];
    RULES_BEYOND_ROLES = "rules_beyond_roles", YesNo, "some rule depends on more than a role", [Told("true for own templates, hours, regions")];
    TWO_PERSON = "two_person", Count, "permissions whose use takes two people", [Spec("security.two_person")];
    OLD_KEYS = "oldest_key_days", Days, "the age of the oldest key that is used", [Told("mainstay keys list")];
    AUDITED = "audited", YesNo, "an auditor asks: SOC 2, ISO 27001, HIPAA", [Told("true or false")];
    DEBUGS_CONTENT = "needs_content", YesNo, "quality cannot be looked into without what was said", [Told("true or false")];
    CONSENT = "consent_to_logging", YesNo, "people have agreed that what they say is kept", [Told("true or false")];
}
