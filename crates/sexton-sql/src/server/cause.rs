//! Why a statement failed.

/// Why a statement failed, as far as it makes a difference here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Others were in the way: try again soon.
    Busy,
    /// The connection broke: another one may do.
    Broken,
    /// May pass by itself.
    Transient,
    /// The server refuses this user or the password.
    AuthenticationFailed,
    NoDatabase,
    /// The user may not do this; what it needs.
    NotPrivileged(&'static str),
    /// The server only reads.
    ReadOnly,
    /// Will not pass until somebody acts on this advice.
    Permanent(&'static str),
}

/// Tables that no version made.
pub(crate) const NOT_MADE_BY_US: Cause =
    Cause::Permanent("its tables are not as this version of sexton made them");
