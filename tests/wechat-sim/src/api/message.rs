//! `message/custom/send` and `message/subscribe/bizsend`.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answers::{json as answer, refusal, refusal_saying};
use crate::api::Parameters;
use crate::api::send::{Refused, template_of, values};
use crate::people::Shown;
use crate::world::Shared;

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
        Ok(()) => answer(&json!({ "errcode": 0, "errmsg": "ok" })),
        Err(Refused(errcode, text)) => {
            world.stats.count(|stats| *stats.messages_refused.entry(errcode).or_default() += 1);
            match text {
                Some(text) => refusal_saying(errcode, &text),
                None => refusal(errcode),
            }
        }
    }
}

fn noticed(world: &Shared, token: Option<&str>, body: &[u8]) -> Result<(), Refused> {
    let account = world.account_of_token(token)?;
    let notice: Notice = serde_json::from_slice(body).map_err(|_| 47001)?;
    let template = template_of(world, &notice.template_id)?;
    let data = values(notice.data)?;
    if let Some(key) = template.and_then(|template| template.refused_key(&data)) {
        return Err(Refused(47003, Some(format!("argument invalid! data.{key}.value invalid"))));
    }
    let now = world.clock.now_ms();
    {
        let mut people = world.people.lock();
        people.get(account.index, &notice.touser).ok_or(40003)?;
        let most = world.config.quotas.subscriptions_per_day;
        if !account.quota.lock().take_today("subscriptions", most, now) {
            return Err(45009.into());
        }
        people.meet(account.index, &notice.touser).allowance.notice(&notice.template_id)?;
    }
    world.stats.count(|stats| stats.notices_sent += 1);
    let title = template.map_or(&notice.template_id, |template| &template.title).clone();
    let fields = data.into_iter().collect();
    world.show(account, &notice.touser, Shown::Notice { title, fields });
    Ok(())
}
