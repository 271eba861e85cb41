//! A Rust file as words and signs, without its comments and the texts of its literals.

use std::iter::Peekable;
use std::str::Chars;

/// A token of a Rust file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// An identifier or a keyword.
    Word(String),
    /// `::`.
    Path,
    /// Any other sign.
    Sign(char),
    /// A number, a text, a character or a lifetime.
    Literal,
}

impl Token {
    pub(super) fn word(&self) -> Option<&str> {
        match self {
            Token::Word(word) => Some(word),
            _ => None,
        }
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        self.word() == Some(word)
    }

    pub(super) fn is_sign(&self, sign: char) -> bool {
        *self == Token::Sign(sign)
    }
}

/// Takes a file apart. What is no Rust gives some tokens all the same: the compiler says what is
/// wrong with it.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut reader = Reader {
        rest: text.chars().peekable(),
        tokens: Vec::new(),
    };
    while let Some(sign) = reader.rest.next() {
        reader.take(sign);
    }
    reader.tokens
}

struct Reader<'t> {
    rest: Peekable<Chars<'t>>,
    tokens: Vec<Token>,
}

impl Reader<'_> {
    fn take(&mut self, sign: char) {
        match sign {
            _ if sign.is_whitespace() => {}
            '/' if self.comes('/') => self.skip_line(),
            '/' if self.comes('*') => self.skip_block(),
            '"' => self.text(),
            '\'' => self.character_or_lifetime(),
            ':' if self.comes(':') => {
                self.rest.next();
                self.tokens.push(Token::Path);
            }
            '0'..='9' => {
                self.name(sign);
                self.tokens.push(Token::Literal);
            }
            _ if is_of_name(sign) => self.word(sign),
            _ => self.tokens.push(Token::Sign(sign)),
        }
    }

    fn comes(&mut self, sign: char) -> bool {
        self.rest.peek() == Some(&sign)
    }

    fn skip_line(&mut self) {
        let _ = self.rest.by_ref().find(|sign| *sign == '\n');
    }

    /// Skips a comment between `/*` and `*/`, which may hold others.
    fn skip_block(&mut self) {
        let mut depth = 1;
        let mut before = ' ';
        self.rest.next();
        for sign in self.rest.by_ref() {
            match (before, sign) {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                _ => {
                    before = sign;
                    continue;
                }
            }
            if depth == 0 {
                return;
            }
            before = ' ';
        }
    }

    /// Skips a text up to its closing quote.
    fn text(&mut self) {
        while let Some(sign) = self.rest.next() {
            match sign {
                '\\' => drop(self.rest.next()),
                '"' => break,
                _ => {}
            }
        }
        self.tokens.push(Token::Literal);
    }

    /// Skips a raw text, from the signs before its opening quote on.
    fn raw_text(&mut self, hashes: usize) {
        self.rest.next();
        let mut seen = None;
        for sign in self.rest.by_ref() {
            seen = match (sign, seen) {
                ('"', _) => Some(0),
                ('#', Some(count)) => Some(count + 1),
                _ => None,
            };
            if seen == Some(hashes) {
                break;
            }
        }
        self.tokens.push(Token::Literal);
    }

    /// `'a'` is a character, and `'a` a lifetime.
    fn character_or_lifetime(&mut self) {
        self.tokens.push(Token::Literal);
        match self.rest.next() {
            Some('\\') => {
                self.rest.next();
                let _ = self.rest.by_ref().find(|sign| *sign == '\'');
            }
            Some(sign) if self.comes('\'') || !is_of_name(sign) => drop(self.rest.next()),
            Some(sign) => drop(self.name(sign)),
            None => {}
        }
    }

    fn name(&mut self, first: char) -> String {
        let mut name = String::from(first);
        while let Some(sign) = self.rest.next_if(|sign| is_of_name(*sign)) {
            name.push(sign);
        }
        name
    }

    /// A word, or a literal with a prefix, such as `br"…"`, or a raw name, such as `r#type`.
    fn word(&mut self, first: char) {
        let name = self.name(first);
        let is_raw = matches!(name.as_str(), "r" | "br" | "cr");
        if self.comes('"') && matches!(name.as_str(), "b" | "c") {
            self.rest.next();
            return self.text();
        }
        if self.comes('\'') && name == "b" {
            self.rest.next();
            return self.character_or_lifetime();
        }
        if is_raw && (self.comes('"') || self.comes('#')) {
            let mut hashes = 0;
            while self.comes('#') {
                self.rest.next();
                hashes += 1;
            }
            if self.comes('"') {
                return self.raw_text(hashes);
            }
            // A raw name: what comes next is the name.
            return;
        }
        self.tokens.push(Token::Word(name));
    }
}

fn is_of_name(sign: char) -> bool {
    sign.is_alphanumeric() || sign == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let words = tokens(text).into_iter();
        words
            .filter_map(|token| token.word().map(str::to_owned))
            .collect()
    }

    #[test]
    fn comments_and_literals_hold_no_words() {
        let text = r###"
            // a::b
            one /* two /* three */ four */ five("six \" seven", 'e', '\'', 'life, 0xff)
            r#"eight " nine"# b"ten" br##"el"#even"## r#type
        "###;
        assert_eq!(words(text), ["one", "five", "type"]);
    }

    #[test]
    fn a_path_is_words_and_colons() {
        let all = tokens("a::b:c");
        let word = |word: &str| Token::Word(word.to_owned());
        let expected = [
            word("a"),
            Token::Path,
            word("b"),
            Token::Sign(':'),
            word("c"),
        ];
        assert_eq!(all, expected);
    }
}
