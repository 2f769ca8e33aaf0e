//! What became of one request, and what is wrong with that.

use std::time::Duration;

use crate::failures::call::{Text, Told};
use crate::failures::deployment::Booked;

/// What became of one request.
pub(super) struct Outcome {
    pub(super) told: Told,
    /// The calls that the first provider has seen, and the second.
    pub(super) calls: [u64; 2],
    /// What was billed for an answer and for calls that failed, in answers without a fault.
    billed: Option<(f64, f64)>,
    /// Until the caller knew.
    pub(super) took: Duration,
    /// What must never be.
    pub(super) problems: Vec<String>,
}

/// What answers cost.
#[derive(Clone, Copy)]
pub(super) struct Price {
    /// One without a fault, in nano-dollars.
    pub(super) of_one: u64,
    /// The most that an answer may cost, in answers without a fault.
    pub(super) answer_limit: f64,
}

impl Outcome {
    /// `price`: where it is known.
    pub(super) fn judge(
        told: Told,
        took: Duration,
        calls: [u64; 2],
        booked: Booked,
        price: Option<Price>,
    ) -> Self {
        let mut problems = problems_of(&told);
        if booked.turns != 1 {
            problems.push(format!("{} turns were booked for one request", booked.turns));
        }
        let billed = price.map(|price| {
            let in_answers = |cost: u64| cost as f64 / price.of_one as f64;
            (in_answers(booked.cost), in_answers(booked.failed))
        });
        if let (Some((answer, failed)), Some(Price { answer_limit, .. })) = (billed, price) {
            let failed_calls = (calls[0] + calls[1]).saturating_sub(u64::from(told.is_whole())) as f64;
            if answer > answer_limit {
                problems.push(format!("the answer was billed {answer:.2} times"));
            }
            if failed > failed_calls * 1.05 {
                problems.push(format!("{failed_calls} failed calls were billed as {failed:.2}"));
            }
        }
        Self { told, calls, billed, took, problems }
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
            Told::Error { status, code, retry_after: None } => format!("{status} `{code}`"),
            Told::Error { status, code, retry_after: Some(wait) } => {
                format!("{status} `{code}`, Retry-After {wait}")
            }
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

    fn judged(told: Told, calls: [u64; 2], booked: Booked) -> Outcome {
        let price = Price { of_one: 100, answer_limit: 1.05 };
        Outcome::judge(told, Duration::ZERO, calls, booked, Some(price))
    }

    fn once(cost: u64, failed: u64) -> Booked {
        Booked { turns: 1, cost, failed }
    }

    fn answer(text: Text) -> Told {
        Told::Answer { text, finish: "stop".to_owned() }
    }

    #[test]
    fn a_part_as_if_whole_a_hang_and_a_second_bill_are_problems() {
        let fine = judged(answer(Text::Whole), [2, 1], once(100, 150));
        assert_eq!(fine.in_words(), "whole answer; 2 + 1 calls; billed 1 + 1.5 failed");
        assert_eq!(fine.problems, [""; 0]);
        let booked_twice = Booked { turns: 2, cost: 100, failed: 0 };
        for (told, booked) in [
            (answer(Text::Other("half".to_owned())), once(100, 0)),
            (Told::Hung, once(0, 0)),
            (Told::Nonsense("no end".to_owned()), once(0, 0)),
            (answer(Text::Whole), once(200, 0)),
            (answer(Text::Whole), once(100, 100)),
            (answer(Text::Whole), booked_twice),
        ] {
            let outcome = judged(told, [1, 0], booked);
            assert_eq!(outcome.problems.len(), 1, "{:?}: {:?}", outcome.told, outcome.problems);
        }
    }
}
