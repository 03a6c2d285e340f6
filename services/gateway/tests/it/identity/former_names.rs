//! Tests of the names of former members, keys and kiosks: kept for their time, then erased for
//! good.

use crate::support::cluster::Cluster;
use crate::support::gateway::{Gateway, MANAGER_KEY, OWNER_KEY, read_json};
use crate::support::wait_until;
use paihao_chassis::clock::{Clock, ClockReading, ClockTrust, ManualClock};
use paihao_contracts::envelope::WriteVersion;
use paihao_contracts::staff::{ApiKey, Kiosk, Member, StaffEntry, StaffEvent, StaffRole};
use paihao_contracts::streams::STAFF;
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Subject};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

const ANN: &str = "m_0000000000aa";
const BOB: &str = "m_0000000000bb";
const KEY: &str = "k_0000000000cc";
const KIOSK: &str = "kiosk_0000000000dd";

/// Names of those who leave, and the hash of the person among them.
const FORMER: [&str; 5] = ["旧同事安", "安女士", "旧报表钥匙", "旧东门取号机", "hash-of-ann"];

/// Time of the oldest entries.
const BEGAN_MS: i64 = 1_795_000_000_000;

async fn append(cluster: &Cluster, at: i64, event: StaffEvent) {
    let entry = Entry::new(StaffEntry::new(at, "first", event).encode());
    let subject = Subject::new(&["staff"]).unwrap();
    cluster.ledger.append(&STAFF, &subject, ExpectedPosition::Any, entry).await.unwrap();
}

fn joined(id: &str, name: &str, person: &str) -> StaffEvent {
    let member = Member {
        id: id.to_owned(),
        name: name.to_owned(),
        role: StaffRole::Manager,
        sites: Some(["hall".to_owned()].into()),
        counters: [].into(),
    };
    StaffEvent::Joined { member, person: person.to_owned(), invitation: format!("of {id}") }
}

/// Appends two members, one of whom was renamed, a key and a kiosk.
async fn append_all(cluster: &Cluster) {
    append(cluster, BEGAN_MS, joined(ANN, FORMER[0], FORMER[4])).await;
    append(cluster, BEGAN_MS, joined(BOB, "在职小宝", "hash-of-bob")).await;
    let renamed = StaffEvent::Renamed { id: ANN.to_owned(), name: FORMER[1].to_owned() };
    append(cluster, BEGAN_MS + 1, renamed).await;
    let key = ApiKey {
        id: KEY.to_owned(),
        name: FORMER[2].to_owned(),
        hash: "00".repeat(32),
        sites: Some(["hall".to_owned()].into()),
        counters: [].into(),
        purpose: Some(FORMER[2].to_owned()),
        scopes: None,
        expires_at: None,
    };
    append(cluster, BEGAN_MS + 2, StaffEvent::KeyMade { key }).await;
    let (site, hash) = ("hall".to_owned(), "11".repeat(32));
    let kiosk = Kiosk { id: KIOSK.to_owned(), name: FORMER[3].to_owned(), site, hash };
    append(cluster, BEGAN_MS + 3, StaffEvent::KioskPaired { kiosk }).await;
}

/// Appends that all but one member have left.
async fn append_leaving(cluster: &Cluster, at: i64) {
    append(cluster, at, StaffEvent::Removed { id: ANN.to_owned() }).await;
    append(cluster, at, StaffEvent::KeyRevoked { id: KEY.to_owned() }).await;
    append(cluster, at, StaffEvent::KioskUnpaired { id: KIOSK.to_owned() }).await;
}

async fn as_owner(gateway: &Gateway, method: Method, path: &str, body: Value) -> Value {
    let request = gateway.http.request(method, gateway.api(path)).bearer_auth(OWNER_KEY);
    let response = request.body(body.to_string()).send().await.unwrap();
    if response.status() == StatusCode::NO_CONTENT {
        Value::Null
    } else {
        read_json(response).await.1
    }
}

async fn former(gateway: &Gateway) -> Vec<Value> {
    as_owner(gateway, Method::GET, "/former-staff", Value::Null).await.as_array().unwrap().clone()
}

/// Changes something of the staff, at which a gateway looks for what is due.
async fn rename_bob(gateway: &Gateway, name: &str) {
    let body = json!({ "name": name });
    let renamed = as_owner(gateway, Method::PATCH, &format!("/staff/{BOB}"), body).await;
    assert_eq!(renamed["name"], name);
}

fn names_in_store(cluster: &Cluster) -> Vec<&'static str> {
    let stored = cluster.stored_bytes();
    let has = |text: &str| stored.windows(text.len()).any(|window| window == text.as_bytes());
    FORMER.into_iter().filter(|name| has(name)).collect()
}

async fn until_erased(cluster: &Cluster) {
    wait_until("no byte of the names is left", async || names_in_store(cluster).is_empty()).await;
}

fn local_now(cluster: &Cluster) -> i64 {
    cluster.clock.now_ms()
}

async fn stop(cluster: Cluster) -> Cluster {
    cluster.tasks.stop().cancel();
    cluster.tasks.wait().await;
    cluster.restarted()
}

#[tokio::test]
async fn names_of_those_who_left_are_erased_after_their_time_and_others_stay() {
    let cluster = Cluster::new();
    let one = cluster.start_gateway().await;
    let two = cluster.start_gateway().await;
    append_all_and_wait(&cluster, &one).await;
    let left_at = local_now(&cluster);
    append_leaving(&cluster, left_at).await;
    wait_until("they are former ones", async || former(&one).await.len() == 3).await;
    let listed = former(&one).await;
    let erased_at = left_at + 185 * DAY.as_millis() as i64;
    assert!(listed.iter().all(|it| it["left_at"] == left_at && it["erased_at"] == erased_at));
    let names: Vec<_> = listed.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"安女士") && !names.contains(&"在职小宝"), "{names:?}");

    cluster.clock.advance(184 * DAY);
    rename_bob(&one, "在职小宝一").await;
    assert_eq!(former(&two).await.len(), 3);
    assert_eq!(names_in_store(&cluster), FORMER, "they are found where they are looked for");

    cluster.clock.advance(2 * DAY);
    rename_bob(&one, "在职小宝二").await;
    until_erased(&cluster).await;
    assert_eq!(former(&one).await, Vec::<Value>::new());
    let check = async |gateway: &Gateway| {
        let staff = as_owner(gateway, Method::GET, "/staff", Value::Null).await;
        assert_eq!(
            (&staff["members"][0]["id"], &staff["members"][0]["name"]),
            (&json!(BOB), &json!("在职小宝二"))
        );
        let audit =
            as_owner(gateway, Method::GET, &format!("/audit?target={ANN}"), Value::Null).await;
        let entries = audit["entries"].as_array().unwrap();
        let events: Vec<_> = entries.iter().map(|it| it["event"].as_str().unwrap()).collect();
        assert_eq!(events, ["name_erased", "member_removed", "member_renamed", "member_joined"]);
        assert!(entries.iter().all(|it| it["target_name"].is_null()), "{audit}");
        for (target, made) in [(KEY, "key_made"), (KIOSK, "kiosk_paired")] {
            let path = format!("/audit?target={target}");
            let audit = as_owner(gateway, Method::GET, &path, Value::Null).await.to_string();
            assert!(audit.contains(made) && audit.contains("name_erased"), "{audit}");
        }
        // Whoever manages the site sees as much as before.
        let own = gateway.http.get(gateway.api(&format!("/audit?target={ANN}")));
        let own = read_json(own.bearer_auth(MANAGER_KEY).send().await.unwrap()).await.1;
        assert_eq!(own["entries"].as_array().unwrap().len(), 4, "{own}");
    };
    check(&one).await;
    check(&two).await;
    let cluster = stop(cluster).await;
    let fresh = cluster.start_gateway().await;
    check(&fresh).await;
    assert_eq!(names_in_store(&cluster), Vec::<&str>::new());
    cluster.tasks.abort();
}

async fn append_all_and_wait(cluster: &Cluster, gateway: &Gateway) {
    append_all(cluster).await;
    wait_until("all are known", async || {
        let staff = as_owner(gateway, Method::GET, "/staff", Value::Null).await;
        staff["members"].as_array().unwrap().len() == 2
    })
    .await;
}

#[tokio::test]
async fn a_manager_erases_a_name_at_once_while_others_change_the_staff() {
    let cluster = Cluster::new();
    let one = cluster.start_gateway().await;
    let two = cluster.start_gateway().await;
    append_all_and_wait(&cluster, &one).await;
    append_leaving(&cluster, local_now(&cluster)).await;
    wait_until("they are former ones", async || former(&two).await.len() == 3).await;
    // Of the others only managers of the site know, and nobody erases who is here.
    for id in [BOB, "m_nobody"] {
        let path = format!("/former-staff/{id}");
        let refused = as_owner(&one, Method::DELETE, &path, Value::Null).await;
        assert_eq!(refused["code"], "unknown_member");
    }
    let erasing = async {
        for id in [ANN, KEY, KIOSK] {
            let path = format!("/former-staff/{id}");
            let erased = as_owner(&one, Method::DELETE, &path, Value::Null).await;
            assert_eq!(erased, Value::Null, "{id}");
        }
    };
    let renaming = async {
        for n in 0..12 {
            rename_bob(&two, &format!("小宝{n}")).await;
        }
    };
    tokio::join!(erasing, renaming);
    until_erased(&cluster).await;
    let again = as_owner(&one, Method::DELETE, &format!("/former-staff/{ANN}"), Value::Null).await;
    assert_eq!(again["code"], "unknown_member");
    let three = cluster.start_gateway().await;
    let staff = as_owner(&three, Method::GET, "/staff", Value::Null).await;
    assert_eq!(staff["members"][0]["name"], "小宝11");
    assert_eq!(as_owner(&two, Method::GET, "/staff", Value::Null).await, staff);
    cluster.tasks.abort();
}

#[tokio::test]
async fn a_copy_of_before_brings_no_name_back_for_longer_than_its_time() {
    let cluster = Cluster::new();
    append_all(&cluster).await;
    append_leaving(&cluster, BEGAN_MS + 4).await;
    assert_eq!(names_in_store(&cluster), FORMER);
    cluster.clock.advance(190 * DAY);
    // The entries are those of a restored ledger, whose secret comes later here.
    let secret = paihao_contracts::stored_secret::StoredSecret::new("a-secret-of-the-tests");
    append(&cluster, BEGAN_MS + 5, StaffEvent::SecretMade { secret, made_at: None }).await;
    let gateway = cluster.start_gateway().await;
    until_erased(&cluster).await;
    assert_eq!(former(&gateway).await, Vec::<Value>::new());
    cluster.tasks.abort();
}

/// Clock that nothing stands behind.
struct Unconfirmed(ManualClock);

impl Clock for Unconfirmed {
    fn now_ms(&self) -> i64 {
        self.0.now_ms()
    }

    fn read(&self) -> ClockReading {
        ClockReading { now_ms: self.0.now_ms(), trust: ClockTrust::Plausible }
    }
}

#[tokio::test]
async fn nothing_is_erased_by_a_clock_of_its_own_or_where_an_older_program_reads_the_log() {
    for write_version in [WriteVersion::clamped(1), WriteVersion::NEWEST] {
        let cluster = Cluster::new();
        let mut setup = cluster.hall_setup();
        setup.settings.write_version = write_version;
        setup.clock = Arc::new(Unconfirmed(cluster.clock.clone()));
        let gateway = cluster.start(setup).await;
        append_all_and_wait(&cluster, &gateway).await;
        append_leaving(&cluster, local_now(&cluster)).await;
        cluster.clock.advance(400 * DAY);
        rename_bob(&gateway, "在职小宝一").await;
        rename_bob(&gateway, "在职小宝二").await;
        assert_eq!(names_in_store(&cluster), FORMER);
        let path = format!("/former-staff/{ANN}");
        let erased = as_owner(&gateway, Method::DELETE, &path, Value::Null).await;
        if write_version == WriteVersion::NEWEST {
            assert_eq!(erased, Value::Null, "a manager may");
            assert_eq!(names_in_store(&cluster), FORMER[2..4]);
        } else {
            assert_eq!(erased["code"], "forms_held_back");
            assert_eq!(names_in_store(&cluster), FORMER);
        }
        cluster.tasks.abort();
    }
}
