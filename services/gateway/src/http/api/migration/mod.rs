//! Migration of an account (账号迁移): the people with tickets and the members of staff are known by
//! their openids at the new account.
//!
//! Answers count people and never name them. Everything can be repeated: what is done stays done.

mod accounts;
mod people;
mod staff;

use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals;

pub(super) fn routes() -> Routes {
    const IDEMPOTENT_REASON: &str = "what is done already is counted, and done no second time";
    let refused = &[
        &refusals::UNKNOWN_ACCOUNT,
        &refusals::MIGRATION_REFUSED,
        &refusals::WECHAT_UNAVAILABLE,
        &refusals::NEWER_LEDGER,
        &refusals::LEDGER_UNAVAILABLE,
    ];
    Routes::new()
        .post(
            "/api/v1/accounts/{account}/migration/preparation",
            staff::prepare,
            endpoint(
                "prepare_migration",
                "Seals the openids of the members of staff, before the account migrates",
            )
            .without_idempotency_key("nothing is changed")
            .refuses(refused),
        )
        .post(
            "/api/v1/accounts/{account}/migration/staff",
            staff::migrate,
            endpoint(
                "migrate_staff",
                "Lets members of staff log in at the account to which theirs has migrated",
            )
            .json_body::<staff::MigrateStaffRequest>()
            .without_idempotency_key(IDEMPOTENT_REASON)
            .refuses(refused)
            .refuses(&[&refusals::WRONG_SEAL, &refusals::FORMS_HELD_BACK]),
        )
        .post(
            "/api/v1/accounts/{account}/migration/people",
            people::migrate,
            endpoint(
                "migrate_people",
                "Hands tickets to their holders at the account to which theirs has migrated, some people at a time",
            )
            .json_body::<people::MigratePeopleRequest>()
            .without_idempotency_key(IDEMPOTENT_REASON)
            .refuses(refused)
            .refuses(&[&refusals::FORMS_HELD_BACK, &refusals::DAY_UNCONFIRMED]),
        )
}
