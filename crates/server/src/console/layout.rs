//! What the pages have in common. Everything that is put into a page is escaped by the template.

use std::ops::Range;

use mainstay_reliability::ServiceLevel;
use maud::{DOCTYPE, Markup, html};

/// A page of somebody who is signed in. `banner`: what everybody should know now.
pub(super) fn signed_in(title: &str, banner: Option<&str>, content: &Markup) -> Markup {
    let content = html! {
        @if let Some(banner) = banner { p.banner role="status" { (banner) } }
        (content)
    };
    let leave = html! {
        form method="post" action="/console/session/end" { button.quiet { "Sign out" } }
    };
    whole(title, &leave, &content)
}

/// What is said of the service while not all of it is offered.
pub(super) fn banner(level: ServiceLevel) -> Option<&'static str> {
    match level {
        ServiceLevel::Full => None,
        ServiceLevel::Reduced => Some(
            "The service is reduced: something fails, or there is too much to do. Simpler models may answer.",
        ),
        ServiceLevel::Emergency => Some(
            "No provider answers. Questions are answered from what is kept, and from the documents alone.",
        ),
    }
}

/// The page to sign in, with what went wrong the last time. `providers`: the identity providers at which people can.
pub(super) fn sign_in<'a>(problem: Option<&str>, providers: impl Iterator<Item = &'a str>) -> Markup {
    let content = html! {
        h2 { "Sign in" }
        @if let Some(problem) = problem { p.error role="alert" { (problem) } }
        @for provider in providers {
            p { a.provider href=(address("/console/login", &[("provider", provider)])) { "Sign in with " (provider) } }
        }
        form.sign-in method="post" action="/console/session" {
            label { "API key"
                input name="key" type="password" autocomplete="current-password" placeholder="msk_…" required autofocus;
            }
            button { "Sign in" }
        }
        p.note {
            "The key stays on the server. Your browser gets a cookie for twelve hours that no script can read. "
            code { "mainstay keys create" } " makes a key."
        }
    };
    whole("Sign in", &html! {}, &content)
}

/// The page of somebody who comes back from an identity provider.
pub(super) fn welcome(home: &str) -> Markup {
    let content = html! {
        h2 { "Signed in" }
        p { a href=(home) { "Go on to the console" } }
    };
    whole("Signed in", &html! {}, &content)
}

/// A page that says what went wrong.
pub(super) fn problem(title: &str, message: &str) -> Markup {
    let content = html! {
        h2 { (title) }
        p.error role="alert" { (message) }
        p { a href="/console/search" { "Back to the search" } }
    };
    signed_in(title, None, &content)
}

fn whole(title: &str, leave: &Markup, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Mainstay" }
                link rel="stylesheet" href="/console/style.css";
            }
            body {
                header {
                    h1 { "Mainstay" }
                    nav aria-label="Console" {
                        a href="/console" { "Ask" }
                        a href="/console/search" aria-current="page" { "Search" }
                    }
                    (leave)
                }
                main { (content) }
            }
        }
    }
}

/// A text in which these stretches are marked. They are in order and do not overlap.
pub(super) fn marked(text: &str, stretches: &[Range<usize>]) -> Markup {
    let ends = stretches.iter().map(|stretch| stretch.end);
    let starts = stretches.iter().map(|stretch| stretch.start).chain([text.len()]);
    let between: Vec<Range<usize>> =
        [0].into_iter().chain(ends).zip(starts).map(|(end, start)| end..start).collect();
    html! {
        @for (index, plain) in between.into_iter().enumerate() {
            (text[plain])
            @if let Some(stretch) = stretches.get(index) { b { (text[stretch.clone()]) } }
        }
    }
}

/// An address with a query.
pub(super) fn address(path: &str, query: &[(&str, &str)]) -> String {
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    pairs.extend_pairs(query);
    format!("{path}?{}", pairs.finish())
}

/// A number with its thousands set apart.
pub(super) fn grouped(number: impl Into<u64>) -> String {
    let digits = number.into().to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_text_is_escaped_and_whole() {
        let text = "<b>a</b> ferry & a ship";
        let shown = marked(text, &[9..14, 19..23]).into_string();
        assert_eq!(shown, "&lt;b&gt;a&lt;/b&gt; <b>ferry</b> &amp; a <b>ship</b>");
        assert_eq!(marked("x", &[]).into_string(), "x");
    }

    #[test]
    fn an_address_carries_any_text() {
        let address = address("/console/search", &[("q", "a&b=<ü>"), ("corpus", "x/y")]);
        assert_eq!(address, "/console/search?q=a%26b%3D%3C%C3%BC%3E&corpus=x%2Fy");
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([0u64, 999, 1_000, 12_345_678].map(grouped), ["0", "999", "1,000", "12,345,678"]);
    }
}
