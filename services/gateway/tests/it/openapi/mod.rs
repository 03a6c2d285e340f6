//! Tests of the OpenAPI document against a running gateway. Every operation is called by every
//! role, and gives every answer and every refusal that the document names, and no other.

mod fixture;
mod script;
mod templates;
mod walk;

mod acts;
mod answers;
mod codes;
mod everywhere;
mod foreign;
mod logins;
mod managed;
mod random;
mod refusals;
mod routes;

use std::collections::BTreeSet;
use walk::{Coverage, OPERATIONS};

/// Operations of a ticket's holder.
const HOLDER_OPERATIONS: &str = "coming let_pass come_back tell_me give_up held_ticket_events";

/// Answers that these tests cannot cause, by operation, with the reason; `*` is every operation.
const UNCOVERED: &[(&str, &str, &str)] = &[
    (HOLDER_OPERATIONS, "too_many_wishes", "twenty in a minute: `gateway/src/http/link_limit.rs`"),
    (HOLDER_OPERATIONS, "body_too_large", "as everybody's: `http-api/src/body.rs`"),
    (HOLDER_OPERATIONS, "malformed_idempotency_key", "as staff's, by the same function"),
    (HOLDER_OPERATIONS, "newer_ledger", "as staff's, by the same function"),
    ("tell_me", "not_allowed", "a ticket on paper: `domain/tests/line/transitions/law.rs`"),
    ("come_back", "too_often", "fewer returns than before: as staff's `return`"),
    ("feed", "too_many_feeds", "sixty-four streams: `gateway/tests/it/feed/resuming.rs`"),
    ("*", "cursor_gone", "a ledger that has forgotten: `gateway/tests/it/feed/resuming.rs`"),
    ("replay_webhook", "replay_too_large", "ten thousand events: `e2e/webhooks.rs`"),
    ("*", "day_turned", "a day that turns meanwhile: `gateway/tests/it/ticket/day_turn.rs`"),
    ("*", "day_unconfirmed", "a clock that nothing confirms: `gateway/tests/it/engine/clocks.rs`"),
    ("reset_day", "forms_held_back", "an older generation: `gateway/tests/it/engine/clocks.rs`"),
    (
        "put_account put_menu choose_templates import_book",
        "forms_held_back",
        "an older generation: `gateway/tests/it/settings/menu.rs`",
    ),
    (
        "connect_account retire_account",
        "forms_held_back",
        "an older generation: `gateway/tests/it/settings/accounts.rs`",
    ),
    (
        "put_logo delete_logo",
        "forms_held_back",
        "an older generation: `gateway/tests/it/settings/look.rs`",
    ),
    ("choose_templates", "set_by_file", "a file: `gateway/tests/it/settings/templates.rs`"),
    ("connect_account", "no_operator_key", "no key: `gateway/tests/it/settings/accounts.rs`"),
    (
        "migrate_people migrate_staff",
        "forms_held_back",
        "an older generation: `paihao/tests/e2e/migration.rs`",
    ),
    ("lift_limit", "forms_held_back", "an older generation: as `coming`, by the same function"),
    ("coming", "forms_held_back", "an older generation: `gateway/tests/it/ticket/coming.rs`"),
    ("migrate_staff", "migration_refused", "a member who scanned: `paihao/tests/e2e/migration.rs`"),
    (
        "migrate_staff",
        "wechat_unavailable",
        "a member who scanned: `paihao/tests/e2e/migration.rs`",
    ),
    ("take_at_page", "session_expired", "as a scan session's, by the same function"),
    ("take_at_page take_slip", "newer_ledger", "as staff's, by the same function"),
    ("*", "ledger_unavailable", "a ledger that is away: `gateway/tests/it/engine/trouble.rs`"),
    (
        "open_scan_session qr this_kiosk",
        "newer_ledger",
        "a kiosk that is paired: `gateway/tests/it/identity/kiosks.rs`",
    ),
    ("pair_kiosk", "forms_held_back", "an older generation: `gateway/tests/it/identity/kiosks.rs`"),
    ("hear", "malformed_request", "a body that breaks off, whose sender is gone"),
    ("undo", "nothing_to_undo", "an end of yesterday: `domain/tests/line/transitions`"),
    ("*", "unknown_account", "a site of no account: `config check` refuses it"),
    ("door_svg", "newer_ledger", "a newer book: `gateway/tests/it/codes/permanent_codes.rs`"),
    ("door_png", "newer_ledger", "a newer book: `gateway/tests/it/codes/permanent_codes.rs`"),
    ("door_jpg", "newer_ledger", "a newer book: `gateway/tests/it/codes/permanent_codes.rs`"),
    ("scan_session_svg", "wechat_unavailable", "an address that cannot be drawn"),
    ("scan_session_png", "wechat_unavailable", "an address that cannot be drawn"),
    ("confirm_login", "204", "a phone that shows digits: `e2e/login.rs`"),
    ("confirm_login", "wrong_digits", "a phone that shows digits: `e2e/login.rs`"),
    ("confirm_login", "login_refused", "a phone that shows digits: `e2e/login.rs`"),
    ("confirm_login", "login_used", "a phone that shows digits: `e2e/login.rs`"),
    ("confirm_login", "not_staff", "a member who is out meanwhile: `e2e/login/membership.rs`"),
    ("confirm_invitation", "200", "a phone that shows digits: `e2e/login.rs`"),
    ("confirm_invitation", "wrong_digits", "a phone that shows digits: `e2e/login.rs`"),
    ("confirm_invitation", "login_refused", "a phone that shows digits: `e2e/login.rs`"),
    ("confirm_invitation", "not_staff", "a phone that shows digits: `e2e/login.rs`"),
    ("confirm_invitation", "not_your_site", "less than was given: `e2e/login/membership.rs`"),
    (
        "erase_former_staff",
        "forms_held_back",
        "an older generation: `gateway/tests/it/identity/former_names.rs`",
    ),
    ("make_key", "forms_held_back", "an older generation: `gateway/tests/it/identity/keys.rs`"),
    ("revoke_signing_key", "forms_held_back", "an older generation: `it/identity/signing_keys.rs`"),
    ("revoke_signing_key", "204", "a key to lose: `gateway/tests/it/identity/signing_keys.rs`"),
    ("become_first_manager", "201", "a link that is good: `e2e/login/first_in_browser.rs`"),
    ("login_discovery login_metadata", "200", "an address of this server: `e2e/login.rs`"),
    ("redeem_login", "201", "a phone that says yes: `e2e/login.rs`"),
    ("redeem_login", "login_used", "a phone that says yes: `e2e/login.rs`"),
    ("redeem_login", "login_refused", "a phone that says no: `e2e/login.rs`"),
    ("redeem_login", "not_staff", "a phone of somebody else's: `e2e/login.rs`"),
    ("login_token", "200", "a phone that says yes: `e2e/login.rs`"),
    ("login_token", "invalid_grant", "an address of this server: `e2e/login.rs`"),
    ("*", "too_many_requests", "hundreds in a minute: `gateway/src/http/rate_limit.rs`"),
    (
        "open_scan_session qr begin_login",
        "codes_rationed",
        "thousands of codes: `gateway/tests/it/codes/strangers.rs`",
    ),
    (
        "door_svg door_png door_jpg",
        "door_codes_limited",
        "hundreds of queues: `gateway/tests/it/codes/permanent_codes.rs`",
    ),
    ("*", "too_many_streams", "thousands of pages: `gateway/tests/it/identity/limits.rs`"),
    ("login_code", "wechat_unavailable", "an address that cannot be drawn"),
    ("invitation_code", "wechat_unavailable", "an address that cannot be drawn"),
    ("*", "cache_unavailable", "a cache that is away: `gateway/tests/it/codes/permanent_codes.rs`"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_answers_and_refuses_as_the_document_says_and_in_all_those_ways() {
    let coverage = Coverage::default();
    tokio::join!(
        everywhere::run(&coverage),
        acts::run(&coverage),
        answers::run(&coverage),
        logins::run(&coverage),
        refusals::run(&coverage)
    );
    let covered = coverage.lock().clone();
    let mut missing = Vec::new();
    let mut unneeded: BTreeSet<_> = UNCOVERED.iter().collect();
    for operation in OPERATIONS.values() {
        for named in operation.codes().into_iter().chain(operation.statuses()) {
            let is_excepted = |(id, code, _): &&(&str, &str, &str)| {
                (*id == "*" || id.split(' ').any(|id| id == operation.id)) && *code == named
            };
            let excepted = UNCOVERED.iter().find(is_excepted);
            let is_covered = covered.contains(&(operation.id.clone(), named.clone()));
            match excepted {
                Some(exception) if !is_covered => drop(unneeded.remove(exception)),
                None if !is_covered => missing.push(format!("{} {named}", operation.id)),
                _ => {}
            }
        }
    }
    assert!(missing.is_empty(), "named in the document and not met here: {missing:#?}");
    assert!(unneeded.is_empty(), "excepted without need: {unneeded:?}");
}
