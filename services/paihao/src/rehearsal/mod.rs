//! Rehearsal (彩排) of a deployment: everything is set up and tried with a simulated WeChat, before
//! there is an account, and then goes on with a real one.
//!
//! A rehearsal has a ledger of its own beside the real one, and the real one is not opened
//! meanwhile. [`files`] are both, with the mark that says which of them is in use; [`takeover`] is
//! what goes from one to the other. The process that begins or ends a rehearsal starts itself again
//! on the other ledger.

mod account_setup;
mod files;
mod takeover;

use crate::config::{Account, Config, LedgerKind, Role};
use crate::restart::Restart;
use crate::simulated;
use anyhow::Context;
use async_trait::async_trait;
use files::RehearsalFiles;
use paihao_chassis::Tasks;
use paihao_gateway::http::rehearsal::{PhoneRoutes, RehearsalEnding, RehearsalError, Rehearsals};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Mutex;
use wechat_sim::Simulator;

/// Returns the files of the rehearsals that a deployment can have; `None` if its accounts or sites
/// stand in the configuration, or it is more than this process.
fn rehearsal_files(config: &Config, role: Role) -> Option<RehearsalFiles> {
    let is_alone = role == Role::All && config.ledger.kind == LedgerKind::Sqlite;
    let is_by_pages = config.accounts.is_empty() && config.sites.is_empty();
    (is_alone && is_by_pages).then(|| RehearsalFiles::beside(&config.ledger.file))
}

/// Simulated WeChat of a rehearsal that is under way, before it runs.
pub struct SimulatedWeChat {
    /// Configuration of the accounts, by which the deployment is changed.
    accounts: Vec<(String, Account)>,
    ledger: PathBuf,
    /// Address of the simulator's API.
    api: String,
    listener: Mutex<Option<TcpListener>>,
    /// Port on which the gateway hears the simulator.
    callbacks: Mutex<Option<TcpListener>>,
    callbacks_url: String,
}

impl SimulatedWeChat {
    /// Changes a configuration to that of the rehearsal.
    pub(crate) fn apply(&self, config: &mut Config) {
        config.ledger.file.clone_from(&self.ledger);
        config.accounts.extend(self.accounts.iter().cloned());
        simulated::lead_calls_to(config, &self.api);
        config.gateway.phones = "/phones".to_owned();
    }

    /// Returns the port of the callbacks, which is bound already.
    pub(crate) async fn callback_listener(&self) -> anyhow::Result<tokio::net::TcpListener> {
        let listener = self.callbacks.lock().await.take();
        Ok(tokio::net::TcpListener::from_std(listener.context("started twice")?)?)
    }
}

/// Finds out whether a rehearsal is under way, and removes what is left of one that is not. Called
/// before anything is opened.
pub fn resume(config: &Config, role: Role) -> anyhow::Result<Option<Arc<SimulatedWeChat>>> {
    let Some(files) = rehearsal_files(config, role) else { return Ok(None) };
    if !files.is_under_way() {
        files.remove_rehearsal().context("cannot remove a former rehearsal")?;
        return Ok(None);
    }
    let names = files.account_names().context("cannot read the rehearsal's accounts")?;
    let bind = || {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        anyhow::Ok((listener, url))
    };
    let (listener, api) = bind()?;
    let (callbacks, callbacks_url) = bind()?;
    Ok(Some(Arc::new(SimulatedWeChat {
        accounts: simulated::accounts(&names)?,
        ledger: files.rehearsal_ledger().to_owned(),
        api,
        listener: Mutex::new(Some(listener)),
        callbacks: Mutex::new(Some(callbacks)),
        callbacks_url,
    })))
}

/// Rehearsals of this process's deployment.
pub struct DeploymentRehearsals {
    files: RehearsalFiles,
    simulator: Option<Simulator>,
    restart: Restart,
    /// True after the one change of this process's life.
    is_changed: Mutex<bool>,
}

impl DeploymentRehearsals {
    /// Starts the simulator, if a rehearsal is under way. `None` if there are no rehearsals.
    /// `config` is that of the deployment without a rehearsal.
    pub async fn start(
        config: &Config,
        role: Role,
        simulated: Option<&SimulatedWeChat>,
        restart: Restart,
        tasks: &Tasks,
    ) -> anyhow::Result<Option<Arc<DeploymentRehearsals>>> {
        let Some(files) = rehearsal_files(config, role) else { return Ok(None) };
        let simulator = match simulated {
            Some(simulated) => {
                let mut rehearsed = config.clone();
                simulated.apply(&mut rehearsed);
                let listener = simulated.listener.lock().await.take().context("started twice")?;
                let listener = tokio::net::TcpListener::from_std(listener)?;
                let url = &simulated.callbacks_url;
                Some(simulated::start(&rehearsed, listener, url, None, tasks))
            }
            None => None,
        };
        let is_changed = Mutex::new(false);
        Ok(Some(Arc::new(DeploymentRehearsals { files, simulator, restart, is_changed })))
    }

    async fn change(
        &self,
        change: impl Future<Output = anyhow::Result<()>>,
    ) -> Result<(), RehearsalError> {
        let mut is_changed = self.is_changed.lock().await;
        if *is_changed {
            return Err(RehearsalError::NotPossible);
        }
        change.await.map_err(|error| RehearsalError::Store(format!("{error:#}")))?;
        *is_changed = true;
        self.restart.request();
        Ok(())
    }
}

#[async_trait]
impl Rehearsals for DeploymentRehearsals {
    fn is_under_way(&self) -> bool {
        self.simulator.is_some()
    }

    fn phones(&self) -> Option<PhoneRoutes> {
        self.simulator.as_ref().map(Simulator::phone_routes)
    }

    async fn begin(&self) -> Result<(), RehearsalError> {
        if self.is_under_way() {
            return Err(RehearsalError::NotPossible);
        }
        self.change(self.files.begin()).await?;
        tracing::info!("a rehearsal begins: WeChat is simulated from now on");
        Ok(())
    }

    async fn end(&self, ending: RehearsalEnding) -> Result<(), RehearsalError> {
        if !self.is_under_way() {
            return Err(RehearsalError::NotPossible);
        }
        self.change(self.files.end(&ending)).await?;
        tracing::info!(by = ending.author, "the rehearsal ends: what was rehearsed is forgotten");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn config(folder: &std::path::Path, more: &str) -> Config {
        let file = folder.join("paihao.sqlite");
        let text = format!("ledger.file = '{}'\n{more}", file.display());
        Config::from_text("in x.toml", &text).unwrap()
    }

    #[test]
    fn there_are_rehearsals_where_the_pages_set_everything_up() {
        let folder = tempfile::tempdir().unwrap();
        let account = "[accounts.shop]\nappid = 'wx1'\nsecret = 'x'\ncallback_token = 'x'\n";
        let site = "[sites.hall]\naccount = 'shop'\nname = 'x'\n";
        for (more, role, expected) in [
            ("", Role::All, true),
            ("", Role::Gateway, false),
            ("ledger.kind = 'nats'\n", Role::All, false),
            (account, Role::All, false),
            (site, Role::All, false),
        ] {
            let files = rehearsal_files(&config(folder.path(), more), role);
            assert_eq!(files.is_some(), expected, "{more} {role:?}");
        }
    }

    #[test]
    fn every_call_of_a_rehearsal_stays_on_this_machine() {
        let folder = tempfile::tempdir().unwrap();
        let real = config(folder.path(), "wechat.proxy = 'http://proxy.example:3128'\n");
        assert!(real.wechat.api.contains("weixin.qq.com"));
        assert!(resume(&real, Role::All).unwrap().is_none(), "none is under way");
        std::fs::write(folder.path().join("paihao.rehearsal"), "clinic\nshop\n").unwrap();
        let simulated = resume(&real, Role::All).unwrap().expect("one is under way");
        let mut rehearsed = real.clone();
        simulated.apply(&mut rehearsed);
        assert!(rehearsed.accounts.keys().eq(["clinic", "shop"]));
        assert!(rehearsed.wechat.proxy.is_none());
        assert_eq!(rehearsed.ledger.file, folder.path().join("paihao.rehearsal.sqlite"));
        let resolved = rehearsed.resolve(Role::All).unwrap();
        let endpoints = resolved.wechat_client.endpoints;
        for url in [&endpoints.api, &endpoints.mp] {
            assert_eq!(url.host_str(), Some("127.0.0.1"), "{url}");
        }
        assert_eq!(resolved.wechat_client.fallbacks, []);
    }

    #[test]
    fn what_a_rehearsal_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let real = config(folder.path(), "");
        let names = [
            "paihao.sqlite",
            "operator.key",
            "paihao.rehearsal.sqlite",
            "paihao.rehearsal.sqlite-wal",
        ];
        for name in names {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        assert!(resume(&real, Role::All).unwrap().is_none());
        let left = names.map(|name| folder.path().join(name).exists());
        assert_eq!(left, [true, true, false, false]);
    }
}
