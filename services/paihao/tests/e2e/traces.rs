//! Tests of traces: one from a callback or a call over the ledger and the queue to the message and
//! its receipt, across the processes of all roles, with the site and never a person.

use crate::support::cluster::{Cluster, ClusterSetup, STAFF_KEY, site_id};
use crate::support::collector::{CollectedSpan, Collector};
use crate::support::http::{send_json, staff_request};
use crate::support::leaks::leaks;
use harness::wait_until;
use reqwest::StatusCode;
use std::collections::{BTreeSet, HashSet};
use std::time::Duration;
use tokio::time::{sleep, timeout};
use wechat_sim::{Routing, SimAccount};

const WAIT_TIMEOUT: Duration = Duration::from_secs(60);
const COLLECTOR_KEY: &str = "a-key-of-the-collector";
const PEOPLE: [&str; 2] = ["oAnnAnnAnn", "oBenBenBen"];

/// Waits until a trace has a span of this name, and returns the span and those above it, by name
/// and service.
async fn wait_for_path(
    collector: &Collector,
    name: &str,
) -> (CollectedSpan, Vec<(String, String)>) {
    let find = || collector.spans().into_iter().rev().find(|collected| collected.span.name == name);
    let path_of = |end: &CollectedSpan| {
        let trace = collector.trace(&end.span.trace_id);
        let mut path = vec![end.clone()];
        while let Some(parent) = trace.iter().find(|other| {
            other.span.span_id == path.last().expect("never empty").span.parent_span_id
        }) {
            path.push(parent.clone());
        }
        path
    };
    let whole = |path: &[CollectedSpan]| {
        path.last().is_some_and(|first| first.span.parent_span_id.is_empty())
    };
    let found = async {
        loop {
            let path = find().map(|end| path_of(&end));
            if let Some(path) = path.filter(|path| whole(path)) {
                return path;
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    let path = timeout(WAIT_TIMEOUT, found).await.unwrap_or_else(|_| {
        let names: BTreeSet<_> = collector.spans().into_iter().map(|c| c.span.name).collect();
        panic!("no whole trace to {name}: {names:?}")
    });
    let end = path[0].clone();
    for above in path.windows(2) {
        assert!(above[0].span.start_time_unix_nano >= above[1].span.start_time_unix_nano);
    }
    let names = path.into_iter().map(|collected| (collected.span.name, collected.service));
    (end, names.collect())
}

fn named(path: &[(&str, &str)]) -> Vec<(String, String)> {
    path.iter().map(|(name, service)| (name.to_string(), service.to_string())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_goes_from_the_callback_to_the_message_and_its_receipt() {
    let collector = Collector::start().await;
    let extra_config = format!(
        "\n[traces]\nendpoint = '{}'\nauthorization = 'Bearer {COLLECTOR_KEY}'\n",
        collector.url
    );
    let cluster = Cluster::start_setup(ClusterSetup { extra_config, ..Default::default() }).await;
    cluster.wechat.set_callback_urls(None, cluster.callback_urls());
    let to = || Routing { deliveries: 1, urls: vec![cluster.callback_urls().remove(1)] };
    for person in PEOPLE {
        let code = cluster.site_code(0, &site_id(0)).await;
        let outcome = cluster.wechat.scan(person, &code, to()).await;
        assert!(outcome.reply.is_some(), "{:?}", outcome.pushes);
    }
    let post = async |act: &str| {
        let site = site_id(0);
        let url = format!("{}/api/v1/sites/{site}/counters/1/{act}", cluster.gateways[0].url);
        let (status, body) = send_json(staff_request(&cluster.http, STAFF_KEY, &url, act)).await;
        assert_eq!(status, StatusCode::OK, "{body}");
    };
    post("open").await;

    // The first in line leaves: the second is told that it is the next.
    let left = cluster.wechat.send_text(None, PEOPLE[0], "退号", to()).await;
    assert!(left.is_some_and(|outcome| outcome.reply.is_some()));
    let callback = ("POST /wechat/{account}", "paihao-gateway");
    let (send, path) = wait_for_path(&collector, "/cgi-bin/message/custom/send").await;
    let delivery = [
        ("process notices", "paihao-notifier"),
        ("process planner", "paihao-notifier"),
        ("append entry", "paihao-gateway"),
    ];
    assert_eq!(path[1..], named(&[&delivery[..], &[callback]].concat()), "after {send:?}");
    for collected in collector.trace(&send.span.trace_id) {
        let site = collected.text("paihao.site");
        let is_call = collected.span.name.starts_with("/cgi-bin/");
        assert_eq!(site, (!is_call).then_some(&*site_id(0)), "{collected:?}");
    }

    // The second is called. WeChat's receipt comes with a push of its own, and is told in the trace
    // of the call, with a link to that push.
    post("call-next").await;
    let (matched, path) = wait_for_path(&collector, "match receipt").await;
    let call = ("POST /api/v1/sites/{site}/counters/{counter}/call-next", "paihao-gateway");
    assert_eq!(path[1..], named(&[&delivery[..], &[call]].concat()));
    assert_eq!(matched.text("paihao.receipt"), Some("delivered"));
    let push = matched.span.links[0].trace_id.clone();
    assert_ne!(push, matched.span.trace_id);
    let is_push = |collected: &CollectedSpan| collected.span.name == callback.0;
    wait_until("the push with the receipt", WAIT_TIMEOUT, async || {
        collector.trace(&push).iter().any(is_push)
    })
    .await;
    let (_, path) = wait_for_path(&collector, "/cgi-bin/message/template/send").await;
    assert_eq!(path.last(), named(&[call]).last(), "the message is in the same trace");

    // The token service's own work is traced as well.
    let (_, path) = wait_for_path(&collector, "/cgi-bin/stable_token").await;
    assert_eq!(path[0].1, "paihao-token");

    for head in collector.heads() {
        assert!(head.starts_with("post /v1/traces "), "{head}");
        assert!(head.contains(&format!("authorization: bearer {COLLECTOR_KEY}")), "{head}");
    }
    let account = SimAccount::default();
    let mut secrets = HashSet::from(PEOPLE.map(str::to_owned));
    secrets.extend([STAFF_KEY.to_owned(), account.secret, account.appid, account.callback_token]);
    let all = format!("{:#?}", collector.spans());
    assert_eq!(leaks(&all, &secrets), Vec::<&str>::new());
}
