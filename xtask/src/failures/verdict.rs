//! What became of one request, and what is wrong with that.

use crate::failures::call::{Text, Told};
use crate::failures::deployment::Booked;

/// What became of one request.
pub(super) struct Outcome {
    pub(super) told: Told,
    /// The calls that the first provider has seen, and the second.
    pub(super) calls: [u64; 2],
    /// What was billed for an answer and for calls that failed, in answers without a fault.
    billed: Option<(f64, f64)>,
    /// What must never be.
    pub(super) problems: Vec<String>,
}

impl Outcome {
    /// `price`: what an answer without a fault costs, where that is known.
    pub(super) fn judge(told: Told, calls: [u64; 2], booked: Booked, price: Option<u64>) -> Self {
        let mut problems = problems_of(&told);
        if booked.turns != 1 {
            problems.push(format!("{} turns were booked for one request", booked.turns));
        }
        let billed = price.filter(|price| *price > 0).map(|price| {
            let in_answers = |cost: u64| cost as f64 / price as f64;
            (in_answers(booked.cost), in_answers(booked.failed))
        });
        if let Some((answer, failed)) = billed {
            let failed_calls = (calls[0] + calls[1]).saturating_sub(u64::from(told.is_whole())) as f64;
            if answer > 1.05 {
                problems.push(format!("the answer was billed {answer:.2} times"));
            }
            if failed > failed_calls * 1.05 {
                problems.push(format!("{failed_calls} failed calls were billed as {failed:.2}"));
            }
            if answer + failed > (failed_calls + f64::from(u8::from(told.is_whole()))) * 1.05 {
                problems.push(format!("{:.2} answers were billed for {calls:?} calls", answer + failed));
            }
        }
        Self { told, calls, billed, problems }
    }

    /// As the table has it.
    pub(super) fn in_words(&self) -> String {
        let told = match &self.told {
            Told::Answer { text: Text::Whole, finish } if finish == "stop" || finish == "tool_calls" => {
                "whole answer".to_owned()
            }
            Told::Answer { text: Text::Whole, finish } => format!("answer, finish `{finish}`"),
            Told::Answer { text: Text::Other(_), finish } => {
                format!("**part as if whole**, finish `{finish}`")
            }
            Told::Error { status, code } => format!("{status} `{code}`"),
            Told::ErrorEvent { code, after_content: true } => format!("part, then error `{code}`"),
            Told::ErrorEvent { code, after_content: false } => format!("error event `{code}`"),
            Told::Nonsense(what) => format!("**{what}**"),
            Told::Hung => "**hangs**".to_owned(),
        };
        let calls = match self.calls {
            [1, 0] => "1 call".to_owned(),
            [first, 0] => format!("{first} calls"),
            [first, second] => format!("{first} + {second} calls"),
        };
        format!("{told}; {calls}{}", self.billed_in_words())
    }

    fn billed_in_words(&self) -> String {
        let shown = |share: f64| format!("{share:.2}").trim_end_matches('0').trim_end_matches('.').to_owned();
        match self.billed {
            None => String::new(),
            Some((answer, failed)) if failed < 0.005 => format!("; billed {}", shown(answer)),
            Some((answer, failed)) => format!("; billed {} + {} failed", shown(answer), shown(failed)),
        }
    }
}

fn problems_of(told: &Told) -> Vec<String> {
    let problem = match told {
        Told::Answer { text: Text::Other(text), finish } if finish != "length" => {
            format!("finished with `{finish}`, but the text is {text:?}")
        }
        Told::Nonsense(what) => what.clone(),
        Told::Hung => "the request hung".to_owned(),
        _ => return Vec::new(),
    };
    vec![problem]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(told: Told, calls: [u64; 2], cost: u64, failed: u64) -> Outcome {
        Outcome::judge(told, calls, Booked { turns: 1, cost, failed }, Some(100))
    }

    fn answer(text: Text) -> Told {
        Told::Answer { text, finish: "stop".to_owned() }
    }

    #[test]
    fn a_part_as_if_whole_a_hang_and_a_second_bill_are_problems() {
        let fine = judged(answer(Text::Whole), [2, 1], 100, 150);
        assert_eq!(
            (fine.problems.len(), fine.in_words().as_str()),
            (0, "whole answer; 2 + 1 calls; billed 1 + 1.5 failed")
        );
        assert_eq!(judged(answer(Text::Other("half".to_owned())), [1, 0], 100, 0).problems.len(), 1);
        assert_eq!(judged(Told::Hung, [1, 0], 0, 0).problems.len(), 1);
        assert!(!judged(answer(Text::Whole), [1, 0], 200, 0).problems.is_empty());
        assert!(!judged(answer(Text::Whole), [1, 0], 100, 100).problems.is_empty());
        let booked_twice =
            Outcome::judge(answer(Text::Whole), [1, 0], Booked { turns: 2, cost: 0, failed: 0 }, None);
        assert_eq!(booked_twice.problems.len(), 1);
    }
}
