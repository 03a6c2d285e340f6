//! Load test: 1000 people at 20 sites, with every callback delivered to two gateways at once, on
//! one NATS server and on three, and while its ledger is divided.

use crate::support::cluster::{Cluster, ClusterSetup, STAFF_KEY, commits, log_entries, site_id};
use crate::support::http::staff_request;
use futures::StreamExt;
use futures::future::join_all;
use futures::stream;
use harness::wait_until;
use paihao_contracts::commit::Event;
use paihao_contracts::notice::{DeliveryOutcome, NoticeOutcome};
use paihao_contracts::outcome::OutcomeRecord;
use paihao_contracts::streams::OUTCOMES;
use reqwest::StatusCode;
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output};
use std::time::Duration;
use tokio::task::JoinHandle;
use wechat_sim::{ActionOutcome, Routing};

const SITES: usize = 20;
const PEOPLE: usize = 1000;

/// Faults during the load.
#[derive(Clone, Copy, PartialEq)]
enum FaultMode {
    NoFaults,
    /// Kills both gateways, a notifier and both token services, one after the other, and starts
    /// them again.
    KillProcesses,
    /// Kills the server that leads the ledger, of three, while people scan and while they are
    /// called, and starts it again.
    KillLeader,
    /// The same with a ledger in four partitions, of which the server leads one at least.
    KillPartitionLeader,
    /// Divides the ledger of three servers into four partitions while people scan, and leaves the
    /// configuration as it is.
    Divide,
}

impl FaultMode {
    /// Number of NATS servers.
    fn servers(self) -> usize {
        if self.kills_leader() || self == FaultMode::Divide { 3 } else { 1 }
    }

    /// Returns whether every delivery is to be answered, and with a number.
    fn refuses_nobody(self) -> bool {
        matches!(self, FaultMode::NoFaults | FaultMode::Divide)
    }

    /// Number of partitions of the ledger.
    fn partitions(self) -> usize {
        if self == FaultMode::KillPartitionLeader { 4 } else { 1 }
    }

    fn kills_leader(self) -> bool {
        matches!(self, FaultMode::KillLeader | FaultMode::KillPartitionLeader)
    }
}

/// Kills the server that leads the ledger, and returns it.
fn kill_leader(cluster: &Cluster) -> usize {
    let stream = match cluster.setup.partitions {
        1 => "PAIHAO_LEDGER",
        _ => "PAIHAO_LEDGER_3",
    };
    let leader = cluster.nats.leader_of(stream).expect("the ledger has a leader");
    cluster.nats.servers()[leader].kill();
    leader
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_people_each_get_one_number_one_call_and_one_message() {
    run_load(FaultMode::NoFaults).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_holds_when_processes_are_killed_in_the_middle() {
    run_load(FaultMode::KillProcesses).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_holds_on_three_servers_when_the_leader_is_killed() {
    run_load(FaultMode::KillLeader).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_holds_in_four_partitions_when_the_leader_of_one_is_killed() {
    run_load(FaultMode::KillPartitionLeader).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_refused_while_the_ledger_is_divided() {
    run_load(FaultMode::Divide).await;
}

/// Runs `paihao divide` as an operator does.
fn divide(cluster: &Cluster) -> JoinHandle<Output> {
    let folder = cluster.gateways[0].program.folder().to_owned();
    let mut command = Command::new(env!("CARGO_BIN_EXE_paihao"));
    command.current_dir(folder).args(["--config", "paihao.toml", "divide", "--into", "4"]);
    tokio::task::spawn_blocking(move || command.output().unwrap())
}

async fn run_load(faults: FaultMode) {
    let (servers, partitions) = (faults.servers(), faults.partitions());
    let setup = ClusterSetup { sites: SITES, servers, partitions, ..ClusterSetup::default() };
    let mut cluster = Cluster::start_setup(setup).await;
    let mut codes = Vec::new();
    for i in 0..SITES {
        codes.push(cluster.site_code(i % 2, &site_id(i)).await);
    }

    let numbers = scan_everybody(&mut cluster, &codes, faults).await;
    for (site, numbers) in &numbers {
        let expected: BTreeSet<_> = (1..=PEOPLE / SITES).map(|n| format!("A{n:03}")).collect();
        assert_eq!(*numbers, expected, "{site}");
    }

    let called = call_everybody(&mut cluster, faults).await;
    assert_eq!(called, numbers, "the numbers called are not those issued");

    if faults == FaultMode::KillProcesses {
        cluster.notifiers[0].program.restart();
    }
    if faults == FaultMode::Divide {
        cluster.setup.partitions = 4;
    }
    assert_everybody_notified_once(&cluster).await;
    assert_eq!(cluster.wechat.stats().tokens_issued, 1);
    assert_ledger_matches(&cluster, &numbers).await;

    let fresh = cluster.add_process("gateway");
    cluster.wait_until_ready(&fresh).await;
    cluster.wait_until_agreed(&[&cluster.gateways[0], &cluster.gateways[1], &fresh]).await;
}

/// Scans a code for each person. Returns the numbers issued, by site.
async fn scan_everybody(
    cluster: &mut Cluster,
    codes: &[String],
    faults: FaultMode,
) -> BTreeMap<String, BTreeSet<String>> {
    let callbacks = cluster.callback_urls();
    let wechat = cluster.wechat.clone();
    let scan = |i: usize| {
        let wechat = wechat.clone();
        let callbacks = callbacks.clone();
        let code = &codes[i % SITES];
        async move {
            // A reply may say that no number was issued; then the person scans again, as it asks.
            for _ in 0..20 {
                let to = Routing::to_each(callbacks.clone());
                let outcome = wechat.scan(&person_openid(i), code, to).await;
                if let Some(number) = number_in(&outcome, faults) {
                    return (site_id(i % SITES), number);
                }
            }
            panic!("{} never got a number", person_openid(i));
        }
    };
    let mut numbers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut scans = stream::iter((0..PEOPLE).map(scan)).buffer_unordered(48);
    let mut completed = 0;
    let mut killed = 0;
    let mut dividing = None;
    while let Some((site, number)) = scans.next().await {
        assert!(
            numbers.entry(site.clone()).or_default().insert(number),
            "a number twice at {site}"
        );
        completed += 1;
        if faults.kills_leader() {
            match completed {
                200 => killed = kill_leader(cluster),
                400 => tokio::task::block_in_place(|| cluster.nats.servers()[killed].restart()),
                _ => {}
            }
        }
        if faults == FaultMode::KillProcesses {
            match completed {
                200 => cluster.gateways[1].program.kill(),
                300 => cluster.tokens[0].program.kill(),
                400 => cluster.gateways[1].program.restart(),
                _ => {}
            }
        }
        if faults == FaultMode::Divide && completed == 200 {
            dividing = Some(divide(cluster));
        }
    }
    drop(scans);
    if let Some(dividing) = dividing {
        let divided = dividing.await.unwrap();
        let said = String::from_utf8_lossy(&divided.stderr);
        assert!(divided.status.success(), "{said}");
        assert!(said.contains("divided, after a pause of"), "{said}");
        for process in cluster.gateways.iter().chain(&cluster.tokens).chain(&cluster.notifiers) {
            cluster.wait_until_ready(process).await;
            assert!(process.program.output().contains("the ledger is being divided"));
        }
    }
    cluster.wait_until_ready(&cluster.gateways[1]).await;
    numbers
}

/// Number in the replies to a scan. All replies are equal, except those that say that the ledger
/// did not append it in time.
fn number_in(outcome: &ActionOutcome, faults: FaultMode) -> Option<String> {
    let deliveries: Vec<_> = outcome.pushes.iter().flat_map(|push| &push.deliveries).collect();
    if faults.refuses_nobody() {
        let answered = deliveries.iter().filter(|d| d.status == Some(200)).count();
        assert!(answered >= 2, "a delivery was not answered: {deliveries:#?}");
    }
    let bodies =
        deliveries.iter().filter(|d| d.status == Some(200)).map(|d| format!("{:?}", d.body));
    let replies: BTreeSet<_> = bodies.filter(|body| !body.contains("没有取到号")).collect();
    assert!(replies.len() <= 1, "not one and the same reply: {deliveries:#?}");
    assert!(!(faults.refuses_nobody() && replies.is_empty()), "no number: {deliveries:#?}");
    let reply = replies.first()?;
    let at = reply.find("A0").unwrap_or_else(|| panic!("no number in {reply}"));
    Some(reply[at..at + 4].to_owned())
}

/// Calls at 40 counters until no ticket waits. Returns the numbers called, by site.
async fn call_everybody(
    cluster: &mut Cluster,
    faults: FaultMode,
) -> BTreeMap<String, BTreeSet<String>> {
    let urls: Vec<_> = cluster.gateways.iter().map(|gateway| gateway.url.clone()).collect();
    let counters: Vec<_> =
        (0..SITES).flat_map(|i| [(i, "1"), (i, "2")]).map(|(i, c)| (site_id(i), c)).collect();
    let http = cluster.http.clone();
    let work = counters.iter().map(|(site, counter)| {
        let http = http.clone();
        let urls = urls.clone();
        async move {
            let mut called: Vec<String> = Vec::new();
            // Each request goes to the gateways in turn, until one responds.
            let mut requests = 0;
            let mut post = async |action: &str, name: &str| {
                for _ in 0..200 {
                    requests += 1;
                    let url = format!(
                        "{}/api/v1/sites/{site}/counters/{counter}/{action}",
                        urls[requests % 2]
                    );
                    let result =
                        staff_request(&http, STAFF_KEY, &url, &format!("{counter} {name}"))
                            .send()
                            .await;
                    match result {
                        Ok(answer) if answer.status() != StatusCode::SERVICE_UNAVAILABLE => {
                            return answer.json::<serde_json::Value>().await.unwrap();
                        }
                        _ => tokio::time::sleep(Duration::from_millis(100)).await,
                    }
                }
                panic!("no gateway answers");
            };
            let opened = post("open", "open").await;
            assert_eq!(opened["outcome"], "counter_open", "{opened}");
            for round in 0.. {
                let answer = post("call-next", &format!("call {round}")).await;
                match answer["outcome"].as_str() {
                    Some("called") => called.push(answer["number"].as_str().unwrap().to_owned()),
                    _ if answer["code"] == "nobody_waiting" => break,
                    _ => panic!("{answer}"),
                }
                let completed = post("finish", &format!("finish {round}")).await;
                assert_eq!(completed["outcome"], "finished", "{completed}");
            }
            assert!(called.is_sorted(), "{site} {counter} called out of order: {called:?}");
            (site.clone(), called)
        }
    });
    let kills = async {
        if faults.kills_leader() {
            let accepted = async || cluster.wechat.stats().messages_accepted >= 100;
            wait_until("100 messages are accepted", Duration::from_secs(60), accepted).await;
            let killed = kill_leader(cluster);
            tokio::time::sleep(Duration::from_secs(2)).await;
            tokio::task::block_in_place(|| cluster.nats.servers()[killed].restart());
        }
        if faults == FaultMode::KillProcesses {
            let accepted = |n| cluster.wechat.stats().messages_accepted >= n;
            wait_until("100 messages are accepted", Duration::from_secs(60), async || {
                accepted(100)
            })
            .await;
            cluster.notifiers[0].program.kill();
            cluster.tokens[0].program.restart();
            cluster.wait_until_ready(&cluster.tokens[0]).await;
            cluster.tokens[1].program.kill();
            cluster.gateways[0].program.kill();
            cluster.gateways[0].program.restart();
            cluster.tokens[1].program.restart();
        }
    };
    let (called, ()) = tokio::join!(join_all(work), kills);
    let mut by_site: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (site, number) in
        called.into_iter().flat_map(|(s, c)| c.into_iter().map(move |n| (s.clone(), n)))
    {
        assert!(by_site.entry(site.clone()).or_default().insert(number), "called twice at {site}");
    }
    by_site
}

async fn assert_everybody_notified_once(cluster: &Cluster) {
    let accepted = async || cluster.wechat.stats().messages_accepted >= PEOPLE as u64;
    wait_until("every message is accepted", Duration::from_secs(120), accepted).await;
    let ended = async || notice_outcomes(cluster).await.len() >= PEOPLE;
    wait_until("every notice has an outcome", Duration::from_secs(120), ended).await;

    let mut by_person: BTreeMap<String, usize> = BTreeMap::new();
    for message in cluster.wechat.all_messages() {
        *by_person.entry(message.openid.clone()).or_default() += 1;
    }
    let expected: BTreeMap<_, _> = (0..PEOPLE).map(|i| (person_openid(i), 1)).collect();
    assert_eq!(by_person, expected);

    let outcomes = notice_outcomes(cluster).await;
    let keys: BTreeSet<_> = outcomes.iter().map(|outcome| outcome.key.clone()).collect();
    assert_eq!((keys.len(), outcomes.len()), (PEOPLE, PEOPLE));
    for outcome in outcomes {
        assert!(matches!(outcome.outcome, DeliveryOutcome::Sent { .. }), "{outcome:?}");
    }
}

/// Reads the final outcome of each notice; attempts and receipts are left out.
async fn notice_outcomes(cluster: &Cluster) -> Vec<NoticeOutcome> {
    let records = log_entries::<OutcomeRecord>(cluster, &OUTCOMES).await;
    let end = |record| match record {
        OutcomeRecord::Ended(outcome) => Some(outcome),
        _ => None,
    };
    records.into_iter().filter_map(end).collect()
}

/// Checks that numbers are issued and called in the order of the ledger.
async fn assert_ledger_matches(cluster: &Cluster, numbers: &BTreeMap<String, BTreeSet<String>>) {
    let mut taken: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut called: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for commit in commits(cluster).await {
        let site = commit.site.id.to_string();
        for event in commit.decisions.iter().flat_map(|decision| &decision.events) {
            match event {
                Event::TicketTaken { number, .. } => {
                    taken.entry(site.clone()).or_default().push(number.to_string());
                }
                Event::TicketCalled { ticket, .. } => {
                    called.entry(site.clone()).or_default().push(*ticket);
                }
                _ => {}
            }
        }
    }
    for (site, numbers) in numbers {
        assert!(taken[site].iter().eq(numbers), "{site} gave out {:?}", taken[site]);
        assert!(called[site].iter().copied().eq(1..=numbers.len() as u32), "{:?}", called[site]);
    }
}

fn person_openid(i: usize) -> String {
    format!("oCrowd{i:04}")
}
