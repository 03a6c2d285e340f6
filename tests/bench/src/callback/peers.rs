//! Server that a user would write with a public SDK, beside the gateway in the same run.

use super::deployment::BaselineServer;
use crate::member::wait_until;
use anyhow::Context;
use harness::{Program, free_port};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use wechat_sim::SimAccount;

/// Name of the peer in the report.
pub const WECHATPY: &str = "wechatpy";

/// Processes of the peer, as many as a guide would have on two processors.
const WORKERS: usize = 2;

/// Starts wechatpy on aiohttp. An error says why it is left out.
pub async fn start_wechatpy() -> anyhow::Result<BaselineServer> {
    let python = harness::python_packages().context("./tests/run tools has not installed it")?;
    let imported = Command::new("python3")
        .args(["-c", "import wechatpy, aiohttp"])
        .env("PYTHONPATH", &python)
        .output()
        .context("there is no python3")?;
    anyhow::ensure!(
        imported.status.success(),
        "Python cannot load it: {}",
        String::from_utf8_lossy(&imported.stderr).trim().lines().last().unwrap_or_default()
    );
    let port = free_port();
    let SimAccount { callback_token, .. } = SimAccount::default();
    let script = include_str!("wechatpy_peer.py");
    let program = Program::start_with(
        "python3",
        &["{dir}/peer.py", &port.to_string(), &callback_token, &WORKERS.to_string()],
        &[("peer.py", script)],
        vec![("PYTHONPATH".into(), python.into())],
    );
    let is_listening = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
    wait_until("wechatpy listens", is_listening).await.with_context(|| program.output())?;
    Ok(BaselineServer { program, port })
}

/// Ids of a process and of those that it has forked.
pub fn with_children(pid: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let children = children.split_whitespace().filter_map(|id| id.parse().ok());
    std::iter::once(pid).chain(children).collect()
}
