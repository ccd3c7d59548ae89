//! The name that was most likely meant.

/// The candidate with the fewest slips to `word`, or none when it would be a guess. A slip is an insertion, a deletion, a
/// replacement or a swap of two neighbours.
pub(crate) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    if word.len() > WORD_MAX {
        return None;
    }
    let slips_max = (word.chars().count() / 3).max(1);
    let near = candidates.into_iter().filter(|candidate| candidate.len() <= WORD_MAX);
    let measured = near.map(|candidate| (strsim::osa_distance(word, candidate), candidate));
    measured.filter(|&(slips, _)| slips <= slips_max).min_by_key(|&(slips, _)| slips).map(|(_, name)| name)
}

/// limit: the work grows with the square.
const WORD_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_nearest_or_nothing() {
        let names = ["bind", "forward", "rule", "limits"];
        assert_eq!(nearest("forwrad", names), Some("forward"));
        assert_eq!(nearest("foward", names), Some("forward"));
        assert_eq!(nearest("bnid", names), Some("bind"), "a swap is one slip");
        assert_eq!(nearest("bnyd", names), None, "two slips in four letters");
        assert_eq!(nearest("rules", names), Some("rule"));
        assert_eq!(nearest("certificates", names), None);
        assert_eq!(nearest(&"f".repeat(1000), names), None);
    }
}
