//! How the program came to its end.

use sexton::ShutdownReport;

/// How the program came to its end.
pub(super) enum Stopped {
    /// What ran has ended, and the store was told, as far as the report says.
    InOrder(ShutdownReport),
    /// By a second signal: nothing was waited for.
    AtOnce,
    /// The grace was over before all was done.
    GraceOver,
}
