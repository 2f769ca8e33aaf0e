//! Sources of different kinds for a question that wants several: the passages are clustered, and the clusters give their
//! best in turn.

use std::collections::HashSet;

use mainstay_domain::Passage;
use mainstay_embed::StaticEmbedder;
use unicode_segmentation::UnicodeSegmentation;

/// Passages that are clustered; those behind them are too far from the question to stand for a side of it.
pub const DEPTH: usize = 20;

/// What begins a word by which a question asks for more than one thing, in languages where one word tells.
const WORDS: &[&str] = &[
    // English
    "compar",
    "contrast",
    "differen",
    "versus",
    "vs",
    "overview",
    "summar",
    "outline",
    "similarit",
    "trade-off",
    "tradeoff",
    // German
    "vergleich",
    "unterschied",
    "überblick",
    "übersicht",
    "zusammenfass",
    "fasse",
    "gegensatz",
    // French, Spanish, Portuguese, Italian, Romanian
    "différen",
    "aperçu",
    "résum",
    "resum",
    "panoram",
    "diferen",
    "differenz",
    "confront",
    "riassum",
    "visão",
    // Dutch
    "vergelijk",
    "verschil",
    "overzicht",
    "samenvat",
    // Russian, Greek, Turkish
    "сравн",
    "различ",
    "разниц",
    "обзор",
    "суммир",
    "σύγκρι",
    "συγκρίν",
    "διαφορ",
    "επισκόπησ",
    "περίληψ",
    "karşılaştır",
    "özet",
];

/// The same in scripts and languages where words are not told by their beginning.
const PHRASES: &[&str] = &[
    "pros and cons",
    "advantages and disadvantages",
    "vor- und nachteile",
    "in common",
    "比较",
    "比較",
    "对比",
    "對比",
    "区别",
    "區別",
    "概述",
    "总结",
    "總結",
    "違い",
    "概要",
    "要約",
    "مقارن",
    "الفرق",
    "ملخص",
    "तुलना",
    "अंतर",
    "सारांश",
    "เปรียบเทียบ",
    "แตกต่าง",
    "สรุป",
    "so sánh",
    "khác nhau",
    "tóm tắt",
    "비교",
    "차이",
    "요약",
];

/// Words by which a question about two names asks for both.
const ABOUT_BOTH: &[&str] =
    &["both", "same", "either", "neither", "beide", "beiden", "gleichen", "deux", "même", "ambos"];

/// Whether a question asks for a comparison, an overview or a summary, rather than for one fact.
pub fn asks_for_several(question: &str) -> bool {
    let lower = question.to_lowercase();
    let mut words = lower.unicode_words();
    words.any(|word| WORDS.iter().any(|start| begins(word, start)))
        || PHRASES.iter().any(|phrase| lower.contains(phrase))
        || lower.unicode_words().any(|word| ABOUT_BOTH.contains(&word)) && names_a_pair(question)
}

/// A short word must be the whole word: "vs" begins none, "fasse" begins "fassen" alone.
fn begins(word: &str, start: &str) -> bool {
    word.strip_prefix(start).is_some_and(|rest| start.chars().count() > 3 || rest.is_empty())
}

/// Whether two names are joined by a word or a comma, as in "Scott Derrickson and Ed Wood".
fn names_a_pair(question: &str) -> bool {
    let words: Vec<&str> = question.unicode_words().collect();
    let is_name = |word: &str| word.starts_with(char::is_uppercase);
    words.windows(3).any(|three| {
        is_name(three[0])
            && matches!(three[1], "and" | "or" | "und" | "oder" | "et" | "ou" | "y" | "o")
            && is_name(three[2])
    })
}

/// The order in which the passages take their turns: of the best [`DEPTH`], clustered into so many clusters, the best of
/// each cluster, then the second of each, and so on; then the rest. The best of all stays the first.
///
/// Clusters are made bottom-up with complete linkage, which keeps them compact (Sørensen 1948): what is joined are always
/// the two clusters whose most different passages are most alike. Alike are passages of near meaning and of the same words,
/// because the embedder that is built in knows some languages only by their words.
pub fn in_turns(passages: &[Passage], clusters: usize) -> Vec<usize> {
    let depth = passages.len().min(DEPTH);
    let likeness = likeness(&passages[..depth]);
    let mut groups: Vec<Vec<usize>> = (0..depth).map(|position| vec![position]).collect();
    while groups.len() > clusters.max(1) {
        let (one, other) = most_alike(&groups, &likeness);
        let joined = groups.remove(other);
        groups[one].extend(joined);
    }
    for group in &mut groups {
        group.sort_unstable();
    }
    groups.sort_unstable();
    let rounds = groups.iter().map(Vec::len).max().unwrap_or_default();
    let mut turns: Vec<usize> = (0..rounds)
        .flat_map(|round| groups.iter().filter_map(move |group| group.get(round)))
        .copied()
        .collect();
    turns.extend(depth..passages.len());
    turns
}

/// The two groups to join, the lower position first.
fn most_alike(groups: &[Vec<usize>], likeness: &[Vec<f32>]) -> (usize, usize) {
    let mut best = (0, 1, f32::NEG_INFINITY);
    for one in 0..groups.len() {
        for other in one + 1..groups.len() {
            let pairs = groups[one].iter().flat_map(|&a| groups[other].iter().map(move |&b| likeness[a][b]));
            let least = pairs.fold(f32::INFINITY, f32::min);
            if least > best.2 {
                best = (one, other, least);
            }
        }
    }
    (best.0, best.1)
}

/// How much alike the passages are: the mean of the cosine of their vectors and of the share of their words in common.
fn likeness(passages: &[Passage]) -> Vec<Vec<f32>> {
    let embedder = StaticEmbedder::builtin();
    let known: Vec<(Vec<f32>, HashSet<String>)> = passages
        .iter()
        .map(|passage| {
            let words = passage.text.unicode_words().map(str::to_lowercase).collect();
            (embedder.embed_text(&passage.text), words)
        })
        .collect();
    let alike = |(a, words): &(Vec<f32>, HashSet<String>), (b, others): &(Vec<f32>, HashSet<String>)| {
        let cosine: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
        let common = words.intersection(others).count() as f32;
        let all = (words.len() + others.len()) as f32 - common;
        (cosine + if all > 0.0 { common / all } else { 0.0 }) / 2.0
    };
    known.iter().map(|one| known.iter().map(|other| alike(one, other)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::passage;

    #[test]
    fn comparisons_overviews_and_pairs_ask_for_several() {
        for question in [
            "Compare the two warranties",
            "What are the differences between RRF and convex fusion?",
            "Kafka vs. NATS",
            "Give me an overview of the refund rules",
            "Please summarise the report.",
            "Were Scott Derrickson and Ed Wood of the same nationality?",
            "Was ist der Unterschied zwischen Hin- und Rückfahrt?",
            "Сравните тарифы",
            "两种方案的区别是什么?",
            "Quelle est la différence entre les deux billets ?",
        ] {
            assert!(asks_for_several(question), "{question}");
        }
        for question in [
            "How long does the warranty last?",
            "Where do cats and dogs travel?",
            "Who founded Marks and Spencer?",
            "Wie lang ist das Schiff?",
            "",
        ] {
            assert!(!asks_for_several(question), "{question}");
        }
    }

    #[test]
    fn every_cluster_gives_its_best_before_any_gives_its_second() {
        let passages: Vec<Passage> = [
            "The cat sleeps in the basket. Cats purr when they are stroked.",
            "A cat purrs in its basket. The cat sleeps when it is stroked.",
            "Cats and kittens purr and sleep in baskets, stroked by a child.",
            "The engine burns diesel fuel. Its pistons turn the propeller shaft.",
            "Diesel engines have pistons; the shaft turns the ship's propeller.",
            "The invoice is due in thirty days. Taxes are added to the price.",
        ]
        .iter()
        .zip(1..)
        .map(|(text, chunk)| passage(chunk, "a.md", text))
        .collect();
        assert_eq!(in_turns(&passages, 3), [0, 3, 5, 1, 4, 2]);
    }

    #[test]
    fn every_passage_has_one_turn_and_the_best_the_first() {
        for count in [0, 1, 2, 19, 20, 35] {
            let passages: Vec<Passage> =
                (0..count).map(|n| passage(n, "a", &format!("word{} word{}", n % 3, n % 5))).collect();
            for clusters in [0, 1, 3, 50] {
                let mut turns = in_turns(&passages, clusters);
                assert_eq!(turns.first().copied(), (count > 0).then_some(0));
                turns.sort_unstable();
                assert_eq!(turns, (0..count as usize).collect::<Vec<_>>());
            }
        }
    }
}
