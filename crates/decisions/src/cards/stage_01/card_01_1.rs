use super::facts::{BUDGET_FIXED, DAYS_LIVE, SCOPE_OPEN, TEAM_DRIVES};
use crate::card::{Apply, Card, Choice, Condition, Otherwise, Premise, Rule, at_most, no, yes};
use crate::fact::{
    API_COST_PER_MONTH, AUDIENCE_INTERNAL, AWAITED, COST_PER_REQUEST, COST_PER_REQUEST_TARGET,
    DATA_STAYS_INSIDE, ERROR_RATE, ERROR_RATE_TARGET, FAITHFULNESS, FAITHFULNESS_TARGET, MONTHLY_BUDGET,
    TTFT_P95, TTFT_P95_TARGET,
};

pub(super) const CARD: Card = Card {
    id: "01.1",
    title: "What comes first",
    question: "Which requirements shape the design: features, targets, money, or what no design may break?",
    options: &[
        Choice {
            id: "slo_first",
            name: "Targets first",
            best_for: "products whose answers are worth less when they are late",
            gains: "the design is measured from the first day",
            costs: "targets have to be researched and load has to be tested early",
            apply: Apply {
                config: "[slo.ttft]\np95 = \"500ms\"\n[slo.errors]\nrate = \"0.1%\"\n[slo.cost]\nper_request = \"$0.005\"\n",
                steps: &[
                    "three targets decide the design: first token, errors, cost; the rest is a feature or a wish",
                    "mainstay spec check names targets that cannot hold together",
                ],
            },
        },
        Choice {
            id: "constraints_first",
            name: "What no design may break first",
            best_for: "data that may not leave, rules of a regulator",
            gains: "designs that are forbidden are never drawn",
            costs: "what is left may be slower, dearer or worse",
            apply: Apply {
                config: "[providers.own]\nkind = \"openai-compatible\"\nbase_url = \"http://models.internal:8000/v1\"\nregion = \"eu-west-1\"\n[residency]\nregion = \"eu-west-1\"\n[constraints]\nresidency = [\"eu-west-1\"]\n",
                steps: &["the three targets are still written, for what is left"],
            },
        },
        Choice {
            id: "cost_first",
            name: "Cost first",
            best_for: "internal tools with a ceiling, work that nobody waits for",
            gains: "build or buy is decided early and does not hurt later",
            costs: "may leave no room to grow",
            apply: Apply {
                config: "[constraints]\nmonthly_budget = \"$50000\"\n[budgets.company]\nlimit = \"$50000\"\nper = \"month\"\n",
                steps: &["mainstay plan says what the traffic costs at providers and on GPUs of one's own"],
            },
        },
        Choice {
            id: "features_first",
            name: "Features first",
            best_for: "products of which nobody knows yet what they are",
            gains: "the scope is bounded early",
            costs: "targets that come late cause rewrites",
            apply: Apply {
                config: "",
                steps: &[
                    "write [slo] as soon as the first users are there: three targets are enough to begin with",
                ],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "constraints_first",
            when: &[yes(DATA_STAYS_INSIDE)],
            why: "every design with an outside model is ruled out, however fast or cheap it is",
        },
        Rule {
            choose: "cost_first",
            when: &[yes(AUDIENCE_INTERNAL), yes(BUDGET_FIXED)],
            why: "an internal tool with a ceiling is decided by the ceiling",
        },
        Rule {
            choose: "cost_first",
            when: &[Condition::above_fact(API_COST_PER_MONTH, MONTHLY_BUDGET, 1.0)],
            why: "providers would charge more than the budget, so money rules out designs before any target does",
        },
        Rule {
            choose: "slo_first",
            when: &[yes(TEAM_DRIVES)],
            why: "what is late is worth less, so the targets come first, however open the scope is",
        },
        Rule {
            choose: "cost_first",
            when: &[yes(AUDIENCE_INTERNAL), no(AWAITED)],
            why: "nobody waits, so batches and cheaper, slower models are open: cost decides among them",
        },
        Rule {
            choose: "features_first",
            when: &[yes(SCOPE_OPEN)],
            why: "there is nothing yet that a target could be held against",
        },
    ],
    otherwise: Otherwise {
        choose: "slo_first",
        why: "three measurable targets before the first design cost little, and each late one costs a rewrite",
    },
    premises: &[
        Premise {
            of: &["slo_first", "constraints_first"],
            holds: Condition::at_most_fact(TTFT_P95, TTFT_P95_TARGET, 1.0),
            otherwise: "the first token is later than promised: `mainstay decide --card 10.1` names the bottleneck",
        },
        Premise {
            of: &["slo_first", "constraints_first"],
            holds: Condition::at_most_fact(ERROR_RATE, ERROR_RATE_TARGET, 1.0),
            otherwise: "more requests fail than may: look at mainstay_turns_total by code and at `mainstay decide --card 06.3`",
        },
        Premise {
            of: &["cost_first", "slo_first"],
            holds: Condition::at_most_fact(COST_PER_REQUEST, COST_PER_REQUEST_TARGET, 1.0),
            otherwise: "a request costs more than it may: `mainstay decide --card 12.4` orders what makes it cheaper",
        },
        Premise {
            of: &["slo_first", "constraints_first", "cost_first"],
            holds: Condition::at_most_fact(FAITHFULNESS_TARGET, FAITHFULNESS, 1.0),
            otherwise: "answers are less faithful than promised: cheap or fast was bought with quality, see `mainstay decide --card 05.4`",
        },
        Premise {
            of: &["features_first"],
            holds: at_most(DAYS_LIVE, 90.0),
            otherwise: "ninety days of users are enough to set slo.ttft.p95, slo.errors.rate and slo.cost.per_request",
        },
    ],
    corrections: &[
        "100 requests a second at $.005 each are $43,200 a day, $1.3 M a month: 26 times the ceiling of $50,000 in the same \
         list, which pays for 10 M requests a month, 3.9 a second.",
        "'Exactly three' targets are asked for and five are listed. Three shape the design (first token, errors, cost); \
         throughput is an input of the plan, and quality is a gate for each release.",
    ],
};
