//! Readers concurrent to the writer, on a small pool of connections. A reader holds a view of the
//! file for one short query. The gate lets the writer come between them: readers that overlap
//! without a pause would keep the write-ahead log from ever beginning anew.

use crate::open::connect;
use paihao_ledger::Unavailable;
use parking_lot::{Mutex, RwLock, RwLockWriteGuard};
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::Arc;

/// Pool of idle connections; more are opened when needed.
pub(crate) struct Reader {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    gate: Arc<RwLock<()>>,
}

/// Gate of the readers, for the writer. Whoever waits at it goes before later readers.
#[derive(Clone, Default)]
pub(crate) struct ReaderGate(Arc<RwLock<()>>);

impl ReaderGate {
    /// Waits until the queries under way have ended, and holds later ones back.
    pub(crate) fn shut(&self) -> RwLockWriteGuard<'_, ()> {
        self.0.write()
    }
}

const MAX_IDLE_CONNECTIONS: usize = 8;

impl Reader {
    pub(crate) fn new(path: PathBuf, gate: ReaderGate) -> Self {
        Reader { path, idle: Mutex::new(Vec::new()), gate: gate.0 }
    }

    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let reader = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || {
            let _passed = reader.gate.read();
            let idle = reader.idle.lock().pop();
            let connection = match idle {
                Some(connection) => connection,
                None => connect(&reader.path)?,
            };
            let result = query(&connection)?;
            let mut idle = reader.idle.lock();
            if idle.len() < MAX_IDLE_CONNECTIONS {
                idle.push(connection);
            }
            Ok::<_, rusqlite::Error>(result)
        });
        match read.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(Unavailable(format!("the file cannot be read: {error}"))),
            Err(_) => Err(Unavailable("reading was interrupted".to_owned())),
        }
    }

    /// Closes the connections.
    pub(crate) fn close(&self) {
        self.idle.lock().clear();
    }
}
