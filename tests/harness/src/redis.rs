//! Process of a redis-server with an append-only file, which it writes before it answers.

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

/// A redis-server process, killed when dropped.
pub struct RedisServer {
    running: Mutex<Option<Process>>,
    binary: PathBuf,
    arguments: Vec<String>,
    port: u16,
    dir: TempDir,
}

impl RedisServer {
    /// Starts the server.
    pub fn start() -> Self {
        RedisServer::start_with(&tools::redis_server())
    }

    /// Starts the server of this program.
    pub fn start_with(binary: &Path) -> Self {
        RedisServer::start_program(binary, &[])
    }

    /// Starts the server with further arguments.
    pub fn start_with_arguments(arguments: &[String]) -> Self {
        RedisServer::start_program(&tools::redis_server(), arguments)
    }

    fn start_program(binary: &Path, arguments: &[String]) -> Self {
        let dir = tempfile::Builder::new().prefix("redis-").tempdir().expect("a directory");
        for _ in 0..5 {
            let port = free_port();
            let mut process = spawn(binary, arguments, port, dir.path());
            if is_up(&mut process, port) {
                let running = Mutex::new(Some(process));
                let (binary, arguments) = (binary.to_owned(), arguments.to_vec());
                return RedisServer { running, binary, arguments, port, dir };
            }
        }
        panic!("redis-server does not come up:\n{}", log(dir.path()));
    }

    /// Returns the server that all tests of the binary share, started on first use. Tests separate
    /// their data by namespace and must not kill it.
    pub fn shared() -> &'static RedisServer {
        static SHARED: OnceLock<RedisServer> = OnceLock::new();
        SHARED.get_or_init(RedisServer::start)
    }

    /// Address of the server: `redis://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Folder of the server's files.
    pub fn data_folder(&self) -> &Path {
        self.dir.path()
    }

    /// Loopback port of the server.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills the server with SIGKILL. Its data directory stays.
    pub fn kill(&self) {
        self.running.lock().take();
    }

    /// Restarts the server on the same port with the same data, killing it first if it runs.
    /// Returns when it has loaded its data.
    pub fn restart(&self) {
        let mut running = self.running.lock();
        running.take();
        let mut process = spawn(&self.binary, &self.arguments, self.port, self.dir.path());
        assert!(is_up(&mut process, self.port), "{}", log(self.dir.path()));
        *running = Some(process);
    }

    /// Deletes the data. To be called between [`kill`](Self::kill) and [`restart`](Self::restart).
    pub fn lose_data(&self) {
        assert!(self.running.lock().is_none(), "kill the server before losing its data");
        let _ = std::fs::remove_dir_all(self.dir.path().join("appendonlydir"));
        let _ = std::fs::remove_file(self.dir.path().join("appendonly.aof"));
    }

    /// Stops the process with SIGSTOP: it keeps its connections and does not answer.
    pub fn freeze(&self) {
        self.running.lock().as_ref().expect("a running server").freeze();
    }

    /// Continues the process with SIGCONT.
    pub fn thaw(&self) {
        self.running.lock().as_ref().expect("a running server").thaw();
    }

    /// Number of calls of each command since the start; `None` if the server does not answer.
    pub fn command_counts(&self) -> Option<Vec<(String, u64)>> {
        let answer = ask(self.port, b"INFO commandstats\r\nQUIT\r\n")?;
        Some(answer.lines().filter_map(command_count).collect())
    }

    /// Process id while the server runs.
    pub fn pid(&self) -> Option<u32> {
        self.running.lock().as_ref().map(Process::id)
    }
}

fn spawn(binary: &Path, arguments: &[String], port: u16, dir: &Path) -> Process {
    let mut command = Command::new(binary);
    command
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--daemonize", "no"])
        .args(["--save", "", "--appendonly", "yes", "--appendfsync", "everysec", "--dir"])
        .arg(dir)
        .args(arguments);
    Process::start(command, &dir.join("log"), dir)
}

fn is_up(process: &mut Process, port: u16) -> bool {
    wait_blocking(Duration::from_secs(20), || {
        process.has_ended() || answers_ping(process.id(), port)
    }) && !process.has_ended()
}

/// True if this server answers, and not another that took its port.
fn answers_ping(pid: u32, port: u16) -> bool {
    let Some(text) = ask(port, b"PING\r\nINFO server\r\nQUIT\r\n") else { return false };
    text.starts_with("+PONG") && text.contains(&format!("process_id:{pid}\r\n"))
}

/// Everything that the server answers to these commands, of which the last one ends the connection.
fn ask(port: u16, commands: &[u8]) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
    let _ = stream.write_all(commands);
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Command and count in a line such as `cmdstat_get:calls=7,usec=…`.
fn command_count(line: &str) -> Option<(String, u64)> {
    let (command, statistics) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
    Some((command.to_owned(), statistics.split(',').next()?.parse().ok()?))
}

fn log(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("log")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command_reply(port: u16, command: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    }

    #[test]
    fn a_killed_one_keeps_what_it_was_told() {
        let server = RedisServer::start();
        command_reply(server.port(), "SET colour green");
        server.kill();
        server.restart();
        assert!(command_reply(server.port(), "GET colour").contains("green"));
        server.kill();
        server.lose_data();
        server.restart();
        assert!(!command_reply(server.port(), "GET colour").contains("green"));
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
