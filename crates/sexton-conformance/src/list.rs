//! The list of all cases, for [`suite`](crate::suite) and [`conformance_tests!`] alike.

/// Hands the list of cases to another macro: a module's name, and in braces its cases with what
/// they need.
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
                ticks_that_one_covers_are_recorded_below_the_watermark [History];
                what_is_covered_keeps_the_record_it_has [History, Operations];
                what_covers_a_tick_that_was_dealt_with_changes_nothing [History];
            }
            contention {
                of_many_that_claim_one_execution_one_is_granted;
                of_batches_in_any_order_each_execution_is_granted_once;
                claims_repeated_amid_contention_keep_their_verdict;
                fences_of_one_index_rise_and_never_repeat;
                an_unprotected_counter_counts_every_tick_once [History];
            }
            deadlines {
                what_was_released_is_granted_until_its_deadline [History];
                what_was_released_is_too_late_from_its_deadline_on [History];
                a_release_after_the_deadline_closes_the_execution_as_missed [History];
                a_repeat_that_is_given_back_has_no_deadline [Leases, History];
                what_was_asked_to_stop_is_cancelled_by_its_release_and_not_missed [Leases, History, Operations];
                a_release_keeps_the_deadline_that_the_execution_has [History, Operations];
                a_grant_of_what_waited_carries_its_deadline [History];
                a_claim_sent_again_carries_the_deadline_as_before [History];
                what_is_enqueued_is_granted_until_its_deadline [History, Operations];
                what_is_enqueued_is_too_late_from_its_deadline_on [History, Operations];
                what_is_queued_keeps_its_time_while_the_run_before_it_lasts [Leases, History, Operations];
                what_is_queued_has_as_much_time_again_from_the_settling_of_the_run_before_it [Leases, History];
                what_is_queued_without_time_is_too_late_once_the_run_before_it_is_settled [Leases, History];
                what_is_queued_has_as_much_time_again_from_the_end_of_a_lease [Leases, History, Operations];
                what_is_queued_has_as_much_time_again_from_the_end_of_what_is_lost [Leases, History, Operations];
                settling_again_leaves_the_deadline_of_what_is_queued [Leases, History];
                a_grant_after_the_end_of_a_lease_carries_the_deadline_counted_from_there [Leases, History];
                what_a_lost_holder_left_has_no_deadline_any_more [Leases, History];
                what_is_too_late_stays_so_while_a_later_tick_runs [Leases, History, Operations];
                a_sweep_knows_the_runs_that_its_page_does_not_reach [Leases, History, Operations];
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
            identity {
                an_id_is_kept_from_another_incarnation [Operations];
                an_id_is_free_once_its_holder_was_silent_for_half_its_presence [Operations];
                an_id_is_free_once_its_holder_has_left [Operations];
                of_many_incarnations_at_once_one_has_the_id [Operations];
                what_a_former_incarnation_left_running_is_lost [History, Operations];
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
                a_task_has_its_schedule_since_the_canonical_text_last_changed [Operations];
                tasks_are_listed_with_their_registers [Operations, Leases, History];
                tasks_come_in_pages_by_name [Operations, Leases, History];
                instances_are_there_as_long_as_they_say_so [Operations, Leases, History];
                a_heartbeat_says_whether_a_sweep_would_find_something [Operations, Leases, History];
                a_heartbeat_says_that_something_waited_too_long [Operations, Leases, History];
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
                who_held_an_index_and_lost_it_takes_no_other_index_of_that_tick [Leases, History];
                who_lost_an_index_takes_others_of_another_tick [Leases, History];
                who_lost_an_index_may_take_that_one_again [Leases, History];
                a_record_names_who_held_it_and_lost_it [Leases, History];
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
                settling_names_the_earliest_that_waits_whatever_made_it_wait [Leases, History, Operations];
                settling_names_one_that_is_earlier_than_the_settled_one [Leases, History, Operations];
                settling_what_had_no_lease_names_nothing [Leases, History, Operations];
                settling_names_nothing_while_another_runs_under_a_lease [Leases, History, Operations];
                settling_names_nothing_that_is_too_late [Leases, History, Operations];
            }
            sweep {
                a_lost_holders_execution_is_found_with_the_attempt_it_would_be [Leases, History, Operations];
                the_last_attempt_lost_is_closed_as_lost_once [Leases, History, Operations];
                without_a_lease_only_an_absent_instances_execution_is_lost [Leases, History, Operations];
                presence_runs_out [Leases, History, Operations];
                a_sweep_goes_on_behind_the_last_of_the_page [Leases, History, Operations];
                what_waited_too_long_is_closed_as_missed_once [Leases, History, Operations];
                nothing_of_a_paused_task_is_closed_as_missed [Leases, History, Operations];
                what_a_sweep_closes_counts_towards_its_limit [Leases, History, Operations];
            }
            turns {
                a_tick_that_waits_goes_before_a_new_one [Leases, History];
                a_new_tick_that_is_held_up_is_not_recorded [Leases, History, Operations];
                what_waits_is_granted_in_order_under_every_policy [Leases, History, Operations];
                one_batch_is_granted_the_earlier_one_and_then_the_later [History];
                what_waits_holds_up_only_the_later_ticks_of_its_task_and_index [History, Operations];
                what_is_too_late_or_withdrawn_holds_nobody_up [Leases, History, Operations];
                what_is_recovered_is_not_held_up [Leases, History];
                a_new_tick_takes_the_place_of_a_released_one_where_the_newest_is_kept [Leases, History, Operations];
                what_queues_takes_the_place_of_what_was_released [Leases, History];
                what_was_triggered_keeps_its_turn_where_the_newest_is_kept [Leases, History, Operations];
                what_was_triggered_stays_when_newer_ticks_queue [Leases, History, Operations];
                what_may_have_begun_is_not_superseded [Leases, History, Operations];
                what_is_too_late_is_missed_and_not_superseded [Leases, History, Operations];
            }
            triggers {
                a_trigger_leaves_the_watermark_where_it_is [History, Operations];
                a_task_that_was_only_triggered_has_a_fence_and_no_watermark [History, Operations];
                a_triggered_execution_is_never_granted_twice [History, Operations];
                a_trigger_that_is_never_granted_leaves_no_register [Leases, History, Operations];
                at_most_a_hundred_wait_of_an_index [History, Operations];
                an_execution_says_whether_it_was_scheduled_or_triggered [Leases, History, Operations];
                grants_and_releases_keep_what_an_execution_came_from [Leases, History, Operations];
                what_was_found_is_granted_while_it_has_a_record [Leases, History, Operations];
                what_was_found_is_not_granted_once_its_record_is_pruned [Leases, History, Operations];
                what_was_found_and_is_gone_is_not_recorded_under_a_pause [History, Operations];
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
                our_own_claim_stands_before_too_late [History, Operations];
                too_early_stands_before_too_late [History, Operations];
                paused_stands_before_too_late [History, Operations];
                too_late_stands_before_placement [History, Operations];
                too_late_stands_before_overlap [Leases, History, Operations];
                too_late_stands_before_earlier_waits [History, Operations];
                taken_stands_before_earlier_waits [History];
                placement_stands_before_earlier_waits [History, Operations];
                overlap_stands_before_earlier_waits [Leases, History, Operations];
            }
        }
    };
}

/// Generates a module per group of cases and in it a `#[test]` per case, so that a test runner
/// shows each by name. `make_store` is an `async fn() -> impl Store`; it is called again for every
/// case.
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
