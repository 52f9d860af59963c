//! What every `Store` does. A case is an async function over `&dyn Store`; its line in
//! [`store_contract`] makes it a test of both databases.

pub(crate) mod attachments;
pub(crate) mod beginnings;
pub(crate) mod feedback;
pub(crate) mod groups;
pub(crate) mod history;
pub(crate) mod items;
pub(crate) mod leases;
pub(crate) mod runs;
pub(crate) mod sessions;
pub(crate) mod tasks;
pub(crate) mod text;
pub(crate) mod threads;
pub(crate) mod token_use;
pub(crate) mod upkeep;
pub(crate) mod waiting_calls;
pub(crate) mod writes;

/// Makes every case a test on a database that the function opens, with the attributes given.
macro_rules! store_contract {
    ($(#[$attribute:meta])? $open:path) => {
        store_contract! { @cases [$(#[$attribute])?] $open;
            threads::a_thread_comes_back_as_it_was_given;
            threads::a_thread_id_is_taken_once;
            threads::a_thread_is_found_by_its_user_only;
            threads::threads_are_listed_by_their_last_change;
            threads::pages_of_threads_have_no_gap_and_no_repeat;
            threads::threads_of_one_time_are_listed_by_id;
            threads::archived_threads_are_listed_apart;
            threads::a_cursor_that_is_not_the_users_gives_no_page;
            threads::a_patch_changes_what_it_names;
            threads::a_patch_takes_away_what_it_names;
            threads::nobody_changes_or_deletes_anothers_thread;
            threads::a_deleted_thread_takes_everything_with_it;
            threads::a_deleted_thread_is_answered_with_its_active_run;
            items::items_are_listed_in_the_order_of_their_insertion;
            items::pages_of_items_have_no_gap_and_no_repeat;
            items::a_cursor_of_another_thread_gives_no_page;
            items::items_are_found_in_their_thread_by_their_user_only;
            items::nobody_writes_into_anothers_thread;
            items::a_replaced_item_keeps_its_place;
            items::an_item_given_twice_is_kept_once;
            items::only_items_that_clients_see_are_counted;
            items::an_item_id_of_another_thread_is_refused;
            items::every_kind_of_item_comes_back_as_it_was_given;
            items::a_widget_comes_back_byte_for_byte;
            items::writing_items_changes_the_threads_time;
            history::a_history_holds_the_newest_items_oldest_first;
            history::a_history_holds_the_tool_calls_of_its_items;
            feedback::feedback_is_kept_for_items_of_the_users_thread;
            feedback::feedback_is_kept_for_all_items_or_none;
            runs::a_run_in_a_new_thread_makes_the_thread;
            runs::a_run_in_anothers_thread_finds_nothing;
            runs::a_thread_has_one_run_at_a_time;
            runs::of_many_runs_at_once_one_starts;
            beginnings::runs_that_begin_at_once_begin_each_with_its_own;
            beginnings::of_runs_at_once_those_that_may_not_begin_hold_up_no_other;
            beginnings::of_runs_at_once_with_one_key_one_begins;
            runs::a_thread_takes_a_run_after_the_last_one_ended;
            runs::a_refused_run_leaves_nothing_behind;
            runs::a_run_deletes_what_comes_after_an_item;
            runs::a_run_is_refused_when_the_item_to_delete_after_is_elsewhere;
            runs::a_run_deletes_items_of_its_thread_only;
            runs::a_run_replaces_items_in_place;
            runs::a_run_is_refused_when_what_it_expects_has_changed;
            runs::a_run_is_refused_when_what_it_expects_newest_is_not;
            runs::a_run_gives_up_client_tool_calls_that_wait;
            runs::a_key_used_again_names_the_first_run;
            runs::a_key_used_for_another_request_is_refused;
            runs::a_key_counts_for_its_user_and_route_only;
            runs::a_key_too_old_is_as_good_as_new;
            runs::a_key_outlives_its_thread;
            runs::a_refused_run_leaves_its_key_unused;
            runs::of_many_requests_with_a_key_one_starts_and_the_others_replay;
            runs::a_run_is_found_by_its_user_only;
            runs::the_point_to_go_on_from_is_the_last_one_and_goes_with_the_runs_end;
            runs::a_stop_is_asked_for_by_the_user_of_a_live_run;
            runs::runs_to_stop_are_those_asked_for_and_those_not_under_way;
            attachments::an_attachment_comes_back_as_it_was_given;
            attachments::attachments_are_found_by_their_user_in_the_order_asked_for;
            attachments::a_run_binds_attachments_to_its_thread;
            attachments::a_run_is_refused_when_an_attachment_is_not_to_be_had;
            attachments::a_deleted_thread_takes_its_attachments;
            attachments::an_attachment_is_deleted_by_its_user_only;
            writes::a_checkpoint_keeps_events_items_and_calls;
            writes::the_first_write_sets_a_run_running;
            writes::an_end_keeps_status_usage_error_and_time;
            writes::an_ended_run_takes_no_write;
            writes::an_end_sent_again_counts_as_written;
            writes::a_checkpoint_sent_again_changes_nothing;
            writes::events_are_listed_after_a_number;
            writes::an_item_written_again_keeps_its_place_and_its_run;
            writes::a_removed_item_is_gone_and_not_counted;
            writes::an_item_written_and_removed_at_once_is_not_kept;
            writes::a_run_changes_its_threads_title;
            writes::a_run_of_a_deleted_thread_has_lost_its_lease;
            leases::a_stale_token_writes_nothing;
            leases::a_claim_takes_the_right_to_write;
            leases::an_ended_run_is_not_claimed;
            leases::no_more_runs_are_claimed_than_asked_for;
            leases::a_claim_that_comes_too_late_by_the_databases_clock_takes_nothing;
            leases::a_write_for_another_thread_than_the_runs_is_lost;
            waiting_calls::a_call_that_waits_is_found_with_its_item_by_its_user;
            waiting_calls::of_many_decisions_about_a_call_one_counts;
            waiting_calls::a_call_that_waits_no_more_is_not_decided;
            waiting_calls::the_run_that_decided_writes_what_the_call_gave;
            waiting_calls::a_new_message_gives_up_the_calls_of_its_thread_that_wait;
            groups::a_group_answers_each_write_in_its_place;
            groups::one_bad_write_does_not_harm_the_others;
            groups::several_writes_of_one_run_are_made_in_order;
            groups::a_group_of_nothing_answers_nothing;
            groups::a_large_group_is_written_whole;
            text::nul_becomes_the_replacement_character_everywhere;
            text::text_of_every_script_comes_back;
            text::text_that_looks_like_json_stays_text;
            sessions::a_session_comes_back_as_it_was_given;
            sessions::a_session_is_inserted_once;
            sessions::a_token_is_rotated_by_who_holds_it;
            sessions::of_many_rotations_at_once_one_wins;
            sessions::a_revoked_session_rotates_no_more;
            sessions::an_unknown_session_can_be_revoked;
            sessions::nobody_revokes_anothers_session;
            sessions::revoked_sessions_are_listed_since_a_time;
            tasks::a_task_comes_back_as_it_was_given;
            tasks::tasks_are_listed_oldest_first_and_by_state;
            tasks::a_task_patch_changes_what_it_names;
            tasks::nobody_sees_or_changes_anothers_task;
            tasks::the_number_of_a_deleted_task_is_not_used_again;
            token_use::tokens_are_counted_with_the_users_day_and_with_that_of_all;
            token_use::tokens_of_a_run_are_counted_once;
            token_use::days_that_lie_long_back_are_forgotten;
            upkeep::what_has_served_its_time_is_deleted;
            upkeep::a_migrated_database_passes_its_check;
            upkeep::a_closed_store_is_unavailable;
        }
    };
    (@cases $attributes:tt $open:path; $($area:ident::$case:ident;)*) => {
        $(store_contract! { @case $attributes $open; $area $case })*
    };
    (@case [$($attribute:tt)*] $open:path; $area:ident $case:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        $($attribute)*
        async fn $case() {
            let database = $open().await;
            crate::contract::$area::$case(database.store()).await;
            database.discard().await;
        }
    };
}

pub(crate) use store_contract;
