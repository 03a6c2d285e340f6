//! Server-sent events from a watched value.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, StreamExt, stream};
use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// Interval of comments, which show proxies and browsers that the stream lives.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Shortest time between two events of one stream.
const MIN_PUSH_INTERVAL: Duration = Duration::from_millis(100);

/// Interval of renderings without a change: opening hours and waits change without an event.
const REFRESH_INTERVAL: Duration = Duration::from_secs(30);

/// Header that has nginx, and proxies like it, pass events on as they come. By default they collect
/// a response until it is some kilobytes long.
const UNBUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// Header that has nobody keep what was sent: many streams are somebody's.
const UNCACHED: (HeaderName, HeaderValue) =
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));

/// A response that sends the events until the stream or the process ends.
pub fn event_stream<S: Stream<Item = Event> + Send + 'static>(
    events: S,
    stop: &CancellationToken,
) -> impl IntoResponse + use<S> {
    let events = paihao_chassis::http::until_stop(events, stop).map(Ok::<_, Infallible>);
    let events = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEPALIVE_INTERVAL));
    ([UNBUFFERED, UNCACHED], events)
}

/// Pace of a stream: a change after a pause is looked at at once, and those that follow it closely
/// together, an interval later.
pub struct Pace {
    interval: Duration,
    last_look: Option<Instant>,
}

impl Pace {
    /// A pace with this shortest time between two looks.
    pub fn new(interval: Duration) -> Pace {
        Pace { interval, last_look: None }
    }

    /// Waits until a change may be looked at.
    pub async fn keep(&mut self) {
        if let Some(last) = self.last_look {
            sleep_until(last + self.interval).await;
        }
        self.last_look = Some(Instant::now());
    }
}

/// A value that can be streamed: its position becomes the id of an event.
pub trait Positioned: Clone + Send + Sync + 'static {
    /// Position in the log that the value reflects.
    fn position(&self) -> u64;
}

/// Events of this name, each a rendering that differs from the one before, until `render` returns
/// `None`. Renders when the value changes, at `other_changes`, and every 30 s.
pub fn render_on_change<V, R>(
    name: &'static str,
    values: watch::Receiver<V>,
    other_changes: Option<watch::Receiver<()>>,
    render: R,
) -> impl Stream<Item = Event> + Send + use<V, R>
where
    V: Positioned,
    R: FnMut(V) -> Option<Arc<str>> + Send + 'static,
{
    struct RenderState<V, R> {
        values: watch::Receiver<V>,
        other_changes: Option<watch::Receiver<()>>,
        render: R,
        pace: Pace,
        last_sent: Option<Arc<str>>,
    }
    let pace = Pace::new(MIN_PUSH_INTERVAL);
    let state = RenderState { values, other_changes, render, pace, last_sent: None };
    Box::pin(stream::unfold(state, move |mut state| async move {
        loop {
            if state.last_sent.is_some() {
                tokio::select! {
                    changed = state.values.changed() => changed.ok()?,
                    () = changed_or_pending(state.other_changes.as_mut()) => {}
                    () = sleep(REFRESH_INTERVAL) => {}
                }
            }
            state.pace.keep().await;
            let value = state.values.borrow_and_update().clone();
            let position = value.position();
            let rendered = (state.render)(value)?;
            if state.last_sent.as_ref() != Some(&rendered) {
                let event = Event::default().event(name).id(position.to_string()).data(&*rendered);
                state.last_sent = Some(rendered);
                return Some((event, state));
            }
        }
    }))
}

async fn changed_or_pending(changes: Option<&mut watch::Receiver<()>>) {
    let Some(changes) = changes else { return pending().await };
    if changes.changed().await.is_err() {
        pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;

    #[derive(Clone)]
    struct Board;

    impl Positioned for Board {
        fn position(&self) -> u64 {
            0
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_waits_for_the_rest_of_the_interval_and_after_a_pause_for_nothing() {
        let interval = Duration::from_millis(200);
        for pause_ms in [0, 1, 199, 200, 201, 60_000] {
            let mut pace = Pace::new(interval);
            let first = Instant::now();
            pace.keep().await;
            assert_eq!(first.elapsed(), Duration::ZERO);
            let pause = Duration::from_millis(pause_ms);
            tokio::time::advance(pause).await;
            pace.keep().await;
            assert_eq!(first.elapsed(), pause.max(interval), "after {pause:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_sent_at_once_a_burst_as_one_and_what_time_changes_within_30_s() {
        let (changes, values) = watch::channel(Board);
        let (other, other_changes) = watch::channel(());
        let shown = Arc::new(Mutex::new("one"));
        let render = shown.clone();
        let mut events = render_on_change("site", values, Some(other_changes), move |_| {
            Some((*render.lock()).into())
        });
        let mut next = async || format!("{:?}", events.next().await.unwrap());
        assert!(next().await.contains("one"));

        tokio::time::advance(Duration::from_secs(1)).await;
        *shown.lock() = "two";
        changes.send_replace(Board);
        let started = Instant::now();
        assert!(next().await.contains("two"));
        assert_eq!(started.elapsed(), Duration::ZERO);

        // An equal rendering is not sent, and a burst is one event.
        for text in ["two", "three", "four"] {
            *shown.lock() = text;
            changes.send_replace(Board);
        }
        assert!(next().await.contains("four"));
        assert!((MIN_PUSH_INTERVAL..MIN_PUSH_INTERVAL * 2).contains(&started.elapsed()));

        *shown.lock() = "the hours are over";
        assert!(next().await.contains("hours"));
        assert!(started.elapsed() < REFRESH_INTERVAL + Duration::from_secs(1));
        tokio::time::advance(MIN_PUSH_INTERVAL).await;
        *shown.lock() = "a message has arrived";
        let started = Instant::now();
        other.send_replace(());
        assert!(next().await.contains("arrived"));
        assert_eq!(started.elapsed(), Duration::ZERO);
        drop(other);
        drop(changes);
        assert!(events.next().await.is_none());
    }
}
