use std::fmt::Write as _;
use std::path::Path;

use mainstay_domain::config::{Position, Problem, read, schema_of};
use miette::GraphicalTheme;
use serde_json::Value;

use super::*;

fn check(text: &str) -> Result<Checked, Diagnostics> {
    check_text(text, Path::new("mainstay.toml"))
}

fn problems(text: &str) -> Vec<Problem> {
    check(text).map_or_else(|diagnostics| diagnostics.problems().to_vec(), |_| Vec::new())
}

/// A key of the schema: the steps to it, `*` for a name of the user's choice.
type Key = Vec<String>;

/// Every key that holds a value, and every table.
fn keys() -> (Vec<Key>, Vec<Key>) {
    fn walk(schema: &Value, at: &mut Key, leaves: &mut Vec<Key>, tables: &mut Vec<Key>) {
        let named = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
        let named = named.map(|(name, schema)| (name.as_str(), schema));
        let any = schema.get("additionalProperties").filter(|any| any.is_object()).map(|any| ("*", any));
        let children: Vec<(&str, &Value)> = named.chain(any).collect();
        if children.is_empty() {
            leaves.push(at.clone());
            return;
        }
        tables.push(at.clone());
        for (name, schema) in children {
            at.push(name.to_owned());
            walk(schema, at, leaves, tables);
            at.pop();
        }
    }
    let (mut leaves, mut tables) = (Vec::new(), Vec::new());
    walk(&schema_of::<RawConfig>(), &mut Vec::new(), &mut leaves, &mut tables);
    (leaves, tables)
}

/// The key with names in the place of the stars, as the file writes it.
fn concrete(key: &[String]) -> String {
    let steps: Vec<String> = key
        .iter()
        .enumerate()
        .map(|(depth, step)| match (step.as_str(), depth) {
            ("*", 1) if ["prices", "models"].contains(&key[0].as_str()) => "\"acme/large\"".to_owned(),
            ("*", 1) => "acme".to_owned(),
            ("*", 2) => "free".to_owned(),
            ("*", _) => "X-Team".to_owned(),
            (step, _) => step.to_owned(),
        })
        .collect();
    steps.join(".")
}

/// Asserts that `key = value` on the third line of a file is one problem of that key, at the value's place (or the
/// key's own), with a hint; returns the problem.
fn assert_refused(key: &str, value: &str, at_key: bool) -> Problem {
    let text = format!("# A comment with an ü.\n\n{key} = {value}\n");
    let mut found = problems(&text);
    found.retain(|problem| problem.path == key);
    assert_eq!(found.len(), 1, "{key} = {value}: {found:?}");
    let problem = found.remove(0);
    let position = Position::of(&text, problem.span.start);
    let last_step = key.rfind('.').map_or(0, |dot| dot + 1);
    let column = if at_key { last_step + 1 } else { key.len() + " = ".len() + 1 };
    assert_eq!((position.line, position.column), (3, column), "{key} = {value}: {problem:?}");
    assert!(!problem.message.is_empty() && !problem.hint.is_empty(), "{key} = {value}: {problem:?}");
    problem
}

/// A bad value for every key: add a line here when you add a key.
const BAD_VALUES: &[(&str, &str)] = &[
    ("product.name", "\"\""),
    ("product.audience", "\"everyone\""),
    ("product.description", "\" \""),
    ("slo.ttft.p50", "\"fast\""),
    ("slo.ttft.p90", "500"),
    ("slo.ttft.p95", "\"fast\""),
    ("slo.ttft.p99", "\"0s\""),
    ("slo.latency.p50", "\"low\""),
    ("slo.latency.p90", "\"-1s\""),
    ("slo.latency.p95", "\"5 secs\""),
    ("slo.latency.p99", "1.5"),
    ("slo.time_per_output_token.p50", "\"quick\""),
    ("slo.time_per_output_token.p90", "true"),
    ("slo.time_per_output_token.p95", "\"\""),
    ("slo.time_per_output_token.p99", "\"50\""),
    ("slo.errors.rate", "\"low\""),
    ("slo.availability.monthly", "\"high\""),
    ("slo.cost.per_request", "\"cheap\""),
    ("slo.quality.faithfulness", "\"good\""),
    ("slo.quality.recall_at_5", "\"most\""),
    ("slo.quality.recall_at_10", "1.5"),
    ("slo.quality.ndcg_at_10", "0"),
    ("slo.quality.mrr_at_10", "-1"),
    ("slo.freshness.staleness", "\"0s\""),
    ("slo.tiers.*.ttft.p50", "\"fast\""),
    ("slo.tiers.*.ttft.p90", "\"fast\""),
    ("slo.tiers.*.ttft.p95", "\"fast\""),
    ("slo.tiers.*.ttft.p99", "\"fast\""),
    ("slo.tiers.*.latency.p50", "\"0ms\""),
    ("slo.tiers.*.latency.p90", "\"0ms\""),
    ("slo.tiers.*.latency.p95", "\"0ms\""),
    ("slo.tiers.*.latency.p99", "\"0ms\""),
    ("slo.tiers.*.errors.rate", "\"101%\""),
    ("slo.tiers.*.availability.monthly", "\"100%\""),
    ("traffic.monthly_active_users", "\"many\""),
    ("traffic.daily_active_share", "\"0%\""),
    ("traffic.sessions_per_day", "0"),
    ("traffic.requests_per_session", "-1"),
    ("traffic.requests_per_second", "0"),
    ("traffic.burst_requests_per_second", "nan"),
    ("traffic.input_tokens", "0"),
    ("traffic.output_tokens", "\"some\""),
    ("traffic.cached_input", "\"101%\""),
    ("traffic.shape", "\"round\""),
    ("traffic.growth_per_month", "\"fast\""),
    ("sla.tiers.*.ttft.p50", "\"fast\""),
    ("sla.tiers.*.ttft.p90", "\"1s\""),
    ("sla.tiers.*.ttft.p95", "\"fast\""),
    ("sla.tiers.*.ttft.p99", "\"fast\""),
    ("sla.tiers.*.latency.p50", "\"0ms\""),
    ("sla.tiers.*.latency.p90", "\"0ms\""),
    ("sla.tiers.*.latency.p95", "\"0ms\""),
    ("sla.tiers.*.latency.p99", "\"0ms\""),
    ("sla.tiers.*.errors.rate", "\"1%\""),
    ("sla.tiers.*.availability.monthly", "\"100%\""),
    ("constraints.residency", "[]"),
    ("constraints.monthly_budget", "\"$0\""),
    ("consistency.*.class", "\"fresh\""),
    ("consistency.*.staleness", "\"soon\""),
    ("consistency.*.because", "\"\""),
    ("planning.api_model", "\"\""),
    ("planning.self_hosted_model", "\"\""),
    ("planning.gpus", "[]"),
    ("planning.engine", "\"steam\""),
    ("planning.precisions", "[]"),
    ("planning.gpu_prices.*", "\"$0\""),
    ("planning.headroom", "0.5"),
    ("planning.engineers", "-1"),
    ("planning.engineer_salary", "\"good\""),
    ("planning.documents", "\"many\""),
    ("planning.document_tokens", "0"),
    ("planning.provider_availability", "\"100%\""),
    ("planning.lost_request", "\"dear\""),
    ("planning.horizon_months", "0"),
    ("facts.*", "\"many\""),
    ("decisions.*.choose", "\"\""),
    ("decisions.*.because", "\"\""),
    ("residency.region", "\"Europe!\""),
    ("residency.elsewhere.*.url", "\"nowhere\""),
    ("server.listen", "\"8088\""),
    ("server.body_limit", "\"0B\""),
    ("server.body_timeout", "\"0s\""),
    ("server.heartbeat", "\"often\""),
    ("server.deadline", "\"0s\""),
    ("server.shutdown_grace", "30"),
    ("server.behind_proxy", "\"nginx\""),
    ("server.tls.certificate", "\"\""),
    ("server.tls.key", "\"\""),
    ("server.tls.client_ca", "\"\""),
    ("identity.issuers.*.issuer", "\"\""),
    ("identity.issuers.*.audiences", "[]"),
    ("identity.issuers.*.jwks_url", "\"ftp://keys\""),
    ("identity.issuers.*.jwks_file", "\"\""),
    ("identity.issuers.*.secret", "\"hunter2\""),
    ("identity.issuers.*.algorithms", "[\"none\"]"),
    ("identity.issuers.*.leeway", "\"0s\""),
    ("identity.issuers.*.longest_lifetime", "\"0s\""),
    ("identity.issuers.*.tenant", "\"\""),
    ("identity.issuers.*.tenants", "7"),
    ("identity.issuers.*.claims.user", "\".sub\""),
    ("identity.issuers.*.claims.tenant", "\"a..b\""),
    ("identity.issuers.*.claims.role", "\"a.\""),
    ("identity.issuers.*.claims.tier", "\"\""),
    ("identity.issuers.*.claims.region", "\".\""),
    ("identity.issuers.*.roles.*", "7"),
    ("identity.issuers.*.default_role", "7"),
    ("identity.issuers.*.login.client_id", "\"\""),
    ("identity.issuers.*.login.client_secret", "\"hunter2\""),
    ("identity.issuers.*.login.redirect_url", "\"https://m.example/\""),
    ("identity.issuers.*.login.scopes", "[\"two words\"]"),
    ("security.environment", "\"testing\""),
    ("security.policies", "\"\""),
    ("security.replace_roles", "\"yes\""),
    ("security.two_person", "[\"everything\"]"),
    ("security.outbound", "[\"https://api.openai.com\"]"),
    ("limits.concurrency", "0"),
    ("limits.adaptive", "\"yes\""),
    ("limits.max_waiting", "-1"),
    ("limits.longest_wait", "\"0s\""),
    ("limits.search_target", "\"0s\""),
    ("limits.per_key.requests_per_minute", "0"),
    ("limits.per_key.burst_requests", "-1"),
    ("limits.per_key.tokens_per_minute", "\"many\""),
    ("limits.per_key.burst_tokens", "0"),
    ("limits.per_user.requests_per_minute", "0"),
    ("limits.per_user.burst_requests", "-1"),
    ("limits.per_user.tokens_per_minute", "\"many\""),
    ("limits.per_user.burst_tokens", "0"),
    ("limits.per_address.requests_per_minute", "0"),
    ("limits.per_address.burst_requests", "-1"),
    ("limits.per_address.tokens_per_minute", "\"many\""),
    ("limits.per_address.burst_tokens", "0"),
    ("limits.administration.requests_per_minute", "0"),
    ("limits.administration.burst_requests", "-1"),
    ("limits.tiers.*.priority", "-1"),
    ("limits.tiers.*.max_waiting", "\"all\""),
    ("limits.tiers.*.max_running", "0"),
    ("limits.tiers.*.announces_place", "\"yes\""),
    ("limits.tiers.*.upgrade_url", "\"\""),
    ("limits.tiers.*.per_tenant.requests_per_minute", "0"),
    ("limits.tiers.*.per_tenant.burst_requests", "-1"),
    ("limits.tiers.*.per_tenant.tokens_per_minute", "\"many\""),
    ("limits.tiers.*.per_tenant.burst_tokens", "0"),
    ("budgets.*.limit", "\"$0\""),
    ("budgets.*.per", "\"week\""),
    ("budgets.*.tenant", "\"\""),
    ("budgets.*.key", "\"\""),
    ("budgets.*.assistant", "\"\""),
    ("budgets.*.team", "\"\""),
    ("budgets.*.feature", "\"\""),
    ("budgets.*.for_each", "\"user\""),
    ("budgets.*.alert_at", "\"nearly\""),
    ("budgets.*.at_limit", "\"stop\""),
    ("attribution.require", "[]"),
    ("cache.memory", "\"much\""),
    ("audit.enabled", "\"maybe\""),
    ("audit.required", "1"),
    ("audit.keep.authentication", "\"0s\""),
    ("audit.keep.authorization", "\"0s\""),
    ("audit.keep.data_access", "\"0s\""),
    ("audit.keep.configuration_change", "\"0s\""),
    ("audit.keep.security_event", "\"0s\""),
    ("audit.keep.inference", "\"0s\""),
    ("content_log.share", "0.5"),
    ("content_log.keep", "\"0s\""),
    ("storage.data_dir", "\"\""),
    ("storage.embedding_cache", "\"much\""),
    ("storage.encryption.key_file", "\"\""),
    ("storage.encryption.command", "[]"),
    ("storage.encryption.key_id", "7"),
    ("providers.*.kind", "\"openapi\""),
    ("providers.*.base_url", "\"api.example.com\""),
    ("providers.*.api_key", "\"sk-hunter2\""),
    ("providers.*.timeouts.connect", "\"0s\""),
    ("providers.*.timeouts.headers", "\"0s\""),
    ("providers.*.timeouts.first_token", "\"0s\""),
    ("providers.*.timeouts.idle", "\"0s\""),
    ("providers.*.timeouts.total", "\"long\""),
    ("providers.*.headers.*", "\"\""),
    ("providers.*.models", "[\"large\", \"large\"]"),
    ("providers.*.region", "\"Europe!\""),
    ("providers.*.engine_metrics", "\"vllm\""),
    ("onnx.*.folder", "\"\""),
    ("onnx.*.pooling", "\"max\""),
    ("onnx.*.query_prefix", "3"),
    ("onnx.*.passage_prefix", "3"),
    ("reliability.attempts", "0"),
    ("reliability.backoff", "\"0s\""),
    ("reliability.longest_backoff", "\"long\""),
    ("reliability.retry_share", "\"some\""),
    ("reliability.hedge_share", "\"some\""),
    ("reliability.hold_back", "\"short\""),
    ("reliability.refusals_fall_back", "\"yes\""),
    ("reliability.breaker.failures", "0"),
    ("reliability.breaker.error_rate", "\"0%\""),
    ("reliability.breaker.window", "\"0s\""),
    ("reliability.breaker.min_calls", "0"),
    ("reliability.breaker.recovery", "\"0s\""),
    ("reliability.breaker.longest_recovery", "\"1s\""),
    ("reliability.breaker.probes", "0"),
    ("service.automatic", "\"yes\""),
    ("service.contact", "\"\""),
    ("service.expected_recovery", "\"0s\""),
    ("models.*.context_tokens", "0"),
    ("models.*.tools", "\"yes\""),
    ("models.*.images", "\"yes\""),
    ("models.*.json_schema", "\"yes\""),
    ("models.*.prefill", "\"always\""),
    ("models.*.fallback", "[]"),
    ("models.*.breaker.failures", "-1"),
    ("models.*.breaker.error_rate", "2"),
    ("models.*.breaker.window", "\"0s\""),
    ("models.*.breaker.min_calls", "0"),
    ("models.*.breaker.recovery", "\"0s\""),
    ("models.*.breaker.longest_recovery", "\"1s\""),
    ("models.*.breaker.probes", "1000"),
    ("assistants.*.description", "\"\""),
    ("assistants.*.corpus", "\"nowhere\""),
    ("assistants.*.model", "\"gpt-4o\""),
    ("assistants.*.cascade", "[]"),
    ("assistants.*.fallback", "[]"),
    ("assistants.*.reduced_model", "\"small\""),
    ("assistants.*.warm_share", "\"much\""),
    ("assistants.*.prompt", "\"\""),
    ("assistants.*.prompt_file", "\"no/such/file.md\""),
    ("assistants.*.max_tokens", "0"),
    ("assistants.*.temperature", "\"warm\""),
    ("assistants.*.citation_judge", "\"builtin/extractive\""),
    ("assistants.*.retrieval.top_k", "0"),
    ("assistants.*.retrieval.context_tokens", "10"),
    ("assistants.*.retrieval.tier", "\"turbo\""),
    ("assistants.*.retrieval.filter", "\"year > 2020\""),
    ("assistants.*.retrieval.per_document", "0"),
    ("assistants.*.retrieval.compression", "\"some\""),
    ("assistants.*.retrieval.diversity", "\"sometimes\""),
    ("assistants.*.retrieval.multi_hop", "true"),
    ("assistants.*.cache.mode", "\"fuzzy\""),
    ("assistants.*.cache.lifetime", "\"0s\""),
    ("assistants.*.cache.volatile_lifetime", "\"short\""),
    ("assistants.*.cache.most_wrong", "\"0%\""),
    ("assistants.*.cache.least_similarity", "2"),
    ("assistants.*.cache.checked_share", "\"some\""),
    ("assistants.*.routing.intents_file", "\"no/such/file.json\""),
    ("assistants.*.routing.least_confidence", "2"),
    ("assistants.*.routing.unsure", "\"large\""),
    ("assistants.*.routing.compared_share", "\"some\""),
    ("assistants.*.routing.most_escalated", "\"most\""),
    ("assistants.*.routing.gate", "\"strict\""),
    ("assistants.*.routing.least_grounded", "\"half\""),
    ("assistants.*.routing.judge", "\"judge\""),
    ("assistants.*.routing.least_quality", "\"good\""),
    ("assistants.*.routing.intents.*.start", "\"small\""),
    ("assistants.*.routing.intents.*.most_cost", "\"cheap\""),
    ("assistants.*.routing.rules.*.words", "[]"),
    ("assistants.*.routing.rules.*.longer_than_words", "0"),
    ("assistants.*.routing.rules.*.start", "\"large\""),
    ("corpora.*.embedder", "\"best\""),
    ("corpora.*.dimensions", "1"),
    ("corpora.*.chunking", "\"pages\""),
    ("corpora.*.chunk_words", "\"small\""),
    ("corpora.*.chunk_overlap_words", "20"),
    ("corpora.*.parent_words", "50"),
    ("corpora.*.fusion", "\"rff\""),
    ("corpora.*.dense_weight", "\"heavy\""),
    ("corpora.*.grams_weight", "\"some\""),
    ("corpora.*.reranker", "\"best\""),
    ("corpora.*.rerank_candidates", "1"),
    ("corpora.*.rerank_timeout", "\"0s\""),
    ("corpora.*.rerank_clear_lead", "\"far\""),
    ("corpora.*.quality.unreadable", "\"remove\""),
    ("corpora.*.quality.outliers", "\"hide\""),
    ("corpora.*.quality.least_words", "\"few\""),
    ("corpora.*.quality.most_words", "0"),
    ("corpora.*.quality.farthest", "0.5"),
    ("corpora.*.documents", "[\"\"]"),
    ("prices.*.input", "\"cheap\""),
    ("prices.*.cached_input", "0.15"),
    ("prices.*.cache_write", "\"0.15\""),
    ("prices.*.output", "\"-$1\""),
    ("prices.*.search", "0.002"),
];

#[test]
fn every_key_has_a_bad_value_that_is_refused_with_path_line_column_and_hint() {
    let (leaves, _) = keys();
    let covered: Vec<&str> = BAD_VALUES.iter().map(|(key, _)| *key).collect();
    let expected: Vec<String> = leaves.iter().map(|key| key.join(".")).collect();
    assert_eq!(covered, expected, "BAD_VALUES lists every key of the schema once, in its order");
    for (key, value) in leaves.iter().zip(BAD_VALUES.iter().map(|(_, value)| *value)) {
        // A list is refused at the item that is bad.
        if value == "[\"\"]" {
            let found = problems(&format!("{} = {value}", concrete(key)));
            assert_eq!(found[0].path, format!("{}[0]", concrete(key)));
            continue;
        }
        assert_refused(&concrete(key), value, false);
    }
}

#[test]
fn every_measure_answers_a_vague_word_with_an_example_for_that_very_key() {
    for (key, value) in BAD_VALUES {
        let is_word = value.starts_with('"')
            && value.len() > 2
            && value.trim_matches('"').chars().all(char::is_alphabetic);
        let steps: Key = key.split('.').map(str::to_owned).collect();
        let key = concrete(&steps);
        let problem = if is_word { assert_refused(&key, value, false) } else { continue };
        if problem.message.contains("cannot be measured") {
            let name = steps.last().expect("a key has steps");
            assert!(problem.hint.contains(&format!("For example: {name} = ")), "{key}: {}", problem.hint);
        }
    }
}

#[test]
fn every_key_refuses_what_is_of_no_type_it_could_have() {
    let (leaves, tables) = keys();
    for key in &leaves {
        assert_refused(&concrete(key), "{ nested = [[1]] }", false);
    }
    for key in tables.iter().filter(|key| !key.is_empty()) {
        assert_refused(&concrete(key), "3", false);
    }
}

#[test]
fn every_table_refuses_keys_that_it_does_not_know() {
    let (_, tables) = keys();
    let takes_any_name = |key: &Key| {
        let at = key.iter().map(String::as_str).collect::<Vec<_>>();
        matches!(
            at.as_slice(),
            ["slo" | "sla" | "limits", "tiers"]
                | ["consistency" | "facts" | "decisions"]
                | ["planning", "gpu_prices"]
                | ["residency", "elsewhere"]
                | ["identity", "issuers"]
                | ["identity", "issuers", _, "roles"]
                | ["budgets" | "providers" | "onnx" | "models" | "assistants" | "corpora" | "prices"]
                | [.., "headers"]
                | ["assistants", _, "routing", "intents" | "rules"]
        )
    };
    for key in tables.iter().filter(|key| !takes_any_name(key)) {
        let table = concrete(key);
        let unknown = if table.is_empty() { "nonsense".to_owned() } else { format!("{table}.nonsense") };
        let problem = assert_refused(&unknown, "1", true);
        assert_eq!(problem.message, "unknown key", "{unknown}");
    }
}

#[test]
fn the_file_of_defaults_says_what_holds_without_a_file() {
    let written = check(DEFAULTS_FOR_PEOPLE).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    assert_eq!(written, Checked::default());
}

/// The file of defaults with its examples in force.
fn defaults_with_examples() -> String {
    let is_example = |rest: &str| {
        let key = rest.split(" = ").next().unwrap_or_default();
        rest.starts_with('[') || (rest.contains(" = ") && !key.contains(' '))
    };
    let mut text = String::new();
    for line in DEFAULTS_FOR_PEOPLE.lines() {
        let line = line.strip_prefix("# ").filter(|rest| is_example(rest)).unwrap_or(line);
        let _ = writeln!(text, "{line}");
    }
    text
}

#[test]
fn the_examples_in_the_file_of_defaults_are_good() {
    let examples = (0..12).map(|number: usize| mainstay_cascade::intents::Example {
        text: format!("question {number}"),
        intent: if number.is_multiple_of(2) { "analysis" } else { "other" }.to_owned(),
    });
    let trained = mainstay_cascade::intents::train(&examples.collect::<Vec<_>>()).unwrap();
    let intents = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(intents.path(), trained.model.to_json()).unwrap();
    let text = defaults_with_examples()
        .replace("prompt_file = \"prompts/writer.md\"", "prompt_file = \"Cargo.toml\"")
        .replace("\"intents.json\"", &format!("{:?}", intents.path()));
    assert!(text.contains("\"Cargo.toml\"") && !text.contains("\"intents.json\""));
    let checked = check(&text).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    assert_eq!(checked.assistants.len(), 3);
    assert_eq!(checked.providers["openai"].timeouts, mainstay_providers::http::Timeouts::default());
}

#[test]
fn the_file_of_defaults_shows_every_key() {
    let document: toml::Table = defaults_with_examples().parse().unwrap();
    let has = |key: &Key| {
        let mut values: Vec<&toml::Value> = document.get(&key[0]).into_iter().collect();
        for step in &key[1..] {
            values = values
                .into_iter()
                .filter_map(toml::Value::as_table)
                .flat_map(|table| {
                    table.iter().filter(|(name, _)| step == "*" || step == *name).map(|(_, value)| value)
                })
                .collect();
        }
        !values.is_empty()
    };
    // Of a tier's percentiles, one example and a comment stand for all.
    let of_tier = |key: &Key| key[1] == "tiers" && key.last().is_some_and(|step| step.starts_with('p'));
    let missing: Vec<String> =
        keys().0.iter().filter(|key| !of_tier(key) && !has(key)).map(|key| key.join(".")).collect();
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn the_example_of_the_design_is_understood() {
    let checked = check(
        r#"
[product]
name = "Acme support"
audience = "enterprise"            # consumer | enterprise | internal

[slo.ttft]
p95 = "500ms"
[slo.errors]
rate = "0.1%"
[slo.cost]
per_request = "$0.005"
[slo.quality]
faithfulness = 0.85

[traffic]
monthly_active_users = 1_000_000
[constraints]
residency = ["eu-west-1"]
monthly_budget = "$50000"
[residency]
region = "eu-west-1"

[providers.openai]
api_key = "env:OPENAI_API_KEY"
region = "eu-west-1"
[corpora.handbook]
[assistants.support]
corpus = "handbook"
cascade = ["builtin/extractive", "openai/gpt-4o-mini", "openai/gpt-4o"]
[storage]
data_dir = "./mainstay-data"
"#,
    )
    .unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    let support = &checked.assistants[&AssistantName::new("support")];
    assert_eq!(support.models[1].to_string(), "openai/gpt-4o-mini");
    assert_eq!(support.corpus, Some(CorpusName::new("handbook")));
    assert_eq!(checked.default_corpus(), &CorpusName::new("handbook"));
    assert_eq!(checked.storage.data_dir, Path::new("./mainstay-data"));
}

#[test]
fn references_must_lead_somewhere() {
    let found = problems(
        r#"
[providers.openai]
api_key = "env:OPENAI_API_KEY"
[providers.anthropic]
api_key = "env:ANTHROPIC_API_KEY"
[corpora.handbook]
embedder = "opnai/text-embedding-3-small"
dimensions = 1536
[corpora.wiki]
embedder = "anthropic/claude"
dimensions = 8
[corpora.notes]
embedder = "builtin/bert"
[assistants.a]
model = "mistral/large"
corpus = "hadbook"
[assistants.b]
cascade = ["openai/gpt-4o", "builtin/extractiv"]
[prices."mistral/large"]
input = "$1"
output = "$2"
[providers.cohere]
api_key = "env:CO_API_KEY"
[corpora.reranked]
embedder = "cohere/embed-v4.0"
dimensions = 1024
reranker = "openai/gpt-4o"
[corpora.reranked_too]
reranker = "coher/rerank-v3.5"
[corpora.reranked_here]
reranker = "builtin/best"
[assistants.c]
model = "cohere/command-a-03-2025"
"#,
    );
    let lines: Vec<String> =
        found.iter().map(|p| format!("{}: {} | {}", p.path, p.message, p.hint)).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_provider_must_be_one_that_can_be_called() {
    let found = problems(
        r#"
[providers.openai]
base_url = "https://proxy.example.com/v1/chat/completions"
[providers.acme]
api_key = "env:ACME_API_KEY"
[providers.builtin]
kind = "openai"
api_key = "env:K"
[providers."a/b"]
kind = "openai-compatible"
base_url = "http://localhost:8000/v1"
[providers.local]
kind = "openai-compatible"
base_url = "http://localhost:8000/v1"
headers = { Host = "x", "X Y" = "z", X-Api-Key = "hunter2", X-Org = "42" }
"#,
    );
    let lines: Vec<String> =
        found.iter().map(|p| format!("{}: {} | {}", p.path, p.message, p.hint)).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_configuration_that_would_let_data_leave_its_region_is_refused() {
    let config = |here: &str, provider: &str, corpus: &str| {
        format!(
            "[constraints]\nresidency = [\"eu-west-1\"]\n[residency]\n{here}\n[providers.openai]\napi_key = \"env:K\"\n\
             {provider}\n[corpora.default]\n{corpus}\n"
        )
    };
    let (here, there) = ("region = \"eu-west-1\"", "region = \"us-east-1\"");
    let embedded = "embedder = \"openai/text-embedding-3-small\"\ndimensions = 1536";
    assert!(check(&config(here, here, embedded)).is_ok());
    for (at, text) in [
        ("residency.region", config("", here, "")),
        ("residency.region", config(there, there, "")),
        ("providers.openai.region", config(here, "", "")),
        ("providers.openai.region", config(here, there, "")),
        ("corpora.default.embedder", config(here, there, embedded)),
    ] {
        let found: Vec<String> = problems(&text).iter().map(|problem| problem.path.to_string()).collect();
        assert!(found.iter().any(|path| path == at), "{at}: {found:?}");
    }
    // Where no list of regions is given, what is in a corpus stays where this Mainstay is all the same.
    let corpora = |more: &str| {
        let providers = "[providers.openai]\napi_key = \"env:K\"\nregion = \"us-east-1\"\n\
                         [providers.cohere]\napi_key = \"env:K\"\n";
        format!("[residency]\nregion = \"eu-west-1\"\n{providers}[corpora.default]\n{more}\n")
    };
    assert!(check(&corpora("")).is_ok());
    for (at, more) in [
        ("corpora.default.embedder", embedded),
        ("corpora.default.reranker", "reranker = \"cohere/rerank-v3.5\""),
    ] {
        let found: Vec<String> =
            problems(&corpora(more)).iter().map(|problem| problem.path.to_string()).collect();
        assert_eq!(found, [at]);
    }
}

#[test]
fn what_may_not_be_connected_to_is_refused_at_the_start() {
    let config = |outbound: &str| {
        format!(
            "[security]\noutbound = [{outbound}]\n[providers.openai]\napi_key = \"env:K\"\n\
             engine_metrics = \"http://10.0.0.7:8000/metrics\"\n\
             [identity.issuers.login]\nissuer = \"https://login.test/\"\naudiences = [\"m\"]\n\
             jwks_url = \"https://keys.test/k\"\ntenant = \"default\"\nlogin.client_id = \"m\"\n\
             login.redirect_url = \"https://m.test/console/login/callback\"\n"
        )
    };
    let all = ["api.openai.com", "10.0.0.7:8000", "keys.test", "login.test"];
    let list =
        |places: &[&str]| places.iter().map(|place| format!("{place:?}")).collect::<Vec<_>>().join(", ");
    assert!(check(&config(&list(&all))).is_ok());
    for missing in all {
        let others: Vec<&str> = all.into_iter().filter(|place| *place != missing).collect();
        let Err(diagnostics) = check(&config(&list(&others))) else { panic!("{missing} is not needed") };
        let shown = diagnostics.to_string();
        assert!(shown.contains(missing) && shown.contains("security.outbound"), "{shown}");
    }
}

#[test]
fn a_corpus_must_be_one_that_can_be_built() {
    let found = problems(
        r#"
[providers.openai]
api_key = "env:K"
[corpora.a]
embedder = "openai/text-embedding-3-small"
[corpora.b]
dimensions = 384
chunk_words = 500
[corpora.c]
parent_words = 50
[corpora.d]
chunking = "semantic"
chunk_overlap_words = 10
[corpora.e]
chunking = "fixed"
chunk_overlap_words = 60
[corpora.f]
chunking = "fixed"
chunk_words = 200
chunk_overlap_words = 101
"#,
    );
    let lines: Vec<String> =
        found.iter().map(|p| format!("{}: {} | {}", p.path, p.message, p.hint)).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_bad_table_is_still_a_table_that_can_be_referred_to() {
    let found = problems("[providers.acme]\nkind = 3\n[assistants.a]\nmodel = \"acme/large\"\n");
    let paths: Vec<&str> = found.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, ["providers.acme.kind"]);
}

#[test]
fn a_secret_in_the_file_is_shown_neither_in_the_message_nor_in_the_excerpt() {
    for text in [
        "[providers.openai]\napi_key = \"sk-hunter2\"\n",
        "[providers.openai]\napi_key = \"env:sk-hunter2\"\n",
        "[providers]\nopenai = { api_key = \"sk-hunter2\", zzz = 1 }\n",
        "[providers.openai]\nheaders = { Authorization = \"Bearer hunter2\" }\n",
        "[providers.openai]\napi_key = sk-hunter2\n",
        "[providers.openai]\napi_key = \"sk-hunter2\n",
    ] {
        let diagnostics = check(text).expect_err(text);
        let shown = format!("{diagnostics} {} {diagnostics:?}", diagnostics.to_json());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn a_prompt_file_is_read_from_the_folder_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("support.md"), "Be brief.").unwrap();
    let path = folder.path().join("mainstay.toml");
    std::fs::write(&path, "[assistants.a]\nmodel = \"builtin/extractive\"\nprompt_file = \"support.md\"\n")
        .unwrap();
    let checked = load(Some(&path)).unwrap();
    let assistant = &checked.assistants[&AssistantName::new("a")];
    assert_eq!(assistant.prompt, Some("Be brief.".to_owned()));
    assert_eq!(checked.storage.data_dir, folder.path().join("./mainstay-data"));
}

#[test]
fn files_that_cannot_be_read_are_problems_too() {
    let folder = tempfile::tempdir().unwrap();
    let missing = load(Some(&folder.path().join("none.toml"))).expect_err("there is none").to_string();
    assert!(missing.contains("cannot be read") && missing.contains("mainstay init"), "{missing}");

    let path = folder.path().join("latin1.toml");
    std::fs::write(&path, b"[product]\nname = \"Caf\xe9\"\n").unwrap();
    let diagnostics = load(Some(&path)).expect_err("not UTF-8");
    let problem = &diagnostics.to_json()["problems"][0];
    assert_eq!((&problem["line"], &problem["column"]), (&2.into(), &12.into()));

    for empty in ["", "\u{feff}", "# nothing\r\n"] {
        assert_eq!(check(empty).unwrap(), Checked::default());
    }
}

#[test]
fn programs_get_places_as_numbers() {
    let diagnostics = check("[slo]\nttft.p95 = \"fast\"\n").expect_err("vague");
    insta::assert_json_snapshot!(diagnostics.to_json());
}

#[test]
fn reading_finds_the_same_with_windows_line_ends() {
    let found = problems("[slo]\r\nttft.p95 = \"fast\"\r\n");
    assert_eq!((found[0].path.as_str(), found[0].span.start), ("slo.ttft.p95", 18));
}

/// Diagnostics as people see them.
#[test]
fn diagnostics_show_the_place_and_the_way_out() {
    let cases = [
        (
            "vague targets",
            "[slo]\nttft.p95 = \"fast\"\nerrors.rate = \"low\"\ncost.per_request = \"cheap\"\n",
        ),
        ("percentiles out of order", "[slo.ttft]\np50 = \"2s\"\np95 = \"500ms\"\n"),
        ("an unknown key", "[constraints]\nresidancy = [\"eu-west-1\"]\n"),
        ("a literal secret", "[providers.openai]\napi_key = \"sk-hunter2\"\n"),
        ("a value without quotes", "[slo.ttft]\np95 = 500ms\n"),
        ("a table given twice", "[server]\nlisten = \"127.0.0.1:1\"\n\n[server]\ndeadline = \"5m\"\n"),
        (
            "an unknown provider",
            "[providers.openai]\napi_key = \"env:K\"\n[assistants.a]\nmodel = \"opena/gpt-4o\"\n",
        ),
        ("a missing key", "[providers.local]\nkind = \"openai-compatible\"\n"),
        ("an unknown choice", "[product]\naudience = \"enterprize\"\n"),
        (
            "a model and a cascade",
            "[assistants.a]\nmodel = \"builtin/extractive\"\ncascade = [\"builtin/extractive\"]\n",
        ),
    ];
    let mut shown = String::new();
    for (what, text) in cases {
        let diagnostics = check(text).expect_err(what);
        let _ = writeln!(shown, "=== {what}\n{}", diagnostics.render(GraphicalTheme::unicode_nocolor()));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn every_key_explains_itself_in_the_schema() {
    let schema = schema_of::<RawConfig>();
    for key in keys().0.iter().chain(keys().1.iter()) {
        let mut place = &schema;
        for step in key {
            place = if step == "*" { &place["additionalProperties"] } else { &place["properties"][step] };
        }
        assert!(place["description"].is_string() || key.is_empty(), "{}: {place}", key.join("."));
    }
}

#[test]
fn a_broken_file_does_not_stop_the_reader() {
    assert!(read::<RawConfig>("][").value.is_none());
    assert!(!problems("][").is_empty());
}

#[test]
fn without_models_only_the_providers_that_search_are_left() {
    let checked = check(
        "[providers.openai]\napi_key = \"env:A\"\n[providers.anthropic]\napi_key = \"env:B\"\n\
         [providers.jina]\napi_key = \"env:C\"\n\
         [corpora.default]\nembedder = \"openai/text-embedding-3-small\"\ndimensions = 1536\n\
         reranker = \"jina/jina-reranker-v2-base-multilingual\"\n\
         [assistants.assistant]\ncorpus = \"default\"\nmodel = \"anthropic/claude-haiku-4-5\"\n",
    );
    let left: Vec<String> = checked.unwrap().without_models().providers.into_keys().collect();
    assert_eq!(left, ["jina", "openai"]);
}
