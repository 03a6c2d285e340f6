//! Channels are tried in their order until one takes a notice, and never is one told twice.

use crate::world::{SEND, SUBSCRIPTION, TEXT, World, key, manner, person, seen_at};
use paihao_contracts::notice::Channel::{CustomerService, PassiveReply, Subscription, Template};
use paihao_contracts::notice::{Channel, ChannelAttempt, DeliveryOutcome, NoticeOutcome};
use paihao_contracts::outcome::{AttemptAnnounced, OutcomeRecord};
use paihao_contracts::send_window::{SendWindow, SendWindowKind};
use paihao_contracts::streams::{DEAD_LETTERS, OUTCOMES};
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Subject};
use sha2::{Digest, Sha256};
use wechat_sim::{ChatContent, Effect, Fault, Refusal, SimTemplate};

/// Why each channel did not take it.
fn reasons(outcome: &NoticeOutcome) -> Vec<(Channel, &str, Option<i64>)> {
    let tried = outcome.tried.iter();
    tried
        .map(|ChannelAttempt { channel, reason, code, .. }| (*channel, reason.as_str(), *code))
        .collect()
}

/// What somebody was told, by channel: texts, template messages, subscription notices.
fn told(world: &World, i: u32) -> (usize, usize, usize) {
    let chat = world.wechat.chat(&person(i));
    let count = |of: fn(&ChatContent) -> bool| chat.iter().filter(|line| of(&line.shown)).count();
    (
        count(|shown| matches!(shown, ChatContent::Service { .. })),
        count(|shown| matches!(shown, ChatContent::Card { .. })),
        count(|shown| matches!(shown, ChatContent::Notice { .. })),
    )
}

/// The first one, once it has ended.
async fn first(world: &World) -> NoticeOutcome {
    world.ended(1).await.remove(&key(1)).unwrap()
}

#[tokio::test]
async fn a_text_is_sent_while_it_is_allowed_and_a_template_message_when_it_is_not() {
    let world = World::new().await;
    world.followers(1..3);
    world.writes(1).await;
    world.speaking(manner(&[CustomerService, Template]), 8);
    world.call(1..3).await;
    let ended = world.ended(2).await;
    let (one, two) = (&ended[&key(1)], &ended[&key(2)]);
    assert_eq!(
        (&one.fate, one.via),
        (&DeliveryOutcome::Sent { message_id: 0 }, Some(CustomerService))
    );
    assert!(matches!(two.fate, DeliveryOutcome::Sent { message_id: 1.. }), "{two:?}");
    assert_eq!(two.via, Some(Template));
    assert_eq!(reasons(two), [(CustomerService, "no_allowance", None)]);
    assert_eq!((told(&world, 1), told(&world, 2)), ((1, 0, 0), (0, 1, 0)));
    let text = |shown: &ChatContent| matches!(shown, ChatContent::Service { text } if text == "请 A001 到 1号窗口");
    assert!(world.wechat.chat(&person(1)).iter().any(|line| text(&line.shown)));
    world.tasks.stop_and_wait().await;
    let left = world.cache.get(&seen_at(1, SendWindowKind::Message)).await.unwrap().unwrap();
    assert_eq!(serde_json::from_slice::<SendWindow>(&left).unwrap().left, 4, "one is used up");
}

#[tokio::test]
async fn a_wrong_guess_costs_one_call_and_is_not_made_again() {
    let world = World::new().await;
    world.followers(1..3);
    // A gateway saw them scan; for WeChat that was too long ago, or used up.
    world.seen(1, SendWindowKind::Tap).await;
    world.wechat.add_fault(Fault::errcode(TEXT, 45047).containing(&person(2)));
    world.writes(2).await;
    world.speaking(manner(&[CustomerService, Template]), 8);
    world.call(1..3).await;
    let ended = world.ended(2).await;
    let (one, two) = (&ended[&key(1)], &ended[&key(2)]);
    assert_eq!(reasons(one), [(CustomerService, "no_open_window", Some(45015))]);
    assert_eq!(reasons(two), [(CustomerService, "window_used_up", Some(45047))]);
    assert_eq!((one.via, two.via), (Some(Template), Some(Template)));
    assert_eq!((told(&world, 1), told(&world, 2)), ((0, 1, 0), (0, 1, 0)));
    world.tasks.stop_and_wait().await;
    assert_eq!(world.cache.get(&seen_at(1, SendWindowKind::Tap)).await.unwrap(), None);
    assert_eq!(world.wechat.stats().calls[TEXT], 2);
    assert_eq!(world.count(&DEAD_LETTERS).await, 0, "nobody has to look at a wrong guess");
}

#[tokio::test]
async fn a_text_without_an_answer_is_unknown_and_nothing_else_is_tried() {
    let world = World::new().await;
    world.followers(1..2);
    world.writes(1).await;
    world.wechat.add_fault(Fault::new(TEXT, Effect::Drop).after());
    world.speaking(manner(&[CustomerService, Template]), 8);
    world.call(1..2).await;
    let one = first(&world).await;
    assert!(matches!(one.fate, DeliveryOutcome::Unknown { .. }), "{one:?}");
    assert_eq!((one.via, one.attempts), (Some(CustomerService), 1));
    world.tasks.stop_and_wait().await;
    assert_eq!(told(&world, 1), (1, 0, 0), "it had arrived");
    assert_eq!(world.wechat.stats().calls.get(SEND), None);
}

/// As if a process had died with its cache right after it announced this attempt.
async fn announced(world: &World, channel: Channel, seconds_ago: i64) {
    let at = crate::world::NOW - seconds_ago * 1000;
    let trying = AttemptAnnounced { v: 1, key: key(1), trying: channel, at, tried: vec![] };
    let entry = Entry::new(serde_json::to_vec(&OutcomeRecord::Attempt(trying)).unwrap());
    let subject = Subject::new(&["shop", &hex::encode(&Sha256::digest(key(1))[..16])]).unwrap();
    world.ledger.append(&OUTCOMES, &subject, ExpectedPosition::Empty, entry).await.unwrap();
}

#[tokio::test]
async fn an_attempt_that_the_cache_has_forgotten_is_not_made_through_another_channel() {
    for channel in [CustomerService, Subscription] {
        let world = World::new().await;
        world.followers(1..2);
        world.writes(1).await;
        announced(&world, channel, 21).await;
        world.speaking(manner(&[channel, Template]), 8);
        world.call(1..2).await;
        let one = first(&world).await;
        assert!(matches!(one.fate, DeliveryOutcome::Unknown { .. }), "{one:?}");
        assert_eq!((one.via, told(&world, 1)), (Some(channel), (0, 0, 0)));
    }
    let world = World::new().await;
    world.followers(1..2);
    world.writes(1).await;
    announced(&world, Template, 21).await;
    world.speaking(manner(&[CustomerService, Template]), 8);
    world.call(1..2).await;
    let one = first(&world).await;
    assert!(matches!(one.fate, DeliveryOutcome::Sent { .. }), "{one:?}");
    assert_eq!(told(&world, 1), (0, 1, 0), "WeChat would have dropped a second one");
    // And after nine minutes not even that.
    let world = World::new().await;
    world.followers(1..2);
    announced(&world, Template, 9 * 60).await;
    world.speaking(manner(&[Template, CustomerService]), 8);
    world.call(1..2).await;
    assert!(matches!(first(&world).await.fate, DeliveryOutcome::Unknown { .. }));
    assert_eq!(told(&world, 1), (0, 0, 0));
}

#[tokio::test]
async fn a_template_message_without_an_answer_is_asked_for_again_and_never_said_otherwise() {
    let world = World::new().await;
    world.followers(1..3);
    world.writes(1).await;
    world.writes(2).await;
    world.wechat.add_fault(Fault::new(SEND, Effect::Drop).after().containing(&person(1)).times(1));
    world.wechat.add_fault(Fault::new(SEND, Effect::Drop).after().containing(&person(2)).times(1));
    // By the time it is asked again the other person has left: what was first accepted was sent.
    world.wechat.add_fault(Fault::errcode(SEND, 43004).containing(&person(2)));
    world.speaking(manner(&[Template, CustomerService]), 8);
    world.call(1..3).await;
    let ended = world.ended(2).await;
    let (one, two) = (&ended[&key(1)], &ended[&key(2)]);
    assert!(matches!(one.fate, DeliveryOutcome::Sent { message_id: 1.. }), "{one:?}");
    assert!(matches!(two.fate, DeliveryOutcome::Unknown { .. }), "{two:?}");
    assert_eq!((told(&world, 1), told(&world, 2)), ((0, 1, 0), (0, 1, 0)));
    assert_eq!(world.wechat.stats().messages_repeated, 1);
}

#[tokio::test]
async fn each_channel_says_why_and_the_last_one_takes_it() {
    let world = World::new().await;
    world.followers(1..2);
    world.wechat.add_fault(Fault::errcode(SEND, 43101));
    world.wechat.grant_notices(None, &person(1), SimTemplate::DEMO_PROGRESS, 1);
    world.speaking(manner(&[PassiveReply, CustomerService, Template, Subscription]), 8);
    world.call(1..2).await;
    let one = first(&world).await;
    assert_eq!(
        (&one.fate, one.via),
        (&DeliveryOutcome::Sent { message_id: 0 }, Some(Subscription))
    );
    let expected = [
        (PassiveReply, "not_replied", None),
        (CustomerService, "no_allowance", None),
        (Template, "messages_refused", Some(43101)),
    ];
    assert_eq!(reasons(&one), expected);
    assert_eq!(told(&world, 1), (0, 0, 1));
}

#[tokio::test]
async fn when_no_channel_takes_it_the_first_refusal_is_how_it_ended() {
    let world = World::new().await;
    world.wechat.set_person(None, &person(1), false, Refusal::No);
    world.speaking(manner(&[CustomerService, Template, Subscription]), 8);
    world.call(1..2).await;
    let one = first(&world).await;
    assert_eq!(one.fate, DeliveryOutcome::Refused { code: 43004, name: "not_following".into() });
    assert_eq!(one.via, None);
    let expected = [
        (CustomerService, "no_allowance", None),
        (Template, "not_following", Some(43004)),
        (Subscription, "messages_refused", Some(43101)),
    ];
    assert_eq!(reasons(&one), expected);
    world.tasks.stop_and_wait().await;
    assert_eq!(world.count(&DEAD_LETTERS).await, 0);
    let calls = world.wechat.stats().calls;
    assert_eq!((calls[SEND], calls[SUBSCRIPTION]), (1, 1));
}

#[tokio::test]
async fn a_template_that_is_gone_does_not_keep_anybody_from_being_told() {
    let world = World::new().await;
    world.followers(1..2);
    world.writes(1).await;
    let mut manner = manner(&[Template, CustomerService]);
    manner.template = Some(crate::world::binding("deleted"));
    world.speaking(manner, 8);
    world.call(1..2).await;
    let one = first(&world).await;
    assert_eq!(
        (&one.fate, one.via),
        (&DeliveryOutcome::Sent { message_id: 0 }, Some(CustomerService))
    );
    assert_eq!(reasons(&one), [(Template, "template_unknown", Some(40037))]);
    assert!(one.tried[0].said.as_ref().unwrap().contains("40037"), "somebody has to look at it");
    assert_eq!(told(&world, 1), (1, 0, 0));
}

#[tokio::test]
async fn a_day_without_templates_left_is_told_otherwise() {
    let world = World::new().await;
    world.followers(1..2);
    world.writes(1).await;
    world.wechat.add_fault(Fault::errcode(SEND, 45009));
    world.speaking(manner(&[Template, CustomerService]), 8);
    world.call(1..2).await;
    let one = first(&world).await;
    assert_eq!(one.via, Some(CustomerService));
    assert_eq!(reasons(&one), [(Template, "gave_up", None)]);
}

#[tokio::test]
async fn what_a_reply_has_said_is_not_sent() {
    let world = World::new().await;
    world.followers(1..2);
    world.speaking(manner(&[PassiveReply, Template]), 8);
    world.enqueue(1, |notice| notice.replied = true).await;
    let one = first(&world).await;
    assert_eq!(
        (&one.fate, one.via, one.attempts),
        (&DeliveryOutcome::Replied, Some(PassiveReply), 0)
    );
    world.tasks.stop_and_wait().await;
    assert_eq!(told(&world, 1), (0, 0, 0));
    assert_eq!(world.count(&OUTCOMES).await, 1);
}
