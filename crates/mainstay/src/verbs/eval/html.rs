//! Retrieval results as a page: one file without scripts and without anything from elsewhere, so that it can be kept with
//! the results, sent, and opened in ten years.

use std::fmt::Write as _;

use mainstay_evals::{Comparison, Measure};

use super::against::{Against, Change};
use super::retrieval::{Retrieval, Strata};
use super::table::{difference, probability, rank};
use crate::page::{self, Bar, Chart, Tone, escaped, figure};
use crate::terminal::grouped;

/// The page of these results.
pub(super) fn page(results: &[Retrieval]) -> String {
    let mut body = String::with_capacity(64 << 10);
    body.push_str(
        "<p class=\"lead\">Measured by <code>mainstay eval retrieval</code> on questions whose relevant documents are \
         known. Lines and brackets are 95&nbsp;% confidence intervals over questions; gain is linear.</p>\n",
    );
    if results.len() > 1 {
        overview(&mut body, results);
    }
    for one in results {
        section(&mut body, one);
    }
    page::document("Retrieval quality", &body)
}

/// All sets beside one another, one chart a measure that people ask for first.
fn overview(html: &mut String, results: &[Retrieval]) {
    html.push_str("<section>\n<h2>All sets</h2>\n<div class=\"pair\">\n");
    for measure in [Measure::NdcgAt10, Measure::RecallAt10] {
        let bars = results.iter().map(|one| Bar::share(&one.set, *one.measures.get(measure), Tone::Main));
        figure(html, measure.name(), &Chart::shares(bars.collect()));
    }
    latency_chart(html, results);
    html.push_str("</div>\n</section>\n");
}

fn latency_chart(html: &mut String, results: &[Retrieval]) {
    let bars = results.iter().flat_map(|one| {
        [("p50", one.search_ms.p50, Tone::Main), ("p99", one.search_ms.p99, Tone::Soft)]
            .map(|(percentile, ms, tone)| Bar::milliseconds(&format!("{percentile}, {}", one.set), ms, tone))
    });
    figure(html, "Latency of a search, in milliseconds", &Chart::from_zero(bars.collect()));
}

fn section(html: &mut String, one: &Retrieval) {
    let _ = writeln!(html, "<section>\n<h2>{}</h2>", escaped(&one.set));
    facts(html, one);
    gates(html, one);
    html.push_str("<div class=\"pair\">\n");
    let bars =
        one.measures.iter().map(|(measure, estimate)| Bar::share(measure.name(), *estimate, Tone::Main));
    figure(html, "Measures", &Chart::shares(bars.collect()));
    for (by, strata) in [("language", &one.by_language), ("type", &one.by_type), ("kind", &one.by_kind)] {
        stratum_chart(html, by, strata);
    }
    if let Some(against) = &one.against {
        difference_chart(html, against);
    }
    let sides = [("this", one.search_ms.p50, one.search_ms.p99)];
    let other = one.against.as_ref().map(|other| ("other", other.search_ms.p50, other.search_ms.p99));
    let bars = sides.into_iter().chain(other).flat_map(|(side, p50, p99)| {
        [("p50", p50, Tone::Main), ("p99", p99, Tone::Soft)]
            .map(|(percentile, ms, tone)| Bar::milliseconds(&format!("{percentile}, {side}"), ms, tone))
    });
    figure(html, "Latency of a search, in milliseconds", &Chart::from_zero(bars.collect()));
    html.push_str("</div>\n");
    if let Some(against) = &one.against {
        comparison(html, one, against);
    }
    html.push_str("</section>\n");
}

fn facts(html: &mut String, one: &Retrieval) {
    let megabytes = format!("{:.1} MB", one.index_bytes as f64 / 1e6);
    let refused = match one.documents_refused {
        0 => String::new(),
        count => format!(" ({count} refused)"),
    };
    let facts = [
        ("Questions", format!("{} of {}", one.questions, one.questions_in_set)),
        ("Documents", format!("{}{refused}", grouped(one.documents))),
        ("Chunks", grouped(one.chunks)),
        ("Index", megabytes),
        ("Ingest", format!("{:.1} s", one.ingest_seconds)),
        ("Embedder", one.embedder.clone()),
        ("Configuration", one.config.clone()),
    ];
    page::facts(html, &facts);
}

fn gates(html: &mut String, one: &Retrieval) {
    if one.gates.is_empty() {
        return;
    }
    html.push_str("<ul class=\"gates\">");
    for gate in &one.gates {
        let (class, text) = if gate.met {
            ("met", format!("{} reaches the target {}", gate.measure, gate.target))
        } else {
            ("missed", gate.shortfall(one.questions))
        };
        let _ = write!(html, "<li class=\"{class}\">{}</li>", escaped(&text));
    }
    html.push_str("</ul>\n");
}

fn stratum_chart(html: &mut String, by: &str, strata: &Strata) {
    if strata.is_empty() {
        return;
    }
    let bars = strata.iter().map(|(name, stratum)| {
        let name = if name.is_empty() { "–" } else { name };
        let label = format!("{name} ({})", stratum.questions);
        Bar::share(&label, *stratum.measures.get(Measure::NdcgAt10), Tone::Main)
    });
    figure(html, &format!("nDCG@10 by {by}"), &Chart::shares(bars.collect()));
}

fn difference_chart(html: &mut String, against: &Against) {
    let bars = against.difference.iter().map(|(measure, comparison)| {
        let tone = match (comparison.is_clear(), comparison.difference.mean > 0.0) {
            (false, _) => Tone::Soft,
            (true, true) => Tone::Good,
            (true, false) => Tone::Bad,
        };
        Bar::difference(measure.name(), comparison.difference, tone)
    });
    figure(html, "Difference, this minus other", &Chart::around_zero(bars.collect()));
}

fn comparison(html: &mut String, one: &Retrieval, against: &Against) {
    let _ = writeln!(
        html,
        "<h3>Two configurations</h3>\n<p>This: {} with <code>{}</code>. Other: {} with <code>{}</code>. A difference \
         above 0 means that this one is better.</p>",
        escaped(&one.config),
        escaped(&one.embedder),
        escaped(&against.config),
        escaped(&against.embedder),
    );
    html.push_str(
        "<div class=\"wide\"><table><thead><tr><th>Measure</th><th>This</th><th>Other</th><th>Difference</th><th>p</th>\
         <th>p adjusted</th><th>Smallest detectable</th><th>Better</th><th>Worse</th><th>Equal</th></tr></thead><tbody>",
    );
    for (measure, compared) in against.difference.iter() {
        let Comparison { p_value, adjusted_p_value, smallest_detectable, wins, losses, ties, .. } = compared;
        let cells = [
            format!("{:.3}", one.measures.get(measure).mean),
            format!("{:.3}", against.measures.get(measure).mean),
            difference(&compared.difference),
            probability(*p_value),
            probability(*adjusted_p_value),
            format!("{smallest_detectable:.3}"),
            wins.to_string(),
            losses.to_string(),
            ties.to_string(),
        ];
        let _ = write!(html, "<tr><th>{}</th>", measure.name());
        for cell in cells {
            let _ = write!(html, "<td>{}</td>", escaped(&cell));
        }
        html.push_str("</tr>");
    }
    html.push_str(
        "</tbody></table></div>\n<p class=\"note\">p: how probable so large a difference is if both are equal (paired \
         randomisation); adjusted for the measures together (Benjamini and Hochberg). A true difference of the smallest \
         detectable size shows in four of five such sets of questions.</p>\n",
    );
    changes(html, "Better", &against.wins);
    changes(html, "Worse", &against.losses);
}

fn changes(html: &mut String, heading: &str, changes: &[Change]) {
    if changes.is_empty() {
        return;
    }
    let _ = write!(
        html,
        "<h3>{heading}</h3>\n<div class=\"wide\"><table><thead><tr><th>Question</th><th>Rank</th><th>Other's rank</th>\
         <th>nDCG@10</th><th>Id</th></tr></thead><tbody>"
    );
    for change in changes {
        let _ = write!(
            html,
            "<tr><td class=\"text\" dir=\"auto\">{}</td><td>{}</td><td>{}</td><td>{:+.3}</td><td class=\"id\">{}</td></tr>",
            escaped(&change.text),
            rank(change.rank),
            rank(change.rank_against),
            change.ndcg_difference,
            escaped(&change.id),
        );
    }
    html.push_str("</tbody></table></div>\n");
}
