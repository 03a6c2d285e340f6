//! Cases of appending: preconditions, conflicts, and stored entries.

use super::*;
use crate::{AppendError, ExpectedPosition, StoreTime};
use paihao_contracts::streams::LEDGER;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The first append expects an empty subject, the next one the position of the first.
pub async fn expects_an_empty_subject_then_a_position(ledger: Arc<dyn Ledger>) {
    let subject = subject("a");
    let first =
        ledger.append(&LOG, &subject, ExpectedPosition::Empty, Entry::new("1")).await.unwrap();
    let second =
        ledger.append(&LOG, &subject, ExpectedPosition::At(first), Entry::new("2")).await.unwrap();
    let third =
        ledger.append(&LOG, &subject, ExpectedPosition::Any, Entry::new("3")).await.unwrap();
    assert!(Position::START < first && first < second && second < third);
}

/// A failed precondition writes nothing and returns the found position.
pub async fn a_conflict_carries_what_was_found(ledger: Arc<dyn Ledger>) {
    let subject = subject("a");
    let first = append_any(&*ledger, &LOG, "a", "1").await;
    let second = append_any(&*ledger, &LOG, "a", "2").await;
    append_any(&*ledger, &LOG, "b", "elsewhere").await;
    for stale in [
        ExpectedPosition::Empty,
        ExpectedPosition::At(first),
        ExpectedPosition::At(Position(second.0 + 1000)),
    ] {
        match ledger.append(&LOG, &subject, stale, Entry::new("no")).await {
            Err(AppendError::Conflict { expected, found }) => {
                assert_eq!((expected, found), (stale, Some(second)));
            }
            other => panic!("expected a conflict, got {other:?}"),
        }
    }
    assert_eq!(ledger.last(&LOG, &subject).await.unwrap().unwrap().position, second);
    ledger.append(&LOG, &subject, ExpectedPosition::At(second), Entry::new("3")).await.unwrap();
}

/// A precondition on a position conflicts with an empty subject.
pub async fn at_a_position_of_an_empty_subject(ledger: Arc<dyn Ledger>) {
    let elsewhere = append_any(&*ledger, &LOG, "b", "elsewhere").await;
    let stale = ExpectedPosition::At(elsewhere);
    match ledger.append(&LOG, &subject("a"), stale, Entry::new("no")).await {
        Err(AppendError::Conflict { expected, found }) => {
            assert_eq!((expected, found), (stale, None));
        }
        other => panic!("expected a conflict, got {other:?}"),
    }
    assert_eq!(ledger.last(&LOG, &subject("a")).await.unwrap(), None);
}

/// Appenders that read, append and retry on conflict store every entry once, each after the one it
/// expected.
pub async fn concurrent_appenders_lose_nothing(ledger: Arc<dyn Ledger>) {
    const APPENDERS: usize = 8;
    const EACH: usize = 15;
    let tasks: Vec<_> = (0..APPENDERS)
        .map(|appender| {
            let ledger = Arc::clone(&ledger);
            tokio::spawn(async move {
                let mut expect = ExpectedPosition::Empty;
                let mut appended = 0;
                while appended < EACH {
                    let Position(base) = match expect {
                        ExpectedPosition::At(position) => position,
                        _ => Position::START,
                    };
                    let entry = Entry::new(format!("{appender}/{appended} on {base}"));
                    expect = match ledger.append(&LOG, &subject("a"), expect, entry).await {
                        Ok(position) => {
                            appended += 1;
                            ExpectedPosition::At(position)
                        }
                        Err(AppendError::Conflict { found: Some(found), .. }) => {
                            ExpectedPosition::At(found)
                        }
                        Err(other) => panic!("{other}"),
                    };
                }
            })
        })
        .collect();
    for task in tasks {
        with_timeout("an appender", task).await.unwrap();
    }
    let mut follower = ledger.follow(&LOG, Position::START).await.unwrap();
    let all = next_entries(&mut follower, APPENDERS * EACH).await;
    assert_pending("no more than was appended", follower.next()).await;
    let mut before = Position::START;
    let mut texts = BTreeSet::new();
    for recorded in &all {
        let text = payload_text(recorded);
        let (number, base) = text.split_once(" on ").unwrap();
        assert_eq!(base, before.0.to_string(), "{number} stands on what it did not expect");
        assert!(texts.insert(number.to_owned()), "{number} stands twice");
        before = recorded.position;
    }
    assert_eq!(ledger.last(&LOG, &subject("a")).await.unwrap(), all.last().cloned());
}

/// Concurrent appends without a precondition get distinct positions.
pub async fn concurrent_appends_without_precondition(ledger: Arc<dyn Ledger>) {
    let appends = (0..200).map(|n| {
        let ledger = Arc::clone(&ledger);
        async move { append_any(&*ledger, &LOG, "a", n.to_string()).await }
    });
    let positions = with_timeout("all appends", futures::future::join_all(appends)).await;
    let distinct: BTreeSet<_> = positions.iter().copied().collect();
    assert_eq!(distinct.len(), 200);
    let mut follower = ledger.follow(&LOG, Position::START).await.unwrap();
    for recorded in next_entries(&mut follower, 200).await {
        let n: usize = payload_text(&recorded).parse().unwrap();
        assert_eq!(recorded.position, positions[n]);
    }
}

/// A precondition covers one subject, also if its name is a prefix of another's.
pub async fn subjects_do_not_disturb_each_other(ledger: Arc<dyn Ledger>) {
    let short = Subject::new(&["acc"]).unwrap();
    let long = Subject::new(&["acc", "a"]).unwrap();
    let near = Subject::new(&["acc", "aa"]).unwrap();
    let a = ledger.append(&LOG, &short, ExpectedPosition::Empty, Entry::new("1")).await.unwrap();
    let b = ledger.append(&LOG, &long, ExpectedPosition::Empty, Entry::new("2")).await.unwrap();
    let c = ledger.append(&LOG, &near, ExpectedPosition::Empty, Entry::new("3")).await.unwrap();
    ledger.append(&LOG, &short, ExpectedPosition::At(a), Entry::new("4")).await.unwrap();
    ledger.append(&LOG, &long, ExpectedPosition::At(b), Entry::new("5")).await.unwrap();
    ledger.append(&LOG, &near, ExpectedPosition::At(c), Entry::new("6")).await.unwrap();
}

/// The same subject in two logs is two subjects.
pub async fn logs_do_not_disturb_each_other(ledger: Arc<dyn Ledger>) {
    let subject = subject("a");
    let position =
        ledger.append(&LOG, &subject, ExpectedPosition::Empty, Entry::new("here")).await.unwrap();
    ledger
        .append(&OTHER_LOG, &subject, ExpectedPosition::Empty, Entry::new("there"))
        .await
        .unwrap();
    ledger
        .append(&LOG, &subject, ExpectedPosition::At(position), Entry::new("here again"))
        .await
        .unwrap();
    let mut other_follower = ledger.follow(&OTHER_LOG, Position::START).await.unwrap();
    assert_eq!(payload_text(&next_entry(&mut other_follower).await), "there");
    assert_pending("an entry of another log", other_follower.next()).await;
}

/// Subject, payload, headers and time are unchanged, both by reading and by following.
pub async fn keeps_entries_unchanged(ledger: Arc<dyn Ledger>) {
    let subject = Subject::new(&["gh_2f", "Hall-1", "x"]).unwrap();
    let every_byte: Vec<u8> = (0..=255).collect();
    let full = Entry::new(every_byte)
        .with_header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .with_header("X-Words", "several words: and signs %20");
    let empty = Entry::default();
    let mut follower = ledger.follow(&LOG, Position::START).await.unwrap();
    for entry in [full, empty] {
        let position =
            ledger.append(&LOG, &subject, ExpectedPosition::Any, entry.clone()).await.unwrap();
        let followed = next_entry(&mut follower).await;
        assert_eq!(followed.position, position);
        assert_eq!(followed.subject, subject);
        assert_eq!(followed.entry.payload, entry.payload);
        let sorted = |entry: &Entry| entry.headers.iter().cloned().collect::<BTreeSet<_>>();
        assert_eq!(sorted(&followed.entry), sorted(&entry));
        assert!(followed.at_ms > 0);
        let last = ledger.last(&LOG, &subject).await.unwrap().unwrap();
        assert_eq!(sorted(&last.entry), sorted(&entry));
        assert_eq!(
            (last.position, last.subject, last.at_ms, last.entry.payload),
            (followed.position, followed.subject, followed.at_ms, followed.entry.payload),
        );
    }
}

/// A header that would break the store's format is dropped without further effect.
pub async fn drops_headers_it_cannot_carry(ledger: Arc<dyn Ledger>) {
    let entry = Entry::new("x")
        .with_header("fine", "v")
        .with_header("not fine", "v")
        .with_header("split", "a\r\nInjected: b");
    ledger.append(&LOG, &subject("a"), ExpectedPosition::Empty, entry).await.unwrap();
    let last = ledger.last(&LOG, &subject("a")).await.unwrap().unwrap();
    assert_eq!(last.entry, Entry::new("x").with_header("fine", "v"));
}

/// `last` is the newest entry of its subject, or nothing.
pub async fn last_is_the_newest_of_its_subject(ledger: Arc<dyn Ledger>) {
    assert_eq!(ledger.last(&LOG, &subject("a")).await.unwrap(), None);
    append_any(&*ledger, &LOG, "a", "1").await;
    let newest = append_any(&*ledger, &LOG, "a", "2").await;
    append_any(&*ledger, &LOG, "b", "3").await;
    let last = ledger.last(&LOG, &subject("a")).await.unwrap().unwrap();
    assert_eq!((last.position, payload_text(&last).as_str()), (newest, "2"));
    assert_eq!(ledger.last(&LOG, &subject("c")).await.unwrap(), None);
    // With nothing else going on, a read that nobody confirmed knows as much.
    assert_eq!(ledger.last_unconfirmed(&LOG, &subject("a")).await.unwrap(), Some(last));
    assert_eq!(ledger.last_unconfirmed(&LOG, &subject("c")).await.unwrap(), None);
}

/// `head` is the newest position of the log, of whatever subject.
pub async fn head_is_the_newest_of_the_log(ledger: Arc<dyn Ledger>) {
    assert_eq!(ledger.head(&LOG).await.unwrap(), Position::START);
    for name in ["a", "b", "a"] {
        let position = append_any(&*ledger, &LOG, name, "x").await;
        assert_eq!(ledger.head(&LOG).await.unwrap(), position);
    }
    append_any(&*ledger, &OTHER_LOG, "a", "x").await;
    let head = ledger.head(&LOG).await.unwrap();
    assert_eq!(ledger.last(&LOG, &subject("a")).await.unwrap().unwrap().position, head);
}

/// An entry of 200 kB is accepted. One of 9 MB fails with the size error.
pub async fn refuses_what_is_too_large(ledger: Arc<dyn Ledger>) {
    let subject = subject("a");
    let large_entry = Entry::new(vec![b'x'; 200_000]);
    let position =
        ledger.append(&LOG, &subject, ExpectedPosition::Empty, large_entry).await.unwrap();
    let large = Entry::new(vec![b'x'; 9_000_000]);
    match ledger.append(&LOG, &subject, ExpectedPosition::At(position), large).await {
        Err(AppendError::TooLarge { size, limit }) => assert!(size >= 9_000_000 && limit < size),
        other => panic!("expected too large, got {other:?}"),
    }
    ledger
        .append(&LOG, &subject, ExpectedPosition::At(position), Entry::new("small"))
        .await
        .unwrap();
}

/// Entries that have aged out are gone: the subject is empty, and positions still increase.
pub async fn entries_age_out(ledger: Arc<dyn Ledger>) {
    const SHORT_LIVED_LOG: Log = Log::kept_for("conformance-brief", Duration::from_secs(1));
    let subject = subject("a");
    let old = ledger
        .append(&SHORT_LIVED_LOG, &subject, ExpectedPosition::Empty, Entry::new("old"))
        .await
        .unwrap();
    with_timeout("the entry to leave", async {
        while ledger.last(&SHORT_LIVED_LOG, &subject).await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(ledger.head(&SHORT_LIVED_LOG).await.unwrap(), Position::START);
    match ledger
        .append(&SHORT_LIVED_LOG, &subject, ExpectedPosition::At(old), Entry::new("no"))
        .await
    {
        Err(AppendError::Conflict { found: None, .. }) => {}
        other => panic!("expected a conflict with nothing, got {other:?}"),
    }
    let new = ledger
        .append(&SHORT_LIVED_LOG, &subject, ExpectedPosition::Empty, Entry::new("new"))
        .await
        .unwrap();
    assert!(old < new);
    let mut follower = ledger.follow(&SHORT_LIVED_LOG, old).await.unwrap();
    assert_eq!(payload_text(&next_entry(&mut follower).await), "new");
}

/// A store that is there says so.
pub async fn answers_a_check(ledger: Arc<dyn Ledger>) {
    ledger.check().await.unwrap();
}

/// An entry is found by its position, in its own log only, and no longer once it has aged out.
pub async fn an_entry_is_found_by_its_position(ledger: Arc<dyn Ledger>) {
    let first = append_any(&*ledger, &LOG, "a", "1").await;
    let second = append_any(&*ledger, &LOG, "b", "2").await;
    let other = append_any(&*ledger, &OTHER_LOG, "a", "3").await;
    let found = ledger.get(&LOG, second).await.unwrap().unwrap();
    assert_eq!((found.position, found.subject.clone()), (second, subject("b")));
    assert_eq!(payload_text(&found), "2");
    assert_eq!(payload_text(&ledger.get(&LOG, first).await.unwrap().unwrap()), "1");
    assert_eq!(payload_text(&ledger.get(&OTHER_LOG, other).await.unwrap().unwrap()), "3");
    for nowhere in [Position::START, Position(second.0 + 1000)] {
        assert_eq!(ledger.get(&LOG, nowhere).await.unwrap(), None, "{nowhere:?}");
    }
    let short_lived = Log::kept_for("conformance-found", Duration::from_secs(1));
    let soon_gone = append_any(&*ledger, &short_lived, "a", "soon gone").await;
    with_timeout("it ages out", async {
        while ledger.get(&short_lived, soon_gone).await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

/// An erased entry is found nowhere, erasing it again is no error, and everything else stays as it
/// was: the other entries, their positions, and what an append is conditional on.
pub async fn an_erased_entry_is_gone_and_all_others_stay(ledger: Arc<dyn Ledger>) {
    let mut positions = Vec::new();
    for (subject, text) in [("a", "1"), ("b", "2"), ("a", "3"), ("a", "4")] {
        positions.push(append_any(&*ledger, &LOG, subject, text).await);
    }
    let other = append_any(&*ledger, &OTHER_LOG, "a", "5").await;
    for erased in [positions[0], positions[2], positions[2]] {
        ledger.erase(&LOG, erased).await.unwrap();
        assert_eq!(ledger.get(&LOG, erased).await.unwrap(), None);
    }
    assert_eq!(ledger.head(&LOG).await.unwrap(), positions[3]);
    let entries = ledger.follow(&LOG, Position::START).await.unwrap();
    let read = with_timeout("what is left is read", entries.take(2).collect::<Vec<_>>()).await;
    let read = read.iter().map(|item| match item {
        LogItem::Entry(stored) => (stored.position, payload_text(stored).to_owned()),
        LogItem::Restarted => panic!("the log was not made anew"),
    });
    let left = [(positions[1], "2".to_owned()), (positions[3], "4".to_owned())];
    assert_eq!(read.collect::<Vec<_>>(), left);
    assert_eq!(payload_text(&ledger.get(&OTHER_LOG, other).await.unwrap().unwrap()), "5");
    let expect = ExpectedPosition::At(positions[3]);
    let next = ledger.append(&LOG, &subject("a"), expect, Entry::new("6")).await.unwrap();
    assert!(next > positions[3]);
}

/// The store tells the time by which it dates the entries of the ledger, or at least that of the
/// newest of them.
pub async fn dates_entries_by_its_time(ledger: Arc<dyn Ledger>) {
    let told = async || match ledger.time().await.unwrap() {
        StoreTime::Now(at_ms) => (at_ms, true),
        StoreTime::AtLeast(at_ms) => (at_ms, false),
    };
    let (before, _) = told().await;
    for text in ["1", "2", "3"] {
        append_any(&*ledger, &LEDGER, "a", text).await;
        let newest = ledger.last(&LEDGER, &subject("a")).await.unwrap().unwrap();
        let (after, is_clock) = told().await;
        assert!(before <= newest.at_ms && newest.at_ms <= after, "{before} {newest:?} {after}");
        assert!(is_clock || newest.at_ms == after, "{newest:?} {after}");
    }
}
