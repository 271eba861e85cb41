//! `cargo xtask servers`: servers newer than this Debian's, for the tests to run on. Their roots
//! come from Debian's own packages and the mirror that apt uses; where they are kept, nothing is
//! started, mounted or installed besides.

mod known;
mod root;

use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) use known::{NEWER, Newer};

use crate::failed::Failed;
use crate::step::succeeds;
use crate::tools;

/// Names the folder that keeps one folder for each newer server.
const KEPT_VARIABLE: &str = "SEXTON_SERVERS";
/// Where they are kept otherwise.
const KEPT: &str = "/var/cache/sexton/servers";

/// What to make, and where.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Which server
    #[arg(value_name = "NAME", value_parser = known::known)]
    name: String,
    /// The folder to make: DIR/bin has its programs [default: where `test --with NAME` looks]
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Debian's mirror [default: the one that apt uses]
    #[arg(long, value_name = "URL")]
    mirror: Option<String>,
}

/// Checks names given to `--with`.
pub(crate) fn known(name: &str) -> Result<String, String> {
    known::known(name)
}

/// Makes a folder with a server, unless that is done.
pub(crate) fn servers(arguments: &Arguments) -> Result<(), Failed> {
    let Some(newer) = Newer::named(&arguments.name) else {
        return Ok(());
    };
    let folder = match &arguments.folder {
        Some(folder) => folder.clone(),
        None => kept().join(newer.name),
    };
    provide(newer, &folder, arguments.mirror.as_deref()).map(drop)
}

/// The folder of a server's wrappers, made where tests look for it if it is not there.
pub(crate) fn provide_kept(newer: &Newer) -> Result<PathBuf, Failed> {
    provide(newer, &kept().join(newer.name), None)
}

fn provide(newer: &Newer, folder: &Path, mirror: Option<&str>) -> Result<PathBuf, Failed> {
    if !root::is_made(folder) {
        let made = make(newer, folder, mirror);
        made.map_err(|why| match why {
            Failed::Interrupted { .. } => why,
            why => Failed::NoServer {
                name: newer.name,
                folder: folder.to_owned(),
                why: Box::new(why),
            },
        })?;
    }
    println!(
        "xtask: {} is in {}: {}",
        newer.name,
        folder.display(),
        root::made(folder)?.trim().replace('\n', ", ")
    );
    Ok(folder.join(root::WRAPPERS))
}

fn make(newer: &Newer, folder: &Path, mirror: Option<&str>) -> Result<(), Failed> {
    if !root::has_namespaces() {
        return Err(Failed::NoNamespaces);
    }
    if !rustix::process::geteuid().is_root() {
        return Err(Failed::NotRoot);
    }
    if !succeeds(Command::new("debootstrap").arg("--version")) {
        tools::install(&["debootstrap"])?;
    }
    let mirror = match mirror {
        Some(mirror) => mirror.to_owned(),
        None => root::mirror()?,
    };
    root::make(newer, folder, &mirror)
}

/// Where servers are kept. The tests start them as other users, who cannot look into the home of
/// the one who made them.
fn kept() -> PathBuf {
    std::env::var_os(KEPT_VARIABLE).map_or_else(|| PathBuf::from(KEPT), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_not_made_again() {
        let folder = std::env::temp_dir().join(format!("xtask-made-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("made"), "mysql-server 9.7\n").unwrap();
        // Nothing could be had from there.
        let mirror = Some("http://127.0.0.1:9/");
        let wrappers = provide(&NEWER[0], &folder, mirror).unwrap();
        assert_eq!(wrappers, folder.join("bin"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
