//! `[residency]`: where this Mainstay is, and who serves the other regions. With it, nothing of a tenant that is bound to a
//! region leaves it: a configuration that would let that happen is refused.

use std::collections::BTreeMap;

use mainstay_domain::config::{BaseUrl, Findings, KeyPath};
use mainstay_domain::{CorpusName, RegionName};
use mainstay_planner::requirements::is_region;
use mainstay_security::Residency;
use schemars::JsonSchema;
use serde::Deserialize;

use super::corpora::Corpus;
use super::providers::Provider;

/// Where this Mainstay is, and who serves the other regions.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawResidency {
    /// The region in which this process runs and its data folder is.
    #[schemars(example = "eu-west-1")]
    region: Option<String>,
    /// The Mainstays of other regions, by region.
    elsewhere: BTreeMap<String, RawElsewhere>,
}

/// A Mainstay of another region.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
struct RawElsewhere {
    /// Its address, which callers who belong there are told.
    #[schemars(example = "https://us.example.com")]
    url: Option<BaseUrl>,
}

impl RawResidency {
    /// The section, checked. `allowed`: the regions of `constraints.residency`; none where it does not say.
    pub(crate) fn check(
        self,
        at: &KeyPath,
        allowed: &[String],
        providers: &BTreeMap<String, Provider>,
        findings: &mut Findings,
    ) -> Residency {
        let here = self.region.and_then(|region| checked_region(region, &at.key("region"), findings));
        for region in self.elsewhere.keys() {
            checked_region(region.clone(), &at.key("elsewhere").key(region), findings);
        }
        if !allowed.is_empty() {
            keep_within(allowed, here.as_ref(), at, providers, findings);
        }
        let elsewhere = self.elsewhere.into_iter().filter_map(|(region, there)| Some((region, there.url?)));
        Residency {
            here,
            elsewhere: elsewhere
                .map(|(region, url)| (RegionName::from(region), url.as_str().to_owned()))
                .collect(),
        }
    }
}

/// Refuses what would let data leave the regions of `constraints.residency`.
fn keep_within(
    allowed: &[String],
    here: Option<&RegionName>,
    at: &KeyPath,
    providers: &BTreeMap<String, Provider>,
    findings: &mut Findings,
) {
    let is_allowed = |region: &RegionName| allowed.iter().any(|one| one == region.as_str());
    let list = allowed.join(", ");
    match here {
        None => findings.report(
            &at.key("region"),
            format!("constraints.residency keeps data in {list}, and it is not said where this Mainstay is"),
            format!("For example: region = {:?}", allowed[0]),
        ),
        Some(here) if !is_allowed(here) => findings.report(
            &at.key("region"),
            format!("this Mainstay keeps data in {here}, which is not in constraints.residency ({list})"),
            "run it in one of those regions, or allow this one",
        ),
        Some(_) => {}
    }
    for (name, provider) in providers {
        let at = KeyPath::root().key("providers").key(name).key("region");
        match &provider.region {
            None => findings.report(
                &at,
                format!(
                    "constraints.residency keeps data in {list}, and it is not said where this provider is"
                ),
                format!("say where it works on what it is sent. For example: region = {:?}", allowed[0]),
            ),
            Some(region) if !is_allowed(region) => findings.report(
                &at,
                format!("data would leave for {region}, which is not in constraints.residency ({list})"),
                "use the provider in one of those regions, or allow this one",
            ),
            Some(_) => {}
        }
    }
}

/// Refuses a corpus whose documents or questions would be sent out of the region of this Mainstay: what belongs to a tenant
/// that is bound to it must not leave it.
pub(crate) fn keep_documents_here(
    here: Option<&RegionName>,
    corpora: &BTreeMap<CorpusName, Corpus>,
    providers: &BTreeMap<String, Provider>,
    findings: &mut Findings,
) {
    let Some(here) = here else { return };
    for (name, corpus) in corpora {
        let at = KeyPath::root().key("corpora").key(name.as_str());
        let used = [("embedder", Some(&corpus.embedder)), ("reranker", corpus.rerank.model())];
        for (key, model) in used.into_iter().filter_map(|(key, model)| Some((key, model?))) {
            let Some(provider) = providers.get(&model.provider) else { continue };
            if provider.region.as_ref() != Some(here) {
                let there = provider.region.as_ref().map_or("nobody says where", RegionName::as_str);
                findings.report(
                    &at.key(key),
                    format!(
                        "what is in this corpus is kept in {here}, and would be sent to {model} ({there})"
                    ),
                    format!(
                        "set region = {:?} of [providers.{}] if it is there, or take another",
                        here.as_str(),
                        model.provider
                    ),
                );
            }
        }
    }
}

/// A region that is written as one.
pub(super) fn checked_region(region: String, at: &KeyPath, findings: &mut Findings) -> Option<RegionName> {
    if is_region(&region) {
        return Some(RegionName::from(region));
    }
    findings.report(
        at,
        format!("{region:?} is no cloud region"),
        "write regions as the cloud does, in small letters. For example: region = \"eu-west-1\"",
    );
    None
}
