//! Starts the services of a role on their ports, in the order in which they need each other.

use crate::config::{Role, Setup};
use crate::ports::Ports;
use anyhow::Context;
use futures::FutureExt;
use paihao_access_token::{TokenReader, TokenReaderOptions};
use paihao_chassis::admin::{Admin, Check};
use paihao_chassis::{Tasks, http, metrics};
use paihao_gateway::Gateway;
use paihao_notifier::Notifier;
use paihao_token::TokenService;
use paihao_token::server::TokenServer;
use paihao_wechat::traffic::Gates;
use paihao_wechat::{Caller, Client};
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
pub struct Started {
    /// The gateway, if it is among them.
    pub gateway: Option<Gateway>,
    /// The token service, if it is among them.
    pub token: Option<TokenRole>,
    /// The notifier, if it is among them.
    pub notifier: Option<Notifier>,
}

/// The token service, and its server if that is on.
pub struct TokenRole {
    /// The service.
    pub service: TokenService,
    /// The server.
    pub server: Option<TokenServer>,
}

/// Starts everything that the role is made of, and the admin port.
pub async fn start(
    role: Role,
    setup: &Setup,
    ports: &Ports,
    tasks: &Tasks,
) -> anyhow::Result<Started> {
    let admin = listen(setup.admin).await?;
    let gateway = match matches!(role, Role::All | Role::Gateway) {
        true => Some(listen(setup.listen).await?),
        false => None,
    };
    let token_server = match &setup.token.server {
        Some((address, _)) if matches!(role, Role::All | Role::Token) => {
            Some(listen(*address).await?)
        }
        _ => None,
    };
    start_on(role, setup, ports, Listeners { admin, gateway, token_server }, tasks)
}

/// The same on listeners that are already bound.
pub fn start_on(
    role: Role,
    setup: &Setup,
    ports: &Ports,
    listeners: Listeners,
    tasks: &Tasks,
) -> anyhow::Result<Started> {
    let Listeners { admin, gateway: door, token_server } = listeners;
    let recorder = metrics::install(tasks).context("cannot record metrics")?;
    let client = Client::new(setup.wechat.clone()).context("cannot call WeChat")?;
    let token = matches!(role, Role::All | Role::Token)
        .then(|| token(setup, ports, &client, token_server, &tasks.child("token")));
    let reader = TokenReader::new(
        ports.cache.clone(),
        ports.ledger.clone(),
        ports.clock.clone(),
        TokenReaderOptions::default(),
    );
    let clock = ports.clock.clone();
    let gates = Gates::new(setup.limits.clone(), Arc::new(move || clock.now_ms()));
    let caller = Caller::new(client, Arc::new(reader)).within(gates);
    let notifier = matches!(role, Role::All | Role::Notifier)
        .then(|| notifier(setup, ports, &caller, &tasks.child("notifier")))
        .transpose()?;
    let gateway = door.map(|door| gateway(setup, ports, caller, door, &tasks.child("gateway")));

    let mut port = Admin::new(tasks.stop()).metrics(recorder);
    port = port.check("ledger", ledger_check(ports)).check("cache", cache_check(ports));
    if let Some(gateway) = &gateway {
        let (lines, setup) = (gateway.lines.clone(), gateway.setup.clone());
        let caught_up = move || {
            let up = lines.caught_up() && setup.is_read();
            async move { up.then_some(()).ok_or_else(|| "still reading the ledger".to_owned()) }
        };
        port = port
            .check("lines", check(caught_up))
            .merge(paihao_gateway::http::api::digest_routes(gateway.lines.clone()));
    }
    http::serve(tasks, "admin", admin, port.router());
    Ok(Started { gateway, token, notifier })
}

fn gateway(
    setup: &Setup,
    ports: &Ports,
    wechat: Caller,
    door: TcpListener,
    tasks: &Tasks,
) -> Gateway {
    let ports = paihao_gateway::Ports {
        ledger: ports.ledger.clone(),
        cache: ports.cache.clone(),
        wechat,
        clock: ports.clock.clone(),
    };
    paihao_gateway::start(setup.gateway.clone(), setup.book.clone(), ports, door, tasks)
}

fn token(
    setup: &Setup,
    ports: &Ports,
    client: &Client,
    listener: Option<TcpListener>,
    tasks: &Tasks,
) -> TokenRole {
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
        let options = TokenReaderOptions { reread: Duration::from_secs(1), ..Default::default() };
        let Ports { cache, ledger, clock } = ports.clone();
        let reader = TokenReader::new(cache, ledger, clock.clone(), options);
        TokenServer::start(settings, service.clone(), reader, clock, listener, tasks)
    });
    TokenRole { service, server }
}

fn notifier(
    setup: &Setup,
    ports: &Ports,
    wechat: &Caller,
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

fn ledger_check(ports: &Ports) -> Check {
    let ledger = ports.ledger.clone();
    check(move || {
        let ledger = ledger.clone();
        async move { ledger.check().await.map_err(|error| error.to_string()) }
    })
}

fn cache_check(ports: &Ports) -> Check {
    let cache = ports.cache.clone();
    check(move || {
        let cache = cache.clone();
        async move { cache.check().await.map_err(|error| error.to_string()) }
    })
}

fn check<F>(ask: impl Fn() -> F + Send + Sync + 'static) -> Check
where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    Arc::new(move || ask().boxed())
}
