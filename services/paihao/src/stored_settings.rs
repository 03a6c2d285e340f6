//! Settings documents of a ledger that other processes may use, for the operator's commands.

use anyhow::Context;
use futures::TryStreamExt;
use paihao_contracts::streams::{Log, SETTINGS};
use paihao_gateway::settings::documents::SettingsDocuments;
use paihao_ledger::backup::BackupSource;
use paihao_ledger::{Position, StoredEntry};

/// Reads the newest settings documents.
pub(crate) async fn read(source: &dyn BackupSource) -> anyhow::Result<SettingsDocuments> {
    let mut documents = SettingsDocuments::default();
    for stored in entries(source, &SETTINGS).await? {
        documents.apply(&stored).context("cannot read the settings")?;
    }
    Ok(documents)
}

/// Reads all entries of a log.
pub(crate) async fn entries(
    source: &dyn BackupSource,
    log: &Log,
) -> anyhow::Result<Vec<StoredEntry>> {
    let head = source.head(log).await?;
    Ok(source.entries(log, Position::START, head).await?.try_collect().await?)
}
