//! Files of a deployment's rehearsals: the ledger of the rehearsal, and the mark that it is in use.
//!
//! A rehearsal is under way as long as the mark is there. The mark is made last when one begins,
//! and removed first when one ends, each in one step of the file system: a crash leaves the process
//! on one side or the other, with a ledger that is whole.

use super::takeover;
use crate::{simulated, stored_settings};
use anyhow::Context;
use paihao_chassis::clock::{Clock, SystemClock};
use paihao_gateway::http::rehearsal::RehearsalEnding;
use paihao_gateway::settings::documents::SettingsDocuments;
use paihao_ledger_sqlite::{SqliteBackup, SqliteLedger, SqliteOptions};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Name of the account that a rehearsal has if nothing names one.
const FIRST_ACCOUNT: &str = "shop";

/// Ends of the names of SQLite's files, and of the lock beside them.
const LEDGER_FILES: [&str; 4] = ["", "-wal", "-shm", ".lock"];

/// Files of rehearsals beside a ledger.
#[derive(Debug, Clone)]
pub(super) struct RehearsalFiles {
    real: PathBuf,
    rehearsal: PathBuf,
    mark: PathBuf,
}

impl RehearsalFiles {
    pub(super) fn beside(ledger: &Path) -> RehearsalFiles {
        RehearsalFiles {
            real: ledger.to_owned(),
            rehearsal: ledger.with_extension("rehearsal.sqlite"),
            mark: ledger.with_extension("rehearsal"),
        }
    }

    pub(super) fn rehearsal_ledger(&self) -> &Path {
        &self.rehearsal
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.mark.exists()
    }

    /// Names of the accounts that the rehearsal simulates.
    pub(super) fn account_names(&self) -> anyhow::Result<BTreeSet<String>> {
        let text = std::fs::read_to_string(&self.mark)?;
        Ok(text.lines().map(str::to_owned).filter(|name| !name.is_empty()).collect())
    }

    /// Makes the ledger of a rehearsal with the settings, staff and sessions of now, and then the
    /// mark.
    pub(super) async fn begin(&self) -> anyhow::Result<()> {
        self.remove_rehearsal()?;
        let real = SqliteBackup::open(&self.real).context("cannot read the ledger")?;
        let settings = stored_settings::read(&real).await?;
        let names = account_names(&settings);
        let accounts = simulated::accounts(&names)?;
        let sample = accounts.first().map(|(_, account)| account.setup()).unwrap_or_default();
        let rehearsal = open(&self.rehearsal)?;
        let copied = async {
            takeover::copy_staff(&real, &rehearsal).await?;
            takeover::copy_settings(&settings, &sample, &rehearsal, SystemClock.now_ms()).await
        };
        let copied = copied.await;
        rehearsal.close().await;
        copied.context("cannot write the rehearsal's ledger")?;
        self.write_mark(&names)
    }

    /// Takes over what the rehearsal has set up, if that is wanted, and removes the mark. The
    /// rehearsal's own files are removed by the next start, which no longer has them open.
    pub(super) async fn end(&self, ending: &RehearsalEnding) -> anyhow::Result<()> {
        let rehearsal = SqliteBackup::open(&self.rehearsal).context("cannot read the rehearsal")?;
        let now_ms = SystemClock.now_ms();
        let real = open(&self.real)?;
        let taken = async {
            if ending.keeps_settings {
                takeover::take_settings_over(&rehearsal, &real, ending, now_ms).await?;
            }
            takeover::take_session_over(&rehearsal, &real, ending.session.as_deref()).await
        };
        let taken = taken.await;
        real.close().await;
        taken.context("cannot write the ledger")?;
        std::fs::remove_file(&self.mark).context("cannot remove the rehearsal's mark")?;
        sync_folder(&self.mark)
    }

    /// Removes the ledger of a rehearsal that is not under way.
    pub(super) fn remove_rehearsal(&self) -> anyhow::Result<()> {
        let ledger = LEDGER_FILES.map(|end| {
            let mut name = self.rehearsal.clone().into_os_string();
            name.push(end);
            PathBuf::from(name)
        });
        for file in ledger.into_iter().chain([self.partial_mark()]) {
            match std::fs::remove_file(&file) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).context("cannot remove the rehearsal's ledger");
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Name of the mark while it is written.
    fn partial_mark(&self) -> PathBuf {
        self.mark.with_extension("rehearsal.partial")
    }

    fn write_mark(&self, names: &BTreeSet<String>) -> anyhow::Result<()> {
        let partial = self.partial_mark();
        let lines: String = names.iter().map(|name| format!("{name}\n")).collect();
        let mut file = File::create(&partial)?;
        file.write_all(lines.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&partial, &self.mark)?;
        sync_folder(&self.mark)
    }
}

/// Accounts of a deployment: those that are connected, and those that sites or words are for.
fn account_names(settings: &SettingsDocuments) -> BTreeSet<String> {
    let connected = settings.added_accounts().map(|(name, _)| name.clone());
    let sites =
        settings.sites.values().filter_map(|site| Some(site.setup.as_ref()?.account.clone()));
    let names: BTreeSet<_> =
        connected.chain(sites).chain(settings.accounts.keys().cloned()).collect();
    if names.is_empty() { [FIRST_ACCOUNT.to_owned()].into() } else { names }
}

fn open(path: &Path) -> anyhow::Result<SqliteLedger> {
    let options = SqliteOptions::new(Arc::new(|| SystemClock.now_ms()));
    Ok(SqliteLedger::open(path, options)?)
}

fn sync_folder(file: &Path) -> anyhow::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(())
}
