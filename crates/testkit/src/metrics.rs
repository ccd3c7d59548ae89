//! Reads numbers from a page in the Prometheus text format.

/// The sum of the samples of `family` that have these labels.
pub fn sum(page: &str, family: &str, labels: &[(&str, &str)]) -> f64 {
    let has = |names: &str| labels.iter().all(|(name, value)| names.contains(&format!("{name}=\"{value}\"")));
    page.lines()
        .filter_map(|line| line.strip_prefix(family))
        .filter(|rest| rest.starts_with(['{', ' ']))
        .filter(|rest| has(rest))
        .filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_chosen_by_family_and_labels() {
        let page = "# HELP a_total A.\na_total{x=\"1\",y=\"2\"} 3\na_total{x=\"2\",y=\"2\"} 4\na_total_more 9\nb 7\n";
        assert_eq!(sum(page, "a_total", &[("y", "2")]), 7.0);
        assert_eq!(sum(page, "a_total", &[("x", "1")]), 3.0);
        assert_eq!(sum(page, "a_total", &[]), 7.0);
        assert_eq!(sum(page, "b", &[]), 7.0);
    }
}
