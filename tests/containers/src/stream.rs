//! Reader of the site's feed through the balancer, for the whole run: one stream that is taken up
//! again where it ended.

use crate::clients::SITE;
use crate::compose::{Deployment, STAFF_KEY};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Longest silence of a stream; the gateway writes every 20 seconds.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(30);

/// Events that a reader has received.
#[derive(Default)]
pub struct Received {
    pub events: Vec<Value>,
    /// Streams that ended and were opened again.
    pub reopened: u64,
}

/// Reader of a feed.
pub struct FeedReader {
    received: Arc<Mutex<Received>>,
    task: JoinHandle<()>,
}

impl FeedReader {
    pub fn start(deployment: &Deployment) -> FeedReader {
        let received = Arc::<Mutex<Received>>::default();
        let task = tokio::spawn(read(deployment.clone(), received.clone()));
        FeedReader { received, task }
    }

    /// Number of events so far.
    pub fn len(&self) -> usize {
        self.received.lock().expect("nobody panics with it").events.len()
    }

    /// Ends the stream.
    pub fn finish(self) -> Received {
        self.task.abort();
        std::mem::take(&mut *self.received.lock().expect("nobody panics with it"))
    }
}

async fn read(deployment: Deployment, received: Arc<Mutex<Received>>) {
    let url = format!("{}/api/v1/sites/{SITE}/feed", deployment.url);
    let mut last_id: Option<String> = None;
    loop {
        let mut request = deployment.http.get(&url).bearer_auth(STAFF_KEY);
        // For the whole stream, which is longer than any other answer.
        request = request.timeout(Duration::from_secs(24 * 3600));
        if let Some(id) = &last_id {
            request = request.header("last-event-id", id);
        }
        if let Ok(mut answer) = request.send().await
            && answer.status().is_success()
        {
            let mut buffer = String::new();
            while let Ok(Ok(Some(chunk))) =
                tokio::time::timeout(SILENCE_TIMEOUT, answer.chunk()).await
            {
                buffer.push_str(&String::from_utf8_lossy(&chunk));
                while let Some((event, rest)) = buffer.split_once("\n\n") {
                    take_up(event, &mut last_id, &received);
                    buffer = rest.to_owned();
                }
            }
        }
        received.lock().expect("nobody panics with it").reopened += 1;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Reads one event; without data it only moves the cursor.
fn take_up(event: &str, last_id: &mut Option<String>, received: &Mutex<Received>) {
    if let Some(id) = event.lines().find_map(|line| line.strip_prefix("id: ")) {
        *last_id = Some(id.to_owned());
    }
    let data = event.lines().find_map(|line| line.strip_prefix("data: "));
    if let Some(data) = data.and_then(|data| serde_json::from_str(data).ok()) {
        received.lock().expect("nobody panics with it").events.push(data);
    }
}
