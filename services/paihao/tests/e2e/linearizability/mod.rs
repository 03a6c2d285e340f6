//! Test of linearizability: clients of one busy site at three gateways, one of which is killed,
//! record a history that fits the ledger.

mod history;

mod model;

mod check;

mod checker_tests;

use crate::support::cluster::{Cluster, STAFF_KEY, log_entries, site_id};
use crate::support::http::staff_request;
use check::check;
use futures::future::join_all;
use history::{Answer, Operation, Request};
use paihao_contracts::commit::{Commit, Decision};
use paihao_contracts::streams::LEDGER;
use reqwest::{Client, StatusCode};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// Concurrent customers; each takes [`VISITS_PER_CLIENT`] numbers, one after the other.
const CUSTOMER_CLIENTS: u64 = 6;
const VISITS_PER_CLIENT: u64 = 25;
/// Counters that call.
const COUNTERS: [&str; 4] = ["3", "4", "5", "6"];

/// Configuration of a second queue, and of counters that serve both queues or one.
const EXTRA_SITE_CONFIG: &str = "
    [sites.hall-0.queues.b]
    name = '对公业务'
    prefix = 'B'
    [sites.hall-0.counters.3]
    name = '3号窗口'
    queues = ['a', 'b']
    [sites.hall-0.counters.4]
    name = '4号窗口'
    queues = ['a', 'b']
    [sites.hall-0.counters.5]
    name = '5号窗口'
    queues = ['a']
    [sites.hall-0.counters.6]
    name = '6号窗口'
    queues = ['b']
";

/// State that the clients share.
struct LinearRun {
    http: Client,
    gateways: Vec<String>,
    started: Instant,
    history: Mutex<Vec<Operation>>,
    /// Number of requests with a response.
    answered_count: AtomicU64,
    /// Number of customers that still run.
    active_customers: AtomicU64,
}

/// Linear congruential generator of one client, with the same sequence in every run. No library, so
/// that the sequence never changes.
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % n
    }
}

impl LinearRun {
    fn now(&self) -> u64 {
        self.started.elapsed().as_micros() as u64
    }

    /// Sends a request to random gateways until one responds, and records the operation.
    async fn perform(&self, rng: &mut Rng, request: Request) -> Answer {
        let site = site_id(0);
        let (path, body) = request.path_and_body(&site);
        let key = format!("{request:?} {}", rng.below(u64::from(u32::MAX)));
        let hash = Sha256::digest(format!("api\0tests\0{site}\0{key}"));
        let command = hex::encode(&hash[..16]);
        let invoked_at = self.now();
        let mut retried = false;
        for _ in 0..400 {
            let url = format!("{}{path}", self.gateways[rng.below(3) as usize]);
            if let Some(answer) = self.send_once(&url, &key, &body).await {
                let answered = Some((self.now(), answer.clone()));
                let op = Operation { command, request, invoked_at, answered, retried };
                self.history.lock().unwrap().push(op);
                self.answered_count.fetch_add(1, Ordering::Relaxed);
                return answer;
            }
            retried = true;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no gateway responds to {request:?}");
    }

    /// Sends a request once; `None` without a response, or if the gateway does not know the
    /// outcome.
    async fn send_once(&self, url: &str, key: &str, body: &Value) -> Option<Answer> {
        let answer = staff_request(&self.http, STAFF_KEY, url, key).json(body).send().await.ok()?;
        let status = answer.status();
        let body: Value = answer.json().await.ok()?;
        match status {
            StatusCode::OK => Some(Answer::Done(body)),
            StatusCode::SERVICE_UNAVAILABLE => None,
            _ => Some(Answer::Refused(body["code"].as_str()?.to_owned())),
        }
    }

    /// Runs one customer, who takes numbers and then waits, leaves, returns or is transferred.
    async fn run_customer(&self, i: u64) {
        let mut rng = Rng(i);
        for _ in 0..VISITS_PER_CLIENT {
            let queue = ["a", "b"][rng.below(2) as usize].to_owned();
            let ticket = self.perform(&mut rng, Request::Take { queue }).await;
            let Answer::Done(ticket) = ticket else { panic!("{ticket:?}") };
            let number = ticket["number"].as_str().unwrap().to_owned();
            tokio::time::sleep(Duration::from_millis(rng.below(30))).await;
            match rng.below(5) {
                0 => drop(self.perform(&mut rng, Request::Leave { number }).await),
                1 => drop(self.perform(&mut rng, Request::Return { number }).await),
                2 => {
                    let queue = "b".to_owned();
                    self.perform(&mut rng, Request::Transfer { number, queue }).await;
                }
                _ => {}
            }
        }
        self.active_customers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Runs one counter: calls the next ticket and handles it at random, until no customer is left.
    async fn run_counter(&self, counter: &str, seed: u64) {
        let mut rng = Rng(seed);
        let counter = counter.to_owned();
        self.perform(&mut rng, Request::Open { counter: counter.clone() }).await;
        loop {
            let is_over = self.active_customers.load(Ordering::Relaxed) == 0;
            let called =
                self.perform(&mut rng, Request::CallNext { counter: counter.clone() }).await;
            let number = match called {
                Answer::Done(called) => called["number"].as_str().unwrap().to_owned(),
                Answer::Refused(code) if code == "nobody_waiting" && is_over => return,
                Answer::Refused(code) if code == "nobody_waiting" => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
                Answer::Refused(code) => panic!("{counter} cannot call: {code}"),
            };
            let counter = counter.clone();
            match rng.below(6) {
                0 => {
                    let missed = Request::Miss { counter, number: number.clone() };
                    self.perform(&mut rng, missed).await;
                    if rng.below(2) == 0 {
                        self.perform(&mut rng, Request::Return { number }).await;
                    }
                }
                1 => {
                    let queue = ["a", "b"][rng.below(2) as usize].to_owned();
                    self.perform(&mut rng, Request::Transfer { number, queue }).await;
                }
                2 => {
                    let finish =
                        Request::Finish { counter: counter.clone(), number: number.clone() };
                    self.perform(&mut rng, finish.clone()).await;
                    self.perform(&mut rng, Request::Undo { number }).await;
                    self.perform(&mut rng, finish).await;
                }
                3 => {
                    let start = Request::Start { counter: counter.clone(), number: number.clone() };
                    self.perform(&mut rng, start).await;
                    self.perform(&mut rng, Request::Finish { counter, number }).await;
                }
                _ => drop(self.perform(&mut rng, Request::Finish { counter, number }).await),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_of_a_busy_site_is_linearizable() {
    let mut cluster = Cluster::start_gateways(3, EXTRA_SITE_CONFIG).await;
    let run = Arc::new(LinearRun {
        http: cluster.http.clone(),
        gateways: cluster.gateways.iter().map(|gateway| gateway.url.clone()).collect(),
        started: Instant::now(),
        history: Mutex::default(),
        answered_count: AtomicU64::new(0),
        active_customers: AtomicU64::new(CUSTOMER_CLIENTS),
    });
    let customers = join_all((0..CUSTOMER_CLIENTS).map(|i| run.run_customer(i + 1)));
    let seeds = COUNTERS.into_iter().zip(100..);
    let counters = join_all(seeds.map(|(counter, seed)| run.run_counter(counter, seed)));
    let kill = async {
        let answered = |n| run.answered_count.load(Ordering::Relaxed) >= n;
        let reached = async |n| {
            let timeout = Duration::from_secs(120);
            harness::wait_until("requests are answered", timeout, async || answered(n)).await;
        };
        reached(120).await;
        cluster.gateways[1].program.kill();
        reached(240).await;
        cluster.gateways[1].program.restart();
    };
    tokio::join!(customers, counters, kill);

    let commits = log_entries::<Commit>(&cluster, &LEDGER).await;
    let ledger: Vec<Decision> = commits.into_iter().flat_map(|commit| commit.decisions).collect();
    let history = std::mem::take(&mut *run.history.lock().unwrap());
    let served = [("3", "ab"), ("4", "ab"), ("5", "a"), ("6", "b")];
    let queues = |queues: &str| queues.chars().map(String::from).collect();
    let served = served.map(|(counter, of)| (counter.to_owned(), queues(of))).into();
    let violations = check(&ledger, &history, served);
    assert!(violations.is_empty(), "{} violations: {violations:#?}", violations.len());
    let succeeded = history.iter().filter(|op| matches!(op.answered, Some((_, Answer::Done(_)))));
    let refused = history.len() - succeeded.count();
    assert!(refused > 0, "no request was refused: the clients do not race");
    assert!(history.iter().any(|op| op.retried), "no response was lost: the kill had no effect");
}
