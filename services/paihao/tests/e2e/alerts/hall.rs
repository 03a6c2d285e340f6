//! People and staff of a hall, who go on whatever is broken: their answers are not looked at.

use crate::support::cluster::{Cluster, STAFF_KEY, site_id};
use crate::support::http::{send_json, staff_request};
use reqwest::StatusCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Time that somebody waits for an answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(6);

/// A hall at the first gateway of a cluster, with one counter open.
pub struct Hall<'c> {
    cluster: &'c Cluster,
    next: AtomicU32,
}

impl<'c> Hall<'c> {
    /// Opens the counter.
    pub async fn open(cluster: &'c Cluster) -> Hall<'c> {
        let hall = Hall { cluster, next: AtomicU32::new(0) };
        let (status, opened) = send_json(hall.counter_request("open")).await;
        assert_eq!(status, StatusCode::OK, "{opened}");
        // Each kind of message is counted before a rate of it is looked at.
        hall.serve_somebody().await;
        hall
    }

    fn number(&self) -> u32 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn counter_request(&self, act: &str) -> reqwest::RequestBuilder {
        let gateway = &self.cluster.gateways[0].url;
        let url = format!("{gateway}/api/v1/sites/{}/counters/1/{act}", site_id(0));
        let request =
            staff_request(&self.cluster.http, STAFF_KEY, &url, &self.number().to_string());
        request.timeout(REQUEST_TIMEOUT)
    }

    /// Somebody scans the permanent code.
    pub async fn scan(&self) {
        let person = format!("oPerson{}", self.number());
        self.cluster.scan_permanent_code(&person, &site_id(0)).await;
    }

    /// Staff call the next person, and finish with the one before.
    pub async fn call_next(&self) {
        let _ = self.counter_request("call-next").send().await;
    }

    /// Somebody scans and is called.
    pub async fn serve_somebody(&self) {
        self.scan().await;
        let _ = self.counter_request("finish").send().await;
        self.call_next().await;
    }

    /// A browser requests a code.
    pub async fn open_session(&self) {
        let url = format!("{}/api/v1/scan-sessions", self.cluster.gateways[0].url);
        let body = format!(r#"{{"site":"{}","queue":"a"}}"#, site_id(0));
        let request = self.cluster.http.post(url).body(body).timeout(REQUEST_TIMEOUT);
        let _ = request.send().await;
    }

    /// A callback comes whose signature does not fit.
    pub async fn forge_callback(&self) {
        let url = &self.cluster.callback_urls()[0];
        let query = "signature=0000000000000000000000000000000000000000&timestamp=1&nonce=1";
        let _ = self.cluster.http.post(format!("{url}?{query}")).body("<xml/>").send().await;
    }

    /// Somebody tries so many keys at each gateway.
    pub async fn guess_keys(&self, count: u32) {
        for gateway in &self.cluster.gateways {
            let url = format!("{}/api/v1/me", gateway.url);
            for _ in 0..count {
                let key = format!("a-key-of-nobody-{}", self.number());
                let request = self.cluster.http.get(&url).bearer_auth(key);
                let _ = request.timeout(REQUEST_TIMEOUT).send().await;
            }
        }
    }

    /// A manager discards every dead letter.
    pub async fn drop_dead_letters(&self) {
        let url = format!("{}/api/v1/dead-letters", self.cluster.gateways[0].url);
        let read = self.cluster.http.get(format!("{url}?handled=false")).bearer_auth(STAFF_KEY);
        let (_, page) = send_json(read).await;
        for letter in page["letters"].as_array().into_iter().flatten() {
            let drop = format!("{url}/{}/drop", letter["id"]);
            let _ = send_json(self.cluster.http.post(drop).bearer_auth(STAFF_KEY)).await;
        }
    }
}

/// A receiver that takes whatever is posted to it.
pub async fn accept_everything(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut request = vec![0; 64 * 1024];
            let _ = stream.read(&mut request).await;
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            let _ = stream.write_all(answer.as_bytes()).await;
        });
    }
}
