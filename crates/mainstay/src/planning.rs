//! From the configuration to what the planner plans.

use mainstay_planner::{Plan, Spec, plan as planned};

use crate::config::Checked;

/// The plan of this configuration; `None` where it does not say how much there is to serve.
pub(crate) fn plan(checked: &Checked) -> Option<Plan> {
    planned(&spec(checked))
}

fn spec(checked: &Checked) -> Spec<'_> {
    let corpus = checked.corpora.get(checked.default_corpus());
    // The built-in table and MiniLM have 384 dimensions.
    let dimensions = corpus.and_then(|corpus| corpus.dimensions).unwrap_or(384);
    Spec {
        audience: checked.product.audience,
        slo: &checked.slo,
        sla: &checked.sla,
        traffic: &checked.traffic,
        constraints: &checked.constraints,
        planning: &checked.planning,
        with_passages: checked.assistants.values().any(|assistant| assistant.corpus.is_some()),
        dimensions: u32::try_from(dimensions).unwrap_or(u32::MAX),
        independent_providers: independent_providers(checked),
    }
}

/// Providers that the assistant with the fewest can be answered by; `None` where no assistant calls one.
fn independent_providers(checked: &Checked) -> Option<u32> {
    let of_each = checked.assistants.values().map(|assistant| {
        let models = assistant.models.iter().chain(&assistant.fallback);
        let mut providers: Vec<&str> = models
            .map(|model| model.provider.as_str())
            .filter(|name| checked.providers.contains_key(*name))
            .collect();
        providers.sort_unstable();
        providers.dedup();
        u32::try_from(providers.len()).unwrap_or(u32::MAX)
    });
    of_each.filter(|providers| *providers > 0).min()
}
