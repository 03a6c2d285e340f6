//! TCP proxy that can be cut, to simulate failures of the network.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

/// Proxy from its own loopback port to another one. It runs on its own thread, so that it does not
/// depend on the clock of the test's runtime.
pub struct Proxy {
    port: u16,
    shared: Arc<ProxyState>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct ProxyState {
    forwarding: watch::Sender<bool>,
    attempts: AtomicUsize,
    open_connections: AtomicUsize,
}

impl Proxy {
    /// Starts a proxy in front of a loopback port.
    pub fn start(target_port: u16) -> Self {
        let shared = Arc::new(ProxyState {
            forwarding: watch::Sender::new(true),
            attempts: AtomicUsize::new(0),
            open_connections: AtomicUsize::new(0),
        });
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        listener.set_nonblocking(true).expect("a socket can be non-blocking");
        let (stop, stopped) = oneshot::channel();
        let inside = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, target_port, inside) => {}
                    _ = stopped => {}
                }
            });
        });
        Proxy { port, shared, stop: Some(stop), thread: Some(thread) }
    }

    /// Port on which the proxy listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Closes every connection, and each new one, until [`restore`](Self::restore). New connections
    /// are accepted and closed at once, so that they can be counted; to have them refused, kill the
    /// server behind the proxy.
    pub fn cut(&self) {
        self.shared.forwarding.send_replace(false);
        let all_closed = crate::wait::wait_blocking(Duration::from_secs(5), || {
            self.shared.open_connections.load(Ordering::SeqCst) == 0
        });
        assert!(all_closed, "connections survive the cut");
    }

    /// Forwards connections again.
    pub fn restore(&self) {
        self.shared.forwarding.send_replace(true);
    }

    /// Number of connections so far, closed ones included.
    pub fn attempts(&self) -> usize {
        self.shared.attempts.load(Ordering::SeqCst)
    }

    /// Number of open connections.
    pub fn open_connections(&self) -> usize {
        self.shared.open_connections.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: std::net::TcpListener, target_port: u16, shared: Arc<ProxyState>) {
    let listener = TcpListener::from_std(listener).expect("a non-blocking listener");
    let target = SocketAddr::from((Ipv4Addr::LOCALHOST, target_port));
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        shared.attempts.fetch_add(1, Ordering::SeqCst);
        let is_forwarding = shared.forwarding.subscribe();
        if *is_forwarding.borrow() {
            shared.open_connections.fetch_add(1, Ordering::SeqCst);
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                forward(client, target, is_forwarding).await;
                shared.open_connections.fetch_sub(1, Ordering::SeqCst);
            });
        }
    }
}

async fn forward(
    mut client: TcpStream,
    target: SocketAddr,
    mut is_forwarding: watch::Receiver<bool>,
) {
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        _ = is_forwarding.wait_for(|is_forwarding| !is_forwarding) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn forwards_until_cut_and_again_when_mended() {
        let echo = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = Proxy::start(echo.local_addr().unwrap().port());
        std::thread::spawn(move || {
            for stream in echo.incoming() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    let mut byte = [0];
                    while stream.read_exact(&mut byte).is_ok() && stream.write_all(&byte).is_ok() {}
                });
            }
        });
        let exchange = |stream: &mut std::net::TcpStream, byte: u8| {
            let mut back = [0];
            stream.write_all(&[byte]).is_ok()
                && stream.read_exact(&mut back).is_ok()
                && back == [byte]
        };
        let connect = || std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).unwrap();

        let mut first = connect();
        assert!(exchange(&mut first, 7));
        proxy.cut();
        assert!(!exchange(&mut first, 8));
        assert!(!exchange(&mut connect(), 9));
        proxy.restore();
        assert!(exchange(&mut connect(), 10));
        assert_eq!(proxy.attempts(), 3);
    }
}
