//! Decisions on a page.

use std::fmt::Write as _;

use mainstay_decisions::{Choice, State};

use super::{Decided, state_word};
use crate::page::{document, escaped, facts, with_code};

/// A page with every decision.
pub(super) fn page(product: &str, decided: &[Decided], measured: bool) -> String {
    let mut body = String::new();
    let in_question = decided.iter().filter(|decided| decided.is_in_question()).count();
    let state = if measured { "against a running system" } else { "without a running system" };
    let _ = writeln!(body, "<p class=\"lead\">What is decided for {}, {state}.</p>", escaped(product));
    facts(
        &mut body,
        &[
            ("Decisions", decided.len().to_string()),
            ("Need another look", in_question.to_string()),
            ("Pinned", decided.iter().filter(|decided| decided.pin.is_some()).count().to_string()),
        ],
    );
    overview(&mut body, decided);
    for decided in decided {
        card(&mut body, decided);
    }
    document(&format!("Decisions: {product}"), &body)
}

fn overview(html: &mut String, decided: &[Decided]) {
    html.push_str("<section>\n<h2>Overview</h2>\n<div class=\"wide\"><table>\n<thead><tr><th>Card</th><th class=\"text\">Decision</th><th class=\"text\">Choice</th><th class=\"text\">Premises</th></tr></thead>\n<tbody>\n");
    for decided in decided {
        let card = decided.decision.card;
        let name = card.option(decided.in_force()).map_or("", |choice| choice.name);
        let state = if decided.is_in_question() { "needs another look" } else { summary(decided) };
        let _ = writeln!(
            html,
            "<tr><td><a href=\"#card-{id}\">{id}</a></td><td class=\"text\">{}</td><td class=\"text\">{}</td><td class=\"text\">{state}</td></tr>",
            escaped(card.title),
            escaped(name),
            id = card.id,
        );
    }
    html.push_str("</tbody>\n</table></div>\n</section>\n");
}

fn summary(decided: &Decided) -> &'static str {
    let standings = &decided.decision.premises;
    let holding = standings.iter().filter(|standing| standing.state == State::Holds).count();
    match holding {
        0 => "not measured",
        holding if holding == standings.len() => "hold",
        _ => "hold as far as measured",
    }
}

fn card(html: &mut String, decided: &Decided) {
    let decision = &decided.decision;
    let card = decision.card;
    let _ = writeln!(
        html,
        "<section id=\"card-{id}\">\n<h2>{id} {}</h2>\n<p>{}</p>\n<p><strong>{}</strong>: {}</p>",
        escaped(card.title),
        escaped(card.question),
        escaped(decision.choice.name),
        with_code(decision.why),
        id = card.id,
    );
    if let Some((option, because)) = &decided.pin {
        let name = card.option(option).map_or(*option, |choice| choice.name);
        let _ = writeln!(html, "<p>Pinned: <strong>{}</strong>: {}</p>", escaped(name), escaped(because));
    }
    let evidence = decision
        .evidence
        .iter()
        .map(|evidence| format!("{}: {} ({})", evidence.condition, evidence.value, evidence.origin.as_str()));
    list(html, None, evidence);
    gates(html, decided);
    options(html, decided);
    let flips = decision.flips.iter().map(|flip| {
        let name = card.option(flip.to).map_or(flip.to, |choice| choice.name);
        format!("{name}, if {}", flip.when.join(" and "))
    });
    list(html, Some("What would change it"), flips);
    if let Some(choice) = card.option(decided.in_force()) {
        application(html, choice);
    }
    list(html, Some("Usual figures that are wrong"), card.corrections.iter().map(ToString::to_string));
    html.push_str("</section>\n");
}

fn gates(html: &mut String, decided: &Decided) {
    if decided.decision.premises.is_empty() {
        return;
    }
    html.push_str("<h3>What must go on holding</h3>\n<ul class=\"gates\">\n");
    for standing in &decided.decision.premises {
        let class = match standing.state {
            State::Holds => "met",
            State::Broken => "missed",
            State::Unknown => "note",
        };
        let value = standing.value.as_deref().map_or(String::new(), |value| format!(" (is {value})"));
        let words = format!("{}: {}{value}", standing.premise.holds.words(), state_word(standing.state));
        let _ = writeln!(
            html,
            "<li class=\"{class}\">{}<br><span class=\"note\">If not: {}</span></li>",
            escaped(&words),
            with_code(standing.premise.otherwise)
        );
    }
    html.push_str("</ul>\n");
}

fn options(html: &mut String, decided: &Decided) {
    html.push_str("<div class=\"wide\"><table>\n<thead><tr><th>Option</th><th class=\"text\">Best for</th><th class=\"text\">Gains</th><th class=\"text\">Costs</th></tr></thead>\n<tbody>\n");
    for choice in decided.decision.card.options {
        let name = escaped(choice.name);
        let name = if choice.id == decided.in_force() { format!("<strong>{name}</strong>") } else { name };
        let _ = writeln!(
            html,
            "<tr><td>{name}</td><td class=\"text\">{}</td><td class=\"text\">{}</td><td class=\"text\">{}</td></tr>",
            escaped(choice.best_for),
            escaped(choice.gains),
            escaped(choice.costs)
        );
    }
    html.push_str("</tbody>\n</table></div>\n");
}

fn application(html: &mut String, choice: &Choice) {
    html.push_str("<h3>How it is applied</h3>\n");
    if !choice.apply.config.is_empty() {
        // A code block keeps its lines, which `escaped` would fold.
        let lines: Vec<String> = choice.apply.config.lines().map(escaped).collect();
        let _ = writeln!(html, "<pre><code>{}</code></pre>", lines.join("\n"));
    }
    list(html, None, choice.apply.steps.iter().map(ToString::to_string));
}

fn list(html: &mut String, title: Option<&str>, items: impl Iterator<Item = String>) {
    let items: Vec<String> = items.map(|item| format!("<li>{}</li>\n", with_code(&item))).collect();
    if items.is_empty() {
        return;
    }
    if let Some(title) = title {
        let _ = writeln!(html, "<h3>{title}</h3>");
    }
    let _ = writeln!(html, "<ul>\n{}</ul>", items.concat());
}
