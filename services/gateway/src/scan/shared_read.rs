//! Value that is read once in an interval for everybody who asks.

use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// Newest read of a value. Whoever asks first in an interval reads it, and the others get what was
/// read last. Nobody waits for another's read: who asks may be the stream of a browser, which goes
/// no further while the browser takes nothing.
pub(super) struct SharedRead<T> {
    interval: Duration,
    state: Mutex<State<T>>,
}

struct State<T> {
    /// Begin of the newest read, also of one that has not ended.
    begun: Option<Instant>,
    /// Value of the newest read that has ended, with its begin.
    last: Option<(Instant, T)>,
}

impl<T: Clone> SharedRead<T> {
    /// Nothing is read yet.
    pub(super) fn new(interval: Duration) -> SharedRead<T> {
        SharedRead { interval, state: Mutex::new(State { begun: None, last: None }) }
    }

    /// Returns the value as it was within the last interval and the time of a read, or reads it.
    pub(super) async fn get(&self, read: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        {
            let mut state = self.state.lock();
            let is_due = state.begun.is_none_or(|begun| begun.elapsed() >= self.interval);
            match &state.last {
                Some((_, value)) if !is_due => return value.clone(),
                _ => state.begun = Some(begun),
            }
        }
        let value = read.await;
        let mut state = self.state.lock();
        // A slow read does not replace a later one.
        if state.last.as_ref().is_none_or(|(at, _)| *at <= begun) {
            state.last = Some((begun, value.clone()));
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::future::{pending, ready};
    use tokio::time::advance;

    const INTERVAL: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_value_is_read_once_in_an_interval_however_many_ask() {
        let shared = SharedRead::new(INTERVAL);
        for round in 0..3 {
            for asker in 0..100 {
                let value = shared.get(ready((round, asker))).now_or_never();
                assert_eq!(value, Some((round, 0)));
            }
            advance(INTERVAL).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_that_goes_no_further_holds_up_nobody() {
        for is_dropped in [false, true] {
            let shared = SharedRead::new(INTERVAL);
            let mut stalled = Box::pin(shared.get(pending()));
            assert_eq!((&mut stalled).now_or_never(), None);
            let stalled = (!is_dropped).then_some(stalled);
            // Without a value everybody reads.
            assert_eq!(shared.get(ready(1)).now_or_never(), Some(1));
            assert_eq!(shared.get(ready(2)).now_or_never(), Some(1));
            advance(INTERVAL).await;
            let mut second = Box::pin(shared.get(pending()));
            assert_eq!((&mut second).now_or_never(), None);
            assert_eq!(shared.get(ready(3)).now_or_never(), Some(1), "the former value");
            advance(INTERVAL).await;
            assert_eq!(shared.get(ready(4)).now_or_never(), Some(4));
            drop((stalled, second));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_read_replaces_no_later_one() {
        let shared = SharedRead::new(INTERVAL);
        let (answer, answered) = tokio::sync::oneshot::channel();
        let mut slow = Box::pin(shared.get(answered.map(|answer| answer.unwrap_or(0))));
        assert_eq!((&mut slow).now_or_never(), None);
        advance(INTERVAL).await;
        assert_eq!(shared.get(ready(2)).await, 2);
        answer.send(1).expect("somebody waits");
        assert_eq!(slow.await, 1);
        assert_eq!(shared.get(ready(3)).await, 2);
    }
}
