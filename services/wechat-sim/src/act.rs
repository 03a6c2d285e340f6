//! Actions of customers: scan, follow, unfollow, write, press a menu entry.

use std::sync::Arc;

use futures::future::join_all;
use serde::{Deserialize, Serialize};

use crate::clock::wall_ms;
use crate::payload::Payload;
use crate::people::{ChatContent, Refusal};
use crate::push::{Push, PushOverrides, PushRecord, push};
use crate::reply::{ReplyOutcome, SERVICE_ERROR_TEXT};
use crate::send_limits::Trigger;
use crate::world::{AccountState, SharedState};

/// Delivery of an event to callbacks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Routing {
    /// Number of concurrent deliveries of the same event; 0 counts as 1.
    pub deliveries: usize,
    /// Callbacks to use instead of the account's. The n-th delivery goes to the n-th of them,
    /// starting again at the first if there are fewer.
    #[serde(rename = "to")]
    pub urls: Vec<String>,
}

impl Routing {
    /// Sends the same event to each of these callbacks at the same time.
    pub fn to_each<S: Into<String>>(urls: impl IntoIterator<Item = S>) -> Self {
        let urls: Vec<_> = urls.into_iter().map(Into::into).collect();
        Self { deliveries: urls.len(), urls }
    }
}

/// Result of a scan that the customer sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ScanResult {
    /// The customer followed already: a `SCAN` event.
    Scanned,
    /// The customer follows from now on: a `subscribe` event with the scene.
    Followed,
    /// The code has expired (二维码已过期): no event.
    Expired,
    /// The code belongs to no account of the simulator: no event.
    Unknown,
}

/// Outcome of an action of a customer.
#[derive(Debug, Clone, Serialize)]
pub struct ActionOutcome {
    /// Result of a scan; absent for other actions.
    #[serde(rename = "seen", skip_serializing_if = "Option::is_none")]
    pub scan_result: Option<ScanResult>,
    /// One record for each delivery, in order; empty if there was no event.
    pub pushes: Vec<Arc<PushRecord>>,
    /// Text reply that was shown in the chat.
    pub reply: Option<String>,
}

impl ActionOutcome {
    fn without_event(scan_result: ScanResult) -> Self {
        Self { scan_result: Some(scan_result), pushes: Vec::new(), reply: None }
    }
}

/// Lets a customer scan the code with this ticket or content.
pub(crate) async fn scan(
    world: &SharedState,
    openid: &str,
    code: &str,
    routing: Routing,
) -> ActionOutcome {
    let code = world.codes.lock().find(code);
    let account = code.as_ref().and_then(|code| world.account(Some(&code.appid)));
    let (Some(code), Some(account)) = (code, account) else {
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
        let now = world.clock.now_ms();
        let windows = world.behaviour.lock().windows;
        let mut people = world.people.lock();
        let person = people.get_or_insert(account.index, openid);
        person.send_limits.open_window(Trigger::Scan, windows, now);
        if !person.follows {
            person.since = Some((now, Some(code.scene.clone())));
        }
        std::mem::replace(&mut person.follows, true)
    };
    let (scan_result, event, key) = if followed {
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
    ActionOutcome { scan_result: Some(scan_result), ..outcome }
}

/// Lets a customer follow the account without scanning.
pub(crate) async fn follow(
    world: &SharedState,
    account: &AccountState,
    openid: &str,
) -> ActionOutcome {
    let now = world.clock.now_ms();
    let windows = world.behaviour.lock().windows;
    {
        let mut people = world.people.lock();
        let person = people.get_or_insert(account.index, openid);
        person.send_limits.open_window(Trigger::Follow, windows, now);
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

/// Lets a customer unfollow; the account's reply is not shown.
pub(crate) async fn unfollow(
    world: &SharedState,
    account: &AccountState,
    openid: &str,
) -> ActionOutcome {
    {
        let mut people = world.people.lock();
        let person = people.get_or_insert(account.index, openid);
        person.send_limits.clear();
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

/// Lets a customer write to the account; `None` if they do not follow it.
pub(crate) async fn send_text(
    world: &SharedState,
    account: &AccountState,
    openid: &str,
    text: &str,
    routing: Routing,
) -> Option<ActionOutcome> {
    let now = world.clock.now_ms();
    let windows = world.behaviour.lock().windows;
    {
        let mut people = world.people.lock();
        if !people.get(account.index, openid)?.follows {
            return None;
        }
        people.get_or_insert(account.index, openid).send_limits.open_window(
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

/// Lets a customer press a menu entry; `None` if they do not follow the account.
pub(crate) async fn click(
    world: &SharedState,
    account: &AccountState,
    openid: &str,
    key: &str,
    routing: Routing,
) -> Option<ActionOutcome> {
    let now = world.clock.now_ms();
    let windows = world.behaviour.lock().windows;
    {
        let mut people = world.people.lock();
        if !people.get(account.index, openid)?.follows {
            return None;
        }
        people.get_or_insert(account.index, openid).send_limits.open_window(
            Trigger::Menu,
            windows,
            now,
        );
    }
    let body = payload_head(account, openid, "event").text("Event", "CLICK").text("EventKey", key);
    Some(push_event(world, account, openid, "CLICK", body.finish(), routing, true).await)
}

/// Pushes a body unchanged, for tests of malformed input.
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
        urls: Vec::new(),
        forged,
    };
    push_all(world, account, push, routing).await
}

fn grey_line(text: &str) -> ChatContent {
    ChatContent::Note { text: text.to_owned() }
}

/// Starts a payload about this customer, created now.
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
        urls: Vec::new(),
        forged: PushOverrides::default(),
    };
    let pushes = push_all(world, account, push, routing).await;
    let accepted_push =
        pushes.iter().find(|pushed| !matches!(pushed.answer, ReplyOutcome::UserSawError { .. }));
    let reply = pushes.iter().find_map(|pushed| pushed.answer.text()).map(str::to_owned);
    if visible {
        if let Some(text) = &reply {
            world.append_chat_line(account, openid, ChatContent::Reply { text: text.clone() });
        } else if let Some(ReplyOutcome::Other { msg_type }) =
            accepted_push.map(|pushed| &pushed.answer)
        {
            world.append_chat_line(
                account,
                openid,
                ChatContent::Reply { text: format!("[{msg_type}]") },
            );
        } else if accepted_push.is_none()
            && let Some(ReplyOutcome::UserSawError { reason }) =
                pushes.first().map(|push| &push.answer)
        {
            let text = SERVICE_ERROR_TEXT.to_owned();
            let reason = reason.clone();
            world.append_chat_line(account, openid, ChatContent::Failure { text, reason });
        }
    }
    ActionOutcome { scan_result: None, pushes, reply: reply.filter(|_| visible) }
}

/// Pushes all requested copies concurrently, each as a task that finishes even if the caller stops
/// waiting.
async fn push_all(
    world: &SharedState,
    account: &AccountState,
    event: Push,
    routing: Routing,
) -> Vec<Arc<PushRecord>> {
    let copies = (0..routing.deliveries.max(1)).map(|copy| {
        let urls = if routing.urls.is_empty() {
            account.next_urls()
        } else {
            let mut urls = routing.urls.clone();
            urls.rotate_left(copy % routing.urls.len());
            urls
        };
        world.tasks.spawn(push(world.clone(), Push { urls, ..event.clone() }))
    });
    join_all(copies.collect::<Vec<_>>()).await.into_iter().filter_map(Result::ok).collect()
}

/// State of one customer with one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PersonState {
    /// AppID of the account.
    pub appid: String,
    /// Openid of the customer.
    pub openid: String,
    /// True if the customer follows the account.
    pub follows: bool,
    /// Refusal of the account's messages.
    pub refuses: Refusal,
}

/// Returns the states of all customers, or of those with this openid, in no particular order.
pub(crate) fn person_states(world: &SharedState, only: Option<&str>) -> Vec<PersonState> {
    let people = world.people.lock();
    let matching = people.all().filter(|(_, openid, _)| only.is_none_or(|only| only == *openid));
    let states = matching.map(|(account, openid, person)| PersonState {
        appid: world.accounts[account].config.appid.clone(),
        openid: openid.to_owned(),
        follows: person.follows,
        refuses: person.refuses,
    });
    states.collect()
}
