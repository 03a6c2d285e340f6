//! Screens: event streams of a site or a ticket, of which only the newest call is read.

use anyhow::{Context, ensure};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Record of the calls that the screens of one site have shown.
#[derive(Default)]
pub struct SiteScreens {
    /// Times at which each call was shown, by its number.
    calls: Mutex<HashMap<String, Vec<Instant>>>,
    changed: Notify,
    /// Screens that have received their first event.
    pub started_screens: AtomicUsize,
    /// Bytes of the last event, on a board and on a customer's page.
    pub board_bytes: AtomicUsize,
    pub customer_bytes: AtomicUsize,
}

impl SiteScreens {
    /// Waits until this many screens have shown the number, and returns the times.
    pub async fn wait_for_all(&self, screens: usize, number: &str) -> Vec<Instant> {
        loop {
            let changed = self.changed.notified();
            let times = self.shown_at(number);
            if times.len() >= screens {
                return times;
            }
            changed.await;
        }
    }

    /// Times at which screens showed this number.
    pub fn shown_at(&self, number: &str) -> Vec<Instant> {
        self.calls.lock().get(number).cloned().unwrap_or_default()
    }

    fn record_call(&self, number: &str) {
        let at = Instant::now();
        self.calls.lock().entry(number.to_owned()).or_default().push(at);
        self.changed.notify_waiters();
    }
}

/// Opens a stream and records its calls; it never ends without an error.
pub async fn watch_stream(
    port: u16,
    path: String,
    screens: Arc<SiteScreens>,
) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let is_board = path.starts_with("/api/v1/sites/");
    let bytes = if is_board { &screens.board_bytes } else { &screens.customer_bytes };
    stream.write_all(request.as_bytes()).await?;
    let mut text = Vec::new();
    let mut last = String::new();
    let mut is_first = true;
    loop {
        ensure!(stream.read_buf(&mut text).await? > 0, "a stream ended");
        while let Some(end) = find(&text, b"\n\n") {
            let event: Vec<u8> = text.drain(..end + 2).collect();
            let Some(newest) = newest_call(&event) else { continue };
            bytes.store(event.len(), Ordering::Relaxed);
            if std::mem::take(&mut is_first) {
                screens.started_screens.fetch_add(1, Ordering::Relaxed);
            }
            if newest != last {
                screens.record_call(newest);
                last = newest.to_owned();
            }
        }
    }
}

/// Number of the newest call in a site's event, or of the queue in a ticket's; empty before the
/// first call. `None` for any other text.
fn newest_call(event: &[u8]) -> Option<&str> {
    if find(event, b"\"queue_state\":").is_some() {
        let Some(called) = find(event, b"\"last_called\":\"") else { return Some("") };
        let number = &event[called + 15..];
        let end = number.iter().position(|byte| *byte == b'"')?;
        return std::str::from_utf8(&number[..end]).ok();
    }
    let calls = find(event, b"\"calls\":[")?;
    let calls = &event[calls..];
    let Some(number) = find(calls, b"\"number\":\"") else { return Some("") };
    // The list of calls is empty, and the number belongs to a later part of the event.
    if find(calls, b"]").is_some_and(|end| end < number) {
        return Some("");
    }
    let number = &calls[number + 10..];
    let end = number.iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(&number[..end]).context("not text").ok()
}

fn find(text: &[u8], pattern: &[u8]) -> Option<usize> {
    text.windows(pattern.len()).position(|window| window == pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_call_is_read_and_nothing_else() {
        let some = br#"data: {"calls":[{"call":1,"number":"A007"},{"number":"A006"}],"x":1}"#;
        assert_eq!(newest_call(some), Some("A007"));
        assert_eq!(newest_call(br#"{"calls":[],"queues":[{"number":"A001"}]}"#), Some(""));
        let ticket = br#"data: {"ahead":3,"last_called":"A007","queue_state":"open"}"#;
        assert_eq!(newest_call(ticket), Some("A007"));
        assert_eq!(newest_call(br#"{"ahead":3,"queue_state":"open"}"#), Some(""));
        assert_eq!(newest_call(b": "), None);
    }
}
