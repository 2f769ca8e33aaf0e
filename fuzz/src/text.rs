//! Analysis of text.

use mainstay_text::{
    Analyzer, Bm25, Language, QuestionKind, Terms, character_grams, detect, detect_reliably, is_asked,
    numbers, question_terms,
};

use crate::parts::choice;

/// Any text in any language becomes terms with finite weights above zero, in order, the same each time.
pub(crate) fn analyse(data: &[u8]) {
    let (language, data) = choice(data);
    let text = String::from_utf8_lossy(data);
    let _ =
        Language::parse(&text).map(|language| assert_eq!(Language::parse(language.as_str()), Ok(language)));
    let known =
        ["en", "de", "fr", "es", "it", "pt", "nl", "ru", "ar", "zh", "ja", "ko", "th", "tr", "hi", "xx"];
    let language = Language::parse(known[usize::from(language) % known.len()]).expect("a language");

    let analyzer = Analyzer::new(language);
    let terms = analyzer.analyze(&text);
    check(&terms);
    assert_eq!(analyzer.analyze(&text).counts(), terms.counts(), "the same text has the same terms");
    check(&analyzer.analyze_question(&text));
    check(&question_terms(&text, &[language, Language::parse("en").expect("a language")]));
    check(&character_grams(&text, language));
    let mut united = terms.clone();
    united.unite(&character_grams(&text, language), 0.5);
    check(&united);
    for (_, weight) in
        Bm25::new(80.0).document_vector(&terms).into_iter().chain(Bm25::new(80.0).query_vector(&terms))
    {
        assert!(weight.is_finite() && weight > 0.0);
    }
    if let Some(detection) = detect(&text) {
        assert!((0.0..=1.0).contains(&detection.confidence));
    }
    let _ = (detect_reliably(&text), QuestionKind::of(&text), is_asked(&text), numbers(&text));
    hide(&text);
}

/// What is personal in any text is found in order, at characters, and taken out.
fn hide(text: &str) {
    let found = mainstay_pii::find(text);
    assert!(found.is_sorted_by(|one, other| one.range.end <= other.range.start));
    assert!(found.iter().all(|finding| !text[finding.range.clone()].is_empty()));
    assert_eq!(mainstay_pii::scrub(&[text]).len(), 1);
}

fn check(terms: &Terms) {
    assert!(terms.length().is_finite() && terms.length() >= 0.0);
    assert!(terms.counts().is_sorted_by(|one, other| one.0 < other.0), "each term once, in order");
    assert!(terms.counts().iter().all(|(_, count)| count.is_finite() && *count > 0.0));
}
