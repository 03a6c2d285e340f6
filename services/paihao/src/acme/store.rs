//! Files of the account, the certificate and the last failure, in a folder beside the ledger. What
//! is secret in them is sealed.

pub(crate) use super::order::FailureKind;
use crate::private_file;
use anyhow::Context;
use instant_acme::AccountCredentials;
use paihao_chassis::http::Certificate;
use paihao_chassis::sealing::Keyring;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const ACCOUNT: &str = "account.json";
const CERTIFICATE: &str = "certificate.json";
const ATTEMPT: &str = "attempt.json";

/// Places that the seals are bound to.
const ACCOUNT_PLACE: &str = "acme/account";
const KEY_PLACE: &str = "acme/certificate";

/// Certificate that was obtained.
pub(super) struct StoredCertificate {
    pub(super) chain: String,
    pub(super) key: String,
    pub(super) certificate: Certificate,
    pub(super) obtained_at_ms: i64,
}

/// Last attempt, if it failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempt {
    /// Failures in a row.
    pub(crate) failures: u32,
    pub(crate) failed_at_ms: i64,
    pub(crate) next_at_ms: i64,
    /// Time before which the authority wants no other one; 0 if it named none.
    pub(crate) not_before_ms: i64,
    pub(crate) kind: FailureKind,
    /// What the authority said, or why it could not.
    pub(crate) error: String,
}

#[derive(Serialize, Deserialize)]
struct AccountFile {
    directory: String,
    /// Sealed credentials.
    credentials: String,
}

#[derive(Serialize, Deserialize)]
struct CertificateFile {
    host: String,
    obtained_at_ms: i64,
    ends_at_s: i64,
    chain: String,
    /// Sealed private key.
    key: String,
}

/// What a look from outside sees of the folder.
pub(crate) struct Standing {
    /// End of the certificate for the host in Unix seconds; `None` without one.
    pub(crate) ends_at_s: Option<i64>,
    /// Last attempt, if it failed.
    pub(crate) attempt: Option<Attempt>,
}

/// Reads how it stands, also while a process uses the folder.
pub(crate) fn standing(folder: &Path, host: &str) -> Standing {
    let file: Option<CertificateFile> = read(&folder.join(CERTIFICATE));
    Standing {
        ends_at_s: file.filter(|file| file.host == host).map(|file| file.ends_at_s),
        attempt: read(&folder.join(ATTEMPT)),
    }
}

pub(super) struct Store {
    folder: PathBuf,
    keyring: Arc<Keyring>,
}

impl Store {
    /// Makes the folder if need be.
    pub(super) fn open(folder: &Path, keyring: Arc<Keyring>) -> anyhow::Result<Store> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Store { folder: folder.to_owned(), keyring })
    }

    /// Reads the account at this authority.
    pub(super) fn account(&self, directory: &str) -> Option<AccountCredentials> {
        let file: AccountFile = read(&self.folder.join(ACCOUNT))?;
        let is_that = file.directory == directory;
        let opened = is_that.then(|| self.open_seal(ACCOUNT_PLACE, &file.credentials)).flatten()?;
        serde_json::from_str(&opened).ok()
    }

    pub(super) fn set_account(
        &self,
        directory: &str,
        credentials: &AccountCredentials,
    ) -> anyhow::Result<()> {
        let credentials = self.keyring.seal(ACCOUNT_PLACE, &serde_json::to_string(credentials)?);
        self.write(ACCOUNT, &AccountFile { directory: directory.to_owned(), credentials })
    }

    pub(super) fn forget_account(&self) {
        let _ = std::fs::remove_file(self.folder.join(ACCOUNT));
    }

    /// Reads the certificate for this host.
    pub(super) fn certificate(&self, host: &str) -> Option<StoredCertificate> {
        let file: CertificateFile = read(&self.folder.join(CERTIFICATE))?;
        let CertificateFile { obtained_at_ms, chain, .. } = file;
        let key = self.open_seal(KEY_PLACE, &file.key)?;
        let certificate = Certificate::from_pem(chain.as_bytes(), key.as_bytes()).ok()?;
        let is_that = file.host == host && certificate.names(host);
        is_that.then_some(StoredCertificate { chain, key, certificate, obtained_at_ms })
    }

    pub(super) fn set_certificate(
        &self,
        host: &str,
        stored: &StoredCertificate,
    ) -> anyhow::Result<()> {
        let file = CertificateFile {
            host: host.to_owned(),
            obtained_at_ms: stored.obtained_at_ms,
            ends_at_s: stored.certificate.ends_at_s(),
            chain: stored.chain.clone(),
            key: self.keyring.seal(KEY_PLACE, &stored.key),
        };
        self.write(CERTIFICATE, &file)
    }

    pub(super) fn attempt(&self) -> Option<Attempt> {
        read(&self.folder.join(ATTEMPT))
    }

    pub(super) fn set_attempt(&self, attempt: &Attempt) -> anyhow::Result<()> {
        self.write(ATTEMPT, attempt)
    }

    pub(super) fn clear_attempt(&self) {
        let _ = std::fs::remove_file(self.folder.join(ATTEMPT));
    }

    /// Opens a seal. What cannot be opened is made anew, with a warning: nothing is lost by that.
    fn open_seal(&self, place: &str, sealed: &str) -> Option<String> {
        let opened = self.keyring.open(place, sealed);
        opened.inspect_err(|error| tracing::warn!(%error, place, "making it anew")).ok()
    }

    fn write(&self, name: &str, content: &impl Serialize) -> anyhow::Result<()> {
        private_file::replace(&self.folder.join(name), &serde_json::to_string(content)?)
    }
}

/// Reads a file. One of another form, which a newer program may have written, counts as none:
/// nothing is lost by making it anew.
fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use std::os::unix::fs::PermissionsExt;

    const HOST: &str = "queue.example.com";

    fn keyring() -> Arc<Keyring> {
        Arc::new(Keyring::parse(&Keyring::generate_key()).unwrap())
    }

    fn made() -> StoredCertificate {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed([HOST.to_owned()]).unwrap();
        let (chain, key) = (cert.pem(), signing_key.serialize_pem());
        let certificate = Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
        StoredCertificate { chain, key, certificate, obtained_at_ms: 7 }
    }

    #[test]
    fn a_certificate_is_found_by_its_host_and_key_and_its_file_has_no_key_in_the_clear() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("acme");
        let own = keyring();
        let store = Store::open(&folder, own.clone()).unwrap();
        assert!(store.certificate(HOST).is_none());
        let stored = made();
        store.set_certificate(HOST, &stored).unwrap();
        let found = Store::open(&folder, own).unwrap().certificate(HOST).unwrap();
        assert!(found.certificate == stored.certificate && found.obtained_at_ms == 7);
        assert!(store.certificate("other.example.com").is_none());
        assert!(Store::open(&folder, keyring()).unwrap().certificate(HOST).is_none());

        let path = folder.join(CERTIFICATE);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("BEGIN CERTIFICATE") && !text.contains("PRIVATE"), "{text}");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(standing(&folder, HOST).ends_at_s, Some(stored.certificate.ends_at_s()));
        assert_eq!(standing(&folder, "other.example.com").ends_at_s, None);
        std::fs::write(&path, &text[..text.len() / 2]).unwrap();
        assert!(store.certificate(HOST).is_none());
    }
}
