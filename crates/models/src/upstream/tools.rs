//! Calls of tools that break off in the midst of their arguments, under a finish that says they are whole.
//!
//! A model may write arguments that are no JSON, and whoever runs the tool has to cope; but arguments that end before their
//! JSON does were cut, and must not look finished.

use std::collections::BTreeMap;

use mainstay_domain::chat::{ChoiceDelta, Completion, FinishReason};
use mainstay_domain::{ModelError, ModelErrorKind};
use serde::de::IgnoredAny;

/// The arguments of a streamed answer's calls until now, by choice and call.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Arguments {
    calls: BTreeMap<(u32, u32), String>,
}

impl Arguments {
    /// A piece has come. Whether it ends its choice in the midst of a call's arguments.
    pub(super) fn take(&mut self, delta: &ChoiceDelta) -> bool {
        for call in &delta.tool_calls {
            self.calls.entry((delta.choice, call.index)).or_default().push_str(&call.arguments);
        }
        let of_choice = self.calls.range((delta.choice, 0)..=(delta.choice, u32::MAX));
        says_whole(delta.finish.as_ref()) && of_choice.map(|(_, arguments)| arguments).any(|one| is_cut(one))
    }
}

/// Whether a whole answer has a call that was cut.
pub(super) fn has_cut_call(completion: &Completion) -> bool {
    completion.choices.iter().any(|choice| {
        let calls = &choice.message.tool_calls;
        says_whole(Some(&choice.finish)) && calls.iter().any(|call| is_cut(&call.arguments))
    })
}

/// The failure of such an answer.
pub(super) fn cut_call(provider: &str) -> ModelError {
    ModelError {
        kind: ModelErrorKind::Truncated,
        provider: provider.to_owned(),
        status: None,
        message: "the answer ended in the midst of the arguments of a tool call".to_owned(),
        retry_after: None,
    }
}

/// An answer that reached its limit of tokens says itself that it is cut.
fn says_whole(finish: Option<&FinishReason>) -> bool {
    matches!(finish, Some(FinishReason::ToolCalls | FinishReason::Stop))
}

/// Whether JSON ends before it is complete. A call without arguments has none.
fn is_cut(arguments: &str) -> bool {
    !arguments.trim().is_empty()
        && serde_json::from_str::<IgnoredAny>(arguments).is_err_and(|error| error.is_eof())
}

#[cfg(test)]
mod tests {
    use mainstay_domain::chat::ToolCallDelta;

    use super::*;

    fn piece(index: u32, arguments: &str) -> ChoiceDelta {
        let call = ToolCallDelta { index, arguments: arguments.to_owned(), ..ToolCallDelta::default() };
        ChoiceDelta { tool_calls: vec![call], ..ChoiceDelta::default() }
    }

    #[test]
    fn arguments_that_end_before_their_json_does_are_cut() {
        for (arguments, cut) in [
            ("{\"city\":", true),
            ("{\"city\": \"Os", true),
            ("[1, 2", true),
            ("{\"city\": \"Oslo\"}", false),
            ("", false),
            (" ", false),
            ("city=Oslo", false),
            ("{\"city\": Oslo}", false),
        ] {
            assert_eq!(is_cut(arguments), cut, "{arguments}");
        }
    }

    #[test]
    fn calls_in_pieces_are_looked_at_when_their_choice_ends_as_whole() {
        for (finish, cut) in
            [(FinishReason::ToolCalls, true), (FinishReason::Stop, true), (FinishReason::Length, false)]
        {
            let mut arguments = Arguments::default();
            assert!(!arguments.take(&piece(0, "{\"a\": 1}")));
            assert!(!arguments.take(&piece(1, "{\"b\"")));
            assert!(!arguments.take(&piece(1, ": ")));
            assert_eq!(arguments.take(&ChoiceDelta::finish(finish)), cut);
        }
        let mut whole = Arguments::default();
        whole.take(&piece(0, "{\"a\""));
        assert!(!whole.take(&ChoiceDelta { finish: Some(FinishReason::ToolCalls), ..piece(0, ": 1}") }));
    }
}
