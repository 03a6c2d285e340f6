//! Readers concurrent to the writer, on a small pool of connections.

use crate::open::connect;
use paihao_ledger::Unavailable;
use parking_lot::Mutex;
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::Arc;

/// Pool of idle connections; more are opened when needed.
pub(crate) struct Reader {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

const MAX_IDLE_CONNECTIONS: usize = 8;

impl Reader {
    pub(crate) fn new(path: PathBuf) -> Self {
        Reader { path, idle: Mutex::new(Vec::new()) }
    }

    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let reader = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || {
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
