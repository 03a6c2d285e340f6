//! Single writer, which gathers pending operations, commits them in one transaction, and answers
//! afterwards.

use crate::open::LockedConnection;
use crate::writer_bounds::WriterBounds;
use paihao_ledger::Unavailable;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

/// Operation inside the transaction; the returned completion is called when the transaction has
/// ended. It learns whether the file is full.
type Operation =
    Box<dyn FnOnce(&Connection, Option<Unavailable>) -> rusqlite::Result<Completion> + Send>;
type Completion = Box<dyn FnOnce(Result<(), Unavailable>) + Send>;

enum Message {
    Run(Operation),
    Checkpoint(oneshot::Sender<()>),
    Close(oneshot::Sender<()>),
}

/// Largest number of operations in one transaction.
const MAX_BATCH_OPERATIONS: usize = 1024;

#[derive(Clone)]
pub(crate) struct Writer(mpsc::UnboundedSender<Message>);

impl Writer {
    /// Starts the writer. It ends when every handle to it is dropped, and releases the file's lock.
    pub(crate) fn start(opened: LockedConnection, bounds: WriterBounds) -> Writer {
        let (sender, receiver) = mpsc::unbounded_channel();
        #[expect(clippy::disallowed_methods, reason = "ends when the last handle is dropped")]
        tokio::spawn(run(opened, bounds, receiver));
        Writer(sender)
    }

    /// Runs an operation in the next transaction and returns once it is durable.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Unavailable> {
        self.run_then(operation, |_| {}).await
    }

    /// Runs an operation in the next transaction and `then`, once it is durable, even if the caller
    /// has stopped waiting: other waiters must be notified of the write.
    pub(crate) async fn run_then<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        then: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, Unavailable> {
        self.reply_then(false, operation, then).await
    }

    /// As [`Writer::run_then`], for an operation that adds to the file: refused while it is full.
    pub(crate) async fn grow_then<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        then: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, Unavailable> {
        self.reply_then(true, operation, then).await
    }

    async fn reply_then<T: Send + 'static>(
        &self,
        grows: bool,
        operation: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        then: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, Unavailable> {
        let (reply, replied) = oneshot::channel();
        self.send(grows, operation, move |outcome| {
            if let Ok(value) = &outcome {
                then(value);
            }
            let _ = reply.send(outcome);
        });
        replied.await.unwrap_or_else(|_| Err(closed_error()))
    }

    /// Runs an operation in the next transaction, and then, when it is durable or has failed,
    /// `after`. `after` is not called if the writer has been closed.
    pub(crate) fn submit<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        after: impl FnOnce(Result<T, Unavailable>) + Send + 'static,
    ) {
        self.send(false, operation, after);
    }

    fn send<T: Send + 'static>(
        &self,
        grows: bool,
        operation: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        after: impl FnOnce(Result<T, Unavailable>) + Send + 'static,
    ) {
        let run: Operation = Box::new(move |connection, full| {
            if let Some(full) = full.filter(|_| grows) {
                let after: Completion = Box::new(move |_| after(Err(full)));
                return Ok(after);
            }
            let value = operation(connection)?;
            let after: Completion = Box::new(move |committed| after(committed.map(|()| value)));
            Ok(after)
        });
        let _ = self.0.send(Message::Run(run));
    }

    /// Folds the write-ahead log into the file and truncates it, unless another program reads it at
    /// the moment; then the next call does.
    pub(crate) async fn checkpoint(&self) {
        let (reply, replied) = oneshot::channel();
        if self.0.send(Message::Checkpoint(reply)).is_ok() {
            let _ = replied.await;
        }
    }

    /// Waits until the writer has ended: it was closed, or it panicked.
    pub(crate) async fn ended(&self) {
        self.0.closed().await;
    }

    /// Writes pending operations, releases the file, and refuses all later operations.
    pub(crate) async fn close(&self) {
        let (reply, replied) = oneshot::channel();
        if self.0.send(Message::Close(reply)).is_ok() {
            let _ = replied.await;
        }
    }
}

fn closed_error() -> Unavailable {
    Unavailable("the file has been closed or cannot be written".to_owned())
}

async fn run(
    opened: LockedConnection,
    mut bounds: WriterBounds,
    mut receiver: mpsc::UnboundedReceiver<Message>,
) {
    let LockedConnection { mut connection, lock } = opened;
    let mut messages = Vec::new();
    let mut closing = None;
    while closing.is_none() && receiver.recv_many(&mut messages, MAX_BATCH_OPERATIONS).await > 0 {
        let mut operations = Vec::with_capacity(messages.len());
        let mut checkpoints = Vec::new();
        for message in messages.drain(..) {
            match message {
                Message::Run(operation) if closing.is_none() => operations.push(operation),
                Message::Run(_) => {}
                Message::Checkpoint(reply) => checkpoints.push(reply),
                Message::Close(reply) => closing = Some(reply),
            }
        }
        let checkpoint_requested = !checkpoints.is_empty();
        // On a thread for blocking work: a paused clock stands still while one is busy.
        let committed = tokio::task::spawn_blocking(move || {
            if !operations.is_empty() {
                let committed = commit(&mut connection, &bounds, operations);
                bounds.note_commit(&connection, committed);
            }
            if checkpoint_requested {
                bounds.fold(&connection);
            } else {
                bounds.fold_large_wal(&connection);
            }
            (connection, bounds)
        });
        match committed.await {
            Ok(returned) => {
                (connection, bounds) = returned;
                for reply in checkpoints {
                    let _ = reply.send(());
                }
            }
            Err(panicked) => {
                tracing::error!(error = %panicked, "the writer of the ledger's file has panicked");
                return;
            }
        }
    }
    receiver.close();
    drop(connection);
    drop(lock);
    if let Some(reply) = closing {
        let _ = reply.send(());
    }
}

fn commit(
    connection: &mut Connection,
    bounds: &WriterBounds,
    operations: Vec<Operation>,
) -> Result<(), Unavailable> {
    let mut completions = Vec::with_capacity(operations.len());
    let committed = (|| {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let full = bounds.full(&transaction);
        for operation in operations {
            completions.push(operation(&transaction, full.clone())?);
        }
        transaction.commit()
    })();
    // On failure the operations not yet run are dropped, and their callers receive an error.
    let outcome =
        committed.map_err(|error| Unavailable(format!("the file cannot be written: {error}")));
    for completion in completions {
        completion(outcome.clone());
    }
    outcome
}
