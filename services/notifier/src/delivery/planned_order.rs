//! Newest planned notice of a ticket: a hint in the cache.
//!
//! A worker that finds it does not send a notice that a later one is about to replace. If it is
//! lost, such a notice may be sent, before the later one as ever: the log of outcomes knows what
//! was attempted. The value stands where former versions kept the order of a ticket. They cannot
//! read it, and leave the ticket to this version.

use crate::ports::{StoreError, read_stored};
use bytes::Bytes;
use paihao_cache::{Cache, CasOutcome};
use paihao_contracts::envelope::Form;
use paihao_contracts::notice::Notice;
use paihao_contracts::streams;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Version of the stored form. Version 1 was the order of a ticket in former versions.
const VERSION: u32 = 2;

/// Turn of nobody that never ends, in the year 9999. Version 0.1.0 does not look at versions, and
/// waits for this turn; the ones after it do not read this form.
const TURN_OF_NOBODY: FormerTurn = FormerTurn { order: 0, until: 253_402_300_799_000 };

/// Newest planned notice of a ticket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PlannedOrder {
    /// Highest order number of a notice that was planned.
    pub(crate) newest: u32,
    /// True if a former version may have attempted a notice of the ticket.
    pub(crate) former: bool,
    /// End of a former version's turn in Unix milliseconds, 0 for none.
    pub(crate) former_turn_until: i64,
}

/// Stored form, with all members that former versions need to see a ticket whose turn is taken.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct StoredOrder {
    #[serde(default)]
    v: u32,
    /// Newest notice for former versions: none, so that they supersede none.
    newest: u32,
    /// Notices that former versions know of.
    open: Vec<Value>,
    turn: Option<FormerTurn>,
    #[serde(default)]
    planned: u32,
    #[serde(default)]
    former: bool,
    #[serde(default)]
    former_turn_until: i64,
}

/// Exclusive right to send, as former versions take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct FormerTurn {
    /// Order number of the notice that holds the turn.
    order: u32,
    /// Expiry in Unix milliseconds.
    until: i64,
}

impl Form for StoredOrder {
    const NAME: &'static str = "ticket order";
    const VERSION: u32 = VERSION;
    const VERSION_IF_ABSENT: Option<u32> = Some(1);
}

impl PlannedOrder {
    /// Value for a notice without an order number, which is of a former version.
    pub(crate) fn of_unordered() -> PlannedOrder {
        PlannedOrder { former: true, ..PlannedOrder::default() }
    }

    fn raised(found: Option<PlannedOrder>, newest: u32, former_if_absent: bool) -> PlannedOrder {
        match found {
            None => PlannedOrder { newest, former: former_if_absent, former_turn_until: 0 },
            Some(found) => PlannedOrder { newest: found.newest.max(newest), ..found },
        }
    }
}

impl From<&StoredOrder> for PlannedOrder {
    fn from(stored: &StoredOrder) -> PlannedOrder {
        let StoredOrder { planned, former, former_turn_until, .. } = *stored;
        if stored.v >= VERSION {
            return PlannedOrder { newest: planned, former, former_turn_until };
        }
        let turn = stored.turn.filter(|turn| *turn != TURN_OF_NOBODY);
        PlannedOrder {
            newest: stored.newest.max(planned),
            former: true,
            former_turn_until: turn.map_or(0, |turn| turn.until),
        }
    }
}

impl From<PlannedOrder> for StoredOrder {
    fn from(order: PlannedOrder) -> StoredOrder {
        let PlannedOrder { newest, former, former_turn_until } = order;
        StoredOrder {
            v: VERSION,
            newest: 0,
            open: Vec::new(),
            turn: Some(TURN_OF_NOBODY),
            planned: newest,
            former,
            former_turn_until,
        }
    }
}

/// Returns true if the notice has an order number. Notices of older versions have none.
pub(crate) fn is_ordered(notice: &Notice) -> bool {
    notice.order > 0
}

/// Registers a notice that is about to be queued for the first time.
pub(crate) async fn register_planned(cache: &dyn Cache, notice: &Notice) -> Result<(), StoreError> {
    // Mostly the first notice of its ticket: then no value exists and one request suffices.
    raise(cache, notice, None, (notice.order, false)).await.map(drop)
}

/// Registers a notice that is about to be redriven, together with the newest order number of its
/// ticket, which the cache may have lost.
pub(crate) async fn register_redriven(
    cache: &dyn Cache,
    notice: &Notice,
    newest: u32,
) -> Result<(), StoreError> {
    raise(cache, notice, None, (notice.order.max(newest), true)).await.map(drop)
}

/// Loads the newest planned notice of a notice's ticket, and takes the ticket over from former
/// versions.
pub(crate) async fn load(cache: &dyn Cache, notice: &Notice) -> Result<PlannedOrder, StoreError> {
    let stored = cache.get(&streams::planned_order_key(notice.ticket_prefix())).await?;
    raise(cache, notice, stored, (notice.order, true)).await
}

async fn raise(
    cache: &dyn Cache,
    notice: &Notice,
    mut stored: Option<Bytes>,
    (newest, former_if_absent): (u32, bool),
) -> Result<PlannedOrder, StoreError> {
    let key = streams::planned_order_key(notice.ticket_prefix());
    loop {
        let found: Option<StoredOrder> = stored.as_deref().map_or(Ok(None), read_stored)?;
        let raised = PlannedOrder::raised(found.as_ref().map(Into::into), newest, former_if_absent);
        let next = StoredOrder::from(raised);
        if found.as_ref() == Some(&next) {
            return Ok(raised);
        }
        let new = serde_json::to_vec(&next).expect("string keys only").into();
        let ttl = streams::PLANNED_ORDER_TTL;
        match cache.compare_and_set(&key, stored.as_deref(), new, ttl).await? {
            CasOutcome::Swapped => return Ok(raised),
            // Another notice of the same ticket was planned. A ticket has a few a day.
            CasOutcome::Mismatch(found) => stored = found,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_cache::MemoryCache;
    use paihao_contracts::envelope::{self, ReadError};

    /// Values that former versions stored: a ticket at rest, and one with a turn.
    const FORMER: [&str; 2] = [
        r#"{"newest":3,"open":[{"order":3,"key":"hall/20780/17/called#3","at":7}],"turn":null}"#,
        r#"{"newest":3,"open":[],"turn":{"order":3,"until":20000}}"#,
    ];

    /// Order of a ticket as version 0.1.0 reads it.
    #[derive(Debug, Deserialize)]
    struct FormerOrder {
        newest: u32,
        #[serde(rename = "open")]
        _open: Vec<Value>,
        turn: Option<FormerTurn>,
    }

    impl FormerOrder {
        /// Returns true if version 0.1.0 waits with the notice of this order number.
        fn is_taken(&self, order: u32, now: i64) -> bool {
            self.turn.is_some_and(|turn| {
                turn.until > now && (turn.order == order || order >= self.newest)
            })
        }
    }

    impl Form for FormerOrder {
        const NAME: &'static str = "ticket order";
        const VERSION_IF_ABSENT: Option<u32> = Some(1);
    }

    fn found(stored: &str) -> PlannedOrder {
        (&envelope::decode::<StoredOrder>(stored.as_bytes()).unwrap()).into()
    }

    #[test]
    fn the_order_of_a_former_version_is_taken_over_with_its_turn() {
        for (stored, until) in FORMER.into_iter().zip([0, 20_000]) {
            for newest in [2, 3, 4] {
                let raised = PlannedOrder::raised(Some(found(stored)), newest, false);
                let expected =
                    PlannedOrder { newest: newest.max(3), former: true, former_turn_until: until };
                assert_eq!(raised, expected);
                let again = found(&serde_json::to_string(&StoredOrder::from(raised)).unwrap());
                assert_eq!(again, raised);
                assert_eq!(PlannedOrder::raised(Some(again), 1, false), raised, "it stays so");
            }
        }
    }

    #[test]
    fn former_versions_leave_the_ticket_alone() {
        for newest in [1, 5] {
            let order = PlannedOrder::raised(None, newest, false);
            let stored = serde_json::to_string(&StoredOrder::from(order)).unwrap();
            let read = envelope::decode::<FormerOrder>(stored.as_bytes());
            assert!(matches!(read, Err(ReadError::Newer(_))), "those that read the version");
            let read: FormerOrder = serde_json::from_str(&stored).unwrap();
            assert!((1..9).all(|order| read.is_taken(order, 1_795_384_474_775)), "version 0.1.0");
        }
        // Version 0.1.0 plans a notice into the order, and drops the members that it does not know.
        let turn = serde_json::to_string(&TURN_OF_NOBODY).unwrap();
        let planned = found(&format!(r#"{{"newest":2,"open":[{{"order":2}}],"turn":{turn}}}"#));
        assert_eq!(
            planned,
            PlannedOrder { newest: 2, former: true, former_turn_until: 0 },
            "nobody has the turn"
        );
    }

    #[tokio::test]
    async fn the_highest_order_number_stays() {
        let cache = MemoryCache::default();
        let notice = |order| {
            let line = include_str!("../../../../shared/contracts/tests/fixtures/notice-v1.jsonl");
            let notice: Notice = envelope::decode(line.lines().next().unwrap().as_bytes()).unwrap();
            Notice { order, ..notice }
        };
        for order in [2, 4, 3] {
            register_planned(&cache, &notice(order)).await.unwrap();
        }
        let loaded = load(&cache, &notice(1)).await.unwrap();
        assert_eq!((loaded.newest, loaded.former), (4, false));
        register_redriven(&cache, &notice(1), 5).await.unwrap();
        assert_eq!(load(&cache, &notice(1)).await.unwrap().newest, 5);
        let lost = load(&MemoryCache::default(), &notice(1)).await.unwrap();
        assert_eq!((lost.newest, lost.former), (1, true), "nobody knows");
    }
}
