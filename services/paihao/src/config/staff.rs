//! Check of the keys of the staff API.

use super::credentials::check_key;
use super::{Site, Staff, StaffRole};
use paihao_chassis::config::ConfigProblems;
use paihao_contracts::staff::KeyScope;
use paihao_domain::CounterId;
use paihao_gateway::settings::validate::refuse_unknown;
use paihao_gateway::settings::{ALL_SITES, KeyRole, StaffKey};
use std::collections::{BTreeMap, BTreeSet};

/// Converts a section `[staff.NAME]` into a key with its role, sites and counters.
pub(super) fn staff_key(
    name: &str,
    staff: &Staff,
    sites: &BTreeMap<String, Site>,
    problems: &mut ConfigProblems,
) -> StaffKey {
    let at = format!("staff.{name}");
    check_key(&format!("{at}.key"), &staff.key, problems);
    if staff.key.expose().len() < 16 {
        let advice = "use 16 or more random ones";
        problems.add(&format!("{at}.key"), "fewer than 16 characters", advice);
    }
    let all_sites = staff.sites.iter().any(|site| site == ALL_SITES);
    let unknown = |site: &&String| *site != ALL_SITES && !sites.contains_key(*site);
    for site in staff.sites.iter().filter(unknown) {
        refuse_unknown(&format!("{at}.sites"), "site", site, sites.keys(), problems);
    }
    let allowed = sites.iter().filter(|(id, _)| all_sites || staff.sites.contains(id));
    let known_names: BTreeSet<_> = allowed.flat_map(|(_, site)| site.counters.keys()).collect();
    for counter in staff.counters.iter().filter(|counter| !known_names.contains(counter)) {
        let key = format!("{at}.counters");
        refuse_unknown(&key, "counter", counter, known_names.iter().copied(), problems);
    }
    let role = match staff.role {
        StaffRole::Staff => KeyRole::Staff,
        StaffRole::Manager => KeyRole::Manager,
        StaffRole::Api => KeyRole::Api,
    };
    match (role, staff.counters.is_empty()) {
        (KeyRole::Staff, true) => {
            let advice = "name them in counters, or use role = \"manager\"";
            problems.add(&format!("{at}.role"), "staff without a counter", advice);
        }
        (KeyRole::Manager, false) => {
            let advice = "use role = \"staff\", or leave counters out";
            problems.add(&format!("{at}.counters"), "a manager is at every counter", advice);
        }
        _ => {}
    }
    let counters = staff.counters.iter().map(|counter| CounterId::new(counter)).collect();
    let site_names = staff.sites.iter().cloned().collect();
    let key = StaffKey::new(name, staff.key.expose(), site_names).with_role(role, counters);
    let Some(scopes) = &staff.scopes else { return key };
    if role != KeyRole::Api {
        let advice = "use role = \"api\", or leave scopes out";
        problems.add(&format!("{at}.scopes"), "people have no scopes", advice);
    }
    if scopes.is_empty() {
        let advice = "name read, feed, counter or manage, or leave it out";
        problems.add(&format!("{at}.scopes"), "there is none", advice);
    }
    if !staff.counters.is_empty() && scopes.contains(&KeyScope::Manage) {
        let advice = "leave counters out, or manage";
        problems.add(&format!("{at}.scopes"), "a key of counters does not manage", advice);
    }
    key.with_scopes(scopes.clone())
}
