//! Customers who scan and counters who call, all the time, as people do: who gets no answer asks
//! again.

use crate::compose::{Deployment, STAFF_KEY};
use crate::timeline::{Service, Timeline};
use anyhow::{Context, bail};
use futures::future::join_all;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;

pub const SITE: &str = "hall";
pub const QUEUES: [&str; 2] = ["general", "social"];
const COUNTERS: [&str; 3] = ["1", "2", "3"];

/// Time between two customers, who come whether the ones before were served or not.
const ARRIVAL_INTERVAL: Duration = Duration::from_millis(400);
/// Time between two calls of a counter.
const CALL_INTERVAL: Duration = Duration::from_millis(500);
/// Longest wait of a counter for one answer; then it asks again, with the same key.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(6);
/// Longest time in which somebody has to be served at all.
const SERVED_TIMEOUT: Duration = Duration::from_secs(300);

/// Answers that people got.
#[derive(Default)]
pub struct Answers {
    /// Number of each customer, by openid.
    pub numbers: BTreeMap<String, String>,
    /// People who got no answer to a scan and scanned again. If the first scan took a number that
    /// was called and served meanwhile, the second one takes another.
    pub scanned_again: BTreeSet<String>,
    /// Numbers that counters were told to call.
    pub called: Vec<String>,
    /// Requests of counters that got no answer and were sent again. The first may have an effect
    /// after the second was answered.
    pub unanswered: usize,
}

/// Customers and counters of the hall.
pub struct Clients {
    deployment: Deployment,
    timeline: Arc<Timeline>,
    /// Content of each queue's permanent code.
    codes: Vec<String>,
    next_customer: AtomicU64,
    stopped: AtomicBool,
    told: Mutex<Answers>,
}

impl Clients {
    /// Has the queues' permanent codes made, as for a poster.
    pub async fn new(
        deployment: &Deployment,
        timeline: Arc<Timeline>,
    ) -> anyhow::Result<Arc<Clients>> {
        let codes = permanent_codes(deployment).await?;
        Ok(Arc::new(Clients {
            deployment: deployment.clone(),
            timeline,
            codes,
            next_customer: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            told: Mutex::default(),
        }))
    }

    /// Lets customers come and counters call until [`Clients::stop`], and then serves those who
    /// wait.
    pub async fn run(self: &Arc<Clients>) -> anyhow::Result<Answers> {
        let counters = join_all(COUNTERS.map(|counter| self.run_counter(counter)));
        let (customers, counters) = tokio::join!(self.run_customers(), counters);
        customers?;
        counters.into_iter().collect::<anyhow::Result<()>>()?;
        Ok(std::mem::take(&mut *self.told.lock().expect("nobody panics with it")))
    }

    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Waits until several people were served, so that a fault is over for them, too.
    pub async fn until_served(&self, timeout: Duration) -> anyhow::Result<()> {
        let since = self.timeline.now();
        loop {
            let served = [Service::Number, Service::Call].map(|s| self.timeline.count(s, since));
            if served.iter().all(|&count| count >= 3) {
                return Ok(());
            }
            if self.timeline.now() - since > timeout {
                bail!("nobody is served: {served:?} numbers and calls in {timeout:?}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn run_customers(self: &Arc<Clients>) -> anyhow::Result<()> {
        let mut customers = JoinSet::new();
        let mut arrivals = tokio::time::interval(ARRIVAL_INTERVAL);
        loop {
            arrivals.tick().await;
            if self.is_stopped() {
                break;
            }
            let customer = self.next_customer.fetch_add(1, Ordering::Relaxed);
            let clients = self.clone();
            customers.spawn(async move { clients.take_number(customer).await });
            while let Some(finished) = customers.try_join_next() {
                finished??;
            }
        }
        while let Some(finished) = customers.join_next().await {
            finished??;
        }
        Ok(())
    }

    /// Scans until the answer holds a number.
    async fn take_number(&self, customer: u64) -> anyhow::Result<()> {
        let openid = format!("oContainer{customer:06}");
        let code = &self.codes[customer as usize % self.codes.len()];
        let began = self.timeline.now();
        loop {
            let scanned = scan(&self.deployment, &openid, code).await?;
            if let Some(number) = scanned {
                self.timeline.record(Service::Number, began);
                self.told.lock().expect("nobody panics with it").numbers.insert(openid, number);
                return Ok(());
            }
            if self.timeline.now() - began > SERVED_TIMEOUT {
                bail!("{openid} never got a number");
            }
            self.told.lock().expect("nobody panics with it").scanned_again.insert(openid.clone());
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Calls and finishes until the customers have stopped and nobody waits.
    async fn run_counter(&self, counter: &str) -> anyhow::Result<()> {
        self.staff_action(counter, "open", "open").await?;
        for round in 0.. {
            let began = self.timeline.now();
            // Before the call: somebody may join the line after it was found empty.
            let is_last_round = self.is_stopped() && self.all_have_numbers();
            let called = self.staff_action(counter, "call-next", &format!("call {round}")).await?;
            if called["outcome"] != "called" {
                if called["code"] != "nobody_waiting" {
                    bail!("counter {counter} cannot call: {called}");
                }
                if is_last_round {
                    break;
                }
                tokio::time::sleep(CALL_INTERVAL).await;
                continue;
            }
            self.timeline.record(Service::Call, began);
            let number = called["number"].as_str().context("a call without a number")?.to_owned();
            self.told.lock().expect("nobody panics with it").called.push(number);
            let finished = self.staff_action(counter, "finish", &format!("end {round}")).await?;
            if finished["outcome"] != "finished" {
                bail!("counter {counter} cannot finish: {finished}");
            }
            if !self.is_stopped() {
                tokio::time::sleep(CALL_INTERVAL).await;
            }
        }
        Ok(())
    }

    fn all_have_numbers(&self) -> bool {
        let told = self.told.lock().expect("nobody panics with it");
        told.numbers.len() == self.next_customer.load(Ordering::Relaxed) as usize
    }

    /// Sends an action of a counter until it is answered; the key makes it one action.
    async fn staff_action(&self, counter: &str, action: &str, key: &str) -> anyhow::Result<Value> {
        let path = format!("api/v1/sites/{SITE}/counters/{counter}/{action}");
        let began = self.timeline.now();
        loop {
            let request = self
                .deployment
                .http
                .post(format!("{}/{path}", self.deployment.url))
                .timeout(REQUEST_TIMEOUT)
                .bearer_auth(STAFF_KEY)
                .header("idempotency-key", format!("{counter} {key}"))
                .json(&json!({}));
            if let Ok(answer) = request.send().await
                && answer.status().as_u16() < 500
                && let Ok(answer) = answer.json().await
            {
                return Ok(answer);
            }
            if self.timeline.now() - began > SERVED_TIMEOUT {
                bail!("counter {counter} got no answer to {action}");
            }
            self.told.lock().expect("nobody panics with it").unanswered += 1;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Has a person scan a code. `None` if the answer holds no number.
pub async fn scan(
    deployment: &Deployment,
    openid: &str,
    code: &str,
) -> anyhow::Result<Option<String>> {
    let scanned = deployment.control("scan", &json!({ "openid": openid, "url": code })).await?;
    Ok(scanned["reply"].as_str().and_then(find_number))
}

/// Has the permanent code of each queue made, and returns what is in them.
pub async fn permanent_codes(deployment: &Deployment) -> anyhow::Result<Vec<String>> {
    for queue in QUEUES {
        let url = format!("{}/api/v1/sites/{SITE}/queues/{queue}/door.svg", deployment.url);
        deployment.http.get(url).bearer_auth(STAFF_KEY).send().await?.error_for_status()?;
    }
    let url = format!("{}/api/v1/sites/{SITE}/codes", deployment.url);
    let usage = deployment.http.get(url).bearer_auth(STAFF_KEY).send().await?;
    let usage: Value = usage.error_for_status()?.json().await?;
    let doors = usage["doors"].as_array().context("no list of permanent codes")?;
    let of_queue = |queue: &str| {
        let door = doors.iter().find(|door| door["queue"] == queue);
        door.and_then(|door| door["url"].as_str()).map(str::to_owned)
    };
    let codes = QUEUES.map(of_queue).into_iter().collect::<Option<_>>();
    codes.with_context(|| format!("a queue has no code: {usage}"))
}

/// Finds a number such as A017 in a text.
pub fn find_number(text: &str) -> Option<String> {
    let starts = text.char_indices().filter(|(_, letter)| matches!(letter, 'A' | 'B'));
    starts.map(|(start, _)| &text[start..]).find_map(|rest| {
        let digits = rest[1..].bytes().take_while(u8::is_ascii_digit).count();
        (digits >= 3).then(|| rest[..=digits].to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_in_a_sentence() {
        assert_eq!(find_number("您的号码 A017，前面 3 人"), Some("A017".to_owned()));
        assert_eq!(find_number("Bitte: B1204."), Some("B1204".to_owned()));
        assert_eq!(find_number("没有取到号。A12"), None);
    }
}
