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
use tokio::time::{Instant, sleep, sleep_until, timeout};
use wechat_sim::{Routing, SimAccount};

const WAIT_TIMEOUT: Duration = Duration::from_secs(60);
const COLLECTOR_KEY: &str = "a-key-of-the-collector";
const PEOPLE: [&str; 4] = ["oAnnAnnAnn", "oBenBenBen", "oCaiCaiCai", "oDanDanDan"];
/// Time after a scan in which its reply is news enough, with some to spare.
const JOIN_GRACE: Duration = Duration::from_secs(62);
/// Messages about the line, as template messages.
const PROGRESS: &str = "
    [accounts.shop.progress]
    template_id = 'SIM43521_progress_of_the_line_0000000000001'
    fields = { thing1 = '{site}', character_string2 = '{number}', short_thing3 = '{ahead}', thing4 = '{news}' }
";

/// Route and service of WeChat's pushes.
const CALLBACK: (&str, &str) = ("POST /wechat/{account}", "paihao-gateway");

/// Waits for a span of this name, and returns it with those above it. The last one begins its
/// trace, and has this name if one is given.
async fn wait_for_path(
    collector: &Collector,
    name: &str,
    first: Option<&str>,
) -> Vec<CollectedSpan> {
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
    let is_whole = |path: &Vec<CollectedSpan>| {
        let last = &path.last().expect("never empty").span;
        last.parent_span_id.is_empty() && first.is_none_or(|first| last.name == first)
    };
    let found = async {
        loop {
            let ends = collector.spans().into_iter().filter(|end| end.span.name == name);
            if let Some(path) = ends.map(|end| path_of(&end)).find(is_whole) {
                return path;
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(WAIT_TIMEOUT, found).await.unwrap_or_else(|_| {
        let names: BTreeSet<_> = collector.spans().into_iter().map(|end| end.span.name).collect();
        panic!("no whole trace from {first:?} to {name}: {names:?}")
    })
}

/// Checks the way from a request over the ledger and the queue to the message, and its receipt in
/// the same trace.
async fn check_message_and_receipt(collector: &Collector, request: (&str, &str)) {
    let above = [
        ("process notices", "paihao-notifier"),
        ("process planner", "paihao-notifier"),
        ("append entry", "paihao-gateway"),
        request,
    ];
    let mut traces = Vec::new();
    for end in ["/cgi-bin/message/template/send", "match receipt"] {
        let path = wait_for_path(collector, end, Some(request.0)).await;
        let names: Vec<_> =
            path[1..].iter().map(|above| (&*above.span.name, &*above.service)).collect();
        assert_eq!(names, above, "above {end}");
        for (span, above) in path.iter().zip(&path[1..]) {
            assert!(span.span.start_time_unix_nano >= above.span.start_time_unix_nano, "{span:?}");
            assert_eq!(above.text("paihao.site"), Some(&*site_id(0)), "{above:?}");
        }
        traces.push(path[0].span.trace_id.clone());
        if end == "match receipt" {
            assert_eq!(path[0].text("paihao.receipt"), Some("delivered"));
            // It came with a push of its own.
            let push = &path[0].span.links[0].trace_id;
            assert_ne!(push, &path[0].span.trace_id);
            wait_until("the push with the receipt", WAIT_TIMEOUT, async || {
                collector.trace(push).iter().any(|span| span.span.name == CALLBACK.0)
            })
            .await;
        }
    }
    assert_eq!(traces[0], traces[1], "message and receipt are in one trace");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_goes_from_the_callback_to_the_message_and_its_receipt() {
    let collector = Collector::start().await;
    let extra_config = format!(
        "{PROGRESS}
        [traces]
        endpoint = '{}'
        authorization = 'Bearer {COLLECTOR_KEY}'
        ",
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
    let joined = Instant::now();
    let post = async |act: &str| {
        let site = site_id(0);
        let url = format!("{}/api/v1/sites/{site}/counters/1/{act}", cluster.gateways[0].url);
        let (status, body) = send_json(staff_request(&cluster.http, STAFF_KEY, &url, act)).await;
        assert_eq!(status, StatusCode::OK, "{body}");
    };

    // The first is called.
    post("open").await;
    post("call-next").await;
    let call = ("POST /api/v1/sites/{site}/counters/{counter}/call-next", "paihao-gateway");
    check_message_and_receipt(&collector, call).await;

    // The second leaves, and the fourth is told that the turn is near.
    sleep_until(joined + JOIN_GRACE).await;
    let left = cluster.wechat.send_text(None, PEOPLE[1], "退号", to()).await;
    assert!(left.is_some_and(|outcome| outcome.reply.is_some()));
    let notified = async || !cluster.wechat.messages(PEOPLE[3]).is_empty();
    wait_until("the fourth is told", WAIT_TIMEOUT, notified).await;
    check_message_and_receipt(&collector, CALLBACK).await;

    // The token service's own work is traced as well.
    let path = wait_for_path(&collector, "/cgi-bin/stable_token", None).await;
    assert_eq!(path[0].service, "paihao-token");

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
