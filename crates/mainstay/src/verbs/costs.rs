//! `mainstay costs`: what was spent, by whom or for what, and what the month to come will cost if it goes on like that.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use mainstay_domain::NanoUsd;
use mainstay_economics::trend::{LEAST_DAYS, Trend};
use serde_json::{Value, json};

use crate::printable;
use crate::session::{self, Target};
use crate::terminal::{self, OutputError};

/// Shows what was spent, by whom or for what, and where it goes.
#[derive(Args)]
#[command(after_help = "Example: mainstay costs --by feature\n\n\
    The month to come is the line through the whole days, within what nine of ten days lie around it; it takes two weeks.")]
pub(crate) struct CostsArgs {
    /// What the costs are told apart by. Teams and features are what callers send with their requests.
    #[arg(long, value_enum, default_value_t = By::Model)]
    by: By,
    /// Whole days before today.
    #[arg(long, value_name = "DAYS", default_value_t = 28, value_parser = clap::value_parser!(u16).range(1..=400))]
    days: u16,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Clone, Copy, ValueEnum)]
enum By {
    Tenant,
    Key,
    Assistant,
    Model,
    Operation,
    Outcome,
    Team,
    Feature,
}

const DAY_SECONDS: i64 = 86_400;

pub(crate) fn run(args: CostsArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let by = args.by.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
    session::with_client(&args.target, config, async |client| {
        let mut answer = client.get(&format!("/admin/costs?by={by}&days={}", args.days)).await?;
        look_ahead(&mut answer);
        if args.json {
            terminal::say(answer)?;
        } else {
            print(&answer, &by)?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Adds to every entry, and to the answer as a whole, what the month to come will cost; null where too few days are known.
fn look_ahead(answer: &mut Value) {
    let today = answer["today"].as_i64().unwrap_or_default();
    let entries = answer["data"].as_array_mut().map(std::mem::take).unwrap_or_default();
    // Before the first turn of all there was nothing to see, and days without a turn after it cost nothing.
    let days = |entry: &Value| entry["days"].as_array().cloned().unwrap_or_default();
    let starts = entries.iter().flat_map(days).filter_map(|day| day["starts_at"].as_i64());
    let first = starts.min().unwrap_or(today);
    let mut all = vec![0.0; usize::try_from((today - first) / DAY_SECONDS).unwrap_or_default()];
    let seen = entries.into_iter().map(|mut entry| {
        let mut daily = vec![0.0; all.len()];
        for day in days(&entry) {
            let at = usize::try_from((day["starts_at"].as_i64().unwrap_or(today) - first) / DAY_SECONDS);
            // Today is not complete.
            if let Some(place) = at.ok().and_then(|at| daily.get_mut(at)) {
                *place = day["cost_nano_usd"].as_i64().unwrap_or_default() as f64 / 1e9;
            }
        }
        all.iter_mut().zip(&daily).for_each(|(all, day)| *all += day);
        entry["next_month"] = next_month(&daily);
        entry
    });
    answer["data"] = seen.collect();
    answer["next_month"] = next_month(&all);
}

fn next_month(daily: &[f64]) -> Value {
    let Ok(trend) = Trend::of(daily) else { return Value::Null };
    let (expected, least, most) = trend.month(0.0);
    json!({ "usd": expected, "least_usd": least, "most_usd": most, "trend_usd_per_day": trend.slope })
}

fn print(answer: &Value, by: &str) -> Result<(), OutputError> {
    let entries = answer["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    if entries.is_empty() {
        return terminal::say("Nothing was booked in these days.");
    }
    let nanos = |entry: &Value| entry["cost_nano_usd"].as_i64().unwrap_or_default();
    let sum: i64 = entries.iter().map(nanos).sum();
    let mut table =
        terminal::table(&[by, "turns", "failed", "cost", "share", "a turn", "a day more", "next month"]);
    for entry in entries {
        let turns = entry["turns"].as_u64().unwrap_or_default();
        let name = entry["value"].as_str().map_or_else(|| "(none)".into(), printable::line);
        let each = NanoUsd::new(nanos(entry) / i64::try_from(turns.max(1)).unwrap_or(i64::MAX));
        let (more, ahead) = forecast(&entry["next_month"]);
        table.add_row([
            name.into_owned(),
            terminal::grouped(turns),
            terminal::grouped(entry["failed"].as_u64().unwrap_or_default()),
            NanoUsd::new(nanos(entry)).to_string(),
            format!("{:.1}%", 100.0 * nanos(entry) as f64 / (sum as f64).max(1.0)),
            each.to_string(),
            more,
            ahead,
        ]);
    }
    terminal::say(table)?;
    let (more, ahead) = forecast(&answer["next_month"]);
    terminal::say(format_args!("{} in all", NanoUsd::new(sum)))?;
    if answer["next_month"].is_null() {
        return terminal::say(format_args!(
            "The month to come: not before {LEAST_DAYS} whole days are booked, so that weekends do not pass for a trend."
        ));
    }
    terminal::say(format_args!("The month to come: {ahead}; {more} more every day"))
}

/// How much more it is every day, and the month to come.
fn forecast(ahead: &Value) -> (String, String) {
    let dollars = |name: &str| ahead[name].as_f64().unwrap_or_default();
    if ahead.is_null() {
        return ("–".to_owned(), "–".to_owned());
    }
    let month =
        format!("${:.2} (${:.2} to ${:.2})", dollars("usd"), dollars("least_usd"), dollars("most_usd"));
    (format!("${:.4}", dollars("trend_usd_per_day")), month)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A dollar a day more every day, over so many whole days and half of today.
    fn answer(days: i64) -> Value {
        let day = |day: i64| json!({ "starts_at": day * DAY_SECONDS, "turns": 1, "cost_nano_usd": (day + 1) * 1_000_000_000 });
        let days_of: Vec<Value> = (0..=days).map(day).collect();
        json!({ "today": days * DAY_SECONDS, "data": [{ "value": "search", "days": days_of }] })
    }

    #[test]
    fn a_month_is_the_line_through_whole_days() {
        let mut answer = answer(21);
        look_ahead(&mut answer);
        let ahead = &answer["data"][0]["next_month"];
        assert_eq!(*ahead, answer["next_month"]);
        assert!((ahead["trend_usd_per_day"].as_f64().unwrap() - 1.0).abs() < 1e-9, "{ahead}");
        // The twenty-first day cost 21: fifteen days on, 36 a day.
        assert!((ahead["usd"].as_f64().unwrap() / 30.0 - 36.0).abs() < 1.0, "{ahead}");
    }

    #[test]
    fn a_feature_that_has_ended_and_one_that_has_just_come_are_seen_over_the_same_days() {
        let mut answer = answer(21);
        let days = answer["data"][0]["days"].clone();
        let days = days.as_array().unwrap();
        answer["data"] = json!([
            { "value": "old", "days": days[..14] },
            { "value": "new", "days": days[14..] },
        ]);
        look_ahead(&mut answer);
        assert!(answer["data"][1]["next_month"]["usd"].as_f64().unwrap() > 0.0);
        let both = answer["next_month"]["trend_usd_per_day"].as_f64().unwrap();
        assert!((both - 1.0).abs() < 1e-9, "{answer}");
    }

    #[test]
    fn a_few_days_are_no_trend() {
        let mut answer = answer(13);
        look_ahead(&mut answer);
        assert!(answer["next_month"].is_null() && answer["data"][0]["next_month"].is_null());
    }
}
