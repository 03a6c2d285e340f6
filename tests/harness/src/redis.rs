//! A redis-server that writes down every command before it answers.

use crate::process::Process;
use crate::wait::wait_blocking;
use crate::{free_port, tools};
use parking_lot::Mutex;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;

/// A redis-server of our own. Killed when dropped.
pub struct RedisServer {
    running: Mutex<Option<Process>>,
    binary: PathBuf,
    port: u16,
    dir: TempDir,
}

impl RedisServer {
    /// Starts the server.
    pub fn start() -> Self {
        RedisServer::start_with(&tools::redis_server())
    }

    /// Starts this program.
    pub fn start_with(binary: &Path) -> Self {
        let dir = tempfile::Builder::new().prefix("redis-").tempdir().expect("a directory");
        for _ in 0..5 {
            let port = free_port();
            let mut process = spawn(binary, port, dir.path());
            if is_up(&mut process, port) {
                let running = Mutex::new(Some(process));
                return RedisServer { running, binary: binary.to_owned(), port, dir };
            }
        }
        panic!("redis-server does not come up:\n{}", log(dir.path()));
    }

    /// One server for the whole test binary, started by whoever asks first; tests keep apart by
    /// namespace. Do not kill it.
    pub fn shared() -> &'static RedisServer {
        static SHARED: OnceLock<RedisServer> = OnceLock::new();
        SHARED.get_or_init(RedisServer::start)
    }

    /// `redis://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The loopback port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// SIGKILL. What it had accepted stays in its directory.
    pub fn kill(&self) {
        self.running.lock().take();
    }

    /// Starts it again on the same port with the same data (after killing it, if it still runs),
    /// and waits until it has loaded them.
    pub fn restart(&self) {
        let mut running = self.running.lock();
        running.take();
        let mut process = spawn(&self.binary, self.port, self.dir.path());
        assert!(is_up(&mut process, self.port), "{}", log(self.dir.path()));
        *running = Some(process);
    }

    /// Throws its data away; call it between [`kill`](Self::kill) and [`restart`](Self::restart).
    pub fn lose_data(&self) {
        assert!(self.running.lock().is_none(), "kill the server before losing its data");
        let _ = std::fs::remove_dir_all(self.dir.path().join("appendonlydir"));
        let _ = std::fs::remove_file(self.dir.path().join("appendonly.aof"));
    }

    /// SIGSTOP: it keeps its connections and says nothing.
    pub fn freeze(&self) {
        self.running.lock().as_ref().expect("a running server").freeze();
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        self.running.lock().as_ref().expect("a running server").thaw();
    }

    /// Its process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.running.lock().as_ref().map(Process::id)
    }
}

fn spawn(binary: &Path, port: u16, dir: &Path) -> Process {
    let mut command = Command::new(binary);
    command
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--daemonize", "no"])
        .args(["--save", "", "--appendonly", "yes", "--appendfsync", "everysec", "--dir"])
        .arg(dir);
    Process::start(command, &dir.join("log"), dir)
}

fn is_up(process: &mut Process, port: u16) -> bool {
    wait_blocking(Duration::from_secs(20), || {
        process.has_ended() || answers_ping(process.id(), port)
    }) && !process.has_ended()
}

/// Whether this very server, and no other that happens to have the port, answers.
fn answers_ping(pid: u32, port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
    let _ = stream.write_all(b"PING\r\nINFO server\r\nQUIT\r\n");
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    let said = String::from_utf8_lossy(&said);
    said.starts_with("+PONG") && said.contains(&format!("process_id:{pid}\r\n"))
}

fn log(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("log")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(port: u16, command: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        said
    }

    #[test]
    fn a_killed_one_keeps_what_it_was_told() {
        let server = RedisServer::start();
        ask(server.port(), "SET colour green");
        server.kill();
        server.restart();
        assert!(ask(server.port(), "GET colour").contains("green"));
        server.kill();
        server.lose_data();
        server.restart();
        assert!(!ask(server.port(), "GET colour").contains("green"));
    }

    #[test]
    fn says_nothing_while_frozen() {
        let server = RedisServer::start();
        let pid = server.pid().unwrap();
        server.freeze();
        assert!(!answers_ping(pid, server.port()));
        server.thaw();
        assert!(answers_ping(pid, server.port()));
    }
}
