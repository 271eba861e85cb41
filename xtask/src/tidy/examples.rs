//! Examples that are not compiled.

use super::complaint::Complaint;

pub(super) fn look(text: &str) -> Vec<Complaint> {
    let is_ignored = |line: &&str| {
        let written = line.trim_start().trim_start_matches(['/', '!']).trim();
        let Some(kinds) = written.strip_prefix("```") else {
            return false;
        };
        let mut kinds = kinds.split([',', ' ']);
        // With a target behind it, too: `ignore-windows`.
        kinds.any(|kind| kind.starts_with("ignore"))
    };
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| is_ignored(line))
        .map(|(line, _)| Complaint::at(line, "an example that is not compiled"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_that_is_not_compiled_is_found() {
        for start in [
            "//! ```ignore",
            "    /// ```ignore-windows",
            "/// ```rust,ignore",
            "/// ``` rust, ignore",
            "```rust,ignore",
        ] {
            let found = look(&format!("a\n{start}\n"));
            assert_eq!(
                found,
                [Complaint::at(2, "an example that is not compiled")],
                "{start}"
            );
        }
        for start in ["/// ```", "/// ```no_run", "```text", "/// to ignore ```"] {
            assert_eq!(look(start), [], "{start}");
        }
    }
}
