//! Asks an admin port whether its process is ready, without an HTTP client.

use paihao_chassis::Exit;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Asks, prints the answer, and exits with 0 if it is yes and 1 if it is not.
pub async fn check_ready(admin: SocketAddr) -> Exit {
    match tokio::time::timeout(Duration::from_secs(5), fetch_ready(admin)).await {
        Ok(Ok(answer)) => {
            println!("{}", answer.rsplit("\r\n\r\n").next().unwrap_or_default());
            match answer.split_whitespace().nth(1) == Some("200") {
                true => Exit::Clean,
                false => Exit::FailedToStart,
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
    let mut connection = TcpStream::connect(admin).await?;
    connection.write_all(b"GET /ready HTTP/1.0\r\n\r\n").await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    Ok(answer)
}
