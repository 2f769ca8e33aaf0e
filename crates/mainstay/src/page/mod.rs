//! A page that a verb writes: one file without scripts and without anything from elsewhere, so that it can be kept, sent,
//! and opened in ten years.

mod chart;
mod lines;
mod style;
mod swings;

use std::fmt::Write as _;

pub(crate) use chart::{Bar, Chart, Tone};
pub(crate) use lines::{Line, Lines};
pub(crate) use swings::Swings;

/// A page of this title; the body is HTML.
pub(crate) fn document(title: &str, body: &str) -> String {
    let title = escaped(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>{}</style>\n</head>\n\
         <body>\n<main>\n<h1>{title}</h1>\n{body}</main>\n</body>\n</html>\n",
        style::STYLE
    )
}

/// The same, with what stands between backticks as code.
pub(crate) fn with_code(text: &str) -> String {
    // Without a partner a backtick is a backtick.
    if text.matches('`').count() % 2 == 1 {
        return escaped(text);
    }
    let pieces = text.split('`').map(escaped).enumerate();
    pieces.map(|(at, piece)| if at % 2 == 1 { format!("<code>{piece}</code>") } else { piece }).collect()
}

/// Text as a page shows it.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(' '),
            c if c.is_control() => safe.push(char::REPLACEMENT_CHARACTER),
            c => safe.push(c),
        }
    }
    safe
}

/// A bar chart with its title.
pub(crate) fn figure(html: &mut String, title: &str, chart: &Chart) {
    drawing(html, title, |title| chart.svg(title));
}

/// A drawing with its title, which it is given as markup.
pub(crate) fn drawing(html: &mut String, title: &str, draw: impl FnOnce(&str) -> String) {
    let title = escaped(title);
    let _ = writeln!(html, "<figure>\n<figcaption>{title}</figcaption>\n{}\n</figure>", draw(&title));
}

/// Names and values beside one another.
pub(crate) fn facts(html: &mut String, facts: &[(&str, String)]) {
    html.push_str("<dl class=\"facts\">");
    for (name, value) in facts {
        let _ = write!(html, "<div><dt>{name}</dt><dd>{}</dd></div>", escaped(value));
    }
    html.push_str("</dl>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_cannot_become_markup() {
        assert_eq!(escaped("<script>&'\"\u{1b}\n"), "&lt;script&gt;&amp;&#39;&quot;\u{fffd} ");
        assert_eq!(with_code("see `a < b` & go on"), "see <code>a &lt; b</code> &amp; go on");
        assert_eq!(with_code("one ` alone"), "one ` alone");
    }
}
