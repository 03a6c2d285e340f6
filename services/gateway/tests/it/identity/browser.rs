//! A browser with its cookie, and programs with their keys.

use crate::support::door::{Cluster, Gateway, MANAGER_KEY, read_json};
use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use std::time::Duration;

/// Where the API of a gateway begins.
pub fn api_url(gateway: &Gateway) -> String {
    gateway.url.trim_end_matches("/sites").to_owned()
}

/// What a browser sends that is logged in.
pub struct Browser<'a> {
    cluster: &'a Cluster,
    pub cookie: String,
}

impl<'a> Browser<'a> {
    /// Logs in with the hall's key.
    pub async fn log_in(hall: &'a Cluster, gateway: &Gateway) -> Browser<'a> {
        let asked =
            hall.http.post(format!("{}/me/sessions", api_url(gateway))).bearer_auth(MANAGER_KEY);
        let answer = asked.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        let set = answer.headers()[SET_COOKIE].to_str().unwrap();
        for flag in ["Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=604800"] {
            assert!(set.split("; ").any(|part| part == flag), "{flag}: {set}");
        }
        Browser { cluster: hall, cookie: set.split(';').next().unwrap().to_owned() }
    }

    /// A request that a page of the gateway makes.
    pub fn same_origin_request(
        &self,
        method: Method,
        gateway: &Gateway,
        path: &str,
    ) -> RequestBuilder {
        self.cross_site_request(method, gateway, path).header("x-paihao-page", "1")
    }

    /// A request that another site's page has the browser make.
    pub fn cross_site_request(
        &self,
        method: Method,
        gateway: &Gateway,
        path: &str,
    ) -> RequestBuilder {
        let url = format!("{}{path}", api_url(gateway));
        self.cluster.http.request(method, url).header(COOKIE, &self.cookie)
    }

    pub async fn get(&self, gateway: &Gateway, path: &str) -> (StatusCode, Value) {
        read_json(self.same_origin_request(Method::GET, gateway, path).send().await.unwrap()).await
    }
}

/// Waits for what other replicas hear of in a moment.
pub async fn wait_until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(30), async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("still not: {what}"));
}
