//! How many replicas there are, and what changes that.

/// Bounds of a number of replicas.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replicas {
    /// Never fewer.
    pub least: u32,
    /// Never more; equal to `least` where nothing scales.
    pub most: u32,
}

/// What changes the number of replicas.
#[derive(Clone, PartialEq, Debug)]
pub enum Scaling {
    /// Nothing: `replicas.least` of them.
    Fixed,
    /// A HorizontalPodAutoscaler on the share of the requested CPU, in percent.
    HpaCpu {
        /// The share to hold.
        percent: u32,
    },
    /// A HorizontalPodAutoscaler on a metric of the pods, which a metrics adapter provides.
    HpaMetric(HpaMetric),
    /// A KEDA ScaledObject. It makes the autoscaler itself, so there is never a second one.
    Keda(Vec<Trigger>),
}

/// A metric of pods.
#[derive(Clone, PartialEq, Debug)]
pub struct HpaMetric {
    /// The metric's name as the adapter serves it.
    pub name: String,
    /// What it should be on the average of the pods.
    pub target: f64,
}

/// What KEDA looks at. The most replicas that any trigger asks for are run.
#[derive(Clone, PartialEq, Debug)]
pub enum Trigger {
    /// A query of Prometheus.
    Prometheus {
        /// Where Prometheus is.
        server: String,
        /// A query with one value: the sum over the replicas.
        query: String,
        /// What one replica should have of it.
        threshold: f64,
        /// From zero replicas to the first: only above this.
        activation: f64,
    },
    /// A stream of Redis, by the entries that a consumer group has not been given yet.
    RedisStream(RedisStream),
    /// At least so many replicas between two times. It is a floor: other triggers may ask for more.
    Cron(CronFloor),
}

/// A stream of Redis and its consumers. KEDA needs Redis 7 for the lag.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RedisStream {
    /// Host and port.
    pub address: String,
    /// The stream.
    pub stream: String,
    /// The consumer group.
    pub consumer_group: String,
    /// How many entries one replica may be behind.
    pub lag: u32,
    /// From zero replicas to the first: only above this lag.
    pub activation_lag: u32,
}

/// A floor of replicas at certain times.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CronFloor {
    /// Five fields of cron: when it begins.
    pub start: String,
    /// Five fields of cron: when it ends.
    pub end: String,
    /// An IANA time zone, so that it follows daylight saving time.
    pub timezone: String,
    /// How many replicas.
    pub replicas: u32,
}
