//! A question as numbers.

use mainstay_embed::StaticEmbedder;
use mainstay_text::QuestionKind;

/// Numbers of the shape of a text, beside its vector.
const SHAPE: usize = 7;

/// Numbers of a question; the last is always 1.
pub(super) const COUNT: usize = StaticEmbedder::DIMENSION + SHAPE + 1;

/// What a model was trained with. A change of what the numbers mean changes the name.
pub(super) const NAME: &str = "minilm-l6-static-v2+shape-v1";

/// The numbers of a question: what it is about, from its vector, and how it is asked, from its shape. A long text with
/// figures or code wants more of a model than a short one about the same thing.
pub(super) fn features(text: &str) -> Vec<f32> {
    let mut features = StaticEmbedder::builtin().embed_text(text);
    let words = text.split_whitespace().count();
    let sentences = text.matches(['.', '?', '!', '。', '？', '！', '\n']).count();
    let kind = QuestionKind::of(text);
    let flag = |is: bool| f32::from(u8::from(is));
    features.extend([
        (1.0 + words as f32).ln() / 4.0,
        (1.0 + sentences as f32).ln() / 4.0,
        flag(kind == QuestionKind::Question),
        flag(kind == QuestionKind::Exact),
        flag(text.contains(|c: char| c.is_ascii_digit())),
        flag(text.trim().contains('\n')),
        flag(text.contains("```")),
        1.0,
    ]);
    features
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_has_as_many_finite_numbers() {
        for text in ["", "?", "How long is the warranty?", "a\n```\n1\n```", "質問です", &"x ".repeat(50_000)]
        {
            let features = features(text);
            assert_eq!(features.len(), COUNT);
            assert!(features.iter().all(|value| value.is_finite()));
            assert_eq!(features.last(), Some(&1.0));
        }
    }
}
