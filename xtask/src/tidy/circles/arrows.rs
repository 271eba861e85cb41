//! Which file of a crate uses which.

use std::collections::{BTreeMap, BTreeSet};

use super::scope::{File, Import, ModulePath, Scope, by_module};

/// Re-exports that are followed from one name to the file that defines it.
const STEPS_MAX: usize = 16;

/// Each file with those that it uses.
pub(super) type Arrows = BTreeMap<String, BTreeSet<String>>;

/// What a path leads to.
enum Target<'c> {
    Module(ModulePath),
    /// What this file defines.
    Of(&'c str),
}

struct Crate<'c> {
    modules: BTreeMap<&'c ModulePath, (&'c str, &'c Scope)>,
}

/// The arrows between the files of a crate. A file uses the one that *defines* what it names, not
/// those that pass the name on; methods are not names, so that the `impl` blocks of a type may stand
/// in several files.
pub(super) fn arrows(files: &BTreeMap<String, File>) -> Arrows {
    let whole = Crate {
        modules: by_module(files),
    };
    let mut arrows = Arrows::new();
    for (name, file) in files {
        let used = file.scopes.iter().flat_map(|scope| whole.used(scope));
        let others = used.filter(|other| *other != name).map(str::to_owned);
        arrows.insert(name.clone(), others.collect());
    }
    arrows
}

impl<'c> Crate<'c> {
    /// The files that define what a module imports for itself, or names.
    fn used(&self, scope: &Scope) -> BTreeSet<&'c str> {
        let own = scope.imports.iter();
        let own = own.filter(|import| !import.is_public && import.alias.is_some());
        let imported = own.map(|import| import.path.clone());
        let words = scope.words.iter().filter(|word| scope.imports_as(word));
        let words = words.map(|word| vec![word.clone()]);
        let paths = scope.paths.iter().cloned().chain(imported).chain(words);
        let targets = paths.filter_map(|path| self.resolve(&scope.module, &path, STEPS_MAX));
        targets
            .filter_map(|target| match target {
                Target::Of(file) => Some(file),
                // To name a module is not to use what is in it.
                Target::Module(_) => None,
            })
            .collect()
    }

    /// What a path leads to in a module; `None`: out of the crate.
    fn resolve(&self, module: &ModulePath, path: &[String], steps: usize) -> Option<Target<'c>> {
        let steps = steps.checked_sub(1)?;
        let mut here = module.clone();
        let mut rest = path;
        while let [first, behind @ ..] = rest {
            match first.as_str() {
                "crate" => here.clear(),
                "super" => drop(here.pop()?),
                "self" => {}
                _ => break,
            }
            rest = behind;
        }
        let mut is_first = rest.len() == path.len();
        while let [name, behind @ ..] = rest {
            match self.find(&here, name, steps) {
                Some(Target::Module(next)) => here = next,
                Some(Target::Of(file)) => return Some(Target::Of(file)),
                None if is_first => return None,
                // What a macro has made.
                None => return self.modules.get(&here).map(|(file, _)| Target::Of(file)),
            }
            is_first = false;
            rest = behind;
        }
        Some(Target::Module(here))
    }

    /// What a name is in a module.
    fn find(&self, module: &ModulePath, name: &str, steps: usize) -> Option<Target<'c>> {
        let (file, scope) = *self.modules.get(module)?;
        let mut child = module.clone();
        child.push(name.to_owned());
        if scope.children.contains(name) && self.modules.contains_key(&child) {
            return Some(Target::Module(child));
        }
        if scope.defined.contains(name) {
            return Some(Target::Of(file));
        }
        let named = |import: &&Import| import.alias.as_deref() == Some(name);
        if let Some(import) = scope.imports.iter().find(named) {
            return self.follow(module, &import.path, steps);
        }
        let globs = scope.imports.iter().filter(|import| import.alias.is_none());
        globs.into_iter().find_map(|import| {
            let Target::Module(from) = self.follow(module, &import.path, steps)? else {
                return None;
            };
            self.find(&from, name, steps.checked_sub(1)?)
        })
    }

    /// Where an import comes from. One whose first name is its own, such as `use tokio;`, comes
    /// from another crate.
    fn follow(&self, module: &ModulePath, path: &[String], steps: usize) -> Option<Target<'c>> {
        let first = path.first()?;
        let (_, scope) = *self.modules.get(module)?;
        let is_keyword = matches!(first.as_str(), "crate" | "self" | "super");
        let is_here = scope.children.contains(first) || scope.imports_as(first) && path.len() > 1;
        match is_keyword || is_here {
            true => self.resolve(module, path, steps),
            false => None,
        }
    }
}

impl Scope {
    /// Whether a name may come from an import.
    fn imports_as(&self, name: &str) -> bool {
        let is_so = |import: &Import| match &import.alias {
            Some(alias) => alias == name,
            None => !self.defined.contains(name),
        };
        self.imports.iter().any(is_so)
    }
}
