//! Types of all events that WeChat pushes.

use crate::secret::OpenId;
use std::fmt;

/// An event. Names are matched case-insensitively. A missing field of a known event is `None` or
/// empty, since WeChat omits and adds fields without notice.
#[derive(Clone, PartialEq)]
pub enum Event {
    /// The person follows the account now.
    Subscribe {
        /// Scene of the scanned code; `None` if the person followed in another way, for example
        /// after a payment.
        scene: Option<String>,
        /// Ticket of the code.
        ticket: Option<String>,
    },
    /// A follower scanned a code.
    Scan {
        /// Scene of the code.
        scene: Option<String>,
        /// Ticket of the code.
        ticket: Option<String>,
    },
    /// The person has unfollowed the account: personal data must be deleted.
    Unsubscribe,
    /// Location of a follower, sent when they open the chat or every few seconds.
    Location {
        /// Degrees north.
        latitude: Option<f64>,
        /// Degrees east.
        longitude: Option<f64>,
        /// Precision as WeChat reports it.
        precision: Option<f64>,
    },
    /// A menu entry with a key was tapped.
    Click {
        /// Key of the entry.
        key: String,
    },
    /// A menu entry that opens a page was tapped.
    View {
        /// URL of the page.
        url: String,
        /// WeChat's id of the menu.
        menu: Option<u64>,
    },
    /// A menu entry that opens a mini program was tapped.
    ViewMiniProgram {
        /// Page in the mini program.
        page: String,
        /// WeChat's id of the menu.
        menu: Option<u64>,
    },
    /// The person scanned a code through a menu entry.
    MenuScan {
        /// Key of the entry.
        key: String,
        /// True if the person waits for an answer (`scancode_waitmsg`).
        waits: bool,
        /// Kind of code: `qrcode`, `barcode` …
        kind: String,
        /// Content of the code.
        result: String,
    },
    /// The person sent pictures through a menu entry; they arrive as messages.
    MenuPictures {
        /// Key of the entry.
        key: String,
        /// Number of pictures.
        count: Option<u64>,
    },
    /// The person chose a location through a menu entry.
    MenuLocation {
        /// Key of the entry.
        key: String,
        /// The location.
        location: GeoLocation,
    },
    /// Delivery result of a template message.
    TemplateSent {
        /// Id of the message; `None` if it is missing, 0 or not a number.
        message: Option<u64>,
        /// Delivery result.
        result: TemplateDeliveryResult,
    },
    /// Delivery result of a mass message.
    MassSent {
        /// Id of the message.
        message: Option<u64>,
        /// Status in WeChat's words.
        status: String,
        /// Number of recipients that received it.
        sent: Option<u64>,
        /// Number of recipients that did not receive it.
        failed: Option<u64>,
    },
    /// A person's data changed, or their authorization ended.
    Authorization {
        /// Kind of change.
        change: AuthorizationChange,
        /// Openid of the person.
        person: Option<OpenId>,
    },
    /// The person answered a subscription dialog.
    SubscriptionPopup(Vec<SubscriptionChoice>),
    /// The person changed their subscriptions.
    SubscriptionChanged(Vec<SubscriptionChoice>),
    /// Delivery results of subscription notices.
    SubscriptionSent(Vec<SubscriptionDelivery>),
    /// An unknown event, by WeChat's name.
    Other(String),
}

/// Delivery result of a template message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateDeliveryResult {
    /// Delivered.
    Success,
    /// Refused: the person refuses messages of this account.
    Refused,
    /// Over WeChat's limit for this person.
    RateLimited,
    /// Failed for another reason, in WeChat's words.
    Failed(String),
}

impl TemplateDeliveryResult {
    /// Parses the `Status` element. WeChat writes a space after the colon, or none. Every other
    /// status is a failure.
    pub(super) fn parse(status: &str) -> Self {
        let status = status.trim().to_ascii_lowercase();
        let reason = status.split_once(':').map_or("", |(_, reason)| reason.trim());
        match (status.as_str(), reason) {
            ("success", _) => TemplateDeliveryResult::Success,
            (_, "user block") => TemplateDeliveryResult::Refused,
            (_, "freq limit") => TemplateDeliveryResult::RateLimited,
            _ => TemplateDeliveryResult::Failed(status),
        }
    }
}

/// A person's choice about one subscription template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionChoice {
    /// Id of the template.
    pub template: String,
    /// True if the person accepts messages of it.
    pub accepted: bool,
    /// Origin of the dialog, as a number of WeChat's.
    pub popup_scene: Option<u64>,
}

/// Delivery result of one subscription notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionDelivery {
    /// Id of the template.
    pub template: String,
    /// Id of the message.
    pub message: Option<u64>,
    /// 0 if it was delivered.
    pub code: Option<i64>,
    /// Status in WeChat's words.
    pub status: String,
}

/// Changes of a person's authorization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorizationChange {
    /// Their data changed.
    Modified,
    /// They revoked the authorization.
    Revoked,
    /// They closed their account.
    Cancelled,
}

/// A location on the map.
#[derive(Clone, PartialEq, Default)]
pub struct GeoLocation {
    /// Degrees north.
    pub latitude: Option<f64>,
    /// Degrees east.
    pub longitude: Option<f64>,
    /// Scale of the map.
    pub scale: Option<f64>,
    /// Address.
    pub label: String,
    /// Name of the location.
    pub name: String,
}

impl Event {
    /// WeChat's name in lower case, as a metric label; `other` for an unknown event.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Subscribe { .. } => "subscribe",
            Event::Scan { .. } => "scan",
            Event::Unsubscribe => "unsubscribe",
            Event::Location { .. } => "location",
            Event::Click { .. } => "click",
            Event::View { .. } => "view",
            Event::ViewMiniProgram { .. } => "view_miniprogram",
            Event::MenuScan { .. } => "scancode",
            Event::MenuPictures { .. } => "pic",
            Event::MenuLocation { .. } => "location_select",
            Event::TemplateSent { .. } => "templatesendjobfinish",
            Event::MassSent { .. } => "masssendjobfinish",
            Event::Authorization { .. } => "user_authorization",
            Event::SubscriptionPopup(_) => "subscribe_msg_popup_event",
            Event::SubscriptionChanged(_) => "subscribe_msg_change_event",
            Event::SubscriptionSent(_) => "subscribe_msg_sent_event",
            Event::Other(_) => "other",
        }
    }
}

impl fmt::Debug for Event {
    /// Prints the kind without scenes and locations: a scene may lead to a session.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Subscribe { scene, .. } => write!(f, "subscribe(scene: {})", scene.is_some()),
            Event::Scan { scene, .. } => write!(f, "scan(scene: {})", scene.is_some()),
            Event::TemplateSent { message, result } => {
                write!(f, "templatesendjobfinish({message:?}, {result:?})")
            }
            Event::Other(name) => write!(f, "other({name:?})"),
            known => f.write_str(known.name()),
        }
    }
}

impl fmt::Debug for GeoLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Place(***)")
    }
}
