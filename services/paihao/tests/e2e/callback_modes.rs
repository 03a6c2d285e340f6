//! Tests of WeChat's three modes of callbacks: replies to customers in each of them.

use crate::support::gateway::{ModesDeployment, TEST_ACCOUNTS, console_account};
use wechat_sim::{ActionOutcome, ReplyOutcome};

/// Reply to an action; checks that every delivery got the same readable one.
fn shown_reply(outcome: &ActionOutcome) -> String {
    let texts: Vec<_> = outcome.pushes.iter().map(|push| push.answer.text()).collect();
    assert!(texts.iter().all(|text| text.is_some() && *text == texts[0]), "{outcome:#?}");
    outcome.reply.clone().unwrap()
}

#[tokio::test]
async fn a_customer_gets_the_same_replies_in_every_mode() {
    let deployment = ModesDeployment::start().await;
    for (i, (name, _, _)) in TEST_ACCOUNTS.iter().enumerate() {
        let appid = console_account(i).appid;
        let welcome = deployment.wechat.follow(Some(&appid), "oAnn").await;
        assert_eq!(shown_reply(&welcome), format!("欢迎来到{name}"));
        assert!(
            shown_reply(&deployment.send_text(i, "oAnn", "排队").await).contains("没有排队的号")
        );

        // The second delivery is encrypted again, with another nonce.
        let replies = deployment.scan(i, "oAnn", "one", 2).await;
        assert_eq!(replies[0], replies[1]);
        assert!(replies[0].contains("A001") && replies[0].contains(&format!("{name}-one")));
        assert!(deployment.scan(i, "oBen", "one", 1).await[0].contains("前面 1 位"));

        let status = shown_reply(&deployment.send_text(i, "oAnn", " 排队\n").await);
        assert!(status.contains("您已取号 A001") && status.contains("前面没有人"), "{status}");
        deployment.scan(i, "oAnn", "two", 1).await;
        let reply = shown_reply(&deployment.click(i, "oAnn", "MY").await);
        assert!(reply.contains(&format!("{name}-one")) && reply.contains(&format!("{name}-two")));

        // A text or key without an action gets an empty reply.
        for ignored in [
            deployment.send_text(i, "oAnn", "你好").await,
            deployment.click(i, "oAnn", "OTHER").await,
        ] {
            assert!(ignored.pushes.iter().all(|push| push.answer == ReplyOutcome::Success));
        }

        let cancelled = shown_reply(&deployment.click(i, "oAnn", "BYE").await);
        assert!(
            cancelled.contains("已取消 A001") && cancelled.contains(&format!("{name}-two")),
            "{cancelled}"
        );
        assert_eq!(
            (
                deployment.waiting_counts(&format!("{name}-one")).await,
                deployment.waiting_counts(&format!("{name}-two")).await
            ),
            (1.into(), 0.into())
        );
        assert!(
            shown_reply(&deployment.send_text(i, "oAnn", "退号").await).contains("没有排队的号")
        );
    }
    assert_eq!(deployment.wechat.stats().pushes_failed, 0, "no customer saw an error");

    let metrics =
        deployment.http.get(format!("{}/metrics", deployment.admin)).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    for (name, _, _) in TEST_ACCOUNTS {
        let skew = format!("paihao_gateway_callback_skew_seconds{{account=\"{name}\"}} ");
        let measured = metrics.lines().find_map(|line| line.strip_prefix(&skew));
        let measured: f64 = measured.expect("the skew is measured").parse().unwrap();
        assert!(measured.abs() < 60.0, "one machine, one clock: {measured}");
    }
}

#[tokio::test]
async fn an_unfollow_closes_every_ticket_at_the_account() {
    let deployment = ModesDeployment::start().await;
    for i in 0..TEST_ACCOUNTS.len() {
        for site in ["one", "two"] {
            deployment.scan(i, "oBen", site, 1).await;
            deployment.scan(i, "oAnn", site, 1).await;
        }
    }
    let secure = console_account(2).appid;
    deployment.wechat.unfollow(Some(&secure), "oAnn").await;
    // WeChat may push it several times.
    deployment.wechat.unfollow(Some(&secure), "oAnn").await;
    for (name, _, _) in TEST_ACCOUNTS {
        for site in ["one", "two"] {
            let expected = if name == "secure" { 1 } else { 2 };
            assert_eq!(
                deployment.waiting_counts(&format!("{name}-{site}")).await,
                expected,
                "{name}"
            );
        }
    }
    // oBen moved up, and oAnn would get a new number.
    assert!(deployment.scan(2, "oBen", "one", 1).await[0].contains("前面没有人"));
    assert!(deployment.scan(2, "oAnn", "one", 1).await[0].contains("取号成功 A003"));
    assert_eq!(deployment.wechat.stats().pushes_failed, 0, "no customer saw an error");
}
