//! Tests of workers: dispositions, concurrency, outages, and the stop.

use crate::memory::{ATTEMPT_HEADER, LOG, Memory, QUEUE};
use paihao_chassis::Tasks;
use paihao_chassis::trace;
use paihao_contracts::envelope::{MalformedForm, NewerForm, ReadError};
use paihao_contracts::streams::Consumer;
use paihao_ledger::worker::Source;
use paihao_ledger::{Delivery, Disposition, Entry, Handler, Message, StoredEntry, Worker};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const CONSUMER: Consumer = Consumer::prompt("memory", Duration::from_secs(30));

/// Duration of handling one message.
const HANDLING_TIME: Duration = Duration::from_secs(10);

/// Handler that returns the disposition named in the message, after a delay.
#[derive(Clone, Default)]
struct ScriptedHandler(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    started: usize,
    at_once: usize,
    max_at_once: usize,
    traces: Vec<String>,
}

/// Text of a message, unless it says that it is newer or malformed.
struct Script(String);

const NEWER: NewerForm = NewerForm { form: "script", version: 2, known: 1 };

impl Message for Script {
    fn read(stored: &StoredEntry) -> Result<Script, ReadError> {
        match &stored.entry.payload[..] {
            b"newer" => Err(ReadError::Newer(NEWER)),
            b"malformed" => {
                let reason = "it is".to_owned();
                Err(ReadError::Malformed(MalformedForm { form: "script", reason }))
            }
            text => Ok(Script(String::from_utf8(text.to_vec()).unwrap())),
        }
    }
}

impl Handler for ScriptedHandler {
    type Message = Script;

    async fn handle(&self, Script(text): Script, _: &Delivery) -> Result<Disposition, NewerForm> {
        {
            let mut counts = self.0.lock();
            counts.started += 1;
            counts.at_once += 1;
            counts.max_at_once = counts.max_at_once.max(counts.at_once);
            counts.traces.extend(trace::current().map(|trace| trace.trace_id()));
        }
        sleep(HANDLING_TIME).await;
        self.0.lock().at_once -= 1;
        match &*text {
            "again" => Ok(Disposition::RetryAfter(HANDLING_TIME)),
            "never" => Ok(Disposition::DeadLetter("because".to_owned())),
            "needs newer" => Err(NEWER),
            _ => Ok(Disposition::Ack),
        }
    }
}

struct TestEnv {
    memory: Memory,
    tasks: Tasks,
    handler: ScriptedHandler,
}

impl TestEnv {
    fn new(memory: Memory, concurrency: usize) -> TestEnv {
        TestEnv::at(memory, Source::Queue(QUEUE), concurrency)
    }

    fn at(memory: Memory, source: Source, concurrency: usize) -> TestEnv {
        let tasks = Tasks::new();
        let handler = ScriptedHandler::default();
        let ledger = Arc::new(memory.clone());
        Worker::new(ledger, source, concurrency, handler.clone()).start("worker", &tasks);
        TestEnv { memory, tasks, handler }
    }

    fn started(&self) -> usize {
        self.handler.0.lock().started
    }

    async fn settled(&self, count: usize) {
        while self.memory.settled().len() < count {
            sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_store_receives_the_disposition_of_the_handler() {
    for source in [Source::Queue(QUEUE), Source::Consumer(LOG, CONSUMER)] {
        let env = TestEnv::at(Memory::default(), source, 1);
        env.memory.queue(["done", "again", "never"]);
        env.settled(3).await;
        let expected = [
            ("done".to_owned(), Disposition::Ack),
            ("again".to_owned(), Disposition::RetryAfter(HANDLING_TIME)),
            ("never".to_owned(), Disposition::DeadLetter("because".to_owned())),
        ];
        assert_eq!(env.memory.settled(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn at_most_the_concurrency_limit_is_handled_at_once() {
    let env = TestEnv::new(Memory::default(), 3);
    let started = Instant::now();
    env.memory.queue(["1", "2", "3", "4", "5", "6", "7"]);
    env.settled(7).await;
    assert_eq!(env.handler.0.lock().max_at_once, 3);
    assert!(
        started.elapsed() >= HANDLING_TIME * 3 && started.elapsed() < HANDLING_TIME * 4,
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn an_unavailable_source_is_retried_with_growing_delays() {
    let memory = Memory::default();
    memory.go_away(8);
    memory.queue(["a"]);
    let env = TestEnv::new(memory, 1);
    env.settled(1).await;
    let times = env.memory.request_times();
    let waits: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits.len(), 8);
    // Each delay has a jitter of a fifth.
    assert!(waits[0] >= Duration::from_millis(80) && waits[0] <= Duration::from_millis(121));
    assert!(waits[..6].windows(2).all(|pair| pair[1] > pair[0]), "{waits:?}");
    assert!(waits[7] >= Duration::from_secs(4) && waits[7] <= Duration::from_millis(6_001));
}

#[tokio::test(start_paused = true)]
async fn deliveries_that_end_immediately_are_requested_with_a_delay() {
    let memory = Memory::default();
    memory.end_at_once();
    let env = TestEnv::new(memory, 1);
    sleep(Duration::from_secs(60)).await;
    let times = env.memory.request_times().len();
    assert!((10..30).contains(&times), "{times} in a minute");
}

#[tokio::test(start_paused = true)]
async fn the_stop_finishes_messages_in_progress_and_gives_back_the_rest() {
    let env = TestEnv::new(Memory::default(), 4);
    env.memory.queue(["1", "2"]);
    sleep(HANDLING_TIME / 2).await;
    // Two of these are started and the others are prefetched.
    env.memory.queue(["3", "4", "5", "6", "7"]);
    sleep(HANDLING_TIME / 4).await;
    assert_eq!((env.started(), env.memory.waiting() < 3), (4, true), "some are fetched ahead");
    env.tasks.stop().cancel();
    sleep(Duration::from_millis(1)).await;
    assert_eq!(env.memory.waiting(), 3, "given back before the others are finished");
    assert!(env.memory.settled().is_empty());
    env.tasks.wait().await;
    assert_eq!((env.memory.settled().len(), env.started()), (4, 4));
    assert_eq!((env.memory.waiting(), env.tasks.failure()), (3, None));
}

#[tokio::test(start_paused = true)]
async fn the_stop_does_not_wait_for_an_unavailable_source() {
    let memory = Memory::default();
    memory.go_away(usize::MAX);
    let env = TestEnv::new(memory, 1);
    sleep(Duration::from_secs(60)).await;
    let started = Instant::now();
    env.tasks.stop_and_wait().await;
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_lost_acknowledgement_stops_nothing() {
    let env = TestEnv::new(Memory::default(), 1);
    env.memory.lose_acknowledgements();
    env.memory.queue(["a", "b"]);
    sleep(HANDLING_TIME * 3).await;
    assert_eq!((env.started(), env.tasks.running_count()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_message_is_handled_within_its_trace() {
    let env = TestEnv::new(Memory::default(), 1);
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    env.memory.queue_with(Entry::new("a").with_header(trace::TRACEPARENT_HEADER, trace));
    env.settled(1).await;
    assert_eq!(env.handler.0.lock().traces, ["4bf92f3577b34da6a3ce929d0e0e4736"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_newer_is_given_back_with_growing_delays_and_what_is_malformed_is_given_up() {
    let env = TestEnv::new(Memory::default(), 1);
    env.memory.queue(["malformed", "needs newer"]);
    for attempt in [1_u64, 2, 3, 4, 5, 6, 60] {
        let newer = Entry::new("newer").with_header(ATTEMPT_HEADER, attempt.to_string());
        env.memory.queue_with(newer);
    }
    env.settled(9).await;
    let mut settled = env.memory.settled().into_iter().map(|(_, disposition)| disposition);
    let reason = "not a script of a known form: it is".to_owned();
    assert_eq!(settled.next(), Some(Disposition::DeadLetter(reason)));
    // Each delay has a jitter of a fifth.
    for seconds in [1.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0] {
        let Some(Disposition::RetryAfter(delay)) = settled.next() else { panic!("not given back") };
        let share = delay.as_secs_f64() / seconds;
        assert!((0.8..=1.2).contains(&share), "{delay:?} for {seconds} s");
    }
    assert_eq!(env.started(), 1, "what is newer does not reach the handler");
}
