//! Backup, restore and move of the ledger: `paihao backup`, `paihao restore`, `paihao move`.
//!
//! A backup names people and what they did, and holds the roster. It is written with mode 0600.

use crate::config::{Ledger, LedgerKind};
use crate::ports::{backup_source, restore_target};
use anyhow::{Context, bail, ensure};
use clap::Args;
use paihao_chassis::Exit;
use paihao_chassis::clock::{Clock, SystemClock};
use paihao_ledger::backup::format::verify;
use paihao_ledger::backup::{RestoreOptions, Summary, make_backup};
use std::path::{Path, PathBuf};
use tokio::fs::{self, File};
use tokio::io::{
    AsyncRead, AsyncSeekExt, AsyncWriteExt, BufReader, BufWriter, duplex, stdin, stdout,
};

/// Bytes that are read or written at once.
const BUFFER_BYTES: usize = 1 << 20;

/// Writes a backup of the ledger, also while processes use it. See docs/guide/backup.md.
#[derive(Args)]
pub struct BackupOptions {
    /// File to write, which must not exist; `-` is the standard output.
    file: PathBuf,
}

/// Restores a backup into the configured ledger. See docs/guide/backup.md.
#[derive(Args)]
pub struct RestoreArguments {
    /// File to read; `-` is the standard input.
    file: PathBuf,
    /// The processes were stopped before the backup and have not run since: messages that were
    /// waiting are sent, and browser sessions go on.
    #[arg(long)]
    resume: bool,
    /// Removes what an earlier restore has left that did not come to its end (NATS).
    #[arg(long)]
    discard_partial: bool,
}

/// Moves the ledger of stopped processes to another store. See docs/guide/backup.md.
#[derive(Args)]
pub struct MoveOptions {
    /// Configuration file of the other store, which is to be empty.
    #[arg(long)]
    pub to: PathBuf,
    /// Removes what an earlier move has left that did not come to its end (NATS).
    #[arg(long)]
    discard_partial: bool,
}

/// Runs `paihao backup`.
pub async fn back_up(ledger: Ledger, options: BackupOptions) -> Exit {
    report(write_backup(&ledger, &options.file).await.map(|summary| {
        eprintln!("backed up: {}", counts(&summary));
        eprintln!(
            "the backup names people: keep it as you keep the ledger, for as long as you need it"
        );
    }))
}

/// Runs `paihao restore`.
pub async fn restore(ledger: Ledger, options: RestoreArguments) -> Exit {
    let resume = options.resume;
    report(read_backup(&ledger, &options).await.map(|summary| {
        eprintln!("restored: {}", counts(&summary));
        if !resume {
            eprintln!(
                "not sent, since they may have been: notices that waited ({}), notices of decisions ({})",
                summary.stale_notices, summary.unplanned
            );
            eprintln!(
                "left out, entries of browser sessions: {}; staff log in again",
                summary.left_out
            );
        }
    }))
}

/// Runs `paihao move`.
pub async fn move_to(from: Ledger, to: Ledger, options: MoveOptions) -> Exit {
    report(copy(&from, &to, &options).await.map(|summary| {
        eprintln!("moved: {}", counts(&summary));
        eprintln!(
            "start the processes with {}, and never again with the former store",
            options.to.display()
        );
    }))
}

fn report(result: anyhow::Result<()>) -> Exit {
    match result {
        Ok(()) => Exit::Clean,
        Err(error) => {
            eprintln!("{error:#}");
            Exit::FailedToStart
        }
    }
}

async fn write_backup(ledger: &Ledger, file: &Path) -> anyhow::Result<Summary> {
    let source = backup_source(ledger).await?;
    let now_ms = SystemClock.now_ms();
    if file == Path::new("-") {
        let out = BufWriter::with_capacity(BUFFER_BYTES, stdout());
        return Ok(make_backup(&*source, now_ms, out).await?.1);
    }
    ensure!(!fs::try_exists(file).await?, "{} exists: choose another name", file.display());
    let partial = with_suffix(file, ".partial");
    let written = async {
        let out = create_private(&partial).await?;
        let (out, summary) = make_backup(&*source, now_ms, out).await?;
        out.into_inner().sync_all().await?;
        fs::rename(&partial, file).await?;
        anyhow::Ok(summary)
    };
    let written = written.await;
    if written.is_err() {
        let _ = fs::remove_file(&partial).await;
    }
    written.with_context(|| format!("cannot write {}", file.display()))
}

/// Creates a file that only its owner may read, in place of one that was left.
async fn create_private(path: &Path) -> anyhow::Result<BufWriter<File>> {
    let _ = fs::remove_file(path).await;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    Ok(BufWriter::with_capacity(BUFFER_BYTES, options.open(path).await?))
}

async fn read_backup(ledger: &Ledger, options: &RestoreArguments) -> anyhow::Result<Summary> {
    if options.file == Path::new("-") {
        // What cannot be read twice is verified while it is written, and removed if it is wrong.
        return restore_from(stdin(), ledger, options.resume, options.discard_partial).await;
    }
    let name = options.file.display();
    let mut file =
        File::open(&options.file).await.with_context(|| format!("cannot open {name}"))?;
    verify(BufReader::with_capacity(BUFFER_BYTES, &mut file))
        .await
        .with_context(|| format!("{name} is not restored"))?;
    file.rewind().await?;
    restore_from(file, ledger, options.resume, options.discard_partial).await
}

async fn restore_from<R: AsyncRead + Unpin + Send>(
    input: R,
    ledger: &Ledger,
    resume: bool,
    discard_partial: bool,
) -> anyhow::Result<Summary> {
    let mut target = restore_target(ledger, discard_partial);
    let input = BufReader::with_capacity(BUFFER_BYTES, input);
    let options = RestoreOptions { resume };
    Ok(paihao_ledger::backup::restore(input, &mut *target, options).await?)
}

/// Copies a store that nobody uses. Backup and restore run side by side over a pipe.
async fn copy(from: &Ledger, to: &Ledger, options: &MoveOptions) -> anyhow::Result<Summary> {
    ensure!(!is_same(from, to), "both configurations name the same store");
    let source = backup_source(from).await?;
    if !source.is_stopped().await? {
        bail!(
            "a process uses the ledger, or did so half a minute ago: stop every process, wait, and begin again"
        );
    }
    let (write, read) = duplex(BUFFER_BYTES);
    let making = async {
        let made = make_backup(&*source, SystemClock.now_ms(), write).await;
        match made {
            // The end of the pipe follows.
            Ok((mut write, _)) => write.shutdown().await.map_err(anyhow::Error::from),
            Err(error) => Err(error.into()),
        }
    };
    let restoring = restore_from(read, to, true, options.discard_partial);
    let (made, restored) = futures::join!(making, restoring);
    match (made, restored) {
        (Ok(()), restored) => restored.context("the ledger was not moved"),
        // The restore only saw that the pipe broke, unless it broke it itself.
        (Err(error), Err(restore)) => Err(if is_broken_pipe(&error) { restore } else { error }),
        (Err(error), Ok(_)) => Err(error),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kinds = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    kinds.into_iter().any(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn is_same(from: &Ledger, to: &Ledger) -> bool {
    match (from.kind, to.kind) {
        (LedgerKind::Sqlite, LedgerKind::Sqlite) => from.file == to.file,
        (LedgerKind::Nats, LedgerKind::Nats) => {
            from.url == to.url && from.namespace == to.namespace
        }
        _ => false,
    }
}

fn counts(summary: &Summary) -> String {
    let counts = summary.counts.iter().map(|(name, count)| format!("{name} {count}"));
    let counts: Vec<_> = counts.collect();
    if counts.is_empty() { "nothing, the ledger is empty".to_owned() } else { counts.join(", ") }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
