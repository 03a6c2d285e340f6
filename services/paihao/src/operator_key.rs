//! Operator's key, which seals the secrets in the ledger: given by the configuration, or made at
//! the first start in a file beside that of the ledger.

use crate::config::{Config, LedgerKind};
use crate::ports::Ports;
use crate::private_file;
use anyhow::{Context, bail, ensure};
use clap::Args;
use futures::StreamExt;
use paihao_chassis::Exit;
use paihao_chassis::sealing::{self, Keyring};
use paihao_contracts::account_credentials::AccountCredentials;
use paihao_contracts::envelope;
use paihao_contracts::settings_log::{SettingsEntry, SettingsEvent};
use paihao_contracts::staff::{StaffEntry, StaffEvent};
use paihao_contracts::stored_secret::{StoredSecret, deployment_secret_place};
use paihao_contracts::streams::{Log, SETTINGS, STAFF};
use paihao_ledger::backup::BackupSource;
use paihao_ledger::{Ledger, LogItem, Position, StoredEntry};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Name of the file beside that of the ledger.
const FILE_NAME: &str = "operator.key";

/// First lines of the file.
const FILE_HEADER: &str = "\
# The operator's key of paihao: it seals the secrets in the ledger beside it. Keep a copy away from
# this machine and away from the backups: without it a backup has no secrets. Never share it.
";

/// Time limit for reading a log at the start.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Prints a new key, or puts one in the place of the present one. See docs/guide/backup.md.
#[derive(Args)]
pub struct OperatorKeyOptions {
    /// Makes a new key the one that seals, in the file beside the ledger. The present one still
    /// opens what it sealed.
    #[arg(long)]
    rotate: bool,
}

/// Runs `paihao operator-key`.
pub fn run(config: &Config, options: &OperatorKeyOptions) -> Exit {
    if !options.rotate {
        println!("{}", Keyring::generate_key());
        return Exit::Clean;
    }
    match rotate(config) {
        Ok((path, id)) => {
            eprintln!("{} seals with the key {id} now", path.display());
            eprintln!("restart, and take the former line out once `paihao doctor` says so");
            Exit::Clean
        }
        Err(error) => {
            eprintln!("{error:#}");
            Exit::FailedToStart
        }
    }
}

fn rotate(config: &Config) -> anyhow::Result<(PathBuf, String)> {
    let path = key_file(config).context(
        "the configuration names the key (secrets.key): put the line of a new one in front there",
    )?;
    let before = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    Keyring::parse(&before).with_context(|| format!("{} is no keyring", path.display()))?;
    let key = Keyring::generate_key();
    let keys = before.lines().filter(|line| !line.starts_with('#'));
    let text = keys.fold(format!("{FILE_HEADER}{key}\n"), |text, line| text + line + "\n");
    private_file::replace(&path, &text)?;
    Ok((path, Keyring::parse(&key)?.current_id().to_owned()))
}

/// Returns the file of the key; `None` if the configuration gives the key, or has to.
pub(crate) fn key_file(config: &Config) -> Option<PathBuf> {
    let is_embedded = config.ledger.kind == LedgerKind::Sqlite && config.secrets.key.is_none();
    let folder = config.ledger.file.parent().unwrap_or(Path::new(""));
    is_embedded.then(|| folder.join(FILE_NAME))
}

/// Reads the key that is given, or that is in its file; `None` if there is none.
pub(crate) fn read(config: &Config) -> anyhow::Result<Option<Keyring>> {
    if let Some(key) = &config.secrets.key {
        return Ok(Some(Keyring::parse(key.expose()).context("secrets.key")?));
    }
    let Some(path) = key_file(config) else { return Ok(None) };
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let keyring = Keyring::parse(&text);
            Ok(Some(keyring.with_context(|| format!("the operator's key in {}", path.display()))?))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(error).with_context(|| format!("the operator's key in {}", path.display()))
        }
    }
}

/// Reads the key, and makes it at the first start where it has a file.
pub(crate) async fn load(
    config: &Config,
    ledger: &Arc<dyn Ledger>,
) -> anyhow::Result<Option<Arc<Keyring>>> {
    if let Some(keyring) = read(config)? {
        return Ok(Some(Arc::new(keyring)));
    }
    let Some(path) = key_file(config) else { return Ok(None) };
    let sealed = SealedSecrets::of_ledger(&**ledger).await?;
    // Another key would open nothing, and what is sealed under it would hide the loss.
    if let Some(id) = sealed.key_ids.keys().next() {
        bail!(
            "{} is missing, and the ledger has secrets that its key {id} has sealed: put the file \
             back, or name the key as secrets.key",
            path.display()
        );
    }
    let text = format!("{FILE_HEADER}{}\n", Keyring::generate_key());
    private_file::create(&path, &text)?;
    tracing::info!(file = %path.display(), "made the operator's key: keep a copy of it elsewhere");
    Ok(Some(Arc::new(Keyring::parse(&text)?)))
}

/// Returns an entry of the log of staff with the deployment's secret in the clear, if it has that.
pub(crate) fn opened(
    mut entry: StaffEntry,
    keyring: Option<&Keyring>,
) -> anyhow::Result<StaffEntry> {
    if let StaffEvent::SecretMade { secret, .. } = &mut entry.event
        && secret.is_sealed()
    {
        let keyring = keyring.context(
            "the deployment's secret is sealed under the operator's key, which is not at hand \
             (docs/guide/backup.md)",
        )?;
        let place = deployment_secret_place();
        let clear = keyring.open(&place, secret.as_stored()).context("the deployment's secret")?;
        *secret = StoredSecret::new(clear);
    }
    Ok(entry)
}

/// Fails if a secret cannot be opened that this process needs. A ledger that does not
/// answer is no failure: the secrets are read again while the process runs.
pub async fn require(ports: &Ports) -> anyhow::Result<()> {
    let sealed = match SealedSecrets::of_ledger(&*ports.ledger).await {
        Ok(sealed) => sealed,
        Err(error) => {
            tracing::warn!(%error, "cannot check the seals of the ledger's secrets");
            return Ok(());
        }
    };
    let missing = sealed.missing(ports.keyring.as_deref());
    ensure!(
        missing.is_empty(),
        "the ledger has secrets that are sealed under the operator's key {}, which is not at hand: \
         name it as secrets.key, or put its line into the file beside the ledger \
         (docs/guide/backup.md)",
        missing.join(", ")
    );
    Ok(())
}

/// Secrets of a ledger, by the keys that have sealed them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SealedSecrets {
    /// Number of values under each key, by its id.
    pub(crate) key_ids: BTreeMap<String, usize>,
    /// Number of values that stand in the clear.
    pub(crate) clear: usize,
    /// Names of the accounts that the settings log adds.
    pub(crate) accounts: BTreeSet<String>,
}

impl SealedSecrets {
    /// Reads the logs of a ledger that is open.
    pub(crate) async fn of_ledger(ledger: &dyn Ledger) -> anyhow::Result<SealedSecrets> {
        let read = async |log: &Log| {
            let head = ledger.head(log).await?;
            let mut items = ledger.follow(log, Position::START).await?;
            let mut entries = Vec::new();
            let mut position = Position::START;
            while position < head {
                match items.next().await {
                    Some(LogItem::Entry(stored)) => {
                        position = stored.position;
                        entries.extend(Some(stored).filter(may_have_secrets));
                    }
                    Some(LogItem::Restarted) => entries.clear(),
                    None => break,
                }
            }
            anyhow::Ok(entries)
        };
        let both = async { anyhow::Ok((read(&STAFF).await?, read(&SETTINGS).await?)) };
        let read = tokio::time::timeout(READ_TIMEOUT, both).await;
        let (staff, settings) = read.context("the ledger did not answer in time")??;
        Ok(SealedSecrets::of_entries(&staff, &settings))
    }

    /// Reads the logs of a ledger that other processes may use.
    pub(crate) async fn of_source(source: &dyn BackupSource) -> anyhow::Result<SealedSecrets> {
        let read = async |log: &Log| {
            let head = source.head(log).await?;
            let mut items = source.entries(log, Position::START, head).await?;
            let mut entries = Vec::new();
            while let Some(stored) = items.next().await {
                entries.extend(Some(stored?).filter(may_have_secrets));
            }
            anyhow::Ok(entries)
        };
        Ok(SealedSecrets::of_entries(&read(&STAFF).await?, &read(&SETTINGS).await?))
    }

    fn of_entries(staff: &[StoredEntry], settings: &[StoredEntry]) -> SealedSecrets {
        let mut secrets = SealedSecrets::default();
        for stored in staff {
            let Ok(entry) = envelope::decode::<StaffEntry>(&stored.entry.payload) else { continue };
            match entry.event {
                StaffEvent::SecretMade { secret, .. }
                | StaffEvent::SigningKeyMade { pkcs8: secret, .. } => {
                    secrets.count(secret.as_stored());
                }
                _ => {}
            }
        }
        // Of an account only the newest credentials are opened.
        let mut newest: BTreeMap<String, Box<AccountCredentials>> = BTreeMap::new();
        for stored in settings {
            let Ok(entry) = envelope::decode::<SettingsEntry>(&stored.entry.payload) else {
                continue;
            };
            match entry.event {
                SettingsEvent::CredentialsSet { account, credentials, .. }
                | SettingsEvent::CredentialsResealed { account, credentials } => {
                    newest.insert(account, credentials);
                }
                SettingsEvent::AccountRetired { account, .. } => {
                    newest.remove(&account);
                }
                _ => {}
            }
        }
        for credentials in newest.values() {
            credentials.secrets().for_each(|(_, secret)| secrets.count(secret.as_stored()));
        }
        secrets.accounts = newest.into_keys().collect();
        secrets
    }

    fn count(&mut self, stored: &str) {
        match sealing::key_id(stored) {
            Some(id) => *self.key_ids.entry(id.to_owned()).or_default() += 1,
            None => self.clear += 1,
        }
    }

    /// Returns the ids of the keys that are not in a keyring.
    pub(crate) fn missing(&self, keyring: Option<&Keyring>) -> Vec<String> {
        let at_hand: BTreeSet<_> = keyring.into_iter().flat_map(Keyring::ids).collect();
        self.key_ids.keys().filter(|id| !at_hand.contains(id.as_str())).cloned().collect()
    }
}

/// Returns whether an entry is of the log of staff, or has the credentials of an account.
fn may_have_secrets(stored: &StoredEntry) -> bool {
    matches!(stored.subject.parts().next(), Some("staff" | "credentials"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
    use std::os::unix::fs::PermissionsExt;

    fn config(folder: &Path, more: &str) -> Config {
        let file = folder.join("ledger.sqlite");
        let text = format!("ledger.file = '{}'\n{more}", file.display());
        Config::from_text("in a test", &text).unwrap()
    }

    fn ledger(folder: &Path) -> Arc<dyn Ledger> {
        let options = SqliteOptions::new(Arc::new(|| 0));
        Arc::new(SqliteLedger::open(folder.join("ledger.sqlite"), options).unwrap())
    }

    async fn seal_something(ledger: &Arc<dyn Ledger>, keyring: &Keyring) {
        let secret = StoredSecret::new(keyring.seal(&deployment_secret_place(), "top"));
        let event = StaffEvent::SecretMade { secret, made_at: None };
        let entry = StaffEntry::new(0, "system", event);
        let subject = paihao_ledger::Subject::new(&["staff"]).unwrap();
        let expect = paihao_ledger::ExpectedPosition::Any;
        let entry = paihao_ledger::Entry::new(entry.encode());
        ledger.append(&STAFF, &subject, expect, entry).await.unwrap();
    }

    #[tokio::test]
    async fn the_first_start_makes_a_key_that_later_ones_find() {
        let folder = tempfile::tempdir().unwrap();
        let (config, ledger) = (config(folder.path(), ""), ledger(folder.path()));
        let made = load(&config, &ledger).await.unwrap().unwrap();
        let path = folder.path().join(FILE_NAME);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let again = load(&config, &ledger).await.unwrap().unwrap();
        assert_eq!(made.current_id(), again.current_id());
    }

    #[tokio::test]
    async fn a_lost_or_wrong_key_is_told_and_no_other_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path());
        let embedded = config(folder.path(), "");
        let keyring = load(&embedded, &ledger).await.unwrap().unwrap();
        seal_something(&ledger, &keyring).await;
        let path = folder.path().join(FILE_NAME);
        std::fs::remove_file(&path).unwrap();
        let error = load(&embedded, &ledger).await.unwrap_err().to_string();
        assert!(error.contains(keyring.current_id()) && error.contains(FILE_NAME), "{error}");
        assert!(!path.exists());
        let other = Keyring::generate_key();
        let given = config(folder.path(), &format!("secrets.key = '{other}'"));
        let other = load(&given, &ledger).await.unwrap().unwrap();
        assert!(!path.exists(), "the one that is given counts");
        let sealed = SealedSecrets::of_ledger(&*ledger).await.unwrap();
        assert_eq!(sealed.missing(Some(&other)), [keyring.current_id()]);
        assert_eq!(sealed.missing(None), [keyring.current_id()]);
        assert!(sealed.missing(Some(&keyring)).is_empty());
    }

    #[tokio::test]
    async fn a_key_that_is_replaced_still_opens() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path());
        let embedded = config(folder.path(), "");
        let former = load(&embedded, &ledger).await.unwrap().unwrap();
        let (_, new) = rotate(&embedded).unwrap();
        let both = read(&embedded).unwrap().unwrap();
        assert_eq!(both.ids().collect::<Vec<_>>(), [&*new, former.current_id()]);
        let path = folder.path().join(FILE_NAME);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let given = format!("secrets.key = '{}'", Keyring::generate_key());
        assert!(rotate(&config(folder.path(), &given)).is_err());
    }

    #[test]
    fn the_deployments_secret_is_opened_by_its_key_alone() {
        let keyring = Keyring::parse(&Keyring::generate_key()).unwrap();
        let entry = |secret: &str| {
            let secret = StoredSecret::new(secret);
            StaffEntry::new(0, "system", StaffEvent::SecretMade { secret, made_at: None })
        };
        let secret_in = |entry: StaffEntry| match entry.event {
            StaffEvent::SecretMade { secret, .. } => secret.as_stored().to_owned(),
            other => panic!("{other:?}"),
        };
        let sealed = entry(&keyring.seal(&deployment_secret_place(), "top"));
        assert_eq!(secret_in(opened(sealed.clone(), Some(&keyring)).unwrap()), "top");
        assert_eq!(secret_in(opened(entry("top"), None).unwrap()), "top", "of a former version");
        let other = Keyring::parse(&Keyring::generate_key()).unwrap();
        for keyring in [None, Some(&other)] {
            assert!(opened(sealed.clone(), keyring).is_err());
        }
    }

    #[test]
    fn a_file_that_is_no_keyring_is_named_and_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE_NAME), "s3cret").unwrap();
        let error = format!("{:#}", read(&config(folder.path(), "")).unwrap_err());
        assert!(error.contains(FILE_NAME) && !error.contains("s3cret"), "{error}");
    }
}
