//! Settings documents of the owner: sites with their queues, counters, hours and texts, and the
//! texts and channels of each account. Configuration, settings log, API and exported files use the
//! same form.
//!
//! Every field is written, so that a later change of a default leaves existing sites unchanged.

use crate::menu::MenuButton;
use crate::notice::Channel;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Longest name of a site, queue or counter in characters, which a screen across a hall can show.
pub const MAX_NAME_CHARS: usize = 40;

/// Longest prefix of a queue's numbers, in letters.
pub const MAX_PREFIX_CHARS: usize = 3;

/// Schema transform that makes fields with a default optional, so that one schema serves reading
/// and writing: the program always writes them.
#[cfg(feature = "schema")]
pub fn optional(schema: &mut schemars::Schema) {
    let with_default = |properties: &serde_json::Value, name: &serde_json::Value| {
        let property = name.as_str().and_then(|name| properties.get(name));
        property.is_some_and(|property| property.get("default").is_some())
    };
    let Some(object) = schema.as_object_mut() else { return };
    let properties = object.get("properties").cloned().unwrap_or_default();
    if let Some(serde_json::Value::Array(required)) = object.get_mut("required") {
        required.retain(|name| !with_default(&properties, name));
        if required.is_empty() {
            object.remove("required");
        }
    }
}

macro_rules! setup {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$of_field:meta])* $field:ident: $type:ty $(= $default:expr)?),* $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transform = optional))]
        #[serde(deny_unknown_fields)]
        #[allow(missing_docs, reason = "the manual of every key is default.toml")]
        pub struct $name {
            $($(#[serde(default = $default)])? $(#[$of_field])* pub $field: $type,)*
        }
    };
}

setup!(
    /// Settings of a site: `[sites.ID]`.
    SiteSetup {
        account: String,
        name: String,
        // Absent unless set, so that a program of before the field reads such a document.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name_en: Option<String>,
        time_zone: String = "shanghai",
        day_starts_at: i8 = "four",
        several_counters: bool = "no",
        // Absent unless set, so that a program of before the field reads such a site.
        #[serde(skip_serializing_if = "is_unset")]
        kiosk_slips: u32 = "zero",
        #[serde(skip_serializing_if = "is_unset")]
        paired_kiosks_only: bool = "no",
        #[serde(default, skip_serializing_if = "Option::is_none")]
        accent: Option<String>,
        #[serde(default)]
        dates: Vec<String>,
        // Boxed: a map makes room for eleven values at its first.
        #[serde(default)]
        queues: BTreeMap<String, Box<QueueSetup>>,
        #[serde(default)]
        counters: BTreeMap<String, Box<CounterSetup>>,
        #[serde(default)]
        wording: BTreeMap<String, Wording>,
    }
);

setup!(
    /// Settings of a queue.
    QueueSetup {
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name_en: Option<String>,
        prefix: String,
        minutes: u32 = "five",
        grace_seconds: u32 = "three_minutes",
        open: bool = "yes",
        #[serde(default)]
        hours: Vec<String>,
        class: u8 = "ordinary",
        policy: CallPolicy = "strict",
        interleave: (u32, u32) = "two_to_one",
        missed_lane: bool = "no",
        bound: u32 = "four_times",
        capacity: u32 = "zero",
        daily_cap: u32 = "zero",
        // Absent unless changed, so that a program of before the field reads such a queue.
        #[serde(skip_serializing_if = "is_usual_per_person")]
        daily_per_person: u32 = "usual_per_person",
        missed: MissedNumberPolicy = "after_k",
        missed_places: u32 = "three",
        missed_grow: u32 = "zero",
        missed_returns: u32 = "two",
        missed_minutes: u32 = "half_an_hour",
        transfer: TransferPlacement = "arrival",
        carry_over: bool = "no",
        start_on_call: bool = "no",
        auto_miss: bool = "no",
        auto_recall: bool = "no",
        calls: u32 = "three",
        let_pass: u32 = "two",
        let_pass_minutes: u32 = "half_an_hour",
        near: u32 = "three",
        // Absent unless set, so that a program of before the field reads such a queue.
        #[serde(default)]
        #[serde(skip_serializing_if = "Option::is_none")]
        order: Option<u32>,
        #[serde(default)]
        #[serde(skip_serializing_if = "Option::is_none")]
        announcement: Option<AnnouncementSetup>,
    }
);

setup!(
    /// Texts of a queue's calls on boards.
    AnnouncementSetup {
        #[serde(default)]
        #[serde(skip_serializing_if = "Option::is_none")]
        zh: Option<String>,
        #[serde(default)]
        #[serde(skip_serializing_if = "Option::is_none")]
        en: Option<String>,
    }
);

setup!(
    /// Settings of a counter.
    CounterSetup {
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name_en: Option<String>,
        queues: Vec<String>,
        auto_next: bool = "no",
        // Absent without a plan, so that a program of before the field reads such a counter.
        #[serde(default)]
        #[serde(skip_serializing_if = "Vec::is_empty")]
        shifts: Vec<String>,
        #[serde(default)]
        #[serde(skip_serializing_if = "Option::is_none")]
        order: Option<u32>,
    }
);

setup!(
    /// Texts of a site for one kind of notice; absent texts are the usual ones.
    Wording {
        #[serde(skip_serializing_if = "Option::is_none")]
        #[serde(default)]
        news: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[serde(default)]
        text: Option<String>,
    }
);

setup!(
    /// Texts and channels of an account: `[accounts.NAME]` without the credentials for WeChat.
    AccountSetup {
        #[serde(skip_serializing_if = "Option::is_none")]
        #[serde(default)]
        greeting: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[serde(default)]
        failure: Option<String>,
        keywords: BTreeMap<String, KeywordAction> = "queueing",
        #[serde(skip_serializing_if = "is_yes")]
        usual_words: bool = "yes",
        #[serde(default)]
        menu: BTreeMap<String, KeywordAction>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        #[serde(default)]
        buttons: Vec<MenuButton>,
        #[serde(skip_serializing_if = "CodeKind::is_wechat")]
        codes: CodeKind = "wechat_codes",
        #[serde(skip_serializing_if = "Option::is_none")]
        #[serde(default)]
        customer_service: Option<CustomerServiceSetup>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        #[serde(default)]
        forward: Vec<ForwardSetup>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[serde(default)]
        channels: Option<Vec<Channel>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[serde(default)]
        called: Option<NoticeSetup>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[serde(default)]
        missed: Option<NoticeSetup>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[serde(default)]
        progress: Option<NoticeSetup>,
    }
);

setup!(
    /// Handing of messages on to human customer service.
    CustomerServiceSetup {
        #[serde(skip_serializing_if = "Option::is_none")]
        #[serde(default)]
        kf_account: Option<String>,
    }
);

setup!(
    /// Another system of the owner's, which gets pushes that are not of this system.
    ForwardSetup {
        name: String,
        url: String,
        pushes: Vec<PushClass>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        #[serde(default)]
        begins: Vec<String>,
    }
);

setup!(
    /// Texts, templates and channels of an account for one kind of notice.
    NoticeSetup {
        template_id: String = "empty_text",
        #[serde(default)]
        fields: BTreeMap<String, String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[serde(default)]
        miniprogram: Option<MiniProgramSetup>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[serde(default)]
        text: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[serde(default)]
        subscription: Option<TemplateSetup>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[serde(default)]
        channels: Option<Vec<Channel>>,
    }
);

setup!(
    /// A template with the contents of its fields.
    TemplateSetup {
        template_id: String,
        fields: BTreeMap<String, String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[serde(default)]
        miniprogram: Option<MiniProgramSetup>,
    }
);

setup!(
    /// Page of a mini program that a tap on a notice opens, where the phone can.
    MiniProgramSetup {
        appid: String,
        #[serde(default)]
        pagepath: String,
    }
);

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($variant:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "snake_case")]
        #[allow(missing_docs, reason = "the names say it")]
        pub enum $name {
            $($variant,)*
        }
    };
}

/// Action of a keyword or a menu entry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum KeywordAction {
    /// Replies with the state of the person's tickets.
    MyTicket,
    /// Gives the person's tickets up.
    Leave,
    /// Lets others go first, with the place kept (暂离).
    LetPass,
    /// Returns from letting others go first, or after having been missed.
    Return,
    /// Takes a number; asks for the queue if there are several.
    Take,
    /// Takes a number of this queue: `SITE/QUEUE`.
    Queue(String),
    /// Replies with this text.
    Text(String),
}

choice!(
    /// Codes of kiosks and posters.
    CodeKind { Wechat, Page }
);
choice!(
    /// Pushes that are forwarded to another system.
    PushClass { Scenes, Keys, Texts, Messages, Events, Everything }
);
choice!(
    /// Rule for the order of calls in a queue.
    CallPolicy { Strict, Interleave }
);
choice!(
    /// Rule for tickets whose holders did not come.
    MissedNumberPolicy { Void, AfterK, HoldMinutes, Tail }
);
choice!(
    /// Position of a ticket that is transferred to a queue.
    TransferPlacement { Front, Arrival, Tail }
);

impl CodeKind {
    fn is_wechat(&self) -> bool {
        *self == CodeKind::Wechat
    }
}

impl KeywordAction {
    fn is_of_version_1(&self) -> bool {
        matches!(self, KeywordAction::MyTicket | KeywordAction::Leave)
    }
}

impl SiteSetup {
    /// Returns the oldest version of the settings log that expresses these settings.
    pub fn form_version(&self) -> u32 {
        let is_of_version_1 = self.name_en.is_none()
            && self.queues.values().all(|queue| queue.is_of_version_1())
            && self.counters.values().all(|counter| counter.is_of_version_1())
            && self.kiosk_slips == 0
            && !self.paired_kiosks_only
            && self.accent.is_none();
        if is_of_version_1 { 1 } else { 2 }
    }
}

impl CounterSetup {
    fn is_of_version_1(&self) -> bool {
        self.shifts.is_empty() && self.order.is_none() && self.name_en.is_none()
    }
}

impl QueueSetup {
    fn is_of_version_1(&self) -> bool {
        self.order.is_none()
            && self.name_en.is_none()
            && is_usual_per_person(&self.daily_per_person)
    }
}

impl NoticeSetup {
    fn is_of_version_1(&self) -> bool {
        let subscription = self.subscription.as_ref();
        self.miniprogram.is_none()
            && subscription.is_none_or(|template| template.miniprogram.is_none())
    }
}

impl AccountSetup {
    /// Returns the oldest version of the settings log that expresses these settings.
    pub fn form_version(&self) -> u32 {
        let mut actions = self.keywords.values().chain(self.menu.values());
        let mut notices = [&self.called, &self.missed, &self.progress].into_iter().flatten();
        let is_of_version_1 = actions.all(KeywordAction::is_of_version_1)
            && notices.all(NoticeSetup::is_of_version_1)
            && self.usual_words
            && self.buttons.is_empty()
            && self.codes.is_wechat()
            && self.customer_service.is_none()
            && self.forward.is_empty();
        if is_of_version_1 { 1 } else { 2 }
    }
}

impl Default for AccountSetup {
    fn default() -> Self {
        AccountSetup {
            greeting: None,
            failure: None,
            keywords: queueing(),
            usual_words: true,
            menu: BTreeMap::new(),
            buttons: Vec::new(),
            codes: CodeKind::Wechat,
            customer_service: None,
            forward: Vec::new(),
            channels: None,
            called: None,
            missed: None,
            progress: None,
        }
    }
}

fn empty_text() -> String {
    String::new()
}

/// Default keywords: the text that asks for the state of one's tickets.
pub fn queueing() -> BTreeMap<String, KeywordAction> {
    [("排队".to_owned(), KeywordAction::MyTicket)].into()
}

fn is_yes(value: &bool) -> bool {
    *value
}

fn usual_per_person() -> u32 {
    6
}

fn is_usual_per_person(value: &u32) -> bool {
    *value == usual_per_person()
}

fn is_unset<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn wechat_codes() -> CodeKind {
    CodeKind::Wechat
}

fn shanghai() -> String {
    "Asia/Shanghai".into()
}

fn four() -> i8 {
    4
}

fn five() -> u32 {
    5
}

fn three_minutes() -> u32 {
    180
}

fn yes() -> bool {
    true
}

fn no() -> bool {
    false
}

fn ordinary() -> u8 {
    5
}

fn strict() -> CallPolicy {
    CallPolicy::Strict
}

fn after_k() -> MissedNumberPolicy {
    MissedNumberPolicy::AfterK
}

fn arrival() -> TransferPlacement {
    TransferPlacement::Arrival
}

fn two_to_one() -> (u32, u32) {
    (2, 1)
}

fn zero() -> u32 {
    0
}

fn two() -> u32 {
    2
}

fn three() -> u32 {
    3
}

fn four_times() -> u32 {
    4
}

fn half_an_hour() -> u32 {
    30
}
