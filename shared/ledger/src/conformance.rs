//! Conformance suite of the ledger port: one case for each rule of its contract.
//!
//! An implementation calls `paihao_ledger::ledger_conformance!(make)` in a test, where `make` is an
//! `async fn() -> (Arc<dyn Ledger>, Guard)` that returns an empty store. The guard is dropped after
//! the case. Cases wait with generous deadlines and never require speed.

#![expect(clippy::disallowed_methods, reason = "tasks of a case end with its runtime")]

pub mod append;
pub mod follow;
pub mod newest;
pub mod partitions;

pub mod held_log;
pub mod layer;
pub mod next_release;
pub mod routed_ledger;

pub mod consume;
pub mod queue;

use crate::{Deliveries, Delivery, Entry, Ledger, LogItem, Position, StoredEntry, Subject};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use paihao_contracts::streams::Log;
use std::time::Duration;

/// Generates a test for every case, as the module describes, or a test `every_case_in_turn`, for a
/// store that takes long to start.
#[macro_export]
macro_rules! ledger_conformance {
    ($make:ident) => {
        $crate::ledger_conformance! { @all cases $make }
    };
    ($make:ident in turn) => {
        $crate::ledger_conformance! { @all in_turn $make }
    };
    (@all $form:ident $make:ident) => {
        $crate::ledger_conformance! { @$form $make
            append: [
                expects_an_empty_subject_then_a_position,
                a_conflict_carries_what_was_found,
                at_a_position_of_an_empty_subject,
                concurrent_appenders_lose_nothing,
                concurrent_appends_without_precondition,
                subjects_do_not_disturb_each_other,
                logs_do_not_disturb_each_other,
                keeps_entries_unchanged,
                drops_headers_it_cannot_carry,
                last_is_the_newest_of_its_subject,
                an_entry_is_found_by_its_position,
                an_erased_entry_is_gone_and_all_others_stay,
                head_is_the_newest_of_the_log,
                refuses_what_is_too_large,
                entries_age_out,
                answers_a_check,
                dates_entries_by_its_time,
            ]
            follow: [
                from_the_start_and_on,
                from_the_middle,
                an_empty_log_and_its_first_entry,
                without_gap_while_others_append,
                all_followers_see_one_order,
                a_long_log,
                from_beyond_the_end_is_a_restart,
                a_dropped_follower_disturbs_nobody,
                one_subject_alone,
            ]
            newest: [
                an_append_removes_the_one_before,
                the_expectation_is_on_the_newest,
                a_follower_gets_the_newest_of_each_subject,
                one_of_concurrent_appenders_wins_each_round,
            ]
            consume: [
                begins_at_the_oldest_and_goes_on,
                each_entry_to_exactly_one_member,
                keeps_the_order_for_one_member,
                a_dropped_delivery_is_redelivered,
                retry_after_waits,
                dead_letter_keeps_reason_and_origin,
                no_more_than_in_flight,
                acknowledged_entries_stay_acknowledged,
                a_leaving_member_gives_back_its_entries,
                an_unacknowledged_entry_goes_to_another_member,
                extending_keeps_it,
                consumers_do_not_share,
                a_gathering_consumer_gets_every_entry_once,
            ]
            partitions: [
                each_site_is_in_one,
                consumers_of_one_name_do_not_share,
            ]
            queue: [
                one_worker_gets_it_once,
                a_duplicate_key_is_dropped,
                keys_may_contain_any_text,
                waits_before_the_first_time,
                a_delayed_message_lets_others_pass,
                roughly_first_in_first_out,
                survives_until_acknowledged,
                a_dropped_delivery_is_redelivered,
                retry_after_waits,
                dead_letter_keeps_reason_and_origin,
                no_more_than_in_flight,
                extending_keeps_it,
                shared_among_workers,
                queues_do_not_share,
                the_backlog_is_all_that_is_not_acknowledged,
            ]
        }
    };
    (@cases $make:ident $($theme:ident: [$($case:ident),* $(,)?])*) => {
        $(mod $theme {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let (ledger, _guard) = super::$make().await;
                $crate::conformance::$theme::$case(ledger).await;
            })*
        })*
    };
    (@in_turn $make:ident $($theme:ident: [$($case:ident),* $(,)?])*) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn every_case_in_turn() {
            $($({
                println!("{}::{}", stringify!($theme), stringify!($case));
                let case = || async {
                    let (ledger, _guard) = $make().await;
                    $crate::conformance::$theme::$case(ledger).await;
                };
                $crate::conformance::boxed(case).await;
            })*)*
        }
    };
}

/// Makes the future of a case outside its caller's stack, where all cases together are too large.
pub fn boxed<C: Future<Output = ()> + Send + 'static>(
    case: impl FnOnce() -> C,
) -> BoxFuture<'static, ()> {
    Box::pin(case())
}

/// Longest wait for an event that must occur.
const EVENT_TIMEOUT: Duration = Duration::from_secs(60);
/// Wait for an event that must not occur.
const QUIET_PERIOD: Duration = Duration::from_millis(150);

const LOG: Log = Log::permanent("conformance");
const OTHER_LOG: Log = Log::permanent("conformance-other");

fn subject(name: &str) -> Subject {
    Subject::new(&["acc", name]).expect("a plain name")
}

/// Appends without a precondition and returns the position.
async fn append_any(
    ledger: &dyn Ledger,
    log: &Log,
    name: &str,
    payload: impl Into<String>,
) -> Position {
    let entry = Entry::new(payload.into());
    let subject = subject(name);
    let append = ledger.append(log, &subject, crate::ExpectedPosition::Any, entry);
    append.await.expect("an append that expects nothing special")
}

fn payload_text(recorded: &StoredEntry) -> String {
    String::from_utf8(recorded.entry.payload.to_vec()).expect("the case wrote text")
}

async fn with_timeout<T>(description: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(EVENT_TIMEOUT, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {EVENT_TIMEOUT:?} for {description}"),
    }
}

async fn assert_pending(description: &str, future: impl Future) {
    assert!(tokio::time::timeout(QUIET_PERIOD, future).await.is_err(), "{description}");
}

async fn next_entry(follower: &mut BoxStream<'static, LogItem>) -> StoredEntry {
    match with_timeout("an entry", follower.next()).await {
        Some(LogItem::Entry(recorded)) => recorded,
        other => panic!("expected an entry, got {other:?}"),
    }
}

async fn next_entries(
    follower: &mut BoxStream<'static, LogItem>,
    count: usize,
) -> Vec<StoredEntry> {
    let mut all = Vec::new();
    while all.len() < count {
        all.push(next_entry(follower).await);
    }
    all
}

async fn next_delivery(deliveries: &mut Deliveries) -> Delivery {
    with_timeout("a delivery", deliveries.next()).await.expect("deliveries do not end")
}

/// Dead-letters a delivery with a reason and reads its dead letter.
async fn dead_letter_and_find(
    ledger: &dyn Ledger,
    delivery: Delivery,
    reason: &str,
) -> StoredEntry {
    use paihao_contracts::streams::DEAD_LETTERS;
    delivery.dead_letter(reason).await.expect("a store that answers");
    let mut dead_letters = ledger.follow(&DEAD_LETTERS, Position::START).await.expect("a follower");
    let dead_letter = next_entry(&mut dead_letters).await;
    assert_pending("one dead letter only", dead_letters.next()).await;
    dead_letter
}
