//! What is promised, in terms of what Mainstay exports.

/// A promise over 30 days.
#[derive(Clone, PartialEq, Debug)]
pub struct Objective {
    /// Its name, unique among the promises.
    pub name: String,
    /// The tier of customers that it was made to. It decides who is told; Mainstay's metrics of latency and outcome do not know
    /// tiers, so what is measured is all requests.
    pub tier: Option<String>,
    /// What is promised.
    pub measure: Measure,
    /// A page of the team about it, named in the runbook.
    pub runbook: Option<String>,
}

/// What is promised.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Measure {
    /// This share of requests is at least this fast.
    Latency {
        /// Which time.
        of: LatencyOf,
        /// The limit in seconds.
        seconds: f64,
        /// The share: 0.95 for the 95th percentile.
        share: f64,
    },
    /// At most this share of requests fails by our fault.
    ErrorRate {
        /// The share.
        most: f64,
    },
    /// This share of minutes is good: a replica is up, and less than [`Measure::BAD_MINUTE`] of the requests of the last five
    /// minutes were answered with a status of 500 or above.
    Availability {
        /// The share.
        least: f64,
    },
    /// A request costs at most this much on the average, failed attempts and discarded answers included.
    CostPerRequest {
        /// In US dollars.
        most_usd: f64,
    },
    /// This share of citations holds.
    Quality {
        /// According to whom.
        of: QualityOf,
        /// The share.
        least: f64,
    },
    /// This share of minutes the index is at most this far behind.
    Freshness {
        /// In seconds.
        seconds: f64,
        /// The share.
        least: f64,
    },
}

impl Measure {
    /// A minute is bad for availability from this share of failing requests on.
    pub const BAD_MINUTE: f64 = 0.05;
}

/// A time that Mainstay measures as a histogram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LatencyOf {
    /// From the opening of a streamed turn to its first content.
    FirstToken,
    /// From the opening of a turn to its last byte.
    Turn,
    /// Between two pieces of content of a stream.
    ChunkGap,
    /// From the question to the passages.
    Retrieval,
}

/// Who says that a citation holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QualityOf {
    /// Mainstay's check of every citation against its source.
    CitationsVerified,
    /// A model that judged some of them.
    CitationsSupported,
}
