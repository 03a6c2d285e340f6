//! Certificate authority that speaks ACME: a Caddy with an authority of its own.

use crate::process::Process;
use crate::wait::wait_blocking;
use crate::{free_port, tools};
use parking_lot::Mutex;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// Authority on a loopback port, killed when dropped. It asks for a host at its port 443.
pub struct AcmeServer {
    running: Mutex<Option<Process>>,
    port: u16,
    dir: TempDir,
}

impl AcmeServer {
    /// Starts the authority with a new root.
    pub fn start() -> AcmeServer {
        let dir = tempfile::Builder::new().prefix("acme-").tempdir().expect("a directory");
        let port = free_port();
        let text = configuration(port, dir.path());
        std::fs::write(dir.path().join("Caddyfile"), text).expect("a file can be written");
        let server = AcmeServer { running: Mutex::new(None), port, dir };
        server.restart();
        server
    }

    /// Kills the authority. Its data stays.
    pub fn kill(&self) {
        self.running.lock().take();
    }

    /// Starts it on the same port with the same data, and waits until it answers.
    pub fn restart(&self) {
        let mut running = self.running.lock();
        running.take();
        let mut command = Command::new(tools::caddy());
        command.args(["run", "--adapter", "caddyfile", "--config"]);
        command.arg(self.dir.path().join("Caddyfile"));
        let folders = ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"];
        command.envs(folders.map(|name| (name, self.dir.path())));
        // The guardian gets a folder that does not exist, because the data outlives a kill.
        let log = self.dir.path().join("log");
        let mut process = Process::start(command, &log, &self.dir.path().join("nothing"));
        let is_up = || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() && self.root().is_file()
        };
        let came = wait_blocking(Duration::from_secs(30), || process.has_ended() || is_up());
        assert!(came && !process.has_ended(), "caddy does not come up:\n{}", self.log());
        *running = Some(process);
    }

    /// Address of its directory.
    pub fn directory(&self) -> String {
        format!("https://localhost:{}/acme/local/directory", self.port)
    }

    /// File with the root of its certificates, and of that of its own server.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("data/pki/authorities/local/root.crt")
    }

    /// Output of all its runs.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

fn configuration(port: u16, dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "{{
            admin off
            auto_https disable_redirects
            skip_install_trust
            storage file_system {dir}/data
        }}
        https://localhost:{port} {{
            bind 127.0.0.1
            tls internal
            acme_server
        }}
        "
    )
}

/// Waits until nobody has the loopback port 443, at which authorities ask.
///
/// # Panics
/// This user may not listen there.
pub fn wait_for_https_port() {
    let mut refused = None;
    let free = wait_blocking(Duration::from_secs(60), || {
        refused = TcpListener::bind((Ipv4Addr::LOCALHOST, 443)).err();
        refused.as_ref().is_none_or(|error| error.kind() != std::io::ErrorKind::AddrInUse)
    });
    assert!(free, "something else listens on 127.0.0.1:443");
    if let Some(error) = refused {
        panic!(
            "cannot listen on 127.0.0.1:443, at which authorities ask: {error}. Be root, or run \
             `sysctl net.ipv4.ip_unprivileged_port_start=443` as root"
        );
    }
}
