//! Browser with a session cookie, for tests.

use crate::support::cluster::Cluster;
use crate::support::gateway::{Gateway, MANAGER_KEY, read_json};
use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;

/// Browser with a session.
pub struct Browser<'a> {
    cluster: &'a Cluster,
    pub cookie: String,
}

impl<'a> Browser<'a> {
    /// Logs in with the manager's key of the hall.
    pub async fn log_in(cluster: &'a Cluster, gateway: &Gateway) -> Browser<'a> {
        let request = cluster.http.post(gateway.api("/me/sessions")).bearer_auth(MANAGER_KEY);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        let set_cookie = response.headers()[SET_COOKIE].to_str().unwrap();
        for flag in ["Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=604800"] {
            assert!(set_cookie.split("; ").any(|part| part == flag), "{flag}: {set_cookie}");
        }
        Browser { cluster, cookie: set_cookie.split(';').next().unwrap().to_owned() }
    }

    /// Builds a request as a page of the gateway makes it.
    pub fn same_origin_request(
        &self,
        method: Method,
        gateway: &Gateway,
        path: &str,
    ) -> RequestBuilder {
        self.cross_site_request(method, gateway, path).header("x-paihao-page", "1")
    }

    /// Builds a request that a page of another site causes.
    pub fn cross_site_request(
        &self,
        method: Method,
        gateway: &Gateway,
        path: &str,
    ) -> RequestBuilder {
        self.cluster.http.request(method, gateway.api(path)).header(COOKIE, &self.cookie)
    }

    pub async fn get(&self, gateway: &Gateway, path: &str) -> (StatusCode, Value) {
        read_json(self.same_origin_request(Method::GET, gateway, path).send().await.unwrap()).await
    }
}
