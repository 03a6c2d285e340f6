//! Handlers of `message/custom/send` and `message/subscribe/bizsend`.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::act::payload_head;
use crate::answers::{json as answer, refusal, refusal_with_text};
use crate::api::Parameters;
use crate::api::send::{ApiRefusal, field_values, find_template};
use crate::config::ReceiptStatus;
use crate::people::{ChatContent, Refusal};
use crate::push::{Push, PushOverrides};
use crate::receipts;
use crate::reply::MAX_TEXT_BYTES;
use crate::world::{AccountState, SharedState};

#[derive(Deserialize)]
struct CustomMessageRequest {
    #[serde(default)]
    touser: String,
    #[serde(default)]
    msgtype: String,
    text: Option<TextContent>,
    image: Option<MediaContent>,
}

#[derive(Deserialize)]
struct TextContent {
    content: String,
}

#[derive(Deserialize)]
struct MediaContent {
    #[serde(default)]
    media_id: String,
}

/// Accepts a free text or a picture while a send window is open.
pub(crate) async fn custom(
    State(world): State<SharedState>,
    Query(query): Parameters,
    body: Bytes,
) -> Response {
    match accept_text(&world, query.access_token.as_deref(), &body) {
        Ok(()) => answer(&json!({ "errcode": 0, "errmsg": "ok" })),
        Err(errcode) => {
            world.stats.update(|stats| *stats.messages_refused.entry(errcode).or_default() += 1);
            refusal(errcode)
        }
    }
}

fn accept_text(world: &SharedState, token: Option<&str>, body: &[u8]) -> Result<(), i64> {
    let account = world.account_of_token(token)?;
    let message: CustomMessageRequest = serde_json::from_slice(body).map_err(|_| 47001)?;
    let now = world.clock.now_ms();
    let text = match (&*message.msgtype, message.text, message.image) {
        ("text", Some(text), _) if text.content.is_empty() => return Err(44004),
        ("text", Some(text), _) if text.content.len() > MAX_TEXT_BYTES => return Err(45002),
        ("text", Some(text), _) => text.content,
        ("image", _, Some(image)) => {
            world.media.lock().find(account.index, &image.media_id, now)?;
            "[image]".to_owned()
        }
        ("text" | "image", ..) => return Err(47001),
        _ => return Err(40008),
    };
    {
        let mut people = world.people.lock();
        let recipient = people.get(account.index, &message.touser).ok_or(40003)?;
        if !recipient.follows {
            return Err(45015);
        }
        let person = people.get_or_insert(account.index, &message.touser);
        let daily_limit = world.config.quotas.texts_per_day;
        if !account.quota.lock().try_take_today("texts", daily_limit, now) {
            return Err(45009);
        }
        person.send_limits.take_text(now)?;
    }
    world.stats.update(|stats| stats.texts_sent += 1);
    world.append_chat_line(account, &message.touser, ChatContent::Service { text });
    Ok(())
}

#[derive(Deserialize)]
struct SubscriptionRequest {
    #[serde(default)]
    touser: String,
    #[serde(default)]
    template_id: String,
    data: BTreeMap<String, Value>,
}

/// Accepts a subscription notice that the customer agreed to.
pub(crate) async fn subscription(
    State(world): State<SharedState>,
    Query(query): Parameters,
    body: Bytes,
) -> Response {
    match accept_subscription(&world, query.access_token.as_deref(), &body) {
        Ok(receipt) => {
            if let Some(receipt) = receipt {
                receipts::deliver(&world, receipt).await;
            }
            answer(&json!({ "errcode": 0, "errmsg": "ok" }))
        }
        Err(ApiRefusal(errcode, text)) => {
            world.stats.update(|stats| *stats.messages_refused.entry(errcode).or_default() += 1);
            match text {
                Some(text) => refusal_with_text(errcode, &text),
                None => refusal(errcode),
            }
        }
    }
}

/// Accepts a notice and returns its receipt, if receipts are pushed.
fn accept_subscription(
    world: &SharedState,
    token: Option<&str>,
    body: &[u8],
) -> Result<Option<Push>, ApiRefusal> {
    let account = world.account_of_token(token)?;
    let notice: SubscriptionRequest = serde_json::from_slice(body).map_err(|_| 47001)?;
    // An account of which no templates are known takes any, of either kind.
    let known = if account.templates.lock().is_empty() {
        &account.templates
    } else {
        &account.subscriptions
    };
    let template = find_template(known, &notice.template_id)?;
    let data = field_values(notice.data.clone())?;
    if let Some(key) = template.as_ref().and_then(|template| template.invalid_field(&data)) {
        return Err(ApiRefusal(47003, Some(format!("argument invalid! data.{key}.value invalid"))));
    }
    let now = world.clock.now_ms();
    let behaviour = *world.behaviour.lock();
    let refuses = {
        let mut people = world.people.lock();
        let refuses = people.get(account.index, &notice.touser).ok_or(40003)?.refuses;
        if refuses == Refusal::AtOnce {
            return Err(43101.into());
        }
        let daily_limit = world.config.quotas.subscriptions_per_day;
        if !account.quota.lock().try_take_today("subscriptions", daily_limit, now) {
            return Err(45009.into());
        }
        people
            .get_or_insert(account.index, &notice.touser)
            .send_limits
            .take_notice(&notice.template_id)?;
        refuses
    };
    world.stats.update(|stats| stats.notices_sent += 1);
    let title = template.map_or_else(|| notice.template_id.clone(), |template| template.title);
    let fields = data.into_iter().collect();
    world.append_chat_line(account, &notice.touser, ChatContent::Notice { title, fields });
    let status = match refuses {
        Refusal::InReceipt => ReceiptStatus::UserBlock,
        _ => behaviour.receipt.status,
    };
    let receipt = subscription_receipt(account, &notice, world.new_msgid(), status);
    Ok(behaviour.receipt.pushed.then_some(receipt))
}

/// Builds the receipt of a notice. Only the receipt names the msgid; the response of the call does
/// not.
fn subscription_receipt(
    account: &AccountState,
    notice: &SubscriptionRequest,
    msgid: u64,
    status: ReceiptStatus,
) -> Push {
    let event = "subscribe_msg_sent_event";
    let code = u64::from(status != ReceiptStatus::Success);
    let body = payload_head(account, &notice.touser, "event").text("Event", event);
    let body = body.element("SubscribeMsgSentEvent", |body| {
        body.element("List", |item| {
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
        urls: account.next_urls(),
        forged: PushOverrides::default(),
    }
}
