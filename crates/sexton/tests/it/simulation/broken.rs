//! What a simulated store does wrong on request.

/// A rule that the store does not keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Break {
    /// A grant does not raise the watermark.
    WatermarkNotAdvanced,
    /// Whose claim an execution was granted to is not remembered.
    ClaimIdIgnored,
    /// An execution is granted again whether or not its lease is over.
    LeaseNotChecked,
    /// What time it is, the claimant says.
    ClientsClockTrusted,
    /// A grant does not raise the fence.
    FenceReused,
    /// Since when a task is known is not remembered.
    KnownSinceForgotten,
    /// Since when a task has its schedule is not remembered.
    ScheduleSinceForgotten,
    /// What waits has no deadline.
    DeadlineForgotten,
    /// An earlier tick that waits holds nobody up.
    EarlierForgotten,
    /// Who held an execution before is not remembered.
    FormerHoldersForgotten,
    /// A trigger raises the watermark.
    WatermarkRaisedByTrigger,
    /// What the watermark has passed is not recorded, although it is covered.
    CoveredNotRecorded,
    /// What is settled is forgotten at once, by the shortest retention. This breaks no rule, but
    /// distinct placement cannot look at what is forgotten.
    SettledForgotten,
    /// The same, and a claim that needs a record is granted without one.
    NeededRecordForgotten,
}
