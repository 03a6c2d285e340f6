//! Gathering of messages and acknowledgements, which servers then write together.
//!
//! Servers with several copies of a consumer write each delivery and each acknowledgement to the
//! disk of every copy before it counts, and whatever is there at the same moment in one entry.

use crate::pull_request::PullKind;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Shortest interval at which the acknowledgements of a worker are sent.
const MIN_ACK_INTERVAL: Duration = Duration::from_millis(200);

/// State of a worker between the first message after a pause and all that follow within a time.
pub(crate) struct Gathering {
    time: Duration,
    state: GatherState,
}

enum GatherState {
    /// The next request is for one message.
    First,
    /// The first message has come. Nothing is requested before this time.
    Until(Instant),
    /// The next request is for all that has gathered.
    Rest,
}

impl Gathering {
    /// Gathers for this time; not at all if it is zero.
    pub(crate) fn new(time: Duration) -> Gathering {
        Gathering { time, state: GatherState::First }
    }

    /// Returns true while nothing is requested.
    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.state, GatherState::Until(_))
    }

    /// Waits until messages have gathered; for ever if none are being gathered.
    pub(crate) async fn wait(&mut self) {
        let GatherState::Until(until) = self.state else { return std::future::pending().await };
        sleep_until(until).await;
        self.state = GatherState::Rest;
    }

    /// Returns the number of messages of the next request, and its kind. Zero for no request.
    pub(crate) fn request(&self, free: usize, requested: usize) -> (usize, PullKind) {
        if self.time.is_zero() {
            return (free, PullKind::Waiting);
        }
        match self.state {
            GatherState::First if requested == 0 => (free.min(1), PullKind::Patient),
            GatherState::Rest if requested == 0 => (free, PullKind::Present),
            _ => (0, PullKind::Patient),
        }
    }

    /// Notes that a message has arrived. After a request that ended with its last message there may
    /// be more, which is requested without a wait.
    pub(crate) fn arrived(&mut self) {
        if matches!(self.state, GatherState::First) && !self.time.is_zero() {
            self.state = GatherState::Until(Instant::now() + self.time);
        }
    }

    /// Notes that a request has ended before all its messages came.
    pub(crate) fn ended(&mut self) {
        self.state = GatherState::First;
    }
}

/// Acknowledgements of a worker, which are sent together: at the end of each interval, or as soon
/// as they keep a quarter of its places.
pub(crate) struct AckGathering {
    started: Instant,
    interval: Duration,
    /// Number that does not wait for the end of the interval.
    enough: usize,
    waiting: AtomicUsize,
    released: Notify,
}

impl AckGathering {
    /// Acknowledgements of a worker with so many places, whose messages are gathered for this time.
    pub(crate) fn new(in_flight: usize, gather: Duration) -> AckGathering {
        AckGathering {
            started: Instant::now(),
            interval: (gather / 4).max(MIN_ACK_INTERVAL),
            enough: (in_flight / 4).max(1),
            waiting: AtomicUsize::new(0),
            released: Notify::new(),
        }
    }

    /// Waits until the acknowledgements so far are to be sent.
    pub(crate) async fn wait(&self) {
        let mut released = pin!(self.released.notified());
        released.as_mut().enable();
        if self.waiting.fetch_add(1, Ordering::Relaxed) + 1 >= self.enough {
            self.waiting.store(0, Ordering::Relaxed);
            self.released.notify_waiters();
            return;
        }
        tokio::select! {
            () = released => {}
            () = sleep_until(self.end_of_interval()) => self.waiting.store(0, Ordering::Relaxed),
        }
    }

    fn end_of_interval(&self) -> Instant {
        let intervals = self.started.elapsed().as_nanos() / self.interval.as_nanos() + 1;
        self.started + self.interval.saturating_mul(u32::try_from(intervals).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_message_comes_at_once_and_the_rest_together() {
        let mut gathering = Gathering::new(Duration::from_secs(1));
        assert_eq!(gathering.request(64, 0), (1, PullKind::Patient));
        assert_eq!(gathering.request(63, 1).0, 0, "one request at a time");
        gathering.arrived();
        assert!(gathering.is_waiting());
        assert_eq!(gathering.request(64, 0).0, 0);
        let before = Instant::now();
        gathering.wait().await;
        assert_eq!(before.elapsed().as_secs(), 1);
        assert_eq!(gathering.request(64, 0), (64, PullKind::Present));
        gathering.arrived();
        gathering.arrived();
        assert_eq!(gathering.request(64, 0), (64, PullKind::Present), "there may be more");
        gathering.ended();
        assert_eq!(gathering.request(64, 0), (1, PullKind::Patient));
        let mut prompt = Gathering::new(Duration::ZERO);
        prompt.arrived();
        assert_eq!(prompt.request(7, 3), (7, PullKind::Waiting));
    }

    /// Times after the start at which acknowledgements are sent that come at these times.
    async fn sent_at(in_flight: usize, come_at: &[u64]) -> Vec<u128> {
        let acks = AckGathering::new(in_flight, Duration::ZERO);
        let sent = come_at.iter().map(async |ms| {
            sleep_until(acks.started + Duration::from_millis(*ms)).await;
            acks.wait().await;
            acks.started.elapsed().as_millis()
        });
        futures::future::join_all(sent).await
    }

    #[tokio::test(start_paused = true)]
    async fn acknowledgements_of_an_interval_are_sent_at_one_moment() {
        assert_eq!(sent_at(64, &[10, 140, 141, 260]).await, [200, 200, 200, 400]);
    }

    #[tokio::test(start_paused = true)]
    async fn acknowledgements_do_not_keep_the_places_of_others() {
        assert_eq!(sent_at(8, &[10, 20, 30]).await, [20, 20, 200]);
        assert_eq!(sent_at(1, &[10, 20, 30]).await, [10, 20, 30], "one after the other");
    }
}
