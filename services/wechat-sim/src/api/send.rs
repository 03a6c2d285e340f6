//! `message/template/send`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::act::head;
use crate::allowance::content;
use crate::answers::{json, refusal, refusal_saying};
use crate::api::Parameters;
use crate::config::{OnDuplicate, ReceiptStatus};
use crate::people::{AcceptedMessage, Refusal, Shown};
use crate::push::{Forged, Push};
use crate::receipts;
use crate::templates::SimTemplate;
use crate::world::{Account, Shared};

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    touser: String,
    #[serde(default)]
    template_id: String,
    url: Option<String>,
    client_msg_id: Option<String>,
    data: BTreeMap<String, Value>,
}

/// An error code, with a text of its own if it has one.
pub(crate) struct Refused(pub(crate) i64, pub(crate) Option<String>);

impl From<i64> for Refused {
    fn from(errcode: i64) -> Self {
        Self(errcode, None)
    }
}

pub(crate) async fn template(
    State(world): State<Shared>,
    Query(asked): Parameters,
    body: Bytes,
) -> Response {
    let (msgid, receipt) = match accept(&world, asked.access_token.as_deref(), &body) {
        Ok(accepted) => accepted,
        Err(Refused(errcode, text)) => {
            world.stats.count(|stats| *stats.messages_refused.entry(errcode).or_default() += 1);
            return match text {
                Some(text) => refusal_saying(errcode, &text),
                None => refusal(errcode),
            };
        }
    };
    if let Some(receipt) = receipt {
        receipts::deliver(&world, receipt).await;
    }
    #[derive(Serialize)]
    struct Sent {
        errcode: i64,
        errmsg: &'static str,
        msgid: u64,
    }
    json(&Sent { errcode: 0, errmsg: "ok", msgid })
}

/// The msgid, and the receipt unless the message was only a repetition.
fn accept(
    world: &Shared,
    token: Option<&str>,
    body: &[u8],
) -> Result<(u64, Option<Push>), Refused> {
    let account = world.account_of_token(token)?;
    let message: Message = serde_json::from_slice(body).map_err(|_| 47001)?;
    let template = template_of(world, &message.template_id)?;
    let refuses = standing(world, account, &message.touser)?;
    let data = values(message.data)?;
    if let Some(key) = template.and_then(|template| template.refused_key(&data)) {
        return Err(Refused(47003, Some(format!("argument invalid! data.{key}.value invalid"))));
    }
    let (now, behaviour) = (world.clock.now_ms(), *world.behaviour.lock());
    if !account.quota.lock().take_today("templates", world.config.quotas.templates_per_day, now) {
        return Err(45009.into());
    }
    let content = content(&(&message.template_id, &data));
    let (appid, openid) = (&account.own.appid, &message.touser);
    let known = |id: &String| world.once.lock().knows(appid, openid, id, now);
    if let Some(rules) = behaviour.throttle
        && !message.client_msg_id.as_ref().is_some_and(known)
    {
        let people = world.people.lock();
        let person = people.get(account.index, openid);
        person.map_or(Ok(()), |person| person.allowance.throttled(rules, content, now))?;
    }
    let msgid = world.new_msgid();
    if let Some(id) = &message.client_msg_id {
        let mut once = world.once.lock();
        if let Some(first) = once.first(&account.own.appid, &message.touser, id, msgid, now) {
            drop(once);
            world.stats.count(|stats| stats.messages_repeated += 1);
            return match behaviour.duplicate {
                OnDuplicate::FirstMsgid => Ok((first, None)),
                OnDuplicate::Errcode(errcode) => Err(errcode.into()),
            };
        }
    }
    world.people.lock().meet(account.index, &message.touser).allowance.sent(content, now);
    world.stats.accepted(&message.template_id);
    let status = match refuses {
        Refusal::InReceipt => ReceiptStatus::UserBlock,
        _ => behaviour.receipt.status,
    };
    // Somebody has seen a receipt without the id where the message had one of its own.
    let zero = behaviour.receipt.zero_id && message.client_msg_id.is_some();
    let told = if zero { 0 } else { msgid };
    let receipt = receipt(account, &message.touser, told, status);
    let message = Arc::new(AcceptedMessage {
        msgid,
        appid: account.own.appid.clone(),
        openid: message.touser,
        template_id: message.template_id,
        client_msg_id: message.client_msg_id,
        url: message.url,
        data,
        arrived_at: now,
    });
    world.show(account, &message.openid, card(template, message.clone()));
    Ok((msgid, behaviour.receipt.pushed.then_some(receipt)))
}

/// The values of a message's fields.
pub(crate) fn values(data: BTreeMap<String, Value>) -> Result<BTreeMap<String, String>, i64> {
    let read = data.into_iter().map(|(key, field)| match &field["value"] {
        Value::String(text) => Ok((key, text.clone())),
        Value::Number(number) => Ok((key, number.to_string())),
        _ => Err(47001),
    });
    read.collect()
}

/// The registered template; `None` when none is registered and any is accepted.
pub(crate) fn template_of<'a>(world: &'a Shared, id: &str) -> Result<Option<&'a SimTemplate>, i64> {
    let templates = &world.config.templates;
    match templates.iter().find(|template| template.template_id == id) {
        _ if id.is_empty() => Err(40036),
        None if templates.is_empty() => Ok(None),
        None => Err(40037),
        found => Ok(found),
    }
}

/// Whether the customer can be reached, and how they refuse if not at once.
fn standing(world: &Shared, account: &Account, openid: &str) -> Result<Refusal, i64> {
    let mut people = world.people.lock();
    if world.config.everybody_follows
        && !openid.is_empty()
        && people.get(account.index, openid).is_none()
    {
        people.meet(account.index, openid).follows = true;
    }
    let person = people.get(account.index, openid).ok_or(40003)?;
    match person.refuses {
        _ if !person.follows => Err(43004),
        Refusal::AtOnce => Err(43101),
        refuses => Ok(refuses),
    }
}

fn card(template: Option<&SimTemplate>, message: Arc<AcceptedMessage>) -> Shown {
    let value = |key: &String| message.data.get(key).cloned().unwrap_or_default();
    let (title, fields) = match template {
        Some(template) => {
            let lines = template.fields.iter().map(|(key, label)| (label.clone(), value(key)));
            (template.title.clone(), lines.collect())
        }
        None => (message.template_id.clone(), message.data.clone().into_iter().collect()),
    };
    Shown::Card { title, fields, message }
}

fn receipt(account: &Account, openid: &str, msgid: u64, status: ReceiptStatus) -> Push {
    let event = "TEMPLATESENDJOBFINISH";
    let body = head(account, openid, "event")
        .text("Event", event)
        .number("MsgID", msgid)
        .text("Status", status.text());
    Push {
        account: account.index,
        openid: openid.to_owned(),
        event: event.into(),
        body: body.finish().into(),
        to: account.next_urls(),
        forged: Forged::default(),
    }
}
