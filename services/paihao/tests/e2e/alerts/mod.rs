//! Tests of the alerts that are shipped: each fault is caused for real, and a real Prometheus sees
//! its alert fire and end.

mod address;
mod hall;
mod pictures;
mod prometheus;
mod served;
mod stores;

use crate::support::cluster::{Cluster, ClusterSetup, ProgramProcess, connect_ledger, site_id};
use hall::Hall;
use paihao_contracts::streams::NOTICES;
use paihao_ledger::{Entry, Ledger};
use prometheus::Prometheus;
use std::process::Command;
use std::time::Duration;
use tokio::net::TcpListener;
use wechat_sim::{Effect, Fault, SimAccount, TokenInvalidation};

const SEND_TEMPLATE: &str = "/cgi-bin/message/template/send";
const SEND_TEXT: &str = "/cgi-bin/message/custom/send";
const LIST_TEMPLATES: &str = "/cgi-bin/template/get_all_private_template";
const GET_QUOTA: &str = "/cgi-bin/openapi/quota/get";

/// Starts two gateways, a token service and a notifier, and Prometheus beside them.
async fn start(extra_config: &str) -> (Cluster, Prometheus) {
    let extra_config = format!(
        "
        [token]
        lease_seconds = 5
        [wechat.limits]
        quota_look_seconds = 2
        {extra_config}
        "
    );
    let setup = ClusterSetup {
        processes: [2, 1, 1],
        with_clocks: true,
        extra_config,
        ..ClusterSetup::default()
    };
    let cluster = Cluster::start_setup(setup).await;
    let jobs = [
        ("paihao-gateway", &cluster.gateways),
        ("paihao-token", &cluster.tokens),
        ("paihao-notifier", &cluster.notifiers),
    ];
    let of_job = |(job, processes)| {
        let processes: &Vec<_> = processes;
        processes.iter().map(move |process: &ProgramProcess| (job, process.admin.as_str()))
    };
    let processes: Vec<_> = jobs.into_iter().flat_map(of_job).collect();
    let prometheus = Prometheus::start(&cluster.http, &processes).await;
    (cluster, prometheus)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_clocks_and_stores_that_fail_are_seen() {
    let (mut cluster, mut prometheus) = start("").await;

    let two = &mut cluster.gateways[1].program;
    let two = std::cell::RefCell::new(two);
    prometheus
        .see(
            "one of two gateways is killed",
            &[("PaihaoProcessAway", "paihao-gateway")],
            async |_| two.borrow_mut().kill(),
            async |round| {
                if round == 0 {
                    two.borrow_mut().restart();
                }
            },
        )
        .await;

    for (fault, role, job) in [
        ("all gateways are killed", "gateway", "paihao-gateway"),
        ("the token service is killed", "token", "paihao-token"),
        ("the notifier is killed", "notifier", "paihao-notifier"),
    ] {
        let processes = match role {
            "gateway" => &mut cluster.gateways,
            "token" => &mut cluster.tokens,
            _ => &mut cluster.notifiers,
        };
        let processes = std::cell::RefCell::new(processes);
        prometheus
            .see(
                fault,
                &[("PaihaoRoleAway", role), ("PaihaoProcessAway", job)],
                async |_| processes.borrow_mut().iter_mut().for_each(|p| p.program.kill()),
                async |round| {
                    if round == 0 {
                        processes.borrow_mut().iter_mut().for_each(|p| p.program.restart());
                    }
                },
            )
            .await;
    }

    for (fault, offset_ms, expected) in [
        ("a clock is three seconds off", 3_000, &[("PaihaoClockSkewed", "")][..]),
        (
            "all clocks of the gateways are a minute off",
            60_000,
            &[
                ("PaihaoClockSkewed", ""),
                ("PaihaoClockWrong", ""),
                ("PaihaoNotReady", ""),
                ("PaihaoNoGatewayReady", ""),
            ],
        ),
    ] {
        let set = |offset_ms| {
            let clocks = cluster.gateways.iter().filter_map(|gateway| gateway.clock.as_ref());
            clocks.for_each(|clock| clock.set_ms(offset_ms));
        };
        prometheus.see(fault, expected, async |_| set(offset_ms), async |_| set(0)).await;
    }

    let hall = Hall::open(&cluster).await;
    prometheus
        .see(
            "NATS is killed",
            &[
                ("PaihaoStoreAway", "ledger"),
                ("PaihaoScansFail", ""),
                ("PaihaoRequestsFail", "ledger_unavailable"),
            ],
            async |round| {
                if round == 0 {
                    cluster.nats.kill();
                }
                tokio::join!(hall.scan(), hall.call_next());
            },
            async |round| {
                if round == 0 {
                    cluster.nats.restart();
                }
            },
        )
        .await;
    prometheus
        .see(
            "Redis is stopped",
            &[
                ("PaihaoStoreAway", "cache"),
                ("PaihaoRequestsFail", "cache_unavailable"),
                ("PaihaoTokenUnkept", "shop"),
            ],
            async |round| {
                if round == 0 {
                    cluster.redis.freeze();
                }
                hall.open_session().await;
            },
            async |round| {
                if round == 0 {
                    cluster.redis.thaw();
                }
            },
        )
        .await;
    println!("{}", prometheus.table());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_of_messages_are_seen() {
    let receiver = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = receiver.local_addr().unwrap();
    drop(receiver);
    let (cluster, mut prometheus) = start(&format!(
        "
        [notifier]
        webhook_private = ['127.0.0.1']
        [sites.{}.webhooks.crm]
        url = 'http://{address}/hook'
        secret = 'a-secret-of-the-tests-alone'
        ",
        site_id(0)
    ))
    .await;
    let hall = Hall::open(&cluster).await;
    let wechat = &cluster.wechat;

    prometheus
        .see(
            "a webhook's receiver is away",
            &[("PaihaoWebhookFails", "hall-0/crm")],
            async |round| {
                if round < 3 {
                    hall.serve_somebody().await;
                }
            },
            async |round| {
                if round == 0 {
                    tokio::spawn(hall::accept_everything(
                        TcpListener::bind(address).await.unwrap(),
                    ));
                }
            },
        )
        .await;

    let forged = async |_| hall.forge_callback().await;
    prometheus
        .see(
            "callbacks are wrongly signed",
            &[("PaihaoCallbacksRefused", "wrong_signature")],
            forged,
            async |_| {},
        )
        .await;

    prometheus
        .see(
            "keys are guessed",
            &[("PaihaoSecretsGuessed", "key")],
            async |round| hall.guess_keys(if round == 0 { 1 } else { 12 }).await,
            async |_| {},
        )
        .await;

    prometheus
        .see(
            "WeChat refuses connections",
            &[("PaihaoWeChatAway", "paihao-notifier")],
            async |round| {
                if round == 0 {
                    wechat.refuse_connections(true);
                }
                hall.serve_somebody().await;
            },
            async |_| {
                wechat.refuse_connections(false);
                hall.serve_somebody().await;
            },
        )
        .await;

    prometheus
        .see(
            "WeChat is busy",
            &[("PaihaoBacklog", "")],
            async |round| {
                if round == 0 {
                    wechat.add_fault(Fault::errcode(SEND_TEMPLATE, -1));
                    hall.serve_somebody().await;
                }
            },
            async |_| wechat.clear_faults(),
        )
        .await;

    prometheus
        .see(
            "WeChat is busy for 15 seconds",
            &[("PaihaoNoticesLate", "")],
            async |round| {
                if round == 0 {
                    wechat.add_fault(Fault::errcode(SEND_TEMPLATE, -1));
                    hall.serve_somebody().await;
                    tokio::time::sleep(Duration::from_secs(15)).await;
                    wechat.clear_faults();
                }
            },
            async |_| {},
        )
        .await;

    prometheus
        .see(
            "the template was deleted, and answers about texts are lost",
            &[("PaihaoNoticesFail", ""), ("PaihaoDeadLetters", "")],
            async |round| {
                if round == 0 {
                    wechat.add_fault(Fault::errcode(SEND_TEMPLATE, 40037));
                    wechat.add_fault(Fault::new(SEND_TEXT, Effect::Drop));
                }
                hall.serve_somebody().await;
            },
            async |_| {
                wechat.clear_faults();
                hall.drop_dead_letters().await;
            },
        )
        .await;
    println!("{}", prometheus.table());
    check_served(&cluster, 40).await;
    let drawn = pictures::draw(&prometheus).await;
    assert!(drawn > 40, "{drawn} panels show something");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_of_an_account_are_seen() {
    let (mut cluster, mut prometheus) = start("quota_read_seconds = 60").await;
    let notifier_pid = cluster.notifiers[0].program.pid().unwrap().to_string();
    let hall = Hall::open(&cluster).await;
    let wechat = &cluster.wechat;

    let check_templates =
        || assert!(Command::new("kill").args(["-HUP", &notifier_pid]).status().unwrap().success());
    prometheus
        .see(
            "the account's templates are gone",
            &[("PaihaoTemplateFaults", "shop")],
            async |round| {
                if round == 0 {
                    let text = r#"{"template_list":[]}"#.to_owned();
                    wechat.add_fault(Fault::new(LIST_TEMPLATES, Effect::Text { text }));
                    check_templates();
                }
            },
            async |round| {
                if round == 0 {
                    wechat.clear_faults();
                    check_templates();
                }
            },
        )
        .await;

    prometheus
        .see(
            "WeChat has counted nearly all calls of the day",
            &[("PaihaoQuotaLow", "shop")],
            async |round| {
                if round == 0 {
                    let text = r#"{"errcode":0,"errmsg":"ok",
                        "quota":{"daily_limit":100,"used":90,"remain":10},
                        "rate_limit":{"call_count":1000,"refresh_second":60}}"#;
                    let effect = Effect::Text { text: text.to_owned() };
                    wechat.add_fault(Fault::new(GET_QUOTA, effect));
                }
            },
            async |_| wechat.clear_faults(),
        )
        .await;

    prometheus
        .see(
            "the day's messages are used up",
            &[("PaihaoQuotaUsedUp", "template_send")],
            async |round| {
                if round == 0 {
                    wechat.add_fault(Fault::errcode(SEND_TEMPLATE, 45009));
                }
                hall.serve_somebody().await;
            },
            async |_| {
                wechat.clear_faults();
                hall.serve_somebody().await;
            },
        )
        .await;

    prometheus
        .see(
            "another program takes tokens",
            &[("PaihaoTokensRefused", "shop")],
            async |_| {
                wechat.kill_tokens(None, TokenInvalidation::Replaced);
                hall.serve_somebody().await;
            },
            async |_| {},
        )
        .await;

    let account = SimAccount::default();
    prometheus
        .see(
            "the AppSecret was reset",
            &[("PaihaoTokenAlarm", "wrong_secret")],
            async |round| {
                if round == 0 {
                    wechat.set_secret(None, "another");
                    wechat.kill_tokens(None, TokenInvalidation::Replaced);
                }
                hall.serve_somebody().await;
            },
            async |_| {
                wechat.set_secret(None, &account.secret);
                hall.drop_dead_letters().await;
            },
        )
        .await;

    newer_notice(&mut cluster, &mut prometheus).await;
    println!("{}", prometheus.table());
    check_served(&cluster, 40).await;
}

/// Checks the metrics that the processes serve, of which there are so many at least.
async fn check_served(cluster: &Cluster, at_least: usize) {
    let mut served = std::collections::BTreeSet::new();
    for process in cluster.gateways.iter().chain(&cluster.tokens).chain(&cluster.notifiers) {
        served.extend(served::check(&cluster.http, process).await);
    }
    assert!(served.len() >= at_least, "{served:#?}");
}

/// A newer notifier has queued what this one cannot read, and goes on with it at the end.
async fn newer_notice(cluster: &mut Cluster, prometheus: &mut Prometheus) {
    let ledger = connect_ledger(cluster).await;
    let notifier = std::cell::RefCell::new(&mut cluster.notifiers[0].program);
    prometheus
        .see(
            "a newer notifier queued a notice",
            &[("PaihaoReplicaTooOld", "")],
            async |round| {
                if round == 0 {
                    let entry = Entry::new(&br#"{"v":99,"wonders":["gilded"]}"#[..]);
                    let queued = ledger.enqueue(&NOTICES, "newer", entry, Duration::ZERO).await;
                    queued.unwrap();
                }
            },
            async |round| {
                if round == 0 {
                    notifier.borrow_mut().kill();
                    let mut newer = ledger.consume_queue(&NOTICES, 1).await.unwrap();
                    let notice = newer.next().await.expect("the notice");
                    notice.ack().await.unwrap();
                    drop(newer);
                    notifier.borrow_mut().restart();
                }
            },
        )
        .await;
}
