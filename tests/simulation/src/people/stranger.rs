//! Stranger on the internet, who knows the address of the callbacks and not the token.

use super::customer::number_in;
use super::{REPLY_TIMEOUT, Society};
use crate::checks::findings::FindingKind;
use crate::edge::{Reply, Request};
use crate::random::Random;
use crate::wechat::pushes::{CALLBACK_TOKEN, signed_path};
use axum::http::Method;
use paihao_wechat::CallbackToken;
use tokio::time::sleep;

/// Start of the openids in whose name strangers push.
pub const STRANGER: &str = "oStranger";

/// Age of a timestamp that no gateway with a good clock accepts, in milliseconds.
const STALE_MS: i64 = 60 * 60 * 1000;

/// Stranger.
pub struct Stranger {
    random: Random,
    pushes: u32,
}

impl Stranger {
    /// Creates the stranger of a run.
    pub fn new(seed: u64) -> Stranger {
        Stranger { random: Random::new(seed, STRANGER), pushes: 0 }
    }

    /// Forges pushes, and sends again what was overheard, until people stop.
    pub async fn intrude(mut self, society: Society, sites: Vec<&'static str>) {
        while society.is_open() {
            sleep(self.random.seconds(3..=40)).await;
            if self.random.percent(50) {
                let site = *self.random.pick(&sites);
                self.forge(&society, site).await;
            } else {
                self.replay(&society).await;
            }
        }
    }

    async fn forge(&mut self, society: &Society, site: &str) {
        self.pushes += 1;
        let person = format!("{STRANGER}{}", self.pushes);
        let now_ms = society.world.now_ms();
        let guessed = CallbackToken::new("a-token-that-was-guessed");
        let path = match self.random.between(0..=3) {
            0 => "/wechat/shop".to_owned(),
            1 => signed_path(&guessed, now_ms, &person),
            // Signed at another time than the one that is claimed.
            2 => {
                let path = signed_path(&CallbackToken::new(CALLBACK_TOKEN), now_ms, &person);
                path.replace("&timestamp=", "&timestamp=1")
            }
            _ => signed_path(&CallbackToken::new(CALLBACK_TOKEN), now_ms - STALE_MS, &person),
        };
        let body = format!(
            "<xml><ToUserName><![CDATA[gh_shop]]></ToUserName>\
             <FromUserName><![CDATA[{person}]]></FromUserName>\
             <CreateTime>{}</CreateTime><MsgType><![CDATA[event]]></MsgType>\
             <Event><![CDATA[SCAN]]></Event><EventKey><![CDATA[q_{site}_a]]></EventKey></xml>",
            now_ms / 1000
        );
        let request = Request { body, ..Request::new(Method::POST, &path) };
        if let Ok(Reply { status, body, .. }) = society.edge.call(&request, REPLY_TIMEOUT).await
            && status < 400
        {
            society.world.report(
                FindingKind::ForgedPush,
                format_args!("a forged push of {person} got {status}: {body}"),
            );
        }
    }

    async fn replay(&mut self, society: &Society) {
        let answered = society.pushes.answered();
        if answered.is_empty() {
            return;
        }
        let push = self.random.pick(&answered).clone();
        if let Ok(Reply { status: 200, body, .. }) =
            society.edge.call(&push.request, REPLY_TIMEOUT).await
            && has_number(&push.reply)
            && has_number(&body)
            && body != push.reply
        {
            let first = &push.reply;
            society.world.report(
                FindingKind::ReplayDiffers,
                format_args!("a push that was sent again got {body} after {first}"),
            );
        }
    }
}

/// True if a reply gives a number. Of a push that was answered with "not now" nothing is
/// remembered: the person was asked to scan again, and so may get a number.
fn has_number(reply: &str) -> bool {
    reply.split_once("<Content><![CDATA[").is_some_and(|(_, text)| number_in(text).is_some())
}
