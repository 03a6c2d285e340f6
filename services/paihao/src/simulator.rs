//! `paihao sim`: WeChat's stand-in, playing the accounts of the configuration.

use crate::compose;
use crate::config::{Config, Mode, ResolvedConfig};
use paihao_chassis::Tasks;
use wechat_sim::{PushMode, SimAccount, SimConfig, SimTemplate, Simulator};

/// Starts it.
pub async fn start(config: &Config, setup: &ResolvedConfig, tasks: &Tasks) -> anyhow::Result<()> {
    let listener = compose::listen(setup.sim_listen).await?;
    let simulator = build_simulator(config, &config.sim.gateway, None);
    let stop = tasks.stop().clone().cancelled_owned();
    tasks.spawn_essential("simulator", async move { simulator.serve(listener, stop).await });
    Ok(())
}

/// A simulator of every account of a configuration, which pushes to this gateway and shows this page
/// beside the phones.
pub fn build_simulator(config: &Config, gateway: &str, beside: Option<String>) -> Simulator {
    let gateway = gateway.trim_end_matches('/');
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
        ..SimAccount::default()
    });
    let accounts: Vec<_> = accounts.collect();
    let templates = SimTemplate::demo();
    Simulator::new(SimConfig { accounts, templates, beside, ..SimConfig::default() })
}

fn first_site_name(config: &Config, account: &str) -> String {
    let site = config.sites.values().find(|site| site.account == account);
    site.map_or_else(|| account.to_owned(), |site| site.name.clone())
}
