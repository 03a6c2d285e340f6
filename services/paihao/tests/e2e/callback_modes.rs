//! Callbacks in all three modes, through the real program: what a customer sees in each of them.

use crate::support::gateway::{ModesDeployment, TEST_ACCOUNTS, console_account};
use wechat_sim::{ActionOutcome, ReplyOutcome};

/// Every answer is one that the customer sees rightly, and all of them are the same.
fn shown_reply(outcome: &ActionOutcome) -> String {
    let texts: Vec<_> = outcome.pushes.iter().map(|push| push.answer.text()).collect();
    assert!(texts.iter().all(|text| text.is_some() && *text == texts[0]), "{outcome:#?}");
    outcome.reply.clone().unwrap()
}

#[tokio::test]
async fn a_customer_sees_the_same_in_every_mode() {
    let town = ModesDeployment::start().await;
    for (i, (name, _, _)) in TEST_ACCOUNTS.iter().enumerate() {
        let appid = console_account(i).appid;
        let welcome = town.wechat.follow(Some(&appid), "oAnn").await;
        assert_eq!(shown_reply(&welcome), format!("欢迎来到{name}"));
        assert!(shown_reply(&town.write(i, "oAnn", "排队").await).contains("没有排队的号"));

        // The second delivery is sealed anew, with another nonce.
        let replies = town.scan(i, "oAnn", "one", 2).await;
        assert_eq!(replies[0], replies[1]);
        assert!(replies[0].contains("A001") && replies[0].contains(&format!("{name}-one")));
        assert!(town.scan(i, "oBen", "one", 1).await[0].contains("前面 1 位"));

        let mine = shown_reply(&town.write(i, "oAnn", " 排队\n").await);
        assert!(mine.contains("您已取号 A001") && mine.contains("前面没有人"), "{mine}");
        town.scan(i, "oAnn", "two", 1).await;
        let both = shown_reply(&town.click(i, "oAnn", "MY").await);
        assert!(both.contains(&format!("{name}-one")) && both.contains(&format!("{name}-two")));

        // What nobody bound to anything is answered with nothing.
        for nothing in [town.write(i, "oAnn", "你好").await, town.click(i, "oAnn", "OTHER").await]
        {
            assert!(nothing.pushes.iter().all(|push| push.answer == ReplyOutcome::Success));
        }

        let gone = shown_reply(&town.click(i, "oAnn", "BYE").await);
        assert!(gone.contains("已取消 A001") && gone.contains(&format!("{name}-two")), "{gone}");
        assert_eq!(
            (
                town.waiting_counts(&format!("{name}-one")).await,
                town.waiting_counts(&format!("{name}-two")).await
            ),
            (1.into(), 0.into())
        );
        assert!(shown_reply(&town.write(i, "oAnn", "退号").await).contains("没有排队的号"));
    }
    assert_eq!(town.wechat.stats().pushes_failed, 0, "no customer saw an error");

    let metrics = town.http.get(format!("{}/metrics", town.admin)).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    for (name, _, _) in TEST_ACCOUNTS {
        let skew = format!("paihao_gateway_callback_skew_seconds{{account=\"{name}\"}} ");
        let measured = metrics.lines().find_map(|line| line.strip_prefix(&skew));
        let measured: f64 = measured.expect("the skew is measured").parse().unwrap();
        assert!(measured.abs() < 60.0, "one machine, one clock: {measured}");
    }
}

#[tokio::test]
async fn whoever_unfollows_leaves_every_line_of_the_account() {
    let town = ModesDeployment::start().await;
    for i in 0..TEST_ACCOUNTS.len() {
        for site in ["one", "two"] {
            town.scan(i, "oBen", site, 1).await;
            town.scan(i, "oAnn", site, 1).await;
        }
    }
    let secure = console_account(2).appid;
    town.wechat.unfollow(Some(&secure), "oAnn").await;
    // WeChat may say it several times.
    town.wechat.unfollow(Some(&secure), "oAnn").await;
    for (name, _, _) in TEST_ACCOUNTS {
        for site in ["one", "two"] {
            let left = if name == "secure" { 1 } else { 2 };
            assert_eq!(town.waiting_counts(&format!("{name}-{site}")).await, left, "{name}");
        }
    }
    // Ben moved up, and Ann would begin anew.
    assert!(town.scan(2, "oBen", "one", 1).await[0].contains("前面没有人"));
    assert!(town.scan(2, "oAnn", "one", 1).await[0].contains("取号成功 A003"));
    assert_eq!(town.wechat.stats().pushes_failed, 0, "no customer saw an error");
}
