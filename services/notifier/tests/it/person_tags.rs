//! Tests of the tags of people in the cache: windows of both generations are found, and what is
//! stored has a key.

use crate::support::{TestEnv, notice_key, open_id, person_tag, policy_for, settings};
use paihao_contracts::notice::Channel::{CustomerService, Template};
use paihao_contracts::send_window::{SendWindow, SendWindowKind};
use paihao_contracts::staff::{StaffEntry, StaffEvent};
use paihao_contracts::stored_secret::StoredSecret;
use paihao_contracts::streams::{STAFF, send_window_key, sent_index_key};
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Subject};
use paihao_notifier::{Settings, start};
use paihao_wechat::{OpenId, PersonTags};
use std::time::Duration;

async fn append_secret(env: &TestEnv) {
    let secret = StoredSecret::new("a-secret-of-the-tests");
    let event = StaffEvent::SecretMade { secret, made_at: None };
    let entry = Entry::new(StaffEntry::new(1, "system", event).encode());
    let subject = Subject::new(&["staff"]).unwrap();
    env.ledger.append(&STAFF, &subject, ExpectedPosition::Empty, entry).await.unwrap();
}

fn keyed_tag(i: u32) -> String {
    PersonTags::new("a-secret-of-the-tests", true).tag("shop", &OpenId::new(open_id(i)))
}

/// Lets a person write, which a gateway stores under this tag.
async fn write(env: &TestEnv, i: u32, tag: &str) {
    env.wechat.send_text(None, &open_id(i), "你好", Default::default()).await.unwrap();
    let kind = SendWindowKind::Message;
    let window = SendWindow::open(kind, crate::support::START_MS / 1000);
    let key = send_window_key("shop", tag, kind.name());
    let stored = serde_json::to_vec(&window).unwrap().into();
    env.cache.put(&key, stored, Duration::from_secs(3600)).await.unwrap();
}

#[tokio::test]
async fn windows_of_both_generations_are_found_and_what_is_sent_is_kept_under_a_key() {
    for keyed_tags in [false, true] {
        let env = TestEnv::new().await;
        env.add_followers(1..4);
        write(&env, 1, &person_tag(1)).await;
        write(&env, 2, &keyed_tag(2)).await;
        append_secret(&env).await;
        let policy = policy_for(&[CustomerService, Template]);
        let settings = Settings { keyed_tags, ..settings(policy, 8) };
        start(settings, env.ports(env.ledger.clone()), &env.tasks);
        env.call_tickets(1..4).await;
        let ended = env.wait_until_ended(3).await;
        let channels = [1, 2, 3].map(|i| ended[&notice_key(i)].channel);
        assert_eq!(channels, [Some(CustomerService), Some(CustomerService), Some(Template)]);
        // Of the third one a receipt may come: it is looked for under the tag of the generation.
        let is_kept =
            async |tag: &str| env.cache.get(&sent_index_key("shop", tag)).await.unwrap().is_some();
        assert_eq!(is_kept(&keyed_tag(3)).await, keyed_tags);
        assert_eq!(is_kept(&person_tag(3)).await, !keyed_tags);
        env.tasks.stop_and_wait().await;
    }
}

#[tokio::test]
async fn nothing_is_sent_before_the_secret_is_known_under_which_people_are_kept() {
    let env = TestEnv::new().await;
    env.add_followers(1..2);
    write(&env, 1, &keyed_tag(1)).await;
    let policy = policy_for(&[CustomerService, Template]);
    let settings = Settings { keyed_tags: true, ..settings(policy, 8) };
    start(settings, env.ports(env.ledger.clone()), &env.tasks);
    env.call_tickets(1..2).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let calls = env.wechat.stats().calls;
    assert!(!calls.keys().any(|path| path.ends_with("/send")), "{calls:?}");
    append_secret(&env).await;
    let ended = env.wait_until_ended(1).await;
    assert_eq!(ended[&notice_key(1)].channel, Some(CustomerService));
    env.tasks.stop_and_wait().await;
}
