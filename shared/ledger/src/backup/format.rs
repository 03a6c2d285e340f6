//! Form of a backup: a first line, then records, then an end with a checksum over everything before
//! it. A record is the length of its head, that of its payload, the head as JSON, and the payload.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Newest version of the form that this program reads and writes.
pub const VERSION: u32 = 1;

/// Begin of the first line, which the version follows.
const MAGIC: &str = "paihao backup ";

/// Longest first line.
const MAX_FIRST_LINE: usize = 32;

/// Longest head of a record, in bytes: a consumer with a million open entries.
const MAX_HEAD_BYTES: usize = 32 << 20;

/// Longest payload of a record, in bytes. NATS takes no more in one message.
const MAX_PAYLOAD_BYTES: usize = 64 << 20;

/// Head of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Record {
    /// The first record.
    Head(Head),
    /// Progress of a shared consumer.
    Consumer {
        /// Name of the log.
        log: String,
        /// Name of the consumer.
        name: String,
        /// Position up to which entries have been handed out.
        after: u64,
        /// Entries up to there that are not done.
        open: Vec<u64>,
    },
    /// Message of a work queue, with its payload.
    Message {
        /// Name of the queue.
        queue: String,
        /// Key of the message.
        key: String,
        /// Time at which it was enqueued, in Unix milliseconds.
        at: i64,
        /// Time before which it is not delivered, in Unix milliseconds.
        due: i64,
        /// Number of deliveries so far.
        attempt: u64,
        /// Names and values.
        headers: Vec<(String, String)>,
    },
    /// Entry of a log, with its payload.
    Entry {
        /// Name of the log.
        log: String,
        /// Subject of the entry.
        subject: String,
        /// Position in the log.
        position: u64,
        /// Time of the append, in Unix milliseconds.
        at: i64,
        /// Names and values.
        headers: Vec<(String, String)>,
    },
    /// End of a log. Every log has one.
    LogEnd {
        /// Name of the log.
        log: String,
        /// Position that later entries stand behind; of the ledger only.
        last: u64,
    },
    /// The last record.
    End {
        /// Number of records before this one.
        records: u64,
        /// True if no process has used the store since the backup was begun.
        stopped: bool,
        /// Checksum over all bytes before this record and `stopped`, in hex digits.
        sha256: String,
    },
}

/// Facts about a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Time at which the backup was begun, in Unix milliseconds, by the clock of the machine.
    pub taken_at: i64,
    /// Version of the program.
    pub program: String,
    /// True if no process used the store when the backup was begun.
    pub stopped: bool,
    /// Number of partitions of the ledger.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub partitions: usize,
}

fn one() -> usize {
    1
}

fn is_one(number: &usize) -> bool {
    *number == 1
}

/// Reason why a backup cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// It begins otherwise.
    #[error("this is no backup of paihao")]
    NotABackup,
    /// A newer program made it.
    #[error(
        "a newer paihao made this backup (form {0}, this one reads up to {VERSION}): update first"
    )]
    Newer(u32),
    /// The end is missing.
    #[error("the backup was cut off: its end is missing")]
    Truncated,
    /// A record or the checksum is wrong.
    #[error("the backup was altered or damaged: {0}")]
    Altered(&'static str),
    /// It names a log or a queue that this program does not have.
    #[error("the backup has a part that this version does not know: {0}")]
    UnknownPart(String),
    /// It cannot be read or written.
    #[error("the backup cannot be read or written: {0}")]
    Io(#[from] std::io::Error),
}

/// Writer of a backup.
pub struct BackupWriter<W> {
    out: W,
    hash: Sha256,
    records: u64,
}

impl<W: AsyncWrite + Unpin> BackupWriter<W> {
    /// Writes the first line and the head.
    pub async fn begin(out: W, head: Head) -> Result<BackupWriter<W>, FormatError> {
        let mut writer = BackupWriter { out, hash: Sha256::new(), records: 0 };
        let line = format!("{MAGIC}{VERSION}\n");
        writer.hash.update(&line);
        writer.out.write_all(line.as_bytes()).await?;
        writer.write(&Record::Head(head), &[]).await?;
        Ok(writer)
    }

    /// Writes a record.
    pub async fn write(&mut self, record: &Record, payload: &[u8]) -> Result<(), FormatError> {
        let frame = frame(record, payload);
        self.hash.update(&frame);
        self.hash.update(payload);
        self.out.write_all(&frame).await?;
        self.out.write_all(payload).await?;
        self.records += 1;
        Ok(())
    }

    /// Writes the end, and hands everything on. `stopped` tells whether no process has used the
    /// store since the beginning.
    pub async fn finish(mut self, stopped: bool) -> Result<W, FormatError> {
        let sha256 = checksum(self.hash, stopped);
        let end = frame(&Record::End { records: self.records, stopped, sha256 }, &[]);
        self.out.write_all(&end).await?;
        self.out.flush().await?;
        Ok(self.out)
    }
}

fn checksum(hash: Sha256, stopped: bool) -> String {
    hex::encode(hash.chain_update([u8::from(stopped)]).finalize())
}

/// The lengths and the head of a record.
fn frame(record: &Record, payload: &[u8]) -> Vec<u8> {
    let head = serde_json::to_vec(record).expect("string keys only");
    let mut frame = Vec::with_capacity(8 + head.len());
    frame.extend_from_slice(&(head.len() as u32).to_le_bytes());
    frame.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    frame.extend_from_slice(&head);
    frame
}

/// Reader of a backup.
pub struct BackupReader<R> {
    input: R,
    hash: Sha256,
    records: u64,
    stopped: bool,
}

impl<R: AsyncRead + Unpin> BackupReader<R> {
    /// Reads the first line and the head.
    pub async fn begin(mut input: R) -> Result<(BackupReader<R>, Head), FormatError> {
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            let mut next = [0];
            if line.len() >= MAX_FIRST_LINE || input.read(&mut next).await? == 0 {
                return Err(FormatError::NotABackup);
            }
            line.push(next[0]);
        }
        let text = str::from_utf8(&line).map_err(|_| FormatError::NotABackup)?;
        let version = text.strip_prefix(MAGIC).and_then(|version| version.trim_end().parse().ok());
        match version {
            None | Some(0) => return Err(FormatError::NotABackup),
            Some(VERSION) => {}
            Some(newer) => return Err(FormatError::Newer(newer)),
        }
        let mut reader = BackupReader { input, hash: Sha256::new(), records: 0, stopped: false };
        reader.hash.update(&line);
        match reader.next().await? {
            Some((Record::Head(head), _)) => Ok((reader, head)),
            _ => Err(FormatError::Altered("it has no head")),
        }
    }

    /// Reads the next record; `None` after the end, which is verified.
    pub async fn next(&mut self) -> Result<Option<(Record, Bytes)>, FormatError> {
        let mut lengths = [0; 8];
        self.read_exact(&mut lengths).await?;
        let [a, b, c, d, e, f, g, h] = lengths;
        let head_bytes = u32::from_le_bytes([a, b, c, d]) as usize;
        let payload_bytes = u32::from_le_bytes([e, f, g, h]) as usize;
        if head_bytes > MAX_HEAD_BYTES || payload_bytes > MAX_PAYLOAD_BYTES {
            return Err(FormatError::Altered("a record is too long"));
        }
        let head = self.read_bytes(head_bytes).await?;
        let payload = self.read_bytes(payload_bytes).await?;
        let record: Record = serde_json::from_slice(&head)
            .map_err(|_| FormatError::Altered("a record cannot be decoded"))?;
        if let Record::End { records, stopped, sha256 } = &record {
            if *records != self.records || *sha256 != checksum(self.hash.clone(), *stopped) {
                return Err(FormatError::Altered("its checksum does not match"));
            }
            if self.input.read(&mut [0]).await? > 0 {
                return Err(FormatError::Altered("something follows its end"));
            }
            self.stopped = *stopped;
            return Ok(None);
        }
        self.hash.update(lengths);
        self.hash.update(&head);
        self.hash.update(&payload);
        self.records += 1;
        Ok(Some((record, payload)))
    }

    /// Returns whether no process used the store while the backup was made. Known after the end.
    pub fn was_stopped(&self) -> bool {
        self.stopped
    }

    /// Reads so many bytes in steps: a length that was altered must not take memory.
    async fn read_bytes(&mut self, length: usize) -> Result<Bytes, FormatError> {
        const STEP: usize = 1 << 20;
        let mut bytes = Vec::with_capacity(length.min(STEP));
        while bytes.len() < length {
            let begin = bytes.len();
            bytes.resize(length.min(begin + STEP), 0);
            self.read_exact(&mut bytes[begin..]).await?;
        }
        Ok(bytes.into())
    }

    async fn read_exact(&mut self, bytes: &mut [u8]) -> Result<(), FormatError> {
        match self.input.read_exact(bytes).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Err(FormatError::Truncated)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Reads a whole backup and verifies it.
pub async fn verify<R: AsyncRead + Unpin>(input: R) -> Result<Head, FormatError> {
    let (mut reader, head) = BackupReader::begin(input).await?;
    while reader.next().await?.is_some() {}
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        let program = "0.1.0".to_owned();
        Head { taken_at: 1_795_140_000_000, program, stopped: false, partitions: 1 }
    }

    fn entry(position: u64) -> Record {
        Record::Entry {
            log: "ledger".to_owned(),
            subject: "shop.hall".to_owned(),
            position,
            at: 5,
            headers: vec![("traceparent".to_owned(), "00-1".to_owned())],
        }
    }

    async fn sample() -> Vec<u8> {
        let mut writer = BackupWriter::begin(Vec::new(), head()).await.unwrap();
        for position in 1..=3 {
            writer.write(&entry(position), format!("payload {position}").as_bytes()).await.unwrap();
        }
        writer.finish(true).await.unwrap()
    }

    #[tokio::test]
    async fn records_are_read_back() {
        let backup = sample().await;
        let (mut reader, read) = BackupReader::begin(&backup[..]).await.unwrap();
        assert_eq!(read, head());
        for position in 1..=3 {
            let (record, payload) = reader.next().await.unwrap().unwrap();
            assert_eq!(record, entry(position));
            assert_eq!(payload, format!("payload {position}"));
        }
        assert!(reader.next().await.unwrap().is_none());
        assert!(reader.was_stopped());
    }

    #[tokio::test]
    async fn a_backup_that_was_cut_off_anywhere_is_refused() {
        let backup = sample().await;
        for length in 0..backup.len() {
            let refused = verify(&backup[..length]).await.unwrap_err();
            assert!(
                matches!(refused, FormatError::Truncated | FormatError::NotABackup),
                "{length}: {refused}"
            );
        }
    }

    #[tokio::test]
    async fn a_backup_with_any_byte_altered_or_added_is_refused() {
        let backup = sample().await;
        for place in 0..backup.len() {
            for flip in [0x01, 0x20, 0x80] {
                let mut altered = backup.clone();
                altered[place] ^= flip;
                assert!(verify(&altered[..]).await.is_err(), "byte {place} ^ {flip}");
            }
        }
        let longer = [&backup[..], b"x"].concat();
        assert!(matches!(verify(&longer[..]).await, Err(FormatError::Altered(_))));
    }

    #[tokio::test]
    async fn a_form_of_a_newer_program_is_told_from_another_file() {
        let newer = verify(&b"paihao backup 2\nwonders"[..]).await;
        assert!(matches!(newer, Err(FormatError::Newer(2))), "{newer:?}");
        for other in ["", "\n", "SQLite format 3\0", "paihao backup \n", "paihao backup 0\n"] {
            let refused = verify(other.as_bytes()).await;
            assert!(matches!(refused, Err(FormatError::NotABackup)), "{other:?}: {refused:?}");
        }
    }
}
