//! What stands in TOML files: every crate asks for the workspace's lints, and no test is tried again.

use std::path::Path;

use super::complaint::Complaint;

pub(super) fn look(name: &Path, text: &str) -> Vec<Complaint> {
    if name.ends_with("Cargo.toml") {
        crate_lints(text).into_iter().collect()
    } else if name.ends_with("nextest.toml") {
        retries(text)
    } else {
        Vec::new()
    }
}

fn crate_lints(text: &str) -> Option<Complaint> {
    let mut table = "";
    let mut is_package = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            table = line;
            is_package |= table == "[package]";
        } else if table == "[lints]" && line.replace(' ', "") == "workspace=true" {
            return None;
        }
    }
    is_package.then(|| Complaint::whole("the workspace's lints are not asked for"))
}

fn retries(text: &str) -> Vec<Complaint> {
    let code = |line: &str| line.split('#').next().unwrap_or_default().to_owned();
    (1..)
        .zip(text.lines().map(code))
        .filter(|(_, line)| line.contains("retries"))
        .map(|(line, _)| Complaint::at(line, "a test that fails now and then is not tried again"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_without_the_workspaces_lints_is_found() {
        let complaints = |text: &str| look(Path::new("crates/a/Cargo.toml"), text).len();
        assert_eq!(complaints("[package]\nname = \"a\"\n"), 1);
        assert_eq!(complaints("[package]\n[lints]\n[b]\nworkspace = true\n"), 1);
        assert_eq!(complaints("[package]\n\n[lints]\nworkspace = true\n"), 0);
        // The workspace's own.
        assert_eq!(complaints("[workspace]\n[workspace.lints.rust]\n"), 0);
    }

    #[test]
    fn retries_are_found() {
        let complaints = |text: &str| look(Path::new(".config/nextest.toml"), text).len();
        assert_eq!(complaints("[profile.ci]\nretries = 2\n"), 1);
        assert_eq!(complaints("a = { retries = { count = 1 } }\n"), 1);
        assert_eq!(complaints("# no retries\n"), 0);
    }
}
