//! Logins at counters: the people behind them, and those who may no longer be there.

use crate::http::auth::Principal;
use crate::http::state::AppState;
use paihao_domain::{Act, Command, CommandId, CounterId};

/// Returns whether the login at a counter is nobody's any more: of a member or key that was removed
/// or moved to other counters. A roster that was not read to its end says nothing of anybody.
pub(crate) fn is_left_behind(
    state: &AppState,
    site: &str,
    counter: &CounterId,
    login: &str,
) -> bool {
    if !state.roster.is_current() {
        return false;
    }
    let principal = Principal::of_login(state, &state.roster.now(), login);
    principal.is_none_or(|principal| !principal.may_be_at(site, counter))
}

/// Name of the member or key with a login.
pub(crate) fn login_name(state: &AppState, login: &str) -> String {
    let roster = state.roster.now();
    let member = roster.member(login).map(|member| member.name.clone());
    let key = || roster.key(login).map(|key| key.name.clone());
    member.or_else(key).unwrap_or_else(|| login.to_owned())
}

/// Closes the counters at which a login may no longer be, on behalf of the manager who changed
/// that. Whoever is served there is served to the end by a colleague. Without an answer the
/// counters are left to whoever opens them next.
pub(crate) async fn close_left_counters(state: &AppState, manager: &Principal, login: &str) {
    for settings in state.engine.all_settings() {
        let site = &*settings.facts.id;
        let Some(snapshot) = state.engine.snapshot(site) else { continue };
        for id in settings.rules.counters.keys() {
            let counter = snapshot.site.counter(id);
            let is_there = counter.login.as_deref() == Some(login);
            if !is_there || !is_left_behind(state, site, id, login) {
                continue;
            }
            let since = counter.login_since.map_or(0, |since| since.0);
            let text = format!("left\0{site}\0{}\0{login}\0{since}", id.as_str());
            let command = Command {
                id: CommandId::derived(&text),
                fingerprint: 0,
                actor: manager.actor.clone(),
                act: Act::CloseCounter(id.clone()),
                day: None,
            };
            if let Err(error) = state.engine.submit(site, command).await {
                let counter = id.as_str();
                tracing::warn!(site, counter, %error, "cannot close the counter of a former login");
            }
        }
    }
}
