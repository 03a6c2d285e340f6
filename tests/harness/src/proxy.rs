//! TCP proxy that can be cut or stalled, to simulate failures of the network.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
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

/// Treatment of what comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Forwarding,
    /// Nothing passes, and no connection ends.
    Stalled,
    Cut,
}

struct ProxyState {
    flow: watch::Sender<Flow>,
    attempts: AtomicUsize,
    open_connections: AtomicUsize,
}

impl Proxy {
    /// Starts a proxy in front of a loopback port.
    pub fn start(target_port: u16) -> Self {
        let shared = Arc::new(ProxyState {
            flow: watch::Sender::new(Flow::Forwarding),
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
        self.shared.flow.send_replace(Flow::Cut);
        let all_closed = crate::wait::wait_blocking(Duration::from_secs(5), || {
            self.shared.open_connections.load(Ordering::SeqCst) == 0
        });
        assert!(all_closed, "connections survive the cut");
    }

    /// Lets nothing pass and keeps every connection open, as a network that loses all packets. New
    /// connections are accepted and get no answer. What was sent arrives after
    /// [`restore`](Self::restore).
    pub fn stall(&self) {
        self.shared.flow.send_replace(Flow::Stalled);
    }

    /// Forwards connections again.
    pub fn restore(&self) {
        self.shared.flow.send_replace(Flow::Forwarding);
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
        let flow = shared.flow.subscribe();
        if *flow.borrow() != Flow::Cut {
            shared.open_connections.fetch_add(1, Ordering::SeqCst);
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                forward(client, target, flow).await;
                shared.open_connections.fetch_sub(1, Ordering::SeqCst);
            });
        }
    }
}

async fn forward(mut client: TcpStream, target: SocketAddr, flow: watch::Receiver<Flow>) {
    let mut state = flow.clone();
    let forwarding = async {
        until_passing(&mut flow.clone()).await;
        let Ok(mut server) = TcpStream::connect(target).await else { return };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (client_reader, client_writer) = client.split();
        let (server_reader, server_writer) = server.split();
        tokio::join!(
            pump(client_reader, server_writer, flow.clone()),
            pump(server_reader, client_writer, flow.clone()),
        );
    };
    tokio::select! {
        () = forwarding => {}
        _ = state.wait_for(|flow| *flow == Flow::Cut) => {}
    }
}

async fn until_passing(flow: &mut watch::Receiver<Flow>) {
    let _ = flow.wait_for(|flow| *flow != Flow::Stalled).await;
}

/// Copies one direction until its end.
async fn pump(
    mut reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
    mut flow: watch::Receiver<Flow>,
) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = reader.read(&mut buffer).await.unwrap_or(0);
        until_passing(&mut flow).await;
        if read == 0 || writer.write_all(&buffer[..read]).await.is_err() {
            let _ = writer.shutdown().await;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    /// Server that returns each byte.
    fn start_echo() -> u16 {
        let echo = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = echo.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in echo.incoming() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    let mut byte = [0];
                    while stream.read_exact(&mut byte).is_ok() && stream.write_all(&byte).is_ok() {}
                });
            }
        });
        port
    }

    fn exchange(stream: &mut std::net::TcpStream, byte: u8) -> bool {
        let mut back = [0];
        stream.write_all(&[byte]).is_ok() && stream.read_exact(&mut back).is_ok() && back == [byte]
    }

    #[test]
    fn forwards_until_cut_and_again_when_mended() {
        let proxy = Proxy::start(start_echo());
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
    #[test]
    fn keeps_what_was_sent_while_stalled() {
        let proxy = Proxy::start(start_echo());
        let connect = || std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).unwrap();
        let mut old = connect();
        assert!(exchange(&mut old, 1));
        proxy.stall();
        let mut new = connect();
        for stream in [&mut old, &mut new] {
            stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
            stream.write_all(&[2]).unwrap();
            let error = stream.read_exact(&mut [0]).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "it stays open");
        }
        proxy.restore();
        for mut stream in [old, new] {
            stream.set_read_timeout(None).unwrap();
            let mut back = [0];
            stream.read_exact(&mut back).unwrap();
            assert_eq!(back, [2]);
        }
    }
}
