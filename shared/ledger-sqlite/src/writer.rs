//! Single writer, which gathers pending operations, commits them in one transaction, and answers
//! afterwards.
//!
//! A transaction waits for the disk if it has an operation that must outlive a power cut. Without
//! one it is on the disk with the next transaction that has: the write-ahead log is one sequence.

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
    Run(Operation, Durability),
    Checkpoint(oneshot::Sender<()>),
    Close(oneshot::Sender<()>),
}

/// What a power cut may do to an operation that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Durability {
    /// Nothing.
    Synced,
    /// Undo it: a claim or an acknowledgement, after which a message is delivered again.
    Repeatable,
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
        self.reply_then(false, Durability::Synced, operation, then).await
    }

    /// As [`Writer::run_then`], for an operation that a power cut may undo.
    pub(crate) async fn run_repeatable_then<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        then: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, Unavailable> {
        self.reply_then(false, Durability::Repeatable, operation, then).await
    }

    /// As [`Writer::run_then`], for an operation that adds to the file: refused while it is full.
    pub(crate) async fn grow_then<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        then: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, Unavailable> {
        self.reply_then(true, Durability::Synced, operation, then).await
    }

    async fn reply_then<T: Send + 'static>(
        &self,
        grows: bool,
        durability: Durability,
        operation: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        then: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, Unavailable> {
        let (reply, replied) = oneshot::channel();
        self.send(grows, durability, operation, move |outcome| {
            if let Ok(value) = &outcome {
                then(value);
            }
            let _ = reply.send(outcome);
        });
        replied.await.unwrap_or_else(|_| Err(closed_error()))
    }

    /// Runs an operation that a power cut may undo in the next transaction, and then, when it is
    /// written or has failed, `after`. `after` is not called if the writer has been closed.
    pub(crate) fn submit_repeatable<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        after: impl FnOnce(Result<T, Unavailable>) + Send + 'static,
    ) {
        self.send(false, Durability::Repeatable, operation, after);
    }

    fn send<T: Send + 'static>(
        &self,
        grows: bool,
        durability: Durability,
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
        let _ = self.0.send(Message::Run(run, durability));
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
    // As the file was opened.
    let mut synced = Durability::Synced;
    while closing.is_none() && receiver.recv_many(&mut messages, MAX_BATCH_OPERATIONS).await > 0 {
        let mut operations = Vec::with_capacity(messages.len());
        let mut checkpoints = Vec::new();
        let mut needed = Durability::Repeatable;
        for message in messages.drain(..) {
            match message {
                Message::Run(operation, durability) if closing.is_none() => {
                    operations.push(operation);
                    if durability == Durability::Synced {
                        needed = Durability::Synced;
                    }
                }
                Message::Run(..) => {}
                Message::Checkpoint(reply) => checkpoints.push(reply),
                Message::Close(reply) => closing = Some(reply),
            }
        }
        let checkpoint_requested = !checkpoints.is_empty();
        // On a thread for blocking work: a paused clock stands still while one is busy.
        let committed = tokio::task::spawn_blocking(move || {
            if !operations.is_empty() {
                let committed = set_durability(&connection, &mut synced, needed)
                    .and_then(|()| commit(&mut connection, &bounds, operations));
                bounds.note_commit(&connection, committed);
            }
            if checkpoint_requested {
                bounds.fold(&connection);
            } else {
                bounds.fold_large_wal(&connection);
            }
            (connection, bounds, synced)
        });
        match committed.await {
            Ok(returned) => {
                (connection, bounds, synced) = returned;
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

/// Sets whether the next transactions wait for the disk, unless that is set already.
fn set_durability(
    connection: &Connection,
    current: &mut Durability,
    needed: Durability,
) -> Result<(), Unavailable> {
    if *current == needed {
        return Ok(());
    }
    let pragma = match needed {
        Durability::Synced => "PRAGMA synchronous = FULL",
        Durability::Repeatable => "PRAGMA synchronous = NORMAL",
    };
    connection
        .execute_batch(pragma)
        .map_err(|error| Unavailable(format!("the file cannot be written: {error}")))?;
    *current = needed;
    Ok(())
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
