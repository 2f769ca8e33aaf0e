//! Facts that the cards of stage 4 alone ask about.

use crate::fact::Source::{Measured, Told};
use crate::fact::facts;
use crate::measured::{Reading, Series};

facts! {
    pub(super),
    HAS_POSTGRES = "has_postgres", YesNo, "the team runs Postgres already", [Told("true or false")];
    ONE_TRANSACTION = "one_transaction", YesNo, "vectors and rows of a database have to change in one transaction", [Told("true or false")];
    OPERATES_CLUSTERS = "operates_clusters", YesNo, "somebody can operate a database cluster", [Told("true or false")];
    TRAINING_BYTES = "training_bytes", Bytes, "data that a training job reads", [Told("the largest job")];
    ANALYSTS = "concurrent_analysts", Count, "people who query at once", [Told("how many")];
    TRAINING_ROWS = "training_rows", Count, "rows of the training set", [Told("how many")];
    OLTP_QUERIES = "trains_on_oltp", YesNo, "training reads the operational database", [Told("true or false")];
    FIXED_PROMPTS = "fixed_prompts", YesNo, "the same prompts come again word by word", [Told("true for templates and jobs")];
    SHARED_PREFIX = "shared_prefix", Share, "the share of requests that begin with the same long instructions", [Told("own engine only")];
    WRONG_HITS = "cache_wrong", Share, "the bound of wrong answers to like questions", [Measured(Reading::Largest(Series::all("mainstay_cache_error_bound_ratio")))];
    MIXED_FEATURES = "features_of_both_kinds", YesNo, "some features decide about money and others about ranking", [Told("true or false")];
}
