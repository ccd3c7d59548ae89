//! Sets of statuses: `503`, `5xx`, `500-504`.

use model::StatusSet;

/// Reads one status, class or range within `first..=last`.
pub(super) fn parse(text: &str, first: u16, last: u16) -> Option<(u16, u16)> {
    let range = if let Some(class) = text.strip_suffix("xx") {
        let class = number(class).filter(|class| *class < 10)? * 100;
        (class, class + 99)
    } else if let Some((from, to)) = text.split_once('-') {
        (number(from)?, number(to)?)
    } else {
        let status = number(text)?;
        (status, status)
    };
    (first <= range.0 && range.0 <= range.1 && range.1 <= last).then_some(range)
}

/// The set of these ranges: ascending, with adjacent and overlapping ranges joined.
pub(super) fn set(mut ranges: Vec<(u16, u16)>) -> StatusSet {
    ranges.sort_unstable();
    let mut joined: Vec<(u16, u16)> = Vec::new();
    for (first, last) in ranges {
        match joined.last_mut() {
            Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
            _ => joined.push((first, last)),
        }
    }
    StatusSet { ranges: joined }
}

fn number(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_statuses_classes_and_ranges() {
        for (text, range) in [
            ("503", Some((503, 503))),
            ("5xx", Some((500, 599))),
            ("500-504", Some((500, 504))),
            ("504-500", None),
            ("399", None),
            ("3xx", None),
            ("600", None),
            ("xx", None),
            ("55xx", None),
            ("+503", None),
            ("", None),
            ("-", None),
            ("99999999", None),
        ] {
            assert_eq!(parse(text, 400, 599), range, "{text}");
        }
    }

    #[test]
    fn adjacent_and_overlapping_ranges_are_joined() {
        let joined = set(vec![(300, 399), (200, 200), (201, 299), (404, 404)]);
        assert_eq!(joined.ranges, [(200, 399), (404, 404)]);
    }
}
