//! GET over plain HTTP/1.0, for addresses inside a deployment.
//!
//! Written by hand: it needs no TLS, proxy or connection pool, and container checks repeat it every
//! few seconds.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, ToSocketAddrs};

/// Requests a path at an address. Returns the whole response, head and body.
pub(crate) async fn get(address: impl ToSocketAddrs, path: &str) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(address).await?;
    connection.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await?;
    let mut response = String::new();
    connection.read_to_string(&mut response).await?;
    Ok(response)
}
