//! The ledger in one SQLite file, for all roles in one process.
//!
//! All writes pass through one writer, which gathers pending operations and commits them together;
//! reads run concurrently. A reader that waits for new entries sleeps until the writer notifies it.

mod ledger;
mod open;

mod file;

mod inspect;

mod consumer_state;
mod entries;
mod messages;

mod consumer;
mod follow;

mod reader;
mod retention;
mod usage;
mod wake;
mod writer;
mod writer_bounds;

mod backup_source;
mod restore_target;

pub use backup_source::SqliteBackup;
pub use inspect::{FileInfo, inspect};
pub use ledger::SqliteLedger;
pub use open::{OpenError, SqliteOptions};
pub use restore_target::SqliteRestore;
