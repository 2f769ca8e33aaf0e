//! How busy the engines behind providers are, as backpressure here: what waits at a vLLM will wait for us, too.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mainstay_decisions::measured::{Reading, Samples, Series};
use mainstay_domain::Clock;
use mainstay_gateway::Admission;
use mainstay_ops::measure;
use mainstay_reliability::Signal;
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::config::Checked;

/// How often engines are asked.
const EVERY: Duration = Duration::from_secs(5);

/// A memory for running answers that is full, and nobody waits, is a busy engine and no overloaded one: below the level from which on
/// callers are turned away.
const FULL_MEMORY: f64 = 0.8;

/// The engines that are asked.
pub(super) struct Engines {
    /// By provider.
    clients: BTreeMap<String, Client>,
    /// Whether every model that assistants name has one: with any other model, requests have a place to go.
    serve_everything: bool,
}

impl Engines {
    /// Those of the configuration.
    pub(super) fn of(config: &Checked) -> Self {
        let with_metrics = config.providers.iter().filter_map(|(name, provider)| {
            let url = provider.engine_metrics.as_ref()?.as_str();
            Some((name.clone(), Client::new(url.trim_end_matches("/metrics"), "", None)))
        });
        let clients: BTreeMap<String, Client> = with_metrics.collect();
        let mut named = config
            .assistants
            .values()
            .flat_map(|assistant| assistant.models.iter().chain(&assistant.fallback));
        let serve_everything = named.all(|model| clients.contains_key(&model.provider));
        Self { clients, serve_everything }
    }
}

/// Asks the engines every few seconds. Where they serve everything, the least busy one is a signal of admission.
pub(super) async fn watch_engines(
    engines: Engines,
    admission: Arc<Admission>,
    clock: Clock,
    stop: CancellationToken,
) {
    if engines.clients.is_empty() {
        return;
    }
    while stop.run_until_cancelled(clock.sleep(EVERY)).await.is_some() {
        let mut least: Option<f64> = None;
        for (provider, engine) in &engines.clients {
            // An engine that does not answer is no pressure: its calls fail, and breakers see that.
            let text = clock.timeout(EVERY, engine.get_text("/metrics")).await;
            let busy = text.and_then(Result::ok).and_then(|text| busy(&Samples::parse(&text)));
            if let Some(busy) = busy {
                measure::engine_pressure(provider, busy);
                least = Some(least.map_or(busy, |least| least.min(busy)));
            }
        }
        if engines.serve_everything {
            admission.note(Signal { name: "engine", value: least.unwrap_or(0.0) });
        }
    }
}

/// From 0, idle, to 1: as many requests wait as run, so that the next one waits for a whole answer. Nothing where it is no vLLM.
fn busy(samples: &Samples) -> Option<f64> {
    let sum = |name: &'static str| samples.read(&Reading::Sum(Series::all(name)));
    let (running, waiting) = (sum("vllm:num_requests_running")?, sum("vllm:num_requests_waiting")?);
    let memory = ["vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"];
    let memory = memory.into_iter().find_map(|name| samples.read(&Reading::Largest(Series::all(name))));
    let queue = waiting / running.max(1.0);
    Some(queue.max(FULL_MEMORY * memory.unwrap_or(0.0)).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(running: f64, waiting: f64, memory: f64) -> Option<f64> {
        let model = r#"{engine="0",model_name="m"}"#;
        busy(&Samples::parse(&format!(
            "vllm:num_requests_running{model} {running}\nvllm:num_requests_waiting{model} {waiting}\nvllm:kv_cache_usage_perc{model} {memory}\n"
        )))
    }

    #[test]
    fn an_engine_is_used_up_when_as_many_wait_as_run() {
        assert_eq!(of(0.0, 0.0, 0.0), Some(0.0));
        assert_eq!(of(64.0, 32.0, 0.5), Some(0.5));
        assert_eq!(of(64.0, 200.0, 1.0), Some(1.0));
    }

    #[test]
    fn a_full_memory_without_a_queue_turns_nobody_away() {
        let full = of(64.0, 0.0, 1.0).unwrap();
        assert!(full > 0.7 && full < 0.85, "{full}");
    }

    #[test]
    fn something_else_s_metrics_say_nothing() {
        assert_eq!(busy(&Samples::parse("up 1\n")), None);
    }
}
