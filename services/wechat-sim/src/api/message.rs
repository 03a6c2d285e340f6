//! `message/custom/send` and `message/subscribe/bizsend`.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::act::head;
use crate::answers::{json as answer, refusal, refusal_saying};
use crate::api::Parameters;
use crate::api::send::{Refused, template_of, values};
use crate::config::ReceiptStatus;
use crate::people::{Refusal, Shown};
use crate::push::{Forged, Push};
use crate::receipts;
use crate::world::{Account, Shared};

#[derive(Deserialize)]
struct Custom {
    #[serde(default)]
    touser: String,
    #[serde(default)]
    msgtype: String,
    text: Option<Text>,
}

#[derive(Deserialize)]
struct Text {
    content: String,
}

/// A free text, while a window is open.
pub(crate) async fn custom(
    State(world): State<Shared>,
    Query(asked): Parameters,
    body: Bytes,
) -> Response {
    match written(&world, asked.access_token.as_deref(), &body) {
        Ok(()) => answer(&json!({ "errcode": 0, "errmsg": "ok" })),
        Err(errcode) => {
            world.stats.count(|stats| *stats.messages_refused.entry(errcode).or_default() += 1);
            refusal(errcode)
        }
    }
}

fn written(world: &Shared, token: Option<&str>, body: &[u8]) -> Result<(), i64> {
    let account = world.account_of_token(token)?;
    let message: Custom = serde_json::from_slice(body).map_err(|_| 47001)?;
    let text = match (&*message.msgtype, message.text) {
        ("text", Some(text)) if !text.content.is_empty() => text.content,
        ("text", _) => return Err(47001),
        _ => return Err(40008),
    };
    let now = world.clock.now_ms();
    {
        let mut people = world.people.lock();
        let known = people.get(account.index, &message.touser).ok_or(40003)?;
        if !known.follows {
            return Err(45015);
        }
        let person = people.meet(account.index, &message.touser);
        let most = world.config.quotas.texts_per_day;
        if !account.quota.lock().take_today("texts", most, now) {
            return Err(45009);
        }
        person.allowance.text(now)?;
    }
    world.stats.count(|stats| stats.texts_sent += 1);
    world.show(account, &message.touser, Shown::Service { text });
    Ok(())
}

#[derive(Deserialize)]
struct Notice {
    #[serde(default)]
    touser: String,
    #[serde(default)]
    template_id: String,
    data: BTreeMap<String, Value>,
}

/// A notice the customer agreed to.
pub(crate) async fn subscription(
    State(world): State<Shared>,
    Query(asked): Parameters,
    body: Bytes,
) -> Response {
    match noticed(&world, asked.access_token.as_deref(), &body) {
        Ok(receipt) => {
            if let Some(receipt) = receipt {
                receipts::deliver(&world, receipt).await;
            }
            answer(&json!({ "errcode": 0, "errmsg": "ok" }))
        }
        Err(Refused(errcode, text)) => {
            world.stats.count(|stats| *stats.messages_refused.entry(errcode).or_default() += 1);
            match text {
                Some(text) => refusal_saying(errcode, &text),
                None => refusal(errcode),
            }
        }
    }
}

/// What tells of it later, if that is to be told.
fn noticed(world: &Shared, token: Option<&str>, body: &[u8]) -> Result<Option<Push>, Refused> {
    let account = world.account_of_token(token)?;
    let notice: Notice = serde_json::from_slice(body).map_err(|_| 47001)?;
    let template = template_of(world, &notice.template_id)?;
    let data = values(notice.data.clone())?;
    if let Some(key) = template.and_then(|template| template.refused_key(&data)) {
        return Err(Refused(47003, Some(format!("argument invalid! data.{key}.value invalid"))));
    }
    let (now, behaviour) = (world.clock.now_ms(), *world.behaviour.lock());
    let refuses = {
        let mut people = world.people.lock();
        let refuses = people.get(account.index, &notice.touser).ok_or(40003)?.refuses;
        if refuses == Refusal::AtOnce {
            return Err(43101.into());
        }
        let most = world.config.quotas.subscriptions_per_day;
        if !account.quota.lock().take_today("subscriptions", most, now) {
            return Err(45009.into());
        }
        people.meet(account.index, &notice.touser).allowance.notice(&notice.template_id)?;
        refuses
    };
    world.stats.count(|stats| stats.notices_sent += 1);
    let title = template.map_or(&notice.template_id, |template| &template.title).clone();
    let fields = data.into_iter().collect();
    world.show(account, &notice.touser, Shown::Notice { title, fields });
    let status = match refuses {
        Refusal::InReceipt => ReceiptStatus::UserBlock,
        _ => behaviour.receipt.status,
    };
    let receipt = receipt(account, &notice, world.new_msgid(), status);
    Ok(behaviour.receipt.pushed.then_some(receipt))
}

/// The answer to a notice names no id; only its receipt does.
fn receipt(account: &Account, notice: &Notice, msgid: u64, status: ReceiptStatus) -> Push {
    let event = "subscribe_msg_sent_event";
    let code = u64::from(status != ReceiptStatus::Success);
    let body = head(account, &notice.touser, "event").text("Event", event);
    let body = body.within("SubscribeMsgSentEvent", |body| {
        body.within("List", |item| {
            item.text("TemplateId", &notice.template_id)
                .number("MsgID", msgid)
                .number("ErrorCode", code)
                .text("ErrorStatus", status.text())
        })
    });
    Push {
        account: account.index,
        openid: notice.touser.clone(),
        event: event.into(),
        body: body.finish().into(),
        to: account.next_urls(),
        forged: Forged::default(),
    }
}
