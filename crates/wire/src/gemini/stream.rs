//! Streamed answers (`alt=sse`).

use mainstay_domain::Usage;
use mainstay_domain::chat::{ChatEvent, ChoiceDelta, Extra, StreamStart, ToolCall, ToolCallDelta};

use super::answer::{AnswerFields, CandidateFields};
use super::finish_reason;
use super::response::Pieces;
use crate::error::UpstreamError;
use crate::json::read::Read;
use crate::sse::Event;
use crate::stream::StreamDecoder;

/// Reads Gemini's chunks. There is no word for the end: the stream is complete when every candidate has a finish reason, and
/// the counts have come with the last of them or after it. Where they do not come, when the body has ended.
#[derive(Debug)]
pub struct ChunkDecoder {
    /// How many candidates were asked for.
    expected: usize,
    /// The answer's id, once known.
    id: Option<String>,
    candidates: Vec<CandidateProgress>,
    /// The last usage seen: every chunk has the counts so far.
    usage: Option<Usage>,
    /// Whether it came when everything had been said.
    is_final: bool,
}

#[derive(Debug)]
struct CandidateProgress {
    index: u32,
    finished: bool,
    tool_calls: usize,
}

impl ChunkDecoder {
    /// A decoder for one stream of so many candidates, at least one.
    pub fn new(candidates: usize) -> Self {
        let expected = candidates.max(1);
        Self { expected, id: None, candidates: Vec::new(), usage: None, is_final: false }
    }

    fn has_answered(&self) -> bool {
        !self.candidates.is_empty() && self.candidates.iter().all(|candidate| candidate.finished)
    }

    fn candidate(
        &mut self,
        candidate: CandidateFields<'_>,
        events: &mut Vec<ChatEvent>,
    ) -> Result<(), UpstreamError> {
        let index = u32::try_from(candidate.index)
            .map_err(|_| UpstreamError::malformed("the `index` of a candidate is out of range"))?;
        let id = self.id.as_deref().unwrap_or_default();
        let position = self.candidates.iter().position(|known| known.index == index).unwrap_or_else(|| {
            self.candidates.push(CandidateProgress { index, finished: false, tool_calls: 0 });
            self.candidates.len() - 1
        });
        let progress = &mut self.candidates[position];
        let pieces = Pieces::read(candidate.content.parts, id, index, progress.tool_calls);
        let calls_before = progress.tool_calls;
        progress.tool_calls += pieces.tool_calls.len();
        let finish = candidate
            .finish_reason
            .filter(|_| !progress.finished)
            .map(|reason| finish_reason(&reason, progress.tool_calls > 0));
        progress.finished |= finish.is_some();
        let tool_calls = pieces.tool_calls.into_iter().enumerate();
        let delta = ChoiceDelta {
            choice: index,
            text: pieces.text,
            reasoning: pieces.reasoning,
            tool_calls: tool_calls.map(|(number, call)| whole_call(call, calls_before + number)).collect(),
            finish,
            extra: pieces.extra,
            ..ChoiceDelta::default()
        };
        if delta.has_content() || delta.finish.is_some() || !delta.extra.is_empty() {
            events.push(ChatEvent::Delta(delta));
        }
        Ok(())
    }
}

/// Gemini sends calls whole: one fragment has everything.
fn whole_call(call: ToolCall, index: usize) -> ToolCallDelta {
    ToolCallDelta {
        index: index as u32,
        id: Some(call.id),
        name: Some(call.name),
        arguments: call.arguments,
        extra: call.extra,
    }
}

impl StreamDecoder for ChunkDecoder {
    fn decode(&mut self, event: Event<'_>, events: &mut Vec<ChatEvent>) -> Result<(), UpstreamError> {
        let data = event.data;
        let Read(answer) = serde_json::from_str::<Read<AnswerFields<'_>>>(data)
            .map_err(|error| UpstreamError::unreadable(data.as_bytes(), &error))?;
        if let Some(failure) = answer.failure() {
            return Err(failure);
        }
        if self.id.is_none() {
            let id = answer.id.unwrap_or_default().into_owned();
            self.id = Some(id.clone());
            let model = answer.model.unwrap_or_default().into_owned();
            events.push(ChatEvent::Start(StreamStart { id, model, created: None, extra: Extra::new() }));
        }
        for candidate in answer.candidates {
            self.candidate(candidate, events)?;
        }
        if let Some(usage) = answer.usage {
            self.usage = Some(usage.usage());
            self.is_final = self.has_answered() && self.candidates.len() >= self.expected;
        }
        Ok(())
    }

    fn is_finished(&self) -> bool {
        self.is_final
    }

    fn finish(&mut self, events: &mut Vec<ChatEvent>) -> Result<(), UpstreamError> {
        let answered = self.has_answered();
        if let Some(usage) = self.usage.take().filter(|_| answered) {
            events.push(ChatEvent::Usage(usage));
        }
        if answered { Ok(()) } else { Err(UpstreamError::truncated()) }
    }
}
