//! Connection of one process to one system: delays and losses, partitions, and the process's end.

use crate::world::{Exchange, World};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Time after which a client of a store gives up an exchange.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// Error for an exchange without an answer: the request may have taken effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no answer")]
pub struct NoAnswer;

/// Partition between a process and a system. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Partition(Arc<watch::Sender<bool>>);

impl Partition {
    /// Cuts or heals the connection.
    pub fn set(&self, cut: bool) {
        self.0.send_replace(cut);
    }

    /// Returns true while nothing passes.
    pub fn is_cut(&self) -> bool {
        *self.0.borrow()
    }
}

/// Connection of one process. Clones are the same one.
#[derive(Clone)]
pub struct Link {
    /// `None` for a connection without faults and delays.
    world: Option<Arc<World>>,
    partition: Partition,
    /// Cancelled at the death of the process.
    dead: CancellationToken,
}

impl Link {
    /// Creates the connection of a process that dies with `dead`.
    pub fn new(world: Arc<World>, partition: Partition, dead: CancellationToken) -> Link {
        Link { world: Some(world), partition, dead }
    }

    /// Creates a connection on which everything arrives at once.
    pub fn perfect() -> Link {
        let (partition, dead) = (Partition::default(), CancellationToken::new());
        Link { world: None, partition, dead }
    }

    /// Returns true once the process is dead: it sends nothing any more.
    pub fn is_dead(&self) -> bool {
        self.dead.is_cancelled()
    }

    /// Returns true while nothing passes.
    pub fn is_cut(&self) -> bool {
        self.partition.is_cut()
    }

    /// Sleeps for the time by which a follower is behind at the moment.
    pub async fn lag(&self) {
        if let Some(world) = &self.world {
            let lag = world.draw_lag();
            if !lag.is_zero() {
                sleep(lag).await;
            }
        }
    }

    /// Has the system do something, and returns its answer.
    pub async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NoAnswer> {
        self.call_within(STORE_TIMEOUT, work).await
    }

    /// As [`Link::call`], with another time limit.
    pub async fn call_within<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NoAnswer> {
        let Some(world) = &self.world else { return Ok(work()) };
        let exchange = world.draw_exchange();
        let (reply, answer) = oneshot::channel();
        self.carry(world, exchange, move || {
            let result = work();
            move || {
                let _ = reply.send(result);
            }
        });
        let answered = timeout(limit, answer).await;
        answered.ok().and_then(Result::ok).ok_or(NoAnswer)
    }

    /// Has the system do something, without an answer. A dead process does nothing.
    pub fn send(&self, work: impl FnOnce() + Send + 'static) {
        if self.is_dead() {
            return;
        }
        match &self.world {
            None => work(),
            Some(world) => self.carry(world, world.draw_exchange(), move || {
                work();
                || {}
            }),
        }
    }

    /// Carries a request and its answer. A request on its way arrives although its sender dies.
    fn carry<A: FnOnce() + Send + 'static>(
        &self,
        world: &Arc<World>,
        Exchange { request, answer }: Exchange,
        work: impl FnOnce() -> A + Send + 'static,
    ) {
        let partition = self.partition.clone();
        let Some(request) = request.filter(|_| !partition.is_cut()) else { return };
        world.tasks.spawn("exchange", async move {
            sleep(request).await;
            if partition.is_cut() {
                return;
            }
            let deliver = work();
            let Some(answer) = answer else { return };
            sleep(answer).await;
            if !partition.is_cut() {
                deliver();
            }
        });
    }
}
