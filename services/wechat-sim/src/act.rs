//! Actions of customers: scan, follow, unfollow, write, tap a choice, press a menu entry.

use std::sync::Arc;

use futures::future::join_all;
use serde::{Deserialize, Serialize};

use crate::clock::wall_ms;
use crate::migration::{Migration, migrated_openid};
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
    /// Address that the phone opens: of a menu entry that leads to a page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens: Option<String>,
}

impl ActionOutcome {
    fn without_event(scan_result: ScanResult) -> Self {
        Self { scan_result: Some(scan_result), pushes: Vec::new(), reply: None, opens: None }
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

/// Lets a customer write to the account, or tap a choice inside a message, which sends its text
/// with the id of the choice; `None` if they do not follow the account.
pub(crate) async fn send_text(
    world: &SharedState,
    account: &AccountState,
    openid: &str,
    text: &str,
    chosen: Option<&str>,
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
            if chosen.is_some() { Trigger::Menu } else { Trigger::Message },
            windows,
            now,
        );
    }
    world.append_chat_line(account, openid, ChatContent::Sent { text: text.to_owned() });
    let body = payload_head(account, openid, "text")
        .customer_text("Content", text, world.behaviour.lock().splits_cdata)
        .number("MsgId", world.new_msgid());
    let body = match chosen {
        Some(id) => body.text("bizmsgmenuid", id),
        None => body,
    };
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

/// Reason why a menu entry cannot be pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PressError {
    /// The customer does not follow the account, so no menu is shown.
    NotFollowing,
    /// The account's menu has no such entry.
    NoSuchEntry,
    /// The phones do not play entries of this type.
    NotPlayed,
}

/// Lets a customer press the button at a place of the menu, or an entry below it.
pub(crate) async fn press(
    world: &SharedState,
    account: &AccountState,
    openid: &str,
    (button, entry): (usize, Option<usize>),
    routing: Routing,
) -> Result<ActionOutcome, PressError> {
    let follows = |person: &crate::people::Person| person.follows;
    if !world.people.lock().get(account.index, openid).is_some_and(follows) {
        return Err(PressError::NotFollowing);
    }
    let (menu_id, pressed) = {
        let menu = account.menu.lock();
        let menu = menu.as_ref().ok_or(PressError::NoSuchEntry)?;
        (menu.id, menu.find(button, entry).ok_or(PressError::NoSuchEntry)?.clone())
    };
    let (event, key, opens) = match (pressed.kind.as_deref(), pressed.key) {
        (Some("click"), Some(key)) => {
            let outcome = click(world, account, openid, &key, routing).await;
            return outcome.ok_or(PressError::NotFollowing);
        }
        (Some("view"), _) => ("VIEW", pressed.url.clone(), pressed.url),
        (Some("miniprogram"), _) => ("view_miniprogram", pressed.pagepath, None),
        _ => return Err(PressError::NotPlayed),
    };
    let body = payload_head(account, openid, "event")
        .text("Event", event)
        .text("EventKey", &key.unwrap_or_default())
        .number("MenuId", menu_id);
    let outcome = push_event(world, account, openid, event, body.finish(), routing, false).await;
    Ok(ActionOutcome { opens, ..outcome })
}

/// Moves the followers of an account to another, where each has a new openid. Returns the former
/// and the new openids. No event tells it, as none does at WeChat.
pub(crate) fn migrate(
    world: &SharedState,
    from: &AccountState,
    to: &AccountState,
) -> Vec<(String, String)> {
    let now = world.clock.now_ms();
    let mut people = world.people.lock();
    let mut openids = Vec::new();
    for former in people.followers(from.index) {
        let new = migrated_openid(&to.config.appid, &former);
        people.get_or_insert(from.index, &former).follows = false;
        let person = people.get_or_insert(to.index, &new);
        (person.follows, person.since) = (true, Some((now, None)));
        openids.push((former.to_string(), new));
    }
    let told = openids.iter().cloned().collect();
    world.migrations.lock().push(Migration::new(from.index, to.index, now, told));
    openids
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
            world.append_chat_line(account, openid, other_reply(msg_type));
        } else if accepted_push.is_none()
            && let Some(ReplyOutcome::UserSawError { reason }) =
                pushes.first().map(|push| &push.answer)
        {
            let text = SERVICE_ERROR_TEXT.to_owned();
            let reason = reason.clone();
            world.append_chat_line(account, openid, ChatContent::Failure { text, reason });
        }
    }
    let reply = reply.filter(|_| visible);
    ActionOutcome { scan_result: None, pushes, reply, opens: None }
}

/// Line of a reply that is no text. The customer sees nothing of a handover to the account's staff,
/// so that a line of the simulator's own tells it.
fn other_reply(msg_type: &str) -> ChatContent {
    if msg_type == "transfer_customer_service" {
        grey_line("已转接人工客服")
    } else {
        ChatContent::Reply { text: format!("[{msg_type}]") }
    }
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
