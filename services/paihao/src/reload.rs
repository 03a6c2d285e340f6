//! Looks at the configuration again, on SIGHUP and now and then, and hands on what may change while
//! a process runs: the credentials of the token service and the keys of its server. A notifier that is
//! asked looks at its accounts' templates.

use crate::compose::TokenServices;
use crate::config::{Config, Role};
use paihao_chassis::Tasks;
use paihao_chassis::config::ConfigError;
use paihao_notifier::Notifier;
use std::path::PathBuf;
use std::time::Duration;

/// Where a process's configuration comes from.
#[derive(Clone)]
pub struct ConfigSource {
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// The environment as the process found it.
    pub environment: Vec<(String, String)>,
}

impl ConfigSource {
    /// Reads it; files that it names, those of secrets too, are read anew each time.
    pub fn read(&self) -> Result<Config, ConfigError> {
        Config::read(self.file.as_deref(), self.environment.iter().cloned())
    }
}

/// Watches from now on. `every` is how often it looks without being asked.
pub fn watch(
    source: ConfigSource,
    role: Role,
    (token, notifier): (Option<TokenServices>, Option<Notifier>),
    every: Option<Duration>,
    tasks: &Tasks,
) {
    let every = every.filter(|_| token.is_some());
    let stop = tasks.stop().clone();
    tasks.spawn("reload", async move {
        let mut hangups = HangupSignals::listening();
        let mut reloading = ConfigReloader { source, role, token, notifier, last_error: None };
        loop {
            let asked = tokio::select! {
                () = hangups.next() => true,
                () = sleep_or_forever(every) => false,
                () = stop.cancelled() => return,
            };
            reloading.reload(asked).await;
        }
    });
}

async fn sleep_or_forever(every: Option<Duration>) {
    match every {
        Some(every) => tokio::time::sleep(every).await,
        None => std::future::pending().await,
    }
}

struct ConfigReloader {
    source: ConfigSource,
    role: Role,
    token: Option<TokenServices>,
    notifier: Option<Notifier>,
    /// What was wrong with the configuration at the last look; said once.
    last_error: Option<String>,
}

impl ConfigReloader {
    async fn reload(&mut self, asked: bool) {
        if let Some(notifier) = self.notifier.as_ref().filter(|_| asked) {
            notifier.check_bindings();
        }
        let Some(token) = &self.token else {
            tracing::info!("asked to reload: this role takes its configuration at its start only");
            return;
        };
        let setup = self.source.read().and_then(|config| config.resolve(self.role));
        let setup = match setup {
            Ok(setup) => setup,
            Err(problem) => {
                let problem = problem.to_string();
                if asked || self.last_error.as_ref() != Some(&problem) {
                    tracing::error!(
                        "the configuration is wrong, so the old one goes on: {problem}"
                    );
                    self.last_error = Some(problem);
                }
                return;
            }
        };
        self.last_error = None;
        let changes = token.service.reload(setup.accounts).await;
        if let (Some(server), Some((_, settings))) = (&token.server, setup.token.server) {
            server.set(settings);
        }
        if asked && changes.is_empty() {
            tracing::info!("asked to reload: no account changed");
        }
    }
}

/// SIGHUPs, where there are any.
struct HangupSignals {
    #[cfg(unix)]
    signals: Option<tokio::signal::unix::Signal>,
}

impl HangupSignals {
    #[cfg(unix)]
    fn listening() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = signal(SignalKind::hangup());
        if let Err(problem) = &signals {
            tracing::warn!(%problem, "SIGHUP is not listened to");
        }
        HangupSignals { signals: signals.ok() }
    }

    #[cfg(not(unix))]
    fn listening() -> Self {
        HangupSignals {}
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signals) = &mut self.signals
            && signals.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}
