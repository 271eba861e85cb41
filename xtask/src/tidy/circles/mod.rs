//! No circle of files: in a crate, too, arrows point downwards only.
//!
//! A file that uses another which uses the first, be it by way of others, cannot be understood, nor
//! tested, without it. What both need belongs into a file below them.

mod arrows;
mod scope;
#[cfg(test)]
mod tests;
mod tokens;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use super::complaint::Complaint;
use arrows::{Arrows, arrows};
use scope::{File, ModulePath, read};

/// Folders whose circles are let be for now, each with the reason. A folder without any must go from
/// this list.
pub(super) const EXEMPT: &[(&str, &str)] = &[];

/// Looks for circles in each crate, from the texts of all files by their names in the workspace.
pub(super) fn look<'f>(
    texts: &'f BTreeMap<PathBuf, String>,
    exempt: &[(&str, &str)],
) -> Vec<(&'f Path, Complaint)> {
    let mut found = Vec::new();
    for (sources, texts) in crates(texts) {
        let is_exempt = |file: &str| {
            let file = sources.join(file);
            let mut folders = exempt.iter().map(|(folder, _)| folder);
            folders.any(|folder| file.starts_with(folder))
        };
        let (let_be, ours) = texts.into_iter().partition(|(file, _)| is_exempt(file));
        found.extend(circles(&ours).into_iter().map(|circle| {
            let circle = circle.join(" -> ");
            let what = format!("a circle of files: {circle}; what both need belongs below them");
            (sources, Complaint::whole(what))
        }));
        let knotted: Vec<String> = circles(&let_be).into_iter().flatten().collect();
        let own = exempt.iter().map(|(folder, _)| folder);
        for folder in own.filter(|folder| Path::new(folder).starts_with(sources)) {
            let is_in = |file: &String| sources.join(file).starts_with(folder);
            if !knotted.iter().any(is_in) {
                let what =
                    format!("{folder} has no circle of files any more: take it off the list");
                found.push((sources, Complaint::whole(what)));
            }
        }
    }
    found
}

/// The Rust files in each crate's `src`, by their names in it.
fn crates(texts: &BTreeMap<PathBuf, String>) -> BTreeMap<&Path, BTreeMap<String, String>> {
    let mut crates: BTreeMap<&Path, BTreeMap<String, String>> = BTreeMap::new();
    for (file, text) in texts {
        let sources = file.ancestors().find(|folder| folder.ends_with("src"));
        if let Some(sources) = sources.filter(|_| file.extension().is_some_and(|kind| kind == "rs"))
            && let Ok(name) = file.strip_prefix(sources)
        {
            let name = name.to_string_lossy().replace('\\', "/");
            crates
                .entry(sources)
                .or_default()
                .insert(name, text.clone());
        }
    }
    crates
}

/// The circles between the files of a crate, from the texts of its files by their names in `src`:
/// one for each knot of files, the shortest that goes through the first of them.
fn circles(texts: &BTreeMap<String, String>) -> Vec<Vec<String>> {
    let arrows = arrows(&files(texts));
    let reached: BTreeMap<&String, BTreeSet<&String>> = arrows
        .keys()
        .map(|file| (file, reached_from(&arrows, file)))
        .collect();
    let mut known: BTreeSet<&String> = BTreeSet::new();
    let mut found = Vec::new();
    for file in arrows.keys() {
        if known.contains(file) || !reached[file].contains(file) {
            continue;
        }
        let knot = reached[file].iter().copied();
        known.extend(knot.filter(|other| reached[other].contains(file)));
        found.push(shortest(&arrows, file));
    }
    found
}

/// The files of a crate without those that are there for tests alone.
fn files(texts: &BTreeMap<String, String>) -> BTreeMap<String, File> {
    let roots = texts
        .keys()
        .filter(|name| module_of(name).is_empty())
        .count();
    let mut files: BTreeMap<String, File> = texts
        .iter()
        // A program beside a library is another crate, which uses it from outside.
        .filter(|(name, _)| roots < 2 || *name != "main.rs")
        .map(|(name, text)| (name.clone(), read(module_of(name), text)))
        .collect();
    let of_tests: BTreeSet<ModulePath> = files
        .values()
        .flat_map(|file| file.of_tests.iter().cloned())
        .collect();
    files.retain(|name, _| {
        let module = module_of(name);
        !of_tests.iter().any(|tests| module.starts_with(tests))
    });
    files
}

/// The path of a file's module.
fn module_of(name: &str) -> ModulePath {
    let path = name.strip_suffix(".rs").unwrap_or(name);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    match path {
        "lib" | "main" => ModulePath::new(),
        _ => path.split('/').map(str::to_owned).collect(),
    }
}

fn reached_from<'a>(arrows: &'a Arrows, from: &str) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<&String> = arrows[from].iter().collect();
    while let Some(file) = waiting.pop() {
        if reached.insert(file) {
            waiting.extend(&arrows[file]);
        }
    }
    reached
}

/// The shortest way from a file back to it.
fn shortest(arrows: &Arrows, file: &str) -> Vec<String> {
    let mut ways = VecDeque::from([vec![file.to_owned()]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        for next in &arrows[&way[way.len() - 1]] {
            let mut way = way.clone();
            way.push(next.clone());
            if next == file {
                return way;
            }
            if seen.insert(next) {
                ways.push_back(way);
            }
        }
    }
    Vec::new()
}
