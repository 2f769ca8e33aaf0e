//! What is wrong with a blueprint, before anything is written.

use std::collections::BTreeSet;

use thiserror::Error;

use super::{Blueprint, CronFloor, Measure, Replicas, Scaling, Serving, Storage, StorePlace, Trigger};
use crate::names::{self, Names};
use crate::prometheus::buckets;

/// Why no files can be made of a blueprint.
#[derive(Clone, PartialEq, Debug, Error)]
pub enum BlueprintError {
    /// Something that must not be empty is.
    #[error("{what} is empty: say what it is")]
    Empty {
        /// Which field.
        what: String,
    },
    /// A field holds what Kubernetes would refuse.
    #[error("{what} is {value:?}: {rule}")]
    Invalid {
        /// Which field.
        what: String,
        /// What it holds.
        value: String,
        /// What it should be.
        rule: &'static str,
    },
    /// More replicas than storage in one process allows.
    #[error(
        "{least} to {most} replicas with embedded storage: one process writes its data folder, so make it exactly one \
         replica without scaling, or use remote stores"
    )]
    EmbeddedReplicas {
        /// The fewest asked for.
        least: u32,
        /// The most asked for.
        most: u32,
    },
    /// Bounds that contradict each other or the scaling.
    #[error("the replicas of {of}, {least} to {most}: {rule}")]
    Replicas {
        /// Of what.
        of: String,
        /// The fewest asked for.
        least: u32,
        /// The most asked for.
        most: u32,
        /// What they should be.
        rule: &'static str,
    },
    /// A number that makes no sense.
    #[error("{what} is {value}: {rule}")]
    Number {
        /// Which field.
        what: String,
        /// What it is.
        value: f64,
        /// What it should be.
        rule: &'static str,
    },
    /// Two things whose files would have one name.
    #[error("two {what} are named {name:?}: rename one")]
    Twice {
        /// Of what kind.
        what: &'static str,
        /// The name.
        name: String,
    },
}

impl Blueprint {
    /// Checks what the files rely on; the first problem is told.
    pub(crate) fn check(&self) -> Result<(), BlueprintError> {
        for (what, text) in [
            ("product", &self.product),
            ("namespace", &self.namespace),
            ("image", &self.image),
            ("receivers.page", &self.receivers.page),
            ("receivers.ticket", &self.receivers.ticket),
            ("runbooks_url", &self.runbooks_url),
            ("network.ingress_namespace", &self.network.ingress_namespace),
            ("network.monitoring_namespace", &self.network.monitoring_namespace),
        ] {
            not_empty(what, text)?;
        }
        self.check_texts()?;
        self.check_resources()?;
        self.check_replicas()?;
        self.check_alerting()?;
        self.serving.iter().try_for_each(check_serving)?;
        let names = Names::of(self);
        no_two("models", self.serving.iter().map(|serving| names.serving(serving)))?;
        no_two("objectives", self.objectives.iter().map(|objective| names::alert(&objective.name)))?;
        no_two("regions", self.regions.iter().cloned())?;
        for objective in &self.objectives {
            not_empty("the name of an objective", &objective.name)?;
            check_measure(&objective.name, objective.measure)?;
        }
        Ok(())
    }

    fn check_texts(&self) -> Result<(), BlueprintError> {
        for region in &self.regions {
            demand(is_label_value(region), "a region", region, LABEL_VALUE)?;
        }
        for tier in self.objectives.iter().filter_map(|objective| objective.tier.as_ref()) {
            not_empty("a tier", tier)?;
        }
        let receivers = [&self.receivers.page, &self.receivers.ticket];
        for receiver in receivers.into_iter().chain(self.receivers.page_by_tier.values()) {
            demand(is_file_name(receiver), "a receiver", receiver, "letters, digits, `-`, `_` and `.`")?;
        }
        if let Some(secret) = &self.secret {
            demand(is_object_name(&secret.name), "secret.name", &secret.name, OBJECT_NAME)?;
            for variable in &secret.variables {
                demand(
                    is_variable(variable),
                    "a variable of the secret",
                    variable,
                    "letters, digits and `_`",
                )?;
            }
        }
        for namespace in [&self.network.ingress_namespace, &self.network.monitoring_namespace] {
            demand(is_object_name(namespace), "a namespace of the network", namespace, OBJECT_NAME)?;
        }
        // A ConfigMap holds a MiB in all.
        let is_small = self.config_text.len() <= 900_000;
        demand(is_small, "config_text", "too long", "at most 900,000 bytes fit into a ConfigMap")
    }

    fn check_resources(&self) -> Result<(), BlueprintError> {
        for (what, value) in [
            ("port", u32::from(self.port)),
            ("resources.cpu_millis", self.resources.cpu_millis),
            ("resources.memory_mib", self.resources.memory_mib),
        ] {
            positive(what, value)?;
        }
        match &self.storage {
            Storage::Embedded { gib, class } => {
                positive("storage.gib", *gib)?;
                class
                    .iter()
                    .try_for_each(|class| demand(is_object_name(class), "storage.class", class, OBJECT_NAME))
            }
            Storage::Remote { scratch_gib, stores } => {
                positive("storage.scratch_gib", *scratch_gib)?;
                for store in stores {
                    positive("the port of a store", u32::from(store.port))?;
                    match &store.place {
                        StorePlace::Namespace(name) => {
                            demand(is_object_name(name), "the namespace of a store", name, OBJECT_NAME)?;
                        }
                        StorePlace::Addresses(cidr) => {
                            demand(is_cidr(cidr), "the addresses of a store", cidr, "such as 10.2.0.0/16")?;
                        }
                    }
                }
                Ok(())
            }
        }
    }

    fn check_replicas(&self) -> Result<(), BlueprintError> {
        let Replicas { least, most } = self.replicas;
        let is_single = (least, most) == (1, 1) && self.scaling == Scaling::Fixed;
        if matches!(self.storage, Storage::Embedded { .. }) && !is_single {
            return Err(BlueprintError::EmbeddedReplicas { least, most });
        }
        if least == 0 {
            let rule = "Mainstay answers requests as they come, so at least one replica runs";
            return Err(BlueprintError::Replicas { of: "Mainstay".to_owned(), least, most, rule });
        }
        check_scaling("Mainstay", self.replicas, &self.scaling)
    }

    fn check_alerting(&self) -> Result<(), BlueprintError> {
        let alerting = self.alerting;
        number("alerting.least_requests_per_hour", alerting.least_requests_per_hour, 0.0..=1e9, "0 or more")?;
        number("alerting.budget_warning", alerting.budget_warning, 0.01..=1.0, "a share between 0.01 and 1")
    }
}

fn check_serving(serving: &Serving) -> Result<(), BlueprintError> {
    let of = |field: &str| format!("{field} of the model {:?}", serving.name);
    for (field, text) in [("name", &serving.name), ("model", &serving.model), ("image", &serving.image)] {
        not_empty(&of(field), text)?;
    }
    for (field, value) in [
        ("gpus_per_replica", serving.gpus_per_replica),
        ("tensor_parallel", serving.tensor_parallel),
        ("max_num_seqs", serving.max_num_seqs),
        ("max_model_len", serving.max_model_len),
        ("resources.cpu_millis", serving.resources.cpu_millis),
        ("resources.memory_mib", serving.resources.memory_mib),
        ("weights_gib", serving.weights_gib),
        ("boot_seconds", serving.boot_seconds),
    ] {
        positive(&of(field), value)?;
    }
    if !serving.gpus_per_replica.is_multiple_of(serving.tensor_parallel) {
        let rule = "it divides the GPUs of a replica; the quotient is the number of pipeline stages";
        let value = f64::from(serving.tensor_parallel);
        return Err(BlueprintError::Number { what: of("tensor_parallel"), value, rule });
    }
    demand(
        is_label_value(serving.gpu.product_label()),
        &of("gpu"),
        serving.gpu.product_label(),
        LABEL_VALUE,
    )?;
    if let Some(secret) = &serving.token_secret {
        demand(is_object_name(secret), &of("token_secret"), secret, OBJECT_NAME)?;
    }
    check_scaling(&format!("the model {:?}", serving.name), serving.replicas, &serving.scaling)
}

fn check_scaling(of: &str, replicas: Replicas, scaling: &Scaling) -> Result<(), BlueprintError> {
    let Replicas { least, most } = replicas;
    let refuse = |rule| Err(BlueprintError::Replicas { of: of.to_owned(), least, most, rule });
    if most == 0 || least > most {
        return refuse("the most are at least one and not below the fewest");
    }
    match scaling {
        Scaling::Fixed if least != most => refuse("nothing scales them, so both are the same number"),
        Scaling::Fixed => Ok(()),
        Scaling::HpaCpu { .. } | Scaling::HpaMetric(_) if least == 0 => {
            refuse("a HorizontalPodAutoscaler keeps at least one")
        }
        Scaling::HpaCpu { percent } => positive(&format!("the CPU target of {of}"), *percent),
        Scaling::HpaMetric(metric) => {
            not_empty(&format!("the metric of {of}"), &metric.name)?;
            number(&format!("the target of {of}"), metric.target, f64::MIN_POSITIVE..=1e15, "above 0")
        }
        Scaling::Keda(triggers) if triggers.is_empty() => refuse("KEDA needs a trigger"),
        Scaling::Keda(triggers) => {
            let starts_from_nothing = |trigger: &Trigger| !matches!(trigger, Trigger::Prometheus { .. });
            if least == 0 && !triggers.iter().any(starts_from_nothing) {
                // A replica that does not run exports nothing that could start it.
                return refuse(
                    "from zero only a queue or a time can start one: add such a trigger, or keep one",
                );
            }
            triggers.iter().try_for_each(|trigger| check_trigger(of, trigger, most))
        }
    }
}

fn check_trigger(of: &str, trigger: &Trigger, most: u32) -> Result<(), BlueprintError> {
    match trigger {
        Trigger::Prometheus { server, query, threshold, activation } => {
            not_empty(&format!("the Prometheus server of {of}"), server)?;
            not_empty(&format!("the query of {of}"), query)?;
            number(&format!("the threshold of {of}"), *threshold, f64::MIN_POSITIVE..=1e15, "above 0")?;
            number(&format!("the activation threshold of {of}"), *activation, 0.0..=1e15, "0 or more")
        }
        Trigger::RedisStream(stream) => {
            for text in [&stream.address, &stream.stream, &stream.consumer_group] {
                not_empty(&format!("the stream of {of}"), text)?;
            }
            positive(&format!("the lag of {of}"), stream.lag)
        }
        Trigger::Cron(floor) => check_floor(of, floor, most),
    }
}

fn check_floor(of: &str, floor: &CronFloor, most: u32) -> Result<(), BlueprintError> {
    let CronFloor { start, end, timezone, replicas } = floor;
    for time in [start, end] {
        let is_cron = time.split_whitespace().count() == 5;
        demand(is_cron, &format!("a time of {of}"), time, "five fields of cron, such as 45 8 * * 1-5")?;
    }
    // Compared by their fields: KEDA refuses equal ones, and so would two spellings of blanks be.
    let is_interval = !start.split_whitespace().eq(end.split_whitespace());
    demand(is_interval, &format!("the end of a floor of {of}"), end, "another time than its start")?;
    let is_zone = !timezone.is_empty()
        && timezone.chars().all(|char| char.is_ascii_alphanumeric() || "/_+-".contains(char));
    demand(is_zone, &format!("the time zone of {of}"), timezone, "an IANA name, such as Europe/Berlin")?;
    if !(1..=most).contains(replicas) {
        let rule = "between 1 and the most replicas";
        return Err(BlueprintError::Number {
            what: format!("a floor of {of}"),
            value: f64::from(*replicas),
            rule,
        });
    }
    Ok(())
}

fn check_measure(name: &str, measure: Measure) -> Result<(), BlueprintError> {
    let target = |value: f64| {
        let rule = "a share above 0 and below 1: a promise of everything has no error budget";
        number(&format!("the target of {name:?}"), value, f64::MIN_POSITIVE..=(1.0 - f64::EPSILON), rule)
    };
    let above_zero = |what: &str, value: f64| {
        number(&format!("{what} of {name:?}"), value, f64::MIN_POSITIVE..=1e12, "above 0")
    };
    match measure {
        Measure::Latency { seconds, share, .. } => {
            if buckets::at_most(seconds).is_none() {
                let rule = "a limit from 0.0001 s on, the smallest boundary of the exported histograms";
                return Err(BlueprintError::Number {
                    what: format!("the limit of {name:?}"),
                    value: seconds,
                    rule,
                });
            }
            target(share)
        }
        Measure::ErrorRate { most } => target(1.0 - most).and_then(|()| target(most)),
        Measure::Availability { least } | Measure::Quality { least, .. } => target(least),
        Measure::CostPerRequest { most_usd } => above_zero("the cost", most_usd),
        Measure::Freshness { seconds, least } => {
            above_zero("the limit", seconds).and_then(|()| target(least))
        }
    }
}

const OBJECT_NAME: &str = "small letters, digits and `-`, beginning and ending with a letter or digit";
const LABEL_VALUE: &str =
    "at most 63 letters, digits, `-`, `_` and `.`, beginning and ending with a letter or digit";

fn demand(holds: bool, what: &str, value: &str, rule: &'static str) -> Result<(), BlueprintError> {
    if holds {
        return Ok(());
    }
    Err(BlueprintError::Invalid { what: what.to_owned(), value: value.to_owned(), rule })
}

fn not_empty(what: &str, text: &str) -> Result<(), BlueprintError> {
    if text.trim().is_empty() { Err(BlueprintError::Empty { what: what.to_owned() }) } else { Ok(()) }
}

fn positive(what: &str, value: u32) -> Result<(), BlueprintError> {
    number(what, f64::from(value), 1.0..=f64::from(u32::MAX), "at least 1")
}

fn number(
    what: &str,
    value: f64,
    range: std::ops::RangeInclusive<f64>,
    rule: &'static str,
) -> Result<(), BlueprintError> {
    if range.contains(&value) {
        Ok(())
    } else {
        Err(BlueprintError::Number { what: what.to_owned(), value, rule })
    }
}

fn no_two(what: &'static str, names: impl Iterator<Item = String>) -> Result<(), BlueprintError> {
    let mut seen = BTreeSet::new();
    for name in names {
        if seen.contains(&name) {
            return Err(BlueprintError::Twice { what, name });
        }
        seen.insert(name);
    }
    Ok(())
}

fn is_object_name(text: &str) -> bool {
    let is_end = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit();
    text.len() <= 63
        && text.starts_with(is_end)
        && text.ends_with(is_end)
        && text.chars().all(|char| is_end(char) || char == '-')
}

fn is_label_value(text: &str) -> bool {
    let is_end = |char: char| char.is_ascii_alphanumeric();
    text.len() <= 63
        && text.starts_with(is_end)
        && text.ends_with(is_end)
        && text.chars().all(|char| is_end(char) || "-_.".contains(char))
}

fn is_file_name(text: &str) -> bool {
    text.len() <= 200
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.chars().all(|char| char.is_ascii_alphanumeric() || "-_.".contains(char))
}

fn is_variable(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let most = match address.parse() {
        Ok(std::net::IpAddr::V4(_)) => 32,
        Ok(std::net::IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    bits.parse::<u8>().is_ok_and(|bits| bits <= most)
}
