//! Wiring of the services of a role, in the order in which they depend on each other.

use crate::acme;
use crate::backlog;
use crate::config::{CertificateSource, ResolvedConfig, Role};
use crate::operator_key;
use crate::ports::Ports;
use crate::sockets::ListeningSockets;
use crate::storage;
use crate::trace_export;
use anyhow::Context;
use futures::FutureExt;
use paihao_access_token::{TokenReader, TokenReaderOptions};
use paihao_chassis::admin::{Admin, ReadinessCheck};
use paihao_chassis::clock::Clock;
use paihao_chassis::http::{ConnectionLimits, Listener, ServedCertificate};
use paihao_chassis::{CancellationToken, Lifecycle, Tasks, http, metrics};
use paihao_gateway::Gateway;
use paihao_gateway::http::examinations::Doctor;
use paihao_gateway::http::rehearsal::Rehearsals;
use paihao_ledger::Ledger;
use paihao_notifier::Notifier;
use paihao_token::TokenService;
use paihao_token::server::TokenServer;
use paihao_wechat::traffic::CallLimiter;
use paihao_wechat::{AccountClient, Client};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// Bound listeners of a role.
pub struct Listeners {
    /// Admin port; every role has one.
    pub admin: TcpListener,
    /// Ports of the gateway; `None` in roles without one.
    pub gateway: Option<paihao_gateway::Listeners>,
    /// Port of HTTP that leads to the gateway's HTTPS, if there is one.
    pub redirect: Option<TcpListener>,
    /// Certificate of the gateway's port, if it has one.
    pub certificate: Option<ServedCertificate>,
    /// Port of the token server; `None` in roles without a token service, or if it is off.
    pub token_server: Option<TcpListener>,
}

/// Handles of the services that were started.
pub struct RunningServices {
    /// Gateway, if the role has one.
    pub gateway: Option<Gateway>,
    /// Certificate of its port, if it has one.
    pub certificate: Option<ServedCertificate>,
    /// Token service, if the role has one.
    pub token: Option<TokenServices>,
    /// Notifier, if the role has one.
    pub notifier: Option<Notifier>,
}

/// Token service with its optional server.
pub struct TokenServices {
    /// Keeper of the tokens.
    pub service: TokenService,
    /// HTTP server for the owner's other systems; `None` if it is off.
    pub server: Option<TokenServer>,
}

/// Ports of the manager's page, beside the stores.
#[derive(Clone)]
pub struct PagePorts {
    /// Checks of the whole deployment.
    pub doctor: Arc<dyn Doctor>,
    /// Rehearsals; `None` where there are none.
    pub rehearsals: Option<Arc<dyn Rehearsals>>,
}

/// Opens the listeners of a role, then starts its services and the admin port, which is ready until
/// the process drains. A port for callbacks may be bound already.
pub async fn start(
    role: Role,
    resolved: &ResolvedConfig,
    ports: &Ports,
    pages: PagePorts,
    callbacks: Option<TcpListener>,
    sockets: &ListeningSockets,
    lifecycle: &Lifecycle,
) -> anyhow::Result<RunningServices> {
    operator_key::require(ports).await?;
    let admin = sockets.listen(resolved.admin_listen).await?;
    let https = resolved.https.as_ref();
    let certificate = https.map(|https| match &https.source {
        CertificateSource::Files(certificate) => ServedCertificate::new(certificate.clone()),
        CertificateSource::Acme(_) => ServedCertificate::default(),
    });
    let redirect = match https.and_then(|https| https.redirect_listen) {
        Some(address) => Some(sockets.listen(address).await?),
        None => None,
    };
    let gateway = if matches!(role, Role::All | Role::Gateway) {
        let public = sockets.listen(resolved.gateway_listen).await?;
        let public = match &certificate {
            Some(certificate) => Listener::https(public, certificate.clone()),
            None => public.into(),
        };
        let callbacks = match (callbacks, resolved.callback_listen) {
            (Some(bound), _) => Some(bound),
            (None, Some(address)) => Some(sockets.listen(address).await?),
            (None, None) => None,
        };
        Some(paihao_gateway::Listeners { public, callbacks })
    } else {
        None
    };
    let token_server = match &resolved.token.server {
        Some((address, _)) if matches!(role, Role::All | Role::Token) => {
            Some(sockets.listen(*address).await?)
        }
        _ => None,
    };
    let listeners = Listeners { admin, gateway, redirect, certificate, token_server };
    let (draining, tasks) = (lifecycle.draining(), lifecycle.tasks());
    start_with_listeners(role, resolved, ports, pages, listeners, draining, tasks)
}

/// Starts the services of a role on listeners that are already bound.
pub fn start_with_listeners(
    role: Role,
    resolved: &ResolvedConfig,
    ports: &Ports,
    pages: PagePorts,
    listeners: Listeners,
    draining: &CancellationToken,
    tasks: &Tasks,
) -> anyhow::Result<RunningServices> {
    let Listeners { admin, gateway: gateway_listeners, redirect, certificate, token_server } =
        listeners;
    let recorder = metrics::install(tasks).context("cannot record metrics")?;
    if let Some(options) = &resolved.traces {
        trace_export::start(role, options.clone(), tasks)?;
    }
    let client = Client::new(resolved.wechat_client.clone()).context("cannot call WeChat")?;
    let token = matches!(role, Role::All | Role::Token)
        .then(|| token(resolved, ports, &client, token_server, &tasks.child("token")));
    let reader = TokenReader::new(
        ports.cache.clone(),
        ports.ledger.clone(),
        ports.clock.clone(),
        TokenReaderOptions::default(),
    );
    let clock = ports.clock.clone();
    let limiter = CallLimiter::new(resolved.call_limits.clone(), Arc::new(move || clock.now_ms()));
    let account_client = AccountClient::new(client, Arc::new(reader)).with_limiter(limiter);
    let notifier = matches!(role, Role::All | Role::Notifier)
        .then(|| notifier(resolved, ports, &account_client, &tasks.child("notifier")))
        .transpose()?;
    let gateway = gateway_listeners.map(|listeners| {
        gateway(resolved, ports, account_client, pages, listeners, &tasks.child("gateway"))
    });

    let mut admin_port = Admin::new(draining)
        .metrics(recorder)
        .dependency("ledger", ledger_check(ports))
        .dependency("cache", cache_check(ports))
        .check("clock", clock_check(ports));
    if notifier.is_some() {
        let (ledger, clock) = (ports.ledger.clone(), ports.clock.clone());
        admin_port = admin_port.report("/backlog", backlog::report(ledger.clone(), clock.clone()));
        let watching = backlog::watch(ledger, clock, tasks.stop().clone());
        tasks.spawn("backlog", watching);
    }
    if let Some(gateway) = &gateway {
        let engine = gateway.engine.clone();
        let live_settings = gateway.live_settings.clone();
        let caught_up = move || {
            let up = engine.caught_up() && live_settings.caught_up();
            async move { up.then_some(()).ok_or_else(|| "still reading the ledger".to_owned()) }
        };
        let newer_gateway = gateway.clone();
        let newer_gateway = move || {
            let newer = newer_gateway.newer_gateway();
            async move { newer.map_or(Ok(()), |newer| Err(newer.to_string())) }
        };
        let sealed_gateway = gateway.clone();
        let secrets = move || {
            let unsealable = sealed_gateway.unsealable();
            async move { unsealable.map_or(Ok(()), |error| Err(error.to_string())) }
        };
        let newer_notifier = gateway.clone();
        let newer_notifier = move || {
            let newer = newer_notifier.newer_notifier();
            async move { newer.map_or(Ok(()), |newer| Err(newer.to_string())) }
        };
        admin_port = admin_port
            .check("lines", boxed_check(caught_up))
            .check("newer_gateway", boxed_check(newer_gateway))
            .check("secrets", boxed_check(secrets))
            .dependency("newer_notifier", boxed_check(newer_notifier))
            .merge(paihao_gateway::http::api::digest_routes(gateway.engine.clone()))
            .merge(gateway.callback_fault_routes());
    }
    tasks.spawn_vital("ledger", until_ledger_lost(ports.ledger.clone(), tasks.stop().clone()));
    tasks.spawn("storage", storage::watch(ports.ledger.clone(), tasks.stop().clone()));
    tasks.spawn_vital("clock", ports.clock.clone().run(tasks.stop().clone()));
    tasks.spawn("checks", admin_port.clone().watch(tasks.stop().clone()));
    http::serve(tasks, "admin", admin, admin_port.router(), ConnectionLimits::internal());
    if let Some(redirect) = redirect {
        let router = http::redirect_to(resolved.gateway.public_url.clone().unwrap_or_default());
        let limits = resolved.gateway.connections.clone();
        http::serve(tasks, "redirect", redirect, router, limits);
    }
    if let (Some(certificate), Some(https)) = (&certificate, &resolved.https)
        && let CertificateSource::Acme(options) = &https.source
    {
        let keyring = ports.keyring.clone().context("there is no operator's key")?;
        let clock = ports.clock.clone();
        acme::start(options.clone(), certificate.clone(), keyring, clock, tasks)?;
    }
    Ok(RunningServices { gateway, certificate, token, notifier })
}

fn gateway(
    resolved: &ResolvedConfig,
    ports: &Ports,
    wechat: AccountClient,
    pages: PagePorts,
    listeners: paihao_gateway::Listeners,
    tasks: &Tasks,
) -> Gateway {
    let ports = paihao_gateway::Ports {
        ledger: ports.ledger.clone(),
        cache: ports.cache.clone(),
        wechat,
        clock: ports.clock.clone(),
        doctor: pages.doctor,
        rehearsals: pages.rehearsals,
        keyring: ports.keyring.clone(),
    };
    paihao_gateway::start(
        resolved.gateway.clone(),
        resolved.settings.clone(),
        ports,
        listeners,
        tasks,
    )
}

fn token(
    resolved: &ResolvedConfig,
    ports: &Ports,
    client: &Client,
    listener: Option<TcpListener>,
    tasks: &Tasks,
) -> TokenServices {
    let token_ports = paihao_token::Ports {
        ledger: ports.ledger.clone(),
        cache: ports.cache.clone(),
        issuer: Arc::new(client.clone()),
        clock: ports.clock.clone(),
        keyring: ports.keyring.clone(),
    };
    let settings = resolved.token.settings.clone();
    let service = paihao_token::start(settings, resolved.accounts.clone(), token_ports, tasks);
    let server = listener.zip(resolved.token.server.clone()).map(|(listener, (_, settings))| {
        // Other systems cannot see when a token is replaced, so it is read from the cache again
        // after a second.
        let options =
            TokenReaderOptions { refresh_interval: Duration::from_secs(1), ..Default::default() };
        let Ports { cache, ledger, clock, .. } = ports.clone();
        let reader = TokenReader::new(cache, ledger, clock.clone(), options);
        TokenServer::start(settings, service.clone(), reader, clock, listener, tasks)
    });
    TokenServices { service, server }
}

fn notifier(
    resolved: &ResolvedConfig,
    ports: &Ports,
    wechat: &AccountClient,
    tasks: &Tasks,
) -> anyhow::Result<Notifier> {
    let settings =
        paihao_notifier::Settings { keyring: ports.keyring.clone(), ..resolved.notifier.clone() };
    let ports = paihao_notifier::Ports {
        ledger: ports.ledger.clone(),
        cache: ports.cache.clone(),
        wechat: wechat.clone(),
        clock: ports.clock.clone(),
    };
    let (ledger, cache) = (ports.ledger.clone(), ports.cache.clone());
    let clock = ports.clock.clone();
    paihao_notifier::webhooks::start(resolved.webhooks.clone(), ledger, cache, clock, tasks)
        .context("cannot send webhooks")?;
    Ok(paihao_notifier::start(settings, ports, tasks))
}

/// Runs until the stop. Fails when a part of the ledger is gone, with a sentence for the operator.
async fn until_ledger_lost(ledger: Arc<dyn Ledger>, stop: CancellationToken) -> Result<(), String> {
    match stop.run_until_cancelled(ledger.until_lost()).await {
        Some(part) => Err(format!(
            "{part} was there and is gone, and nothing is made anew in its place: restore a backup"
        )),
        None => Ok(()),
    }
}

/// Binds an address; the error names it.
pub async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| format!("cannot listen on {address}"))
}

fn ledger_check(ports: &Ports) -> ReadinessCheck {
    let ledger = ports.ledger.clone();
    boxed_check(move || {
        let ledger = ledger.clone();
        async move { ledger.check().await.map_err(|error| error.to_string()) }
    })
}

fn cache_check(ports: &Ports) -> ReadinessCheck {
    let cache = ports.cache.clone();
    boxed_check(move || {
        let cache = cache.clone();
        async move { cache.check().await.map_err(|error| error.to_string()) }
    })
}

fn clock_check(ports: &Ports) -> ReadinessCheck {
    let clock = ports.clock.clone();
    boxed_check(move || std::future::ready(clock.check()))
}

fn boxed_check<F>(check: impl Fn() -> F + Send + Sync + 'static) -> ReadinessCheck
where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    Arc::new(move || check().boxed())
}
