//! Following: catch-up, outages, gaps, a log made anew, and the stop.

use crate::memory::{LOG, Memory};
use paihao_chassis::Tasks;
use paihao_ledger::projection::{DecodeAhead, Follow, Follower, NotReached, Projection};
use paihao_ledger::{Position, StoredEntry};
use parking_lot::Mutex;
use std::sync::Arc;
use std::thread::ThreadId;
use std::time::Duration;
use tokio::time::Instant;

/// The payloads in order, and what the projection was told besides.
#[derive(Default)]
struct Payloads {
    all: Vec<String>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Clone, Default)]
struct Seen {
    applied: usize,
    resets: usize,
    catch_ups: usize,
    decoded_on: Vec<ThreadId>,
}

impl Projection for Payloads {
    type View = String;

    fn view(&self) -> String {
        self.all.join(" ")
    }

    fn apply(&mut self, recorded: StoredEntry) {
        self.seen.lock().applied += 1;
        self.all.push(text(&recorded));
    }

    fn reset(&mut self) {
        self.seen.lock().resets += 1;
        self.all.clear();
    }

    fn caught_up(&mut self) {
        self.seen.lock().catch_ups += 1;
    }
}

impl DecodeAhead for Payloads {
    type Decoded = (String, ThreadId);

    fn decode(recorded: StoredEntry) -> Self::Decoded {
        (text(&recorded), std::thread::current().id())
    }

    fn apply_decoded(&mut self, (text, thread): Self::Decoded) {
        self.seen.lock().decoded_on.push(thread);
        self.all.push(text);
    }
}

fn text(recorded: &StoredEntry) -> String {
    String::from_utf8(recorded.entry.payload.to_vec()).unwrap()
}

struct World {
    memory: Memory,
    tasks: Tasks,
    seen: Arc<Mutex<Seen>>,
    follower: Follower<String>,
}

impl World {
    fn new(memory: Memory) -> World {
        World::after(memory, Position::START)
    }

    fn after(memory: Memory, position: Position) -> World {
        World::start(memory, |follow, payloads, tasks| {
            let (follower, following) = follow.after(position).start(payloads);
            tasks.spawn("follow", following);
            follower
        })
    }

    fn decoding_ahead(memory: Memory) -> World {
        World::start(memory, |follow, payloads, tasks| {
            let (follower, following) = follow.start_decoding_ahead(payloads);
            tasks.spawn("follow", following);
            follower
        })
    }

    fn start(
        memory: Memory,
        start: impl FnOnce(Follow, Payloads, &Tasks) -> Follower<String>,
    ) -> World {
        let (tasks, payloads) = (Tasks::new(), Payloads::default());
        let seen = payloads.seen.clone();
        let follow = Follow::new(Arc::new(memory.clone()), LOG, tasks.stop().clone());
        let follower = start(follow, payloads, &tasks);
        World { memory, tasks, seen, follower }
    }

    async fn shows(&self, expected: &str) {
        let mut changes = self.follower.changes();
        let there = changes.wait_for(|now| now.caught_up && now.view == expected);
        let shown = tokio::time::timeout(Duration::from_secs(60), there).await;
        assert!(shown.is_ok(), "{expected:?} was expected, not {:?}", self.follower.now());
    }

    fn seen(&self) -> Seen {
        self.seen.lock().clone()
    }
}

fn log(payloads: &[&str]) -> Memory {
    let memory = Memory::default();
    for payload in payloads {
        memory.put(payload);
    }
    memory
}

/// Lets every task run until all of them wait.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn the_past_is_applied_and_then_what_comes() {
    let world = World::new(log(&["a", "b"]));
    assert!(!world.follower.caught_up());
    world.follower.until_caught_up().await;
    assert_eq!((world.follower.now().as_str(), world.follower.position()), ("a b", Position(2)));
    let position = world.memory.put("c");
    let view = world.follower.until(position, Duration::from_secs(1)).await;
    assert_eq!(view.as_deref(), Ok("a b c"));
    assert_eq!((world.seen().catch_ups, world.seen().resets), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn an_empty_log_is_caught_up_with_at_once() {
    let world = World::new(log(&[]));
    world.follower.until_caught_up().await;
    assert_eq!((world.follower.now().as_str(), world.seen().catch_ups), ("", 1));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_shown_a_past_that_is_not_whole() {
    let memory = log(&["a", "b", "c"]);
    memory.hold_at(Some(Position(2)));
    let world = World::new(memory);
    let changes = world.follower.changes();
    settle().await;
    assert_eq!(world.seen().applied, 2);
    assert!(!changes.has_changed().unwrap() && !world.follower.caught_up());
    assert_eq!((world.follower.now().as_str(), world.follower.position()), ("", Position::START));
    world.memory.hold_at(None);
    world.shows("a b c").await;
}

#[tokio::test(start_paused = true)]
async fn changes_wake_after_each_entry() {
    let world = World::new(log(&["a"]));
    world.follower.until_caught_up().await;
    let mut changes = world.follower.changes();
    assert!(!changes.has_changed().unwrap());
    for (payload, shown) in [("b", "a b"), ("c", "a b c")] {
        world.memory.put(payload);
        changes.changed().await.unwrap();
        assert_eq!(changes.borrow_and_update().view, shown);
    }
}

#[tokio::test(start_paused = true)]
async fn a_position_that_does_not_come_is_waited_for_no_longer_than_asked() {
    let world = World::new(log(&["a"]));
    let begun = Instant::now();
    let limit = Duration::from_secs(5);
    assert_eq!(world.follower.until(Position(2), limit).await, Err(NotReached));
    assert_eq!(begun.elapsed(), limit);
    assert_eq!(world.follower.until(Position(1), limit).await.as_deref(), Ok("a"));
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_is_away_is_asked_less_and_less_often() {
    let memory = log(&["a"]);
    memory.go_away(8);
    let world = World::new(memory);
    world.shows("a").await;
    let asked = world.memory.asked();
    let waits: Vec<_> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits.len(), 8);
    // Each is spread by a fifth.
    assert!(waits[0] >= Duration::from_millis(80) && waits[0] <= Duration::from_millis(121));
    assert!(waits[..6].windows(2).all(|pair| pair[1] > pair[0]), "{waits:?}");
    assert!(waits[7] >= Duration::from_secs(4) && waits[7] <= Duration::from_millis(6_001));
    // What has worked begins with short waits again.
    world.memory.put("b");
    world.shows("a b").await;
    let gone = Instant::now();
    world.memory.go_away(1);
    world.memory.put("c");
    world.shows("a b c").await;
    let asked = world.memory.asked();
    assert!(asked[9] - gone <= Duration::from_millis(121), "{:?}", asked[9] - gone);
    assert!(asked[10] - asked[9] <= Duration::from_millis(241), "{:?}", asked[10] - asked[9]);
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_it_goes_on_where_it_was() {
    let world = World::new(log(&["a", "b"]));
    world.shows("a b").await;
    world.memory.go_away(3);
    world.memory.put("c");
    settle().await;
    assert_eq!(world.follower.now(), "a b", "the state stays while the ledger is away");
    world.shows("a b c").await;
    assert_eq!((world.seen().applied, world.seen().resets), (3, 0));
    world.memory.go_away(0);
    world.memory.put("d");
    world.shows("a b c d").await;
    assert_eq!((world.seen().applied, world.seen().resets), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn entries_that_aged_out_in_an_outage_make_it_begin_anew() {
    let world = World::new(log(&["a", "b"]));
    world.shows("a b").await;
    world.memory.go_away(1);
    world.memory.put("c");
    world.memory.put("d");
    world.memory.age_out(3);
    world.shows("d").await;
    assert_eq!(world.seen().resets, 1, "b is gone, and so c may have been missed");
}

#[tokio::test(start_paused = true)]
async fn entries_that_aged_out_before_the_newest_one_applied_are_no_gap() {
    let world = World::new(log(&["a", "b"]));
    world.shows("a b").await;
    world.memory.go_away(1);
    world.memory.put("c");
    world.memory.age_out(1);
    world.shows("a b c").await;
    assert_eq!(world.seen().resets, 0);
}

#[tokio::test(start_paused = true)]
async fn a_log_made_anew_begins_an_empty_projection() {
    let world = World::new(log(&["a", "b"]));
    world.shows("a b").await;
    world.memory.remake();
    world.shows("").await;
    assert_eq!((world.seen().resets, world.follower.position()), (1, Position::START));
    world.memory.put("x");
    world.shows("x").await;
    assert_eq!(world.follower.position(), Position(1));
}

#[tokio::test(start_paused = true)]
async fn a_log_made_anew_in_an_outage_is_noticed_however_long_it_is() {
    for payloads in [&["x"][..], &["x", "y"], &["x", "y", "z"]] {
        let world = World::new(log(&["a", "b"]));
        world.shows("a b").await;
        world.memory.go_away(1);
        world.memory.remake();
        for payload in payloads {
            world.memory.put(payload);
        }
        world.shows(&payloads.join(" ")).await;
        assert_eq!(world.seen().resets, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn it_can_begin_after_a_position() {
    let world = World::after(log(&["a", "b", "c"]), Position(2));
    world.shows("c").await;
    assert_eq!((world.seen().resets, world.follower.position()), (0, Position(3)));
}

#[tokio::test(start_paused = true)]
async fn a_position_to_begin_after_that_has_aged_out_makes_it_read_everything() {
    let memory = log(&["a", "b", "c", "d"]);
    memory.age_out(2);
    let world = World::after(memory, Position(2));
    world.shows("c d").await;
    assert_eq!(world.seen().resets, 1);
    let beyond = World::after(log(&["a"]), Position(7));
    beyond.shows("a").await;
    assert_eq!(beyond.seen().resets, 1);
}

#[tokio::test(start_paused = true)]
async fn the_stop_ends_it_between_two_entries() {
    let memory = log(&["a", "b"]);
    memory.hold_at(Some(Position(1)));
    let catching_up = World::new(memory);
    let following = World::new(log(&["a"]));
    following.shows("a").await;
    let memory = log(&[]);
    memory.go_away(usize::MAX);
    let retrying = World::new(memory);
    settle().await;
    for world in [catching_up, following, retrying] {
        let begun = Instant::now();
        world.tasks.stop_and_wait().await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        let applied = world.seen().applied;
        world.memory.hold_at(None);
        world.memory.put("z");
        settle().await;
        assert_eq!(world.seen().applied, applied, "nothing is applied after the stop");
        let waited = world.follower.until(Position(9), Duration::MAX).await;
        assert_eq!(waited, Err(NotReached), "nobody waits for what cannot come");
    }
}

#[tokio::test(start_paused = true)]
async fn the_past_is_decoded_ahead_in_order_on_other_threads() {
    let memory = Memory::default();
    let past: Vec<_> = (0..1_500).map(|n| n.to_string()).collect();
    for payload in &past {
        memory.put(payload);
    }
    let world = World::decoding_ahead(memory);
    world.shows(&past.join(" ")).await;
    let (seen, here) = (world.seen(), std::thread::current().id());
    assert_eq!((seen.decoded_on.len(), seen.applied, seen.catch_ups), (1_500, 0, 1));
    assert!(seen.decoded_on.iter().all(|thread| *thread != here));
    world.memory.put("now");
    world.shows(&format!("{} now", past.join(" "))).await;
    assert_eq!(world.seen().applied, 1, "what is new is not decoded ahead");
}

#[tokio::test(start_paused = true)]
async fn decoding_ahead_survives_an_outage_and_a_log_made_anew() {
    let memory = log(&["a", "b", "c"]);
    memory.hold_at(Some(Position(2)));
    let world = World::decoding_ahead(memory);
    settle().await;
    world.memory.hold_at(None);
    world.memory.go_away(1);
    world.shows("a b c").await;
    assert_eq!((world.seen().resets, world.seen().decoded_on.len()), (0, 3), "each once");
    world.memory.go_away(1);
    world.memory.put("d");
    world.memory.put("e");
    world.shows("a b c d e").await;
    assert_eq!(world.seen().resets, 0);

    let memory = log(&["a", "b"]);
    memory.hold_at(Some(Position(1)));
    let remade = World::decoding_ahead(memory);
    settle().await;
    remade.memory.remake();
    remade.memory.hold_at(None);
    remade.shows("").await;
    remade.memory.put("x");
    remade.shows("x").await;
}
