//! Listening socket that can refuse connections, and connections that can be cut.

use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Connection of a request's caller, as handlers see it.
#[derive(Debug, Clone)]
pub(crate) struct PeerConnection {
    /// Second handle of the same socket; `None` for the listener's own address.
    socket: Option<Arc<std::net::TcpStream>>,
}

impl PeerConnection {
    /// Ends the connection without sending another byte.
    pub(crate) fn cut(&self) {
        if let Some(socket) = &self.socket {
            // The connection may be closed already.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

/// Listener that closes its socket while connections are refused.
pub(crate) struct RefusableListener {
    listener: Option<TcpListener>,
    addr: SocketAddr,
    refusing: watch::Receiver<bool>,
}

impl RefusableListener {
    pub(crate) fn new(
        listener: TcpListener,
        refusing: watch::Receiver<bool>,
    ) -> std::io::Result<Self> {
        let addr = listener.local_addr()?;
        Ok(Self { listener: Some(listener), addr, refusing })
    }

    async fn next(&mut self) -> std::io::Result<(TcpStream, PeerConnection)> {
        if *self.refusing.borrow_and_update() {
            self.listener = None;
            // An error means that the sender is gone, so nothing can refuse connections any more.
            let _ = self.refusing.wait_for(|refusing| !refusing).await;
        }
        let listener = match &mut self.listener {
            Some(listener) => listener,
            closed => closed.insert(TcpListener::bind(self.addr).await?),
        };
        let accepted = tokio::select! {
            accepted = TcpListener::accept(listener) => accepted?.0,
            Ok(()) = self.refusing.changed() => return Err(std::io::ErrorKind::Interrupted.into()),
        };
        accepted.set_nodelay(true)?;
        let accepted = accepted.into_std()?;
        let socket = Some(Arc::new(accepted.try_clone()?));
        Ok((TcpStream::from_std(accepted)?, PeerConnection { socket }))
    }
}

impl Listener for RefusableListener {
    type Io = TcpStream;
    type Addr = PeerConnection;

    async fn accept(&mut self) -> (TcpStream, PeerConnection) {
        loop {
            match self.next().await {
                Ok(accepted) => return accepted,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<PeerConnection> {
        Ok(PeerConnection { socket: None })
    }
}

impl Connected<IncomingStream<'_, RefusableListener>> for PeerConnection {
    fn connect_info(stream: IncomingStream<'_, RefusableListener>) -> Self {
        stream.remote_addr().clone()
    }
}
