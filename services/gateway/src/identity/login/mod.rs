//! Logging in by scanning: for those who work here, and for the owner's other sites.
//!
//! A browser shows a code and holds a secret in a cookie. A scan of the code, and what its reader
//! answers on the phone, changes the session in the cache; only the browser with the secret can
//! watch it and take what it led to, once.

pub(crate) mod prompt;
pub mod settings;

use crate::identity::roster::Roster;
use paihao_chassis::entropy;
use paihao_contracts::session::LoginTarget;
use settings::LoginSettings;

/// Who made the first of all a manager.
pub(crate) const FIRST_MANAGER_AUTHOR: &str = "first";

/// What is logged in to, for people.
pub(crate) struct LoginDestination {
    pub(crate) name: String,
    /// The account whose code is scanned.
    pub(crate) account: String,
    pub(crate) confirm: bool,
    pub(crate) staff_only: bool,
}

/// What a login is to; `None` if that is not there any more.
pub(crate) fn login_destination(
    settings: &LoginSettings,
    to: &LoginTarget,
) -> Option<LoginDestination> {
    let own = |staff_only| {
        let host = settings.public_url.as_deref().and_then(|public| public.split("://").nth(1));
        let name = host.map_or("排号后台 paihao".to_owned(), |host| format!("排号 · {host}"));
        Some(LoginDestination {
            name,
            account: settings.account.clone()?,
            confirm: settings.confirm,
            staff_only,
        })
    };
    match to {
        LoginTarget::Staff => own(true),
        LoginTarget::First => own(false),
        LoginTarget::Client(wish) => {
            let client = settings.clients.get(&wish.client)?;
            Some(LoginDestination {
                name: client.name.clone(),
                account: client.account.clone(),
                confirm: client.confirm,
                staff_only: client.staff_only,
            })
        }
    }
}

/// An id for a member that nobody has or had.
pub(crate) fn new_member_id() -> String {
    format!("m_{}", hex::encode(entropy::bytes::<6>()))
}

/// The code with which the first of all becomes a manager, until there was one. Every replica makes
/// the same of the deployment's secret, so that nothing has to be agreed on.
pub(crate) fn first_manager_code(roster: &Roster) -> Option<String> {
    if roster.has_had_members() { None } else { roster.tag("first manager", &[]) }
}
