//! Process of one role of the product, with checks of its readiness and metrics.

use anyhow::{Context, ensure};
use harness::{Program, free_port};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

/// Limit of the time until a role is ready. A debug build on a busy machine is slow.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// Process of one role of the product.
pub struct RoleProcess {
    pub program: Program,
    /// Port on which the gateway serves; unused by other roles.
    pub port: u16,
    pub admin: u16,
}

impl RoleProcess {
    /// Starts a role of this program or of the product's own. `configuration` makes its text from
    /// the two ports.
    pub fn start(
        program: &Path,
        role: &str,
        configuration: impl Fn(u16, u16) -> String,
    ) -> RoleProcess {
        let port = free_port();
        let admin = free_port();
        let text = configuration(port, admin);
        let is_this = std::env::current_exe().is_ok_and(|this| this == program);
        let prefix = if is_this { &["role", "--"][..] } else { &[] };
        let arguments = [prefix, &["--config", "{dir}/paihao.toml", role]].concat();
        let program = Program::start(program, &arguments, &[("paihao.toml", &*text)]);
        RoleProcess { program, port, admin }
    }

    /// Waits until the admin port reports readiness.
    pub async fn wait_until_ready(&self) -> anyhow::Result<()> {
        wait_until("a role is ready", || is_ready(self.admin))
            .await
            .with_context(|| self.log_tail())
    }

    /// Value of the metric with this name and these labels; 0 if there is none.
    pub fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let metrics = admin_get(self.admin, "/metrics").context("no metrics")?;
        let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(Ok(0.0), |value| value.parse().context("not a number"))
    }

    /// Answer of the admin port, as JSON.
    pub fn admin(&self, path: &str) -> anyhow::Result<Value> {
        let answer = admin_get(self.admin, path).with_context(|| path.to_owned())?;
        let (_, body) = answer.split_once("\r\n\r\n").context("an answer without a head")?;
        serde_json::from_str(body).with_context(|| format!("{path}: {answer}"))
    }

    /// Last lines of the log.
    pub fn log_tail(&self) -> String {
        let output = self.program.output();
        let lines: Vec<_> = output.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

fn is_ready(admin: u16) -> bool {
    admin_get(admin, "/ready").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// Returns the whole response of an admin port, head and body.
fn admin_get(admin: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, admin))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Polls a condition until it holds, up to [`READY_TIMEOUT`].
pub async fn wait_until(description: &str, condition: impl Fn() -> bool) -> anyhow::Result<()> {
    let started = Instant::now();
    while !condition() {
        ensure!(
            started.elapsed() < READY_TIMEOUT,
            "still not after {READY_TIMEOUT:?}: {description}"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}
