//! The tables of cases.

mod http1;
mod http2;
mod sessions;
mod tls;

use super::case::Case;

/// All cases, in the order in which they run.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    [http1::CASES, tls::CASES, http2::CASES, sessions::CASES].into_iter().flatten()
}

/// The names of all cases, for `--help`.
pub(crate) fn names() -> String {
    let mut names: Vec<&str> = all().map(|case| case.name).collect();
    names.dedup();
    format!("Cases: {}", names.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_finds_both_regimes() {
        let named = |name: &str| all().filter(|case| case.is_named(name)).count();
        assert_eq!(named("small-64"), 2);
        assert_eq!(named("small-64/two-core"), 1);
        assert_eq!(named("short/two-core"), 0);
        assert_eq!(named("small"), 0);
    }

    #[test]
    fn a_word_finds_the_cases_of_its_group() {
        let named = |name: &str| all().filter(|case| case.is_named(name)).count();
        assert_eq!((named("tls"), named("h2")), (tls::CASES.len(), http2::CASES.len()));
        assert_eq!((named("small"), named("p99"), named("tls-small")), (0, 1, 1));
    }

    #[test]
    fn no_case_is_listed_twice() {
        for case in all() {
            let full = format!("{}/{}", case.name, case.regime.name());
            assert_eq!(all().filter(|other| other.is_named(&full)).count(), 1, "{full}");
        }
    }
}
