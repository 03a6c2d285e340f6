//! The ledger in one SQLite file, for everything in one process.
//!
//! All writes go through one writer, which gathers what is waiting and commits it together; reads
//! go beside it. Who waits for something new sleeps until the writer wakes it.

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
mod wake;
mod writer;

pub use inspect::{FileInfo, inspect};
pub use ledger::SqliteLedger;
pub use open::{OpenError, SqliteOptions};
