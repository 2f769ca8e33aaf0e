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
    DEAD_LETTERS = "dead_letters", Count, "updates that failed for good and wait for somebody", [Told("the depth of the dead-letter queue")];
    THIRD_PARTY = "third_party_sources", YesNo, "documents come from outside", [Told("true where others send documents")];
    SHARED_TABLES = "shared_tables", YesNo, "several teams write the same tables", [Told("true or false")];
    QUARANTINED = "quarantined_chunks", Count, "passages in quarantine", [Measured(Reading::Sum(Series::all("mainstay_quarantined_chunks")))];
    REFUSED_SHARE = "refused_documents", Share, "the share of documents that were refused",
        [Measured(Reading::Ratio {
            of: Series::with("mainstay_documents_ingested_total", "result", "refused"),
            among: Series::all("mainstay_documents_ingested_total"),
            scale: 1.0,
        })];
    FOREIGN_FEATURES = "features_of_others", YesNo, "the model reads features that another team computes", [Told("true or false")];
    FEEDBACK_PER_DAY = "signals_per_day", Count, "clicks, ratings and copies in a day", [Told("how many")];
    TEXT_KEPT = "questions_may_be_kept", YesNo, "questions and answers may be kept in words", [Told("true where people have agreed, or nothing personal is in them")];
    CHECKED_LABELS = "labels_checked", Share, "the share of a judge's labels that people check", [Told("of a week")];
    FROZEN_QUESTIONS = "frozen_questions", Count, "questions of the golden set that never change", [Told("lines of queries.jsonl")];
    RECALL_BEFORE = "recall_at_5_before", Score, "recall@5 before the last training", [Told("mainstay eval retrieval GOLDEN, before")];
    ALIKE_LABELS = "labels_alike", Share, "the share of new labels that are nearly an old one (cosine above .95)", [Told("of the last batch")];
    LABEL_BUDGET = "human_labels_per_week", Count, "labels that people can make in a week", [Told("how many")];
    TRAINS = "trains_models", YesNo, "models are trained on production data", [Told("true or false")];
    ONLY_LOOKED_AT = "only_looked_at", YesNo, "scores are looked at, and nobody and nothing acts on them", [Told("true for reports and statistics")];
    AUC_LOSS = "auc_loss", Share, "how much worse the model is on held-out data than when it was trained", [Told("weekly, relative")];
    FEATURE_AGE = "feature_age_s", Seconds, "the age of the oldest online feature", [Told("from the feature store")];
    PSI = "psi", Score, "the population stability index of the most important feature", [Told("weekly, serving against training")];
}
