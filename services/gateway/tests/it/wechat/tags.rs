//! Tests of the tags that stand for people: keyed from the second generation of forms on, and of
//! pushes that WeChat repeats while gateways of both generations run.

use crate::support::cluster::{Cluster, GatewaySetup};
use crate::support::engine::take_ticket;
use crate::support::gateway::Gateway;
use crate::support::wait_until;
use crate::support::wechat::{LEAVE, push_body};
use paihao_cache::{Cache, MemoryCache, MemoryOptions};
use paihao_contracts::envelope::WriteVersion;
use paihao_contracts::notice::Channel;
use paihao_contracts::send_window::SendWindowKind;
use paihao_contracts::streams::send_window_key;
use paihao_domain::{Command, CommandId, Person};
use paihao_wechat::{OpenId, PersonTags};
use sha2::{Digest, Sha256};
use std::sync::Arc;

const ANN: &str = "oAnn0123456789abcdefghijk";
const ACCOUNT: &str = "shop";

fn setup(cluster: &Cluster, generation: u32, cache: &Arc<MemoryCache>) -> GatewaySetup {
    let documents = cluster.account_setup().deployment.configured;
    let mut account = documents.accounts[ACCOUNT].setup.clone().unwrap();
    account.channels = Some(vec![Channel::CustomerService]);
    let mut setup = cluster.setup_with_account(account);
    setup.settings.write_version = WriteVersion::clamped(generation);
    setup.cache = cache.clone();
    setup
}

fn cache() -> Arc<MemoryCache> {
    Arc::new(MemoryCache::new(MemoryOptions::default()))
}

fn leave_elements() -> String {
    format!("<MsgType>text</MsgType><Content>{LEAVE}</Content><MsgId>71</MsgId>")
}

fn sent_template() -> &'static str {
    "<MsgType>event</MsgType><Event>TEMPLATESENDJOBFINISH</Event><MsgID>77</MsgID>\
     <Status>success</Status>"
}

/// Hashes of the person without a key: tag, name of a push, and id of its command, in hex.
fn unkeyed_hashes() -> Vec<String> {
    let mut hashes = vec![PersonTags::of_former_versions().tag(ACCOUNT, &OpenId::new(ANN))];
    for elements in [leave_elements(), sent_template().to_owned()] {
        let push = paihao_wechat::callback::parse(push_body(ANN, &elements).as_bytes(), 65536);
        let identity = push.unwrap().identity();
        let text = [format!("callback\0{ACCOUNT}\0").as_bytes(), &identity].concat();
        hashes.push(hex::encode(identity));
        hashes.push(hex::encode(&Sha256::digest(text)[..16]));
    }
    hashes
}

async fn has_window(cache: &MemoryCache, tag: &str) -> bool {
    let key = send_window_key(ACCOUNT, tag, SendWindowKind::Message.name());
    cache.get(&key).await.unwrap().is_some()
}

/// Has the person write, leave and receive a message.
async fn act(gateway: &Gateway) {
    gateway.engine.submit("hall", take_ticket(ANN)).await.unwrap();
    for elements in [leave_elements(), sent_template().to_owned()] {
        assert_eq!(gateway.push(ANN, &elements).await.0, 200);
    }
}

#[tokio::test]
async fn no_store_has_an_unkeyed_hash_of_a_person() {
    for (generation, are_there) in [(1, true), (2, false)] {
        let (cluster, cache) = (Cluster::new(), cache());
        let gateway = cluster.start(setup(&cluster, generation, &cache)).await;
        let before = cache.len();
        act(&gateway).await;
        wait_until("the window is stored", async || cache.len() > before).await;
        let stored = cluster.stored_bytes();
        let is_stored =
            |hash: &&String| stored.windows(hash.len()).any(|window| window == hash.as_bytes());
        let hashes = unkeyed_hashes();
        let found: Vec<_> = hashes.iter().filter(is_stored).collect();
        // The tag and the name of the receipt's push in its queue, and the id of the command.
        assert_eq!(found.len(), if are_there { 3 } else { 0 }, "{found:?}");
        assert_eq!(has_window(&cache, &hashes[0]).await, are_there);
        cluster.tasks.abort();
    }
}

#[tokio::test]
async fn a_push_that_is_repeated_at_a_gateway_of_the_other_generation_is_the_same() {
    for (first, second) in [(1, 2), (2, 1)] {
        let (cluster, cache) = (Cluster::new(), cache());
        let one = cluster.start(setup(&cluster, first, &cache)).await;
        let two = cluster.start(setup(&cluster, second, &cache)).await;
        act(&one).await;
        // The person has a number again, which the repeat of the push must not give up.
        let ticket = take_ticket(ANN);
        let again = Command { id: CommandId([9; 16]), ..ticket };
        one.engine.submit("hall", again).await.unwrap();
        let reply = one.push(ANN, &leave_elements()).await;
        assert_eq!(two.push(ANN, &leave_elements()).await, reply, "{first} and {second}");
        assert_eq!(one.push(ANN, &leave_elements()).await, reply);
        let events = cluster.public_events().await;
        let left = events.iter().filter(|event| event["type"] == "ticket_closed").count();
        assert_eq!(left, 1, "{events:?}");
        // Without knowing each other's ids the second one would have taken it away.
        let snapshot = two.engine.latest_snapshot("hall").await.unwrap();
        let person = Person::new(ANN);
        assert!(snapshot.site.live_ticket_of(&person).is_some());
        cluster.tasks.abort();
    }
}

#[tokio::test]
async fn whoever_unfollows_is_forgotten_under_the_tags_of_both_generations() {
    let (cluster, cache) = (Cluster::new(), cache());
    let one = cluster.start(setup(&cluster, 1, &cache)).await;
    let two = cluster.start(setup(&cluster, 2, &cache)).await;
    act(&one).await;
    let former = PersonTags::of_former_versions().tag(ACCOUNT, &OpenId::new(ANN));
    wait_until("the window is stored", async || has_window(&cache, &former).await).await;
    assert_eq!(two.push_unsubscribe(ANN).await, 200);
    assert!(!has_window(&cache, &former).await);
    cluster.tasks.abort();
}
