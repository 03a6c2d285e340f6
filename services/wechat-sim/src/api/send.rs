//! Handler of `message/template/send`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::Response;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::act::payload_head;
use crate::answers::{json, refusal, refusal_with_text};
use crate::api::Parameters;
use crate::config::{OnDuplicate, ReceiptStatus};
use crate::people::{AcceptedMessage, ChatContent, MiniProgramPage, Refusal};
use crate::push::{Push, PushOverrides};
use crate::receipts;
use crate::send_limits::content_hash;
use crate::templates::SimTemplate;
use crate::world::{AccountState, SharedState};

#[derive(Deserialize)]
struct TemplateMessageRequest {
    #[serde(default)]
    touser: String,
    #[serde(default)]
    template_id: String,
    url: Option<String>,
    miniprogram: Option<MiniProgramPage>,
    client_msg_id: Option<String>,
    data: BTreeMap<String, Value>,
}

/// Error code, with its own text if there is one.
pub(crate) struct ApiRefusal(pub(crate) i64, pub(crate) Option<String>);

impl From<i64> for ApiRefusal {
    fn from(errcode: i64) -> Self {
        Self(errcode, None)
    }
}

pub(crate) async fn template(
    State(world): State<SharedState>,
    Query(query): Parameters,
    body: Bytes,
) -> Response {
    let (msgid, receipt) = match accept(&world, query.access_token.as_deref(), &body) {
        Ok(accepted) => accepted,
        Err(ApiRefusal(errcode, text)) => {
            world.stats.update(|stats| *stats.messages_refused.entry(errcode).or_default() += 1);
            return match text {
                Some(text) => refusal_with_text(errcode, &text),
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

/// Accepts a message and returns its msgid and its receipt. A repeated message has no receipt.
fn accept(
    world: &SharedState,
    token: Option<&str>,
    body: &[u8],
) -> Result<(u64, Option<Push>), ApiRefusal> {
    let account = world.account_of_token(token)?;
    let message: TemplateMessageRequest = serde_json::from_slice(body).map_err(|_| 47001)?;
    let template = find_template(&account.templates, &message.template_id)?;
    let refusal_kind = recipient_refusal(world, account, &message.touser)?;
    let data = field_values(message.data)?;
    if let Some(key) = template.as_ref().and_then(|template| template.invalid_field(&data)) {
        return Err(ApiRefusal(47003, Some(format!("argument invalid! data.{key}.value invalid"))));
    }
    let now = world.clock.now_ms();
    let behaviour = *world.behaviour.lock();
    if !account.quota.lock().try_take_today("templates", world.config.quotas.templates_per_day, now)
    {
        return Err(45009.into());
    }
    let content = content_hash(&(&message.template_id, &data));
    let appid = &account.config.appid;
    let openid = &message.touser;
    let is_repeat = |id: &String| world.dedup.lock().contains(appid, openid, id, now);
    if let Some(rules) = behaviour.throttle
        && !message.client_msg_id.as_ref().is_some_and(is_repeat)
    {
        let people = world.people.lock();
        let person = people.get(account.index, openid);
        person.map_or(Ok(()), |person| person.send_limits.check_throttle(rules, content, now))?;
    }
    let msgid = world.new_msgid();
    if let Some(id) = &message.client_msg_id {
        let mut dedup = world.dedup.lock();
        if let Some(first) =
            dedup.get_or_insert(&account.config.appid, &message.touser, id, msgid, now)
        {
            drop(dedup);
            world.stats.update(|stats| stats.messages_repeated += 1);
            return match behaviour.duplicate {
                OnDuplicate::FirstMsgid => Ok((first, None)),
                OnDuplicate::Errcode(errcode) => Err(errcode.into()),
            };
        }
    }
    world
        .people
        .lock()
        .get_or_insert(account.index, &message.touser)
        .send_limits
        .record_sent(content, now);
    world.stats.count_accepted(&message.template_id);
    let status = match refusal_kind {
        Refusal::InReceipt => ReceiptStatus::UserBlock,
        _ => behaviour.receipt.status,
    };
    // A receipt with `MsgID` 0 was reported once, for a message that had a `client_msg_id`.
    let has_zero_id = behaviour.receipt.zero_id && message.client_msg_id.is_some();
    let receipt_msgid = if has_zero_id { 0 } else { msgid };
    let receipt = template_receipt(account, &message.touser, receipt_msgid, status);
    let message = Arc::new(AcceptedMessage {
        msgid,
        appid: account.config.appid.clone(),
        openid: message.touser,
        template_id: message.template_id,
        client_msg_id: message.client_msg_id,
        url: message.url,
        miniprogram: message.miniprogram,
        data,
        arrived_at: now,
    });
    world.append_chat_line(
        account,
        &message.openid,
        template_card(template.as_ref(), message.clone()),
    );
    Ok((msgid, behaviour.receipt.pushed.then_some(receipt)))
}

/// Reads the values of a message's fields.
pub(crate) fn field_values(data: BTreeMap<String, Value>) -> Result<BTreeMap<String, String>, i64> {
    let values = data.into_iter().map(|(key, field)| match &field["value"] {
        Value::String(text) => Ok((key, text.clone())),
        Value::Number(number) => Ok((key, number.to_string())),
        _ => Err(47001),
    });
    values.collect()
}

/// Finds a template of an account; `None` if it has none at all, so that any is accepted.
pub(crate) fn find_template(
    templates: &Mutex<Vec<SimTemplate>>,
    id: &str,
) -> Result<Option<SimTemplate>, i64> {
    let templates = templates.lock();
    match templates.iter().find(|template| template.template_id == id) {
        _ if id.is_empty() => Err(40036),
        None if templates.is_empty() => Ok(None),
        None => Err(40037),
        found => Ok(found.cloned()),
    }
}

/// Returns the customer's refusal if the message is accepted all the same, or the error code.
fn recipient_refusal(
    world: &SharedState,
    account: &AccountState,
    openid: &str,
) -> Result<Refusal, i64> {
    let mut people = world.people.lock();
    if world.config.everybody_follows
        && !openid.is_empty()
        && people.get(account.index, openid).is_none()
    {
        people.get_or_insert(account.index, openid).follows = true;
    }
    let person = people.get(account.index, openid).ok_or(40003)?;
    match person.refuses {
        _ if !person.follows => Err(43004),
        Refusal::AtOnce => Err(43101),
        refusal_kind => Ok(refusal_kind),
    }
}

fn template_card(template: Option<&SimTemplate>, message: Arc<AcceptedMessage>) -> ChatContent {
    let value = |key: &String| message.data.get(key).cloned().unwrap_or_default();
    let (title, fields) = match template {
        Some(template) => {
            let lines = template.fields.iter().map(|(key, label)| (label.clone(), value(key)));
            (template.title.clone(), lines.collect())
        }
        None => (message.template_id.clone(), message.data.clone().into_iter().collect()),
    };
    ChatContent::Card { title, fields, message }
}

fn template_receipt(
    account: &AccountState,
    openid: &str,
    msgid: u64,
    status: ReceiptStatus,
) -> Push {
    let event = "TEMPLATESENDJOBFINISH";
    let body = payload_head(account, openid, "event")
        .text("Event", event)
        .number("MsgID", msgid)
        .text("Status", status.text());
    Push {
        account: account.index,
        openid: openid.to_owned(),
        event: event.into(),
        body: body.finish().into(),
        urls: account.next_urls(),
        forged: PushOverrides::default(),
    }
}
