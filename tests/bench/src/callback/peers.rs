//! Servers that a user would write with a public SDK, beside the gateway in the same run.

use super::deployment::BaselineServer;
use crate::member::wait_until;
use anyhow::{Context, ensure};
use harness::{Program, free_port};
use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use wechat_sim::SimAccount;

/// Processes of a peer that answer, or threads of its runtime: as many as a guide would have on two
/// processors.
const WORKERS: usize = 2;

/// Server of a public SDK.
pub struct Peer {
    /// Name in the report.
    pub name: &'static str,
    /// Command that starts it, or the reason why there is none.
    command: anyhow::Result<PeerCommand>,
}

/// Program of a peer: an interpreter with a script, or the server itself.
struct PeerCommand {
    program: PathBuf,
    /// Name of the program in an error, which has no path of the machine.
    called: &'static str,
    /// Arguments with which the program only shows that it has all it needs.
    check: &'static [&'static str],
    /// Text of the script, which comes before the arguments of the server.
    script: Option<&'static str>,
    environment: Vec<(OsString, OsString)>,
}

/// wechatpy on aiohttp, co-wechat on Koa from a folder of npm's, and wechat-oa-sdk on axum as the
/// program that its package becomes.
pub fn all(node_modules: Option<&Path>, wechat_oa_sdk: Option<&Path>) -> [Peer; 3] {
    // A peer has another working directory.
    let absolute = |path: &Path| std::path::absolute(path).map_err(anyhow::Error::from);
    let python = harness::python_packages().context("./tests/run tools has not installed it");
    let node = node_modules.context("--node-modules names no folder with co-wechat and koa");
    let built = wechat_oa_sdk.context("--wechat-oa-sdk names no program");
    [
        Peer {
            name: "wechatpy",
            command: python.map(|packages| PeerCommand {
                program: "python3".into(),
                called: "python3",
                check: &["-c", "import wechatpy, aiohttp"],
                script: Some(include_str!("wechatpy_peer.py")),
                environment: vec![("PYTHONPATH".into(), packages.into())],
            }),
        },
        Peer {
            name: "co-wechat",
            command: node.and_then(absolute).map(|packages| PeerCommand {
                program: "node".into(),
                called: "node",
                check: &["-e", "require('co-wechat'); require('koa')"],
                script: Some(include_str!("co_wechat_peer.js")),
                environment: vec![("NODE_PATH".into(), packages.into())],
            }),
        },
        Peer {
            name: "wechat-oa-sdk",
            command: built.and_then(absolute).map(|program| PeerCommand {
                program,
                called: "the program of --wechat-oa-sdk",
                check: &["--help"],
                script: None,
                environment: Vec::new(),
            }),
        },
    ]
}

impl Peer {
    /// Starts the server. An error says why it is left out.
    pub async fn start(self) -> anyhow::Result<BaselineServer> {
        let Peer { name, command } = self;
        let PeerCommand { program, called, check, script, environment } = command?;
        let checked = Command::new(&program)
            .args(check)
            .envs(environment.iter().cloned())
            // Node looks for packages in the working directory, too.
            .current_dir(std::env::temp_dir())
            .output()
            .with_context(|| format!("{called} does not start"))?;
        let failure = |output: &str| format!("{called} fails: {}", last_error(output));
        let errors = String::from_utf8_lossy(&checked.stderr);
        ensure!(checked.status.success(), failure(&errors));
        let port = free_port();
        let SimAccount { callback_token, .. } = SimAccount::default();
        let (port_text, workers) = (port.to_string(), WORKERS.to_string());
        let script_path = script.map(|_| "{dir}/peer");
        let arguments: Vec<&str> =
            script_path.into_iter().chain([&*port_text, &callback_token, &workers]).collect();
        let files = script.map(|text| ("peer", text));
        let program = Program::start_with(program, &arguments, files.as_slice(), environment);
        let is_listening = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        let listens = format!("{name} listens");
        wait_until(&listens, is_listening).await.with_context(|| failure(&program.output()))?;
        Ok(BaselineServer { program, port })
    }
}

/// Last line of a program's output that names an error.
fn last_error(output: &str) -> &str {
    output.lines().rev().find(|line| line.contains("Error: ")).unwrap_or_default().trim()
}

/// Ids of a process and of those that it has forked.
pub fn with_children(pid: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let children = children.split_whitespace().filter_map(|id| id.parse().ok());
    std::iter::once(pid).chain(children).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_in_an_output_is_found() {
        let python = "Traceback (most recent call last):\n  File \"<string>\", line 1\n\
                      ModuleNotFoundError: No module named 'wechatpy'\n";
        assert_eq!(last_error(python), "ModuleNotFoundError: No module named 'wechatpy'");
        let node = "node:internal/modules/cjs/loader:1\n  throw err;\n  ^\n\n\
                    Error: Cannot find module 'koa'\nRequire stack:\n- /a\n\nNode.js v20.0.0\n";
        assert_eq!(last_error(node), "Error: Cannot find module 'koa'");
        assert_eq!(last_error("killed"), "");
    }

    async fn reason(peer: Peer) -> String {
        format!("{:#}", peer.start().await.err().unwrap())
    }

    #[tokio::test]
    async fn a_peer_that_is_not_there_says_how_it_is_named() {
        let [_, co_wechat, wechat_oa_sdk] = all(None, None);
        let error = reason(co_wechat).await;
        assert!(error.contains("--node-modules"), "{error}");
        let error = reason(wechat_oa_sdk).await;
        assert!(error.contains("--wechat-oa-sdk"), "{error}");
    }

    #[tokio::test]
    async fn the_reason_has_no_path_of_the_machine() {
        let [.., peer] = all(None, Some(Path::new("/home/me/peer")));
        let error = reason(peer).await;
        assert!(error.starts_with("the program of --wechat-oa-sdk does not start: "), "{error}");
        assert!(!error.contains("/home/me"), "{error}");
    }
}
