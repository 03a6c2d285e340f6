//! A notice on its way to a person's WeChat, and how it ended.

use crate::commit::{Number, QuotedWait, ReturnCause};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A message to be sent once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Version of this form: 1.
    pub v: u32,
    /// Ticket, milestone and occurrence: `hall/20779/17/called#1`. The same for every replica that
    /// plans it, and accepted by WeChat at most once.
    pub key: String,
    /// The WeChat account that sends it.
    pub account: Arc<str>,
    /// The site's name.
    pub site_name: Arc<str>,
    /// The site's time zone, an IANA name.
    pub zone: Arc<str>,
    /// Whom to tell: an openid.
    pub person: Arc<str>,
    /// The number.
    pub number: Number,
    /// The queue's name.
    pub queue_name: Arc<str>,
    /// What to say.
    pub saying: NoticeContent,
    /// The how-manieth thing that is said about the ticket: once a later one is known, this one is
    /// not said any more. 0 where nobody said.
    #[serde(skip_serializing_if = "unsaid", default)]
    pub order: u32,
    /// When it became true, in Unix milliseconds.
    pub at: i64,
    /// When it stops being true, in Unix milliseconds; not to be sent after that.
    pub valid_until: i64,
    /// The path of the ticket's page at the gateway's public address; a secret of its holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Arc<str>>,
    /// Whether the answer to the person's own callback said it already.
    #[serde(default, skip_serializing_if = "is_false")]
    pub replied: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

fn unsaid(order: &u32) -> bool {
    *order == 0
}

impl Notice {
    /// What all notices about one ticket have in common: their key without milestone and
    /// occurrence.
    pub fn ticket_prefix(&self) -> &str {
        self.key.rsplit_once('/').map_or(&*self.key, |(thread, _)| thread)
    }
}

/// What a notice says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "saying", rename_all = "snake_case")]
pub enum NoticeContent {
    /// It is your turn (叫号).
    Called {
        /// Where to go.
        counter_name: Arc<str>,
        /// The how-manieth call.
        call: u32,
    },
    /// The same, once more (再次叫号).
    Recalled {
        /// Where to go.
        counter_name: Arc<str>,
        /// The how-manieth call.
        call: u32,
    },
    /// Few are ahead (即将叫号).
    Near {
        /// How it stands.
        told: QuotedWait,
    },
    /// Nobody is ahead.
    Next {
        /// How it stands.
        told: QuotedWait,
    },
    /// You did not come (过号).
    Missed {
        /// Until when a return is possible, in Unix milliseconds; `None` if it is not.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        until: Option<i64>,
        /// How many places back that is, if the rule is one of places.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        places: Option<u32>,
    },
    /// You are in the line again.
    Returned {
        /// Through what.
        through: ReturnCause,
        /// How it stands.
        told: QuotedWait,
    },
    /// It takes longer than was said.
    Slipped {
        /// How it stands.
        told: QuotedWait,
    },
    /// Nobody is called for now (暂停叫号).
    Halted {
        /// How it stands.
        told: QuotedWait,
    },
    /// The queue has ended for today (今日已结束).
    QueueClosed,
}

impl NoticeContent {
    /// Whether somebody is asked to come now.
    pub fn is_call(&self) -> bool {
        matches!(self, NoticeContent::Called { .. } | NoticeContent::Recalled { .. })
    }
}

/// A way to tell a person something in WeChat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// The answer to the person's own callback, which has said it already.
    PassiveReply,
    /// A customer-service text, for a while after the person did something.
    CustomerService,
    /// A template message.
    Template,
    /// A subscription notice, once for each time the person agreed to it.
    Subscription,
}

impl Channel {
    /// Its name in the configuration, in records and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Channel::PassiveReply => "passive-reply",
            Channel::CustomerService => "customer-service",
            Channel::Template => "template",
            Channel::Subscription => "subscription",
        }
    }

    /// Whether WeChat itself drops a second message of one notice. Only template messages have an
    /// id for that; through any other channel an attempt without an answer is never repeated.
    pub fn is_idempotent(self) -> bool {
        self == Channel::Template
    }
}

/// A channel that did not take a notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelAttempt {
    /// Which.
    pub channel: Channel,
    /// Why not, by a name: one of WeChat's codes (docs/reference/wechat-codes.md), or `not_replied`,
    /// `no_allowance`, `not_bound`, `does_not_fit`, `gave_up`.
    pub reason: String,
    /// WeChat's errcode, if WeChat was asked and said no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    /// What was said, for whoever has to look at it: it is our mistake, or tried too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

/// What became of a notice; written once per key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeOutcome {
    /// Version of this form: 1.
    pub v: u32,
    /// The notice's key.
    pub key: String,
    /// How it ended.
    pub fate: DeliveryOutcome,
    /// When that was known, in Unix milliseconds.
    pub at: i64,
    /// How many times WeChat was asked.
    pub attempts: u32,
    /// The channel that took it, or that may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Channel>,
    /// The channels before that, in the order in which they were tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<ChannelAttempt>,
}

/// How a notice ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fate", rename_all = "snake_case")]
pub enum DeliveryOutcome {
    /// WeChat accepted it under this message id.
    Sent {
        /// WeChat's id, up to 19 digits; 0 if it gave none.
        message_id: u64,
    },
    /// The answer to the person's own callback had said it: nothing was sent.
    Replied,
    /// No channel takes it: the return code of the first that WeChat refused, and our name for it.
    Refused {
        /// WeChat's errcode; 0 if WeChat was not asked, because nothing allowed it.
        code: i64,
        /// What it means.
        name: String,
    },
    /// It stopped being true before it could be sent.
    Stale,
    /// A later notice about the same ticket was known before it could be sent.
    Superseded,
    /// WeChat kept saying "later" for nine minutes. It does not have the message.
    GaveUp {
        /// What the last attempt met.
        last: String,
    },
    /// An attempt ended without an answer, and a later one could not be made or got none within nine
    /// minutes: WeChat may or may not have the message, and trying longer, or through another
    /// channel, could tell it twice.
    Unknown {
        /// What the last attempt met.
        last: String,
    },
    /// It cannot be put into words: no template is bound for it, or they do not fit.
    Unspeakable {
        /// What is missing.
        reason: String,
    },
}
