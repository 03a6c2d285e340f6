//! A site as it stood at an instant, by replaying the ledger up to it.

use super::View;
use crate::book::SiteBook;
use crate::stored;
use futures::StreamExt;
use paihao_contracts::names::LEDGER;
use paihao_domain::Event;
use paihao_ledger::{Followed, Ledger, Position, Unavailable};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Replays that go on at once; more wait.
const AT_ONCE: usize = 2;

/// How long a replay may take, its wait included.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the past cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Untold {
    /// It is older than what the ledger keeps, or its business day began before that.
    Gone,
    /// It has not come yet.
    Future,
    /// A newer program wrote what has to be read for it.
    Newer,
    /// The ledger did not say it all in time.
    Unavailable,
}

impl From<Unavailable> for Untold {
    fn from(_: Unavailable) -> Self {
        Untold::Unavailable
    }
}

/// Looks back.
pub(crate) struct Past {
    ledger: Arc<dyn Ledger>,
    at_once: Arc<Semaphore>,
}

impl Past {
    pub(crate) fn new(ledger: Arc<dyn Ledger>) -> Past {
        Past { ledger, at_once: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// The site as it stood at `at_ms`: with every entry that the store had taken by then. Both times
    /// in Unix milliseconds. What the owner has set up since counts as it does now.
    pub(crate) async fn at(
        &self,
        book: &SiteBook,
        at_ms: i64,
        now_ms: i64,
    ) -> Result<View, Untold> {
        if at_ms > now_ms {
            return Err(Untold::Future);
        }
        let kept = LEDGER.kept.map_or(i64::MAX, |kept| kept.as_millis() as i64);
        let oldest = now_ms.saturating_sub(kept);
        if at_ms < oldest {
            return Err(Untold::Gone);
        }
        let replay = async {
            let _turn = self.at_once.acquire().await.map_err(|_| Untold::Unavailable)?;
            self.replay(book, at_ms).await
        };
        let replayed = tokio::time::timeout(PATIENCE, replay).await;
        let (view, saw_the_day_open) = replayed.map_err(|_| Untold::Unavailable)??;
        // Without its beginning a day is whole only if it began within what is kept.
        let day = |ms| book.calendar.now(ms).day();
        match saw_the_day_open || day(oldest) < day(at_ms) {
            true => Ok(view),
            false => Err(Untold::Gone),
        }
    }

    /// The site after every entry until `at_ms`, and whether one of them opened the day of `at_ms`.
    async fn replay(&self, book: &SiteBook, at_ms: i64) -> Result<(View, bool), Untold> {
        let today = book.calendar.now(at_ms).day();
        let mut view = View::default();
        let head = self.ledger.head(&LEDGER).await?;
        if head == Position::START {
            return Ok((view, false));
        }
        let mut entries = self.ledger.follow(&LEDGER, Position::START).await?;
        while let Some(followed) = entries.next().await {
            let Followed::Entry(recorded) = followed else { return Err(Untold::Gone) };
            if recorded.at_ms > at_ms {
                break;
            }
            if recorded.subject == book.subject {
                let decisions =
                    stored::decode(&recorded.entry.payload).map_err(|_| Untold::Newer)?;
                for decision in &decisions {
                    let opens = |event: &Event| matches!(event, Event::DayOpened { .. });
                    // The end of a day whose beginning has aged out says nothing of any line.
                    if view.site.day().is_some() || decision.events.iter().any(opens) {
                        view.site.apply(decision);
                    }
                }
                view.position = recorded.position;
            }
            if recorded.position >= head {
                break;
            }
        }
        let saw_the_day_open = view.site.day() == Some(today);
        Ok((view, saw_the_day_open))
    }
}
