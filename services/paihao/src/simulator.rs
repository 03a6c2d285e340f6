//! Simulator of WeChat for the accounts of the configuration: `paihao sim`.

use crate::compose;
use crate::config::{Config, Mode, ResolvedConfig};
use paihao_chassis::Tasks;
use wechat_sim::{PushMode, SimAccount, SimConfig, SimTemplate, Simulator};

/// Starts the simulator as an essential task: the process ends with it.
pub async fn start(
    config: &Config,
    resolved: &ResolvedConfig,
    tasks: &Tasks,
) -> anyhow::Result<()> {
    let listener = compose::listen(resolved.sim_listen).await?;
    let simulator = build_simulator(config, &config.sim.gateway, None);
    let stop = tasks.stop().clone().cancelled_owned();
    tasks.spawn_essential("simulator", async move { simulator.serve(listener, stop).await });
    Ok(())
}

/// Builds a simulator with every account of the configuration. It pushes to `gateway`, and shows
/// the page at `framed_address` next to its phones.
pub fn build_simulator(
    config: &Config,
    gateway: &str,
    framed_address: Option<String>,
) -> Simulator {
    let gateway = gateway.trim_end_matches('/');
    let open_platform = Some(config.sim.open_platform.clone()).filter(|name| !name.is_empty());
    let accounts = config.accounts.iter().map(|(name, account)| SimAccount {
        appid: account.appid.clone(),
        secret: account.secret.expose().to_owned(),
        callback_token: account.callback_token.expose().to_owned(),
        mode: match account.mode {
            Mode::Plain => PushMode::Plain,
            Mode::Compatible => PushMode::Compatible,
            Mode::Secure => PushMode::Secure,
        },
        aes_key: account.aes_key.as_ref().map(|key| key.expose().to_owned()).unwrap_or_default(),
        callback_urls: vec![format!("{gateway}/wechat/{name}")],
        name: first_site_name(config, name),
        open_platform: open_platform.clone(),
        ..SimAccount::default()
    });
    let accounts: Vec<_> = accounts.collect();
    let templates = SimTemplate::demo();
    Simulator::new(SimConfig { accounts, templates, framed_address, ..SimConfig::default() })
}

fn first_site_name(config: &Config, account: &str) -> String {
    let site = config.sites.values().find(|site| site.account == account);
    site.map_or_else(|| account.to_owned(), |site| site.name.clone())
}
