//! The two accounts of a migration, and WeChat's answers about their people.

use crate::http::access::Owner;
use crate::http::errors::wechat_problem;
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use paihao_wechat::OpenId;
use paihao_wechat::migration::MAX_CHANGED_OPENIDS;
use std::collections::BTreeMap;

/// Longest name of a former account: an AppID, or the original id.
const MAX_FORMER_CHARS: usize = 64;

pub(super) fn require_account(state: &AppState, account: &str) -> Result<(), Problem> {
    if state.deployment.account(account).is_some() {
        Ok(())
    } else {
        Err(Problem::new(&refusals::UNKNOWN_ACCOUNT))
    }
}

pub(super) fn validate_former(from: &str) -> Result<&str, Problem> {
    let from = from.trim();
    let is_id = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if (1..=MAX_FORMER_CHARS).contains(&from.len()) && from.chars().all(is_id) {
        Ok(from)
    } else {
        Err(refusals::malformed("from is the AppID or the original id of the former account"))
    }
}

/// Asks WeChat for the openids of people at the new account, by those at the former.
pub(super) async fn new_openids(
    state: &AppState,
    account: &str,
    from: &str,
    openids: &[OpenId],
) -> Result<BTreeMap<OpenId, OpenId>, Problem> {
    let mut all = BTreeMap::new();
    for openids in openids.chunks(MAX_CHANGED_OPENIDS) {
        let changed = state.wechat.change_openids(account, from, openids).await;
        let changed =
            changed.map_err(|error| wechat_problem(error, &refusals::MIGRATION_REFUSED))?;
        all.extend(changed.into_iter().filter_map(|it| Some((it.former, it.new?))));
    }
    Ok(all)
}

pub(super) fn log_progress(
    owner: &Owner,
    account: &str,
    what: &'static str,
    migrated: u32,
    dry_run: bool,
) {
    let by = &*owner.principal.name;
    tracing::info!(account, by, what, migrated, dry_run, "openids of a former account changed");
}
