//! What a planned system is made of: the input of every file.

mod check;
mod objective;
mod scaling;

use std::collections::BTreeMap;

pub use check::BlueprintError;
pub use objective::{LatencyOf, Measure, Objective, QualityOf};
pub use scaling::{CronFloor, HpaMetric, RedisStream, Replicas, Scaling, Trigger};

/// A planned system: the product, the models that it serves itself, its promises, and who is told when they break.
#[derive(Clone, PartialEq, Debug)]
pub struct Blueprint {
    /// The product's name as people write it. Names of objects are made from it.
    pub product: String,
    /// The Kubernetes namespace; a DNS label is made from it.
    pub namespace: String,
    /// The container image of Mainstay, with its tag or digest.
    pub image: String,
    /// The text of `mainstay.toml`. It goes into a ConfigMap, so it must name secrets by environment variable.
    pub config_text: String,
    /// The secret whose entries become environment variables, and their names.
    pub secret: Option<SecretReference>,
    /// The port to serve on.
    pub port: u16,
    /// `server.shutdown_grace` of the configuration, in seconds: how long streams may go on after a stop was asked for.
    pub shutdown_grace_seconds: u32,
    /// What each replica of Mainstay asks for.
    pub resources: Resources,
    /// Where the data is.
    pub storage: Storage,
    /// How many replicas of Mainstay there may be.
    pub replicas: Replicas,
    /// What changes their number.
    pub scaling: Scaling,
    /// Models that run on GPUs of the cluster.
    pub serving: Vec<Serving>,
    /// The promises.
    pub objectives: Vec<Objective>,
    /// When a burn of an error budget is worth an alert.
    pub alerting: Alerting,
    /// Regions to run in (`topology.kubernetes.io/region`), each with files of its own. Without any, wherever the cluster is.
    pub regions: Vec<String>,
    /// Who may connect, and to whom Mainstay may.
    pub network: Network,
    /// Who is told.
    pub receivers: Receivers,
    /// Where the folder `runbooks` is published: the beginning of the links in alerts, such as `https://wiki.example/runbooks`.
    pub runbooks_url: String,
}

/// A Kubernetes secret that somebody else makes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecretReference {
    /// The name of the secret.
    pub name: String,
    /// Its entries that Mainstay needs; each becomes the environment variable of the same name.
    pub variables: Vec<String>,
}

/// What a container asks for. There is a limit of memory, equal to the request, and none of CPU: a process that is throttled
/// misses latency targets for nothing, one that takes the memory of others takes them down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resources {
    /// Thousandths of a CPU.
    pub cpu_millis: u32,
    /// MiB of memory.
    pub memory_mib: u32,
}

/// Where Mainstay keeps its data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Storage {
    /// In the data folder of one replica, on a volume that stays. SQLite and the index have one writer, so there is exactly one
    /// replica, as a StatefulSet: Kubernetes never runs two pods of the same ordinal on the volume.
    Embedded {
        /// Size of the volume in GiB.
        gib: u32,
        /// The storage class; `None` takes the cluster's default.
        class: Option<String>,
    },
    /// In stores outside of the replicas, which are then all alike. Their data folder holds what can be lost.
    Remote {
        /// Room for the data folder of each replica in GiB.
        scratch_gib: u32,
        /// The stores, for the network policy.
        stores: Vec<Store>,
    },
}

/// A store that the replicas connect to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Store {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub place: StorePlace,
    /// The TCP port.
    pub port: u16,
}

/// Where a store is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StorePlace {
    /// Anywhere in this namespace of the cluster.
    Namespace(String),
    /// At these addresses, such as `10.2.0.0/16`.
    Addresses(String),
}

/// A model that vLLM serves on GPUs of the cluster.
#[derive(Clone, PartialEq, Debug)]
pub struct Serving {
    /// What callers name the model by.
    pub name: String,
    /// The model's repository or path, as vLLM takes it.
    pub model: String,
    /// The image of vLLM.
    pub image: String,
    /// The GPUs of one replica.
    pub gpu: Gpu,
    /// How many of them one replica takes.
    pub gpus_per_replica: u32,
    /// Over how many of them each layer is split; divides `gpus_per_replica`, what is left over are pipeline stages.
    pub tensor_parallel: u32,
    /// The most sequences in a batch.
    pub max_num_seqs: u32,
    /// The longest prompt and answer together, in tokens.
    pub max_model_len: u32,
    /// Quantisation as vLLM names it, such as `fp8`; `None` for what the weights are.
    pub quantisation: Option<String>,
    /// CPU and memory of a replica.
    pub resources: Resources,
    /// Room for the weights on the node, in GiB.
    pub weights_gib: u32,
    /// The secret with the entry `HF_TOKEN`, for models that need one.
    pub token_secret: Option<String>,
    /// How many replicas.
    pub replicas: Replicas,
    /// What changes their number.
    pub scaling: Scaling,
    /// From the start of a container to its first answer, in seconds: loading the weights and compiling.
    pub boot_seconds: u32,
}

/// A kind of GPU, by the label `nvidia.com/gpu.product` that NVIDIA's feature discovery gives its nodes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Gpu {
    /// A100 SXM with 80 GB.
    A100,
    /// H100 SXM.
    H100,
    /// H200 SXM.
    H200,
    /// B200 SXM.
    B200,
    /// L40S.
    L40s,
    /// L4.
    L4,
    /// Any other, by its label.
    Other(String),
}

impl Gpu {
    /// The value of the label.
    pub fn product_label(&self) -> &str {
        match self {
            Self::A100 => "NVIDIA-A100-SXM4-80GB",
            Self::H100 => "NVIDIA-H100-80GB-HBM3",
            Self::H200 => "NVIDIA-H200",
            Self::B200 => "NVIDIA-B200",
            Self::L40s => "NVIDIA-L40S",
            Self::L4 => "NVIDIA-L4",
            Self::Other(label) => label,
        }
    }
}

/// What keeps alerts quiet that mean nothing.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Alerting {
    /// Fewer requests an hour than this in an alert's long window say nothing about a share.
    pub least_requests_per_hour: f64,
    /// Fewer bad requests (or bad minutes) than this in the long window do not alert, whatever share they are.
    pub least_bad: u32,
    /// A warning at this share of a budget of money.
    pub budget_warning: f64,
}

impl Default for Alerting {
    fn default() -> Self {
        Self { least_requests_per_hour: 6.0, least_bad: 5, budget_warning: 0.9 }
    }
}

/// Who may connect to Mainstay, by namespace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Network {
    /// The namespace of the ingress controller.
    pub ingress_namespace: String,
    /// The namespace of Prometheus.
    pub monitoring_namespace: String,
}

/// Names of Alertmanager's receivers. Each is a webhook whose URL is in a file `/etc/alertmanager/receivers/<name>`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receivers {
    /// Who is woken.
    pub page: String,
    /// Who finds a ticket.
    pub ticket: String,
    /// Who is woken instead for the promises of a tier.
    pub page_by_tier: BTreeMap<String, String>,
}
