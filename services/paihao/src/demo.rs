//! Demo of a sample hall with a simulated WeChat, in one process on this machine: `paihao demo`.

use crate::config::{Config, ResolvedConfig, Role};
use crate::doctor::page::DeploymentDoctor;
use crate::gateway_client::{GatewayOptions, send_request};
use crate::ports::Ports;
use crate::{compose, menu, operator_key, simulated};
use anyhow::Context;
use clap::Args;
use paihao_chassis::{CancellationToken, Exit, Lifecycle, Tasks, entropy, telemetry};
use paihao_domain::{Act, Actor, Command, CommandId, CounterId, QueueId};
use paihao_gateway::Gateway;
use reqwest::Method;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// Wait between two attempts to ask WeChat, while the first access token is fetched.
const RETRY_DELAY: Duration = Duration::from_millis(300);

/// Longest time for which the demo waits for its permanent codes.
const DOOR_CODES_TIMEOUT: Duration = Duration::from_secs(20);

/// Validity of the link that makes the first manager: a demo is looked at for a day.
const FIRST_MANAGER_TTL: Duration = Duration::from_secs(24 * 3600);

/// Options of `paihao demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoOptions {
    /// Deletes the data of earlier demos.
    #[arg(long)]
    fresh: bool,
    /// Folder of its one data file.
    #[arg(long, default_value = "paihao-data")]
    data: PathBuf,
    /// Port of the pages; the simulated phones take the next one. A port in use is replaced by a
    /// free one.
    #[arg(long, default_value_t = 8080)]
    port: u16,
}

/// Runs the demo until Ctrl-C.
pub async fn run(options: DemoOptions) -> Exit {
    let lifecycle = match Lifecycle::with_signals() {
        Ok(lifecycle) => lifecycle,
        Err(error) => {
            eprintln!("cannot listen for signals: {error}");
            return Exit::FailedToStart;
        }
    };
    match start(&options, lifecycle.draining(), lifecycle.tasks()).await {
        Ok(demo) => {
            println!("{}", demo.greeting);
            let exit = lifecycle.run(demo.resolved.shutdown_timeout).await;
            println!("\n演示已结束。 The demo has ended.");
            exit
        }
        Err(error) => {
            eprintln!("演示没能启动。 The demo could not start: {error:#}");
            Exit::FailedToStart
        }
    }
}

struct Demo {
    resolved: ResolvedConfig,
    greeting: String,
}

async fn start(
    options: &DemoOptions,
    draining: &CancellationToken,
    tasks: &Tasks,
) -> anyhow::Result<Demo> {
    let pages_listener = bind_or_any(options.port).await?;
    let phones_listener = bind_or_any(options.port.checked_add(1).unwrap_or(0)).await?;
    let admin = bind_or_any(0).await?;
    let file = options.data.join("demo.sqlite");
    let is_reused = file.exists() && !options.fresh;
    if options.fresh {
        remove_data_files(&file)?;
    }
    let pages = format!("http://{}", pages_listener.local_addr()?);
    let sim = format!("http://{}", phones_listener.local_addr()?);
    let key = entropy::token(18);
    let config = demo_config(&file, &pages, &sim, &key)?;
    let resolved = config.resolve(Role::All)?;
    telemetry::init(&resolved.log)?;

    // The board's page uses this machine's other name, since a browser limits its connections to
    // one host and the demo's other tabs need them.
    let board = pages.replace("127.0.0.1", "localhost") + "/board/hall?voice=off";
    simulated::start(&config, phones_listener, &pages, Some(board), tasks);
    let ports = Ports::open(&config).await?;
    operator_key::require(&ports).await?;
    let gateway = paihao_gateway::Listeners { public: pages_listener.into(), callbacks: None };
    let listeners = compose::Listeners {
        admin,
        gateway: Some(gateway),
        redirect: None,
        certificate: None,
        token_server: None,
    };
    let doctor = Arc::new(DeploymentDoctor::of_demo(config.clone()));
    let page_ports = compose::PagePorts { doctor, rehearsals: None };
    let started = compose::start_with_listeners(
        Role::All,
        &resolved,
        &ports,
        page_ports,
        listeners,
        draining,
        tasks,
    )?;
    let gateway = started.gateway.context("the demo has a gateway")?;
    // The engine has no sites before the settings are read.
    gateway.live_settings.until_caught_up().await;
    gateway.engine.until_caught_up().await;
    open_counters(&gateway).await?;
    let client = GatewayOptions::new(pages.parse()?, key.clone());
    let doors = gateway.engine.all_settings().flat_map(|site| {
        let path = |queue: &QueueId| {
            format!("api/v1/sites/{}/queues/{}/door.svg", site.facts.id, queue.as_str())
        };
        site.queues.iter().map(path).collect::<Vec<_>>()
    });
    // Boards and posters show them; without them the demo goes on.
    let making = make_door_codes(&client, doors.collect());
    let _ = tokio::time::timeout(DOOR_CODES_TIMEOUT, making).await;
    let pushing = push_menus(client, resolved.settings.accounts.keys().cloned().collect());
    let stop = tasks.stop().clone();
    tasks.spawn("menus", async move {
        let _ = stop.run_until_cancelled(pushing).await;
    });
    let first = gateway.first_manager_code(FIRST_MANAGER_TTL).await;
    let greeting = greeting(&pages, &sim, &key, &file, is_reused, first.as_deref());
    Ok(Demo { resolved, greeting })
}

fn demo_config(
    file: &std::path::Path,
    pages: &str,
    sim: &str,
    key: &str,
) -> anyhow::Result<Config> {
    let mut config = simulated::sample()?;
    config.ledger.file = file.to_owned();
    simulated::lead_calls_to(&mut config, sim);
    config.gateway.public = pages.to_owned();
    config.gateway.phones = sim.to_owned();
    config.gateway.board_framed_by = vec![sim.to_owned()];
    let staff = crate::config::Staff {
        key: paihao_chassis::config::SecretText::new(key),
        sites: vec![paihao_gateway::settings::ALL_SITES.to_owned()],
        role: crate::config::StaffRole::Manager,
        counters: Vec::new(),
        scopes: None,
    };
    config.staff.insert("demo".into(), staff);
    Ok(config)
}

/// Binds the port on the loopback address, or any free port if it is in use.
async fn bind_or_any(port: u16) -> anyhow::Result<TcpListener> {
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match TcpListener::bind(at(port)).await {
        Ok(listener) => Ok(listener),
        Err(_) => compose::listen(at(0)).await,
    }
}

fn remove_data_files(file: &std::path::Path) -> anyhow::Result<()> {
    for end in ["", "-wal", "-shm", ".lock"] {
        let mut name = file.as_os_str().to_owned();
        name.push(end);
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).context("cannot remove the earlier demo's file");
            }
            _ => {}
        }
    }
    Ok(())
}

/// Opens every counter, so that a newcomer's first click calls a ticket.
async fn open_counters(gateway: &Gateway) -> anyhow::Result<()> {
    let sites: Vec<_> = gateway.engine.all_settings().collect();
    for site in sites {
        let counters: Vec<CounterId> = site.rules.counters.keys().cloned().collect();
        for counter in counters {
            let command = Command {
                id: CommandId(entropy::bytes()),
                fingerprint: 0,
                actor: Actor::Manager("demo".into()),
                act: Act::OpenCounter(counter),
                day: None,
            };
            gateway.engine.submit(&site.facts.id, command).await?;
        }
    }
    Ok(())
}

/// Has the permanent code of each queue made, as a member of staff does who opens a poster.
async fn make_door_codes(client: &GatewayOptions, paths: Vec<String>) {
    for path in paths {
        loop {
            let Ok(request) = client.request(Method::GET, &path, "") else { return };
            if matches!(send_request(request).await, Ok(Ok(_))) {
                break;
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
    }
}

/// Pushes the menu of each account to the simulator, which keeps nothing over a restart.
async fn push_menus(client: GatewayOptions, accounts: Vec<String>) {
    for account in accounts {
        while !menu::push(&client, &account).await {
            tokio::time::sleep(RETRY_DELAY).await;
        }
    }
}

fn greeting(
    pages: &str,
    sim: &str,
    key: &str,
    file: &std::path::Path,
    is_reused: bool,
    first: Option<&str>,
) -> String {
    let login = match first {
        Some(code) => format!(
            "{pages}/login#first={code}\n     扫码成为第一位管理员    scan to become the first manager"
        ),
        None => format!(
            "{pages}/login\n     用您的模拟手机扫码      scan with the phone that works here"
        ),
    };
    let state = if is_reused {
        "接着上次的数据 goes on where the last demo ended"
    } else {
        "全新开始 starts afresh"
    };
    format!(
        "
  排号演示已就绪    paihao demo is ready

  1  取号  Take a number    {pages}/kiosk/hall
     选一项业务，再点「用模拟手机扫码」
     choose a service, then \"Scan with a simulated phone\"

  2  手机  The phones       {sim}/
     点「扫这个」取号，之后在这里收到叫号
     press \"Scan\" to take the number; the call arrives here, too

  3  叫号  Call the next    {pages}/console/hall#key={key}
     选一个窗口，按「叫下一位」
     choose a counter and press \"Call next\"

  4  大屏  The board        {pages}/board/hall

  5  管理  Set things up    {pages}/manage/hall
     密钥 the key: {key}

  6  登录  Log in           {login}

  数据 Data   {file} ({state}; --fresh 清空重来 forgets it)
  按 Ctrl-C 结束    Press Ctrl-C to stop
",
        file = file.display(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Files with the words of the pages that the greeting leads to.
    const WORDS: [&str; 3] = [
        include_str!("../../gateway/web/shared/words.js"),
        include_str!("../../gateway/web/pages/console/words.js"),
        include_str!("../../wechat-sim/src/assets/words.js"),
    ];

    #[test]
    fn what_the_greeting_says_to_press_is_on_the_screen() {
        let greeting = greeting("P", "S", "K", Path::new("demo.sqlite"), true, Some("C"));
        let between = |open: char, close: char| {
            let rest = greeting.split(open).skip(1);
            rest.filter_map(move |text| text.split(close).next()).collect::<Vec<_>>()
        };
        let chinese = between('「', '」');
        let english: Vec<_> = greeting.split('"').skip(1).step_by(2).collect();
        assert!(chinese.len() >= 3 && english.len() == chinese.len(), "{chinese:?} {english:?}");
        for (chinese, english) in chinese.iter().zip(&english) {
            let is_there = WORDS.iter().any(|words| {
                words.lines().any(|line| {
                    let texts = line.replace('’', "'");
                    texts.contains(&format!("['{chinese}', '{english}']"))
                })
            });
            assert!(is_there, "no page has 「{chinese}」 with \"{english}\"");
        }
    }
}
