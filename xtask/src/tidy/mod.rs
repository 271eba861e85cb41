//! `cargo xtask tidy`: what the compiler lets pass and we do not. Also a test, so that it cannot be forgotten.
//!
//! Rules look at lines, not at syntax, since rustfmt has brought those into order; but for the one on circles of files.

mod attributes;
mod circles;
mod complaint;
mod examples;
mod functions;
mod manifest;
mod module;
mod words;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::failed::Failed;
use crate::step::root;
use complaint::Complaint;

/// Folders that hold what others wrote, or what was made.
const NOT_OURS: [&str; 4] = [".git", "fixtures", "node_modules", "target"];

/// Looks at every file of the workspace.
pub(crate) fn tidy() -> Result<(), Failed> {
    let (looked_at, found) = look(&root())?;
    if found.is_empty() {
        println!("\nxtask: {looked_at} files are tidy");
        return Ok(());
    }
    Err(Failed::Untidy {
        count: found.len(),
        list: found.join("\n"),
    })
}

/// How many files there are, and what is wrong with them.
fn look(root: &Path) -> Result<(usize, Vec<String>), Failed> {
    let files = files(root)?;
    let mut found = Vec::new();
    let mut texts = BTreeMap::new();
    for file in &files {
        let text = fs::read_to_string(file).map_err(failed(file))?;
        let name = file.strip_prefix(root).unwrap_or(file);
        let complaints = rules(name, &text).into_iter();
        found.extend(complaints.map(|complaint| format!("  {}{complaint}", name.display())));
        texts.insert(name.to_owned(), text);
    }
    let circles = circles::look(&texts, circles::EXEMPT).into_iter();
    found.extend(circles.map(|(folder, complaint)| format!("  {}{complaint}", folder.display())));
    Ok((files.len(), found))
}

/// Puts a file to the rules for its kind. The name is relative to the workspace.
fn rules(name: &Path, text: &str) -> Vec<Complaint> {
    let mut found = words::look(name, text);
    match name.extension().and_then(|kind| kind.to_str()) {
        Some("rs") => {
            found.extend(module::look(name, text));
            found.extend(functions::look(text));
            found.extend(attributes::look(text));
            found.extend(examples::look(text));
        }
        Some("md") => found.extend(examples::look(text)),
        Some("toml") => found.extend(manifest::look(name, text)),
        _ => {}
    }
    found
}

/// Rust, TOML and Markdown files of ours, in order.
fn files(root: &Path) -> Result<Vec<PathBuf>, Failed> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(failed(&folder))? {
            let entry = entry.map_err(failed(&folder))?;
            let path = entry.path();
            let kind = path.extension().and_then(|kind| kind.to_str());
            // A link is not followed: what it leads to is looked at where it lies, or is not ours.
            let file_type = entry.file_type().map_err(failed(&path))?;
            if file_type.is_dir() {
                let is_ours = !NOT_OURS.iter().any(|name| entry.file_name() == *name);
                folders.extend(is_ours.then_some(path));
            } else if file_type.is_file() && matches!(kind, Some("rs" | "toml" | "md")) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> Failed {
    let path = path.to_owned();
    |cause| Failed::File {
        doing: "read",
        path,
        cause,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tidy() {
        let (_, found) = look(&root()).unwrap();
        assert!(found.is_empty(), "\n{}", found.join("\n"));
    }

    #[test]
    fn files_of_every_kind_are_found_and_those_of_others_are_not() {
        let root = root();
        let found = files(&root).unwrap();
        for ours in [
            ".config/nextest.toml",
            "CONTRIBUTING.md",
            "crates/sexton-core/src/lib.rs",
            "xtask/src/tidy/mod.rs",
        ] {
            assert!(found.contains(&root.join(ours)), "{ours}");
        }
        let target = root.join("target");
        assert!(found.iter().all(|file| !file.starts_with(&target)));
        assert!(files(Path::new("/no/such/folder")).is_err());
    }

    #[test]
    fn each_kind_of_file_is_put_to_its_rules() {
        let complaints = |name: &str, text: &str| rules(Path::new(name), text).len();
        let ignored = concat!(
            "/// ```",
            "ignore\n#[",
            "ignore]\n#[",
            "allow(dead_code)]\n"
        );
        assert_eq!(complaints("crates/a/src/utils.rs", ignored), 4);
        assert_eq!(complaints("docs/a.md", concat!("```rust,", "ignore\n")), 1);
        assert_eq!(complaints("crates/a/Cargo.toml", "[package]\n"), 1);
        for name in ["a.md", "b.rs", "c.toml"] {
            assert_eq!(complaints(name, concat!("a cron ", "job")), 1, "{name}");
        }
    }
}
