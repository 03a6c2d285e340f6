//! Size of the file and of its write-ahead log.

use crate::file::LedgerFile;
use crate::writer_bounds::{used_bytes, wal_bytes};
use paihao_ledger::{StoreUsage, Unavailable};

/// Reads the sizes, as of the last write.
pub(crate) async fn read(file: &LedgerFile) -> Result<Vec<StoreUsage>, Unavailable> {
    let bytes = file.reader.read(used_bytes).await?;
    Ok(vec![
        StoreUsage { name: "file".to_owned(), bytes, limit_bytes: file.max_bytes },
        StoreUsage {
            name: "write-ahead-log".to_owned(),
            bytes: wal_bytes(&file.path),
            limit_bytes: None,
        },
    ])
}
