//! Packages without the services that they would start by themselves.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::failed::Failed;

/// Keeps packages from starting their services while it lives, in Debian's way
/// (<https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt>).
pub(crate) struct NoServices {
    made: Option<PathBuf>,
}

impl NoServices {
    /// The machine's.
    pub(crate) fn begin() -> Result<NoServices, Failed> {
        NoServices::by(Path::new("/usr/sbin/policy-rc.d"))
    }

    fn by(policy: &Path) -> Result<NoServices, Failed> {
        if policy.exists() {
            // Whoever made it has decided what may start.
            return Ok(NoServices { made: None });
        }
        let failed = |cause| Failed::File {
            doing: "write",
            path: policy.to_owned(),
            cause,
        };
        // Made first, so that it is removed even if the next line fails.
        let made = NoServices {
            made: Some(policy.to_owned()),
        };
        fs::write(policy, "#!/bin/sh\nexit 101\n").map_err(failed)?;
        fs::set_permissions(policy, fs::Permissions::from_mode(0o755)).map_err(failed)?;
        Ok(made)
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if let Some(policy) = &self.made
            && policy.exists()
            && let Err(error) = fs::remove_file(policy)
        {
            eprintln!("xtask: remove {} yourself: {error}", policy.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_is_there_while_packages_are_installed_and_gone_afterwards() {
        let policy = std::env::temp_dir().join(format!("policy-rc.d.{}", std::process::id()));
        let guard = NoServices::by(&policy).unwrap();
        assert!(policy.exists());
        let inner = NoServices::by(&policy).unwrap();
        drop(inner);
        assert!(policy.exists(), "whoever finds a policy leaves it");
        drop(guard);
        assert!(!policy.exists());
    }
}
