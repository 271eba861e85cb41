//! The list of all cases, for [`suite`](crate::suite) and [`conformance_tests!`] alike.

/// Hands the list of cases to another macro: a module's name, and in braces its cases with what they
/// need.
#[doc(hidden)]
#[macro_export]
macro_rules! __for_each_case {
    ($($then:tt)::+, $($before:tt)*) => {
        $($then)::+! {
            $($before)*
            claim {
                a_due_tick_is_granted_with_the_first_fence_and_attempt;
                a_second_claimant_is_denied;
                a_tick_that_ended_is_taken;
                a_tick_below_the_watermark_is_taken;
                a_denied_claim_leaves_the_watermark_where_it_was;
                tasks_and_indices_have_registers_of_their_own;
                each_grant_has_a_higher_fence;
                a_tick_ahead_of_the_lead_is_too_early;
                a_tick_that_is_too_early_is_not_recorded;
                the_lead_is_honoured_to_the_millisecond;
                a_tick_of_any_year_can_be_claimed;
                all_thousand_indices_of_a_tick_are_granted_once;
                a_grant_that_needs_a_lease_has_one_from_the_stores_now [Leases];
                nothing_has_to_exist_beforehand;
            }
            batches {
                answers_are_in_the_order_of_the_batch;
                each_entry_sees_what_those_before_it_changed [Leases];
                a_batch_of_the_largest_size_is_decided;
                a_batch_that_is_too_large_is_refused_whole;
                an_empty_batch_succeeds;
            }
            claim_ids {
                a_claim_sent_again_is_granted_as_before [History];
                a_batch_sent_again_is_answered_as_before [History];
                a_leased_claim_sent_again_keeps_its_lease [Leases];
                a_claim_id_says_nothing_of_another_execution [History];
                a_claim_sent_again_after_its_end_is_taken [History];
            }
            clocks {
                every_answer_carries_the_stores_clock;
                a_fast_client_is_granted_nothing_ahead [SkewedClients];
                a_slow_client_is_granted_what_is_due [SkewedClients];
                leases_do_not_depend_on_the_clients_clock [SkewedClients, Leases];
                a_store_whose_clock_is_set_back_grants_nothing_twice [ClockJump];
            }
            consume {
                a_consumed_tick_is_recorded_with_its_reason_and_never_granted [History];
                consuming_raises_the_watermark [History];
                what_runs_is_not_consumed [History];
            }
            contention {
                of_many_that_claim_one_execution_one_is_granted;
                of_batches_in_any_order_each_execution_is_granted_once;
                claims_repeated_amid_contention_keep_their_verdict;
                fences_of_one_index_rise_and_never_repeat;
                an_unprotected_counter_counts_every_tick_once [History];
            }
            history {
                a_grant_is_recorded_with_all_that_it_is [History];
                the_newest_tick_comes_first [History];
                every_filter_keeps_what_it_says [History];
                pages_follow_each_other_without_gap_or_repetition [History];
                what_is_older_than_the_retention_is_pruned_and_stays_taken [History];
                of_each_task_the_newest_so_many_are_kept [History];
                what_runs_or_waits_is_never_pruned [History];
                pruning_stops_near_its_limit [History];
            }
            leases {
                while_the_lease_lasts_nobody_else_is_granted [Leases];
                a_lease_that_ran_out_lets_another_in_with_the_next_attempt_and_fence [Leases];
                at_most_once_is_never_granted_again [Leases];
                attempts_run_out [Leases];
                renewing_keeps_a_lock_past_its_first_lease [Leases];
                a_lease_over_that_nobody_took_is_extended [Leases];
                who_lost_the_lock_learns_of_it_and_may_not_settle [Leases];
                a_lock_without_a_lease_is_renewed_without_one [Leases];
                a_renewal_does_not_shorten_a_lease [Leases];
                what_ended_is_not_renewed [Leases];
                a_lease_is_measured_by_the_stores_clock [Leases];
            }
            names {
                every_name_is_a_task_of_its_own_and_comes_back_as_it_went_in [History];
                every_instance_id_comes_back_as_it_went_in [History];
                namespaces_know_nothing_of_each_other [History];
            }
            operations {
                a_paused_task_consumes_its_ticks_until_it_is_resumed [Operations, Leases, History];
                a_pause_says_why_by_whom_and_since_when [Operations, Leases, History];
                what_runs_goes_on_while_its_task_is_paused [Operations, Leases, History];
                what_is_enqueued_waits_whatever_the_watermark_says [Operations, Leases, History];
                a_running_execution_is_asked_to_stop [Operations, Leases, History];
                what_waits_is_withdrawn [Operations, Leases, History];
                definitions_are_compared_with_the_last_ones [Operations, Leases, History];
                a_task_is_known_since_its_first_definition_or_a_higher_concurrency [Operations];
                tasks_are_listed_with_their_registers [Operations, Leases, History];
                tasks_come_in_pages_by_name [Operations, Leases, History];
                instances_are_there_as_long_as_they_say_so [Operations, Leases, History];
                a_heartbeat_says_whether_a_sweep_would_find_something [Operations, Leases, History];
            }
            overlap {
                allow_grants_while_an_earlier_one_runs [Leases, History];
                skip_consumes_the_tick_and_records_it [Leases, History];
                a_lease_that_is_over_does_not_overlap [Leases, History];
                indices_and_tasks_do_not_overlap_each_other [Leases, History];
                queue_one_waits_and_is_named_when_the_earlier_ends [Leases, History];
                queue_one_keeps_the_newest_of_those_that_wait [Leases, History];
                cancel_the_earlier_asks_it_to_stop_and_waits_for_its_end [Leases, History];
            }
            placement {
                race_lets_one_instance_take_every_index [History];
                distinct_lets_an_instance_take_one_index_of_a_tick [History];
                distinct_holds_within_one_batch [History];
                what_was_released_does_not_count_as_taken [History];
            }
            release {
                what_is_released_is_granted_to_the_next_with_a_higher_fence [History];
                what_is_released_waits_in_the_history [History];
                only_the_holder_may_release_and_only_once [History];
            }
            restart {
                what_was_granted_is_taken_and_still_its_holders [Restart, Leases, History, Operations];
                watermarks_fences_and_pauses_are_kept [Restart, Leases, History, Operations];
                the_history_is_kept [Restart, Leases, History, Operations];
            }
            settle {
                every_outcome_is_recorded_with_its_times_error_and_output [History];
                settling_again_changes_nothing [History];
                only_the_holder_may_settle [History];
                a_settled_tick_leaves_the_next_one_alone [History];
                the_largest_output_is_kept_whole [History];
            }
            sweep {
                a_lost_holders_execution_is_found_with_the_attempt_it_would_be [Leases, History, Operations];
                the_last_attempt_lost_is_closed_as_lost_once [Leases, History, Operations];
                without_a_lease_only_an_absent_instances_execution_is_lost [Leases, History, Operations];
                presence_runs_out [Leases, History, Operations];
                a_sweep_goes_on_behind_the_last_of_the_page [Leases, History, Operations];
            }
            precedence {
                our_own_claim_stands_before_too_early;
                our_own_claim_stands_before_paused [Operations];
                too_early_stands_before_paused [Operations];
                paused_stands_before_taken [Operations];
                paused_stands_before_what_waits [Operations, History];
                what_waits_stands_before_the_watermark [History];
                recovery_stands_before_the_watermark [Leases];
                taken_stands_before_placement;
                taken_stands_before_overlap [Leases];
                placement_stands_before_overlap [Leases];
            }
        }
    };
}

/// Generates a module per group of cases and in it a `#[test]` per case, so that a test runner shows
/// each by name. `make_store` is an `async fn() -> impl Store`; it is called anew for every case.
///
/// To attach several stores in one test binary, put each in a module of its own:
///
/// ```
/// mod in_memory {
///     # use std::sync::Arc;
///     # use sexton_conformance::{Failure, Store};
///     # use sexton_core::{lock::LockManager, memory::MemoryLockManager, name::Namespace};
///     # struct InMemory(MemoryLockManager);
///     # #[async_trait::async_trait]
///     # impl Store for InMemory {
///     #     async fn open(&self, namespace: &Namespace) -> Result<Arc<dyn LockManager>, Failure> {
///     #         Ok(Arc::new(self.0.in_namespace(namespace.clone())))
///     #     }
///     # }
///     async fn make_store() -> impl Store {
///         InMemory(MemoryLockManager::new())
///     }
///     sexton_conformance::conformance_tests!(make_store);
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! conformance_tests {
    ($make_store:ident) => {
        $crate::__for_each_case!($crate::__conformance_tests, $make_store,);
    };
}

/// The tests that [`conformance_tests!`] generates.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    ($make_store:ident, $($module:ident { $($cases:tt)* })+) => {
        $(
            mod $module {
                use super::$make_store;
                $crate::__conformance_tests!(@ $module $make_store $($cases)*);
            }
        )+
    };
    (@ $module:ident $make_store:ident $($case:ident $([$($need:ident),+])?;)+) => {
        $(
            #[test]
            fn $case() {
                let name = concat!(stringify!($module), "::", stringify!($case));
                $crate::run_case_as_test(name, $make_store);
            }
        )+
    };
}
