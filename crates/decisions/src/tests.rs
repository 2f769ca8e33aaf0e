//! What holds of every card, whatever it decides. That a rule decides what its card says is tested here on both sides of every
//! threshold; whether the rule is wise is for the reader of the card.

use std::collections::BTreeSet;

use crate::card::{Card, Condition, Test};
use crate::cards;
use crate::decide::{State, decide};
use crate::fact::{Fact, Origin, Situation, Source};

/// Makes a condition true, or just not true.
fn set(situation: &mut Situation, condition: &Condition, met: bool) {
    let nudge = |threshold: f64, up: bool| {
        let step = (threshold.abs() * 1e-9).max(1e-12);
        if up { threshold + step } else { threshold - step }
    };
    let other = 10.0;
    let value = match condition.test {
        Test::Above(threshold) => {
            if met {
                nudge(threshold, true)
            } else {
                threshold
            }
        }
        Test::AtLeast(threshold) => {
            if met {
                threshold
            } else {
                nudge(threshold, false)
            }
        }
        Test::Below(threshold) => {
            if met {
                nudge(threshold, false)
            } else {
                threshold
            }
        }
        Test::AtMost(threshold) => {
            if met {
                threshold
            } else {
                nudge(threshold, true)
            }
        }
        Test::AboveFact(fact, factor) => {
            situation.learn(fact, other, Origin::Measured);
            if met { nudge(other * factor, true) } else { other * factor }
        }
        Test::AtMostFact(fact, factor) => {
            situation.learn(fact, other, Origin::Measured);
            if met { other * factor } else { nudge(other * factor, true) }
        }
        Test::Yes => f64::from(u8::from(met)),
        Test::No => f64::from(u8::from(!met)),
    };
    situation.learn(condition.fact, value, Origin::Measured);
}

/// A situation in which all of the conditions are met but perhaps one, and nothing else is known.
fn situation(conditions: &[Condition], except: Option<usize>) -> Situation {
    let mut situation = Situation::new();
    // Conditions of one fact narrow it together: the one that is to fail is set last, the narrowest before it.
    for condition in conditions {
        if !conditions.iter().all(|other| other.is_met(&situation) == Some(true)) {
            set(&mut situation, condition, true);
        }
    }
    for condition in conditions.iter().rev() {
        if condition.is_met(&situation) != Some(true) {
            set(&mut situation, condition, true);
        }
    }
    if let Some(except) = except {
        set(&mut situation, &conditions[except], false);
    }
    situation
}

#[test]
fn every_rule_decides_on_this_side_of_its_thresholds_and_not_on_the_other() {
    for card in cards::all() {
        for (index, rule) in card.rules.iter().enumerate() {
            let place = format!("card {}, rule {index} ({})", card.id, rule.choose);
            let decision = decide(card, &situation(rule.when, None));
            assert_eq!(decision.rule, Some(index), "{place}: cannot be reached, or an earlier rule is wider");
            assert_eq!(decision.choice.id, rule.choose, "{place}");
            assert!(!decision.evidence.is_empty(), "{place}: decides without evidence");
            for except in 0..rule.when.len() {
                let decision = decide(card, &situation(rule.when, Some(except)));
                assert_ne!(decision.rule, Some(index), "{place}: condition {except} does not matter");
            }
        }
    }
}

#[test]
fn every_premise_holds_on_this_side_of_its_threshold_and_breaks_on_the_other() {
    for card in cards::all() {
        for premise in card.premises {
            for (met, state) in [(true, State::Holds), (false, State::Broken)] {
                let mut situation = Situation::new();
                set(&mut situation, &premise.holds, met);
                assert_eq!(premise.holds.is_met(&situation), Some(met), "card {}", card.id);
                let decision = decide(card, &situation);
                if let Some(standing) = decision.premises.iter().find(|s| std::ptr::eq(s.premise, premise)) {
                    assert_eq!(standing.state, state, "card {}", card.id);
                }
            }
        }
    }
}

#[test]
fn where_nothing_is_known_the_default_is_chosen_and_what_could_change_it_is_named() {
    for card in cards::all() {
        let decision = decide(card, &Situation::new());
        assert_eq!((decision.rule, decision.choice.id), (None, card.otherwise.choose), "card {}", card.id);
        let others = card.rules.iter().filter(|rule| rule.choose != card.otherwise.choose).count();
        assert_eq!(decision.flips.len(), others, "card {}", card.id);
        assert_eq!(decision.unknown.is_empty(), others == 0, "card {}", card.id);
    }
}

#[test]
fn what_would_change_a_decision_changes_it() {
    for card in cards::all() {
        for rule in card.rules {
            let decision = decide(card, &situation(rule.when, None));
            for flip in &decision.flips {
                assert_ne!(flip.to, decision.choice.id, "card {}", card.id);
                assert!(card.option(flip.to).is_some() && !flip.when.is_empty(), "card {}", card.id);
            }
        }
    }
}

fn texts(card: &Card) -> Vec<&'static str> {
    let mut texts = vec![card.id, card.title, card.question, card.otherwise.why];
    for choice in card.options {
        texts.extend([choice.id, choice.name, choice.best_for, choice.gains, choice.costs]);
        texts.extend(choice.apply.steps);
    }
    texts.extend(card.rules.iter().map(|rule| rule.why));
    texts.extend(card.premises.iter().map(|premise| premise.otherwise));
    texts.extend(card.corrections);
    texts
}

#[test]
fn every_card_is_whole() {
    for card in cards::all() {
        let at = card.id;
        assert!(card.options.len() >= 2 && !card.rules.is_empty(), "card {at}: nothing to decide");
        assert!(!card.premises.is_empty(), "card {at}: nothing would show that it no longer holds");
        let names: BTreeSet<&str> = card.options.iter().map(|choice| choice.id).collect();
        assert_eq!(names.len(), card.options.len(), "card {at}: two options of one name");
        let chosen = card.rules.iter().map(|rule| rule.choose).chain([card.otherwise.choose]);
        let chosen: BTreeSet<&str> = chosen.collect();
        assert_eq!(chosen, names, "card {at}: an option that is never chosen, or a rule without its option");
        let of_premises: BTreeSet<&str> =
            card.premises.iter().flat_map(|premise| premise.of).copied().collect();
        assert!(of_premises.is_subset(&names), "card {at}: a premise of no option");
        for text in texts(card) {
            assert!(
                !text.trim().is_empty() && text.trim() == text && !text.contains("  "),
                "card {at}: {text:?}"
            );
        }
        for choice in card.options {
            let apply = &choice.apply;
            assert!(
                !apply.config.is_empty() || !apply.steps.is_empty(),
                "card {at}: {} cannot be applied",
                choice.id
            );
            assert!(apply.config.is_empty() || apply.config.ends_with('\n'), "card {at}: {}", choice.id);
        }
        for fact in card.facts() {
            assert!(cards::facts().any(|known| known == fact), "card {at}: {} is on no list", fact.id);
        }
    }
}

#[test]
fn cards_and_facts_have_names_of_their_own() {
    let ids: Vec<&str> = cards::all().map(|card| card.id).collect();
    assert_eq!(ids.len(), 48);
    assert!(ids.is_sorted() && ids.iter().collect::<BTreeSet<_>>().len() == ids.len(), "{ids:?}");
    let mut seen = BTreeSet::new();
    for fact in cards::facts() {
        let Fact { id, what, from, .. } = fact;
        assert!(seen.insert(*id), "two facts are named {id}");
        assert!(id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{id}");
        assert!(!what.is_empty() && !from.is_empty(), "{id}");
    }
}

#[test]
fn every_fact_is_asked_about_and_no_two_read_the_same() {
    let asked: BTreeSet<&str> = cards::all().flat_map(Card::facts).map(|fact| fact.id).collect();
    let idle: Vec<&str> = cards::facts().map(|fact| fact.id).filter(|id| !asked.contains(id)).collect();
    assert!(idle.is_empty(), "no card asks about {idle:?}");
    let mut read = BTreeSet::new();
    for fact in cards::facts() {
        for source in fact.from.iter().filter(|source| matches!(source, Source::Measured(_))) {
            assert!(read.insert(format!("{source:?}")), "{} reads what another fact reads", fact.id);
        }
    }
}
