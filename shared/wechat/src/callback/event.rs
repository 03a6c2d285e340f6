//! Everything that WeChat says has happened, as types.

use crate::secret::OpenId;
use std::fmt;

/// What happened. Names are matched without regard to case; what a known event lacks is `None` or
/// empty, since WeChat leaves things out and adds others as it likes.
#[derive(Clone, PartialEq)]
pub enum Event {
    /// The person now follows the account.
    Subscribe {
        /// The scene of the code they scanned; `None` if they followed in another way, after a
        /// payment for example.
        scene: Option<String>,
        /// The ticket of that code.
        ticket: Option<String>,
    },
    /// A follower scanned a code.
    Scan {
        /// The scene of the code.
        scene: Option<String>,
        /// The ticket of the code.
        ticket: Option<String>,
    },
    /// The person follows no longer: what is known of them has to go.
    Unsubscribe,
    /// Where a follower is, told when they open the chat or every few seconds.
    Location {
        /// Degrees north.
        latitude: Option<f64>,
        /// Degrees east.
        longitude: Option<f64>,
        /// As WeChat gives it.
        precision: Option<f64>,
    },
    /// A menu entry with a key was pressed.
    Click {
        /// The key.
        key: String,
    },
    /// A menu entry that leads to a page was pressed.
    View {
        /// The page.
        url: String,
        /// WeChat's number of the menu.
        menu: Option<u64>,
    },
    /// A menu entry that leads into a mini program was pressed.
    ViewMiniProgram {
        /// The page in it.
        page: String,
        /// WeChat's number of the menu.
        menu: Option<u64>,
    },
    /// A menu entry let the person scan something.
    MenuScan {
        /// The entry's key.
        key: String,
        /// Whether the person waits for an answer (`scancode_waitmsg`).
        waits: bool,
        /// `qrcode`, `barcode` …
        kind: String,
        /// What was in it.
        result: String,
    },
    /// A menu entry let the person send pictures, which come as messages.
    MenuPictures {
        /// The entry's key.
        key: String,
        /// How many.
        count: Option<u64>,
    },
    /// A menu entry let the person choose a place.
    MenuLocation {
        /// The entry's key.
        key: String,
        /// The place.
        place: GeoLocation,
    },
    /// What became of a template message.
    TemplateSent {
        /// The message's id; `None` if it is missing, 0 or no number.
        message: Option<u64>,
        /// What became of it.
        fate: TemplateDeliveryResult,
    },
    /// What became of a mass message.
    MassSent {
        /// The message's id.
        message: Option<u64>,
        /// WeChat's word for it.
        status: String,
        /// To how many it went.
        sent: Option<u64>,
        /// To how many it could not go.
        failed: Option<u64>,
    },
    /// Somebody's data changed, or their permission ended.
    Authorization {
        /// Which of the two, in WeChat's words.
        change: AuthorizationChange,
        /// Whose.
        person: Option<OpenId>,
    },
    /// The person answered the question whether they want certain messages.
    SubscriptionPopup(Vec<SubscriptionChoice>),
    /// The person changed which messages they want.
    SubscriptionChanged(Vec<SubscriptionChoice>),
    /// What became of subscription notices.
    SubscriptionSent(Vec<SubscriptionDelivery>),
    /// An event this system does not know, by WeChat's name of it.
    Other(String),
}

/// What became of a template message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateDeliveryResult {
    /// It arrived.
    Success,
    /// The person refuses messages of this account.
    Refused,
    /// WeChat found it one too many for this person.
    RateLimited,
    /// It did not arrive, for a reason in WeChat's words.
    Failed(String),
}

impl TemplateDeliveryResult {
    /// Reads the `Status` element. WeChat writes a space after the colon, or does not; whatever is
    /// not success is a failure.
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

/// What a person was told about, or asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionChoice {
    /// Which template.
    pub template: String,
    /// Whether they want it.
    pub accepted: bool,
    /// Where they were asked, in WeChat's numbers.
    pub popup_scene: Option<u64>,
}

/// What became of one subscription notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionDelivery {
    /// Which template.
    pub template: String,
    /// The message's id.
    pub message: Option<u64>,
    /// 0 if it arrived.
    pub code: Option<i64>,
    /// WeChat's words for it.
    pub status: String,
}

/// How somebody's permission changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorizationChange {
    /// Their data is another now.
    Modified,
    /// They took it back.
    Revoked,
    /// They closed their account.
    Cancelled,
}

/// A place on the map.
#[derive(Clone, PartialEq, Default)]
pub struct GeoLocation {
    /// Degrees north.
    pub latitude: Option<f64>,
    /// Degrees east.
    pub longitude: Option<f64>,
    /// Of the map.
    pub scale: Option<f64>,
    /// Its address.
    pub label: String,
    /// Its name.
    pub name: String,
}

impl Event {
    /// WeChat's name of it, in lower case; `other` for one that this system does not know, so that
    /// it can stand in a metric.
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
    /// Says what it is, not what a person scanned or where they are: a scene may lead to a session.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Subscribe { scene, .. } => write!(f, "subscribe(scene: {})", scene.is_some()),
            Event::Scan { scene, .. } => write!(f, "scan(scene: {})", scene.is_some()),
            Event::TemplateSent { message, fate } => {
                write!(f, "templatesendjobfinish({message:?}, {fate:?})")
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
