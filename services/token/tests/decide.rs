//! Tests of the decisions of a keeper, without a runtime.

use paihao_contracts::token::TokenRecord;
use paihao_token::decide::{Action, KeeperState, RefreshPolicy};
use paihao_wechat::{CallError, FailureClass, Refusal, fingerprint};
use std::time::Duration;

const NOW: i64 = 1_700_000_000_000;
const SECOND: i64 = 1_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 3_600_000;

fn stable() -> KeeperState {
    KeeperState::new(RefreshPolicy::stable(Duration::from_secs(250)), 0.0)
}

fn classic() -> KeeperState {
    KeeperState::new(RefreshPolicy::classic(Duration::from_secs(600)), 0.0)
}

fn token(text: &str, fetched_at_ms: i64, lives_s: i64) -> TokenRecord {
    TokenRecord {
        v: 1,
        token: text.to_owned(),
        fetched_at_ms,
        expires_at_ms: fetched_at_ms + lives_s * SECOND,
        fence: 1,
        forced_at_ms: Vec::new(),
    }
}

fn wait(until_ms: i64) -> Action {
    Action::Wait { until_ms }
}

const FETCH: Action = Action::Fetch { force: false };
const FORCE: Action = Action::Fetch { force: true };

fn refusal(meaning: FailureClass) -> CallError {
    CallError::Refused(Refusal { code: 1, name: "x", class: meaning, sentence: String::new() })
}

#[test]
fn no_token_is_fetched_at_once() {
    assert_eq!(stable().decide(NOW, None), FETCH);
    assert_eq!(classic().decide(NOW, None), FETCH);
}

#[test]
fn a_fresh_token_is_left_alone_until_shortly_before_its_end() {
    let stored = token("a", NOW, 7200);
    let due = NOW + (7200 - 250) * SECOND;
    assert_eq!(stable().decide(NOW, Some(&stored)), wait(due));
    assert_eq!(stable().decide(due - 1, Some(&stored)), wait(due));
    assert_eq!(stable().decide(due, Some(&stored)), FETCH);
    assert_eq!(classic().decide(NOW, Some(&stored)), wait(NOW + (7200 - 600) * SECOND));
}

#[test]
fn the_stable_channel_gets_no_request_while_it_would_return_the_same() {
    let stored = token("a", NOW, 7200);
    for spread in [-1.0, -0.3, 0.0, 0.7, 1.0] {
        let state = KeeperState::new(RefreshPolicy::stable(Duration::from_secs(250)), spread);
        let Action::Wait { until_ms } = state.decide(NOW, Some(&stored)) else { panic!() };
        let left = (stored.expires_at_ms - until_ms) / SECOND;
        assert!((225..300).contains(&left), "{left} s left");
    }
}

#[test]
fn the_same_token_again_is_refreshed_when_half_of_the_rest_has_passed() {
    let again = token("a", NOW, 240);
    assert_eq!(stable().decide(NOW, Some(&again)), wait(NOW + 120 * SECOND));
}

#[test]
fn a_short_lived_token_is_not_fetched_without_pause() {
    let mut state = stable();
    let mut now = NOW;
    let mut fetches = 0;
    let mut stored = None;
    while now < NOW + HOUR {
        match state.decide(now, stored.as_ref()) {
            Action::Fetch { .. } => {
                fetches += 1;
                state.fetch_started(now, false);
                state.fetch_succeeded("a", 0.0);
                stored = Some(token("a", now, 1));
            }
            Action::Wait { until_ms } => now = until_ms,
        }
    }
    assert!((2..=60).contains(&fetches), "{fetches}");
}

#[test]
fn a_refused_token_is_fetched_again_and_then_forced() {
    let stored = token("a", NOW, 7200);
    let mut state = stable();
    state.report_refused(&fingerprint("a"));
    assert_eq!(state.decide(NOW, Some(&stored)), FETCH);
    state.fetch_started(NOW, false);
    state.fetch_succeeded("a", 0.0);
    assert_eq!(state.decide(NOW, Some(&stored)), FORCE);
    state.fetch_started(NOW, true);
    state.fetch_succeeded("b", 0.0);
    let stored = token("b", NOW, 7200);
    assert_eq!(state.decide(NOW, Some(&stored)), wait(NOW + 6950 * SECOND));
    assert_eq!(state.forced_within_day(NOW, Some(&stored)), [NOW]);
}

#[test]
fn a_forced_token_that_is_refused_at_once_is_fetched_again_only_when_another_may_be_forced() {
    let mut state = stable();
    state.fetch_started(NOW, true);
    state.fetch_succeeded("b", 0.0);
    let mut stored = token("b", NOW, 7200);
    stored.forced_at_ms = vec![NOW];
    state.report_refused(&fingerprint("b"));
    assert_eq!(state.decide(NOW + SECOND, Some(&stored)), wait(NOW + 30 * SECOND));
    assert_eq!(state.decide(NOW + 30 * SECOND, Some(&stored)), FETCH);
    // A refusal an hour later is unrelated to the forced fetch.
    assert_eq!(state.decide(NOW + HOUR, Some(&stored)), FETCH);
}

#[test]
fn a_refusal_that_asking_settles_forces_nothing() {
    let mut state = stable();
    state.report_refused(&fingerprint("a"));
    state.fetch_started(NOW, false);
    state.fetch_succeeded("b", 0.0);
    let stored = token("b", NOW, 7200);
    assert!(matches!(state.decide(NOW, Some(&stored)), Action::Wait { .. }));
    assert!(state.forced_within_day(NOW, None).is_empty());
}

#[test]
fn a_refused_token_that_is_no_longer_the_stored_one_changes_nothing() {
    let mut state = stable();
    state.report_refused(&fingerprint("old"));
    assert!(matches!(state.decide(NOW, Some(&token("a", NOW, 7200))), Action::Wait { .. }));
}

#[test]
fn the_same_report_again_does_not_begin_anew() {
    let stored = token("a", NOW, 7200);
    let mut state = stable();
    state.report_refused(&fingerprint("a"));
    state.fetch_started(NOW, false);
    state.fetch_succeeded("a", 0.0);
    state.report_refused(&fingerprint("a"));
    assert_eq!(state.decide(NOW, Some(&stored)), FORCE);
}

#[test]
fn the_classic_channel_never_forces() {
    let stored = token("a", NOW, 7200);
    let mut state = classic();
    state.report_refused(&fingerprint("a"));
    assert_eq!(state.decide(NOW, Some(&stored)), FETCH);
    state.fetch_started(NOW, false);
    state.fetch_succeeded("a", 0.0);
    assert_eq!(state.decide(NOW, Some(&stored)), FETCH);
}

/// Refuses every token at once for two days and counts the forced fetches.
#[test]
fn forcing_keeps_to_wechats_ration_however_many_refusals_come() {
    let mut state = stable();
    let mut now = NOW;
    let mut n = 0;
    let mut forced = Vec::new();
    let mut next_death = 3;
    let mut stored = token("0", NOW, 7200);
    while now < NOW + 48 * HOUR {
        state.report_refused(&fingerprint(&stored.token));
        match state.decide(now, Some(&stored)) {
            Action::Fetch { force } => {
                state.fetch_started(now, force);
                if force {
                    forced.push(now);
                    n += 1;
                }
                let record = token(&n.to_string(), now, 7200);
                state.fetch_succeeded(&record.token, 0.0);
                let forced_at_ms = state.forced_within_day(now, Some(&stored));
                stored = TokenRecord { forced_at_ms, ..record };
            }
            Action::Wait { until_ms } => {
                assert!(until_ms > now);
                now = until_ms;
            }
        }
        // A keeper that takes over knows only what is stored.
        if forced.len() == next_death {
            state = stable();
            next_death += 7;
        }
    }
    assert!(forced.len() > 20, "{}", forced.len());
    assert!(forced.windows(2).all(|pair| pair[1] - pair[0] >= 30 * SECOND));
    assert!(forced.windows(21).all(|span| span[20] - span[0] >= 24 * HOUR));
}

#[test]
fn fetching_keeps_to_its_budget_on_both_channels() {
    for (mut state, a_minute, an_hour) in [(stable(), 6, 60), (classic(), 3, 20)] {
        let mut now = NOW;
        let mut fetched = Vec::new();
        while now < NOW + 3 * HOUR {
            match state.decide(now, None) {
                Action::Fetch { force } => {
                    fetched.push(now);
                    state.fetch_started(now, force);
                    state.fetch_succeeded("a", 0.0);
                }
                Action::Wait { until_ms } => now = until_ms,
            }
        }
        let apart = |n: usize, span: i64| fetched.windows(n + 1).all(|w| w[n] - w[0] >= span);
        assert!(apart(a_minute, MINUTE) && apart(an_hour, HOUR), "{} fetches", fetched.len());
    }
}

/// The waits between attempts while this error lasts.
fn waits(error: &CallError, spread: f64) -> Vec<i64> {
    let mut state = stable();
    let mut now = NOW;
    (0..12)
        .map(|_| {
            state.fetch_started(now, false);
            state.fetch_failed(now, error, spread);
            match state.decide(now, None) {
                Action::Wait { until_ms } => {
                    let wait = until_ms - now;
                    now = until_ms;
                    wait
                }
                fetch => panic!("{fetch:?}"),
            }
        })
        .collect()
}

#[test]
fn what_passes_is_tried_again_soon_and_then_every_minute() {
    let waits = waits(&CallError::TimedOut, 0.0);
    assert_eq!(waits[..4], [SECOND, 2 * SECOND, 4 * SECOND, 8 * SECOND]);
    assert_eq!(waits[11], MINUTE);
}

#[test]
fn what_somebody_must_correct_is_tried_six_times_an_hour() {
    let waits = waits(&refusal(FailureClass::Configuration), 1.0);
    assert!(waits[0] >= MINUTE && waits[11] >= 10 * MINUTE, "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= 11 * MINUTE), "{waits:?}");
}

#[test]
fn wechats_own_minimum_holds() {
    let least = Duration::from_secs(3600);
    let waits = waits(&refusal(FailureClass::RetryLater(Some(least))), -1.0);
    assert!(waits.iter().all(|wait| *wait >= HOUR), "{waits:?}");
}

#[test]
fn a_failure_keeps_the_stored_token_in_use_and_success_ends_the_wait() {
    let mut state = stable();
    let stored = token("a", NOW - 7000 * SECOND, 7200);
    assert_eq!(state.decide(NOW, Some(&stored)), FETCH);
    state.fetch_started(NOW, false);
    state.fetch_failed(NOW, &CallError::TimedOut, 0.0);
    assert_eq!(state.decide(NOW, Some(&stored)), wait(NOW + SECOND));
    state.fetch_started(NOW + SECOND, false);
    state.fetch_succeeded("b", 0.0);
    assert_eq!(state.decide(NOW + SECOND, None), FETCH);
}

#[test]
fn new_credentials_are_proved_at_once_and_then_all_is_as_before() {
    let token = token("a", NOW, 7200);
    let mut state = stable();
    assert!(matches!(state.decide(NOW, Some(&token)), Action::Wait { .. }));
    state.mark_credentials_changed();
    assert_eq!(state.decide(NOW, Some(&token)), FETCH);
    state.fetch_failed(NOW, &refusal(FailureClass::Configuration), 0.0);
    assert_eq!(state.decide(NOW, Some(&token)), wait(NOW + MINUTE));
    assert_eq!(state.decide(NOW + MINUTE, Some(&token)), FETCH);
    state.fetch_succeeded(&token.token, 0.0);
    assert!(matches!(state.decide(NOW + MINUTE, Some(&token)), Action::Wait { .. }));
}

#[test]
fn a_token_refused_again_after_a_force_means_that_every_one_is() {
    let token = token("a", NOW, 7200);
    let mut state = stable();
    assert!(!state.is_every_token_refused(NOW, Some(&token)));
    state.report_refused(&fingerprint(&token.token));
    assert!(!state.is_every_token_refused(NOW, Some(&token)), "asking may help");
    state.fetch_started(NOW, true);
    assert!(state.is_every_token_refused(NOW, Some(&token)));
    assert!(!state.is_every_token_refused(NOW + HOUR, Some(&token)), "an hour later");
    state.fetch_succeeded("another", 0.0);
    assert!(!state.is_every_token_refused(NOW, Some(&token)));
}
