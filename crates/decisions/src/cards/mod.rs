//! The cards, a folder per stage and a file per card.

mod stage_01;
mod stage_02;
mod stage_03;
mod stage_04;
mod stage_05;
mod stage_06;
mod stage_07;
mod stage_08;
mod stage_09;
mod stage_10;
mod stage_11;
mod stage_12;

use crate::card::Card;
use crate::fact::{self, Fact};

/// Every card, by its id.
pub fn all() -> impl Iterator<Item = &'static Card> {
    let stages = [
        stage_01::CARDS,
        stage_02::CARDS,
        stage_03::CARDS,
        stage_04::CARDS,
        stage_05::CARDS,
        stage_06::CARDS,
        stage_07::CARDS,
        stage_08::CARDS,
        stage_09::CARDS,
        stage_10::CARDS,
        stage_11::CARDS,
        stage_12::CARDS,
    ];
    stages.into_iter().flatten().copied()
}

/// The card of this id: `04.2`, or as people write it, `4.2`.
pub fn find(id: &str) -> Option<&'static Card> {
    all().find(|card| card.id == id || card.id.trim_start_matches('0') == id)
}

/// Every fact that a card may ask about: those of several stages, then those of each.
pub fn facts() -> impl Iterator<Item = &'static Fact> {
    let stages = [
        fact::ALL,
        stage_01::FACTS,
        stage_02::FACTS,
        stage_03::FACTS,
        stage_04::FACTS,
        stage_05::FACTS,
        stage_06::FACTS,
        stage_07::FACTS,
        stage_08::FACTS,
        stage_09::FACTS,
        stage_10::FACTS,
        stage_11::FACTS,
        stage_12::FACTS,
    ];
    stages.into_iter().flatten().copied()
}

#[cfg(test)]
mod tests;
