//! Reload of the configuration, on SIGHUP and at an interval.
//!
//! A running process takes up the credentials of the token service, the keys of its server, the
//! modes, tokens and keys of a gateway's callbacks, and the certificate of its port. On SIGHUP a
//! notifier also checks its accounts' templates.

use crate::compose::RunningServices;
use crate::config::{CertificateSource, Config, ResolvedConfig, Role};
use crate::rehearsal::SimulatedWeChat;
use paihao_chassis::Tasks;
use paihao_chassis::blocking;
use paihao_chassis::config::{ConfigError, ReadFiles};
use paihao_contracts::envelope::WriteVersion;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Sources of a process's configuration.
#[derive(Clone)]
pub struct ConfigSource {
    /// Path of the file; `None` without one.
    pub file: Option<PathBuf>,
    /// Environment variables at the start of the process.
    pub environment: Vec<(String, String)>,
    /// Simulated WeChat of the rehearsal that is under way, if one is.
    pub rehearsal: Option<Arc<SimulatedWeChat>>,
}

impl ConfigSource {
    /// Source of a program that was started with nothing: its pages can be opened from a phone in
    /// the same network. What the environment sets stays.
    pub fn for_a_first_look(mut self) -> ConfigSource {
        if self.file.is_some() {
            return self;
        }
        let newest = WriteVersion::NEWEST.number().to_string();
        self.set_unless_set(&[
            ("PAIHAO__GATEWAY__LISTEN", "0.0.0.0:8080"),
            // No older program reads what it writes.
            ("PAIHAO__LEDGER__WRITE_VERSION", &newest),
        ]);
        self
    }

    /// Source of a program that gets the certificate of this host itself. What the environment sets
    /// stays.
    pub fn for_a_domain(mut self, host: &str, accept_terms: bool) -> ConfigSource {
        let public = format!("https://{host}");
        let accept_terms = accept_terms.to_string();
        self.set_unless_set(&[
            ("PAIHAO__GATEWAY__LISTEN", "0.0.0.0:443"),
            ("PAIHAO__GATEWAY__TLS__REDIRECT_LISTEN", "0.0.0.0:80"),
            ("PAIHAO__GATEWAY__PUBLIC", &public),
            ("PAIHAO__GATEWAY__TLS__ACME__ENABLED", "true"),
            ("PAIHAO__GATEWAY__TLS__ACME__ACCEPT_TERMS", &accept_terms),
        ]);
        self.for_a_first_look()
    }

    fn set_unless_set(&mut self, usual: &[(&str, &str)]) {
        for (key, value) in usual {
            if !self.environment.iter().any(|(set, _)| set == key) {
                self.environment.push(((*key).to_owned(), (*value).to_owned()));
            }
        }
    }

    /// Reads the configuration. The files it names, secrets included, are read again each time.
    pub fn read(&self) -> Result<Config, ConfigError> {
        let mut config = Config::read(self.file.as_deref(), self.environment.iter().cloned())?;
        if let Some(rehearsal) = &self.rehearsal {
            rehearsal.apply(&mut config);
        }
        Ok(config)
    }
}

/// Starts the task that reloads. `interval` is the time between two reloads without SIGHUP; `None`
/// is never. With a notifier alone only SIGHUP counts.
pub fn watch(
    source: ConfigSource,
    role: Role,
    services: RunningServices,
    read_files: ReadFiles,
    interval: Option<Duration>,
    tasks: &Tasks,
) {
    let is_reloadable = services.token.is_some() || services.gateway.is_some();
    let interval = interval.filter(|_| is_reloadable);
    let stop = tasks.stop().clone();
    tasks.spawn("reload", async move {
        let mut hangups = HangupSignals::listen();
        let mut reloading = ConfigReloader { source, role, services, read_files, last_error: None };
        loop {
            let requested = tokio::select! {
                () = hangups.next() => true,
                () = sleep_or_forever(interval) => false,
                () = stop.cancelled() => return,
            };
            reloading.reload(requested).await;
        }
    });
}

async fn sleep_or_forever(interval: Option<Duration>) {
    match interval {
        Some(interval) => tokio::time::sleep(interval).await,
        None => std::future::pending().await,
    }
}

struct ConfigReloader {
    source: ConfigSource,
    role: Role,
    services: RunningServices,
    /// Files of the last reading, at first of the one that the process started with.
    read_files: ReadFiles,
    /// Error of the last reload, so that the same error is logged once.
    last_error: Option<String>,
}

impl ConfigReloader {
    /// Reads the configuration on another thread: that of many sites takes a tenth of a second.
    /// `None` if nobody asks and no file has changed.
    async fn read(
        &self,
        requested: bool,
    ) -> Option<(Result<ResolvedConfig, ConfigError>, ReadFiles)> {
        let (source, role, files) = (self.source.clone(), self.role, self.read_files.clone());
        let reading = move || {
            let is_due = requested || !files.are_unchanged();
            is_due.then(|| ReadFiles::record(|| source.read()?.resolve(role)))
        };
        blocking::run(reading).await
    }

    async fn reload(&mut self, requested: bool) {
        let RunningServices { gateway, certificate, token, notifier } = &self.services;
        if let Some(notifier) = notifier.as_ref().filter(|_| requested) {
            notifier.check_bindings();
        }
        if gateway.is_none() && token.is_none() {
            tracing::info!(
                "nothing to reload: this role reads its configuration at its start only"
            );
            return;
        }
        let Some((read, files)) = self.read(requested).await else { return };
        self.read_files = files;
        let resolved = match read {
            Ok(resolved) => resolved,
            Err(problem) => {
                let problem = problem.to_string();
                if requested || self.last_error.as_ref() != Some(&problem) {
                    tracing::error!(
                        "the new configuration is invalid, keeping the old one: {problem}"
                    );
                    self.last_error = Some(problem);
                }
                return;
            }
        };
        self.last_error = None;
        let mut is_changed = false;
        if let Some(token) = token {
            is_changed |= !token.service.reload(resolved.accounts).await.is_empty();
            if let (Some(server), Some((_, settings))) = (&token.server, resolved.token.server) {
                server.set(settings);
            }
        }
        if let Some(gateway) = gateway {
            is_changed |= gateway.reload(&resolved.settings) > 0;
        }
        if let (Some(served), Some(https)) = (certificate, resolved.https)
            && let CertificateSource::Files(certificate) = https.source
            && served.replace(certificate)
        {
            is_changed = true;
            tracing::info!("the certificate of the public port was replaced");
        }
        if requested && !is_changed {
            tracing::info!("configuration reloaded: nothing changed");
        }
    }
}

/// Stream of SIGHUPs; it never yields where the platform has none.
struct HangupSignals {
    #[cfg(unix)]
    signals: Option<tokio::signal::unix::Signal>,
}

impl HangupSignals {
    #[cfg(unix)]
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = signal(SignalKind::hangup());
        if let Err(problem) = &signals {
            tracing::warn!(%problem, "cannot listen for SIGHUP");
        }
        HangupSignals { signals: signals.ok() }
    }

    #[cfg(not(unix))]
    fn listen() -> Self {
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
