//! Where a caller has an answer end: at a number of tokens, or before a text.

use mainstay_domain::chat::{ChatRequest, FinishReason};
use mainstay_domain::usage::estimate_tokens;

/// The part of an answer, given in pieces, that the request lets through, and why it ends. The end is between two words.
pub(crate) fn within(request: &ChatRequest, pieces: Vec<String>) -> (Vec<String>, FinishReason) {
    let whole = pieces.concat();
    let stops = request.stop.iter().filter(|stop| !stop.is_empty());
    let stop = stops.filter_map(|stop| whole.find(stop.as_str())).min();
    let before_stop = cut(pieces, stop.unwrap_or(whole.len()));
    let Some(limit) = request.max_tokens.map(|most| most.limit) else {
        return (before_stop, FinishReason::Stop);
    };
    let allowed = &whole[..stop.unwrap_or(whole.len())];
    match end_within(allowed, limit) {
        Some(end) => (cut(before_stop, end), FinishReason::Length),
        None => (before_stop, FinishReason::Stop),
    }
}

/// Where a text ends that has at most `limit` tokens; `None` where all of it does.
fn end_within(text: &str, limit: u64) -> Option<usize> {
    if estimate_tokens(text) <= limit {
        return None;
    }
    let mut end = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        if estimate_tokens(&text[..end + word.len()]) > limit {
            break;
        }
        end += word.len();
    }
    Some(text[..end].trim_end().len())
}

/// The pieces up to this byte of the whole.
fn cut(pieces: Vec<String>, end: usize) -> Vec<String> {
    let mut left = end;
    let mut kept = Vec::with_capacity(pieces.len());
    for mut piece in pieces {
        piece.truncate(left);
        left -= piece.len();
        if !piece.is_empty() {
            kept.push(piece);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use mainstay_domain::chat::MaxTokens;

    use super::*;

    #[track_caller]
    fn check(limit: Option<u64>, stop: &[&str], expected: &[&str], reason: FinishReason) {
        let request = ChatRequest {
            max_tokens: limit.map(|limit| MaxTokens { limit, as_completion: false }),
            stop: stop.iter().map(|&stop| stop.to_owned()).collect(),
            ..ChatRequest::default()
        };
        let pieces = ["The keys turn twice. [1] ", "Ä door shuts. [2]"].map(str::to_owned).to_vec();
        assert_eq!(within(&request, pieces), (expected.iter().map(|&one| one.to_owned()).collect(), reason));
    }

    #[test]
    fn an_answer_without_limits_is_whole() {
        check(None, &[], &["The keys turn twice. [1] ", "Ä door shuts. [2]"], FinishReason::Stop);
        check(
            Some(100),
            &["nowhere", ""],
            &["The keys turn twice. [1] ", "Ä door shuts. [2]"],
            FinishReason::Stop,
        );
    }

    #[test]
    fn the_earliest_text_to_stop_at_ends_it_in_whichever_piece() {
        check(None, &["shuts", "Ä"], &["The keys turn twice. [1] "], FinishReason::Stop);
        check(None, &["[1] Ä"], &["The keys turn twice. "], FinishReason::Stop);
        check(None, &["The"], &[], FinishReason::Stop);
    }

    #[test]
    fn the_limit_of_tokens_ends_it_between_two_words() {
        check(Some(3), &[], &["The keys turn"], FinishReason::Length);
        check(Some(0), &[], &[], FinishReason::Length);
        check(Some(3), &["turn"], &["The keys "], FinishReason::Stop);
    }
}
