//! What a manager may do wrong.

macro_rules! faults {
    (
        asked { $($asked:ident,)+ }
        claims { $($claims:ident,)+ }
        settling { $($settling:ident,)+ }
    ) => {
        /// What a manager does wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Fault {
            $($asked,)+
            $($claims,)+
            $($settling,)+
        }

        impl Fault {
            pub(crate) const ALL: &[Fault] = &[
                $(Fault::$asked,)+
                $(Fault::$claims,)+
                $(Fault::$settling,)+
            ];

            /// Whether it takes a look at what the store has, before each claim.
            pub(crate) fn is_about_claims(self) -> bool {
                matches!(self, $(Fault::$claims)|+)
            }

            /// Whether it takes a look at what waits, before each settlement.
            pub(crate) fn is_about_settling(self) -> bool {
                matches!(self, $(Fault::$settling)|+)
            }
        }
    };
}

faults! {
    asked {
        ClaimIdIgnored,
        TooEarlyGranted,
        PauseIgnored,
        OverlapIgnored,
        PlacementIgnored,
        RecoveryForgotten,
        LeaseTooLong,
        LeaseTooShort,
        AttemptsNotCounted,
        FenceReused,
        BatchReversed,
        LargeBatchTaken,
        ClockOfTheEpoch,
        RenewalForgotten,
        CancelNotTold,
        SettledWithoutAsking,
        OutcomeForgotten,
        ErrorForgotten,
        ReleaseForgotten,
        ConsumptionForgotten,
        WatermarkBeforeNotTold,
        WatermarkOfConsumedNotTold,
        CoveredNotRecorded,
        CoveredAlwaysRecorded,
        NoteForgotten,
        CoveredByAnother,
        RecoveryHasDeadline,
        ReasonsConfused,
        SweepFindsNothing,
        SweepForgetsAbsence,
        LeaveForgotten,
        LeavesForAnother,
        IncarnationIgnored,
        IncarnationsTakeTurns,
        DefinitionForgotten,
        KnownSinceForgotten,
        EnqueueForgotten,
        FullNotRefused,
        FullTooEarly,
        CancelForgotten,
        HistoryUnfiltered,
        HistoryInTheWrongOrder,
        PageRepeated,
        PrunedTooMuch,
        PruneForgotten,
        NamesWithoutCase,
        NamespacesShared,
        DeadlineOfReleaseForgotten,
        DeadlineOfEnqueueForgotten,
        DeadlineOfClaimForgotten,
        DeadlineOfReleaseRules,
        DeadlineOfARepeatRules,
        TooLateReleaseCalledOpen,
        QueuedForgottenWithTheLost,
        MissedNotTold,
        MissedNotCounted,
        MissedAlthoughPaused,
        MissedNotWorthASweep,
        MissedBesideARunOfAnotherPage,
        WithdrawalRaisesTheWatermark,
        TriggeredNotListed,
        OriginForgotten,
        OriginLostByAGrant,
        FormerHoldersNotRecorded,
        ScheduleSinceForgotten,
        ScheduleSinceOfAnyChange,
        NeededRecordForgotten,
    }
    claims {
        DeadlineNotGranted,
        DeadlineNotGrantedAgain,
        TooLateCalledTaken,
        TooLateNotClosed,
        TooLateBeforeOurOwn,
        TooLateBeforeTooEarly,
        TooLateBeforePaused,
        PlacementBeforeTooLate,
        OverlapBeforeTooLate,
        EarlierWaitsBeforeTooLate,
        QueuedTooLateBesideARun,
        QueuedTooLateAfterALease,
        EarlierIgnored,
        EarlierMisnamed,
        EarlierConsumesTheLater,
        EarlierOfAnotherIndexGoesFirst,
        EarlierOfTheBatchForgotten,
        EarlierTooLateGoesFirst,
        EarlierBeforeTheRecovered,
        EarlierWaitsBeforeTaken,
        EarlierWaitsBeforePlacement,
        EarlierWaitsBeforeOverlap,
        ReleasedNotSuperseded,
        TriggeredSuperseded,
        BegunSuperseded,
        TooLateSuperseded,
        TriggerRaisesTheWatermark,
        TriggeredGrantedTwice,
        FormerHoldersForgotten,
        FormerHoldersOfAnotherTickCount,
        FormerHoldersShutOut,
        NeededRecordOverlooked,
        NeededRecordConsumedUnderAPause,
    }
    settling {
        QueuedForgottenBySettling,
        SettlingNamesOnlyTheQueued,
        SettlingNamesOnlyTheLater,
        SettlingNamesWithoutALease,
        SettlingNamesBesideALease,
        SettlingNamesTheTooLate,
    }
}
