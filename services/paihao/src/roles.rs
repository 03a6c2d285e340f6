//! Starts the services of a role on their ports, in the order in which they need each other.

use crate::config::{Role, Setup};
use crate::ports::Ports;
use anyhow::Context;
use futures::FutureExt;
use paihao_chassis::admin::{Admin, Check};
use paihao_chassis::{Tasks, http, metrics};
use paihao_gateway::Gateway;
use paihao_tokens::{TokenReader, TokenReaderOptions};
use paihao_wechat::{Caller, Client};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Starts everything that the role is made of, and the admin port. The gateway, if it is among
/// them, is answered for those who go on with it.
pub async fn start(
    role: Role,
    setup: &Setup,
    ports: &Ports,
    tasks: &Tasks,
) -> anyhow::Result<Option<Gateway>> {
    let (is_gateway, admin) =
        (matches!(role, Role::All | Role::Gateway), listen(setup.admin).await?);
    let door = match is_gateway {
        true => Some(listen(setup.listen).await?),
        false => None,
    };
    start_on(role, setup, ports, door, admin, tasks)
}

/// The same on listeners that are already bound; `door` for roles with a gateway.
pub fn start_on(
    role: Role,
    setup: &Setup,
    ports: &Ports,
    door: Option<TcpListener>,
    admin: TcpListener,
    tasks: &Tasks,
) -> anyhow::Result<Option<Gateway>> {
    let recorder = metrics::install(tasks).context("cannot record metrics")?;
    let client = Client::new(setup.wechat.clone()).context("cannot call WeChat")?;
    if matches!(role, Role::All | Role::Token) {
        token(setup, ports, &client, &tasks.child("token"));
    }
    let reader = TokenReader::new(
        ports.cache.clone(),
        ports.ledger.clone(),
        ports.clock.clone(),
        TokenReaderOptions::default(),
    );
    let caller = Caller::new(client, Arc::new(reader));
    if matches!(role, Role::All | Role::Notifier) {
        notifier(setup, ports, &caller, &tasks.child("notifier"));
    }
    let gateway = door.map(|door| gateway(setup, ports, caller, door, &tasks.child("gateway")));

    let mut port = Admin::new(tasks.stop()).metrics(recorder);
    port = port.check("ledger", ledger_check(ports)).check("cache", cache_check(ports));
    if let Some(gateway) = &gateway {
        let lines = gateway.lines.clone();
        let caught_up = move || {
            let up = lines.caught_up();
            async move { up.then_some(()).ok_or_else(|| "still reading the ledger".to_owned()) }
        };
        port = port
            .check("lines", check(caught_up))
            .merge(paihao_gateway::api::digest_routes(gateway.lines.clone()));
    }
    http::serve(tasks, "admin", admin, port.router());
    Ok(gateway)
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

fn token(setup: &Setup, ports: &Ports, client: &Client, tasks: &Tasks) {
    let ports = paihao_token::Ports {
        ledger: ports.ledger.clone(),
        cache: ports.cache.clone(),
        issuer: Arc::new(client.clone()),
        clock: ports.clock.clone(),
    };
    let settings = paihao_token::Settings::default();
    paihao_token::start(settings, setup.accounts.clone(), ports, tasks);
}

fn notifier(setup: &Setup, ports: &Ports, wechat: &Caller, tasks: &Tasks) {
    let ports = paihao_notifier::Ports {
        ledger: ports.ledger.clone(),
        cache: ports.cache.clone(),
        wechat: wechat.clone(),
        clock: ports.clock.clone(),
    };
    paihao_notifier::start(setup.notifier.clone(), ports, tasks);
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
