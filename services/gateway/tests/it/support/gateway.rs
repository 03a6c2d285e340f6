//! Gateway of the hall, called over HTTP with the keys of its staff.

use super::cluster::{Cluster, GatewaySetup};
use super::engine;
use futures::StreamExt;
use paihao_contracts::commit::Commit;
use paihao_contracts::public_event::to_public_events;
use paihao_contracts::streams::LEDGER;
use paihao_domain::CounterId;
use paihao_gateway::engine::Engine;
use paihao_gateway::projections::delivery_status::DeliveryStatusProjection;
use paihao_gateway::projections::visits::VisitProjection;
use paihao_gateway::settings::{KeyRole, StaffKey};
use paihao_ledger::{Ledger, LogItem, Position};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::Value;

pub const MANAGER_KEY: &str = "a-key-of-the-tests-alone";
/// Key of a manager of every site.
pub const OWNER_KEY: &str = "a-key-of-the-owner";
/// Key of staff limited to the first counter.
pub const STAFF_KEY: &str = "a-key-of-the-first-counter";

/// Running gateway.
pub struct Gateway {
    /// The service, as the program has it.
    pub service: paihao_gateway::Gateway,
    pub engine: Engine,
    pub visits: VisitProjection,
    pub delivery_status: DeliveryStatusProjection,
    /// Base address of its pages and its API.
    pub url: String,
    pub http: reqwest::Client,
}

impl Cluster {
    /// Returns the setup of a gateway of the hall.
    pub fn hall_setup(&self) -> GatewaySetup {
        let mut deployment = engine::deployment_settings();
        let only_site = |site: &str| [site.to_owned()].into();
        deployment.staff_keys = vec![
            StaffKey::new("desk", MANAGER_KEY, only_site("hall")),
            StaffKey::new("owner", OWNER_KEY, only_site("*")),
            StaffKey::new("other", "the-key-of-another-site", only_site("elsewhere")),
            StaffKey::new("mei", STAFF_KEY, only_site("hall"))
                .with_role(KeyRole::Staff, [CounterId::new("1")].into()),
        ];
        let mut setup = self.setup(deployment);
        setup.settings.public_url = Some("https://queue.example".to_owned());
        setup
    }

    /// Starts a further gateway of the hall and waits until it has caught up.
    pub async fn start_gateway(&self) -> Gateway {
        self.start(self.hall_setup()).await
    }

    /// Returns the hall's entries in the ledger as public events.
    pub async fn public_events(&self) -> Vec<Value> {
        let head = self.ledger.head(&LEDGER).await.unwrap();
        let mut entries = self.ledger.follow(&LEDGER, Position::START).await.unwrap();
        let mut events = Vec::new();
        let mut reached = Position::START;
        while reached < head {
            let Some(LogItem::Entry(stored)) = entries.next().await else { panic!("cut off") };
            reached = stored.position;
            let commit: Commit = serde_json::from_slice(&stored.entry.payload).unwrap();
            if &*commit.site.id == "hall" {
                events.extend(
                    to_public_events(reached.0, &commit).map(|e| serde_json::to_value(e).unwrap()),
                );
            }
        }
        events
    }
}

impl Gateway {
    /// Returns an address of the API.
    pub fn api(&self, path: &str) -> String {
        format!("{}/api/v1{path}", self.url)
    }

    /// Builds a GET below the hall with the manager's key.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.get_with_key(path, MANAGER_KEY)
    }

    /// Builds a GET below the hall with another key.
    pub fn get_with_key(&self, path: &str, key: &str) -> RequestBuilder {
        self.http.get(self.api(&format!("/sites/hall{path}"))).bearer_auth(key)
    }

    /// Builds a GET without a key, by its path below `/api/v1`.
    pub fn get_public(&self, path: &str) -> RequestBuilder {
        self.http.get(self.api(path))
    }

    /// Builds a POST without a key, by its path below `/api/v1`.
    pub fn post_public(&self, path: &str) -> RequestBuilder {
        self.http.post(self.api(path))
    }

    /// Loads a page.
    pub async fn get_page(&self, path: &str) -> Response {
        self.http.get(format!("{}{path}", self.url)).send().await.unwrap()
    }

    pub async fn get_json(&self, path: &str) -> (StatusCode, Value) {
        read_json(self.get(path).send().await.unwrap()).await
    }
}

pub async fn read_json(response: Response) -> (StatusCode, Value) {
    (response.status(), serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
}
