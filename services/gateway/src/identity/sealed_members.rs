//! Sealed list of the members of an account that is about to migrate: encrypted under the
//! deployment's secret, for an operator to hold until the account has migrated.
//!
//! The roster keeps hashes of openids, and WeChat tells a new openid for a former one only. The
//! list is the only place where the former ones are, and nobody but the deployment can read it.

use super::roster::Roster;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use paihao_chassis::entropy;
use paihao_contracts::envelope::{self, NewerForm};
use paihao_contracts::migrating_members::MigratingMembers;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// Purpose of the key.
const PURPOSE: &str = "migrating members";

/// Reason why a list is not read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum OpenError {
    /// It is cut off, was changed, or is one of another deployment.
    Foreign,
    /// A newer program sealed it.
    Newer(NewerForm),
}

/// Seals a list; `None` before the deployment has its secret.
pub(crate) fn seal(roster: &Roster, members: &MigratingMembers) -> Option<String> {
    let nonce: [u8; NONCE_LEN] = entropy::bytes();
    let mut sealed = members.encode();
    key(roster)?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(PURPOSE),
            &mut sealed,
        )
        .expect("a list is far smaller than the cipher's limit");
    Some(URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat()))
}

/// Opens a sealed list.
pub(crate) fn open(roster: &Roster, sealed: &str) -> Result<MigratingMembers, OpenError> {
    let mut bytes = URL_SAFE_NO_PAD.decode(sealed.trim()).map_err(|_| OpenError::Foreign)?;
    let (nonce, ciphertext) = bytes.split_at_mut_checked(NONCE_LEN).ok_or(OpenError::Foreign)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError::Foreign)?;
    let opened = key(roster)
        .ok_or(OpenError::Foreign)?
        .open_in_place(nonce, Aad::from(PURPOSE), ciphertext)
        .map_err(|_| OpenError::Foreign)?;
    envelope::decode(opened).map_err(|error| match error.newer() {
        Some(newer) => OpenError::Newer(newer),
        None => OpenError::Foreign,
    })
}

fn key(roster: &Roster) -> Option<LessSafeKey> {
    let key = UnboundKey::new(&AES_256_GCM, &roster.encryption_key(PURPOSE)?);
    Some(LessSafeKey::new(key.expect("the cipher takes keys of 32 bytes")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_contracts::migrating_members::MigratingMember;
    use paihao_contracts::staff::{StaffEntry, StaffEvent};
    use paihao_contracts::stored_secret::StoredSecret;

    fn roster(secret: &str) -> Roster {
        let mut roster = Roster::default();
        let event = StaffEvent::SecretMade { secret: StoredSecret::new(secret), made_at: None };
        roster.apply(&StaffEntry::new(0, "system", event));
        roster
    }

    fn members() -> MigratingMembers {
        let member = MigratingMember { id: "m_1".into(), person: "oPerson".into() };
        MigratingMembers::new("shop", vec![member])
    }

    #[test]
    fn only_the_deployment_opens_what_it_sealed() {
        let own = roster("one");
        let sealed = seal(&own, &members()).unwrap();
        assert_eq!(open(&own, &format!(" {sealed}\n")), Ok(members()));
        assert_ne!(seal(&own, &members()).unwrap(), sealed, "each time another text");
        let plain = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
        assert!(!String::from_utf8_lossy(&plain).contains("oPerson"));
        assert_eq!(open(&roster("two"), &sealed), Err(OpenError::Foreign));
        for at in [0, NONCE_LEN, plain.len() - 1] {
            let mut changed = plain.clone();
            changed[at] ^= 1;
            let changed = URL_SAFE_NO_PAD.encode(changed);
            assert_eq!(open(&own, &changed), Err(OpenError::Foreign), "byte {at}");
        }
        for broken in ["", "AAAA", "no base64", &sealed[..sealed.len() / 2]] {
            assert_eq!(open(&own, broken), Err(OpenError::Foreign), "{broken}");
        }
        assert_eq!(seal(&Roster::default(), &members()), None);
    }

    #[test]
    fn a_list_of_a_newer_program_is_told_from_a_foreign_one() {
        let own = roster("one");
        let newer = MigratingMembers { v: 2, ..members() };
        let opened = open(&own, &seal(&own, &newer).unwrap());
        assert!(matches!(opened, Err(OpenError::Newer(_))), "{opened:?}");
    }
}
