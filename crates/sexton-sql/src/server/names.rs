//! What the tables are called, and statements with those names in them.
//!
//! Names cannot be bound as parameters: they are the only thing ever put into a statement's text, checked and quoted, once, when a manager
//! is opened. Values are always bound.

use crate::error::OpenError;

/// What the names of all tables and indexes begin with, unless told otherwise.
pub(super) const PREFIX: &str = "sexton_";
/// So that the longest name of an index still fits the shortest limit, PostgreSQL's 63 bytes.
const PREFIX_BYTES_MAX: usize = 40;
/// The longest name that PostgreSQL keeps whole (`NAMEDATALEN` - 1). MySQL has 64 characters.
pub(super) const NAME_BYTES_MAX: usize = 63;

/// What stands in a database's statements besides plain SQL.
#[derive(Debug)]
pub struct Dictionary {
    /// What stands around an identifier, doubled where it is part of one.
    pub quote: char,
    /// The indexes that have names of their own.
    pub indexes: &'static [&'static str],
    /// Pieces that several statements have in common, each by a word.
    pub pieces: &'static [(&'static str, &'static str)],
}

/// The tables' schema and the beginning of their names.
#[derive(Debug, Clone)]
pub struct Names {
    /// Quoted where it is used; `None` leaves it to the connection.
    schema: Option<String>,
    prefix: String,
    dictionary: &'static Dictionary,
}

/// Tables, and what stands for each in a statement.
const TABLES: [&str; 5] = ["versions", "registers", "executions", "tasks", "instances"];

impl Names {
    /// # Errors
    /// [`OpenError::BadName`]
    pub(crate) fn new(
        dictionary: &'static Dictionary,
        schema: Option<&str>,
        prefix: &str,
    ) -> Result<Names, OpenError> {
        let bad = |what, name: &str, problem| OpenError::BadName {
            what,
            name: name.to_owned(),
            problem,
        };
        if let Some(schema) = schema {
            if schema.is_empty() || schema.len() > NAME_BYTES_MAX {
                return Err(bad("schema", schema, "it must have 1 to 63 bytes"));
            }
            if schema.chars().any(char::is_control) {
                return Err(bad("schema", schema, "it has control characters"));
            }
        }
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if prefix.len() > PREFIX_BYTES_MAX {
            return Err(bad("table prefix", prefix, "it has more than 40 bytes"));
        }
        if !prefix.chars().all(is_plain) || prefix.starts_with(|c: char| c.is_ascii_digit()) {
            let problem = "only a-z, 0-9 and _ are allowed, and no digit at the beginning";
            return Err(bad("table prefix", prefix, problem));
        }
        Ok(Names {
            schema: schema.map(str::to_owned),
            prefix: prefix.to_owned(),
            dictionary,
        })
    }

    pub(crate) fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// The same names, fixed to the schema that the connection would take.
    pub(crate) fn in_schema(&self, schema: String) -> Names {
        Names {
            schema: Some(self.schema.clone().unwrap_or(schema)),
            ..self.clone()
        }
    }

    /// An identifier as it stands in a statement.
    pub(crate) fn quoted(&self, name: &str) -> String {
        let quote = self.dictionary.quote;
        let doubled = name.replace(quote, &[quote, quote].iter().collect::<String>());
        format!("{quote}{doubled}{quote}")
    }

    /// What the migrations of these very tables lock: the same number in every process.
    pub(crate) fn lock_key(&self) -> i64 {
        // FNV-1a, because its value is laid down.
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        for byte in self.table("versions").bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        i64::from_ne_bytes(hash.to_ne_bytes())
    }

    /// The name of a table or an index, as the catalogue has it.
    pub(crate) fn unquoted(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The name of a table, quoted, with its schema.
    pub(crate) fn table(&self, name: &str) -> String {
        self.qualified(&self.unquoted(name))
    }

    /// The name of a table that has no prefix, quoted, with the schema.
    pub(crate) fn qualified(&self, name: &str) -> String {
        let table = self.quoted(name);
        match &self.schema {
            Some(schema) => format!("{}.{table}", self.quoted(schema)),
            None => table,
        }
    }

    /// The statement with every `{word}` put in its place.
    pub(crate) fn fill(&self, template: &str) -> String {
        filled(template, &|word| {
            let mut pieces = self.dictionary.pieces.iter();
            if let Some((_, piece)) = pieces.find(|(name, _)| *name == word) {
                Some(self.fill(piece))
            } else if TABLES.contains(&word) {
                Some(self.table(word))
            } else if self.dictionary.indexes.contains(&word) {
                Some(self.quoted(&self.unquoted(word)))
            } else {
                None
            }
        })
    }
}

/// The template with every `{word}` put in its place; what is put there is not looked at again.
pub(crate) fn filled(template: &str, place: &dyn Fn(&str) -> Option<String>) -> String {
    let mut sql = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        sql.push_str(before);
        let (word, behind) = after.split_once('}').unwrap_or((after, ""));
        let found = place(word);
        debug_assert!(found.is_some(), "no piece is called {word:?}");
        sql.push_str(&found.unwrap_or_default());
        rest = behind;
    }
    sql.push_str(rest);
    sql
}

#[cfg(test)]
mod tests {
    use super::*;

    const DICTIONARY: Dictionary = Dictionary {
        quote: '"',
        indexes: &["executions_open"],
        pieces: &[("clock", "now()"), ("now", "{clock}")],
    };

    fn names(schema: Option<&str>, prefix: &str) -> Result<Names, OpenError> {
        Names::new(&DICTIONARY, schema, prefix)
    }

    fn refused(schema: Option<&str>, prefix: &str) -> String {
        names(schema, prefix).unwrap_err().to_string()
    }

    #[test]
    fn names_are_quoted_and_values_never_come_near() {
        let named = names(Some("a\"b; DROP {tasks}"), "app_").unwrap();
        assert_eq!(
            named.fill("SELECT $1 FROM {tasks}"),
            "SELECT $1 FROM \"a\"\"b; DROP {tasks}\".\"app_tasks\""
        );
        let named = names(None, PREFIX).unwrap();
        assert_eq!(
            named.fill("{executions_open} {now}"),
            "\"sexton_executions_open\" now()"
        );
    }

    #[test]
    fn a_bad_name_is_told_what_is_wrong_with_it() {
        insta::assert_snapshot!(refused(Some(""), PREFIX), @r#"the schema "" cannot be used: it must have 1 to 63 bytes"#);
        insta::assert_snapshot!(refused(Some("a\0b"), PREFIX), @r#"the schema "a\0b" cannot be used: it has control characters"#);
        insta::assert_snapshot!(refused(None, "1st_"), @r#"the table prefix "1st_" cannot be used: only a-z, 0-9 and _ are allowed, and no digit at the beginning"#);
        insta::assert_snapshot!(refused(None, &"x".repeat(41)), @r#"the table prefix "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" cannot be used: it has more than 40 bytes"#);
    }

    #[test]
    fn the_longest_names_fit() {
        let mut known: Vec<&str> = TABLES.to_vec();
        #[cfg(feature = "postgres")]
        known.extend(<sqlx::Postgres as crate::server::driver::ServerDriver>::DICTIONARY.indexes);
        #[cfg(feature = "mysql")]
        known.extend(<sqlx::MySql as crate::server::driver::ServerDriver>::DICTIONARY.indexes);
        let longest = known.into_iter().map(str::len).max();
        // What PostgreSQL itself calls a primary key: the table's name and `_pkey`.
        assert!(longest.unwrap() + PREFIX_BYTES_MAX <= NAME_BYTES_MAX);
    }

    #[test]
    fn tables_of_another_schema_or_prefix_have_a_lock_of_their_own() {
        let key = |schema, prefix| names(schema, prefix).unwrap().lock_key();
        assert_eq!(key(Some("a"), "b_"), key(Some("a"), "b_"));
        assert_ne!(key(Some("a"), "b_"), key(Some("a"), "c_"));
        assert_ne!(key(Some("a"), "b_"), key(Some("b"), "b_"));
    }
}
