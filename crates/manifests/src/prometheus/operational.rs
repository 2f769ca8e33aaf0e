//! Alerts on what is wrong now: replicas that are gone, providers that are down, records that are lost, room that runs out.

use super::alert::{Alert, Runbook, Severity};
use super::number;
use crate::blueprint::{Blueprint, Measure, Serving, Storage};
use crate::names::Names;

/// A row of the tables below.
struct Row<'a> {
    name: &'a str,
    severity: Severity,
    expression: String,
    hold: &'static str,
    summary: &'a str,
    comment: &'a str,
    meaning: &'a str,
    queries: Vec<String>,
    commands: &'a [&'a str],
    steps: &'a [&'a str],
}

impl From<Row<'_>> for Alert {
    fn from(row: Row<'_>) -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Self {
            name: row.name.to_owned(),
            severity: row.severity,
            slo: None,
            tier: None,
            window: None,
            expression: row.expression,
            hold: row.hold,
            summary: row.summary.to_owned(),
            comment: row.comment.to_owned(),
            runbook: Runbook {
                meaning: row.meaning.to_owned(),
                queries: row.queries,
                commands: owned(row.commands),
                steps: owned(row.steps),
                page: None,
            },
        }
    }
}

/// The alerts of a blueprint that are not about a promise.
pub(super) fn alerts(blueprint: &Blueprint, names: &Names) -> Vec<Alert> {
    let job = format!("{{job=\"{}\"}}", names.product);
    let mut rows = presence(&job);
    rows.extend(providers(&job));
    rows.extend(room(&job));
    rows.extend(records(&job));
    rows.extend(documents(&job, blueprint));
    rows.extend(money(&job, blueprint));
    rows.extend(pods(blueprint, names));
    let mut alerts: Vec<Alert> = rows.into_iter().map(Alert::from).collect();
    if !blueprint.serving.is_empty() {
        alerts.extend(serving(blueprint, names).into_iter().map(Alert::from));
    }
    alerts
}

/// A counter that grew, or that appeared: the first event makes the series, and nothing grows there.
fn grew(metric: &str, job: &str, window: &str) -> String {
    format!(
        "increase({metric}{job}[{window}]) > 0\nor\n({metric}{job} > 0 unless {metric}{job} offset {window})"
    )
}

fn presence(job: &str) -> Vec<Row<'static>> {
    vec![
        Row {
            name: "MainstayAbsent",
            severity: Severity::Page,
            expression: format!("absent(up{job})"),
            hold: "5m",
            summary: "Prometheus knows no replica of Mainstay",
            comment: "The one alert that is about missing data: without targets all others are silent.",
            meaning: "No pod of Mainstay is there to be asked, or Prometheus may not list pods. Nothing else can alert meanwhile.",
            queries: vec![format!("up{job}")],
            commands: &["kubectl get pods --all-namespaces -l app.kubernetes.io/component=mainstay"],
            steps: &[
                "No pods: see the events of the workload. An image that cannot be pulled, a volume that cannot be attached, or no node with room.",
                "Pods are there: see the targets page of Prometheus, its right to list pods, and the network policy for its namespace.",
            ],
        },
        Row {
            name: "MainstayDown",
            severity: Severity::Page,
            expression: format!("max(up{job}) == 0"),
            hold: "2m",
            summary: "no replica of Mainstay answers",
            comment: "",
            meaning: "Pods exist and none answers on /metrics, so callers are not answered either.",
            queries: vec![format!("up{job}")],
            commands: &["kubectl logs --previous -l app.kubernetes.io/component=mainstay --tail=100"],
            steps: &[
                "The log's last lines say why it stopped: a configuration that is refused is named with its line, a data folder of a newer version too.",
                "Killed for memory: raise the limit, or lower `limits.concurrency`.",
                "It began with a deploy: roll back.",
            ],
        },
        Row {
            name: "MainstayReplicaDown",
            severity: Severity::Ticket,
            expression: format!("up{job} == 0"),
            hold: "10m",
            summary: "the replica {{ $labels.instance }} does not answer",
            comment: "",
            meaning: "One pod does not answer on /metrics while others may.",
            queries: vec![format!("up{job}")],
            commands: &["kubectl get pods --all-namespaces -l app.kubernetes.io/component=mainstay"],
            steps: &["See the events and the log of that pod.", "If its node is unwell, drain the node."],
        },
    ]
}

fn providers(job: &str) -> Vec<Row<'static>> {
    let states = format!("max by (upstream) (mainstay_breaker_state{job})");
    let failures = format!("sum by (model, code) (rate(mainstay_failed_attempts_total{job}[5m]))");
    vec![
        Row {
            name: "MainstayBreakerOpen",
            severity: Severity::Ticket,
            expression: format!("{states} == 2"),
            hold: "5m",
            summary: "the breaker of {{ $labels.upstream }} has been open for five minutes",
            comment: "Callers notice little while another model answers, so nobody is woken.",
            meaning: "Calls of this model failed so often that it is not called. Requests go to its fallback; without one they are refused.",
            queries: vec![states.clone(), failures.clone()],
            commands: &["mainstay ask \"A question that callers ask\""],
            steps: &[
                "See the codes of the failures and the provider's page of incidents.",
                "Without a `fallback` in the configuration, add one now.",
                "A key or a credit that ran out does not heal by itself: renew it.",
            ],
        },
        Row {
            name: "MainstayAllBreakersOpen",
            severity: Severity::Page,
            expression: format!("min(max by (upstream) (mainstay_breaker_state{job})) == 2"),
            hold: "2m",
            summary: "no provider answers: every breaker is open",
            comment: "",
            meaning: "Every model that has a breaker is down for us. Callers get kept answers, sentences of the documents, or status 503.",
            queries: vec![
                states.clone(),
                failures.clone(),
                format!("max by (tier) (mainstay_service_level{job})"),
            ],
            commands: &["mainstay ask \"A question that callers ask\""],
            steps: &[
                "If all providers fail at once it is rarely theirs: look at the way out of the cluster, at DNS, at the network policy, at expired certificates.",
                "Tell callers: set `service.expected_recovery` and `service.contact`, which the error names.",
                "What is well again is found by itself: one call is tried every ten seconds.",
            ],
        },
        Row {
            name: "MainstayBreakerUnstable",
            severity: Severity::Ticket,
            expression: format!("increase(mainstay_breaker_oscillations_total{job}[1h]) >= 3"),
            hold: "",
            summary: "{{ $labels.upstream }} is unstable: its breaker opens again soon after it closed",
            comment: "",
            meaning: "The provider is neither up nor down. Each time it is tried, some callers wait in vain.",
            queries: vec![format!("increase(mainstay_breaker_oscillations_total{job}[1h])"), failures],
            commands: &[],
            steps: &[
                "Put another model first until it is stable.",
                "If it recovers slowly as a rule, lengthen its rest under `[models.\"…\".breaker]`.",
            ],
        },
        Row {
            name: "MainstayServiceReduced",
            severity: Severity::Ticket,
            expression: format!("max by (tier) (mainstay_service_level{job}) == 1"),
            hold: "30m",
            summary: "the tier {{ $labels.tier }} has had a reduced service for half an hour",
            comment: "",
            meaning: "So many calls fail, or so little room is left, that smaller models answer.",
            queries: vec![
                format!("max by (tier) (mainstay_service_level{job})"),
                format!("mainstay_backpressure_level{job}"),
            ],
            commands: &[],
            steps: &[
                "See which of both it is: failed calls by model and code, or the level of pressure.",
                "It is restored by itself five minutes after the calm began.",
            ],
        },
        Row {
            name: "MainstayServiceEmergency",
            severity: Severity::Page,
            expression: format!("max by (tier) (mainstay_service_level{job}) == 2"),
            hold: "2m",
            summary: "the tier {{ $labels.tier }} has an emergency service",
            comment: "",
            meaning: "No provider answers for this tier. Kept answers and sentences of the documents are given, else status 503.",
            queries: vec![states, format!("max by (tier) (mainstay_service_level{job})")],
            commands: &["mainstay ask \"A question that callers ask\""],
            steps: &[
                "Follow MainstayAllBreakersOpen.",
                "If the level was set by hand, `DELETE /admin/service` follows the signs again.",
            ],
        },
    ]
}

fn room(job: &str) -> Vec<Row<'static>> {
    let waiting = format!("sum by (tier) (mainstay_waiting_requests{job})");
    let shed = format!("sum by (tier, reason) (rate(mainstay_shed_requests_total{job}[10m]))");
    let queries = || {
        vec![
            format!("mainstay_places{job}"),
            waiting.clone(),
            shed.clone(),
            format!("mainstay_backpressure_level{job}"),
        ]
    };
    vec![
        Row {
            name: "MainstayPressureHigh",
            severity: Severity::Ticket,
            expression: format!("max(mainstay_backpressure_level{job}) == 2"),
            hold: "10m",
            summary: "the limits have been close for ten minutes",
            comment: "",
            meaning: "Requests begin to wait, or memory runs short: the next level refuses the lower tiers.",
            queries: queries(),
            commands: &[],
            steps: &[
                "See whether requests wait or memory is short.",
                "Add replicas or places; for memory, a higher limit or less concurrency.",
            ],
        },
        Row {
            name: "MainstayPressureCritical",
            severity: Severity::Page,
            expression: format!("max(mainstay_backpressure_level{job}) >= 3"),
            hold: "5m",
            summary: "requests are refused because the limits are reached",
            comment: "",
            meaning: "All but the first tier are refused, or there is no room to wait.",
            queries: queries(),
            commands: &[],
            steps: &[
                "Add replicas; with embedded storage, a larger machine.",
                "If one tenant or key is the cause, limit it: `[limits.per_key]`, or `per_tenant` of its tier.",
                "If answers became slow, that is the cause: follow the runbook of the latency promise.",
            ],
        },
        Row {
            name: "MainstayRequestsWaiting",
            severity: Severity::Ticket,
            expression: format!("min_over_time(({waiting})[10m:1m]) > 0"),
            hold: "",
            summary: "requests of the tier {{ $labels.tier }} have been waiting for ten minutes without a break",
            comment: "The lowest of ten minutes: a short burst is what the queue is for.",
            meaning: "More requests come than are answered.",
            queries: queries(),
            commands: &[],
            steps: &[
                "See whether traffic grew or answers became slower.",
                "Add replicas or places (`limits.concurrency`), or let the tier be shed earlier (`max_waiting`).",
            ],
        },
        Row {
            name: "MainstayRequestsShed",
            severity: Severity::Ticket,
            expression: format!("sum by (tier) (increase(mainstay_shed_requests_total{job}[30m])) > 20"),
            hold: "",
            summary: "requests of the tier {{ $labels.tier }} found no room",
            comment: "",
            meaning: "Callers were told to come back later, with status 429.",
            queries: queries(),
            commands: &[],
            steps: &[
                "`tenant_full` is one tenant's own limit; the other reasons are ours.",
                "Plan more capacity, or sell less of it: the tier's limits say what it may have.",
            ],
        },
    ]
}

fn records(job: &str) -> Vec<Row<'static>> {
    vec![
        Row {
            name: "MainstayLedgerFailing",
            severity: Severity::Page,
            expression: grew("mainstay_ledger_failures_total", job, "15m"),
            hold: "",
            summary: "records of the ledger are lost",
            comment: "Each one is a turn that is in no bill. The second half catches the very first, which begins the series.",
            meaning: "Turns could not be booked. Their answers were given, and what they cost is in the log alone.",
            queries: vec![format!("increase(mainstay_ledger_failures_total{job}[1h])")],
            commands: &["kubectl logs -l app.kubernetes.io/component=mainstay --tail=500"],
            steps: &[
                "The log names each turn and the reason: a full volume, a damaged disk.",
                "Free or enlarge the volume; nothing is booked until then.",
                "Keep the log: it is the only record of these turns.",
            ],
        },
        Row {
            name: "MainstayAuditFailing",
            severity: Severity::Page,
            expression: grew("mainstay_audit_failures_total", job, "15m"),
            hold: "",
            summary: "the audit log cannot be written",
            comment: "",
            meaning: "What happens is not on record, or not on disk. Changes by administrators are refused meanwhile.",
            queries: vec![format!("increase(mainstay_audit_failures_total{job}[1h])")],
            commands: &["mainstay audit verify"],
            steps: &[
                "See the volume and the log of the pod.",
                "When it writes again, `mainstay audit verify` says whether the chain is whole.",
            ],
        },
    ]
}

fn documents(job: &str, blueprint: &Blueprint) -> Vec<Row<'static>> {
    let lag = format!("mainstay_index_lag_seconds{job}");
    let target = format!("mainstay_index_staleness_target_seconds{job}");
    let is_promised =
        blueprint.objectives.iter().any(|objective| matches!(objective.measure, Measure::Freshness { .. }));
    vec![Row {
        name: "MainstayIndexBehind",
        severity: Severity::Ticket,
        expression: format!("{lag} > {target}"),
        hold: "5m",
        summary: "documents that were accepted cannot be found for longer than promised",
        comment: if is_promised {
            "The promise of mainstay.toml now; the one over 30 days has its own alert."
        } else {
            "Fires only with `slo.freshness.staleness` in mainstay.toml: without it there is no target to compare with."
        },
        meaning: "The oldest document that waits has waited longer than `slo.freshness.staleness`.",
        queries: vec![lag, target, format!("mainstay_documents_waiting{job}")],
        commands: &["mainstay index status"],
        steps: &[
            "An embedder that is down: its breaker is open. Documents are finished when it is back.",
            "The log names what fails otherwise.",
            "`mainstay index rebuild` builds a damaged index anew.",
        ],
    }]
}

fn money(job: &str, blueprint: &Blueprint) -> Vec<Row<'static>> {
    let used = format!("max by (budget) (mainstay_budget_used_ratio{job})");
    let warning = number(blueprint.alerting.budget_warning);
    vec![
        Row {
            name: "MainstayBudgetNearlySpent",
            severity: Severity::Ticket,
            expression: format!("{used} >= {warning} < 1"),
            hold: "5m",
            summary: "the budget {{ $labels.budget }} is spent to {{ $value | humanizePercentage }}",
            comment: "",
            meaning: "Requests that do not fit into what is left are refused, or answered by what costs nothing.",
            queries: vec![
                used.clone(),
                format!("sum by (model) (rate(mainstay_cost_nano_dollars_total{job}[1h])) / 1e9 * 3600"),
            ],
            commands: &["mainstay budget list"],
            steps: &[
                "See who spends: `mainstay budget list`, and the cost by model.",
                "Raise it, or set `at_limit = \"degrade\"`.",
            ],
        },
        Row {
            name: "MainstayBudgetSpent",
            severity: Severity::Page,
            expression: format!("{used} >= 1"),
            hold: "5m",
            summary: "the budget {{ $labels.budget }} is spent, and requests are refused for it",
            comment: "A budget that is for one key or team of many wakes somebody too: those callers are not answered.",
            meaning: "Everything under this budget that costs money is refused with `budget_exceeded` until its period ends.",
            queries: vec![used, format!("sum by (budget) (rate(mainstay_budget_refused_total{job}[5m]))")],
            commands: &["mainstay budget list"],
            steps: &[
                "Decide whether it should hold. If so, silence this alert until the period ends.",
                "If not, raise it in mainstay.toml and start Mainstay anew.",
            ],
        },
        Row {
            name: "MainstayUnpricedTurns",
            severity: Severity::Ticket,
            expression: grew("mainstay_unpriced_turns_total", job, "1h"),
            hold: "",
            summary: "{{ $labels.model }} answers, and its price is not known",
            comment: "",
            meaning: "What these turns cost is in no sum, and they are held to no budget.",
            queries: vec![format!("sum by (model) (increase(mainstay_unpriced_turns_total{job}[1h]))")],
            commands: &["mainstay spec check mainstay.toml"],
            steps: &["Write the model's price into mainstay.toml."],
        },
    ]
}

fn pods(blueprint: &Blueprint, names: &Names) -> Vec<Row<'static>> {
    let namespace = &names.namespace;
    let mut rows = vec![Row {
        name: "MainstayRestarting",
        severity: Severity::Ticket,
        expression: format!(
            "increase(kube_pod_container_status_restarts_total{{namespace=\"{namespace}\"}}[30m]) > 2"
        ),
        hold: "",
        summary: "{{ $labels.container }} of {{ $labels.pod }} restarts again and again",
        comment: "From kube-state-metrics; silent where that does not run.",
        meaning: "A container ends or fails its liveness probe, and is started again.",
        queries: vec![format!(
            "increase(kube_pod_container_status_restarts_total{{namespace=\"{namespace}\"}}[30m])"
        )],
        commands: &["kubectl get events --sort-by=.lastTimestamp"],
        steps: &[
            "`kubectl describe pod` says how the last one ended; 137 is a kill, mostly for memory.",
            "The log before the restart: `kubectl logs --previous`.",
        ],
    }];
    if matches!(blueprint.storage, Storage::Embedded { .. }) {
        let volume =
            format!("{{namespace=\"{namespace}\",persistentvolumeclaim=~\"data-{}-.*\"}}", names.product);
        let free = format!(
            "kubelet_volume_stats_available_bytes{volume} / kubelet_volume_stats_capacity_bytes{volume}"
        );
        rows.push(Row {
            name: "MainstayVolumeFilling",
            severity: Severity::Page,
            expression: format!("{free} < 0.1"),
            hold: "10m",
            summary: "the data folder has {{ $value | humanizePercentage }} of its volume left",
            comment: "From the kubelet. A full volume stops ingestion, the ledger and the audit log.",
            meaning: "Documents, the index, the ledger and the audit log share this volume.",
            queries: vec![free],
            commands: &["mainstay corpus report", "kubectl get pvc --all-namespaces"],
            steps: &[
                "Enlarge the claim: raise its `storage` where the class allows it.",
                "Lower `storage.embedding_cache`, or take documents away that nobody needs.",
            ],
        });
    }
    rows
}

fn serving(blueprint: &Blueprint, names: &Names) -> Vec<Row<'static>> {
    let jobs = |holds: &dyn Fn(&Serving) -> bool| {
        let names: Vec<_> = blueprint
            .serving
            .iter()
            .filter(|serving| holds(serving))
            .map(|serving| names.serving(serving))
            .collect();
        names.join("|")
    };
    let all = jobs(&|_| true);
    let of_all = format!("{{job=~\"{all}\"}}");
    let always = jobs(&|serving| serving.replicas.least > 0);
    let waiting = format!("sum by (job) (vllm:num_requests_waiting{of_all})");
    let cache = format!("max by (job) (vllm:kv_cache_usage_perc{of_all})");
    let running = format!("sum by (job) (vllm:num_requests_running{of_all})");
    let queries = || vec![waiting.clone(), running.clone(), cache.clone(), format!("up{of_all}")];
    let mut rows = vec![
        Row {
            name: "VllmQueueing",
            severity: Severity::Ticket,
            expression: format!("min_over_time(({waiting})[10m:1m]) > 0"),
            hold: "",
            summary: "requests have been waiting in {{ $labels.job }} for ten minutes without a break",
            comment: "",
            meaning: "The replicas have no room for another sequence: times to first token grow.",
            queries: queries(),
            commands: &[
                "kubectl get hpa --all-namespaces",
                "kubectl get pods --all-namespaces -l app.kubernetes.io/component=vllm",
            ],
            steps: &[
                "More replicas, if GPUs are there. A pod that is pending waits for one.",
                "Shorter prompts and answers take less room each.",
                "Route a part to another model.",
            ],
        },
        Row {
            name: "VllmCacheFull",
            severity: Severity::Ticket,
            expression: format!("{cache} > 0.95"),
            hold: "10m",
            summary: "the KV cache of {{ $labels.job }} is full",
            comment: "",
            meaning: "Sequences are preempted and computed again, which costs time twice.",
            queries: vec![
                cache.clone(),
                format!("sum by (job) (rate(vllm:num_preemptions_total{of_all}[5m]))"),
            ],
            commands: &[],
            steps: &[
                "Lower `--max-num-seqs` or `--max-model-len`, or add replicas.",
                "A quantised cache or more GPUs per replica give more room.",
            ],
        },
    ];
    if !always.is_empty() {
        let always = format!("{{job=~\"{always}\"}}");
        rows.push(Row {
            name: "VllmDown",
            severity: Severity::Ticket,
            expression: format!("max by (job) (up{always}) == 0"),
            hold: "5m",
            summary: "no replica of {{ $labels.job }} answers",
            comment: "Mainstay's breaker and fallbacks carry callers; what they still notice pages by the promises.",
            meaning: "The model is not served.",
            queries: queries(),
            commands: &["kubectl logs --previous -l app.kubernetes.io/component=vllm --tail=100"],
            steps: &["Out of GPU memory at the start: `--max-model-len` or `--max-num-seqs` are too much for these GPUs.", "Weights cannot be fetched: the token, the network policy, the room in the cache."],
        });
    }
    rows
}
