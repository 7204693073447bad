//! The conformance suite of the journal port: every rule that the engine relies on, as one test.
//!
//! An adapter implements [`Store`] for its fixture and writes, in an integration test,
//!
//! ```ignore
//! consort_testkit::journal_conformance!(MyFixture::new());
//! ```
//!
//! which makes one `#[tokio::test]` of every rule; `tokio` (`macros`, `rt`) must be among its
//! dependencies.

use std::sync::Arc;

use consort_core::{
    Clock,
    journal::{Journal, JournalError, Message},
};
use futures_util::future::BoxFuture;

pub mod content;
pub mod lists;
pub mod messages;
pub mod order;
pub mod sample;
pub mod states;

/// A place for one journal at a time, as a test sees it. Each rule gets a new one.
pub trait Store: Send + Sync {
    /// Opens the journal, which is empty the first time. It takes the time from `clock`.
    fn open(&self, clock: Arc<dyn Clock>) -> BoxFuture<'_, Result<Arc<dyn Journal>, JournalError>>;

    /// Sends a message as another process would. Needs no open journal.
    fn post(&self, message: Message) -> BoxFuture<'_, Result<(), JournalError>>;
}

/// One `#[tokio::test]` for every rule; the argument makes a new [`Store`].
#[macro_export]
macro_rules! journal_conformance {
    ($store:expr) => {
        $crate::journal_conformance! { $store;
            order: a_refused_change_leaves_no_trace, entries_come_back_in_the_order_of_commit,
                a_dropped_commit_still_happens, an_empty_change_is_accepted,
                commits_of_many_callers_keep_each_callers_order, what_was_committed_survives_closing,
                a_closed_journal_refuses, a_refusal_does_not_touch_its_neighbours;
            states: a_second_start_is_refused, an_idempotency_key_belongs_to_one_run,
                two_starts_under_one_key_in_one_change_are_refused, nothing_follows_the_end,
                the_end_alone_is_that_of_the_history,
                a_run_parks_only_if_it_has_seen_every_entry, any_later_entry_unparks,
                open_runs_are_those_not_ended, a_clock_that_jumps_back_loses_nothing;
            content: every_kind_of_entry_comes_back_as_it_was, numbers_come_back_exactly,
                large_texts_come_back_as_they_were, content_is_kept_once_and_given_back,
                retention_removes_trees_that_ended_before, retention_keeps_what_is_referred_to,
                retention_leaves_unfinished_trees_alone;
            lists: newest_trees_first_and_parents_before_children, every_filter_holds,
                pages_follow_each_other, a_page_has_a_hundred_runs_by_default,
                a_summary_counts_steps_and_spend, spend_is_kept_by_the_hour,
                a_childs_spend_is_counted_once, spend_outlives_its_runs;
            messages: messages_wait_in_order_until_they_are_applied,
                a_refused_change_leaves_its_messages, the_bell_rings_for_a_message,
                messages_may_be_sent_to_a_journal_nobody_has_open;
        }
    };
    ($store:expr; $($group:ident: $($rule:ident),+;)+) => {
        $($(
            #[::tokio::test]
            async fn $rule() {
                $crate::journal::$group::$rule(&$store).await;
            }
        )+)+
    };
}
