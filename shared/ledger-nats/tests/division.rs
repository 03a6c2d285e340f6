//! Tests of the division of a ledger while it is used: everything stays, whoever appends meanwhile,
//! and whenever it is broken off.

use bytes::Bytes;
use futures::StreamExt;
use futures::future::join_all;
use harness::{NatsServer, Proxy, nats_server_oldest, wait_until};
use paihao_chassis::{CancellationToken, Tasks};
use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::{
    Consumer, LEDGER, Log, PLANNER, SNAPSHOT_FLOOR, SNAPSHOTS, VISIT_WRITER, WEBHOOK_PLANNER,
};
use paihao_ledger::{
    AppendError, Delivery, Entry, ExpectedPosition, Ledger, LogItem, Position, StoredEntry, Subject,
};
use paihao_ledger_nats::{
    ConnectError, Division, DivisionError, DivisionProgress, NatsBackup, NatsLedger, NatsOptions,
    inspect,
};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

static OLDEST: LazyLock<NatsServer> =
    LazyLock::new(|| NatsServer::start_with(&nats_server_oldest()));

const SITES: usize = 9;

fn options(server: &NatsServer, namespace: &str) -> NatsOptions {
    let namespace = namespace.to_owned();
    NatsOptions { url: server.url(), namespace, ..NatsOptions::default() }
}

fn several(count: usize) -> Partitions {
    Partitions::new(count).unwrap()
}

fn site(index: usize) -> Subject {
    Subject::new(&["shop", &format!("site-{}", index % SITES)]).unwrap()
}

async fn append(ledger: &dyn Ledger, log: &Log, to: &Subject, payload: String) -> Position {
    ledger.append(log, to, ExpectedPosition::Any, Entry::new(payload)).await.unwrap()
}

/// Fills a ledger in one partition: more entries than are left for the pause, snapshots with their
/// floor, and consumers that are behind by a part, or by everything, or that nobody has joined.
async fn fill(ledger: &NatsLedger) {
    for index in 0..700_usize {
        // By no turn: neighbours of a site are of one partition or of others.
        append(ledger, &LEDGER, &site(index * index / 3), format!("entry {index}")).await;
    }
    for round in 0..2 {
        for index in 0..SITES {
            append(ledger, &SNAPSHOTS, &site(index), format!("snapshot {round}")).await;
        }
    }
    let floor = Subject::new(&[SNAPSHOT_FLOOR]).unwrap();
    append(ledger, &SNAPSHOTS, &floor, "floor".to_owned()).await;
    let planned = deliveries(ledger, &LEDGER, &PLANNER, 700).await;
    let (done, open): (Vec<_>, Vec<_>) =
        planned.into_iter().partition(|delivery| delivery.message.position.0 <= 600);
    join_all(done.into_iter().map(Delivery::ack)).await.into_iter().for_each(Result::unwrap);
    drop((open, deliveries(ledger, &LEDGER, &VISIT_WRITER, 1).await));
    ledger.close().await;
}

/// Takes so many deliveries of a shared consumer.
async fn deliveries(
    ledger: &NatsLedger,
    log: &Log,
    consumer: &Consumer,
    count: usize,
) -> Vec<Delivery> {
    let mut arriving = ledger.consume(log, consumer, 1_000).await.unwrap();
    let mut taken = Vec::new();
    while taken.len() < count {
        taken.push(arriving.next().await.unwrap());
    }
    taken
}

async fn entries(ledger: &dyn Ledger, log: &Log) -> Vec<StoredEntry> {
    let head = ledger.head(log).await.unwrap();
    let mut entries = Vec::new();
    let mut follower = ledger.follow(log, Position::START).await.unwrap();
    while entries.last().map_or(Position::START, |last: &StoredEntry| last.position) < head {
        match follower.next().await {
            Some(LogItem::Entry(stored)) => entries.push(stored),
            other => panic!("{other:?}"),
        }
    }
    entries
}

/// Entries of each site with their positions and times.
type Content = BTreeMap<String, Vec<(Position, i64, Bytes)>>;

/// The entries of all partitions.
async fn content(ledger: &NatsLedger) -> Content {
    let mut content = Content::new();
    for partition in ledger.partitions().all() {
        for StoredEntry { position, subject, at_ms, entry } in
            entries(ledger, &partition.ledger).await
        {
            assert_eq!(ledger.partition_of(&subject), partition, "{subject}");
            let of_site = content.entry(subject.to_string()).or_default();
            of_site.push((position, at_ms, entry.payload));
        }
    }
    content
}

async fn divide(options: &NatsOptions, into: usize) -> Result<(), DivisionError> {
    let division = Division::connect(options.clone(), several(into)).await?;
    division.run(&mut |_| {}).await
}

#[tokio::test]
async fn everything_stays_where_it_was() {
    let cases = [1, 2, 4, 16].into_iter().flat_map(|into| {
        [(NatsServer::shared(), "newest"), (&*OLDEST, "oldest")].map(|server| (server, into))
    });
    let cases = cases.filter(|(_, into)| *into > 1);
    join_all(cases.map(|((server, name), into)| async move {
        let options = options(server, &format!("stays-{name}-{into}"));
        let ledger = NatsLedger::connect(options.clone()).await.unwrap();
        fill(&ledger).await;
        let before = content(&ledger).await;
        let head = ledger.head(&LEDGER).await.unwrap();
        drop(ledger);
        divide(&options, into).await.unwrap();

        // The configuration has the former number, or has followed.
        let after = NatsLedger::connect(options.clone()).await.unwrap();
        assert_eq!(after.partitions(), several(into));
        let followed = NatsOptions { partitions: several(into), ..options.clone() };
        assert_eq!(NatsLedger::connect(followed).await.unwrap().partitions(), several(into));
        assert_eq!(content(&after).await, before, "{into}");
        after.check().await.unwrap();

        let mut open = Vec::new();
        for partition in after.partitions().all() {
            let snapshots = entries(&after, &partition.snapshots).await;
            let (floors, snapshots): (Vec<_>, Vec<_>) =
                snapshots.iter().partition(|stored| stored.subject.as_str() == SNAPSHOT_FLOOR);
            assert_eq!(floors.len(), 1, "positions are the same in each");
            let of_partition =
                (0..SITES).filter(|index| after.partition_of(&site(*index)) == partition);
            assert_eq!(snapshots.len(), of_partition.count());
            assert!(snapshots.iter().all(|stored| *stored.entry.payload == *b"snapshot 1"));
            for (consumer, done) in [(PLANNER, 600), (VISIT_WRITER, 0), (WEBHOOK_PLANNER, 0)] {
                let expected = entries(&after, &partition.ledger).await;
                let mut expected: Vec<_> =
                    expected.into_iter().map(|stored| stored.position).collect();
                expected.retain(|position| position.0 > done);
                let delivered =
                    deliveries(&after, &partition.ledger, &consumer, expected.len()).await;
                let mut found: Vec<_> =
                    delivered.iter().map(|delivery| delivery.message.position).collect();
                found.sort_unstable();
                assert_eq!(found, expected, "{}", consumer.name);
                open.extend((consumer == PLANNER).then_some(found));
            }
            let to = Subject::new(&["shop", "newcomer"]).unwrap();
            assert!(append(&after, &partition.ledger, &to, "more".to_owned()).await > head);
        }
        assert_eq!(open.concat().len(), 100, "what was done is not done again");
    }))
    .await;
}

#[tokio::test]
async fn a_ledger_is_divided_once_and_by_one_command() {
    let options = options(NatsServer::shared(), "once");
    let missing = divide(&options, 4).await.unwrap_err();
    assert!(matches!(missing, DivisionError::Connect(ConnectError::Invalid(_))), "{missing}");
    let ledger = NatsLedger::connect(options.clone()).await.unwrap();
    fill(&ledger).await;
    drop(ledger);
    let (one, other) = tokio::join!(divide(&options, 4), divide(&options, 4));
    let under_way = [&one, &other]
        .into_iter()
        .filter(|done| matches!(done, Err(DivisionError::UnderWay | DivisionError::TakenOver)));
    assert!(under_way.count() < 2, "{one:?}, {other:?}");
    divide(&options, 4).await.unwrap();
    for into in [2, 8] {
        let refused = divide(&options, into).await.unwrap_err();
        assert!(matches!(refused, DivisionError::Divided(4)), "{refused}");
        let configured = NatsOptions { partitions: several(into), ..options.clone() };
        let refusal = ConnectError::Partitions { found: 4, expected: into };
        let refused = NatsLedger::connect(configured.clone()).await.err();
        assert_eq!(refused.as_ref(), Some(&refusal));
        assert_eq!(inspect(&configured).await.err(), Some(refusal.clone()));
        assert_eq!(NatsBackup::connect(configured).await.err(), Some(refusal));
    }
    let inspected = inspect(&options).await.unwrap();
    assert_eq!((inspected.partitions, inspected.missing), (several(4), Vec::new()));
    NatsBackup::connect(options.clone()).await.unwrap();

    let begun =
        NatsOptions { partitions: several(4), ..self::options(NatsServer::shared(), "begun") };
    drop(NatsLedger::connect(begun.clone()).await.unwrap());
    let refused = divide(&begun, 8).await.unwrap_err();
    assert!(matches!(refused, DivisionError::Divided(4)), "{refused}");
}

/// Appends to one site as a process does: under the expectation of its own last entry, and again
/// after a failure, until its turn is over. It leaves when it is sent away, and comes back.
async fn run_process(options: NatsOptions, index: usize, stop: CancellationToken) -> usize {
    let to = site(index);
    let mut appended = 0;
    let mut last = ExpectedPosition::Empty;
    loop {
        let ledger = NatsLedger::connect(options.clone()).await.unwrap();
        let mut sent_away = std::pin::pin!(ledger.until_sent_away());
        loop {
            let log = ledger.partition_of(&to).ledger;
            let entry = Entry::new(format!("{appended}"));
            tokio::select! {
                biased;
                () = &mut sent_away => break,
                () = stop.cancelled() => return appended,
                // Slower than a copy in a build of the tests.
                () = tokio::time::sleep(Duration::from_millis(5)) => {}
            }
            match ledger.append(&log, &to, last, entry).await {
                Ok(position) => {
                    last = ExpectedPosition::At(position);
                    appended += 1;
                }
                Err(AppendError::Unavailable(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_append_meanwhile_and_nothing_is_lost_or_doubled() {
    for (server, name) in [(NatsServer::shared(), "newest"), (&*OLDEST, "oldest")] {
        let options = options(server, &format!("used-{name}"));
        drop(NatsLedger::connect(options.clone()).await.unwrap());
        let stop = CancellationToken::new();
        let processes = (0..SITES).map(|index| run_process(options.clone(), index, stop.clone()));
        let dividing = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let division = Division::connect(options.clone(), several(4)).await.unwrap();
            let mut steps = Vec::new();
            division.run(&mut |progress| steps.push(progress)).await.unwrap();
            assert!(matches!(steps[0], DivisionProgress::Copied { .. }), "{steps:?}");
            assert!(matches!(*steps, [.., DivisionProgress::Done { .. }]), "{steps:?}");
            tokio::time::sleep(Duration::from_secs(1)).await;
            stop.cancel();
        };
        let (counts, ()) = tokio::join!(join_all(processes), dividing);
        let ledger = NatsLedger::connect(options).await.unwrap();
        assert_eq!(ledger.partitions(), several(4));
        let content = content(&ledger).await;
        for (index, count) in counts.into_iter().enumerate() {
            let found = &content[site(index).as_str()];
            let found: Vec<_> = found.iter().map(|(_, _, payload)| payload.clone()).collect();
            let expected: Vec<_> = (0..count).map(|n| Bytes::from(format!("{n}"))).collect();
            assert_eq!(found, expected, "{name}, {index}");
        }
    }
}

/// Names of the steps at which a division can be broken off.
const STEPS: [&str; 6] = ["Copied", "Pausing", "Alone", "Detached", "Complete", "Done"];

#[tokio::test]
async fn a_division_that_is_broken_off_at_any_step_is_undone_or_done_by_the_next_start() {
    let lease = Duration::from_secs(15);
    let cases = STEPS.into_iter().flat_map(|step| [true, false].map(|abandons| (step, abandons)));
    join_all(cases.map(|(step, abandons)| async move {
        let namespace = format!("broken-{}-{abandons}", step.to_lowercase());
        let options = options(NatsServer::shared(), &namespace);
        let ledger = NatsLedger::connect(options.clone()).await.unwrap();
        fill(&ledger).await;
        let before = content(&ledger).await;
        drop(ledger);

        let reached = Notify::new();
        let division = Division::connect(options.clone(), several(4)).await.unwrap();
        let mut report = |progress: DivisionProgress| {
            if format!("{progress:?}").starts_with(step) {
                reached.notify_one();
            }
        };
        tokio::select! {
            biased;
            () = reached.notified() => {}
            done = division.run(&mut report) => panic!("{step}: {done:?}"),
        }
        // By an interrupt, or by a kill.
        let was_done = if abandons { Some(division.abandon().await.unwrap()) } else { None };
        drop(division);

        let begun = Instant::now();
        let ledger = NatsLedger::connect(options.clone()).await.unwrap();
        let waited = begun.elapsed();
        let pauses = !abandons && !["Copied", "Done"].contains(&step);
        let bound = if pauses { lease + Duration::from_secs(10) } else { lease / 2 };
        assert!(waited < bound, "{step}: {waited:?}");
        let is_done = ledger.partitions() == several(4);
        assert!(is_done || ledger.partitions() == Partitions::ONE, "{step}");
        assert_eq!(was_done.unwrap_or(is_done), is_done, "{step}");
        // The record of the end was on its way when all was complete.
        assert!(step == "Complete" || is_done == (step == "Done"), "{step}");
        assert_eq!(content(&ledger).await, before, "{step}");
        let to = site(0);
        let log = ledger.partition_of(&to).ledger;
        append(&ledger, &log, &to, "goes on".to_owned()).await;
        ledger.check().await.unwrap();
        drop(ledger);

        divide(&options, 4).await.unwrap();
        let ledger = NatsLedger::connect(options.clone()).await.unwrap();
        assert_eq!(ledger.partitions().count(), 4);
        let mut after = content(&ledger).await;
        let newest = after.get_mut(to.as_str()).and_then(Vec::pop);
        assert_eq!(newest.map(|(_, _, payload)| payload), Some("goes on".into()));
        assert_eq!(after, before, "{step}");
        assert_eq!(inspect(&options).await.unwrap().missing, Vec::<String>::new());
    }))
    .await;
}

#[tokio::test]
async fn a_process_that_does_not_leave_keeps_the_ledger_as_it_is() {
    let options = options(NatsServer::shared(), "frozen");
    let frozen = NatsLedger::connect(options.clone()).await.unwrap();
    fill(&frozen).await;
    let (_, divided) = tokio::join!(frozen.until_sent_away(), divide(&options, 4));
    let refused = divided.unwrap_err();
    assert!(matches!(refused, DivisionError::InUse), "{refused}");
    append(&frozen, &LEDGER, &site(0), "goes on".to_owned()).await;
    let streams = inspect(&options).await.unwrap();
    assert_eq!((streams.partitions, streams.missing), (Partitions::ONE, Vec::new()));
    drop(frozen);
    wait_until("nobody uses it", Duration::from_secs(20), async || {
        divide(&options, 4).await.is_ok()
    })
    .await;
}

/// Such a process is not seen, and could take one number twice.
#[tokio::test]
async fn a_process_that_was_cut_off_appends_nothing_when_it_comes_back() {
    let server = NatsServer::shared();
    let options = options(server, "cut-off");
    let path = Proxy::start(server.port());
    let url = format!("nats://127.0.0.1:{}", path.port());
    let through = NatsOptions { url, timeout: Duration::from_secs(2), ..options.clone() };
    let ledger = Arc::new(NatsLedger::connect(through).await.unwrap());
    fill(&ledger).await;
    let away = ledger.clone();
    let tasks = Tasks::new();
    tasks.spawn("process", async move { away.until_sent_away().await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    path.cut();
    wait_until("the server notices", Duration::from_secs(10), async || {
        path.open_connections() == 0
    })
    .await;
    divide(&options, 4).await.unwrap();
    path.restore();
    let appended =
        ledger.append(&LEDGER, &site(0), ExpectedPosition::Any, Entry::new("a number twice")).await;
    assert!(matches!(appended, Err(AppendError::Unavailable(_))), "{appended:?}");
    timeout(Duration::from_secs(20), tasks.wait()).await.unwrap();
    let lost = timeout(Duration::from_secs(1), ledger.until_lost()).await;
    assert!(lost.is_err(), "it was divided, and not lost: {lost:?}");
}
