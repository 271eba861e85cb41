//! One word for one thing: words that have another here (the table of words is the design's).

use std::path::Path;

use super::complaint::Complaint;

/// The word, and what it is called instead. Written apart, so that this file does not trip over itself.
const WORDS: [(&str, &str, &str); 6] = [
    ("black", "list", "deny list"),
    ("cron ", "job", "task"),
    ("execution ", "time", "tick"),
    ("fencing ", "token", "fence"),
    ("lock ", "provider", "lock manager"),
    ("white", "list", "allow list"),
];

pub(super) fn look(name: &Path, text: &str) -> Vec<Complaint> {
    // Whoever reads crontabs may use the words of crontab(5).
    let is_crontab = name
        .iter()
        .any(|part| part.to_string_lossy().contains("crontab"));
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let lower = line.to_lowercase();
        for (first, second, instead) in WORDS {
            let word = format!("{first}{second}");
            // A word of others is named where ours is explained.
            let is_explained =
                lower.contains(&format!("\"{word}\"")) || lower.contains(&format!("({word})"));
            let is_allowed = is_explained || is_crontab && second == "job";
            if lower.contains(&word) && !is_allowed {
                let what = format!("{word:?} is called {instead:?} here");
                found.push(Complaint::at(number, what));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found_with_its_replacement() {
        for (first, second, instead) in WORDS {
            let text = format!("ours\n// One {}{second}s.\n", first.to_uppercase());
            let found = look(Path::new("a.rs"), &text);
            let what = format!(
                "{:?} is called {instead:?} here",
                format!("{first}{second}")
            );
            assert_eq!(found, [Complaint::at(2, what)]);
        }
    }

    #[test]
    fn a_word_that_is_explained_is_left_alone() {
        let (first, second, _) = WORDS[2];
        let text = format!("the tick ({first}{second}), or \"{first}{second}\"\n");
        assert_eq!(look(Path::new("a.md"), &text), []);
    }

    #[test]
    fn crontabs_may_have_their_own_word() {
        let text = format!("a {}{}", "cron ", "job");
        assert_eq!(look(Path::new("docs/crontab.md"), &text), []);
        assert_eq!(look(Path::new("src/crontab/line.rs"), &text), []);
        assert_eq!(look(Path::new("docs/cron.md"), &text).len(), 1);
    }
}
