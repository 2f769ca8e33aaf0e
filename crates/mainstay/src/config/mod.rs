//! `mainstay.toml`: its sections put together, read, checked, and its problems shown.
//!
//! A section's raw type says what the file may contain, its checked type is what the program uses; see
//! [`mainstay_domain::config`]. Here they are composed, and references between them (an assistant's corpus, a model's
//! provider) are resolved. Every default is named once, in the `Default` of its checked type;
//! `assets/default-config.toml` shows them all to people, and a test proves that it tells the truth.

mod diagnostics;
mod load;
mod secrets;
pub(crate) mod sections;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use mainstay_domain::config::{FactValue, Findings, KeyPath, SecretRef};
use mainstay_domain::{AssistantName, CorpusName};
use mainstay_gateway::admission::AdmissionSettings;
use mainstay_gateway::service::ServiceSettings;
use mainstay_models::CallPolicy;
use mainstay_ops::budgets::{Attribute, BudgetSettings};
use mainstay_planner::requirements::{
    Consistency, Constraints, Facts, Pin, Planning, Product, RawConsistency, RawConstraints, RawPin,
    RawPlanning, RawProduct, RawSla, RawSlo, RawTraffic, Sla, Slo, Traffic, check_facts,
};
use mainstay_security::Residency;
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) use diagnostics::Diagnostics;
pub(crate) use load::{FILE_NAME, check_text, load};
pub(crate) use secrets::Surroundings;
use sections::assistants::{Assistant, RawAssistant, ReadFile};
use sections::audit::{Audit, RawAudit};
use sections::budgets::{RawAttribution, RawBudget};
use sections::cache::{Cache, RawCache};
use sections::content_log::{ContentLog, RawContentLog};
use sections::corpora::{Corpus, RawCorpus};
use sections::identity::{Issuer, RawIdentity};
use sections::limits::RawLimits;
use sections::models::{Model, RawModel};
use sections::onnx::{Onnx, RawOnnx};
use sections::prices::{Price, RawPrice};
use sections::providers::{HeaderText, Provider, RawProvider};
use sections::reliability::RawReliability;
use sections::residency::{RawResidency, keep_documents_here};
use sections::security::{RawSecurity, Security, keep_within};
use sections::server::{RawServer, Server};
use sections::service::RawService;
use sections::storage::{RawStorage, Storage};

/// The defaults, commented, for people.
pub(crate) const DEFAULTS_FOR_PEOPLE: &str = include_str!("../../assets/default-config.toml");

/// What mainstay.toml may contain.
#[derive(Deserialize, JsonSchema, Default)]
#[schemars(title = "mainstay.toml")]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawConfig {
    /// What the product is and for whom.
    product: RawProduct,
    /// What it promises.
    slo: RawSlo,
    /// How much it must serve.
    traffic: RawTraffic,
    /// What contracts promise: looser than what is aimed at.
    sla: RawSla,
    /// What no design may break.
    constraints: RawConstraints,
    /// How fresh each kind of data must be when it is read, by a name of your choice.
    consistency: BTreeMap<String, RawConsistency>,
    /// What the plan may choose from, and what it costs.
    planning: RawPlanning,
    /// What only the team knows: numbers, yes and no, by the names that `mainstay decide --facts` lists.
    facts: BTreeMap<String, FactValue>,
    /// What the team has decided, by the card.
    decisions: BTreeMap<String, RawPin>,
    /// Where this Mainstay is, and who serves the other regions.
    residency: RawResidency,
    /// How the API is served.
    server: RawServer,
    /// Who says who people are.
    identity: RawIdentity,
    /// Who may do what, and what takes two people.
    security: RawSecurity,
    /// How many requests are answered, and whose.
    limits: RawLimits,
    /// What may be spent, by a name of your choice.
    budgets: BTreeMap<String, RawBudget>,
    /// Whom requests are charged to.
    attribution: RawAttribution,
    /// Answers that are given again.
    cache: RawCache,
    /// The record of who did what.
    audit: RawAudit,
    /// What is said in some turns, for those who look into a failure.
    content_log: RawContentLog,
    /// Where data is kept.
    storage: RawStorage,
    /// Who runs the models, by a name of your choice.
    providers: BTreeMap<String, RawProvider>,
    /// Models that run in this process, each a folder, by a name of your choice.
    onnx: BTreeMap<String, RawOnnx>,
    /// What happens when a provider fails.
    reliability: RawReliability,
    /// How much is offered while something fails.
    service: RawService,
    /// What is known of models, by `provider/model`.
    models: BTreeMap<String, RawModel>,
    /// What clients name as `model`, by a name of your choice.
    assistants: BTreeMap<String, RawAssistant>,
    /// Collections of documents, by a name of your choice.
    corpora: BTreeMap<String, RawCorpus>,
    /// Prices that differ from the built-in list, by `provider/model`.
    prices: BTreeMap<String, RawPrice>,
}

/// `mainstay.toml`, checked: every reference leads somewhere and no two keys contradict each other.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Checked {
    /// The folder of the file, as the working folder reaches it; empty when it is the same. Relative paths in the file
    /// start here.
    pub(crate) folder: PathBuf,
    /// What the product is and for whom.
    pub(crate) product: Product,
    /// What it promises.
    pub(crate) slo: Slo,
    /// How much it must serve.
    pub(crate) traffic: Traffic,
    /// What contracts promise.
    pub(crate) sla: Sla,
    /// What no design may break.
    pub(crate) constraints: Constraints,
    /// How fresh each kind of data must be when it is read.
    pub(crate) consistency: BTreeMap<String, Consistency>,
    /// What the plan may choose from, and what it costs.
    pub(crate) planning: Planning,
    /// What only the team knows.
    pub(crate) facts: Facts,
    /// What the team has decided, by the card's id.
    pub(crate) decisions: BTreeMap<String, Pin>,
    /// Where this Mainstay is, and who serves the other regions.
    pub(crate) residency: Residency,
    /// How the API is served.
    pub(crate) server: Server,
    /// Identity providers whose tokens are accepted, by name.
    pub(crate) issuers: BTreeMap<String, Issuer>,
    /// Who may do what, and what takes two people.
    pub(crate) security: Security,
    /// How many requests are answered, and whose.
    pub(crate) limits: AdmissionSettings,
    /// What may be spent, by name.
    pub(crate) budgets: BTreeMap<String, BudgetSettings>,
    /// What of its attributes every request must say.
    pub(crate) required_attribution: Vec<Attribute>,
    /// Answers that are given again.
    pub(crate) cache: Cache,
    /// The record of who did what.
    pub(crate) audit: Audit,
    /// What is kept of what is said.
    pub(crate) content_log: ContentLog,
    /// Where data is kept.
    pub(crate) storage: Storage,
    /// Who runs the models, by name. `builtin` is not among them.
    pub(crate) providers: BTreeMap<String, Provider>,
    /// Models that run in this process, by name.
    pub(crate) onnx: BTreeMap<String, Onnx>,
    /// What happens when a provider fails.
    pub(crate) reliability: CallPolicy,
    /// How much is offered while something fails.
    pub(crate) service: ServiceSettings,
    /// What is known of models, by `provider/model`.
    pub(crate) models: BTreeMap<String, Model>,
    /// The assistants by name; at least one.
    pub(crate) assistants: BTreeMap<AssistantName, Assistant>,
    /// The corpora by name; at least one.
    pub(crate) corpora: BTreeMap<CorpusName, Corpus>,
    /// Prices that differ from the built-in list, by `provider/model`.
    pub(crate) prices: BTreeMap<String, Price>,
}

/// The assistant that there is where the file names none.
pub(crate) const DEFAULT_ASSISTANT: &str = "assistant";

impl Checked {
    /// The corpus that is meant where none is named: `default` where there is one, else the first by name.
    pub(crate) fn default_corpus(&self) -> &CorpusName {
        let unnamed = CorpusName::unnamed();
        let found = self.corpora.get_key_value(&unnamed).or_else(|| self.corpora.first_key_value());
        found.map(|(name, _)| name).expect("a checked configuration has at least one corpus")
    }

    /// Every secret that a provider's section refers to.
    pub(crate) fn provider_secrets(&self) -> impl Iterator<Item = &SecretRef> {
        self.providers.values().flat_map(|provider| {
            let headers = provider.headers.values().filter_map(|header| match header {
                HeaderText::Secret(secret) => Some(secret),
                HeaderText::Plain(_) => None,
            });
            provider.api_key.iter().chain(headers)
        })
    }

    /// The same for work that calls no model: with those providers alone that corpora embed and rerank with.
    pub(crate) fn without_models(mut self) -> Self {
        let searching: BTreeSet<&str> = self
            .corpora
            .values()
            .flat_map(|corpus| [Some(&corpus.embedder), corpus.rerank.model()])
            .flatten()
            .map(|model| model.provider.as_str())
            .collect();
        self.providers.retain(|name, _| searching.contains(name.as_str()));
        self
    }
}

/// What holds without a file.
impl Default for Checked {
    fn default() -> Self {
        let nothing = mainstay_domain::config::read::<RawConfig>("");
        let mut findings = nothing.findings;
        let reads_nothing = |_: &Path| Err(io::ErrorKind::NotFound.into());
        nothing.value.expect("an empty file is TOML").check(Path::new(""), &reads_nothing, &mut findings)
    }
}

impl RawConfig {
    /// The whole file, checked. It may be used only if there are no findings in the end.
    fn check(self, folder: &Path, read_file: ReadFile<'_>, findings: &mut Findings) -> Checked {
        let root = KeyPath::root();
        let slo = self.slo.check(&root.key("slo"), findings);
        let constraints = self.constraints.check(&root.key("constraints"), slo.cost.per_request, findings);
        let providers = check_each(self.providers, "providers", |raw, at| raw.check(at, findings));
        let residency =
            self.residency.check(&root.key("residency"), &constraints.residency, &providers, findings);
        let onnx = check_each(self.onnx, "onnx", |raw, at| raw.check(at, folder, findings));
        let mut corpora =
            check_each(self.corpora, "corpora", |raw, at| raw.check(at, folder, &providers, findings));
        if corpora.is_empty() {
            corpora.insert(CorpusName::unnamed(), Corpus::default());
        }
        keep_documents_here(residency.here.as_ref(), &corpora, &providers, findings);
        let reliability = self.reliability.check(&root.key("reliability"), findings);
        let models = check_each(self.models, "models", |raw, at| {
            raw.check(at, &providers, reliability.breaker, findings)
        });
        let assistants = check_each(self.assistants, "assistants", |raw, at| {
            raw.check(at, &providers, read_file, findings)
        });
        let prices = check_each(self.prices, "prices", |raw, at| raw.check(at, findings));
        let storage = self.storage.check(&root.key("storage"), folder, findings);
        let is_sealed = storage.encryption.is_some();
        let has_issuers = !self.identity.issuers.is_empty();
        let mut checked = Checked {
            product: self.product.check(&root.key("product"), findings),
            traffic: self.traffic.check(&root.key("traffic"), findings),
            sla: self.sla.check(&root.key("sla"), &slo, findings),
            consistency: check_some(self.consistency, "consistency", |raw, at| raw.check(at, findings)),
            planning: self.planning.check(&root.key("planning"), findings),
            facts: check_facts(self.facts, &root.key("facts"), findings),
            decisions: check_some(self.decisions, "decisions", |raw, at| raw.check(at, findings)),
            residency,
            server: self.server.check(&root.key("server"), folder, findings),
            issuers: check_issuers(self.identity, folder, findings),
            security: self.security.check(&root.key("security"), folder, has_issuers, findings),
            limits: self.limits.check(&root.key("limits"), findings),
            budgets: check_each(self.budgets, "budgets", |raw, at| raw.check(at, findings)),
            required_attribution: self.attribution.required(),
            cache: self.cache.check(),
            audit: self.audit.check(&root.key("audit"), findings),
            content_log: self.content_log.check(&root.key("content_log"), is_sealed, findings),
            storage,
            slo,
            constraints,
            folder: folder.to_owned(),
            providers,
            onnx,
            reliability,
            service: self.service.check(&root.key("service"), findings),
            models,
            assistants,
            corpora,
            prices,
        };
        keep_within(&checked.security.outbound, &checked.providers, &checked.issuers, findings);
        if checked.assistants.is_empty() {
            let answers_from = checked.default_corpus().clone();
            checked
                .assistants
                .insert(AssistantName::new(DEFAULT_ASSISTANT), Assistant::extractive(answers_from));
        }
        checked
    }
}

fn check_issuers(identity: RawIdentity, folder: &Path, findings: &mut Findings) -> BTreeMap<String, Issuer> {
    let at = KeyPath::root().key("identity").key("issuers");
    let checked = identity.issuers.into_iter().map(|(name, raw)| {
        let issuer = raw.check(&at.key(&name), folder, findings);
        (name, issuer)
    });
    checked.collect()
}

/// Checks each entry of a table of named things.
fn check_each<Name: Ord + From<String>, Raw, Entry>(
    entries: BTreeMap<String, Raw>,
    section: &str,
    mut check: impl FnMut(Raw, &KeyPath) -> Entry,
) -> BTreeMap<Name, Entry> {
    let section = KeyPath::root().key(section);
    let entries = entries.into_iter().map(|(name, raw)| {
        let entry = check(raw, &section.key(&name));
        (Name::from(name), entry)
    });
    entries.collect()
}

/// The same where an entry may be of no use.
fn check_some<Raw, Entry>(
    entries: BTreeMap<String, Raw>,
    section: &str,
    check: impl FnMut(Raw, &KeyPath) -> Option<Entry>,
) -> BTreeMap<String, Entry> {
    let checked = check_each::<String, _, _>(entries, section, check).into_iter();
    checked.filter_map(|(name, entry)| Some((name, entry?))).collect()
}

#[cfg(test)]
mod tests;
