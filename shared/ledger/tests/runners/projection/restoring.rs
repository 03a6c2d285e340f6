//! Tests of projections that begin with a restored state.

use super::{TestEnv, log};
use crate::memory::Memory;
use async_trait::async_trait;
use paihao_ledger::projection::Restore;
use paihao_ledger::{Position, Unavailable};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Source of a restored state at a position, with a count of its calls.
struct Restored {
    position: Position,
    times: Arc<Mutex<usize>>,
}

#[async_trait]
impl Restore for Restored {
    async fn restore(&mut self) -> Result<Position, Unavailable> {
        let mut times = self.times.lock();
        *times += 1;
        if *times == 1 { Err(Unavailable("away".to_owned())) } else { Ok(self.position) }
    }
}

fn restoring(memory: Memory, position: Position) -> (TestEnv, Arc<Mutex<usize>>) {
    let times = Arc::new(Mutex::new(0));
    let restored = Restored { position, times: times.clone() };
    let env = TestEnv::start(memory, |follow, payloads, tasks| {
        let (follower, following) = follow.restoring(restored).start_decoding_ahead(payloads);
        tasks.spawn("follow", following);
        follower
    });
    (env, times)
}

#[tokio::test(start_paused = true)]
async fn a_restored_state_is_retried_and_followed_from_its_position() {
    let (env, times) = restoring(log(&["a", "b", "c"]), Position(2));
    env.wait_for_view("c").await;
    env.memory.go_away(1);
    env.memory.put("d");
    env.wait_for_view("c d").await;
    assert_eq!((*times.lock(), env.counts().resets), (2, 0), "an outage restores nothing");
}

#[tokio::test(start_paused = true)]
async fn a_restored_state_needs_no_entry_of_its_log() {
    let memory = log(&["a", "b", "c"]);
    memory.age_out(3);
    let (env, _) = restoring(memory, Position(2));
    env.follower.until_caught_up().await;
    env.memory.put("d");
    env.wait_for_view("d").await;
    assert_eq!(env.counts().resets, 0);
}

#[tokio::test(start_paused = true)]
async fn entries_that_aged_out_in_an_outage_restore_the_state_again() {
    let (env, times) = restoring(log(&["a", "b"]), Position(1));
    env.wait_for_view("b").await;
    env.memory.go_away(1);
    env.memory.put("c");
    env.memory.put("d");
    env.memory.age_out(3);
    env.wait_for_view("b d").await;
    assert_eq!((*times.lock(), env.counts().resets), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_log_shorter_than_its_snapshots_is_another_one_after_a_while() {
    let started = Instant::now();
    let (env, times) = restoring(log(&["x", "y"]), Position(7));
    env.wait_for_view("x y").await;
    assert!(started.elapsed() >= Duration::from_secs(15));
    assert_eq!(env.counts().resets, 1);
    // From now on nothing is restored: it belongs to the former log.
    let before = *times.lock();
    env.memory.go_away(1);
    env.memory.put("z");
    env.wait_for_view("x y z").await;
    assert_eq!(*times.lock(), before);
}
