//! About how many tokens an answer is, where nobody reported a count.

use super::{AssistantMessage, ChoiceDelta};
use crate::usage::{TokenEstimate, estimate_tokens};

/// Tokens of an answer, as an estimate: its texts, its reasoning, and the calls of tools.
pub fn tokens_of(message: &AssistantMessage) -> u64 {
    let texts = [&message.text, &message.refusal, &message.reasoning].into_iter().flatten();
    let calls = message.tool_calls.iter().flat_map(|call| [&call.name, &call.arguments]);
    texts.chain(calls).map(|text| estimate_tokens(text)).sum()
}

/// Tokens of an answer that comes in pieces, as an estimate: what [`tokens_of`] says of the whole, and one for each piece at
/// least, for no provider sends less than a token in one.
#[derive(Clone, Debug, Default)]
pub struct StreamedTokens {
    pieces: u64,
    /// Of the texts that others follow.
    before: u64,
    /// The text that is being written.
    part: Option<(u32, Part)>,
    estimate: TokenEstimate,
}

/// Which of the texts of a choice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    Text,
    Refusal,
    Reasoning,
    ToolName(u32),
    ToolArguments(u32),
}

impl StreamedTokens {
    /// A piece has come.
    pub fn take(&mut self, delta: &ChoiceDelta) {
        if !delta.has_content() {
            return;
        }
        self.pieces += 1;
        for (part, text) in
            [(Part::Reasoning, &delta.reasoning), (Part::Text, &delta.text), (Part::Refusal, &delta.refusal)]
        {
            self.push(delta.choice, part, text.as_deref().unwrap_or_default());
        }
        for call in &delta.tool_calls {
            self.push(delta.choice, Part::ToolName(call.index), call.name.as_deref().unwrap_or_default());
            self.push(delta.choice, Part::ToolArguments(call.index), &call.arguments);
        }
    }

    /// Tokens until now.
    pub fn tokens(&self) -> u64 {
        (self.before + self.estimate.tokens()).max(self.pieces)
    }

    fn push(&mut self, choice: u32, part: Part, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.part.replace((choice, part)).is_some_and(|before| before != (choice, part)) {
            self.before += std::mem::take(&mut self.estimate).tokens();
        }
        self.estimate.push(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Extra, ToolCall, ToolCallDelta};

    const REASONING: &str = "Ferries are a matter of timetables.";
    const TEXT: &str = "Internationalization: the ferry leaves at 9:15, 東京 time.";
    const ARGUMENTS: &str = r#"{"destination":"Gothenburg"}"#;

    #[test]
    fn pieces_are_as_many_tokens_as_the_whole_wherever_they_are_cut() {
        let call = ToolCall {
            id: "t".to_owned(),
            name: "timetable".to_owned(),
            arguments: ARGUMENTS.to_owned(),
            extra: Extra::new(),
        };
        let whole = AssistantMessage {
            text: Some(TEXT.to_owned()),
            reasoning: Some(REASONING.to_owned()),
            tool_calls: vec![call],
            ..AssistantMessage::default()
        };
        // Pieces of three characters have more than a token together; single ones are counted.
        for size in [3, 7, 1_000] {
            let mut streamed = StreamedTokens::default();
            let pieces = |text: &str| -> Vec<String> {
                text.chars().collect::<Vec<_>>().chunks(size).map(|piece| piece.iter().collect()).collect()
            };
            for piece in pieces(REASONING) {
                streamed.take(&ChoiceDelta { reasoning: Some(piece), ..ChoiceDelta::default() });
            }
            for piece in pieces(TEXT) {
                streamed.take(&ChoiceDelta::text(piece));
            }
            for (at, arguments) in pieces(ARGUMENTS).into_iter().enumerate() {
                let name = (at == 0).then(|| "timetable".to_owned());
                let call = ToolCallDelta { name, arguments, ..ToolCallDelta::default() };
                streamed.take(&ChoiceDelta { tool_calls: vec![call], ..ChoiceDelta::default() });
            }
            assert_eq!(streamed.tokens(), tokens_of(&whole).max(streamed.pieces), "{size}");
            assert!(size == 3 || streamed.tokens() > streamed.pieces, "{size}");
        }
    }
}
