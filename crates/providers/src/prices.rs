//! What a call costs: list prices as dated data, and the arithmetic on them.

use std::collections::HashMap;
use std::sync::Arc;

use mainstay_domain::port::Prices as PricesPort;
use mainstay_domain::{NanoUsd, Usage};
use serde::Deserialize;

use crate::kind::ProviderKind;

/// The list prices that are compiled in: `assets/prices.toml`, which says where each price comes from.
const LIST: &str = include_str!("../assets/prices.toml");

/// SHA-256 of the list prices that are compiled in, so that two installations can tell whether they calculate alike.
pub const LIST_SHA256: &str = "2e45f91010a4ed21386e9362056d033e3d3ccaf2f8887380b6e51fa14dac85e5";

/// Tokens that the rates are for.
const PER_TOKENS: u128 = 1_000_000;

/// What the models of all configured providers cost. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct PriceTable {
    inner: Arc<Prices>,
}

#[derive(Debug, Default)]
struct Prices {
    /// By `provider/model`.
    models: HashMap<String, Price>,
    /// Providers whose models all cost nothing, with the day from which that holds.
    free: HashMap<String, String>,
}

/// How a provider is paid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Billing {
    /// By the list prices of its kind; models that are not on the list have no known price. There is no list for
    /// compatible servers.
    Listed(ProviderKind),
    /// Not at all: the built-in models, and servers of one's own whose cost is not per token.
    Free,
}

/// The price of a model.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Price {
    /// For most requests.
    pub rates: Rates,
    /// For requests with a long prompt, where those cost more.
    pub long_context: Option<LongContext>,
    /// Of one search of a reranker that bills searches: a question with up to a hundred documents.
    pub search: Option<NanoUsd>,
    /// The day from which the price is known to hold, `2026-11-23`; for the record of a turn.
    pub effective: String,
}

/// Prices of a million tokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rates {
    /// Of the prompt.
    pub input: NanoUsd,
    /// Of the prompt, read from the provider's cache.
    pub cache_read: NanoUsd,
    /// Of the prompt, written to the provider's cache.
    pub cache_write: NanoUsd,
    /// Of the answer.
    pub output: NanoUsd,
}

/// What a request with a long prompt costs, all of its tokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LongContext {
    /// A prompt of more tokens than this is long.
    pub above: u64,
    /// The prices then.
    pub rates: Rates,
}

impl PriceTable {
    /// The prices of these providers, by their names in `mainstay.toml`. `overrides` are by `provider/model` and win
    /// over everything.
    pub fn new(
        providers: impl IntoIterator<Item = (String, Billing)>,
        overrides: impl IntoIterator<Item = (String, Price)>,
    ) -> Self {
        let list = PriceList::built_in();
        let mut prices = Prices::default();
        for (name, billing) in providers {
            match billing {
                Billing::Free => {
                    prices.free.insert(name, list.date.clone());
                }
                Billing::Listed(kind) => prices.models.extend(list.of(kind, &name)),
            }
        }
        prices.models.extend(overrides);
        Self { inner: Arc::new(prices) }
    }

    /// The price of `model`, `provider/model`, where it has one per token.
    pub fn price(&self, model: &str) -> Option<&Price> {
        self.inner.models.get(model)
    }
}

impl PricesPort for PriceTable {
    fn cost(&self, model: &str, usage: &Usage) -> Option<(NanoUsd, &str)> {
        if let Some(price) = self.inner.models.get(model) {
            return Some((price.cost(usage), &price.effective));
        }
        let (provider, _) = model.split_once('/')?;
        self.inner.free.get(provider).map(|since| (NanoUsd::ZERO, since.as_str()))
    }

    fn search_cost(&self, model: &str, searches: u64) -> Option<(NanoUsd, &str)> {
        let price = self.inner.models.get(model)?;
        let nanos = price.search?.as_nanos().saturating_mul(i64::try_from(searches).unwrap_or(i64::MAX));
        Some((NanoUsd::new(nanos), &price.effective))
    }
}

impl Price {
    /// The cost of a call:
    /// `(prompt − cache_read − cache_write)·input + cache_read·read + cache_write·write + completion·output`, rounded
    /// half up once, at the end.
    pub fn cost(&self, usage: &Usage) -> NanoUsd {
        let rates = match &self.long_context {
            Some(long) if usage.prompt > long.above => &long.rates,
            _ => &self.rates,
        };
        let fresh = usage.prompt.saturating_sub(usage.cache_read).saturating_sub(usage.cache_write);
        let parts = [
            (fresh, rates.input),
            (usage.cache_read, rates.cache_read),
            (usage.cache_write, rates.cache_write),
            (usage.completion, rates.output),
        ];
        // 64 bits of tokens times 63 bits of money, four times: within 128 bits, and a price is never negative.
        let sum: u128 = parts
            .iter()
            .map(|(tokens, rate)| u128::from(*tokens) * u128::try_from(rate.as_nanos()).unwrap_or(0))
            .fold(0, u128::saturating_add);
        let nanos = sum.saturating_add(PER_TOKENS / 2) / PER_TOKENS;
        NanoUsd::new(i64::try_from(nanos).unwrap_or(i64::MAX))
    }
}

impl Rates {
    /// Rates of a model without a cache, or whose cache is not cheaper.
    pub fn flat(input: NanoUsd, output: NanoUsd) -> Self {
        Self { input, cache_read: input, cache_write: input, output }
    }
}

/// The file of list prices.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceList {
    /// When it was checked.
    date: String,
    price: Vec<ListedPrice>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListedPrice {
    provider: String,
    models: Vec<String>,
    input: String,
    cache_read: Option<String>,
    cache_write: Option<String>,
    output: String,
    long_context: Option<ListedLongContext>,
    effective: String,
    #[serde(rename = "source")]
    _source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListedLongContext {
    above: u64,
    input: String,
    cache_read: Option<String>,
    cache_write: Option<String>,
    output: String,
}

impl PriceList {
    fn built_in() -> Self {
        toml::from_str(LIST).expect("the list that is compiled in is well-formed: a test reads it")
    }

    /// The prices of a kind of provider, by `name/model`.
    fn of<'l>(&'l self, kind: ProviderKind, name: &'l str) -> impl Iterator<Item = (String, Price)> + 'l {
        let listed = self.price.iter().filter(move |listed| listed.provider == kind.as_str());
        listed.flat_map(move |listed| {
            let price = listed.checked();
            listed.models.iter().map(move |model| (format!("{name}/{model}"), price.clone()))
        })
    }
}

impl ListedPrice {
    fn checked(&self) -> Price {
        Price {
            rates: rates(&self.input, self.cache_read.as_ref(), self.cache_write.as_ref(), &self.output),
            long_context: self.long_context.as_ref().map(|long| LongContext {
                above: long.above,
                rates: rates(&long.input, long.cache_read.as_ref(), long.cache_write.as_ref(), &long.output),
            }),
            search: None,
            effective: self.effective.clone(),
        }
    }
}

fn rates(input: &str, cache_read: Option<&String>, cache_write: Option<&String>, output: &str) -> Rates {
    let amount = |text: &str| {
        text.parse::<NanoUsd>().expect("the list that is compiled in has amounts: a test reads it")
    };
    let input = amount(input);
    Rates {
        input,
        cache_read: cache_read.map_or(input, |text| amount(text)),
        cache_write: cache_write.map_or(input, |text| amount(text)),
        output: amount(output),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    use super::*;

    fn table() -> PriceTable {
        let providers = [
            ("openai".to_owned(), Billing::Listed(ProviderKind::OpenAi)),
            ("claude".to_owned(), Billing::Listed(ProviderKind::Anthropic)),
            ("google".to_owned(), Billing::Listed(ProviderKind::Gemini)),
            ("vllm".to_owned(), Billing::Listed(ProviderKind::OpenAiCompatible)),
            ("ollama".to_owned(), Billing::Free),
        ];
        let overridden = Price {
            rates: Rates::flat(NanoUsd::new(1_000_000_000), NanoUsd::new(2_000_000_000)),
            long_context: None,
            search: None,
            effective: "2030-01-01".to_owned(),
        };
        let searched = Price { search: Some(NanoUsd::new(2_000_000)), ..overridden.clone() };
        let overrides = [("openai/gpt-4.1", overridden), ("cohere/rerank-v3.5", searched)];
        PriceTable::new(providers, overrides.map(|(model, price)| (model.to_owned(), price)))
    }

    fn usage(prompt: u64, cache_read: u64, cache_write: u64, completion: u64) -> Usage {
        Usage { prompt, cache_read, cache_write, completion, reasoning: 0 }
    }

    fn check(model: &str, usage: Usage, dollars: &str) {
        let table = table();
        let (cost, _) = table.cost(model, &usage).unwrap_or_else(|| panic!("{model} has no price"));
        assert_eq!(cost, dollars.parse().unwrap(), "{model}");
    }

    #[test]
    fn costs_are_those_of_the_price_lists() {
        check("openai/gpt-4o-mini", usage(1_000_000, 0, 0, 0), "$0.15");
        check("openai/gpt-4o-mini", usage(1_000_000, 400_000, 0, 1_000_000), "$0.72");
        check("openai/gpt-4o-mini-2024-07-18", usage(100, 0, 0, 10), "$0.000021");
        check("claude/claude-haiku-4-5", usage(1_000_000, 500_000, 100_000, 10_000), "$0.625");
        check("google/gemini-2.5-pro", usage(200_000, 0, 0, 1_000_000), "$10.25");
        check("google/gemini-2.5-pro", usage(200_001, 0, 0, 1_000_000), "$15.5000025");
        check("openai/text-embedding-3-small", usage(1_000_000, 0, 0, 0), "$0.02");
    }

    #[test]
    fn an_override_wins_and_says_its_date() {
        let table = table();
        let (cost, since) = table.cost("openai/gpt-4.1", &usage(1_000_000, 500_000, 0, 1_000_000)).unwrap();
        assert_eq!((cost, since), ("$3".parse().unwrap(), "2030-01-01"));
    }

    #[test]
    fn a_model_without_a_price_has_none_and_is_not_free() {
        let table = table();
        let used = usage(1_000, 0, 0, 1_000);
        for model in ["openai/gpt-4o-2099-01-01", "vllm/llama", "nobody/gpt-4o", "gpt-4o", ""] {
            assert_eq!(table.cost(model, &used), None, "{model}");
        }
        assert_eq!(table.cost("ollama/llama3:8b", &used).unwrap().0, NanoUsd::ZERO);
    }

    #[test]
    fn searches_have_a_price_of_their_own_or_none() {
        let table = table();
        let (cost, since) = table.search_cost("cohere/rerank-v3.5", 3).unwrap();
        assert_eq!((cost, since), ("$0.006".parse().unwrap(), "2030-01-01"));
        assert_eq!(table.search_cost("openai/gpt-4.1", 1), None);
        assert!(table.search_cost("cohere/rerank-v3.5", u64::MAX).unwrap().0 > NanoUsd::ZERO);
    }

    #[test]
    fn half_a_nano_dollar_is_rounded_up_once() {
        let price = |nanos| Price {
            rates: Rates::flat(NanoUsd::new(nanos), NanoUsd::new(nanos)),
            long_context: None,
            search: None,
            effective: String::new(),
        };
        assert_eq!(price(499_999).cost(&usage(1, 0, 0, 0)).as_nanos(), 0);
        assert_eq!(price(500_000).cost(&usage(1, 0, 0, 0)).as_nanos(), 1);
        // Each part alone would be rounded up.
        assert_eq!(price(500_000).cost(&usage(2, 1, 0, 1)).as_nanos(), 2);
    }

    #[test]
    fn the_list_is_well_formed_dated_and_the_one_that_is_named() {
        let list = PriceList::built_in();
        let is_date = |text: &str| {
            text.len() == 10
                && text.split('-').map(str::len).eq([4, 2, 2])
                && text.replace('-', "").parse::<u32>().is_ok()
        };
        assert!(is_date(&list.date));
        let mut seen = std::collections::HashSet::new();
        for listed in &list.price {
            assert!(is_date(&listed.effective) && listed.effective <= list.date, "{:?}", listed.models);
            assert!(listed._source.starts_with("https://"), "{:?}", listed.models);
            assert!(listed.provider.parse::<ProviderKind>().is_ok(), "{}", listed.provider);
            let Price { rates, long_context, .. } = listed.checked();
            assert!(
                rates.cache_read <= rates.input && rates.cache_write >= rates.input,
                "{:?}",
                listed.models
            );
            assert!(long_context.is_none_or(|long| long.rates.input > rates.input), "{:?}", listed.models);
            for model in &listed.models {
                assert!(seen.insert((listed.provider.clone(), model.clone())), "{model} is there twice");
            }
        }
        let hash: String = Sha256::digest(LIST).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, LIST_SHA256, "the list has changed: set its `date`, and LIST_SHA256");
    }

    prop_compose! {
        fn any_usage()(
            fresh in 0u64..10_000_000,
            cache_read in 0u64..10_000_000,
            cache_write in 0u64..10_000_000,
            completion in 0u64..10_000_000,
        ) -> Usage {
            usage(fresh + cache_read + cache_write, cache_read, cache_write, completion)
        }
    }

    prop_compose! {
        fn any_price()(rates in proptest::array::uniform4(0i64..100_000_000_000)) -> Price {
            let [input, cache_read, cache_write, output] = rates.map(NanoUsd::new);
            Price { rates: Rates { input, cache_read, cache_write, output }, long_context: None, search: None, effective: String::new() }
        }
    }

    proptest! {
        #[test]
        fn two_calls_cost_what_their_sum_costs_but_for_rounding(a in any_usage(), b in any_usage(), price in any_price()) {
            let sum = usage(
                a.prompt + b.prompt,
                a.cache_read + b.cache_read,
                a.cache_write + b.cache_write,
                a.completion + b.completion,
            );
            let apart = price.cost(&a).as_nanos() + price.cost(&b).as_nanos();
            prop_assert!((price.cost(&sum).as_nanos() - apart).abs() <= 1);
        }

        #[test]
        fn a_token_of_the_prompt_is_billed_once(used in any_usage(), rate in 0i64..100_000_000_000) {
            // At one rate for everything, where the tokens come from cannot matter.
            let rate = NanoUsd::new(rate);
            let price = Price { rates: Rates::flat(rate, rate), long_context: None, search: None, effective: String::new() };
            let plain = usage(used.prompt, 0, 0, used.completion);
            prop_assert_eq!(price.cost(&used), price.cost(&plain));
        }

        #[test]
        fn no_count_that_a_provider_may_send_overflows(
            prompt in any::<u64>(), cache_read in any::<u64>(), cache_write in any::<u64>(), completion in any::<u64>(),
        ) {
            let price = Price {
                rates: Rates::flat(NanoUsd::new(i64::MAX), NanoUsd::new(i64::MAX)),
                long_context: None,
                search: None,
                effective: String::new(),
            };
            prop_assert!(price.cost(&usage(prompt, cache_read, cache_write, completion)) >= NanoUsd::ZERO);
        }
    }
}
