//! What customers do: scan, follow, unfollow, write.

use std::sync::Arc;

use futures::future::join_all;
use serde::{Deserialize, Serialize};

use crate::allowance::Trigger;
use crate::clock::wall_ms;
use crate::payload::Payload;
use crate::people::{ChatContent, Refusal};
use crate::push::{Push, PushOverrides, PushRecord, push};
use crate::reply::{ReplyOutcome, SERVICE_ERROR_TEXT};
use crate::world::{AccountState, SharedState};

/// How an event reaches the account's callbacks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Routing {
    /// How many times the same event is delivered, concurrently; 0 counts as 1.
    pub deliveries: usize,
    /// Callbacks to use instead of the account's: the n-th delivery goes to the n-th of them,
    /// round again when there are fewer.
    pub to: Vec<String>,
}

impl Routing {
    /// The same event to each of these callbacks at the same time.
    pub fn to_each<S: Into<String>>(urls: impl IntoIterator<Item = S>) -> Self {
        let to: Vec<_> = urls.into_iter().map(Into::into).collect();
        Self { deliveries: to.len(), to }
    }
}

/// What a customer sees on scanning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ScanResult {
    /// They follow already: a `SCAN` event.
    Scanned,
    /// They follow from now on: a `subscribe` event with the scene.
    LogItem,
    /// 二维码已过期, and no event.
    Expired,
    /// Not a code of any account here, and no event.
    Unknown,
}

/// What came of something a customer did.
#[derive(Debug, Clone, Serialize)]
pub struct ActionOutcome {
    /// What the customer saw, for a scan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<ScanResult>,
    /// One for each delivery asked for, in order; empty when there was no event.
    pub pushes: Vec<Arc<PushRecord>>,
    /// The text reply that was shown in the chat.
    pub reply: Option<String>,
}

impl ActionOutcome {
    fn without_event(seen: ScanResult) -> Self {
        Self { seen: Some(seen), pushes: Vec::new(), reply: None }
    }
}

/// A customer scans the code with this ticket or content.
pub(crate) async fn scan(
    world: &SharedState,
    openid: &str,
    code: &str,
    routing: Routing,
) -> ActionOutcome {
    let found = world.codes.lock().find(code);
    let account = found.as_ref().and_then(|code| world.account(Some(&code.appid)));
    let (Some(code), Some(account)) = (found, account) else {
        if let Some(account) = world.account(None) {
            world.append_chat_line(account, openid, grey_line("无法识别的二维码"));
        }
        return ActionOutcome::without_event(ScanResult::Unknown);
    };
    if code.expired(world.clock.now_ms()) {
        world.append_chat_line(account, openid, grey_line("二维码已过期"));
        return ActionOutcome::without_event(ScanResult::Expired);
    }
    let followed = {
        let (now, windows) = (world.clock.now_ms(), world.behaviour.lock().windows);
        let mut people = world.people.lock();
        let person = people.get_or_insert(account.index, openid);
        person.allowance.open_window(Trigger::Scan, windows, now);
        if !person.follows {
            person.since = Some((now, Some(code.scene.clone())));
        }
        std::mem::replace(&mut person.follows, true)
    };
    let (seen, event, key) = if followed {
        world.append_chat_line(account, openid, grey_line("扫描二维码"));
        (ScanResult::Scanned, "SCAN", code.scene.clone())
    } else {
        world.append_chat_line(
            account,
            openid,
            grey_line(&format!("扫码关注了「{}」", account.config.name)),
        );
        (ScanResult::Followed, "subscribe", format!("qrscene_{}", code.scene))
    };
    let body = payload_head(account, openid, "event")
        .text("Event", event)
        .text("EventKey", &key)
        .text("Ticket", &code.ticket);
    let outcome = push_event(world, account, openid, event, body.finish(), routing, true).await;
    ActionOutcome { seen: Some(seen), ..outcome }
}

/// A customer follows the account without scanning.
pub(crate) async fn follow(
    world: &SharedState,
    account: &AccountState,
    openid: &str,
) -> ActionOutcome {
    let (now, windows) = (world.clock.now_ms(), world.behaviour.lock().windows);
    {
        let mut people = world.people.lock();
        let person = people.get_or_insert(account.index, openid);
        person.allowance.open_window(Trigger::Follow, windows, now);
        (person.follows, person.since) = (true, Some((now, None)));
    }
    world.append_chat_line(
        account,
        openid,
        grey_line(&format!("关注了「{}」", account.config.name)),
    );
    let body =
        payload_head(account, openid, "event").text("Event", "subscribe").text("EventKey", "");
    push_event(world, account, openid, "subscribe", body.finish(), Routing::default(), true).await
}

/// A customer unfollows; whatever the account answers is not shown.
pub(crate) async fn unfollow(
    world: &SharedState,
    account: &AccountState,
    openid: &str,
) -> ActionOutcome {
    {
        let mut people = world.people.lock();
        let person = people.get_or_insert(account.index, openid);
        person.allowance.clear();
        (person.follows, person.since) = (false, None);
    }
    world.append_chat_line(
        account,
        openid,
        grey_line(&format!("取消关注了「{}」", account.config.name)),
    );
    let body =
        payload_head(account, openid, "event").text("Event", "unsubscribe").text("EventKey", "");
    push_event(world, account, openid, "unsubscribe", body.finish(), Routing::default(), false)
        .await
}

/// A customer writes to the account. Only followers can: `None` otherwise.
pub(crate) async fn send_text(
    world: &SharedState,
    account: &AccountState,
    openid: &str,
    text: &str,
    routing: Routing,
) -> Option<ActionOutcome> {
    let (now, windows) = (world.clock.now_ms(), world.behaviour.lock().windows);
    {
        let mut people = world.people.lock();
        if !people.get(account.index, openid)?.follows {
            return None;
        }
        people.get_or_insert(account.index, openid).allowance.open_window(
            Trigger::Message,
            windows,
            now,
        );
    }
    world.append_chat_line(account, openid, ChatContent::Sent { text: text.to_owned() });
    let body = payload_head(account, openid, "text")
        .text("Content", text)
        .number("MsgId", world.new_msgid());
    Some(push_event(world, account, openid, "text", body.finish(), routing, true).await)
}

/// A customer presses an entry of the account's menu. Only followers see it: `None` otherwise.
pub(crate) async fn click(
    world: &SharedState,
    account: &AccountState,
    openid: &str,
    key: &str,
    routing: Routing,
) -> Option<ActionOutcome> {
    let (now, windows) = (world.clock.now_ms(), world.behaviour.lock().windows);
    {
        let mut people = world.people.lock();
        if !people.get(account.index, openid)?.follows {
            return None;
        }
        people.get_or_insert(account.index, openid).allowance.open_window(
            Trigger::Menu,
            windows,
            now,
        );
    }
    let body = payload_head(account, openid, "event").text("Event", "CLICK").text("EventKey", key);
    Some(push_event(world, account, openid, "CLICK", body.finish(), routing, true).await)
}

/// Pushes a body as it is: for hostile and odd ones.
pub(crate) async fn push_raw(
    world: &SharedState,
    account: &AccountState,
    openid: &str,
    body: &str,
    routing: Routing,
    forged: PushOverrides,
) -> Vec<Arc<PushRecord>> {
    let push = Push {
        account: account.index,
        openid: openid.to_owned(),
        event: "raw".into(),
        body: body.into(),
        to: Vec::new(),
        forged,
    };
    push_all(world, account, push, routing).await
}

fn grey_line(text: &str) -> ChatContent {
    ChatContent::Note { text: text.to_owned() }
}

/// The head of a body about this customer, created now.
pub(crate) fn payload_head(account: &AccountState, openid: &str, kind: &str) -> Payload {
    Payload::new(&account.config.original_id, openid, wall_ms() / 1000, kind)
}

async fn push_event(
    world: &SharedState,
    account: &AccountState,
    openid: &str,
    event: &str,
    body: String,
    routing: Routing,
    visible: bool,
) -> ActionOutcome {
    let push = Push {
        account: account.index,
        openid: openid.to_owned(),
        event: event.to_owned(),
        body: body.into(),
        to: Vec::new(),
        forged: PushOverrides::default(),
    };
    let pushes = push_all(world, account, push, routing).await;
    let good =
        pushes.iter().find(|pushed| !matches!(pushed.answer, ReplyOutcome::UserSawError { .. }));
    let shown = pushes.iter().find_map(|pushed| pushed.answer.text()).map(str::to_owned);
    if visible {
        if let Some(text) = &shown {
            world.append_chat_line(account, openid, ChatContent::Reply { text: text.clone() });
        } else if let Some(ReplyOutcome::Other { msg_type }) = good.map(|pushed| &pushed.answer) {
            world.append_chat_line(
                account,
                openid,
                ChatContent::Reply { text: format!("[{msg_type}]") },
            );
        } else if good.is_none()
            && let Some(ReplyOutcome::UserSawError { reason }) =
                pushes.first().map(|push| &push.answer)
        {
            let (text, reason) = (SERVICE_ERROR_TEXT.to_owned(), reason.clone());
            world.append_chat_line(account, openid, ChatContent::Failure { text, reason });
        }
    }
    ActionOutcome { seen: None, pushes, reply: shown.filter(|_| visible) }
}

/// Every delivery asked for, at the same time, and to the end even if nobody waits for it.
async fn push_all(
    world: &SharedState,
    account: &AccountState,
    of: Push,
    routing: Routing,
) -> Vec<Arc<PushRecord>> {
    let copies = (0..routing.deliveries.max(1)).map(|copy| {
        let to = if routing.to.is_empty() {
            account.next_urls()
        } else {
            let mut to = routing.to.clone();
            to.rotate_left(copy % routing.to.len());
            to
        };
        world.tasks.spawn(push(world.clone(), Push { to, ..of.clone() }))
    });
    join_all(copies.collect::<Vec<_>>()).await.into_iter().filter_map(Result::ok).collect()
}

/// What one account knows of one customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PersonState {
    /// The account.
    pub appid: String,
    /// The customer.
    pub openid: String,
    /// Whether they follow it.
    pub follows: bool,
    /// How they refuse its messages.
    pub refuses: Refusal,
}

/// Everybody, or those with this openid, in no order.
pub(crate) fn person_states(world: &SharedState, only: Option<&str>) -> Vec<PersonState> {
    let people = world.people.lock();
    let wanted = people.all().filter(|(_, openid, _)| only.is_none_or(|only| only == *openid));
    let states = wanted.map(|(account, openid, person)| PersonState {
        appid: world.accounts[account].config.appid.clone(),
        openid: openid.to_owned(),
        follows: person.follows,
        refuses: person.refuses,
    });
    states.collect()
}
