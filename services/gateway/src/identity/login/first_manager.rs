//! Codes that make their bearer the first manager, until there has been one.
//!
//! A code states when it ends, under a MAC by the deployment's secret: every replica accepts what
//! another one made, and nothing is stored. Whoever has the deployment's secret can make one.

use crate::identity::roster::Roster;
use paihao_chassis::entropy;
use paihao_contracts::staff::StaffEntry;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// Validity of a code that is printed.
pub const FIRST_MANAGER_CODE_TTL: Duration = Duration::from_secs(30 * 60);

/// Longest validity of a code: one from a clock that was far ahead does not last for ever.
const MAX_TTL_MS: i64 = 24 * 3600 * 1000;

/// Makes a code that nobody has had before; `None` if there has been a member.
pub(crate) fn make_code(roster: &Roster, now_ms: i64, ttl: Duration) -> Option<String> {
    let expires_at = now_ms.saturating_add(i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX));
    let claim = format!("{expires_at:x}.{}", hex::encode(entropy::bytes::<8>()));
    Some(format!("{claim}.{}", mac(roster, &claim)?))
}

/// Makes a code from the entries of the log of staff, whose secret is opened, for a command beside
/// a running gateway.
pub fn make_code_from<'a>(
    entries: impl IntoIterator<Item = &'a StaffEntry>,
    now_ms: i64,
) -> Option<String> {
    let mut roster = Roster::default();
    entries.into_iter().for_each(|entry| roster.apply(entry));
    make_code(&roster, now_ms, FIRST_MANAGER_CODE_TTL)
}

/// Returns whether a code makes its bearer the first manager now.
pub(crate) fn is_valid(roster: &Roster, code: &str, now_ms: i64) -> bool {
    let Some((claim, given)) = code.rsplit_once('.') else { return false };
    let Some(expected) = mac(roster, claim) else { return false };
    if !bool::from(expected.as_bytes().ct_eq(given.as_bytes())) {
        return false;
    }
    let expires_at = claim.split('.').next().and_then(|text| i64::from_str_radix(text, 16).ok());
    expires_at.is_some_and(|at| (now_ms + 1..=now_ms + MAX_TTL_MS).contains(&at))
}

fn mac(roster: &Roster, claim: &str) -> Option<String> {
    if roster.has_had_members() { None } else { roster.tag("first manager", &[claim]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_contracts::staff::{Member, StaffEvent, StaffRole};
    use paihao_contracts::stored_secret::StoredSecret;

    const NOW: i64 = 1_764_000_000_000;
    const TTL_MS: i64 = FIRST_MANAGER_CODE_TTL.as_millis() as i64;

    fn secret(secret: &str) -> StaffEntry {
        let secret = StoredSecret::new(secret);
        StaffEntry::new(NOW, "system", StaffEvent::SecretMade { secret, made_at: None })
    }

    fn roster(entries: &[StaffEntry]) -> Roster {
        let mut roster = Roster::default();
        entries.iter().for_each(|entry| roster.apply(entry));
        roster
    }

    #[test]
    fn each_code_is_a_new_one_and_ends_by_itself() {
        let entries = [secret("a")];
        let roster = roster(&entries);
        let [one, other] = [(); 2].map(|()| make_code_from(&entries, NOW).unwrap());
        assert_ne!(one, other);
        for (code, at, valid) in [
            (&one, NOW, true),
            (&other, NOW + TTL_MS - 1, true),
            (&one, NOW + TTL_MS, false),
            (&one, NOW - MAX_TTL_MS, false),
        ] {
            assert_eq!(is_valid(&roster, code, at), valid, "{at}");
        }
    }

    #[test]
    fn no_other_code_is_accepted_whichever_part_is_changed() {
        let entries = [secret("a")];
        let code = make_code_from(&entries, NOW).unwrap();
        let known = roster(&entries);
        for at in 0..code.len() {
            for replacement in ["0", "f", ".", ""] {
                let mut changed = code.clone();
                changed.replace_range(at..=at, replacement);
                assert!(changed == code || !is_valid(&known, &changed, NOW), "{changed}");
            }
        }
        let later = format!("{:x}", NOW + TTL_MS * 2);
        let parts: Vec<_> = code.split('.').collect();
        assert!(!is_valid(&known, &[&later, parts[1], parts[2]].join("."), NOW));
        assert!(!is_valid(&known, "", NOW) && !is_valid(&known, ".", NOW));
        assert!(!is_valid(&roster(&[secret("b")]), &code, NOW), "of another deployment");
        assert!(!is_valid(&Roster::default(), &code, NOW), "before the secret is known");
    }

    #[test]
    fn there_is_none_once_there_has_been_a_member() {
        let mut entries = vec![secret("a")];
        let code = make_code_from(&entries, NOW).unwrap();
        let member = Member {
            id: "m_1".into(),
            name: "李雷".into(),
            role: StaffRole::Manager,
            sites: None,
            counters: [].into(),
        };
        let person = "p".to_owned();
        let joined = StaffEvent::Joined { member, person, invitation: "first".into() };
        entries.push(StaffEntry::new(NOW, "first", joined));
        assert!(!is_valid(&roster(&entries), &code, NOW));
        assert_eq!(make_code_from(&entries, NOW), None);
        entries.push(StaffEntry::new(NOW, "x", StaffEvent::Removed { id: "m_1".into() }));
        assert_eq!(make_code_from(&entries, NOW), None, "whoever came after");
    }
}
