//! How scenarios of the stages are tested.

use crate::cards::find;
use crate::decide::decide;
use crate::fact::{Fact, Origin, Situation};

/// Where exactly this is known, the card chooses that.
pub(super) fn assert_decides(card: &str, known: &[(&Fact, f64)], expected: &str) {
    let mut situation = Situation::new();
    for (fact, value) in known {
        situation.learn(fact, *value, Origin::Told);
    }
    let decision = decide(find(card).expect("a card"), &situation);
    assert_eq!(decision.choice.id, expected, "because {}", decision.why);
}
