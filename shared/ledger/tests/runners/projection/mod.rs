//! Tests of projections: catch-up, outages, gaps, a log created anew, and the stop.

mod restoring;

use crate::memory::{LOG, Memory};
use paihao_chassis::Tasks;
use paihao_contracts::envelope::{MalformedForm, NewerForm, ReadError};
use paihao_ledger::projection::{DecodeAhead, Decoder, Follow, Follower, NotReached, Projection};
use paihao_ledger::{Position, StoredEntry};
use parking_lot::Mutex;
use std::sync::Arc;
use std::thread::ThreadId;
use std::time::Duration;
use tokio::time::Instant;

/// Projection that collects the payloads and counts the calls.
#[derive(Default)]
struct Payloads {
    all: Vec<String>,
    counts: Arc<Mutex<CallCounts>>,
}

#[derive(Clone, Default)]
struct CallCounts {
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

    fn apply(&mut self, recorded: StoredEntry) -> Result<(), ReadError> {
        self.counts.lock().applied += 1;
        self.push(text(&recorded))
    }

    fn reset(&mut self) {
        self.counts.lock().resets += 1;
        self.all.clear();
    }

    fn caught_up(&mut self) {
        self.counts.lock().catch_ups += 1;
    }
}

impl DecodeAhead for Payloads {
    type Decoded = (String, ThreadId);

    fn decoder(&self) -> Decoder<Self::Decoded> {
        Arc::new(|recorded| (text(&recorded), std::thread::current().id()))
    }

    fn apply_decoded(&mut self, (text, thread): Self::Decoded) -> Result<(), ReadError> {
        self.counts.lock().decoded_on.push(thread);
        self.push(text)
    }
}

const NEWER: NewerForm = NewerForm { form: "text", version: 2, known: 1 };

impl Payloads {
    fn push(&mut self, text: String) -> Result<(), ReadError> {
        match text.as_str() {
            "newer" => return Err(NEWER.into()),
            "malformed" => {
                let error = MalformedForm { form: "text", reason: "no content".to_owned() };
                return Err(ReadError::Malformed(error));
            }
            _ => {}
        }
        self.all.push(text);
        Ok(())
    }
}

fn text(recorded: &StoredEntry) -> String {
    String::from_utf8(recorded.entry.payload.to_vec()).unwrap()
}

struct TestEnv {
    memory: Memory,
    tasks: Tasks,
    counts: Arc<Mutex<CallCounts>>,
    follower: Follower<String>,
}

impl TestEnv {
    fn new(memory: Memory) -> TestEnv {
        TestEnv::after(memory, Position::START)
    }

    fn after(memory: Memory, position: Position) -> TestEnv {
        TestEnv::start(memory, |follow, payloads, tasks| {
            let (follower, following) = follow.after(position).start(payloads);
            tasks.spawn("follow", following);
            follower
        })
    }

    fn decoding_ahead(memory: Memory) -> TestEnv {
        TestEnv::start(memory, |follow, payloads, tasks| {
            let (follower, following) = follow.start_decoding_ahead(payloads);
            tasks.spawn("follow", following);
            follower
        })
    }

    fn start(
        memory: Memory,
        start: impl FnOnce(Follow, Payloads, &Tasks) -> Follower<String>,
    ) -> TestEnv {
        let tasks = Tasks::new();
        let payloads = Payloads::default();
        let counts = payloads.counts.clone();
        let follow = Follow::new(Arc::new(memory.clone()), LOG, tasks.stop().clone());
        let follower = start(follow, payloads, &tasks);
        TestEnv { memory, tasks, counts, follower }
    }

    async fn wait_for_view(&self, expected: &str) {
        let mut changes = self.follower.changes();
        let matches = changes.wait_for(|now| now.caught_up && now.view == expected);
        let result = tokio::time::timeout(Duration::from_secs(60), matches).await;
        assert!(result.is_ok(), "{expected:?} was expected, not {:?}", self.follower.now());
    }

    fn counts(&self) -> CallCounts {
        self.counts.lock().clone()
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
async fn existing_entries_are_applied_and_then_new_ones() {
    let env = TestEnv::new(log(&["a", "b"]));
    assert!(!env.follower.caught_up());
    env.follower.until_caught_up().await;
    assert_eq!((env.follower.now().as_str(), env.follower.position()), ("a b", Position(2)));
    let position = env.memory.put("c");
    let view = env.follower.until(position, Duration::from_secs(1)).await;
    assert_eq!(view.as_deref(), Ok("a b c"));
    assert_eq!((env.counts().catch_ups, env.counts().resets), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn an_empty_log_is_caught_up_immediately() {
    let env = TestEnv::new(log(&[]));
    env.follower.until_caught_up().await;
    assert_eq!((env.follower.now().as_str(), env.counts().catch_ups), ("", 1));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_published_during_catch_up() {
    let memory = log(&["a", "b", "c"]);
    memory.hold_at(Some(Position(2)));
    let env = TestEnv::new(memory);
    let changes = env.follower.changes();
    settle().await;
    assert_eq!(env.counts().applied, 2);
    assert!(!changes.has_changed().unwrap() && !env.follower.caught_up());
    assert_eq!((env.follower.now().as_str(), env.follower.position()), ("", Position::START));
    env.memory.hold_at(None);
    env.wait_for_view("a b c").await;
}

#[tokio::test(start_paused = true)]
async fn changes_wake_after_each_entry() {
    let env = TestEnv::new(log(&["a"]));
    env.follower.until_caught_up().await;
    let mut changes = env.follower.changes();
    assert!(!changes.has_changed().unwrap());
    for (payload, expected) in [("b", "a b"), ("c", "a b c")] {
        env.memory.put(payload);
        changes.changed().await.unwrap();
        assert_eq!(changes.borrow_and_update().view, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_position_ends_at_the_time_limit() {
    let env = TestEnv::new(log(&["a"]));
    let started = Instant::now();
    let limit = Duration::from_secs(5);
    assert_eq!(env.follower.until(Position(2), limit).await, Err(NotReached));
    assert_eq!(started.elapsed(), limit);
    assert_eq!(env.follower.until(Position(1), limit).await.as_deref(), Ok("a"));
}

#[tokio::test(start_paused = true)]
async fn an_unavailable_ledger_is_retried_with_growing_delays() {
    let memory = log(&["a"]);
    memory.go_away(8);
    let env = TestEnv::new(memory);
    env.wait_for_view("a").await;
    let times = env.memory.request_times();
    let waits: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits.len(), 8);
    // Each delay has a jitter of a fifth.
    assert!(waits[0] >= Duration::from_millis(80) && waits[0] <= Duration::from_millis(121));
    assert!(waits[..6].windows(2).all(|pair| pair[1] > pair[0]), "{waits:?}");
    assert!(waits[7] >= Duration::from_secs(4) && waits[7] <= Duration::from_millis(6_001));
    // After a success the delays begin short again.
    env.memory.put("b");
    env.wait_for_view("a b").await;
    let stopped_at = Instant::now();
    env.memory.go_away(1);
    env.memory.put("c");
    env.wait_for_view("a b c").await;
    let times = env.memory.request_times();
    assert!(times[9] - stopped_at <= Duration::from_millis(121), "{:?}", times[9] - stopped_at);
    assert!(times[10] - times[9] <= Duration::from_millis(241), "{:?}", times[10] - times[9]);
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_following_resumes_where_it_was() {
    let env = TestEnv::new(log(&["a", "b"]));
    env.wait_for_view("a b").await;
    env.memory.go_away(3);
    env.memory.put("c");
    settle().await;
    assert_eq!(env.follower.now(), "a b", "the state stays while the ledger is away");
    env.wait_for_view("a b c").await;
    assert_eq!((env.counts().applied, env.counts().resets), (3, 0));
    env.memory.go_away(0);
    env.memory.put("d");
    env.wait_for_view("a b c d").await;
    assert_eq!((env.counts().applied, env.counts().resets), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn entries_that_aged_out_in_an_outage_reset_the_projection() {
    let env = TestEnv::new(log(&["a", "b"]));
    env.wait_for_view("a b").await;
    env.memory.go_away(1);
    env.memory.put("c");
    env.memory.put("d");
    env.memory.age_out(3);
    env.wait_for_view("d").await;
    assert_eq!(env.counts().resets, 1, "b is gone, and so c may have been missed");
}

#[tokio::test(start_paused = true)]
async fn entries_that_aged_out_before_the_newest_one_applied_are_no_gap() {
    let env = TestEnv::new(log(&["a", "b"]));
    env.wait_for_view("a b").await;
    env.memory.go_away(1);
    env.memory.put("c");
    env.memory.age_out(1);
    env.wait_for_view("a b c").await;
    assert_eq!(env.counts().resets, 0);
}

#[tokio::test(start_paused = true)]
async fn a_log_created_anew_clears_the_projection() {
    let env = TestEnv::new(log(&["a", "b"]));
    env.wait_for_view("a b").await;
    env.memory.remake();
    env.wait_for_view("").await;
    assert_eq!((env.counts().resets, env.follower.position()), (1, Position::START));
    env.memory.put("x");
    env.wait_for_view("x").await;
    assert_eq!(env.follower.position(), Position(1));
}

#[tokio::test(start_paused = true)]
async fn a_log_created_anew_in_an_outage_is_detected_at_any_length() {
    for payloads in [&["x"][..], &["x", "y"], &["x", "y", "z"]] {
        let env = TestEnv::new(log(&["a", "b"]));
        env.wait_for_view("a b").await;
        env.memory.go_away(1);
        env.memory.remake();
        for payload in payloads {
            env.memory.put(payload);
        }
        env.wait_for_view(&payloads.join(" ")).await;
        assert_eq!(env.counts().resets, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn following_can_begin_after_a_position() {
    let env = TestEnv::after(log(&["a", "b", "c"]), Position(2));
    env.wait_for_view("c").await;
    assert_eq!((env.counts().resets, env.follower.position()), (0, Position(3)));
}

#[tokio::test(start_paused = true)]
async fn an_aged_out_start_position_reads_the_whole_log() {
    let memory = log(&["a", "b", "c", "d"]);
    memory.age_out(2);
    let env = TestEnv::after(memory, Position(2));
    env.wait_for_view("c d").await;
    assert_eq!(env.counts().resets, 1);
    let env = TestEnv::after(log(&["a"]), Position(7));
    env.wait_for_view("a").await;
    assert_eq!(env.counts().resets, 1);
}

#[tokio::test(start_paused = true)]
async fn the_stop_ends_following_between_two_entries() {
    let memory = log(&["a", "b"]);
    memory.hold_at(Some(Position(1)));
    let catching_up = TestEnv::new(memory);
    let following = TestEnv::new(log(&["a"]));
    following.wait_for_view("a").await;
    let memory = log(&[]);
    memory.go_away(usize::MAX);
    let retrying = TestEnv::new(memory);
    settle().await;
    for env in [catching_up, following, retrying] {
        let started = Instant::now();
        env.tasks.stop_and_wait().await;
        assert_eq!(started.elapsed(), Duration::ZERO);
        let applied = env.counts().applied;
        env.memory.hold_at(None);
        env.memory.put("z");
        settle().await;
        assert_eq!(env.counts().applied, applied, "nothing is applied after the stop");
        let waited = env.follower.until(Position(9), Duration::MAX).await;
        assert_eq!(waited, Err(NotReached), "nobody waits for what cannot come");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn existing_entries_are_decoded_ahead_in_order_on_other_threads() {
    let memory = Memory::default();
    let entries: Vec<_> = (0..1_500).map(|n| n.to_string()).collect();
    for payload in &entries {
        memory.put(payload);
    }
    let env = TestEnv::decoding_ahead(memory);
    env.wait_for_view(&entries.join(" ")).await;
    let counts = env.counts();
    #[expect(clippy::disallowed_methods, reason = "asks the runtime's one worker for its thread")]
    let worker = tokio::spawn(async { std::thread::current().id() }).await.unwrap();
    let async_threads = [std::thread::current().id(), worker];
    assert_eq!((counts.decoded_on.len(), counts.applied, counts.catch_ups), (1_500, 0, 1));
    assert!(counts.decoded_on.iter().all(|thread| !async_threads.contains(thread)));
    env.memory.put("now");
    env.wait_for_view(&format!("{} now", entries.join(" "))).await;
    assert_eq!(env.counts().applied, 1, "what is new is not decoded ahead");
}

#[tokio::test(start_paused = true)]
async fn decoding_ahead_survives_an_outage_and_a_log_created_anew() {
    let memory = log(&["a", "b", "c"]);
    memory.hold_at(Some(Position(2)));
    let env = TestEnv::decoding_ahead(memory);
    settle().await;
    env.memory.hold_at(None);
    env.memory.go_away(1);
    env.wait_for_view("a b c").await;
    assert_eq!((env.counts().resets, env.counts().decoded_on.len()), (0, 3), "each once");
    env.memory.go_away(1);
    env.memory.put("d");
    env.memory.put("e");
    env.wait_for_view("a b c d e").await;
    assert_eq!(env.counts().resets, 0);

    let memory = log(&["a", "b"]);
    memory.hold_at(Some(Position(1)));
    let remade = TestEnv::decoding_ahead(memory);
    settle().await;
    remade.memory.remake();
    remade.memory.hold_at(None);
    remade.wait_for_view("").await;
    remade.memory.put("x");
    remade.wait_for_view("x").await;
}

#[tokio::test(start_paused = true)]
async fn an_entry_of_a_newer_program_leaves_the_state_and_puts_it_behind_the_log() {
    let env = TestEnv::new(log(&["a"]));
    env.wait_for_view("a").await;
    assert_eq!(env.follower.newer(), None);
    let mut changes = env.follower.changes();
    env.memory.put("newer");
    changes.changed().await.unwrap();
    assert_eq!((env.follower.newer(), env.follower.position()), (Some(NEWER), Position(2)));
    env.memory.put("b");
    env.wait_for_view("a b").await;
    assert_eq!(env.follower.newer(), Some(NEWER), "until the log is another one");
    for start in [TestEnv::new, TestEnv::decoding_ahead] {
        let env = start(env.memory.clone());
        env.wait_for_view("a b").await;
        assert_eq!(env.follower.newer(), Some(NEWER), "also at the start");
        env.memory.remake();
        env.wait_for_view("").await;
        assert_eq!(env.follower.newer(), None);
        for payload in ["a", "newer", "b"] {
            env.memory.put(payload);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_malformed_entry_is_passed_over_and_known_as_applied() {
    let memory = log(&["a", "malformed", "b"]);
    for start in [TestEnv::new, TestEnv::decoding_ahead] {
        let env = start(memory.clone());
        env.wait_for_view("a b").await;
        assert_eq!((env.follower.newer(), env.follower.position()), (None, Position(3)));
        assert_eq!(env.counts().resets, 0);
    }
    let env = TestEnv::new(memory);
    env.wait_for_view("a b").await;
    env.memory.put("malformed");
    env.memory.put("c");
    env.wait_for_view("a b c").await;
    assert_eq!(env.follower.newer(), None);
}
