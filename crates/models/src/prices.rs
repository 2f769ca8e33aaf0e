//! What models cost: a dated list that is built in, and the prices of the configuration before it.
//!
//! cost = (prompt − cache read − cache write)·input + cache read·cached + cache write·write + completion·output, in
//! integers, rounded once, half up.

use std::collections::HashMap;

use mainstay_domain::port::Prices;
use mainstay_domain::{NanoUsd, Usage};
use serde::Deserialize;

/// What a million tokens cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Price {
    /// Of the prompt.
    pub input: NanoUsd,
    /// Of the prompt, read from the provider's cache.
    pub cached_input: NanoUsd,
    /// Of the prompt, written to the provider's cache.
    pub cache_write: NanoUsd,
    /// Of the answer.
    pub output: NanoUsd,
}

impl Price {
    /// What costs nothing.
    pub const FREE: Self = Self {
        input: NanoUsd::ZERO,
        cached_input: NanoUsd::ZERO,
        cache_write: NanoUsd::ZERO,
        output: NanoUsd::ZERO,
    };

    /// The cost of a call.
    pub fn cost(&self, usage: &Usage) -> NanoUsd {
        const MILLION: i128 = 1_000_000;
        let uncached = usage.prompt.saturating_sub(usage.cache_read).saturating_sub(usage.cache_write);
        let parts = [
            (uncached, self.input),
            (usage.cache_read, self.cached_input),
            (usage.cache_write, self.cache_write),
            (usage.completion, self.output),
        ];
        let total: i128 =
            parts.iter().map(|(tokens, price)| i128::from(*tokens) * i128::from(price.as_nanos())).sum();
        let rounded = (total + MILLION / 2).div_euclid(MILLION);
        NanoUsd::new(i64::try_from(rounded).unwrap_or(i64::MAX))
    }
}

/// The prices of all models that are known.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PriceTable {
    /// By `provider/model`.
    overrides: HashMap<String, Price>,
    /// Which list of the built-in ones holds for a provider of the configuration.
    lists: HashMap<String, &'static PriceList>,
}

/// The built-in prices of a kind of provider.
#[derive(PartialEq, Debug)]
struct PriceList {
    effective: String,
    models: HashMap<String, Price>,
}

/// The date that stands for "as configured".
const CONFIGURED: &str = "mainstay.toml";

/// The date that stands for what costs nothing.
const BUILT_IN: &str = "built in";

impl PriceTable {
    /// The prices of the configuration by `provider/model`, and the providers with the built-in list that holds for
    /// each: `openai`, `anthropic`, `gemini`; others have none.
    pub fn new(
        overrides: impl IntoIterator<Item = (String, Price)>,
        providers: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let lists = providers.into_iter().filter_map(|(name, list)| Some((name, builtin().get(&list)?)));
        Self { overrides: overrides.into_iter().collect(), lists: lists.collect() }
    }
}

impl Prices for PriceTable {
    fn cost(&self, model: &str, usage: &Usage) -> Option<(NanoUsd, &str)> {
        if let Some(price) = self.overrides.get(model) {
            return Some((price.cost(usage), CONFIGURED));
        }
        let (provider, name) = model.split_once('/')?;
        if provider == "builtin" {
            return Some((Price::FREE.cost(usage), BUILT_IN));
        }
        let list = self.lists.get(provider)?;
        Some((list.price(name)?.cost(usage), &list.effective))
    }
}

impl PriceList {
    /// The price of a model, or of the model whose dated version it is: `gpt-4o-2024-08-06`, `claude-sonnet-4-5@20250929`.
    fn price(&self, name: &str) -> Option<&Price> {
        if let Some(price) = self.models.get(name) {
            return Some(price);
        }
        let dated = |base: &str| {
            let rest = &name[base.len()..];
            let digits = rest.bytes().filter(u8::is_ascii_digit).count();
            rest.starts_with(['-', '@']) && digits == 8 && rest.len() <= 11
        };
        let candidates =
            self.models.iter().filter(|(base, _)| name.starts_with(base.as_str()) && dated(base));
        candidates.max_by_key(|(base, _)| base.len()).map(|(_, price)| price)
    }
}

/// The file of built-in prices, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListFile {
    effective: String,
    #[serde(rename = "source")]
    _source: String,
    models: HashMap<String, PriceFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceFile {
    input: String,
    cached_input: Option<String>,
    cache_write: Option<String>,
    output: String,
}

fn builtin() -> &'static HashMap<String, PriceList> {
    static LISTS: std::sync::LazyLock<HashMap<String, PriceList>> = std::sync::LazyLock::new(|| {
        let files: HashMap<String, ListFile> = toml::from_str(include_str!("../assets/prices.toml"))
            .expect("the built-in price list is well-formed");
        files
            .into_iter()
            .map(|(kind, file)| {
                let models = file.models.into_iter().map(|(name, price)| (name, price.read())).collect();
                (kind, PriceList { effective: file.effective, models })
            })
            .collect()
    });
    &LISTS
}

impl PriceFile {
    fn read(&self) -> Price {
        let amount = |text: &str| text.parse::<NanoUsd>().expect("the built-in prices are amounts of money");
        let input = amount(&self.input);
        Price {
            input,
            cached_input: self.cached_input.as_deref().map_or(input, amount),
            cache_write: self.cache_write.as_deref().map_or(input, amount),
            output: amount(&self.output),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table() -> PriceTable {
        PriceTable::new(
            [],
            [("openai".to_owned(), "openai".to_owned()), ("claude".to_owned(), "anthropic".to_owned())],
        )
    }

    #[test]
    fn cached_tokens_have_their_own_price_and_are_not_billed_twice() {
        // 1,000 at $0.15, 9,000 cached at $0.075, 500 at $0.60 per million.
        let usage = Usage { prompt: 10_000, cache_read: 9_000, completion: 500, ..Usage::default() };
        let (cost, date) =
            table().cost("openai/gpt-4o-mini", &usage).map(|(cost, date)| (cost, date.to_owned())).unwrap();
        assert_eq!((cost, date.as_str()), (NanoUsd::new(150_000 + 675_000 + 300_000), "2025-08-07"));
    }

    #[test]
    fn a_dated_version_costs_what_its_model_costs_and_another_model_is_not_guessed() {
        let usage = Usage { prompt: 1_000_000, ..Usage::default() };
        let cost = |model: &str| table().cost(model, &usage).map(|(cost, _)| cost.to_string());
        assert_eq!(cost("openai/gpt-4o-2024-08-06").as_deref(), Some("$2.5"));
        assert_eq!(cost("openai/gpt-4o-mini-2024-07-18").as_deref(), Some("$0.15"));
        assert_eq!(cost("claude/claude-sonnet-4-5-20250929").as_deref(), Some("$3"));
        assert_eq!(cost("claude/claude-sonnet-4-20250514").as_deref(), Some("$3"));
        for unknown in ["openai/gpt-4o-audio-preview", "openai/gpt-4", "vllm/gpt-4o", "gpt-4o", "openai/"] {
            assert_eq!(cost(unknown), None, "{unknown}");
        }
        assert_eq!(cost("builtin/extractive").as_deref(), Some("$0"));
    }

    #[test]
    fn the_configuration_overrides_the_list() {
        let price = Price { input: NanoUsd::new(1_000_000_000), ..Price::FREE };
        let table = PriceTable::new(
            [("openai/gpt-4o".to_owned(), price)],
            [("openai".to_owned(), "openai".to_owned())],
        );
        let usage = Usage { prompt: 1_000_000, ..Usage::default() };
        assert_eq!(table.cost("openai/gpt-4o", &usage), Some((NanoUsd::new(1_000_000_000), "mainstay.toml")));
    }

    proptest! {
        #[test]
        fn the_cost_of_two_calls_is_their_sum_within_rounding(
            prompt in 0u64..10_000_000, read in 0u64..10_000_000, more in 0u64..10_000_000, answer in 0u64..1_000_000,
        ) {
            let price = builtin()["anthropic"].models["claude-sonnet-4-5"];
            let usage = |prompt, read, completion| Usage { prompt, cache_read: read, completion, ..Usage::default() };
            let (one, two) = (usage(prompt + read, read, answer), usage(more, 0, answer));
            let both = usage(prompt + read + more, read, 2 * answer);
            let difference = (price.cost(&one) + price.cost(&two) - price.cost(&both)).as_nanos();
            prop_assert!(difference.abs() <= 1, "{difference}");
            let without_cache = Price { cached_input: price.input, ..price };
            prop_assert!(price.cost(&one) <= without_cache.cost(&one));
        }
    }
}
