//! What the modules of a file declare, define, import and name.

use std::collections::{BTreeMap, BTreeSet};

use super::tokens::{Token, tokens};

/// The path of a module in its crate; empty for the root.
pub(super) type ModulePath = Vec<String>;

/// What stands in one module, be it a whole file or a module within one.
#[derive(Debug, Default)]
pub(super) struct Scope {
    pub(super) module: ModulePath,
    /// The modules that it declares.
    pub(super) children: BTreeSet<String>,
    /// The names that it defines.
    pub(super) defined: BTreeSet<String>,
    pub(super) imports: Vec<Import>,
    /// Paths in its code, of two words and more.
    pub(super) paths: BTreeSet<Vec<String>>,
    /// Words of its code that belong to no path: an import may be among them.
    pub(super) words: BTreeSet<String>,
}

/// One name that a `use` brings in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Import {
    /// What it is called here; `None`: everything that the path's module has.
    pub(super) alias: Option<String>,
    pub(super) path: Vec<String>,
    /// Whether other modules may see it, so that it may be there for them alone.
    pub(super) is_public: bool,
}

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) scopes: Vec<Scope>,
    /// Modules that it declares for tests alone.
    pub(super) of_tests: BTreeSet<ModulePath>,
}

/// Takes the file of a module apart, without what is there for tests alone.
pub(super) fn read(module: ModulePath, text: &str) -> File {
    let tokens = tokens(text);
    let mut reader = Reader {
        tokens: &tokens,
        at: 0,
        open: vec![(Scope::new(module), 0)],
        depth: 0,
        file: File::default(),
    };
    while reader.at < tokens.len() {
        reader.step();
    }
    let open = reader.open.into_iter().map(|(scope, _)| scope);
    reader.file.scopes.extend(open);
    reader.file
}

impl Scope {
    fn new(module: ModulePath) -> Scope {
        Scope {
            module,
            ..Scope::default()
        }
    }
}

struct Reader<'t> {
    tokens: &'t [Token],
    at: usize,
    /// The modules that the reader is in, the innermost last, each with the depth of its braces.
    open: Vec<(Scope, usize)>,
    depth: usize,
    file: File,
}

impl Reader<'_> {
    fn step(&mut self) {
        let is_after_dot = self.at > 0 && self.tokens[self.at - 1].is_sign('.');
        match &self.tokens[self.at] {
            Token::Sign('#') if self.comes(1, '[') || self.comes(1, '!') => self.attribute(),
            Token::Sign('{') => {
                self.depth += 1;
                self.at += 1;
            }
            Token::Sign('}') => self.close(),
            Token::Word(word) if word == "use" => self.imports(),
            Token::Word(word) if word == "mod" && self.is_item_level() => self.module(),
            Token::Word(word) => {
                let word = word.clone();
                self.define(&word);
                self.path(!is_after_dot);
            }
            _ => self.at += 1,
        }
    }

    fn comes(&self, after: usize, sign: char) -> bool {
        let token = self.tokens.get(self.at + after);
        token.is_some_and(|token| token.is_sign(sign))
    }

    fn word_at(&self, at: usize) -> Option<&str> {
        self.tokens.get(at).and_then(Token::word)
    }

    fn scope(&mut self) -> &mut Scope {
        // The file's own scope is never closed.
        let innermost = self.open.len() - 1;
        &mut self.open[innermost].0
    }

    /// Whether items of the module stand here, not what is within one.
    fn is_item_level(&self) -> bool {
        let depth = self.open.last().map_or(0, |(_, depth)| *depth);
        self.depth == depth
    }

    fn close(&mut self) {
        self.at += 1;
        if self.open.len() > 1
            && self.is_item_level()
            && let Some((scope, _)) = self.open.pop()
        {
            self.file.scopes.push(scope);
        }
        self.depth = self.depth.saturating_sub(1);
    }

    /// Skips an attribute, and with one that is for tests what it stands before.
    fn attribute(&mut self) {
        let begin = self.at;
        self.at = self.end_of_group(self.at + usize::from(self.comes(1, '!')) + 1);
        let attribute = &self.tokens[begin..self.at];
        let is_of_tests = attribute.iter().any(|token| token.is_word("cfg"))
            && attribute.iter().any(|token| token.is_word("test"))
            && !attribute.iter().any(|token| token.is_word("not"));
        if is_of_tests {
            match self.tokens[begin + 1].is_sign('!') {
                true => self.at = self.tokens.len(),
                false => self.skip_item(),
            }
        }
    }

    /// Behind the bracket that closes the one at a place.
    fn end_of_group(&self, begin: usize) -> usize {
        let mut depth = 0;
        for (at, token) in self.tokens.iter().enumerate().skip(begin) {
            match token {
                Token::Sign('(' | '[' | '{') => depth += 1,
                Token::Sign(')' | ']' | '}') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return at + 1;
            }
        }
        self.tokens.len()
    }

    /// Skips an item up to its semicolon or the end of its braces.
    fn skip_item(&mut self) {
        while let Some(token) = self.tokens.get(self.at) {
            match token {
                Token::Sign('#') if self.comes(1, '[') => self.at = self.end_of_group(self.at + 1),
                Token::Sign('(' | '[') => self.at = self.end_of_group(self.at),
                Token::Sign('{') => {
                    self.at = self.end_of_group(self.at);
                    return;
                }
                Token::Sign(';') => {
                    self.at += 1;
                    return;
                }
                Token::Word(word) if word == "mod" => {
                    let mut module = self.scope().module.clone();
                    module.extend(self.word_at(self.at + 1).map(str::to_owned));
                    self.file.of_tests.insert(module);
                    self.at += 1;
                }
                Token::Word(word) if word == "use" => {
                    while self
                        .tokens
                        .get(self.at)
                        .is_some_and(|token| !token.is_sign(';'))
                    {
                        self.at += 1;
                    }
                }
                _ => self.at += 1,
            }
        }
    }

    /// `mod name;` or `mod name { … }`.
    fn module(&mut self) {
        let name = self.word_at(self.at + 1).map(str::to_owned);
        self.at += 2;
        let Some(name) = name else { return };
        let mut module = self.scope().module.clone();
        module.push(name.clone());
        self.scope().children.insert(name);
        if self.comes(0, '{') {
            self.at += 1;
            self.depth += 1;
            self.open.push((Scope::new(module), self.depth));
        }
    }

    /// Takes note of what an item at this place defines.
    fn define(&mut self, keyword: &str) {
        if !self.is_item_level() {
            return;
        }
        let name = match keyword {
            "const" | "enum" | "fn" | "static" | "struct" | "trait" | "type" | "union" => {
                self.word_at(self.at + 1)
            }
            "macro_rules" if self.comes(1, '!') => self.word_at(self.at + 2),
            _ => None,
        };
        if let Some(name) = name.map(str::to_owned) {
            self.scope().defined.insert(name);
        }
    }

    /// A path, or a word alone.
    fn path(&mut self, may_begin: bool) {
        let mut path = Vec::from_iter(self.word_at(self.at).map(str::to_owned));
        self.at += 1;
        while self.tokens.get(self.at) == Some(&Token::Path)
            && let Some(word) = self.word_at(self.at + 1)
        {
            path.push(word.to_owned());
            self.at += 2;
        }
        if !may_begin {
            return;
        }
        if path.len() > 1 {
            self.scope().paths.insert(path);
        } else {
            self.scope().words.extend(path);
        }
    }

    fn imports(&mut self) {
        // Of `pub` and `pub(…)`, the last sign before `use`.
        let before = self.at.checked_sub(1).map(|at| &self.tokens[at]);
        let is_public = before.is_some_and(|token| token.is_word("pub") || token.is_sign(')'));
        self.at += 1;
        let mut found = Vec::new();
        self.tree(&[], &mut found);
        let imports = found.into_iter().map(|(alias, path)| Import {
            alias,
            path,
            is_public,
        });
        let imports: Vec<Import> = imports.collect();
        self.scope().imports.extend(imports);
    }

    /// One branch of a `use`, behind a prefix: names, a group in braces, or a star.
    fn tree(&mut self, prefix: &[String], found: &mut Vec<(Option<String>, Vec<String>)>) {
        let mut path = prefix.to_vec();
        loop {
            match self.tokens.get(self.at) {
                Some(Token::Word(word)) => path.push(word.clone()),
                Some(Token::Path) => {}
                Some(Token::Sign('*')) => {
                    self.at += 1;
                    found.push((None, path));
                    return;
                }
                Some(Token::Sign('{')) => {
                    self.at += 1;
                    while self.at < self.tokens.len() && !self.comes(0, '}') {
                        self.tree(&path, found);
                        self.at += usize::from(self.comes(0, ','));
                    }
                    self.at += 1;
                    return;
                }
                _ => return,
            }
            self.at += 1;
            if self.word_at(self.at) == Some("as") {
                let alias = self.word_at(self.at + 1).map(str::to_owned);
                self.at += 2;
                found.push((alias, path));
                return;
            }
            let ends = matches!(
                self.tokens.get(self.at),
                Some(Token::Sign(',' | ';' | '}')) | None
            );
            if ends {
                // `a::{self}` is `a`.
                if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
                    path.pop();
                }
                found.push((path.last().cloned(), path));
                return;
            }
        }
    }
}

/// Every scope of a crate by its module.
pub(super) fn by_module(files: &BTreeMap<String, File>) -> BTreeMap<&ModulePath, (&str, &Scope)> {
    let scopes = files
        .iter()
        .flat_map(|(name, file)| file.scopes.iter().map(|scope| (name.as_str(), scope)));
    scopes
        .map(|(name, scope)| (&scope.module, (name, scope)))
        .collect()
}
