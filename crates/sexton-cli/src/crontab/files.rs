//! Which files a path stands for: itself, or those of a folder that cron would read.

use std::fs;
use std::path::{Path, PathBuf};

use super::form::Form;
use crate::visible::visible;

/// Where crons keep the crontabs that users edit, each called as its user: Debian, SUSE, Fedora,
/// FreeBSD, Alpine.
const SPOOLS: [&str; 5] = [
    "var/spool/cron/crontabs",
    "var/spool/cron/tabs",
    "var/spool/cron",
    "var/cron/tabs",
    "etc/crontabs",
];
/// What editors and packagers leave beside a file, which nobody misses.
const LEFT_BEHIND: [&str; 9] = [
    "~", ".bak", ".swp", ".orig", ".rej", ".rpmnew", ".rpmorig", ".rpmsave", ",v",
];

/// A crontab to read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CrontabFile {
    pub(super) path: PathBuf,
    pub(super) form: Form,
    /// Whose crontab it is, if it is not that of the program's own user.
    pub(super) user: Option<String>,
    /// Whether it was found in a folder. Cron passes over such a file if it cannot be used.
    pub(super) is_found: bool,
}

/// The crontabs that a path stands for, and warnings of files that look like crontabs and are not
/// read.
///
/// # Errors
/// Why a folder cannot be read.
pub(super) fn at(
    path: &Path,
    form: Option<Form>,
    user: Option<&str>,
    warnings: &mut Vec<String>,
) -> Result<Vec<CrontabFile>, String> {
    // What is not there is told when it is read.
    if path.as_os_str() == "-" || !path.is_dir() {
        let is_of_spool = form.is_none() && path.parent().is_some_and(is_spool);
        let name = path.file_name().filter(|_| is_of_spool);
        let name = name.map(|name| name.to_string_lossy().into_owned());
        let user = user.map(str::to_owned).or(name);
        let of_user = user.as_ref().map(|_| Form::User);
        return Ok(vec![CrontabFile {
            path: path.to_owned(),
            form: form.or(of_user).unwrap_or_else(|| Form::of(path)),
            user,
            is_found: false,
        }]);
    }
    let unreadable = |error| format!("cannot read the folder {}: {error}", path.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        names.push(entry.map_err(unreadable)?.file_name());
    }
    names.sort();
    let is_spool = is_spool(path) && user.is_none() && form.is_none();
    let mut found = Vec::new();
    for name in names {
        let path = path.join(&name);
        let name = name.to_string_lossy();
        let kind = fs::metadata(&path);
        // A folder is no crontab; what has vanished, or leads nowhere, is told when it is read.
        if name.starts_with('.') || kind.is_ok_and(|kind| !kind.is_file()) {
            continue;
        }
        if !is_spool && !is_name_of_cron(&name) {
            if !LEFT_BEHIND.iter().any(|end| name.ends_with(end)) && !name.contains(".dpkg-") {
                warnings.push(skipped(&format!(
                    "{}: cron reads only files whose names are letters, digits, `_` and `-`",
                    path.display()
                )));
            }
            continue;
        }
        let (form, user) = match (is_spool, user) {
            (true, _) => (Form::User, Some(name.into_owned())),
            (false, Some(user)) => (Form::User, Some(user.to_owned())),
            (false, None) => (form.unwrap_or_else(|| Form::of(&path)), None),
        };
        found.push(CrontabFile {
            path,
            form,
            user,
            is_found: true,
        });
    }
    if found.is_empty() {
        let path = path.display().to_string();
        warnings.push(format!("warning: {} has no crontab\n", visible(&path)));
    }
    Ok(found)
}

/// A warning of a file that is not read; `why` names it.
pub(super) fn skipped(why: &str) -> String {
    format!("warning: a crontab is skipped: {}\n", visible(why))
}

/// Whether each file of the folder is the crontab of the user whose name it has.
fn is_spool(folder: &Path) -> bool {
    if folder.as_os_str().is_empty() {
        return is_spool(Path::new("."));
    }
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    SPOOLS.iter().any(|spool| folder.ends_with(spool))
}

/// Whether cron and `run-parts` read a file of this name.
fn is_name_of_cron(name: &str) -> bool {
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    !name.is_empty() && name.bytes().all(is_of_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(folder: &Path, user: Option<&str>) -> (Vec<CrontabFile>, Vec<String>) {
        let mut warnings = Vec::new();
        let found = super::at(folder, None, user, &mut warnings).unwrap();
        (found, warnings)
    }

    fn names(found: &[CrontabFile]) -> Vec<&str> {
        let names = found.iter().map(|file| file.path.file_name());
        names.map(|name| name.unwrap().to_str().unwrap()).collect()
    }

    #[test]
    fn a_folder_is_the_files_that_cron_reads() {
        let folder = tempfile::tempdir().unwrap();
        let cron_d = folder.path().join("etc/cron.d");
        fs::create_dir_all(cron_d.join("folder")).unwrap();
        for name in [
            "b",
            "a",
            "C-1_x",
            ".placeholder",
            "a~",
            "x.dpkg-old",
            "y.rpmnew",
            "backup.sh",
        ] {
            fs::write(cron_d.join(name), "").unwrap();
        }
        let (found, warnings) = at(&cron_d, None);
        assert_eq!(names(&found), ["C-1_x", "a", "b"]);
        assert!(
            found
                .iter()
                .all(|file| file.form == Form::System && file.is_found)
        );
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("/backup.sh: cron reads only files whose names"));
    }

    #[test]
    fn the_files_of_a_spool_are_those_of_their_users() {
        let folder = tempfile::tempdir().unwrap();
        for spool in SPOOLS.iter().rev() {
            let spool = folder.path().join(spool);
            fs::create_dir_all(&spool).unwrap();
            fs::write(spool.join("john.doe"), "").unwrap();
            let (found, warnings) = at(&spool, None);
            let of_john = |is_found| CrontabFile {
                path: spool.join("john.doe"),
                form: Form::User,
                user: Some("john.doe".to_owned()),
                is_found,
            };
            assert_eq!((found, warnings), (vec![of_john(true)], Vec::new()));
            let (named, _) = at(&spool.join("john.doe"), None);
            assert_eq!(named, [of_john(false)]);
        }
    }

    #[test]
    fn an_empty_folder_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (found, warnings) = at(folder.path(), Some("news"));
        assert!(found.is_empty() && warnings[0].ends_with(" has no crontab\n"));
    }
}
