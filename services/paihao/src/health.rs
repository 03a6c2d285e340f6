//! Readiness check of a process at its admin port.

use crate::plain_http;
use paihao_chassis::Exit;
use std::net::SocketAddr;
use std::time::Duration;

/// Requests `/ready` and prints the response. Exits with 0 for status 200 and 1 otherwise; waits 5
/// s.
pub async fn check_ready(admin: SocketAddr) -> Exit {
    match tokio::time::timeout(Duration::from_secs(5), fetch_ready(admin)).await {
        Ok(Ok(response)) => {
            println!("{}", response.rsplit("\r\n\r\n").next().unwrap_or_default());
            if response.split_whitespace().nth(1) == Some("200") {
                Exit::Clean
            } else {
                Exit::FailedToStart
            }
        }
        Ok(Err(error)) => {
            eprintln!("{admin} does not answer: {error}");
            Exit::FailedToStart
        }
        Err(_) => {
            eprintln!("{admin} does not answer in time");
            Exit::FailedToStart
        }
    }
}

async fn fetch_ready(mut admin: SocketAddr) -> std::io::Result<String> {
    if admin.ip().is_unspecified() {
        admin.set_ip([127, 0, 0, 1].into());
    }
    plain_http::get(admin, "/ready").await
}
