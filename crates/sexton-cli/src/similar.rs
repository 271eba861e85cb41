//! What somebody may have meant.

/// The candidate that `found` most looks like, if any looks like it at all.
pub(crate) fn closest<'c>(
    found: &str,
    candidates: impl Iterator<Item = &'c str>,
) -> Option<&'c str> {
    if found.len() > 64 {
        return None;
    }
    let found = found.to_lowercase();
    candidates
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&found, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= candidate.len().max(found.len()) / 3)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn a_typo_is_recognised_and_a_stranger_is_not() {
        let known = ["name", "command", "concurrency", "cron"];
        assert_eq!(closest("comand", known.into_iter()), Some("command"));
        assert_eq!(closest("Cron", known.into_iter()), Some("cron"));
        assert_eq!(
            closest("concurency", known.into_iter()),
            Some("concurrency")
        );
        assert_eq!(closest("get", ["PUT", "GET"].into_iter()), Some("GET"));
        assert_eq!(closest("frobnicate", known.into_iter()), None);
    }
}
