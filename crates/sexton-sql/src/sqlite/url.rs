//! Which database a URL or a path means.

use std::path::{Path, PathBuf};

use sexton_core::url::{FileUrl, Parameter};

use crate::error::OpenError;

/// Whether a file that is not there is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Missing {
    /// It is made. On Unix only its owner may read and write it (mode 0600).
    #[default]
    Create,
    /// It is an error.
    Refuse,
}

/// A database to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    File(PathBuf),
    Memory,
}

const MEMORY: &str = ":memory:";
const PARAMETERS: [Parameter; 1] = [Parameter::word("mode", &["rwc", "rw"])];

impl Target {
    /// The file at `path`, from now on wherever the process changes its directory to.
    pub(super) fn file(path: &Path) -> Result<Target, OpenError> {
        let bad = |problem| OpenError::BadPath {
            path: path.to_owned(),
            problem,
        };
        if path.as_os_str().is_empty() {
            return Err(bad("it is empty"));
        }
        let text = path.to_str().ok_or_else(|| bad("it is not UTF-8"))?;
        if text.contains('\0') {
            return Err(bad("it has a NUL character"));
        }
        // An absolute path also keeps SQLite from reading `file:…` and `:memory:` as something
        // else.
        let absolute =
            std::path::absolute(path).map_err(|_| bad("the current directory is gone"))?;
        Ok(Target::File(absolute))
    }

    /// What a URL means, and whether it says what to do about a missing file.
    pub(super) fn parse(url: &str) -> Result<(Target, Option<Missing>), OpenError> {
        let bad = |problem: String| OpenError::BadUrl {
            url: url.to_owned(),
            problem,
        };
        let parts = FileUrl::parse(url, "sqlite").map_err(|error| bad(error.to_string()))?;
        let checked = parts.check_parameters(&PARAMETERS);
        checked.map_err(|error| bad(error.to_string()))?;
        let missing = parts.parameter("mode").map(|mode| match mode {
            "rw" => Missing::Refuse,
            _ => Missing::Create,
        });
        match parts.path() {
            "" => Err(bad("it names no file".to_owned())),
            MEMORY => Ok((Target::Memory, missing)),
            path => Ok((Target::file(Path::new(path))?, missing)),
        }
    }

    /// The database for people to read: `sqlite:/var/lib/app/sexton.db`.
    pub(super) fn location(&self) -> String {
        match self {
            Target::File(path) => format!("sqlite:{}", path.display()),
            Target::Memory => format!("sqlite:{MEMORY}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> String {
        match Target::parse(url) {
            Ok((target, missing)) => format!("{} {missing:?}", target.location()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_url_names_a_file_or_memory() {
        let here = std::env::current_dir().unwrap();
        let here = here.display();
        assert_eq!(parsed("sqlite:a.db"), format!("sqlite:{here}/a.db None"));
        assert_eq!(parsed("sqlite:/var/a.db"), "sqlite:/var/a.db None");
        assert_eq!(
            parsed("sqlite:///var/a b%20.db"),
            "sqlite:/var/a b%20.db None"
        );
        assert_eq!(parsed("sqlite::memory:"), "sqlite::memory: None");
        assert_eq!(parsed("sqlite:/a.db?mode=rw"), "sqlite:/a.db Some(Refuse)");
        assert_eq!(
            parsed("sqlite:file:a.db"),
            format!("sqlite:{here}/file:a.db None")
        );
    }

    #[test]
    fn a_bad_url_is_told_what_is_wrong_with_it() {
        insta::assert_snapshot!(parsed("postgres://localhost"), @r#""postgres://localhost" is not the URL of a SQLite database: it does not begin with sqlite:; write sqlite:PATH or sqlite::memory:"#);
        insta::assert_snapshot!(parsed("sqlite://a.db"), @r#""sqlite://a.db" is not the URL of a SQLite database: behind sqlite:// stands an absolute path, sqlite:///PATH; any other goes without //; write sqlite:PATH or sqlite::memory:"#);
        insta::assert_snapshot!(parsed("sqlite:"), @r#""sqlite:" is not the URL of a SQLite database: it names no file; write sqlite:PATH or sqlite::memory:"#);
        insta::assert_snapshot!(parsed("sqlite:a.db?mode=ro"), @r#""sqlite:a.db?mode=ro" is not the URL of a SQLite database: mode must be one of rwc, rw; write sqlite:PATH or sqlite::memory:"#);
        insta::assert_snapshot!(parsed("sqlite:a\0b"), @r#""a\0b" cannot name a database: it has a NUL character"#);
    }
}
