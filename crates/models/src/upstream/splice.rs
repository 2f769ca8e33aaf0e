//! A restarted answer, put on where the first one broke off: only where it says again what was said.

use mainstay_domain::chat::ChoiceDelta;
use serde_json::Value;

/// What of an answer has reached the caller.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Sent {
    pub(super) text: String,
    pub(super) reasoning: String,
    /// Whether anything that a caller sees has been sent.
    pub(super) anything: bool,
    /// Whether there was more than text and reasoning of one choice: a call of a tool has another id each time, and so has a
    /// block of the provider's own, so that no other answer is a continuation of this one.
    pub(super) is_more_than_text: bool,
    /// Whether a choice has ended: nothing of it is missing.
    pub(super) has_finished: bool,
}

/// How far a restarted answer has repeated what was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Splice {
    text: usize,
    reasoning: usize,
}

/// A restarted answer says something else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Diverged;

impl Sent {
    /// A piece goes to the caller.
    pub(super) fn note(&mut self, delta: &ChoiceDelta) {
        if !is_seen(delta) {
            return;
        }
        self.anything = true;
        self.has_finished |= delta.finish.is_some();
        let is_plain = delta.choice == 0
            && delta.refusal.is_none()
            && delta.tool_calls.is_empty()
            && delta.citations.is_empty()
            && delta.logprobs.is_none()
            && !is_opaque(delta);
        self.is_more_than_text |= !is_plain;
        if is_plain {
            self.text.push_str(delta.text.as_deref().unwrap_or_default());
            self.reasoning.push_str(delta.reasoning.as_deref().unwrap_or_default());
        }
    }
}

/// Whether a caller sees something in a piece, so that no other answer can be begun after it.
pub(super) fn is_seen(delta: &ChoiceDelta) -> bool {
    delta.has_content() || delta.finish.is_some() || is_opaque(delta)
}

/// Whether a piece says something that has no meaning here but may have one for the caller: blocks of a provider's own
/// tools, signatures, pictures. Some servers send fields that are empty with every piece.
fn is_opaque(delta: &ChoiceDelta) -> bool {
    delta.extra.values().any(|value| match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => !values.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    })
}

impl Splice {
    /// Of an answer that was told how it begins, all but the last of it: what it says first must be the rest.
    pub(super) fn after_prefix(text: usize) -> Self {
        Self { text, reasoning: usize::MAX }
    }

    /// Whether all that was sent has been said again.
    pub(super) fn is_complete(&self, sent: &Sent) -> bool {
        self.text >= sent.text.len() && (!sent.text.is_empty() || self.reasoning >= sent.reasoning.len())
    }

    /// What of a piece is new to the caller; `None` where nothing is. Once there was text, reasoning is not compared: it
    /// was only the way there.
    pub(super) fn take(
        &mut self,
        sent: &Sent,
        mut delta: ChoiceDelta,
    ) -> Result<Option<ChoiceDelta>, Diverged> {
        if delta.choice != 0 || delta.refusal.is_some() || !delta.tool_calls.is_empty() {
            return Err(Diverged);
        }
        if sent.text.is_empty() {
            delta.reasoning = rest(&sent.reasoning, &mut self.reasoning, delta.reasoning.take())?;
        } else {
            delta.reasoning = None;
        }
        delta.text = rest(&sent.text, &mut self.text, delta.text.take())?;
        if delta.finish.is_some() && !self.is_complete(sent) {
            return Err(Diverged);
        }
        Ok((delta.has_content() || delta.finish.is_some()).then_some(delta))
    }
}

/// What of `more` goes beyond what was sent, of which `at` bytes have been said again.
fn rest(sent: &str, at: &mut usize, more: Option<String>) -> Result<Option<String>, Diverged> {
    let Some(more) = more else { return Ok(None) };
    let expected = sent.get(*at..).unwrap_or_default();
    if expected.starts_with(&more) {
        *at += more.len();
        return Ok(None);
    }
    let new = more.strip_prefix(expected).ok_or(Diverged)?;
    *at = sent.len();
    Ok((!new.is_empty()).then(|| new.to_owned()))
}

#[cfg(test)]
mod tests {
    use mainstay_domain::chat::{FinishReason, ToolCallDelta};
    use proptest::prelude::*;

    use super::*;

    fn sent(text: &str) -> Sent {
        let mut sent = Sent::default();
        sent.note(&ChoiceDelta::text(text));
        sent
    }

    #[test]
    fn a_restart_that_says_something_else_is_noticed_at_the_first_difference() {
        let sent = sent("The ferry leaves");
        let mut splice = Splice::default();
        assert_eq!(splice.take(&sent, ChoiceDelta::text("The fer")), Ok(None));
        assert_eq!(splice.take(&sent, ChoiceDelta::text("ris")), Err(Diverged));
    }

    #[test]
    fn an_answer_that_ends_before_it_has_said_all_again_is_another_one() {
        let sent = sent("The ferry leaves");
        let mut splice = Splice::default();
        assert_eq!(splice.take(&sent, ChoiceDelta::text("The ferry")), Ok(None));
        assert_eq!(splice.take(&sent, ChoiceDelta::finish(FinishReason::Stop)), Err(Diverged));
    }

    #[test]
    fn a_call_of_a_tool_is_no_continuation() {
        let call = ChoiceDelta { tool_calls: vec![ToolCallDelta::default()], ..ChoiceDelta::default() };
        assert_eq!(Splice::default().take(&sent("a"), call.clone()), Err(Diverged));
        let mut sent = Sent::default();
        sent.note(&call);
        assert!(sent.anything && sent.is_more_than_text);
    }

    #[test]
    fn reasoning_alone_is_compared_and_with_text_it_is_not() {
        let reasoning =
            |text: &str| ChoiceDelta { reasoning: Some(text.to_owned()), ..ChoiceDelta::default() };
        let mut only = Sent::default();
        only.note(&reasoning("hm"));
        assert_eq!(Splice::default().take(&only, reasoning("ha")), Err(Diverged));
        let mut splice = Splice::default();
        assert_eq!(splice.take(&only, reasoning("hmm")).unwrap(), Some(reasoning("m")));
        let mut both = only;
        both.note(&ChoiceDelta::text("Yes"));
        assert_eq!(Splice::default().take(&both, reasoning("ha")), Ok(None));
    }

    proptest! {
        #[test]
        fn however_it_is_cut_the_caller_gets_every_character_once(
            text in "[a-zé ]{0,40}",
            cut in 0usize..40,
            pieces in proptest::collection::vec(1usize..6, 1..60),
        ) {
            let characters: Vec<char> = text.chars().collect();
            let begun: String = characters.iter().take(cut).collect();
            let sent = sent(&begun);
            let (mut splice, mut got, mut rest) = (Splice::default(), begun, &characters[..]);
            for length in pieces.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, more) = rest.split_at((*length).min(rest.len()));
                rest = more;
                if let Some(delta) = splice.take(&sent, ChoiceDelta::text(piece.iter().collect::<String>())).unwrap() {
                    got.push_str(&delta.text.unwrap());
                }
            }
            prop_assert!(splice.is_complete(&sent));
            prop_assert_eq!(got, text);
        }
    }
}
