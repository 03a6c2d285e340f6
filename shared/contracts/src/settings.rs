//! Settings documents of the owner: sites with their queues, counters, hours and texts, and the
//! texts and channels of each account. Configuration, settings log, API and exported files use the
//! same form.
//!
//! Every field is written, so that a later change of a default leaves existing sites unchanged.

use crate::notice::Channel;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
        time_zone: String = "shanghai",
        day_starts_at: i8 = "four",
        several_counters: bool = "no",
        #[serde(default)]
        dates: Vec<String>,
        #[serde(default)]
        queues: BTreeMap<String, QueueSetup>,
        #[serde(default)]
        counters: BTreeMap<String, CounterSetup>,
        #[serde(default)]
        wording: BTreeMap<String, Wording>,
    }
);

setup!(
    /// Settings of a queue.
    QueueSetup {
        name: String,
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
        queues: Vec<String>,
        auto_next: bool = "no",
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
        #[serde(default)]
        menu: BTreeMap<String, KeywordAction>,
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
    /// Texts, templates and channels of an account for one kind of notice.
    NoticeSetup {
        template_id: String = "empty_text",
        #[serde(default)]
        fields: BTreeMap<String, String>,
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
    TemplateSetup { template_id: String, fields: BTreeMap<String, String> }
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

choice!(
    /// Action of a keyword or a menu entry.
    KeywordAction { MyTicket, Leave }
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

impl Default for AccountSetup {
    fn default() -> Self {
        AccountSetup {
            greeting: None,
            failure: None,
            keywords: queueing(),
            menu: BTreeMap::new(),
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
