//! Pushes of the simulated WeChat to the gateways.

use super::platform::Platform;
use crate::edge::{Edge, Reply, Request};
use crate::world::World;
use axum::http::Method;
use paihao_wechat::CallbackToken;
use paihao_wechat::callback::signature;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Token that the account's callbacks are signed with.
pub const CALLBACK_TOKEN: &str = "a-token-of-the-simulation";
/// Deliveries of a push.
const DELIVERIES: usize = 3;
/// Time that WeChat waits for an answer, and after which it repeats the push.
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);

/// Action of a person that WeChat pushes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonAction {
    /// Scans the permanent code of a queue.
    Scan {
        /// Site of the queue.
        site: String,
        /// The queue.
        queue: String,
    },
    /// Writes a text.
    Text(String),
    /// Unfollows the account.
    Unfollow,
}

/// Number of answered pushes that are remembered.
const MAX_REMEMBERED: usize = 32;

/// Pusher of what people do.
pub struct Pushes {
    world: Arc<World>,
    platform: Arc<Platform>,
    edge: Arc<Edge>,
    answered: Mutex<VecDeque<AnsweredPush>>,
}

/// Push with the answer that it got.
#[derive(Debug, Clone)]
pub struct AnsweredPush {
    /// Request, rightly signed.
    pub request: Request,
    /// Body of the answer.
    pub reply: String,
}

impl Pushes {
    /// Creates the pusher to these gateways.
    pub fn new(world: Arc<World>, platform: Arc<Platform>, edge: Arc<Edge>) -> Pushes {
        Pushes { world, platform, edge, answered: Mutex::default() }
    }

    /// Returns the last pushes that were answered, the oldest first.
    pub fn answered(&self) -> Vec<AnsweredPush> {
        self.answered.lock().iter().cloned().collect()
    }

    /// Pushes an action of a person until a gateway answers, thrice at most. Returns the reply that
    /// the person sees.
    pub async fn push(&self, person: &str, action: &PersonAction) -> Option<String> {
        let now_ms = self.world.now_ms();
        let event = |name: &str, key: &str| {
            format!(
                "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[{name}]]></Event>\
                 <EventKey><![CDATA[{key}]]></EventKey>"
            )
        };
        let fields = match action {
            PersonAction::Scan { site, queue } => {
                self.platform.set_follows(person, true);
                self.platform.open_window(person, now_ms, 60_000, 3);
                event("SCAN", &format!("q_{site}_{queue}"))
            }
            PersonAction::Text(text) => {
                self.platform.open_window(person, now_ms, 48 * 3600 * 1000, 5);
                format!(
                    "<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{text}]]></Content>\
                     <MsgId>{now_ms}</MsgId>"
                )
            }
            PersonAction::Unfollow => {
                self.platform.set_follows(person, false);
                event("unsubscribe", "")
            }
        };
        let body = self.deliver(person, &fields).await?;
        let (_, text) = body.split_once("<Content><![CDATA[")?;
        Some(text.split_once("]]>")?.0.to_owned())
    }

    /// Pushes the receipts of the messages that were accepted lately.
    pub async fn push_receipts(&self) {
        for (person, message) in self.platform.take_receipts() {
            let fields = format!(
                "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event>\
                 <MsgID>{message}</MsgID><Status><![CDATA[success]]></Status>"
            );
            self.deliver(&person, &fields).await;
        }
    }

    /// Delivers a push until a gateway answers it with success.
    async fn deliver(&self, person: &str, fields: &str) -> Option<String> {
        let created_s = self.world.now_ms() / 1000;
        let body = format!(
            "<xml><ToUserName><![CDATA[gh_shop]]></ToUserName>\
             <FromUserName><![CDATA[{person}]]></FromUserName>\
             <CreateTime>{created_s}</CreateTime>{fields}</xml>"
        );
        for _ in 0..DELIVERIES {
            let path =
                signed_path(&CallbackToken::new(CALLBACK_TOKEN), self.world.now_ms(), person);
            let request = Request { body: body.clone(), ..Request::new(Method::POST, &path) };
            let begun = tokio::time::Instant::now();
            match self.edge.call(&request, REPLY_TIMEOUT).await {
                Ok(Reply { status: 200, body, .. }) => {
                    self.remember(request, &body);
                    return Some(body);
                }
                Ok(_) | Err(_) => sleep(REPLY_TIMEOUT.saturating_sub(begun.elapsed())).await,
            }
        }
        None
    }

    fn remember(&self, request: Request, reply: &str) {
        let mut answered = self.answered.lock();
        if answered.len() == MAX_REMEMBERED {
            answered.pop_front();
        }
        answered.push_back(AnsweredPush { request, reply: reply.to_owned() });
    }
}

/// Path of a push that is signed with this token at this time, in Unix milliseconds.
pub fn signed_path(token: &CallbackToken, at_ms: i64, person: &str) -> String {
    let (timestamp, nonce) = ((at_ms / 1000).to_string(), "7");
    let signature = signature(token, &timestamp, nonce);
    format!(
        "/wechat/shop?signature={signature}&timestamp={timestamp}&nonce={nonce}&openid={person}"
    )
}
