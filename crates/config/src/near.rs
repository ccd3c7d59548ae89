//! The name that was most likely meant.

/// The candidate with the fewest slips to `word`, or none when it would be a guess.
pub(crate) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    if word.len() > WORD_MAX {
        return None;
    }
    let slips_max = (word.chars().count() / 3).max(1);
    let near = candidates.into_iter().filter(|candidate| candidate.len() <= WORD_MAX);
    let measured = near.map(|candidate| (distance(word, candidate), candidate));
    measured.filter(|&(slips, _)| slips <= slips_max).min_by_key(|&(slips, _)| slips).map(|(_, name)| name)
}

/// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

/// limit: the work grows with the square.
const WORD_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_slips() {
        for (a, b, slips) in [
            ("forward", "forward", 0),
            ("forwrad", "forward", 1),
            ("foward", "forward", 1),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), slips, "{a} {b}");
        }
    }

    #[test]
    fn finds_the_nearest_or_nothing() {
        let names = ["bind", "forward", "rule", "limits"];
        assert_eq!(nearest("forwrad", names), Some("forward"));
        assert_eq!(nearest("rules", names), Some("rule"));
        assert_eq!(nearest("certificates", names), None);
        assert_eq!(nearest(&"f".repeat(1000), names), None);
    }
}
