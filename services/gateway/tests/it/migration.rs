//! Tests of people whose account has migrated: whoever unfollows either account is forgotten, and
//! nobody is for a message that was meant for the former one.

use crate::support::cluster::{Cluster, GatewaySetup};
use crate::support::engine::{command, take_ticket};
use crate::support::gateway::Gateway;
use crate::support::wait_until;
use crate::support::wechat::{FixedToken, plain_protection, push_body, signed_query};
use async_trait::async_trait;
use bytes::Bytes;
use paihao_contracts::settings::AccountSetup;
use paihao_contracts::streams::OUTCOMES;
use paihao_domain::{Act, Person};
use paihao_gateway::settings::AccountSettings;
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Subject};
use paihao_wechat::{
    AccountClient, Client, ClientOptions, Transport, TransportError, TransportResponse,
};
use parking_lot::Mutex;
use reqwest::{Request, StatusCode};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

const FORMER: &str = "oFormer0123456789abcdefgh";
const NEW: &str = "oNew0123456789abcdefghijk";

/// WeChat that knows who follows the account, or does not answer.
#[derive(Clone, Default)]
struct FakeFollowers {
    followers: Arc<Mutex<BTreeSet<&'static str>>>,
    is_away: Arc<Mutex<bool>>,
    asked: Arc<Mutex<usize>>,
}

#[async_trait]
impl Transport for FakeFollowers {
    async fn exchange(&self, request: Request) -> Result<TransportResponse, TransportError> {
        *self.asked.lock() += 1;
        if *self.is_away.lock() {
            return Err(TransportError::TimedOut);
        }
        let mut query = request.url().query_pairs();
        let openid = query.find(|(name, _)| name == "openid").unwrap().1.into_owned();
        let subscribe = u8::from(self.followers.lock().contains(&*openid));
        let body = json!({ "subscribe": subscribe, "openid": openid }).to_string();
        let (status, headers) = (StatusCode::OK, Default::default());
        Ok(TransportResponse { status, headers, body: Bytes::from(body) })
    }
}

/// Hall whose only ticket names a person by the new openid, beside an account of no site.
struct MigratedHall {
    cluster: Cluster,
    gateway: Gateway,
    wechat: FakeFollowers,
}

impl MigratedHall {
    async fn start() -> MigratedHall {
        let cluster = Cluster::new();
        let wechat = FakeFollowers::default();
        let client = Client::over(Arc::new(wechat.clone()), ClientOptions::default());
        let mut setup = GatewaySetup {
            wechat: AccountClient::new(client, Arc::new(FixedToken)),
            ..cluster.account_setup()
        };
        let former = AccountSettings::new(plain_protection(), &AccountSetup::default());
        let former = Arc::new(former);
        setup.deployment.accounts.insert("former".to_owned(), former);
        let gateway = cluster.start(setup).await;
        gateway.engine.submit("hall", take_ticket(FORMER)).await.unwrap();
        let act = Act::MigrateHolder { from: Person::new(FORMER), to: Person::new(NEW) };
        gateway.engine.submit("hall", command("migrate", act)).await.unwrap();
        MigratedHall { cluster, gateway, wechat }
    }

    /// True while the ticket names the person.
    fn is_named(&self) -> bool {
        let site = self.gateway.engine.snapshot("hall").unwrap().site;
        assert_eq!(
            site.tickets_of(&Person::new(FORMER)).count(),
            site.tickets_of(&Person::new(NEW)).count(),
            "the former openid goes with the new one"
        );
        site.tickets_of(&Person::new(NEW)).next().is_some()
    }

    async fn push_unsubscribe(&self, account: &str, person: &str) {
        let event = "<MsgType>event</MsgType><Event>unsubscribe</Event><EventKey></EventKey>";
        let url = format!("{}/wechat/{account}?{}", self.gateway.url, signed_query());
        let push = self.gateway.http.post(url).body(push_body(person, event));
        assert_eq!(push.send().await.unwrap().status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn whoever_unfollows_either_account_is_forgotten_with_both_openids() {
    for (account, person, is_meant) in [
        ("shop", NEW, true),
        ("shop", FORMER, true),
        ("former", FORMER, true),
        ("former", "oSomebody", false),
        ("shop", "oSomebody", false),
    ] {
        let hall = MigratedHall::start().await;
        hall.push_unsubscribe(account, person).await;
        assert_eq!(!hall.is_named(), is_meant, "{account} {person}");
        let state = format!("{:?}", hall.gateway.engine.snapshot("hall").unwrap().site);
        assert_eq!(!state.contains(FORMER), is_meant, "{account} {person}");
        hall.cluster.tasks.abort();
    }
}

#[tokio::test]
async fn a_message_refused_at_the_former_account_forgets_nobody_who_follows_the_new_one() {
    let hall = MigratedHall::start().await;
    hall.wechat.followers.lock().insert(NEW);
    let site = hall.gateway.engine.snapshot("hall").unwrap().site;
    let (day, taken_at) = (site.day().unwrap().0, site.tickets().next().unwrap().taken_at.0);
    let refuse = async |occurrence: u32| {
        let record = json!({
            "v": 1, "key": format!("hall/{day}/1/called#{occurrence}"), "at": taken_at + 1,
            "fate": {"fate": "refused", "code": 43004, "name": "x"}, "attempts": 1,
        });
        let subject = Subject::new(&["shop", &format!("n{occurrence}")]).unwrap();
        let entry = Entry::new(record.to_string());
        hall.cluster
            .ledger
            .append(&OUTCOMES, &subject, ExpectedPosition::Any, entry)
            .await
            .unwrap();
    };
    refuse(1).await;
    wait_until("WeChat is asked", async || *hall.wechat.asked.lock() == 1).await;
    // While WeChat does not answer, nothing is known of the next one, who does not follow.
    *hall.wechat.is_away.lock() = true;
    hall.wechat.followers.lock().clear();
    refuse(2).await;
    wait_until("WeChat is asked again", async || *hall.wechat.asked.lock() == 2).await;
    assert!(hall.is_named());
    *hall.wechat.is_away.lock() = false;
    wait_until("whoever does not follow is forgotten", async || {
        // The ledger goes by this clock.
        hall.cluster.clock.advance(std::time::Duration::from_millis(500));
        !hall.is_named()
    })
    .await;
    hall.cluster.tasks.abort();
}
