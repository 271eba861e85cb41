//! Guesses what somebody meant who wrote a name that nobody knows.

/// The longest text that is compared, in bytes.
const TEXT_BYTES_MAX: usize = 64;

/// The candidate that most looks like what was found, if one does: at most a third of the letters
/// are other ones, missing, superfluous or swapped. Letters in either case.
///
/// ```
/// use sexton_core::similar;
///
/// assert_eq!(similar::closest("comand", ["cron", "command"]), Some("command"));
/// assert_eq!(similar::closest("frobnicate", ["cron", "command"]), None);
/// ```
#[must_use]
pub fn closest<'c>(found: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    closest_within(found, candidates, |candidate| {
        candidate.len().max(found.len()) / 3
    })
}

/// The candidate that most looks like what was found, of those that are within their own distance.
pub(crate) fn closest_within<'c>(
    found: &str,
    candidates: impl IntoIterator<Item = &'c str>,
    distance_max: impl Fn(&str) -> usize,
) -> Option<&'c str> {
    if found.len() > TEXT_BYTES_MAX {
        return None;
    }
    let letters = |text: &str| text.to_lowercase().chars().collect::<Vec<_>>();
    let found = letters(found);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let (letters, max) = (letters(candidate), distance_max(candidate));
            // The distance is no less, and this one costs nothing.
            let is_near = letters.len().abs_diff(found.len()) <= max;
            let distance = is_near.then(|| distance(&found, &letters))?;
            (distance <= max).then_some((distance, candidate))
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many letters have to be changed, left out, put in or swapped with the next one: the optimal
/// string alignment distance, row by row.
fn distance(one: &[char], other: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (row, letter) in one.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, candidate) in other.iter().enumerate() {
            let changed = last[column] + usize::from(letter != candidate);
            let mut least = changed.min(last[column + 1] + 1).min(next[column] + 1);
            let swapped =
                row > 0 && column > 0 && one[row - 1] == *candidate && other[column - 1] == *letter;
            if swapped {
                least = least.min(before_last[column - 1] + 1);
            }
            next.push(least);
        }
        before_last = std::mem::replace(&mut last, next);
    }
    last[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_is_recognised_and_a_stranger_is_not() {
        let known = ["name", "command", "concurrency", "cron"];
        assert_eq!(closest("comand", known), Some("command"));
        assert_eq!(closest("Cron", known), Some("cron"));
        assert_eq!(closest("concurency", known), Some("concurrency"));
        assert_eq!(closest("get", ["PUT", "GET"]), Some("GET"));
        assert_eq!(closest("frobnicate", known), None);
        assert_eq!(closest(&"x".repeat(65), known), None);
    }

    #[test]
    fn the_distance_counts_letters() {
        let distance = |one: &str, other: &str| {
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            distance(&letters(one), &letters(other))
        };
        for (one, other, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("paris", "pariss", 1),
            ("paris", "prais", 1),
            ("kitten", "sitting", 3),
            ("ca", "abc", 3),
            ("größe", "grösse", 2),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
            assert_eq!(distance(other, one), expected, "{other} {one}");
        }
    }
}
