//! Entries of the audit log, from the logs of staff, sessions and settings.

use crate::http::auth::{Principal, SiteScope};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::identity::former_names::{self, NamedKind};
use crate::settings::documents::{ChangeKind, DocumentKind, SettingsChange};
use futures::StreamExt;
use paihao_contracts::envelope::{Form, read_stored};
use paihao_contracts::staff::{
    ApiKey, Kiosk, Member, NamelessEntry, NamelessEvent, SessionHolder, StaffEntry, StaffEvent,
    StaffRole, StaffSession,
};
use paihao_contracts::streams::{Log, STAFF, STAFF_SESSIONS};
use paihao_ledger::{LogItem, Position, StoredEntry};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::timeout;

/// Time after which an entry is shown no longer.
const RETENTION_MS: i64 = 400 * 24 * 3600 * 1000;

/// Time limit for reading a log.
const READ_TIMEOUT: Duration = Duration::from_secs(8);

/// Subjects of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum AuditKind {
    People,
    Keys,
    Sessions,
    Settings,
    Secrets,
}

impl AuditKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            AuditKind::People => "people",
            AuditKind::Keys => "keys",
            AuditKind::Sessions => "sessions",
            AuditKind::Settings => "settings",
            AuditKind::Secrets => "secrets",
        }
    }
}

/// Entry of the audit log.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AuditEntry {
    /// Id of the entry.
    pub(super) id: String,
    /// Time in Unix milliseconds.
    pub(super) at: i64,
    /// `people`, `keys`, `sessions`, `settings` or `secrets`.
    #[schemars(with = "String")]
    pub(super) kind: AuditKind,
    /// What was done.
    pub(super) event: &'static str,
    /// Id of the member, or name of the key, that acted; `first` or `system`.
    pub(super) by: String,
    /// Their name at that time, if they were a member.
    pub(super) by_name: Option<String>,
    /// Approximate origin of the request: an address without its last part. It is not known of
    /// entries of former versions.
    pub(super) from: Option<String>,
    /// Id of whoever or whatever it was done to.
    pub(super) target: String,
    /// Its name at that time.
    pub(super) target_name: Option<String>,
    /// Particulars, without secrets.
    pub(super) detail: String,
}

/// Members, keys and kiosks as they were known up to an entry.
#[derive(Default)]
struct KnownStaff {
    members: BTreeMap<String, Member>,
    keys: BTreeMap<String, ApiKey>,
    kiosks: BTreeMap<String, Kiosk>,
}

/// Returns the entries that concern sites of the principal alone, newest first.
pub(super) async fn read(
    state: &AppState,
    principal: &Principal,
) -> Result<Vec<AuditEntry>, Problem> {
    let mut known = KnownStaff::default();
    let mut entries = Vec::new();
    let mut staff = Vec::new();
    for stored in read_log(state, &STAFF).await? {
        let Some(entry) = decode::<StaffEntry>(&stored)? else { continue };
        known.note_nameless(&entry.event);
        staff.push((stored.position, entry));
    }
    for (position, entry) in staff {
        for (entry, scope) in known.staff_entries(position, entry) {
            if principal.scope().covers(&scope) {
                entries.push(entry);
            }
        }
    }
    let sessions = read_log(state, &STAFF_SESSIONS).await?;
    entries.extend(known.session_entries(state, principal, &sessions)?);
    let documents = state.live_settings.now();
    let changes = documents.changes.iter().filter(|change| {
        let scope = match change.of {
            DocumentKind::Site | DocumentKind::Logo => SiteScope::Only([change.id.clone()].into()),
            DocumentKind::Account | DocumentKind::Credentials => SiteScope::All,
        };
        principal.scope().covers(&scope)
    });
    entries.extend(changes.map(|change| known.settings_entry(change)));
    let oldest = state.clock.now_ms() - RETENTION_MS;
    entries.retain(|entry| entry.at >= oldest);
    entries.sort_by(|a, b| (b.at, &b.id).cmp(&(a.at, &a.id)));
    Ok(entries)
}

/// Reads a log up to its head.
async fn read_log(state: &AppState, log: &Log) -> Result<Vec<StoredEntry>, Problem> {
    let unavailable = |_| Problem::new(&refusals::LEDGER_UNAVAILABLE);
    let head = state.ledger.head(log).await.map_err(unavailable)?;
    let mut items = state.ledger.follow(log, Position::START).await.map_err(unavailable)?;
    let read = async {
        let mut entries = Vec::new();
        let mut position = Position::START;
        while position < head {
            let Some(LogItem::Entry(stored)) = items.next().await else { return None };
            position = stored.position;
            entries.push(stored);
        }
        Some(entries)
    };
    let read = timeout(READ_TIMEOUT, read).await.ok().flatten();
    read.ok_or_else(|| Problem::new(&refusals::LEDGER_UNAVAILABLE))
}

/// Decodes an entry; `None` if no program can.
fn decode<T: Form>(stored: &StoredEntry) -> Result<Option<T>, Problem> {
    Ok(read_stored(Some(&stored.entry.payload)).map_err(|_| &refusals::NEWER_LEDGER)?)
}

impl KnownStaff {
    fn member_name(&self, id: &str) -> Option<String> {
        self.members.get(id).map(|member| member.name.clone()).filter(|name| !name.is_empty())
    }

    /// Notes what is known of a former member, key or kiosk whose name was erased, for the sites
    /// that other entries about it concern.
    fn note_nameless(&mut self, event: &StaffEvent) {
        let StaffEvent::NameErased { id, entries } = event else { return };
        let (key, name) = (id.clone(), String::new());
        for entry in entries {
            match entry.event.clone() {
                NamelessEvent::Joined { role, sites, counters, .. } => {
                    let member =
                        Member { id: id.clone(), name: name.clone(), role, sites, counters };
                    self.members.insert(key.clone(), member);
                }
                NamelessEvent::KeyMade { sites, counters } => {
                    let (hash, purpose, scopes) = (String::new(), None, None);
                    let (id, name, expires_at) = (id.clone(), name.clone(), None);
                    let made =
                        ApiKey { id, name, hash, sites, counters, purpose, scopes, expires_at };
                    self.keys.insert(key.clone(), made);
                }
                NamelessEvent::KioskPaired { site, hash } => {
                    let kiosk = Kiosk { id: id.clone(), name: name.clone(), site, hash };
                    self.kiosks.insert(key.clone(), kiosk);
                }
                NamelessEvent::Renamed | NamelessEvent::Migrated => {}
            }
        }
    }

    /// Sites of a member, key or kiosk; every site if nobody knows.
    fn scope_of(&self, id: &str) -> SiteScope {
        let member = self.members.get(id).map(|member| SiteScope::from(member.sites.clone()));
        let key = || self.keys.get(id).map(|key| SiteScope::from(key.sites.clone()));
        let kiosk =
            || self.kiosks.get(id).map(|kiosk| SiteScope::Only([kiosk.site.clone()].into()));
        member.or_else(key).or_else(kiosk).unwrap_or(SiteScope::All)
    }

    /// Returns the entry as one of the audit log, and with an erased name also those that stood in
    /// the entries which were removed, each with the sites that it concerns.
    fn staff_entries(
        &mut self,
        position: Position,
        entry: StaffEntry,
    ) -> Vec<(AuditEntry, SiteScope)> {
        let mut shown = Vec::new();
        if let StaffEvent::NameErased { id, entries } = &entry.event {
            shown.extend(entries.iter().map(|nameless| self.nameless_entry(id, nameless)));
        }
        shown.push(self.staff_entry(position, entry));
        shown
    }

    fn nameless_entry(&self, id: &str, entry: &NamelessEntry) -> (AuditEntry, SiteScope) {
        let (kind, event, detail) = match &entry.event {
            NamelessEvent::Joined { role, sites, counters, .. } => {
                (AuditKind::People, "member_joined", rights(*role, sites, counters))
            }
            NamelessEvent::Renamed => (AuditKind::People, "member_renamed", String::new()),
            NamelessEvent::Migrated => (AuditKind::People, "member_migrated", String::new()),
            NamelessEvent::KeyMade { sites, counters } => {
                (AuditKind::Keys, "key_made", places(sites, counters))
            }
            NamelessEvent::KioskPaired { site, .. } => {
                (AuditKind::Keys, "kiosk_paired", format!("site {site}"))
            }
        };
        let shown = AuditEntry {
            id: format!("staff-{}", entry.position),
            at: entry.at,
            kind,
            event,
            by: entry.by.clone(),
            by_name: self.member_name(&entry.by),
            from: entry.from.clone(),
            target: id.to_owned(),
            target_name: None,
            detail,
        };
        (shown, self.scope_of(id))
    }

    /// Sites of a member who is or was one; every site if nobody knows.
    fn sites_of(&self, id: &str) -> SiteScope {
        self.members.get(id).map_or(SiteScope::All, |member| member.sites.clone().into())
    }

    /// Applies an entry of the log of staff. Returns it as one of the audit log, with the sites
    /// that it concerns.
    fn staff_entry(&mut self, position: Position, entry: StaffEntry) -> (AuditEntry, SiteScope) {
        let StaffEntry { at, by, from, event, .. } = entry;
        let by_name = self.member_name(&by);
        let (kind, name, target, detail, scope) = match event {
            StaffEvent::SecretMade { made_at, .. } => {
                let name = if made_at.is_some() { "secret_sealed" } else { "secret_made" };
                (AuditKind::Secrets, name, String::new(), String::new(), SiteScope::All)
            }
            StaffEvent::SigningKeyMade { kid, made_at, .. } => {
                let was_made = made_at.is_some();
                let name = if was_made { "signing_key_sealed" } else { "signing_key_made" };
                (AuditKind::Secrets, name, kid, String::new(), SiteScope::All)
            }
            StaffEvent::SigningKeyRevoked { kid } => {
                (AuditKind::Secrets, "signing_key_revoked", kid, String::new(), SiteScope::All)
            }
            StaffEvent::Joined { member, .. } => {
                let id = member.id.clone();
                let detail = rights(member.role, &member.sites, &member.counters);
                self.members.insert(id.clone(), member);
                let scope = self.sites_of(&id);
                (AuditKind::People, "member_joined", id, detail, scope)
            }
            StaffEvent::Renamed { id, name } => {
                let scope = self.sites_of(&id);
                let former = self.members.get_mut(&id);
                let former = former.map(|member| std::mem::replace(&mut member.name, name));
                (AuditKind::People, "member_renamed", id, former.unwrap_or_default(), scope)
            }
            StaffEvent::RoleChanged { id, role, sites, counters } => {
                let detail = rights(role, &sites, &counters);
                let before = self.sites_of(&id);
                if let Some(member) = self.members.get_mut(&id) {
                    *member = Member { role, sites, counters, ..member.clone() };
                }
                // Whoever manages either the former or the new sites alone does not see the others.
                let scope = union(before, self.sites_of(&id));
                (AuditKind::People, "member_changed", id, detail, scope)
            }
            StaffEvent::Migrated { id, .. } => {
                let scope = self.sites_of(&id);
                (AuditKind::People, "member_migrated", id, String::new(), scope)
            }
            StaffEvent::Removed { id } => {
                let scope = self.sites_of(&id);
                (AuditKind::People, "member_removed", id, String::new(), scope)
            }
            StaffEvent::KeyMade { key } => {
                let id = key.id.clone();
                let scope = SiteScope::from(key.sites.clone());
                let detail = key_limits(&key);
                self.keys.insert(id.clone(), key);
                (AuditKind::Keys, "key_made", id, detail, scope)
            }
            StaffEvent::KeyRevoked { id } => {
                let sites = self.keys.get(&id).map(|key| key.sites.clone());
                let scope = sites.map_or(SiteScope::All, SiteScope::from);
                (AuditKind::Keys, "key_revoked", id, String::new(), scope)
            }
            StaffEvent::KioskPaired { kiosk } => {
                let id = kiosk.id.clone();
                let scope = SiteScope::Only([kiosk.site.clone()].into());
                let detail = format!("site {}", kiosk.site);
                self.kiosks.insert(id.clone(), kiosk);
                (AuditKind::Keys, "kiosk_paired", id, detail, scope)
            }
            StaffEvent::NameErased { id, entries } => {
                let kind = match former_names::kind_of(&entries) {
                    NamedKind::Member => AuditKind::People,
                    NamedKind::Key | NamedKind::Kiosk => AuditKind::Keys,
                };
                let scope = self.scope_of(&id);
                (kind, "name_erased", id, String::new(), scope)
            }
            StaffEvent::KioskUnpaired { id } => {
                let site = self.kiosks.get(&id).map(|kiosk| kiosk.site.clone());
                let scope = site.map_or(SiteScope::All, |site| SiteScope::Only([site].into()));
                (AuditKind::Keys, "kiosk_unpaired", id, String::new(), scope)
            }
        };
        let target_name = self
            .member_name(&target)
            .or(self.keys.get(&target).map(|key| key.name.clone()))
            .or(self.kiosks.get(&target).map(|kiosk| kiosk.name.clone()))
            .filter(|name| !name.is_empty());
        let id = format!("staff-{}", position.0);
        let event = name;
        (AuditEntry { id, at, kind, event, by, by_name, from, target, target_name, detail }, scope)
    }

    /// Beginnings and ends of sessions, and not their uses.
    fn session_entries(
        &self,
        state: &AppState,
        principal: &Principal,
        stored: &[StoredEntry],
    ) -> Result<Vec<AuditEntry>, Problem> {
        let mut begun = BTreeSet::new();
        let mut entries = Vec::new();
        for stored in stored {
            let Some(session) = decode::<StaffSession>(stored)? else { continue };
            let (target, scope) = match &session.holder {
                SessionHolder::Member { id } => (id.clone(), self.sites_of(id)),
                // The newest use of an API key is no session.
                SessionHolder::Key { print, .. } if print.is_empty() => continue,
                SessionHolder::Key { name, .. } => (name.clone(), key_sites(state, name)),
            };
            if !principal.scope().covers(&scope) {
                continue;
            }
            let is_first = begun.insert(stored.subject.as_str().to_owned());
            let (event, at, by, from) = match session.ended_at {
                Some(at) => {
                    let by = session.ended_by.unwrap_or_else(|| target.clone());
                    ("session_ended", at, by, session.ended_from)
                }
                None if is_first => {
                    ("session_begun", session.begun_at, target.clone(), Some(session.address))
                }
                None => continue,
            };
            entries.push(AuditEntry {
                id: format!("session-{}", stored.position.0),
                at,
                kind: AuditKind::Sessions,
                event,
                by_name: self.member_name(&by),
                by,
                from,
                target_name: self.member_name(&target),
                target,
                detail: session.browser,
            });
        }
        Ok(entries)
    }

    fn settings_entry(&self, change: &SettingsChange) -> AuditEntry {
        let event = match (change.of, change.did) {
            (DocumentKind::Site, ChangeKind::Created) => "site_created",
            (DocumentKind::Site, ChangeKind::Changed) => "site_changed",
            (DocumentKind::Site, ChangeKind::Retired) => "site_retired",
            (DocumentKind::Logo, _) => "logo_changed",
            (DocumentKind::Account, _) => "account_changed",
            (DocumentKind::Credentials, ChangeKind::Created) => "account_added",
            (DocumentKind::Credentials, ChangeKind::Changed) => "credentials_changed",
            (DocumentKind::Credentials, ChangeKind::Retired) => "account_retired",
        };
        let kind = match change.of {
            DocumentKind::Credentials => AuditKind::Secrets,
            DocumentKind::Site | DocumentKind::Logo | DocumentKind::Account => AuditKind::Settings,
        };
        let keys: Vec<_> = change.changed.iter().map(|value| &*value.key).collect();
        AuditEntry {
            id: format!("settings-{}", change.revision),
            at: change.at,
            kind,
            event,
            by: change.by.clone(),
            by_name: self.member_name(&change.by),
            from: change.from.clone(),
            target: change.id.clone(),
            target_name: None,
            detail: keys.join(", "),
        }
    }
}

fn union(a: SiteScope, b: SiteScope) -> SiteScope {
    match (a, b) {
        (SiteScope::Only(a), SiteScope::Only(b)) => SiteScope::Only(&a | &b),
        _ => SiteScope::All,
    }
}

/// Sites of a key of the configuration; every site if it is there no longer.
fn key_sites(state: &AppState, name: &str) -> SiteScope {
    let key = state.deployment.staff_keys.iter().find(|key| key.name == name);
    key.filter(|key| !key.grants_all_sites())
        .map_or(SiteScope::All, |key| SiteScope::Only(key.sites.clone()))
}

fn rights(
    role: StaffRole,
    sites: &Option<BTreeSet<String>>,
    counters: &BTreeSet<String>,
) -> String {
    let role = match role {
        StaffRole::Manager => "manager",
        StaffRole::Staff => "staff",
    };
    format!("{role}; {}", places(sites, counters))
}

fn places(sites: &Option<BTreeSet<String>>, counters: &BTreeSet<String>) -> String {
    let list =
        |names: &BTreeSet<String>| names.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    let sites = sites.as_ref().map_or_else(|| "*".to_owned(), list);
    if counters.is_empty() {
        format!("sites {sites}")
    } else {
        format!("sites {sites}; counters {}", list(counters))
    }
}

fn key_limits(key: &ApiKey) -> String {
    let scopes = key.scopes.as_ref().map_or_else(
        || "everything".to_owned(),
        |scopes| {
            scopes
                .iter()
                .map(|scope| format!("{scope:?}").to_lowercase())
                .collect::<Vec<_>>()
                .join(" ")
        },
    );
    let end = key.expires_at.and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    let end = end.map(|end| format!("; ends {end}")).unwrap_or_default();
    let purpose = key.purpose.as_ref().map(|text| format!("; {text}")).unwrap_or_default();
    format!("{}; {scopes}{end}{purpose}", places(&key.sites, &key.counters))
}
