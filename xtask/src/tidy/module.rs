//! A module's file: not too long to be read in one sitting, and named for what it holds.

use std::path::Path;

use super::complaint::Complaint;

/// Lines of a Rust file.
const LINES_MAX: usize = 500;

/// Names that say nothing of what a module holds.
const EMPTY_NAMES: [&str; 6] = ["common", "helper", "helpers", "misc", "util", "utils"];

pub(super) fn look(name: &Path, text: &str) -> Vec<Complaint> {
    let mut found = Vec::new();
    let lines = text.lines().count();
    if lines > LINES_MAX {
        found.push(Complaint::whole(format!(
            "{lines} lines, at most {LINES_MAX} are read in one sitting"
        )));
    }
    let is_empty = |name: &&str| EMPTY_NAMES.contains(name);
    // The file's name, and its folder's, which `mod.rs` stands for.
    let names = [name.file_stem(), name.parent().and_then(Path::file_name)];
    let names = names.into_iter().flatten().filter_map(|name| name.to_str());
    found.extend(names.filter(is_empty).map(|name| {
        Complaint::whole(format!(
            "a module called {name:?} says nothing of what it holds"
        ))
    }));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_too_long_is_found() {
        let lines = |count: usize| look(Path::new("a.rs"), &"// a line\n".repeat(count));
        assert_eq!(lines(LINES_MAX), []);
        assert_eq!(
            lines(LINES_MAX + 1)[0].what,
            "501 lines, at most 500 are read in one sitting"
        );
    }

    #[test]
    fn a_name_that_says_nothing_is_found() {
        for name in ["a/utils.rs", "a/misc/mod.rs", "tests/it/common/a.rs"] {
            assert_eq!(look(Path::new(name), "").len(), 1, "{name}");
        }
        for name in ["a/commonplace.rs", "common_sense/src/a.rs"] {
            assert_eq!(look(Path::new(name), ""), [], "{name}");
        }
    }
}
