//! Starts the services of a role on their ports, in the order in which they need each other.

use crate::config::{ResolvedConfig, Role};
use crate::ports::Ports;
use anyhow::Context;
use futures::FutureExt;
use paihao_access_token::{TokenReader, TokenReaderOptions};
use paihao_chassis::admin::{Admin, ReadinessCheck};
use paihao_chassis::{Tasks, http, metrics};
use paihao_gateway::Gateway;
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

/// Where a role listens.
pub struct Listeners {
    /// For every role.
    pub admin: TcpListener,
    /// For roles with a gateway.
    pub gateway: Option<TcpListener>,
    /// For roles with a token service, if the token server is on.
    pub token_server: Option<TcpListener>,
}

/// What was started, for those who go on with it.
pub struct RunningServices {
    /// The gateway, if it is among them.
    pub gateway: Option<Gateway>,
    /// The token service, if it is among them.
    pub token: Option<TokenServices>,
    /// The notifier, if it is among them.
    pub notifier: Option<Notifier>,
}

/// The token service, and its server if that is on.
pub struct TokenServices {
    /// The service.
    pub service: TokenService,
    /// The server.
    pub server: Option<TokenServer>,
}

/// Starts everything that the role is made of, and the admin port.
pub async fn start(
    role: Role,
    setup: &ResolvedConfig,
    ports: &Ports,
    tasks: &Tasks,
) -> anyhow::Result<RunningServices> {
    let admin = listen(setup.admin_listen).await?;
    let gateway = match matches!(role, Role::All | Role::Gateway) {
        true => Some(listen(setup.gateway_listen).await?),
        false => None,
    };
    let token_server = match &setup.token.server {
        Some((address, _)) if matches!(role, Role::All | Role::Token) => {
            Some(listen(*address).await?)
        }
        _ => None,
    };
    start_with_listeners(role, setup, ports, Listeners { admin, gateway, token_server }, tasks)
}

/// The same on listeners that are already bound.
pub fn start_with_listeners(
    role: Role,
    setup: &ResolvedConfig,
    ports: &Ports,
    listeners: Listeners,
    tasks: &Tasks,
) -> anyhow::Result<RunningServices> {
    let Listeners { admin, gateway: door, token_server } = listeners;
    let recorder = metrics::install(tasks).context("cannot record metrics")?;
    let client = Client::new(setup.wechat_client.clone()).context("cannot call WeChat")?;
    let token = matches!(role, Role::All | Role::Token)
        .then(|| token(setup, ports, &client, token_server, &tasks.child("token")));
    let reader = TokenReader::new(
        ports.cache.clone(),
        ports.ledger.clone(),
        ports.clock.clone(),
        TokenReaderOptions::default(),
    );
    let clock = ports.clock.clone();
    let gates = CallLimiter::new(setup.call_limits.clone(), Arc::new(move || clock.now_ms()));
    let caller = AccountClient::new(client, Arc::new(reader)).with_limiter(gates);
    let notifier = matches!(role, Role::All | Role::Notifier)
        .then(|| notifier(setup, ports, &caller, &tasks.child("notifier")))
        .transpose()?;
    let gateway = door.map(|door| gateway(setup, ports, caller, door, &tasks.child("gateway")));

    let mut port = Admin::new(tasks.stop()).metrics(recorder);
    port = port.check("ledger", ledger_check(ports)).check("cache", cache_check(ports));
    if let Some(gateway) = &gateway {
        let (lines, setup) = (gateway.engine.clone(), gateway.live_settings.clone());
        let caught_up = move || {
            let up = lines.caught_up() && setup.caught_up();
            async move { up.then_some(()).ok_or_else(|| "still reading the ledger".to_owned()) }
        };
        port = port
            .check("lines", boxed_check(caught_up))
            .merge(paihao_gateway::http::api::digest_routes(gateway.engine.clone()));
    }
    http::serve(tasks, "admin", admin, port.router());
    Ok(RunningServices { gateway, token, notifier })
}

fn gateway(
    setup: &ResolvedConfig,
    ports: &Ports,
    wechat: AccountClient,
    door: TcpListener,
    tasks: &Tasks,
) -> Gateway {
    let ports = paihao_gateway::Ports {
        ledger: ports.ledger.clone(),
        cache: ports.cache.clone(),
        wechat,
        clock: ports.clock.clone(),
    };
    paihao_gateway::start(setup.gateway.clone(), setup.settings.clone(), ports, door, tasks)
}

fn token(
    setup: &ResolvedConfig,
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
    };
    let settings = setup.token.settings.clone();
    let service = paihao_token::start(settings, setup.accounts.clone(), token_ports, tasks);
    let server = listener.zip(setup.token.server.clone()).map(|(listener, (_, settings))| {
        // Others cannot see when a token is replaced, so what they are given is looked up anew.
        let options =
            TokenReaderOptions { refresh_interval: Duration::from_secs(1), ..Default::default() };
        let Ports { cache, ledger, clock } = ports.clone();
        let reader = TokenReader::new(cache, ledger, clock.clone(), options);
        TokenServer::start(settings, service.clone(), reader, clock, listener, tasks)
    });
    TokenServices { service, server }
}

fn notifier(
    setup: &ResolvedConfig,
    ports: &Ports,
    wechat: &AccountClient,
    tasks: &Tasks,
) -> anyhow::Result<Notifier> {
    let ports = paihao_notifier::Ports {
        ledger: ports.ledger.clone(),
        cache: ports.cache.clone(),
        wechat: wechat.clone(),
        clock: ports.clock.clone(),
    };
    let (ledger, clock) = (ports.ledger.clone(), ports.clock.clone());
    paihao_notifier::webhooks::start(setup.webhooks.clone(), ledger, clock, tasks)
        .context("cannot send webhooks")?;
    Ok(paihao_notifier::start(setup.notifier.clone(), ports, tasks))
}

/// Binds an address, or says which one could not be bound.
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

fn boxed_check<F>(ask: impl Fn() -> F + Send + Sync + 'static) -> ReadinessCheck
where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    Arc::new(move || ask().boxed())
}
