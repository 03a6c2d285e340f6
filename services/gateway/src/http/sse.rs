//! Server-sent events from a watched value.

use crate::engine::SiteSnapshot;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, StreamExt, stream};
use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// A comment is sent this often, so that proxies and browsers know that the stream lives.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// A screen is told at most this often; the first change after a pause, at once.
const MIN_PUSH_INTERVAL: Duration = Duration::from_millis(100);

/// What a screen shows is looked at again so often: opening hours and waits change without an event.
const REFRESH_INTERVAL: Duration = Duration::from_secs(30);

/// A response that sends the events until the stream or the process ends.
pub(super) fn event_stream<S: Stream<Item = Event> + Send + 'static>(
    events: S,
    stop: &CancellationToken,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + Send + use<S>> {
    let events = paihao_chassis::http::until_stop(events, stop).map(Ok);
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEPALIVE_INTERVAL))
}

/// A site as it is drawn, again whenever that has changed, as events of this name; until there is
/// nothing to be drawn. Looks at it when the site changes, and at `other_changes` of what else is in it.
pub(super) fn render_on_change<D>(
    name: &'static str,
    views: watch::Receiver<SiteSnapshot>,
    news: Option<watch::Receiver<()>>,
    draw: D,
) -> impl Stream<Item = Event> + Send + use<D>
where
    D: FnMut(SiteSnapshot) -> Option<Arc<str>> + Send + 'static,
{
    struct RenderState<D> {
        views: watch::Receiver<SiteSnapshot>,
        other_changes: Option<watch::Receiver<()>>,
        render: D,
        last_sent: Option<(Arc<str>, Instant)>,
    }
    let screen = RenderState { views, other_changes: news, render: draw, last_sent: None };
    Box::pin(stream::unfold(screen, move |mut screen| async move {
        loop {
            if let Some((_, at)) = screen.last_sent {
                // Changes that come while a screen draws the last one reach it as one.
                sleep_until(at + MIN_PUSH_INTERVAL).await;
                tokio::select! {
                    changed = screen.views.changed() => changed.ok()?,
                    () = changed_or_pending(screen.other_changes.as_mut()) => {}
                    () = sleep(REFRESH_INTERVAL) => {}
                }
            }
            let view = screen.views.borrow_and_update().clone();
            let position = view.position.0;
            let drawn = (screen.render)(view)?;
            if screen.last_sent.as_ref().is_none_or(|(last, _)| *last != drawn) {
                let event = Event::default().event(name).id(position.to_string()).data(&*drawn);
                screen.last_sent = Some((drawn, Instant::now()));
                return Some((event, screen));
            }
        }
    }))
}

async fn changed_or_pending(news: Option<&mut watch::Receiver<()>>) {
    let Some(news) = news else { return pending().await };
    if news.changed().await.is_err() {
        pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;

    #[tokio::test(start_paused = true)]
    async fn a_change_is_drawn_at_once_a_burst_as_one_and_what_time_changes_before_long() {
        let (changes, views) = watch::channel(SiteSnapshot::default());
        let (news, told) = watch::channel(());
        let shown = Arc::new(Mutex::new("one"));
        let draw = shown.clone();
        let mut events =
            render_on_change("site", views, Some(told), move |_| Some((*draw.lock()).into()));
        let mut next = async || format!("{:?}", events.next().await.unwrap());
        assert!(next().await.contains("one"));

        tokio::time::advance(Duration::from_secs(1)).await;
        *shown.lock() = "two";
        changes.send_replace(SiteSnapshot::default());
        let begun = Instant::now();
        assert!(next().await.contains("two"));
        assert_eq!(begun.elapsed(), Duration::ZERO);

        // Nothing is said of a change that nobody could see, and the last of a burst is said once.
        for text in ["two", "three", "four"] {
            *shown.lock() = text;
            changes.send_replace(SiteSnapshot::default());
        }
        assert!(next().await.contains("four"));
        assert!((MIN_PUSH_INTERVAL..MIN_PUSH_INTERVAL * 2).contains(&begun.elapsed()));

        *shown.lock() = "the hours are over";
        assert!(next().await.contains("hours"));
        assert!(begun.elapsed() < REFRESH_INTERVAL + Duration::from_secs(1));
        tokio::time::advance(MIN_PUSH_INTERVAL).await;
        *shown.lock() = "a message has arrived";
        let begun = Instant::now();
        news.send_replace(());
        assert!(next().await.contains("arrived"));
        assert_eq!(begun.elapsed(), Duration::ZERO);
        drop(news);
        drop(changes);
        assert!(events.next().await.is_none());
    }
}
