//! The providers of the configuration, and what they cost.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use mainstay_domain::Clock;
use mainstay_domain::port::Embedder;
use mainstay_providers::{
    Billing, EmbeddingOptions, Price, PriceTable, Provider, ProviderOptions, ProviderSettings, Rates,
};

use crate::config::{Checked, Surroundings, sections};

/// The providers of the configuration, ready to be called.
pub(super) fn remote_providers(config: &Checked, clock: Clock) -> anyhow::Result<BTreeMap<String, Provider>> {
    let secrets = Surroundings::of(&config.folder);
    let network = Arc::new(mainstay_providers::http::Network::new(config.security.outbound.clone()));
    let mut providers = BTreeMap::new();
    for (name, section) in &config.providers {
        let options = provider_options(name, section, &secrets)?;
        let settings = ProviderSettings::check(options)?;
        providers.insert(name.clone(), Provider::new(settings, network.clone(), clock));
    }
    Ok(providers)
}

fn provider_options(
    name: &str,
    section: &sections::providers::Provider,
    secrets: &Surroundings,
) -> anyhow::Result<ProviderOptions> {
    use sections::providers::HeaderText;
    let kind = section.kind.into();
    let secret = |place: &mainstay_domain::config::SecretRef| {
        place.resolve(secrets).with_context(|| format!("the provider \"{name}\" cannot be used"))
    };
    let headers = section.headers.iter().map(|(header, text)| {
        let value = match text {
            HeaderText::Plain(text) => text.clone(),
            HeaderText::Secret(place) => secret(place)?.expose().to_owned(),
        };
        anyhow::Ok((header.clone(), value))
    });
    let timeouts = &section.timeouts;
    Ok(ProviderOptions {
        base_url: section.base_url.clone(),
        api_key: section.api_key.as_ref().map(secret).transpose()?,
        timeouts: mainstay_providers::http::Timeouts {
            connect: timeouts.connect,
            headers: timeouts.headers,
            first_token: timeouts.first_token,
            idle: timeouts.idle,
            total: timeouts.total,
        },
        headers: headers.collect::<anyhow::Result<_>>()?,
        ..ProviderOptions::new(name, kind)
    })
}

pub(super) fn remote_embedder(
    provider: &Provider,
    model: &str,
    dimensions: Option<usize>,
) -> Option<Arc<dyn Embedder>> {
    let options = EmbeddingOptions { dimensions, ..EmbeddingOptions::default() };
    provider.embedder(model, options).map(|embedder| Arc::new(embedder) as Arc<dyn Embedder>)
}

/// The prices of the configuration before those that are built in for the kinds of its providers.
pub(crate) fn prices(config: &Checked) -> PriceTable {
    let overrides = config.prices.iter().map(|(model, price)| {
        let rates = Rates {
            input: price.input,
            cache_read: price.cached_input,
            cache_write: price.cache_write,
            output: price.output,
        };
        let effective = "mainstay.toml".to_owned();
        (model.clone(), Price { rates, long_context: None, search: price.search, effective })
    });
    let listed =
        config.providers.iter().map(|(name, provider)| (name.clone(), Billing::Listed(provider.kind.into())));
    let builtin = std::iter::once(("builtin".to_owned(), Billing::Free));
    PriceTable::new(listed.chain(builtin), overrides)
}
