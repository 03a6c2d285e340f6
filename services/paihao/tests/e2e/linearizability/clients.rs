//! Clients of one busy site: customers and counters that record the history of their requests.

use super::history::{Answer, MicrosSinceStart, Operation, Request};
use super::model::Counters;
use crate::support::cluster::{ProgramProcess, STAFF_KEY};
use crate::support::http::staff_request;
use futures::future::join_all;
use reqwest::{Client, StatusCode};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// Concurrent customers.
const CUSTOMER_CLIENTS: u64 = 6;
/// Counters that call.
const COUNTERS: [&str; 4] = ["3", "4", "5", "6"];

/// Longest wait for one response; longer than a gateway needs to say that it has none.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(6);
/// Longest wait for a response to a request that is repeated.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// Configuration of a second queue, and of counters that serve both queues or one, at a site with
/// the queue `a`.
pub fn extra_site_config(site: &str) -> String {
    EXTRA_SITE_CONFIG.replace("SITE", site)
}

/// Queues that each counter serves.
pub fn served_queues() -> Counters {
    let served = [("3", "ab"), ("4", "ab"), ("5", "a"), ("6", "b")];
    let queues = |queues: &str| queues.chars().map(String::from).collect();
    served.map(|(counter, of)| (counter.to_owned(), queues(of))).into()
}

const EXTRA_SITE_CONFIG: &str = "
    [sites.SITE.queues.b]
    name = '对公业务'
    prefix = 'B'
    [sites.SITE.counters.3]
    name = '3号窗口'
    queues = ['a', 'b']
    [sites.SITE.counters.4]
    name = '4号窗口'
    queues = ['a', 'b']
    [sites.SITE.counters.5]
    name = '5号窗口'
    queues = ['a']
    [sites.SITE.counters.6]
    name = '6号窗口'
    queues = ['b']
";

/// State that the clients share.
pub struct LinearRun {
    http: Client,
    site: String,
    gateways: Vec<String>,
    started: Instant,
    history: Mutex<Vec<Operation>>,
    /// Number of requests with a response.
    pub answered_count: AtomicU64,
    /// Number of customers that still run.
    active_customers: AtomicU64,
    extent: Extent,
}

/// Length of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Each customer takes so many numbers, and the counters call all of them.
    Visits(u64),
    /// All go on until [`LinearRun::stop`].
    Unbounded,
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
    /// Prepares a run at one site of these gateways.
    pub fn new(site: String, gateways: &[ProgramProcess], extent: Extent) -> Arc<LinearRun> {
        let http = Client::builder().no_proxy().timeout(REQUEST_TIMEOUT).build();
        Arc::new(LinearRun {
            http: http.expect("a client for loopback can be built"),
            site,
            gateways: gateways.iter().map(|gateway| gateway.url.clone()).collect(),
            started: Instant::now(),
            history: Mutex::default(),
            answered_count: AtomicU64::new(0),
            active_customers: AtomicU64::new(CUSTOMER_CLIENTS),
            extent,
        })
    }

    /// Microseconds since the run was prepared.
    pub fn now(&self) -> MicrosSinceStart {
        self.started.elapsed().as_micros() as MicrosSinceStart
    }

    /// Runs all customers and counters until the end of the run.
    pub async fn run(&self) {
        let customers = join_all((0..CUSTOMER_CLIENTS).map(|i| self.run_customer(i + 1)));
        let seeds = COUNTERS.into_iter().zip(100..);
        let counters = join_all(seeds.map(|(counter, seed)| self.run_counter(counter, seed)));
        tokio::join!(customers, counters);
    }

    /// Ends an unbounded run: each client answers its last request.
    pub fn stop(&self) {
        self.active_customers.store(0, Ordering::Relaxed);
    }

    /// The history so far, which is taken.
    pub fn take_history(&self) -> Vec<Operation> {
        std::mem::take(&mut *self.history.lock().unwrap())
    }

    fn is_over(&self) -> bool {
        self.active_customers.load(Ordering::Relaxed) == 0
    }

    /// Sends a request to random gateways until one responds, and records the operation.
    async fn perform(&self, rng: &mut Rng, request: Request) -> Answer {
        let site = &self.site;
        let (path, body) = request.path_and_body(site);
        let key = format!("{request:?} {}", rng.below(u64::from(u32::MAX)));
        let hash = Sha256::digest(format!("api\0tests\0{site}\0{key}"));
        let command = hex::encode(&hash[..16]);
        let invoked_at = self.now();
        let started = self.started.elapsed();
        let mut retried = false;
        while self.started.elapsed() < started + ANSWER_TIMEOUT {
            let gateway = rng.below(self.gateways.len() as u64) as usize;
            let url = format!("{}{path}", self.gateways[gateway]);
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

    /// Reads which ticket is at a counter, as a gateway knows it. No operation of the history: it
    /// may be an older state, and then the next request is refused.
    async fn number_at(&self, rng: &mut Rng, counter: &str) -> Option<String> {
        let gateway = rng.below(self.gateways.len() as u64) as usize;
        let url = format!("{}/api/v1/sites/{}/desk", self.gateways[gateway], self.site);
        let answer = self.http.get(url).bearer_auth(STAFF_KEY).send().await.ok()?;
        let console: Value = answer.json().await.ok()?;
        let mut counters = console["counters"].as_array()?.iter();
        let counter = counters.find(|found| found["id"] == counter)?;
        Some(counter["serving"].as_str()?.to_owned())
    }

    /// Runs one customer, who takes numbers and then waits, leaves, returns or is transferred.
    async fn run_customer(&self, i: u64) {
        let mut rng = Rng(i);
        for visit in 0.. {
            let is_over = match self.extent {
                Extent::Visits(visits) => visit == visits,
                Extent::Unbounded => self.is_over(),
            };
            if is_over {
                break;
            }
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
        if self.extent != Extent::Unbounded {
            self.active_customers.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Runs one counter: calls the next ticket and handles it at random, until no customer is left.
    async fn run_counter(&self, counter: &str, seed: u64) {
        let mut rng = Rng(seed);
        let counter = counter.to_owned();
        self.perform(&mut rng, Request::Open { counter: counter.clone() }).await;
        loop {
            let is_over = self.is_over();
            if is_over && self.extent == Extent::Unbounded {
                return;
            }
            let called =
                self.perform(&mut rng, Request::CallNext { counter: counter.clone() }).await;
            let number = match called {
                Answer::Done(called) => called["number"].as_str().unwrap().to_owned(),
                Answer::Refused(code) if code == "nobody_waiting" && is_over => return,
                Answer::Refused(code) if code == "nobody_waiting" => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
                // The day has turned.
                Answer::Refused(code) if code == "counter_closed" => {
                    self.perform(&mut rng, Request::Open { counter: counter.clone() }).await;
                    continue;
                }
                // Another client took back the end of a ticket that was here.
                Answer::Refused(code) if code == "counter_busy" => {
                    if let Some(number) = self.number_at(&mut rng, &counter).await {
                        let counter = counter.clone();
                        self.perform(&mut rng, Request::Finish { counter, number }).await;
                    }
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
