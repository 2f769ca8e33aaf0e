//! Facts that the cards of stage 3 alone ask about.

use crate::fact::Source::{Measured, Told};
use crate::fact::facts;
use crate::measured::{Reading, Series};

facts! {
    pub(super),
    USER_WAITS = "user_waits_for_update", YesNo, "somebody waits at the screen until an update has gone through", [Told("true or false")];
    EVENTS_PER_SECOND = "events_per_second", PerSecond, "updates of documents and features", [Told("at the peak")];
    NEEDS_REPLAY = "needs_replay", YesNo, "events must be played again, for another embedder say", [Told("true or false")];
    CONSUMERS = "event_consumers", Count, "systems that read the same events", [Told("how many")];
    WINDOWS = "windowed_features", YesNo, "features are sums over minutes", [Told("true for counts over windows")];
    WAITING_DOCS = "documents_waiting", Count, "documents that are accepted and not yet searchable", [Measured(Reading::Largest(Series::all("mainstay_documents_waiting")))];
    THIRD_PARTY = "third_party_sources", YesNo, "documents come from outside", [Told("true where others send documents")];
    HIGH_STAKES = "high_stakes", YesNo, "a wrong answer harms somebody", [Told("true for medicine, law, money")];
    SHARED_TABLES = "shared_tables", YesNo, "several teams write the same tables", [Told("true or false")];
    QUARANTINED = "quarantined_chunks", Count, "passages in quarantine", [Measured(Reading::Sum(Series::all("mainstay_quarantined_chunks")))];
    REFUSED_SHARE = "refused_documents", Share, "the share of documents that were refused", [Measured(Reading::Ratio { of: Series::with("mainstay_documents_ingested_total", "result", "rejected"), among: Series::all("mainstay_documents_ingested_total"), scale: 1.0 })];
    FEEDBACK_PER_DAY = "signals_per_day", Count, "clicks, ratings and copies in a day", [Told("how many")];
    JUDGE_AGREEMENT = "judge_agreement", Score, "how often the judge agrees with people", [Told("on a hundred labelled pairs")];
    LABEL_BUDGET = "human_labels_per_week", Count, "labels that people can make in a week", [Told("how many")];
    TRAINS = "trains_models", YesNo, "models are trained on production data", [Told("true or false")];
    FEATURE_AGE = "feature_age_s", Seconds, "the age of the oldest online feature", [Told("from the feature store")];
    PSI = "psi", Score, "the population stability index of the most important feature", [Told("weekly, serving against training")];
}
