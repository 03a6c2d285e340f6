//! Login by scanning, for staff and for the owner's other sites.
//!
//! A browser shows a code and holds a secret in a cookie. The scan, and the answer on the phone,
//! change the session in the cache. Only the browser with the secret can watch it and take its
//! result, once.

pub(crate) mod digits;
pub mod first_manager;
pub(crate) mod prompt;
pub mod settings;

use paihao_chassis::entropy;
use paihao_contracts::session::LoginTarget;
use paihao_contracts::staff::Member;
use settings::{Confirmation, LoginSettings, OAuthClient};

/// Author of the entry that adds the first manager.
pub(crate) const FIRST_MANAGER_AUTHOR: &str = "first";

/// Destination of a login.
pub(crate) struct LoginDestination {
    pub(crate) name: String,
    /// Account whose code is scanned.
    pub(crate) account: String,
    pub(crate) confirm: Confirmation,
    pub(crate) staff_only: bool,
    /// Client of the login, unless it is to this system.
    client: Option<OAuthClient>,
    /// True if it is told the person's unionid.
    pub(crate) unionid: bool,
}

impl LoginDestination {
    /// Returns whether a person, who is this member or none, may log in.
    pub(crate) fn admits(&self, member: Option<&Member>) -> bool {
        match (member, &self.client) {
            (Some(member), Some(client)) => !self.staff_only || client.admits(member),
            (Some(_), None) => true,
            (None, _) => !self.staff_only,
        }
    }
}

/// Returns the destination of a login; `None` if it no longer exists. Staff log in by
/// `staff_account`.
pub(crate) fn login_destination(
    settings: &LoginSettings,
    staff_account: Option<String>,
    to: &LoginTarget,
) -> Option<LoginDestination> {
    let account = staff_account.clone();
    let staff_destination = |staff_only| {
        let host = settings.public_url.as_deref().and_then(|url| url.split("://").nth(1));
        let name = host.map_or("排号后台 paihao".to_owned(), |host| format!("排号 · {host}"));
        Some(LoginDestination {
            name,
            account: account?,
            confirm: if settings.confirm { Confirmation::Digits } else { Confirmation::None },
            staff_only,
            client: None,
            unionid: false,
        })
    };
    match to {
        LoginTarget::Staff => staff_destination(true),
        LoginTarget::First => staff_destination(false),
        LoginTarget::Client(request) => {
            let client = settings.clients.get(&request.client)?;
            Some(LoginDestination {
                name: client.name.clone(),
                account: if client.account.is_empty() {
                    staff_account?
                } else {
                    client.account.clone()
                },
                confirm: client.confirm,
                staff_only: client.staff_only,
                client: Some(client.clone()),
                unionid: client.unionid,
            })
        }
    }
}

/// Generates the id of a new member.
pub(crate) fn new_member_id() -> String {
    format!("m_{}", hex::encode(entropy::bytes::<6>()))
}
