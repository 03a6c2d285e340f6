//! Settings of login.

use paihao_contracts::staff::{Member, StaffRole};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use url::Url;

/// Sites of a member of every site, in a token.
const ALL_SITES: &str = "*";

/// Way in which people confirm a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// They enter the digits that their phone shows at the page that they opened.
    Digits,
    /// They answer 1 on the phone. Whoever shows them a code of their own is logged in.
    Reply,
    /// The scan is enough.
    None,
}

/// Settings of login, from the configuration.
#[derive(Debug, Clone)]
pub struct LoginSettings {
    /// Address under which browsers reach this server, without a slash at the end; `None` if it is
    /// not known.
    pub public_url: Option<String>,
    /// Account whose codes are scanned to log in; without one nobody can.
    pub account: Option<String>,
    /// True if staff confirm a login with the digits that their phone shows.
    pub confirm: bool,
    /// Longest time that a session may be unused.
    pub idle_timeout: Duration,
    /// Longest time that a session lasts.
    pub max_lifetime: Duration,
    /// Time after which the names of former members, keys and kiosks are erased.
    pub former_name_retention: Duration,
    /// Other sites of the owner that people can log in to, by id.
    pub clients: BTreeMap<String, OAuthClient>,
}

/// Client of the OAuth flow: another site of the owner's.
#[derive(Debug, Clone)]
pub struct OAuthClient {
    /// Name that people read on their phone.
    pub name: String,
    /// Addresses that a browser may be sent back to, compared to the letter.
    pub redirect_uris: Vec<String>,
    /// Account whose codes are scanned.
    pub account: String,
    /// Way in which people confirm.
    pub confirm: Confirmation,
    /// True if only staff may log in.
    pub staff_only: bool,
    /// Roles of the staff who may; empty for every role.
    pub roles: Vec<StaffRole>,
    /// Sites at one of which they work; empty for any.
    pub sites: BTreeSet<String>,
    /// Address that is told whose login ends (OpenID Connect Back-Channel Logout).
    pub logout_url: Option<Url>,
    /// True if the site is told the person's unionid, where WeChat knows one.
    pub unionid: bool,
}

impl OAuthClient {
    /// Returns whether a member of staff may log in.
    pub fn admits(&self, member: &Member) -> bool {
        let has_role = self.roles.is_empty() || self.roles.contains(&member.role);
        has_role && (self.sites.is_empty() || self.told_sites(member).next().is_some())
    }

    /// Returns the sites of a member that the client is told; those of a member of every site are
    /// `*`, or the client's own.
    pub fn told_sites<'a>(&'a self, member: &'a Member) -> impl Iterator<Item = &'a str> {
        let of_client = self.sites.iter().map(String::as_str);
        let every_site = self.sites.is_empty().then_some(ALL_SITES);
        let of_member = member.sites.iter().flatten().map(String::as_str);
        let is_told = |site: &&str| self.sites.is_empty() || self.sites.contains(*site);
        let of_all = of_client.chain(every_site).filter(|_| member.sites.is_none());
        of_all.chain(of_member.filter(is_told))
    }
}

impl Default for LoginSettings {
    fn default() -> Self {
        let hour = Duration::from_secs(3600);
        LoginSettings {
            public_url: None,
            account: None,
            confirm: true,
            idle_timeout: 12 * hour,
            max_lifetime: 7 * 24 * hour,
            former_name_retention: 185 * 24 * hour,
            clients: BTreeMap::new(),
        }
    }
}

impl LoginSettings {
    /// Warns of clients whose people confirm on the phone alone.
    pub(crate) fn warn_of_weak_confirmation(&self) {
        for (client, settings) in &self.clients {
            if settings.confirm == Confirmation::Reply {
                tracing::warn!(
                    client,
                    "logins are confirmed by an answer on the phone: whoever shows people a code is logged in as them"
                );
            }
        }
    }

    /// Returns whether browsers connect over HTTPS.
    pub fn is_secure(&self) -> bool {
        self.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }

    /// Returns the name of a session's cookie. The prefix makes a browser send it over HTTPS only,
    /// and to this host alone.
    pub fn session_cookie(&self) -> &'static str {
        if self.is_secure() { "__Host-paihao" } else { "paihao" }
    }

    /// Returns the name of the cookie of a kiosk's browser.
    pub fn kiosk_cookie(&self) -> &'static str {
        if self.is_secure() { "__Host-paihao-kiosk" } else { "paihao-kiosk" }
    }

    /// Returns the name of the cookie of a browser that shows a login code.
    pub fn browser_cookie(&self) -> &'static str {
        if self.is_secure() { "__Host-paihao-login" } else { "paihao-login" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(sites: &[&str]) -> BTreeSet<String> {
        sites.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_client_admits_its_roles_at_its_sites_and_is_told_of_no_others() {
        use StaffRole::{Manager, Staff};
        let of_client: [&[&str]; 3] = [&[], &["hall"], &["annex", "hall"]];
        let of_member: [Option<&[&str]>; 5] =
            [None, Some(&[]), Some(&["hall"]), Some(&["annex"]), Some(&["hall", "mall"])];
        for roles in [vec![], vec![Manager], vec![Staff], vec![Manager, Staff]] {
            for sites in of_client {
                let client = OAuthClient {
                    name: "x".into(),
                    redirect_uris: Vec::new(),
                    account: "shop".into(),
                    confirm: Confirmation::Digits,
                    staff_only: true,
                    roles: roles.clone(),
                    sites: set(sites),
                    logout_url: None,
                    unionid: false,
                };
                for role in [Manager, Staff] {
                    for own in of_member {
                        let member = Member {
                            id: "m_1".into(),
                            name: "x".into(),
                            role,
                            sites: own.map(set),
                            counters: [].into(),
                        };
                        let told: Vec<_> = client.told_sites(&member).collect();
                        let common = |own: &[&str]| own.iter().any(|site| sites.contains(site));
                        let is_here = sites.is_empty() || own.is_none_or(common);
                        let is_role = roles.is_empty() || roles.contains(&role);
                        let context = format!("{roles:?} {sites:?} {role:?} {own:?}: {told:?}");
                        assert_eq!(client.admits(&member), is_here && is_role, "{context}");
                        let is_own = |site: &str| own.is_none_or(|own| own.contains(&site));
                        let is_clients = |site: &str| sites.is_empty() || sites.contains(&site);
                        let may_be_told = |site: &&str| is_own(site) && is_clients(site);
                        assert!(told.iter().all(may_be_told), "{context}");
                        assert_eq!(told == ["*"], own.is_none() && sites.is_empty(), "{context}");
                    }
                }
            }
        }
    }
}
