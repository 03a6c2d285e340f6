//! Certificate of the gateway's port from an authority, by ACME (RFC 8555) with the challenge
//! `tls-alpn-01` (RFC 8737), which the port itself answers.
//!
//! In reading order: `schedule` says when to ask; `store` keeps account, certificate and the last
//! failure; `http` calls the authority, and `order` gets one certificate from it.

mod http;
mod order;
mod schedule;
pub(crate) mod store;

use anyhow::Context;
use http::AuthorityClient;
use order::{Issued, OrderError};
use paihao_chassis::clock::Clock;
use paihao_chassis::http::{Certificate, ServedCertificate};
use paihao_chassis::sealing::Keyring;
use paihao_chassis::{CancellationToken, Tasks};
use schedule::RenewalPlan;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::{Attempt, Store, StoredCertificate};
use tokio::time::timeout;
use url::Url;

/// Longest sleep between two looks at the clock.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// Time limit of one order, the authority's checks included.
const ORDER_TIMEOUT: Duration = Duration::from_secs(300);

/// What is asked of which authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeOptions {
    /// Host that the certificate names.
    pub host: String,
    /// Directory of the authority, whose terms the operator has accepted.
    pub directory: Url,
    /// Address that the authority may write to, such as `mailto:shop@example.com`.
    pub contact: Option<String>,
    /// Certificates in PEM by which the authority's own server is verified, instead of those of
    /// the machine.
    pub authority_ca: Option<Vec<u8>>,
    /// Folder of the account and the certificate.
    pub folder: PathBuf,
}

/// Serves the stored certificate, and begins to get and to renew it until the stop.
pub fn start(
    options: AcmeOptions,
    served: ServedCertificate,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    tasks: &Tasks,
) -> anyhow::Result<()> {
    let store = Store::open(&options.folder, keyring)?;
    let client = AuthorityClient::new(options.authority_ca.as_deref(), clock.clone());
    let client = client.context("cannot call the certificate authority")?;
    let now_ms = clock.now_ms();
    let attempt = store.attempt().map(|attempt| attempt.after_restart(now_ms));
    let mut worker = Worker { options, served, store, client, clock, plan: None, attempt };
    if let Some(stored) = worker.store.certificate(&worker.options.host) {
        worker.serve(&stored);
    }
    tasks.spawn("acme", worker.run(tasks.stop().clone()));
    Ok(())
}

struct Worker {
    options: AcmeOptions,
    served: ServedCertificate,
    store: Store,
    client: AuthorityClient,
    clock: Arc<dyn Clock>,
    /// Renewal of the certificate that is served; `None` while there is none.
    plan: Option<RenewalPlan>,
    /// Last attempt, if it failed.
    attempt: Option<Attempt>,
}

impl Worker {
    async fn run(mut self, stop: CancellationToken) {
        while stop.run_until_cancelled(self.wait_until_due()).await.is_some() {
            let ordered = stop.run_until_cancelled(timeout(ORDER_TIMEOUT, self.order())).await;
            self.served.set_challenge(None);
            let Some(ordered) = ordered else { return };
            match ordered.unwrap_or_else(|_| Err(OrderError::timed_out())) {
                Ok(issued) => self.take(issued),
                Err(error) => self.note_failure(error),
            }
        }
    }

    async fn wait_until_due(&self) {
        let mut adjustments = self.clock.adjustments();
        loop {
            let now_ms = self.clock.now_ms();
            let due_ms = schedule::due_ms(self.plan.as_ref(), self.attempt.as_ref(), now_ms);
            let Ok(wait_ms @ 1..) = u64::try_from(due_ms - now_ms) else { return };
            let wait = Duration::from_millis(wait_ms).min(LOOK_INTERVAL);
            let adjusted = async {
                if let Some(adjustments) = &mut adjustments
                    && adjustments.changed().await.is_ok()
                {
                    return;
                }
                std::future::pending().await
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = adjusted => {}
            }
        }
    }

    async fn order(&self) -> Result<Issued, OrderError> {
        self.client.forget_wait();
        let account = order::account(&self.options, &self.client, &self.store).await?;
        let host = &self.options.host;
        match order::obtain(&account, host, &self.served).await {
            Err(error) if error.is_unknown_account() => {
                self.store.forget_account();
                let account = order::account(&self.options, &self.client, &self.store).await?;
                order::obtain(&account, host, &self.served).await
            }
            ordered => ordered,
        }
    }

    /// Stores and serves a new certificate.
    fn take(&mut self, issued: Issued) {
        let Issued { chain, key } = issued;
        let read = Certificate::from_pem(chain.as_bytes(), key.as_bytes());
        let usable = match read {
            Ok(certificate) if certificate.names(&self.options.host) => Ok(certificate),
            Ok(_) => Err("the authority's certificate does not name the host".to_owned()),
            Err(error) => Err(format!("the authority's certificate: {error}")),
        };
        match usable {
            Ok(certificate) => {
                let obtained_at_ms = self.clock.now_ms();
                let stored = StoredCertificate { chain, key, certificate, obtained_at_ms };
                if let Err(error) = self.store.set_certificate(&self.options.host, &stored) {
                    tracing::error!("cannot keep the new certificate for a restart: {error:#}");
                }
                self.store.clear_attempt();
                self.attempt = None;
                // Whoever is served the certificate finds the order counted.
                count("ok");
                self.serve(&stored);
                let ends_at_s = stored.certificate.ends_at_s();
                tracing::info!(host = %self.options.host, ends_at_s, "got a certificate");
            }
            Err(error) => self.note_failure(OrderError::unusable(error)),
        }
    }

    fn serve(&mut self, stored: &StoredCertificate) {
        self.plan = Some(RenewalPlan::new(&stored.certificate, stored.obtained_at_ms));
        self.served.replace(stored.certificate.clone());
    }

    /// Plans another attempt. What is served stays.
    fn note_failure(&mut self, error: OrderError) {
        count("failed");
        let failures = self.attempt.as_ref().map_or(0, |attempt| attempt.failures) + 1;
        let now_ms = self.clock.now_ms();
        let attempt = Attempt::failed(failures, now_ms, self.client.not_before_ms(), error);
        tracing::warn!(
            host = %self.options.host,
            failures,
            wait_s = (attempt.next_at_ms - now_ms) / 1000,
            "cannot get a certificate, trying again later: {}", attempt.error
        );
        if let Err(error) = self.store.set_attempt(&attempt) {
            tracing::error!("{error:#}");
        }
        self.attempt = Some(attempt);
    }
}

fn count(result: &'static str) {
    metrics::counter!("paihao_certificate_orders_total", "result" => result).increment(1);
}
