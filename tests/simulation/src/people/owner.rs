//! Owner of the sites: opens and closes queues, and changes the settings.

use super::Society;
use crate::deployment::{MANAGER_KEY, site_setup};
use crate::edge::Request;
use crate::plan::Plan;
use crate::random::Random;
use axum::http::Method;
use tokio::time::sleep;

/// Owner.
pub struct Owner {
    plan: Plan,
    random: Random,
    requests: u32,
}

impl Owner {
    /// Creates the owner of the sites of a plan.
    pub fn new(seed: u64, plan: Plan) -> Owner {
        Owner { plan, random: Random::new(seed, "owner"), requests: 0 }
    }

    /// Changes something now and then until people stop. At the end every queue is open.
    pub async fn manage(mut self, society: Society) {
        while society.is_open() {
            sleep(self.random.seconds(20..=150)).await;
            let site = *self.random.pick(&self.plan.sites.clone());
            if self.random.percent(50) {
                let action = *self.random.pick(&["pause", "halt", "close"]);
                self.set_queue(&society, site, action).await;
                sleep(self.random.seconds(5..=40)).await;
                self.set_queue(&society, site, "open").await;
            } else {
                self.change_settings(&society, site).await;
            }
        }
    }

    async fn set_queue(&mut self, society: &Society, site: &str, action: &str) {
        let path = format!("/api/v1/sites/{site}/queues/b/{action}");
        let request = self.request(Method::POST, &path, "{}".to_owned());
        society.insist(&request, &mut self.random).await;
    }

    async fn change_settings(&mut self, society: &Society, site: &str) {
        let path = format!("/api/v1/book/sites/{site}");
        let read = self.request(Method::GET, &path, String::new());
        let Some(read) = society.insist(&read, &mut self.random).await else { return };
        let mut setup = site_setup(&self.plan, site);
        for queue in setup.queues.values_mut() {
            queue.near = self.random.between(1..=5) as u32;
        }
        let body = serde_json::to_string(&setup).expect("a document has a JSON form");
        let write = Request { if_match: read.etag, ..self.request(Method::PUT, &path, body) };
        society.insist(&write, &mut self.random).await;
    }

    fn request(&mut self, method: Method, path: &str, body: String) -> Request {
        self.requests += 1;
        let key = (method != Method::GET).then(|| format!("owner-{}", self.requests));
        Request { bearer: Some(MANAGER_KEY), key, body, ..Request::new(method, path) }
    }
}
