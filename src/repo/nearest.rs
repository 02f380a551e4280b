//! What somebody who mistyped a name probably meant.

/// The candidate that `word` becomes by the fewest slips (a letter too many, too few, another one,
/// two swapped), if they are few for its length.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = (word.chars().count() / 3).clamp(1, 3);
    let ranked = candidates.into_iter().filter(|one| *one != word);
    let ranked = ranked.map(|one| (slips(word, one), one)).filter(|(slips, _)| *slips <= most);
    ranked.min_by_key(|(slips, _)| *slips).map(|(_, one)| one)
}

/// The edit distance in which a swap of neighbours is one slip.
fn slips(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    // A distance that is too long anyway need not be worked out.
    if a.len().abs_diff(b.len()) > 3 {
        return usize::MAX;
    }
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let other = usize::from(a[i - 1] != b[j - 1]);
            let mut least =
                (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + other);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_or_two_is_understood_and_another_word_is_not() {
        let verbs = ["commit", "config", "status", "add", "audit", "switch", "restore"];
        for (word, meant) in [
            ("comit", Some("commit")),
            ("stauts", Some("status")),
            ("ad", Some("add")),
            ("swich", Some("switch")),
            ("resotre", Some("restore")),
            ("push", None),
            ("clone", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, verbs), meant, "{word}");
        }
    }
}
