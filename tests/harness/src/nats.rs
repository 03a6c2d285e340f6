//! Process of a nats-server with JetStream on a file store.

use crate::process::Process;
use crate::wait::wait_blocking;
use crate::{free_port, tools};
use parking_lot::Mutex;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;

/// Setup of a [`NatsServer`].
#[derive(Debug, Clone)]
pub struct NatsSetup {
    /// Path of the program.
    pub binary: PathBuf,
    /// True if JetStream is enabled.
    pub jetstream: bool,
    /// True if each entry is on the disk before it is acknowledged, as in `deploy/nats.conf`.
    pub sync: bool,
    /// Lines added to the server's configuration, such as users.
    pub extra_config: String,
}

impl Default for NatsSetup {
    fn default() -> Self {
        NatsSetup {
            binary: tools::nats_server(),
            jetstream: true,
            sync: true,
            extra_config: String::new(),
        }
    }
}

/// A nats-server process, killed when dropped.
pub struct NatsServer {
    running: Mutex<Option<Process>>,
    setup: NatsSetup,
    port: u16,
    monitor_port: u16,
    dir: TempDir,
}

impl NatsServer {
    /// Starts the newest supported server.
    pub fn start() -> Self {
        NatsServer::with_setup(NatsSetup::default())
    }

    /// Starts the server of this program.
    pub fn start_with(binary: &Path) -> Self {
        // The oldest supported server does not know the setting.
        let sync = binary != tools::nats_server_oldest();
        NatsServer::with_setup(NatsSetup {
            binary: binary.to_owned(),
            sync,
            ..NatsSetup::default()
        })
    }

    /// Returns the server that all tests of the binary share, started on first use. Tests separate
    /// their data by namespace and must not kill it.
    pub fn shared() -> &'static NatsServer {
        static SHARED: OnceLock<NatsServer> = OnceLock::new();
        SHARED.get_or_init(NatsServer::start)
    }

    /// Starts a server with this setup.
    pub fn with_setup(setup: NatsSetup) -> Self {
        let dir = tempfile::Builder::new().prefix("nats-").tempdir().expect("a directory");
        for _ in 0..5 {
            let (port, monitor_port) = (free_port(), free_port());
            let config = config_file(&setup, port, monitor_port, dir.path());
            std::fs::write(dir.path().join("server.conf"), config).expect("a configuration file");
            let mut process = spawn(&setup.binary, dir.path());
            if is_up(&mut process, port, setup.jetstream) {
                let running = Mutex::new(Some(process));
                return NatsServer { running, setup, port, monitor_port, dir };
            }
        }
        panic!("nats-server does not come up:\n{}", log(dir.path()));
    }

    /// Address of the server: `nats://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Address of the server's monitoring: `http://127.0.0.1:<port>`.
    pub fn monitor_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.monitor_port)
    }

    /// Loopback port of the server.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Folder of the server's files, its data among them.
    pub fn data_folder(&self) -> &Path {
        self.dir.path()
    }

    /// Name of the server, by which others of its cluster know it.
    pub fn name(&self) -> String {
        format!("t{}", self.port)
    }

    /// Body of a page of the monitoring; `None` if its status is not 200.
    pub fn monitor(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.monitor_port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
        let mut response = String::new();
        stream.read_to_string(&mut response).ok()?;
        let (head, body) = response.split_once("\r\n\r\n")?;
        head.split(' ').nth(1).filter(|status| *status == "200")?;
        Some(body.to_owned())
    }

    /// Kills the server with SIGKILL. Its data directory stays.
    pub fn kill(&self) {
        self.running.lock().take();
    }

    /// Restarts the server on the same port with the same data, killing it first if it runs.
    /// Returns when it has recovered its data.
    pub fn restart(&self) {
        let mut running = self.running.lock();
        running.take();
        let mut process = spawn(&self.setup.binary, self.dir.path());
        let jetstream = self.setup.jetstream;
        assert!(is_up(&mut process, self.port, jetstream), "{}", log(self.dir.path()));
        *running = Some(process);
    }

    /// Stops the server with SIGTERM and restarts it on the same port with the same data.
    pub fn restart_softly(&self) {
        if let Some(process) = self.running.lock().as_mut() {
            process.terminate();
            process.wait();
        }
        self.restart();
    }

    /// Copies the data as it is on the disk at this moment, as a snapshot of the disk does.
    pub fn save_data(&self) -> SavedData {
        let copy = tempfile::Builder::new().prefix("nats-saved-").tempdir().expect("a directory");
        let running = self.running.lock();
        running.iter().for_each(Process::freeze);
        copy_folder(&self.dir.path().join("data"), copy.path()).expect("the data can be copied");
        running.iter().for_each(Process::thaw);
        SavedData(copy)
    }

    /// Replaces the data by an older copy. To be called between [`kill`](Self::kill) and
    /// [`restart`](Self::restart).
    pub fn put_back(&self, saved: &SavedData) {
        self.lose_data();
        let data = self.dir.path().join("data");
        copy_folder(saved.0.path(), &data).expect("the data can be copied");
    }

    /// Deletes the data. To be called between [`kill`](Self::kill) and [`restart`](Self::restart).
    pub fn lose_data(&self) {
        assert!(self.running.lock().is_none(), "kill the server before losing its data");
        let _ = std::fs::remove_dir_all(self.dir.path().join("data"));
    }

    /// Stops the process with SIGSTOP: it keeps its connections and does not answer.
    pub fn freeze(&self) {
        self.running.lock().as_ref().expect("a running server").freeze();
    }

    /// Continues the process with SIGCONT.
    pub fn thaw(&self) {
        self.running.lock().as_ref().expect("a running server").thaw();
    }

    /// Process id while the server runs.
    pub fn pid(&self) -> Option<u32> {
        self.running.lock().as_ref().map(Process::id)
    }
}

/// Copy of a server's data, from [`NatsServer::save_data`].
pub struct SavedData(TempDir);

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn config_file(setup: &NatsSetup, port: u16, monitor_port: u16, dir: &Path) -> String {
    let mut conf = format!("server_name: t{port}\nlisten: \"127.0.0.1:{port}\"\n");
    conf += &format!("http: \"127.0.0.1:{monitor_port}\"\n");
    if setup.jetstream {
        let data = dir.join("data");
        let sync = if setup.sync { ", sync_interval: always" } else { "" };
        conf += &format!("jetstream {{ store_dir: \"{}\"{sync} }}\n", data.display());
    }
    conf + &setup.extra_config + "\n"
}

fn spawn(binary: &Path, dir: &Path) -> Process {
    let mut command = Command::new(binary);
    command.arg("-c").arg(dir.join("server.conf"));
    Process::start(command, &dir.join("log"), dir)
}

/// Waits until this server answers, and not another that took its port.
fn is_up(process: &mut Process, port: u16, jetstream: bool) -> bool {
    wait_blocking(Duration::from_secs(20), || process.has_ended() || sends_info(port, jetstream))
        && !process.has_ended()
}

fn sends_info(port: u16, jetstream: bool) -> bool {
    let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).is_ok()
        && line.contains(&format!("\"server_name\":\"t{port}\""))
        && (!jetstream || line.contains("\"jetstream\":true"))
}

fn log(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("log")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_on_its_port() {
        let server = NatsServer::start();
        server.kill();
        assert!(!sends_info(server.port(), true));
        server.restart();
        assert!(sends_info(server.port(), true));
    }

    #[test]
    fn says_nothing_while_frozen() {
        let server = NatsServer::start();
        server.freeze();
        assert!(!sends_info(server.port(), true));
        server.thaw();
        assert!(sends_info(server.port(), true));
    }

    #[test]
    fn a_shared_one_is_one() {
        assert_eq!(NatsServer::shared().port(), NatsServer::shared().port());
    }

    #[test]
    fn the_oldest_one_starts_too() {
        let server = NatsServer::start_with(&tools::nats_server_oldest());
        assert!(server.pid().is_some());
    }
}
