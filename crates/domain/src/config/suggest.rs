//! "Did you mean …?"

use strsim::osa_distance;

/// The known name nearest to what was written, if one is near enough to be meant.
pub fn closest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_lowercase();
    let tolerance = (written.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (osa_distance(&written, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= tolerance)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_find_the_name_that_was_meant() {
        let known = ["p50", "p95", "p99", "residency", "monthly_budget"];
        for (written, meant) in [
            ("p9", Some("p95")),
            ("P95", Some("p95")),
            ("residancy", Some("residency")),
            ("montly_buget", Some("monthly_budget")),
            ("resdiency", Some("residency")),
            ("colour", None),
        ] {
            assert_eq!(closest(written, known), meant, "{written}");
        }
    }
}
