//! Listening sockets of a process, which the next start of it, or systemd, hands over: connections
//! that come meanwhile wait in them, and are not refused.
//!
//! The form is that of systemd's `sd_listen_fds(3)`.

use anyhow::Context;
use command_fds::{CommandFdExt, FdMapping};
use listenfd::ListenFd;
use parking_lot::Mutex;
use std::fs::File;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::os::fd::RawFd;
use std::process::Command;
use tokio::net::TcpListener;

/// The first descriptor that is handed over.
const FIRST_FD: RawFd = 3;

/// Most sockets of a process.
const MAX_SOCKETS: usize = 8;

/// Sockets that were handed over, and those that this process listens on.
#[derive(Debug, Default)]
pub struct ListeningSockets {
    inherited: Mutex<Vec<StdTcpListener>>,
    open: Mutex<Vec<StdTcpListener>>,
    /// Holds the descriptors to which the sockets are moved when they are handed over: whatever
    /// else had them would be exchanged under threads that still run.
    _reserved: Vec<File>,
}

impl ListeningSockets {
    /// Takes the sockets that were handed over to this process. Call it before anything is opened.
    pub fn inherited() -> ListeningSockets {
        let mut handed_over = ListenFd::from_env();
        let listeners =
            (0..handed_over.len()).filter_map(|index| handed_over.take_tcp_listener(index).ok()?);
        let inherited = Mutex::new(listeners.collect());
        let reserved = (0..MAX_SOCKETS).filter_map(|_| File::open("/dev/null").ok());
        ListeningSockets { inherited, open: Mutex::default(), _reserved: reserved.collect() }
    }

    /// Listens on an address, by the socket that was handed over for it if there is one. The error
    /// names the address.
    pub async fn listen(&self, address: SocketAddr) -> anyhow::Result<TcpListener> {
        let listening = match self.take_inherited(address) {
            Some(inherited) => inherited.set_nonblocking(true).map(|()| inherited),
            None => match TcpListener::bind(address).await {
                Ok(bound) => bound.into_std(),
                Err(error) => Err(error),
            },
        };
        let listening = listening.and_then(|listener| {
            self.open.lock().push(listener.try_clone()?);
            TcpListener::from_std(listener)
        });
        listening.with_context(|| format!("cannot listen on {address}"))
    }

    fn take_inherited(&self, address: SocketAddr) -> Option<StdTcpListener> {
        let mut inherited = self.inherited.lock();
        let is_at = |listener: &StdTcpListener| listener.local_addr().is_ok_and(|at| at == address);
        let index = inherited.iter().position(is_at)?;
        Some(inherited.swap_remove(index))
    }

    /// Closes the sockets that were handed over and are not used.
    pub fn close_unused(&self) {
        self.inherited.lock().clear();
    }

    /// Has a program that runs in the place of this process take its sockets over.
    pub fn hand_over(&self, command: &mut Command) -> anyhow::Result<()> {
        let sockets = std::mem::take(&mut *self.open.lock());
        command.env("LISTEN_PID", std::process::id().to_string());
        command.env("LISTEN_FDS", sockets.len().to_string());
        let mappings = (FIRST_FD..).zip(sockets);
        let mappings = mappings
            .map(|(child_fd, socket)| FdMapping { parent_fd: socket.into(), child_fd })
            .collect();
        command.fd_mappings(mappings).context("cannot hand the listening sockets over")?;
        Ok(())
    }
}
