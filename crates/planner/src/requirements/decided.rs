//! `[facts]` and `[decisions]`: what the team knows that nothing else says, and what it has decided.

use std::collections::BTreeMap;

use mainstay_decisions::{Situation, Unit, cards};
use mainstay_domain::config::{FactValue, Findings, KeyPath, closest};
use schemars::JsonSchema;
use serde::Deserialize;

/// What the team has decided about a card, where that differs from what is recommended or is to be kept.
#[derive(Clone, Deserialize, JsonSchema, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub struct RawPin {
    /// The option, by its name in `mainstay decide --card`.
    #[schemars(example = &"qdrant", length(min = 1))]
    choose: Option<String>,
    /// Why.
    #[schemars(example = "the team runs a cluster already", length(min = 1))]
    because: Option<String>,
}

/// What the team has decided about a card, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pin {
    /// The option: one of the card's.
    pub choose: &'static str,
    /// Why.
    pub because: String,
}

/// What the team knows, by the fact's name; checked.
pub type Facts = BTreeMap<&'static str, f64>;

/// `[facts]`, checked: every name is a fact that a card asks about, and its value one that it can have.
pub fn check_facts(raw: BTreeMap<String, FactValue>, at: &KeyPath, findings: &mut Findings) -> Facts {
    let mut facts = Facts::new();
    for (name, value) in raw {
        let key = at.key(&name);
        let Some(fact) = cards::facts().find(|fact| fact.id == name) else {
            let near = closest(&name, cards::facts().map(|fact| fact.id));
            let hint = match near {
                Some(near) => format!("{near} is one. `mainstay decide --facts` lists them all"),
                None => "`mainstay decide --facts` lists all that there are".to_owned(),
            };
            findings.report_key(&key, "no decision asks about this", hint);
            continue;
        };
        let number = value.number;
        if (fact.unit == Unit::YesNo) != value.is_yes_or_no {
            let (is, example) =
                if fact.unit == Unit::YesNo { ("a yes or no", "true") } else { ("a number", "250") };
            findings.report(&key, format!("{name} is {is}"), format!("For example: {name} = {example}"));
        } else if number < 0.0 || (fact.unit == Unit::Share && number > 1.0) {
            let range = if fact.unit == Unit::Share { "from 0 to 1" } else { "at least 0" };
            findings.report(&key, format!("{name} is {range}"), format!("it says {}", fact.what));
        } else {
            facts.insert(fact.id, number);
        }
    }
    facts
}

/// Teaches a situation what the team knows.
pub fn tell(facts: &Facts, situation: &mut Situation) {
    for fact in cards::facts() {
        if let Some(value) = facts.get(fact.id) {
            situation.learn(fact, *value, mainstay_decisions::Origin::Told);
        }
    }
}

impl RawPin {
    /// The entry, checked; none where it cannot be used.
    pub fn check(self, at: &KeyPath, findings: &mut Findings) -> Option<Pin> {
        let id = at.last_key().unwrap_or_default();
        let Some(card) = cards::find(id) else {
            let hint = "`mainstay decide` lists the cards. For example: [decisions.\"04.2\"]";
            findings.report_key(at, "there is no such card", hint);
            return None;
        };
        let options = || card.options.iter().map(|choice| choice.id).collect::<Vec<_>>().join(", ");
        let Some(choose) = self.choose else {
            findings.report(
                &at.key("choose"),
                "what was chosen is missing",
                format!("one of: {}", options()),
            );
            return None;
        };
        let Some(because) = self.because else {
            let hint =
                "whoever reads it in a year wants to know. For example: because = \"we run one already\"";
            findings.report(&at.key("because"), "the reason is missing", hint);
            return None;
        };
        let Some(choice) = card.option(&choose) else {
            let message = format!("{choose:?} is no option of card {}", card.id);
            findings.report(&at.key("choose"), message, format!("one of: {}", options()));
            return None;
        };
        Some(Pin { choose: choice.id, because })
    }
}
