//! Facts that the cards of stage 4 alone ask about.

use crate::fact::Source::Told;
use crate::fact::facts;

facts! {
    pub(super),
    HAS_POSTGRES = "has_postgres", YesNo, "the team runs Postgres already", [Told("true or false")];
    OPERATES_CLUSTERS = "operates_clusters", YesNo, "somebody can operate a database cluster", [Told("true or false")];
}
