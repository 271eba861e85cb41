//! The newer servers that tests can run on, and what to run on each.

use std::path::Path;

/// Named where a server is to be used, as the tests know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NamedBy {
    /// Its programs come first in `PATH`.
    Path,
    /// The variable holds the path of this program.
    Program(&'static str, &'static str),
    /// The variable holds the folder of its programs.
    Folder(&'static str),
}

/// A server of a later Debian than this machine's.
#[derive(Debug)]
pub(crate) struct Newer {
    pub(crate) name: &'static str,
    /// The release of Debian's.
    pub(crate) suite: &'static str,
    pub(crate) packages: &'static [&'static str],
    /// What tests start, as it is called in `/usr` of that Debian.
    pub(crate) programs: &'static [&'static str],
    pub(crate) named_by: NamedBy,
    /// The tests that start it, as nextest's filter.
    pub(crate) tests: &'static str,
}

const REDIS: NamedBy = NamedBy::Program("SEXTON_REDIS_SERVER", "redis-server");
const VALKEY: NamedBy = NamedBy::Program("SEXTON_REDIS_SERVER", "valkey-server");
const MYSQL: NamedBy = NamedBy::Program("SEXTON_MYSQL_SERVER", "mysqld");
const ON_REDIS: &str = "binary_id(sexton-redis::it) | (test(/redis/) & (binary_id(sexton::it) | binary_id(sexton-cli::it)))";
const ON_POSTGRES: &str = "test(/postgres/) & (binary_id(sexton-sql::it) | binary_id(sexton::it) | binary_id(sexton-cli::it))";
const ON_MYSQL: &str = "test(/mysql|mariadb/) & (binary_id(sexton-sql::it) | binary_id(sexton::it) | binary_id(sexton-cli::it))";
const ON_MONGODB: &str =
    "binary_id(sexton-mongo::it) | (test(/documentdb/) & binary_id(sexton-cli::it))";

pub(crate) const NEWER: &[Newer] = &[
    Newer {
        name: "mysql",
        suite: "sid",
        packages: &["mysql-server"],
        programs: &["sbin/mysqld", "bin/mysql"],
        named_by: MYSQL,
        tests: ON_MYSQL,
    },
    Newer {
        name: "mariadb11.8",
        suite: "trixie",
        packages: &["mariadb-server"],
        programs: &["sbin/mariadbd", "bin/mariadb-install-db", "bin/mariadb"],
        named_by: NamedBy::Path,
        tests: ON_MYSQL,
    },
    Newer {
        name: "postgresql18",
        suite: "sid",
        packages: &["postgresql-18"],
        programs: &[
            "lib/postgresql/18/bin/postgres",
            "lib/postgresql/18/bin/initdb",
            "lib/postgresql/18/bin/pgbench",
            "lib/postgresql/18/bin/psql",
        ],
        named_by: NamedBy::Path,
        tests: ON_POSTGRES,
    },
    Newer {
        name: "documentdb",
        suite: "sid",
        packages: &["postgresql-18", "postgresql-18-documentdb"],
        programs: &[
            "lib/postgresql/18/bin/postgres",
            "lib/postgresql/18/bin/initdb",
            "lib/postgresql/18/bin/psql",
        ],
        named_by: NamedBy::Folder("SEXTON_DOCUMENTDB"),
        tests: ON_MONGODB,
    },
    Newer {
        name: "redis8",
        suite: "trixie",
        packages: &["redis-server"],
        programs: &["bin/redis-server", "bin/redis-cli"],
        named_by: REDIS,
        tests: ON_REDIS,
    },
    Newer {
        name: "redis8-sid",
        suite: "sid",
        packages: &["redis-server"],
        programs: &["bin/redis-server", "bin/redis-cli"],
        named_by: REDIS,
        tests: ON_REDIS,
    },
    Newer {
        name: "valkey",
        suite: "trixie",
        packages: &["valkey-server"],
        programs: &["bin/valkey-server", "bin/valkey-cli"],
        named_by: VALKEY,
        tests: ON_REDIS,
    },
    Newer {
        name: "valkey-sid",
        suite: "sid",
        packages: &["valkey-server"],
        programs: &["bin/valkey-server", "bin/valkey-cli"],
        named_by: VALKEY,
        tests: ON_REDIS,
    },
];

impl Newer {
    pub(crate) fn named(name: &str) -> Option<&'static Newer> {
        NEWER.iter().find(|newer| newer.name == name)
    }

    /// The name of a wrapper, and the program that it runs.
    pub(crate) fn wrapped(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let file_name = |program: &'static str| program.rsplit('/').next().unwrap_or(program);
        self.programs
            .iter()
            .map(move |&program| (file_name(program), program))
    }

    /// The variable by which tests find it among these wrappers, and its value.
    pub(crate) fn variable(&self, wrappers: &Path) -> (&'static str, std::ffi::OsString) {
        match self.named_by {
            NamedBy::Path => {
                let path = std::env::var_os("PATH").unwrap_or_default();
                let mut first = wrappers.as_os_str().to_owned();
                first.push(":");
                first.push(path);
                ("PATH", first)
            }
            NamedBy::Program(variable, program) => {
                (variable, wrappers.join(program).into_os_string())
            }
            NamedBy::Folder(variable) => (variable, wrappers.as_os_str().to_owned()),
        }
    }
}

/// Checks a name.
pub(crate) fn known(name: &str) -> Result<String, String> {
    if Newer::named(name).is_some() {
        return Ok(name.to_owned());
    }
    let names: Vec<&str> = NEWER.iter().map(|newer| newer.name).collect();
    Err(format!(
        "no newer server is called {name:?}; known: {}",
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_server_is_refused_with_what_is_known() {
        assert_eq!(known("mysql"), Ok("mysql".to_owned()));
        let told = known("oracle").unwrap_err();
        assert!(told.contains("\"oracle\"; known: mysql, mariadb11.8, postgresql18"));
    }

    #[test]
    fn each_is_found_by_the_tests_through_a_wrapper_that_it_has() {
        let wrappers = Path::new("/made/bin");
        for newer in NEWER {
            let (variable, value) = newer.variable(wrappers);
            let value = value.to_string_lossy().into_owned();
            match newer.named_by {
                NamedBy::Path => {
                    assert_eq!(variable, "PATH");
                    assert!(value.starts_with("/made/bin:"), "{value}");
                }
                NamedBy::Program(_, program) => {
                    assert!(newer.wrapped().any(|(name, _)| name == program));
                    assert_eq!(value, format!("/made/bin/{program}"));
                }
                NamedBy::Folder(_) => assert_eq!(value, "/made/bin"),
            }
        }
    }
}
