//! Keeps the views of all sites up with the ledger.

use super::view::SiteView;
use futures::StreamExt;
use paihao_chassis::backoff::Backoff;
use paihao_contracts::names::LEDGER;
use paihao_ledger::{Followed, Ledger, Position, Subject};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Follows until the stop. Sets `caught_up` once it has read as far as the ledger reached when it
/// began.
pub(super) async fn follow(
    ledger: Arc<dyn Ledger>,
    views: BTreeMap<Subject, Arc<SiteView>>,
    caught_up: watch::Sender<bool>,
    stop: CancellationToken,
) {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
    while !stop.is_cancelled() {
        let goal = match ledger.head(&LEDGER).await {
            Ok(head) => head,
            Err(error) => {
                tracing::warn!(%error, "cannot read the ledger yet");
                backoff.wait_unless(&stop).await;
                continue;
            }
        };
        caught_up.send_replace(goal == Position::START);
        match ledger.follow(&LEDGER, Position::START).await {
            Ok(entries) => read(entries, &views, &caught_up, goal, &stop).await,
            Err(error) => {
                tracing::warn!(%error, "cannot follow the ledger yet");
                backoff.wait_unless(&stop).await;
            }
        }
    }
}

async fn read(
    mut entries: futures::stream::BoxStream<'static, Followed>,
    views: &BTreeMap<Subject, Arc<SiteView>>,
    caught_up: &watch::Sender<bool>,
    goal: Position,
    stop: &CancellationToken,
) {
    loop {
        let next = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            next = entries.next() => next,
        };
        match next {
            Some(Followed::Entry(recorded)) => {
                if let Some(view) = views.get(&recorded.subject) {
                    view.read(&recorded);
                }
                if recorded.position >= goal {
                    caught_up.send_if_modified(|up| !std::mem::replace(up, true));
                }
            }
            Some(Followed::Restarted) => {
                tracing::warn!("the ledger was made anew: all lines begin empty");
                views.values().for_each(|view| view.forget());
                caught_up.send_if_modified(|up| !std::mem::replace(up, true));
            }
            None => return,
        }
    }
}
