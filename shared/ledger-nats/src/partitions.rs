//! Streams of the ledger that are there: the number of partitions that they tell, and those that
//! are missing although they were there.

use crate::division::log::{DivisionLog, DivisionRecord, Step};
use crate::ledger::all_streams;
use crate::options::ConnectError;
use crate::streams::{StreamError, StreamKind, Streams};
use paihao_contracts::partitions::{MAX_PARTITIONS, Partition, Partitions};
use paihao_contracts::streams::{LEDGER, Log};

/// Streams that tell the number of partitions: a ledger has the first one, or the second with the
/// number in its description. A process that knows no partitions finds its ledger gone.
pub(crate) fn first_ledgers() -> [StreamKind; 2] {
    let several = Partitions::new(MAX_PARTITIONS).unwrap_or(Partitions::ONE);
    [Partitions::ONE, several].map(first_ledger)
}

fn first_ledger(partitions: Partitions) -> StreamKind {
    StreamKind::Log(partitions.all().next().map_or(LEDGER, |partition| partition.ledger))
}

/// Begin of the description of a partition's stream, which the number of partitions follows.
const PARTITION_OF: &str = "a partition of the ledger, one of ";

/// Number of partitions that the stream of a ledger tells; 0 if nobody can know.
pub(crate) fn partitions_told_by(stream: StreamKind, description: Option<&str>) -> usize {
    if stream.name() == LEDGER.name {
        return 1;
    }
    let number = description.and_then(|text| text.strip_prefix(PARTITION_OF));
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Description of a partition's stream; `None` for a log that does not divide.
pub(crate) fn description(log: &Log, partitions: Partitions) -> Option<String> {
    let is_partition = log.family() == LEDGER.name && log.name != LEDGER.name;
    is_partition.then(|| format!("{PARTITION_OF}{}", partitions.count()))
}

impl Streams {
    /// Stream of the first partition.
    pub(crate) fn first_ledger(&self) -> StreamKind {
        first_ledger(self.partitions())
    }

    /// Refuses a deployment whose ledger is missing although it was there: `must_exist` says so, or
    /// another stream of it does.
    pub(crate) async fn require_ledger(&self, must_exist: bool) -> Result<(), ConnectError> {
        let ledgers = self.partitions().all().map(|Partition { ledger, .. }| ledger.name);
        let Some(ledger) = self.first_missing(ledgers.clone()).await? else { return Ok(()) };
        let mut was_there = must_exist;
        for kind in all_streams(self.partitions()) {
            let is_ledger = ledgers.clone().any(|name| name == kind.name());
            was_there = was_there || (!is_ledger && self.info(&self.name(kind)).await?.is_some());
        }
        // Ledgers are created before the others: another process may be at its first start.
        if was_there && self.info(&ledger).await?.is_none() {
            // The others may be of a process that has just begun with another number.
            self.require_partitions().await?;
            Err(ConnectError::Lost { stream: ledger })
        } else {
            Ok(())
        }
    }

    /// Full name of the first of these streams that is missing.
    async fn first_missing(
        &self,
        names: impl Iterator<Item = &'static str>,
    ) -> Result<Option<String>, StreamError> {
        for name in names {
            let name = self.namespace().stream_name(name);
            if self.info(&name).await?.is_none() {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// Refuses a ledger with another number of partitions: two processes that hash differently
    /// would give one number twice.
    pub(crate) async fn require_partitions(&self) -> Result<(), ConnectError> {
        let expected = self.partitions().count();
        let division = self.division().await?;
        for stream in first_ledgers() {
            let Some(info) = self.info(&self.name(stream)).await? else { continue };
            let found = partitions_told_by(stream, info.config.description.as_deref());
            if division.is_some_and(|division| division.supersedes(found)) {
                continue;
            }
            if found != expected {
                return Err(ConnectError::Partitions { found, expected });
            }
        }
        // Divided since this process began to connect.
        match division {
            Some(DivisionRecord { step: Step::Done, into: found }) if found != expected => {
                Err(ConnectError::Partitions { found, expected })
            }
            _ => Ok(()),
        }
    }

    async fn division(&self) -> Result<Option<DivisionRecord>, StreamError> {
        let log = DivisionLog::new(self.connection_handle(), self.namespace().clone());
        Ok(log.newest().await.map_err(StreamError::Unavailable)?.record)
    }
}
