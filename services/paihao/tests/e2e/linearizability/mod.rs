//! One hot site, three gateways, one of them killed in the middle: the recorded history fits the
//! ledger, and the ledger is the order of the line.

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

/// People with a number, one after the other, at this many doors.
const CUSTOMER_CLIENTS: u64 = 6;
const VISITS_PER_CLIENT: u64 = 25;
/// Counters at which it is called.
const COUNTERS: [&str; 4] = ["3", "4", "5", "6"];

/// A second queue, and counters that serve both, or one.
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

/// What all clients share.
struct LinearRun {
    http: Client,
    gateways: Vec<String>,
    started: Instant,
    history: Mutex<Vec<Operation>>,
    /// Wishes that were answered.
    answered_count: AtomicU64,
    /// Doors that are still open.
    active_customers: AtomicU64,
}

/// Chance of one client, the same in every run.
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

    /// Has a wish carried out by whichever gateway answers, and notes how that went.
    async fn perform(&self, chance: &mut Rng, wish: Request) -> Answer {
        let site = site_id(0);
        let (path, body) = wish.path_and_body(&site);
        let key = format!("{wish:?} {}", chance.below(u64::from(u32::MAX)));
        let hash = Sha256::digest(format!("api\0tests\0{site}\0{key}"));
        let (command, asked) = (hex::encode(&hash[..16]), self.now());
        let mut doubtful = false;
        for _ in 0..400 {
            let url = format!("{}{path}", self.gateways[chance.below(3) as usize]);
            if let Some(answer) = self.send_once(&url, &key, &body).await {
                let answered = Some((self.now(), answer.clone()));
                let op = Operation {
                    command,
                    request: wish,
                    invoked_at: asked,
                    answered,
                    retried: doubtful,
                };
                self.history.lock().unwrap().push(op);
                self.answered_count.fetch_add(1, Ordering::Relaxed);
                return answer;
            }
            doubtful = true;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no gateway answers {wish:?}");
    }

    /// One request; `None` if there was no answer, or the gateway does not know how it went.
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

    /// People come, take a number, and do with it what they like.
    async fn run_customer(&self, i: u64) {
        let mut chance = Rng(i);
        for _ in 0..VISITS_PER_CLIENT {
            let queue = ["a", "b"][chance.below(2) as usize].to_owned();
            let taken = self.perform(&mut chance, Request::Take { queue }).await;
            let Answer::Done(taken) = taken else { panic!("{taken:?}") };
            let number = taken["number"].as_str().unwrap().to_owned();
            tokio::time::sleep(Duration::from_millis(chance.below(30))).await;
            match chance.below(5) {
                0 => drop(self.perform(&mut chance, Request::Leave { number }).await),
                1 => drop(self.perform(&mut chance, Request::Return { number }).await),
                2 => {
                    let queue = "b".to_owned();
                    self.perform(&mut chance, Request::Transfer { number, queue }).await;
                }
                _ => {}
            }
        }
        self.active_customers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whoever is next is called, and something becomes of that, until nobody comes any more.
    async fn run_counter(&self, counter: &str, seed: u64) {
        let mut chance = Rng(seed);
        let counter = counter.to_owned();
        self.perform(&mut chance, Request::Open { counter: counter.clone() }).await;
        loop {
            let over = self.active_customers.load(Ordering::Relaxed) == 0;
            let called =
                self.perform(&mut chance, Request::CallNext { counter: counter.clone() }).await;
            let number = match called {
                Answer::Done(called) => called["number"].as_str().unwrap().to_owned(),
                Answer::Refused(code) if code == "nobody_waiting" && over => return,
                Answer::Refused(code) if code == "nobody_waiting" => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
                // Somebody whose service was taken back is here again.
                Answer::Refused(code) => panic!("{counter} cannot call: {code}"),
            };
            let (counter, number) = (counter.clone(), number.clone());
            match chance.below(6) {
                0 => {
                    let missed = Request::Miss { counter, number: number.clone() };
                    self.perform(&mut chance, missed).await;
                    if chance.below(2) == 0 {
                        self.perform(&mut chance, Request::Return { number }).await;
                    }
                }
                1 => {
                    let queue = ["a", "b"][chance.below(2) as usize].to_owned();
                    self.perform(&mut chance, Request::Transfer { number, queue }).await;
                }
                2 => {
                    let finish =
                        Request::Finish { counter: counter.clone(), number: number.clone() };
                    self.perform(&mut chance, finish.clone()).await;
                    self.perform(&mut chance, Request::Undo { number }).await;
                    self.perform(&mut chance, finish).await;
                }
                3 => {
                    let start = Request::Start { counter: counter.clone(), number: number.clone() };
                    self.perform(&mut chance, start).await;
                    self.perform(&mut chance, Request::Finish { counter, number }).await;
                }
                _ => drop(self.perform(&mut chance, Request::Finish { counter, number }).await),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_of_a_hot_site_is_that_of_one_line() {
    let mut cluster = Cluster::start_gateways(3, EXTRA_SITE_CONFIG).await;
    let story = Arc::new(LinearRun {
        http: cluster.http.clone(),
        gateways: cluster.gateways.iter().map(|gateway| gateway.url.clone()).collect(),
        started: Instant::now(),
        history: Mutex::default(),
        answered_count: AtomicU64::new(0),
        active_customers: AtomicU64::new(CUSTOMER_CLIENTS),
    });
    let doors = join_all((0..CUSTOMER_CLIENTS).map(|i| story.run_customer(i + 1)));
    let seeds = COUNTERS.into_iter().zip(100..);
    let counters = join_all(seeds.map(|(counter, seed)| story.run_counter(counter, seed)));
    let trouble = async {
        let answered = |n| story.answered_count.load(Ordering::Relaxed) >= n;
        let reached = async |n| {
            let soon = Duration::from_secs(120);
            harness::wait_until("wishes are answered", soon, async || answered(n)).await;
        };
        reached(120).await;
        cluster.gateways[1].program.kill();
        reached(240).await;
        cluster.gateways[1].program.restart();
    };
    tokio::join!(doors, counters, trouble);

    let commits = log_entries::<Commit>(&cluster, &LEDGER).await;
    let ledger: Vec<Decision> = commits.into_iter().flat_map(|commit| commit.decisions).collect();
    let history = std::mem::take(&mut *story.history.lock().unwrap());
    let served = [("3", "ab"), ("4", "ab"), ("5", "a"), ("6", "b")];
    let queues = |queues: &str| queues.chars().map(String::from).collect();
    let served = served.map(|(counter, of)| (counter.to_owned(), queues(of))).into();
    let wrong = check(&ledger, &history, served);
    assert!(wrong.is_empty(), "{} things are wrong: {wrong:#?}", wrong.len());
    let done = history.iter().filter(|op| matches!(op.answered, Some((_, Answer::Done(_)))));
    let refused = history.len() - done.count();
    assert!(refused > 0, "nothing was ever refused: nobody raced anybody");
    assert!(history.iter().any(|op| op.retried), "no answer was lost: nobody was killed");
}
