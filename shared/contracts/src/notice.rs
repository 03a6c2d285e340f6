//! A notice to a person through WeChat, and its outcome.

use crate::commit::{
    HoldNotice, Number, QueueEnd, QuotedWait, RemovalNotice, ReturnCause, ReturnDetail,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A message that is to be sent once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Version of this form: 1.
    pub v: u32,
    /// Ticket, trigger and ordinal: `hall/20779/17/called#1`. Every replica that plans the notice
    /// computes the same key, and WeChat accepts it at most once.
    pub key: String,
    /// The WeChat account that sends the notice.
    pub account: Arc<str>,
    /// Name of the site.
    pub site_name: Arc<str>,
    /// Time zone of the site, an IANA name.
    pub zone: Arc<str>,
    /// Openid of the recipient.
    pub person: Arc<str>,
    /// Number of the ticket.
    pub number: Number,
    /// Name of the queue.
    pub queue_name: Arc<str>,
    /// Content of the notice.
    #[serde(rename = "saying")]
    pub content: NoticeContent,
    /// Ordinal among the notices of the ticket. A notice is dropped once a later one is known. 0 if
    /// the planner gave none.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub order: u32,
    /// Time of the event, in Unix milliseconds.
    pub at: i64,
    /// End of validity, in Unix milliseconds; the notice is not sent after it.
    pub valid_until: i64,
    /// Path of the ticket's page at the gateway's public address; a secret of the holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Arc<str>>,
    /// True if the reply to the person's own callback contained the content already.
    #[serde(default, skip_serializing_if = "is_false")]
    pub replied: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(order: &u32) -> bool {
    *order == 0
}

impl Notice {
    /// The part of the key that all notices of one ticket share: the key without kind and ordinal.
    pub fn ticket_prefix(&self) -> &str {
        self.key.rsplit_once('/').map_or(&*self.key, |(ticket, _)| ticket)
    }

    /// Id of the site, the first part of the key.
    pub fn site(&self) -> &str {
        self.key.split('/').next().unwrap_or_default()
    }

    /// The last part of the key, which tells the notices of one ticket apart: `called#1`.
    pub fn name(&self) -> &str {
        self.key.rsplit_once('/').map_or(&*self.key, |(_, name)| name)
    }
}

/// Content of a notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "saying", rename_all = "snake_case")]
pub enum NoticeContent {
    /// The ticket is called (叫号).
    Called {
        /// Name of the counter to go to.
        counter_name: Arc<str>,
        /// Ordinal of the call.
        call: u32,
    },
    /// The ticket is called again (再次叫号).
    Recalled {
        /// Name of the counter to go to.
        counter_name: Arc<str>,
        /// Ordinal of the call.
        call: u32,
    },
    /// Few tickets are ahead (即将叫号).
    Near {
        /// Quoted wait.
        #[serde(rename = "told")]
        quoted: QuotedWait,
    },
    /// No ticket is ahead.
    Next {
        /// Quoted wait.
        #[serde(rename = "told")]
        quoted: QuotedWait,
    },
    /// The holder did not come (过号).
    Missed {
        /// End of the time for a return, in Unix milliseconds; `None` if no return is possible.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        until: Option<i64>,
        /// Number of places lost by a return, if the rule counts places.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        places: Option<u32>,
    },
    /// The ticket is in the line again.
    Returned {
        /// Cause of the return.
        #[serde(rename = "through")]
        cause: ReturnCause,
        /// Quoted wait.
        #[serde(rename = "told")]
        quoted: QuotedWait,
        /// What older programs do not know of it.
        #[serde(flatten)]
        detail: ReturnDetail,
    },
    /// The wait is longer than quoted.
    Slipped {
        /// New quoted wait.
        #[serde(rename = "told")]
        quoted: QuotedWait,
    },
    /// Nobody is called (暂停叫号), or staff hold the ticket.
    Halted {
        /// Quoted wait.
        #[serde(rename = "told")]
        quoted: QuotedWait,
        /// Hold by staff, if it is not the queue that calls nobody.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        hold: Option<HoldNotice>,
    },
    /// The queue was closed or cleared, or staff removed the ticket.
    QueueClosed {
        /// How the queue ended; absent if it has ended for today.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        end: Option<QueueEnd>,
        /// Removal of the ticket alone.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        removed: Option<RemovalNotice>,
    },
}

impl NoticeContent {
    /// True if the notice asks the holder to come now.
    pub fn is_call(&self) -> bool {
        matches!(self, NoticeContent::Called { .. } | NoticeContent::Recalled { .. })
    }
}

/// A way to send a notice through WeChat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// The reply to the person's own callback, which contained the content.
    PassiveReply,
    /// A customer-service text, allowed for a limited time after an action of the person.
    CustomerService,
    /// A template message.
    Template,
    /// A subscription notice, one for each time the person agreed to it.
    Subscription,
}

impl Channel {
    /// Name in the configuration, in records and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Channel::PassiveReply => "passive-reply",
            Channel::CustomerService => "customer-service",
            Channel::Template => "template",
            Channel::Subscription => "subscription",
        }
    }

    /// True if WeChat itself drops a second message of one notice. Only template messages have an
    /// id for that; through any other channel an attempt without an answer is never repeated.
    pub fn is_idempotent(self) -> bool {
        self == Channel::Template
    }
}

/// An attempt through a channel that did not accept the notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelAttempt {
    /// The channel.
    pub channel: Channel,
    /// Name of the reason: one of WeChat's codes (docs/reference/wechat-codes.md), or
    /// `not_replied`, `no_allowance`, `not_bound`, `does_not_fit`, `gave_up`.
    pub reason: String,
    /// WeChat's errcode, if WeChat refused the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    /// Details of a failure that needs an operator: an error of ours, or the end of the retries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "said")]
    pub detail: Option<String>,
}

/// Outcome of a notice; written once for each key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeOutcome {
    /// Version of this form: 1.
    pub v: u32,
    /// Key of the notice.
    pub key: String,
    /// Outcome of the delivery.
    #[serde(rename = "fate")]
    pub outcome: DeliveryOutcome,
    /// Time at which the outcome was known, in Unix milliseconds.
    pub at: i64,
    /// Number of requests to WeChat.
    pub attempts: u32,
    /// The channel that accepted the notice, or may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "via")]
    pub channel: Option<Channel>,
    /// Earlier channels, in the order of the attempts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[serde(rename = "tried")]
    pub earlier_attempts: Vec<ChannelAttempt>,
}

/// Outcomes of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fate", rename_all = "snake_case")]
pub enum DeliveryOutcome {
    /// Accepted by WeChat under this message id.
    Sent {
        /// WeChat's id, up to 19 digits; 0 if it gave none.
        message_id: u64,
    },
    /// Contained in the reply to the person's own callback: nothing was sent.
    Replied,
    /// Refused by every channel: the code of the first refusal by WeChat, and our name for it.
    Refused {
        /// WeChat's errcode; 0 if no request was made, because no channel was permitted.
        code: i64,
        /// Name of the code.
        name: String,
    },
    /// No longer true before it could be sent.
    Stale,
    /// Replaced by a later notice of the same ticket before it could be sent.
    Superseded,
    /// Not accepted by WeChat within nine minutes of retries. WeChat does not have the message.
    GaveUp {
        /// Error of the last attempt.
        #[serde(rename = "last")]
        last_error: String,
    },
    /// Undecided: an attempt ended without an answer, and a later one was impossible or got none
    /// within nine minutes. WeChat may have the message. More attempts, or another channel, could
    /// send it twice.
    Unknown {
        /// Error of the last attempt.
        #[serde(rename = "last")]
        last_error: String,
    },
    /// Not renderable: no template is bound to it, or the texts do not fit.
    #[serde(rename = "unspeakable")]
    Unrenderable {
        /// Description of the fault.
        reason: String,
    },
}
