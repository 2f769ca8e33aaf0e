//! From the configuration to what the planner plans.

use mainstay_planner::{ApiPrice, Plan, Spec, plan as planned};
use mainstay_providers::{Billing, PriceTable, ProviderKind};

use crate::compose;
use crate::config::Checked;

/// The model whose price stands for providers where the file names none that has one.
const USUAL_MODEL: &str = "openai/gpt-4o-mini";

/// The plan of this configuration; `None` where it does not say how much there is to serve.
pub(crate) fn plan(checked: &Checked) -> Option<Plan> {
    let price = price(checked);
    planned(&spec(checked, price.as_ref()))
}

/// What the model costs that stands for providers: the one of `planning.api_model`, else the first of an assistant that has a price, else
/// a usual one.
fn price(checked: &Checked) -> Option<ApiPrice> {
    let own = compose::prices(checked);
    // The lists are there whether a provider is configured or not.
    let kinds = [ProviderKind::OpenAi, ProviderKind::Anthropic, ProviderKind::Gemini];
    let listed = kinds.map(|kind| (kind.as_str().to_owned(), Billing::Listed(kind)));
    let lists = PriceTable::new(listed, []);
    let wanted = checked.planning.api_model.iter().cloned();
    let asked = checked.assistants.values().flat_map(|assistant| &assistant.models).map(ToString::to_string);
    wanted.chain(asked).chain([USUAL_MODEL.to_owned()]).find_map(|model| {
        let price = own.price(&model).or_else(|| lists.price(&model))?;
        let dollars = |amount: mainstay_domain::NanoUsd| amount.as_dollars_lossy();
        Some(ApiPrice {
            input: dollars(price.rates.input),
            cached_input: dollars(price.rates.cache_read),
            output: dollars(price.rates.output),
            model,
        })
    })
}

fn spec<'a>(checked: &'a Checked, price: Option<&'a ApiPrice>) -> Spec<'a> {
    let corpus = checked.corpora.get(checked.default_corpus());
    // The built-in table and MiniLM have 384 dimensions.
    let dimensions = corpus.and_then(|corpus| corpus.dimensions).unwrap_or(384);
    Spec {
        audience: checked.product.audience,
        slo: &checked.slo,
        traffic: &checked.traffic,
        constraints: &checked.constraints,
        planning: &checked.planning,
        with_passages: checked.assistants.values().any(|assistant| assistant.corpus.is_some()),
        dimensions: u32::try_from(dimensions).unwrap_or(u32::MAX),
        independent_providers: independent_providers(checked),
        price,
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
