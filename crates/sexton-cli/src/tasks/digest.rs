//! What tells a task's work apart from other work of the same name.

use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;

use sha2::{Digest, Sha256};

use super::{CommandSpec, HttpSpec, Program, Work};
use crate::secret::Secret;

/// How many bytes of the hash are kept.
const BYTES: usize = 8;

impl Work {
    /// A digest of what is done, as the file writes it. It is the same on replicas whose
    /// environments fill in other values, or whose files lie in other folders.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut parts = Parts::default();
        match self {
            Work::Command(command) => parts.command(command),
            Work::Http(request) => parts.request(request),
        }
        let hash = parts.0.finalize();
        hash.iter()
            .take(BYTES)
            .fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            })
    }
}

#[derive(Default)]
struct Parts(Sha256);

impl Parts {
    /// Adds a part so that no two lists of parts are alike.
    fn add(&mut self, part: impl AsRef<[u8]>) {
        let part = part.as_ref();
        self.0.update(part.len().to_be_bytes());
        self.0.update(part);
    }

    fn written(&mut self, secret: Option<&Secret>) {
        match secret {
            Some(secret) => self.add(secret.written_bytes()),
            None => self.add("none"),
        }
    }

    fn command(&mut self, command: &CommandSpec) {
        match &command.program {
            Program::Argv { program, arguments } => {
                self.add("command");
                self.written(Some(program));
                arguments.iter().for_each(|one| self.written(Some(one)));
            }
            Program::Shell { shell, script } => {
                self.add("shell");
                self.add(shell.as_bytes());
                self.add(script.as_bytes());
            }
        }
        for (name, value) in &command.variables {
            self.add(name);
            self.written(Some(value));
        }
        self.written(command.stdin.as_ref());
        self.add(command.run_as.as_ref().map_or("", |user| &user.name));
        self.add(format!(
            "{:?} {:?} {:?}",
            command.umask, command.nice, command.limits
        ));
    }

    fn request(&mut self, request: &HttpSpec) {
        self.add("http");
        self.add(request.method.as_str());
        self.add(&request.url_shown);
        for (name, value) in &request.headers {
            self.add(name.as_str());
            self.written(Some(value));
        }
        self.written(request.body.as_ref());
        self.add(request.accept.to_string());
        self.add(format!("{:?}", request.redirects));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::tasks::{Inherit, Limits, MissingCwd};

    fn command(arguments: &[Secret]) -> Work {
        Work::Command(Box::new(CommandSpec {
            program: Program::Argv {
                program: Secret::plain("dump"),
                arguments: arguments.to_vec(),
            },
            cwd: None,
            missing_cwd: MissingCwd::Fail,
            inherit: Inherit::default(),
            variables: BTreeMap::new(),
            stdin: None,
            run_as: None,
            umask: None,
            nice: None,
            limits: Limits::default(),
        }))
    }

    #[test]
    fn it_is_that_of_what_is_written() {
        let of = |arguments: &[Secret]| command(arguments).digest();
        let plain = Secret::plain;
        assert_eq!(of(&[plain("--all")]), of(&[plain("--all")]));
        assert_eq!(of(&[plain("--all")]).len(), 2 * BYTES);
        assert_ne!(of(&[plain("--all")]), of(&[plain("--some")]));
        assert_ne!(of(&[plain("a b")]), of(&[plain("a"), plain("b")]));
        let here = Secret::resolved("${HOST}", "one");
        let there = Secret::resolved("${HOST}", "two");
        assert_eq!(of(&[here]), of(&[there]));
    }
}
