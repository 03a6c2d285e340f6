//! Working: verdicts, several at once, outages, and the stop.

use crate::memory::{LOG, Memory, QUEUE};
use paihao_chassis::Tasks;
use paihao_chassis::trace;
use paihao_contracts::streams::Consumer;
use paihao_ledger::worker::Source;
use paihao_ledger::{Delivery, Disposition, Entry, Handler, Worker};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const CONSUMER: Consumer = Consumer { name: "memory", ack_wait: Duration::from_secs(30) };

/// How long a message is worked on.
const WORK: Duration = Duration::from_secs(10);

/// Does what the message says, after a while.
#[derive(Clone, Default)]
struct Obedient(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    begun: usize,
    at_once: usize,
    most_at_once: usize,
    traces: Vec<String>,
}

impl Handler for Obedient {
    async fn handle(&self, delivery: &Delivery) -> Disposition {
        {
            let mut counts = self.0.lock();
            counts.begun += 1;
            counts.at_once += 1;
            counts.most_at_once = counts.most_at_once.max(counts.at_once);
            counts.traces.extend(trace::current().map(|trace| trace.trace_id()));
        }
        sleep(WORK).await;
        self.0.lock().at_once -= 1;
        match &delivery.message.entry.payload[..] {
            b"again" => Disposition::RetryAfter(WORK),
            b"never" => Disposition::DeadLetter("because".to_owned()),
            _ => Disposition::Ack,
        }
    }
}

struct World {
    memory: Memory,
    tasks: Tasks,
    handler: Obedient,
}

impl World {
    fn new(memory: Memory, concurrency: usize) -> World {
        World::at(memory, Source::Queue(QUEUE), concurrency)
    }

    fn at(memory: Memory, source: Source, concurrency: usize) -> World {
        let (tasks, handler) = (Tasks::new(), Obedient::default());
        let ledger = Arc::new(memory.clone());
        Worker::new(ledger, source, concurrency, handler.clone()).start("worker", &tasks);
        World { memory, tasks, handler }
    }

    fn begun(&self) -> usize {
        self.handler.0.lock().begun
    }

    async fn settled(&self, count: usize) {
        while self.memory.settled().len() < count {
            sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_store_is_told_what_the_handler_says() {
    for source in [Source::Queue(QUEUE), Source::Consumer(LOG, CONSUMER)] {
        let world = World::at(Memory::default(), source, 1);
        world.memory.queue(["done", "again", "never"]);
        world.settled(3).await;
        let said = [
            ("done".to_owned(), Disposition::Ack),
            ("again".to_owned(), Disposition::RetryAfter(WORK)),
            ("never".to_owned(), Disposition::DeadLetter("because".to_owned())),
        ];
        assert_eq!(world.memory.settled(), said);
    }
}

#[tokio::test(start_paused = true)]
async fn so_many_are_handled_at_once_and_no_more() {
    let world = World::new(Memory::default(), 3);
    let begun = Instant::now();
    world.memory.queue(["1", "2", "3", "4", "5", "6", "7"]);
    world.settled(7).await;
    assert_eq!(world.handler.0.lock().most_at_once, 3);
    assert!(begun.elapsed() >= WORK * 3 && begun.elapsed() < WORK * 4, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_away_is_joined_less_and_less_often() {
    let memory = Memory::default();
    memory.go_away(8);
    memory.queue(["a"]);
    let world = World::new(memory, 1);
    world.settled(1).await;
    let asked = world.memory.asked();
    let waits: Vec<_> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits.len(), 8);
    // Each is spread by a fifth.
    assert!(waits[0] >= Duration::from_millis(80) && waits[0] <= Duration::from_millis(121));
    assert!(waits[..6].windows(2).all(|pair| pair[1] > pair[0]), "{waits:?}");
    assert!(waits[7] >= Duration::from_secs(4) && waits[7] <= Duration::from_millis(6_001));
}

#[tokio::test(start_paused = true)]
async fn deliveries_that_end_at_once_are_not_asked_for_without_pause() {
    let memory = Memory::default();
    memory.end_at_once();
    let world = World::new(memory, 1);
    sleep(Duration::from_secs(60)).await;
    let asked = world.memory.asked().len();
    assert!((10..30).contains(&asked), "{asked} in a minute");
}

#[tokio::test(start_paused = true)]
async fn at_the_stop_what_is_under_way_is_finished_and_the_rest_given_back() {
    let world = World::new(Memory::default(), 4);
    world.memory.queue(["1", "2"]);
    sleep(WORK / 2).await;
    // Of these, two are begun and the others are fetched ahead.
    world.memory.queue(["3", "4", "5", "6", "7"]);
    sleep(WORK / 4).await;
    assert_eq!((world.begun(), world.memory.waiting() < 3), (4, true), "some are fetched ahead");
    world.tasks.stop().cancel();
    sleep(Duration::from_millis(1)).await;
    assert_eq!(world.memory.waiting(), 3, "given back before the others are finished");
    assert!(world.memory.settled().is_empty());
    world.tasks.wait().await;
    assert_eq!((world.memory.settled().len(), world.begun()), (4, 4));
    assert_eq!((world.memory.waiting(), world.tasks.failure()), (3, None));
}

#[tokio::test(start_paused = true)]
async fn the_stop_does_not_wait_for_a_source_that_is_away() {
    let memory = Memory::default();
    memory.go_away(usize::MAX);
    let world = World::new(memory, 1);
    sleep(Duration::from_secs(60)).await;
    let begun = Instant::now();
    world.tasks.stop_and_wait().await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_lost_acknowledgement_stops_nothing() {
    let world = World::new(Memory::default(), 1);
    world.memory.lose_acknowledgements();
    world.memory.queue(["a", "b"]);
    sleep(WORK * 3).await;
    assert_eq!((world.begun(), world.tasks.running_count()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_message_is_handled_within_its_trace() {
    let world = World::new(Memory::default(), 1);
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    world.memory.queue_with(Entry::new("a").with_header(trace::TRACEPARENT_HEADER, trace));
    world.settled(1).await;
    assert_eq!(world.handler.0.lock().traces, ["4bf92f3577b34da6a3ce929d0e0e4736"]);
}
