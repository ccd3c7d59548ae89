//! Finds the name that was most likely meant by a misspelt one.

/// The candidate with the fewest edits to `word`, or none if too many edits are needed. An edit is an
/// insertion, a deletion, a substitution or a swap of two adjacent characters.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    if word.len() > WORD_MAX {
        return None;
    }
    let edits_max = (word.chars().count() / 3).max(1);
    let near = candidates.into_iter().filter(|candidate| candidate.len() <= WORD_MAX);
    let measured = near.map(|candidate| (strsim::osa_distance(word, candidate), candidate));
    measured.filter(|&(edits, _)| edits <= edits_max).min_by_key(|&(edits, _)| edits).map(|(_, name)| name)
}

/// limit: the cost is quadratic in the length.
const WORD_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_nearest_candidate_or_none() {
        let names = ["bind", "forward", "rule", "limits"];
        assert_eq!(nearest("forwrad", names), Some("forward"));
        assert_eq!(nearest("foward", names), Some("forward"));
        assert_eq!(nearest("bnid", names), Some("bind"), "a swap is one edit");
        assert_eq!(nearest("bnyd", names), None, "two edits in four letters");
        assert_eq!(nearest("rules", names), Some("rule"));
        assert_eq!(nearest("certificates", names), None);
        assert_eq!(nearest(&"f".repeat(1000), names), None);
    }
}
