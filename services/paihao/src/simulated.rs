//! Simulated WeChat of a deployment, in its own process: what a demo and a rehearsal run on.
//!
//! The simulated accounts have credentials that nobody else has and that last as long as the
//! process, as everything does that the simulator keeps.

use crate::config::{Account, Config, Mode};
use crate::simulator;
use anyhow::Context;
use paihao_chassis::config::SecretText;
use paihao_chassis::{Tasks, entropy};
use std::collections::BTreeSet;
use tokio::net::TcpListener;
use wechat_sim::Simulator;

const DEMO_CONFIG: &str = include_str!("demo.toml");

/// Name of the one account of a sample.
const SAMPLE_ACCOUNT: &str = "demo";

const AES_KEY_CHARS: usize = 43;

/// Configuration of the sample hall.
pub(crate) fn sample() -> anyhow::Result<Config> {
    let mut config =
        Config::from_text("in the demo", DEMO_CONFIG).context("the demo's own configuration")?;
    config.accounts.values_mut().for_each(renew_credentials);
    Ok(config)
}

/// Accounts of these names, with the templates of the sample and none of its menu.
pub(crate) fn accounts(names: &BTreeSet<String>) -> anyhow::Result<Vec<(String, Account)>> {
    let mut sample = sample()?.accounts.remove(SAMPLE_ACCOUNT).context("a sample account")?;
    sample.buttons.clear();
    let account = |name: &String| {
        let mut account = sample.clone();
        renew_credentials(&mut account);
        (name.clone(), account)
    };
    Ok(names.iter().map(account).collect())
}

/// Gives an account an appid and secrets of its own. A new appid marks the permanent codes in the
/// settings as those of another account: the simulator keeps none over a restart.
fn renew_credentials(account: &mut Account) {
    account.appid = format!("wx{:016x}", u64::from_be_bytes(entropy::bytes()));
    account.secret = SecretText::new(entropy::alphanumeric(32));
    account.callback_token = SecretText::new(entropy::alphanumeric(32));
    account.aes_key = Some(SecretText::new(entropy::alphanumeric(AES_KEY_CHARS)));
    account.mode = Mode::Secure;
}

/// Leads every call to WeChat to the simulator at this address.
pub(crate) fn lead_calls_to(config: &mut Config, simulator: &str) {
    config.wechat.api = format!("{simulator}/");
    config.wechat.mp = format!("{simulator}/");
    config.wechat.proxy = None;
    // The phones list every code that the simulator made: only those on a screen.
    config.gateway.pool.size = 0;
}

/// Starts the simulator of the configuration's accounts. It pushes to the gateway at `callbacks`,
/// and the phones show the page at `framed` beside them.
pub(crate) fn start(
    config: &Config,
    listener: TcpListener,
    callbacks: &str,
    framed: Option<String>,
    tasks: &Tasks,
) -> Simulator {
    let simulator = simulator::build_simulator(config, callbacks, framed);
    let stop = tasks.stop().clone().cancelled_owned();
    let serving = simulator.clone();
    tasks.spawn_essential("simulator", async move { serving.serve(listener, stop).await });
    simulator
}
