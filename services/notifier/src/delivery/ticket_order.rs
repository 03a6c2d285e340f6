//! Order of the notices of one ticket, in the cache.
//!
//! The planner registers every notice before it queues it, so that a worker with an earlier notice
//! finds the later one. One notice of a ticket is sent at a time, by the holder of the turn. Before
//! it is sent, every earlier one has a recorded outcome. The order therefore survives a loss of the
//! cache: superseded notices are in the outcome log.

use crate::delivery::attempt_lease::LEASE_TTL;
use crate::ports::{StoreError, read_stored};
use bytes::Bytes;
use paihao_cache::{Cache, CasOutcome};
use paihao_contracts::envelope::{Form, NewerForm};
use paihao_contracts::notice::Notice;
use paihao_contracts::streams;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// State of the notices of one ticket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketOrder {
    /// Highest order number of a registered notice.
    pub newest: u32,
    /// Notices that may not have ended yet.
    pub open: Vec<PendingNotice>,
    /// Turn of the attempt in progress, or of a worker that died.
    pub turn: Option<SendTurn>,
}

impl Form for TicketOrder {
    const NAME: &'static str = "ticket order";
    const VERSION_IF_ABSENT: Option<u32> = Some(1);
}

/// Notice that may not have ended yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingNotice {
    /// Order number within the ticket.
    pub order: u32,
    /// Key of the notice.
    pub key: String,
    /// Time in Unix milliseconds from which the notice is true.
    pub at: i64,
}

/// Exclusive right to send a notice of a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendTurn {
    /// Order number of the notice that holds the turn.
    pub order: u32,
    /// Expiry in Unix milliseconds.
    pub until: i64,
}

/// Status of a notice within the order of its ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderStatus {
    /// It is the newest, and no other attempt is in progress.
    Ready,
    /// A later notice is registered.
    Superseded,
    /// An attempt is in progress, for at most this long.
    Busy(Duration),
}

impl TicketOrder {
    /// Returns the status of the notice with this order number at `now` (Unix milliseconds).
    ///
    /// Every later notice supersedes every earlier one, because each describes the state of its
    /// ticket and only the newest is current. The same holds for two notices of one kind: a second
    /// call replaces the first. `joined` is never a notice and takes no part in the order.
    pub fn status_of(&self, order: u32, now: i64) -> OrderStatus {
        match self.turn {
            Some(turn) if turn.until > now && (turn.order == order || order >= self.newest) => {
                OrderStatus::Busy(Duration::from_millis((turn.until - now) as u64))
            }
            _ if order < self.newest => OrderStatus::Superseded,
            _ => OrderStatus::Ready,
        }
    }

    /// Returns the earlier notices that may not have ended yet.
    pub fn pending_before(&self, order: u32) -> impl Iterator<Item = &PendingNotice> {
        self.open.iter().filter(move |open| open.order < order)
    }

    fn add(&mut self, notice: &Notice) {
        self.newest = self.newest.max(notice.order);
        if !self.open.iter().any(|open| open.key == notice.key) {
            let Notice { order, key, at, .. } = notice;
            self.open.push(PendingNotice { order: *order, key: key.clone(), at: *at });
        }
    }
}

/// Returns true if the notice has an order number. Notices of older versions have none.
pub(crate) fn is_ordered(notice: &Notice) -> bool {
    notice.order > 0
}

/// Registers a notice that is about to be queued.
pub(crate) async fn register(cache: &dyn Cache, notice: &Notice) -> Result<(), StoreError> {
    // Mostly the first notice of its ticket: then no stored state exists and one request suffices.
    modify(cache, notice, None, |order| order.add(notice)).await
}

/// Registers a notice that is about to be redriven, together with the newest order number of its
/// ticket, which the cache may have lost.
pub(crate) async fn register_redriven(
    cache: &dyn Cache,
    notice: &Notice,
    newest: u32,
) -> Result<(), StoreError> {
    let stored = cache.get(&streams::ticket_order_key(notice.ticket_prefix())).await?;
    modify(cache, notice, stored, |order| {
        order.add(notice);
        order.newest = order.newest.max(newest);
    })
    .await
}

/// Loads the order of a notice's ticket. It is empty if the cache has lost it.
pub(crate) async fn load(cache: &dyn Cache, notice: &Notice) -> Result<TicketOrder, StoreError> {
    let stored = cache.get(&streams::ticket_order_key(notice.ticket_prefix())).await?;
    Ok(decode(stored.as_deref())?.unwrap_or_default())
}

/// Acquires the turn of a notice at `now`. Returns it with the earlier pending notices.
pub(crate) async fn acquire_turn(
    cache: &dyn Cache,
    notice: &Notice,
    now: i64,
) -> Result<Result<(SendTurn, Vec<PendingNotice>), OrderStatus>, StoreError> {
    let stored = cache.get(&streams::ticket_order_key(notice.ticket_prefix())).await?;
    let turn = SendTurn { order: notice.order, until: now + LEASE_TTL.as_millis() as i64 };
    modify(cache, notice, stored, |order| match order.status_of(notice.order, now) {
        OrderStatus::Ready => {
            order.add(notice);
            order.turn = Some(turn);
            Ok((turn, order.pending_before(notice.order).cloned().collect()))
        }
        other => Err(other),
    })
    .await
}

/// Releases a turn. If its notice has ended, the earlier ones have ended too.
pub(crate) async fn release_turn(cache: &dyn Cache, notice: &Notice, turn: SendTurn, ended: bool) {
    let release = async {
        let stored = cache.get(&streams::ticket_order_key(notice.ticket_prefix())).await?;
        modify(cache, notice, stored, |order| {
            if order.turn == Some(turn) {
                order.turn = None;
            }
            if ended {
                order.open.retain(|open| open.order > notice.order);
            }
        })
        .await
    };
    if let Err(error) = release.await {
        tracing::debug!(key = notice.key, ?error, "cannot release a turn, it expires by itself");
    }
}

async fn modify<T>(
    cache: &dyn Cache,
    notice: &Notice,
    mut stored: Option<Bytes>,
    edit: impl Fn(&mut TicketOrder) -> T,
) -> Result<T, StoreError> {
    let at = streams::ticket_order_key(notice.ticket_prefix());
    loop {
        let before = decode(stored.as_deref())?;
        let mut order = before.clone().unwrap_or_default();
        let result = edit(&mut order);
        if before.as_ref() == Some(&order) {
            return Ok(result);
        }
        let new = serde_json::to_vec(&order).expect("string keys only").into();
        match cache.compare_and_set(&at, stored.as_deref(), new, streams::TICKET_ORDER_TTL).await? {
            CasOutcome::Swapped => return Ok(result),
            // Another notice of the same ticket was written. A ticket has a few a day.
            CasOutcome::Mismatch(found) => stored = found,
        }
    }
}

fn decode(stored: Option<&[u8]>) -> Result<Option<TicketOrder>, NewerForm> {
    stored.map_or(Ok(None), read_stored)
}

#[cfg(test)]
mod tests {
    use super::OrderStatus::{Busy, Ready, Superseded};
    use super::*;
    use paihao_cache::{MemoryCache, MemoryOptions};
    use paihao_contracts::commit::Number;
    use paihao_contracts::notice::NoticeContent;

    fn ticket_order(newest: u32, turn: Option<(u32, i64)>) -> TicketOrder {
        let turn = turn.map(|(order, until)| SendTurn { order, until });
        TicketOrder { newest, open: vec![], turn }
    }

    fn notice(order: u32) -> Notice {
        Notice {
            v: 1,
            key: format!("hall/20780/17/called#{order}"),
            account: "shop".into(),
            site_name: "大厅".into(),
            zone: "Asia/Shanghai".into(),
            person: "oPerson".into(),
            number: Number { prefix: "A".into(), serial: 17 },
            queue_name: "业务".into(),
            content: NoticeContent::QueueClosed,
            order,
            at: 0,
            valid_until: 60_000,
            link: None,
            replied: false,
        }
    }

    #[test]
    fn a_later_notice_supersedes_every_earlier_one() {
        for order in 1..6 {
            for newest in 1..6 {
                let expected = if order < newest { Superseded } else { Ready };
                assert_eq!(
                    ticket_order(newest, None).status_of(order, 0),
                    expected,
                    "{order} {newest}"
                );
            }
        }
    }

    #[test]
    fn a_later_notice_waits_for_the_attempt_of_an_earlier_one_until_its_turn_expires() {
        let in_progress = ticket_order(3, Some((2, 20_000)));
        assert_eq!(in_progress.status_of(3, 5_000), Busy(Duration::from_secs(15)));
        assert_eq!(in_progress.status_of(3, 20_000), Ready, "its holder is dead");
    }

    #[test]
    fn a_notice_is_not_superseded_during_its_attempt() {
        let in_progress = ticket_order(3, Some((2, 20_000)));
        assert_eq!(in_progress.status_of(2, 5_000), Busy(Duration::from_secs(15)));
        assert_eq!(in_progress.status_of(1, 5_000), Superseded);
        assert_eq!(in_progress.status_of(2, 20_000), Superseded);
    }

    #[tokio::test]
    async fn a_turn_is_exclusive_until_its_release_and_returns_earlier_notices() {
        let cache = MemoryCache::new(MemoryOptions::default());
        for order in [2, 1] {
            register(&cache, &notice(order)).await.unwrap();
        }
        assert_eq!(acquire_turn(&cache, &notice(1), 0).await.unwrap(), Err(Superseded));
        let (turn, before) = acquire_turn(&cache, &notice(2), 0).await.unwrap().unwrap();
        assert_eq!(before.iter().map(|open| open.order).collect::<Vec<_>>(), [1]);
        register(&cache, &notice(3)).await.unwrap();
        assert_eq!(
            acquire_turn(&cache, &notice(2), 1).await.unwrap(),
            Err(Busy(LEASE_TTL.saturating_sub(Duration::from_millis(1))))
        );
        assert!(matches!(acquire_turn(&cache, &notice(3), 1).await.unwrap(), Err(Busy(_))));
        release_turn(&cache, &notice(2), turn, true).await;
        let (_, before) = acquire_turn(&cache, &notice(3), 1).await.unwrap().unwrap();
        assert_eq!(before, [], "they have ended");
    }

    #[tokio::test]
    async fn releasing_an_expired_turn_leaves_its_new_holder_alone() {
        let cache = MemoryCache::new(MemoryOptions::default());
        let (slow, _) = acquire_turn(&cache, &notice(1), 0).await.unwrap().unwrap();
        let (quick, _) = acquire_turn(&cache, &notice(1), 20_000).await.unwrap().unwrap();
        release_turn(&cache, &notice(1), slow, false).await;
        assert_eq!(load(&cache, &notice(1)).await.unwrap().turn, Some(quick));
    }
}
