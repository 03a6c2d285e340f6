//! One queue, one permanent code: whichever gateway is asked, however often it starts, and with the
//! cache gone.

use crate::cluster::{Cluster, Member, site};
use harness::wait_until;
use reqwest::StatusCode;
use std::time::Duration;
use wechat_sim::Routing;

async fn get(cluster: &Cluster, member: &Member, path: &str) -> (StatusCode, String) {
    let answer = cluster.http.get(format!("{}{path}", member.url)).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

fn made(cluster: &Cluster) -> u64 {
    cluster.wechat.stats().calls.get("/cgi-bin/qrcode/create").copied().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_door_has_one_code_for_ever() {
    let mut cluster = Cluster::start(1).await;
    let (poster, svg) =
        (format!("/poster/{}/a", site(0)), format!("/api/v1/sites/{}/queues/a/door.svg", site(0)));
    let before = made(&cluster);

    // Two gateways are asked at the same time, twice each: one code.
    let [one, other] = &cluster.gateways[..] else { panic!("two gateways") };
    let (a, b, c, d) = tokio::join!(
        get(&cluster, one, &poster),
        get(&cluster, other, &poster),
        get(&cluster, one, &svg),
        get(&cluster, other, &svg),
    );
    for (status, page) in [&a, &b] {
        assert_eq!(*status, StatusCode::OK, "{page}");
        assert!(page.contains("综合业务") && page.contains("<svg"), "{page}");
    }
    assert_eq!((a.1, &c.1), (b.1, &d.1), "both show the same");
    assert_eq!(made(&cluster), before + 1);
    let codes = cluster.wechat.codes(1000);
    let doors: Vec<_> = codes.iter().filter(|code| code.expires_at.is_none()).collect();
    assert_eq!((doors.len(), doors[0].scene.as_str()), (1, &*format!("q_{}_a", site(0))));

    // Who is not configured has none.
    for path in ["/poster/hall-0/b", "/poster/nowhere", "/api/v1/sites/nowhere/queues/a/door.svg"] {
        assert_eq!(get(&cluster, one, path).await.0, StatusCode::NOT_FOUND, "{path}");
    }

    // A gateway that starts anew finds it in the book; so does a further one.
    cluster.gateways[0].program.restart();
    let fresh = cluster.member("gateway");
    for member in [&cluster.gateways[0], &fresh] {
        cluster.until_ready(member).await;
        assert_eq!(get(&cluster, member, &svg).await, (StatusCode::OK, d.1.clone()));
    }

    // With the cache away it is still there, and takes a number.
    cluster.redis.freeze();
    assert_eq!(get(&cluster, &fresh, &poster).await.0, StatusCode::OK);
    let to = Routing { deliveries: 1, to: vec![cluster.callbacks().remove(1)] };
    let outcome = cluster.wechat.scan("oAnn", &doors[0].url, to).await;
    assert!(outcome.reply.as_ref().is_some_and(|reply| reply.contains("A001")), "{outcome:?}");
    cluster.redis.thaw();
    assert_eq!(made(&cluster), before + 1, "nobody else was called");

    // What was spent of the account's 100,000 is a metric at every replica.
    let metrics = format!("{}/metrics", fresh.admin);
    wait_until("the count is shown", Duration::from_secs(20), async || {
        let text = cluster.http.get(&metrics).send().await.unwrap().text().await.unwrap();
        text.contains("paihao_gateway_door_codes{account=\"shop\"} 1")
    })
    .await;
}
