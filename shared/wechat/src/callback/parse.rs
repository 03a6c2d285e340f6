//! Parser of a callback's body, with WeChat's rules for scenes.

use super::event::{
    AuthorizationChange, Event, GeoLocation, SubscriptionChoice, SubscriptionDelivery,
    TemplateDeliveryResult,
};
use super::free_text::escape_free_texts;
use super::message::{Message, MessageKind, identity};
use super::xml::{Fields, NestedFields, parse_fields};
use crate::secret::OpenId;
use std::str::FromStr;

/// Faults of a body. Error messages never quote the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Larger than the caller's limit.
    #[error("the body is too large")]
    TooLarge,
    /// Declares a document type: WeChat never does, attackers do.
    #[error("a document type is not allowed")]
    Doctype,
    /// Holds a processing instruction, or an XML declaration that is not at the start.
    #[error("a processing instruction is not allowed")]
    ProcessingInstruction,
    /// Refers to an entity that XML does not predefine.
    #[error("an unknown entity")]
    UnknownEntity,
    /// Nests elements too deeply.
    #[error("nested too deep")]
    TooDeep,
    /// Holds too many elements.
    #[error("too many elements")]
    TooManyElements,
    /// Not well-formed, truncated, or without the root `<xml>`.
    #[error("not the XML of a callback")]
    Malformed,
    /// A mandatory field is missing or empty.
    #[error("{0} is missing")]
    MissingField(&'static str),
}

/// Parses the plain XML of a callback of at most `largest` bytes. Invalid UTF-8 is replaced: it
/// occurs in texts that people write, never in the fields that decisions depend on.
pub fn parse(body: &[u8], largest: usize) -> Result<Message, XmlError> {
    message_from_fields(&read_fields(body, largest)?)
}

/// Reads the fields of a body of at most `largest` bytes.
pub(super) fn read_fields(body: &[u8], largest: usize) -> Result<Fields, XmlError> {
    if body.len() > largest {
        return Err(XmlError::TooLarge);
    }
    parse_fields(&escape_free_texts(&String::from_utf8_lossy(body)))
}

/// Converts the fields into a message.
pub(super) fn message_from_fields(fields: &Fields) -> Result<Message, XmlError> {
    let required = |name| match fields.get(name) {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(XmlError::MissingField(name)),
    };
    let kind = match required("MsgType")?.to_ascii_lowercase().as_str() {
        "event" => MessageKind::Event(event_from_fields(required("Event")?, fields)),
        other => user_message_kind(other, fields),
    };
    Ok(Message {
        to_user: required("ToUserName")?.to_owned(),
        from_user: OpenId::new(required("FromUserName")?),
        // It dates replies and receipts; the push itself is told from others by its text.
        create_time: parse_number(fields.get("CreateTime")).unwrap_or_default(),
        kind,
        identity: identity([
            fields.get("ToUserName"),
            fields.get("FromUserName"),
            fields.get("CreateTime"),
            fields.get("MsgType"),
            fields.get("Event"),
            fields.get("EventKey"),
            fields.get("Ticket"),
            fields.get("MsgId"),
            fields.get("MsgID"),
        ]),
    })
}

/// Converts a message that a person sent.
fn user_message_kind(kind: &str, fields: &Fields) -> MessageKind {
    let text = |name| text_field(fields, name);
    let id = parse_number(fields.get("MsgId"));
    match kind {
        "text" => MessageKind::Text {
            content: fields.raw("Content").unwrap_or_default().to_owned(),
            chosen: non_empty(fields.get("bizmsgmenuid")),
            id,
        },
        "image" => MessageKind::Image { picture_url: text("PicUrl"), media: text("MediaId"), id },
        "voice" => MessageKind::Voice {
            media: text("MediaId"),
            format: text("Format"),
            recognition: text("Recognition"),
            id,
        },
        "video" | "shortvideo" => MessageKind::Video {
            media: text("MediaId"),
            thumbnail: text("ThumbMediaId"),
            short: kind == "shortvideo",
            id,
        },
        "location" => {
            let location = GeoLocation {
                latitude: parse_number(fields.get("Location_X")),
                longitude: parse_number(fields.get("Location_Y")),
                scale: parse_number(fields.get("Scale")),
                label: text("Label"),
                name: String::new(),
            };
            MessageKind::Location { location, id }
        }
        "link" => MessageKind::Link {
            title: text("Title"),
            description: text("Description"),
            url: text("Url"),
            id,
        },
        "file" => MessageKind::File {
            title: text("Title"),
            key: text("FileKey"),
            length: parse_number(fields.get("FileTotalLen")),
            id,
        },
        other => MessageKind::Other(other.to_owned()),
    }
}

/// Converts an event. A scene may itself begin with `qrscene_`, and a follow after a payment
/// carries another key altogether. So exactly one prefix is stripped, only from a follow, and a
/// follow without the prefix has no scene.
fn event_from_fields(name: &str, fields: &Fields) -> Event {
    let key = || text_field(fields, "EventKey");
    let ticket = non_empty(fields.get("Ticket"));
    match name.to_ascii_lowercase().as_str() {
        "subscribe" => {
            Event::Subscribe { scene: non_empty(key().strip_prefix("qrscene_")), ticket }
        }
        "scan" => Event::Scan {
            scene: non_empty(Some(&key())).filter(|key| !key.starts_with("last_trade_no_")),
            ticket,
        },
        "unsubscribe" => Event::Unsubscribe,
        "location" => Event::Location {
            latitude: parse_number(fields.get("Latitude")),
            longitude: parse_number(fields.get("Longitude")),
            precision: parse_number(fields.get("Precision")),
        },
        "click" => Event::Click { key: key() },
        "view" => Event::View { url: key(), menu: parse_number(fields.get("MenuId")) },
        "view_miniprogram" => {
            Event::ViewMiniProgram { page: key(), menu: parse_number(fields.get("MenuId")) }
        }
        scan @ ("scancode_push" | "scancode_waitmsg") => {
            let info = fields.nested("ScanCodeInfo");
            Event::MenuScan {
                key: key(),
                waits: scan == "scancode_waitmsg",
                kind: info.get("ScanType").unwrap_or_default().to_owned(),
                result: info.get("ScanResult").unwrap_or_default().to_owned(),
            }
        }
        "pic_sysphoto" | "pic_photo_or_album" | "pic_weixin" => Event::MenuPictures {
            key: key(),
            count: parse_number(fields.nested("SendPicsInfo").get("Count")),
        },
        "location_select" => Event::MenuLocation {
            key: key(),
            location: geo_location(&fields.nested("SendLocationInfo")),
        },
        "templatesendjobfinish" => Event::TemplateSent {
            message: parse_number(fields.get("MsgID")).filter(|id| *id != 0),
            result: TemplateDeliveryResult::parse(fields.get("Status").unwrap_or_default()),
        },
        "masssendjobfinish" => Event::MassSent {
            message: parse_number(fields.get("MsgID")),
            status: text_field(fields, "Status"),
            sent: parse_number(fields.get("SentCount")),
            failed: parse_number(fields.get("ErrorCount")),
        },
        "user_info_modified" => authorization_event(AuthorizationChange::Modified, fields),
        "user_authorization_revoke" => authorization_event(AuthorizationChange::Revoked, fields),
        "user_authorization_cancellation" => {
            authorization_event(AuthorizationChange::Cancelled, fields)
        }
        "subscribe_msg_popup_event" => {
            Event::SubscriptionPopup(subscription_choices(fields, "SubscribeMsgPopupEvent"))
        }
        "subscribe_msg_change_event" => {
            Event::SubscriptionChanged(subscription_choices(fields, "SubscribeMsgChangeEvent"))
        }
        "subscribe_msg_sent_event" => {
            let lists = fields.lists("SubscribeMsgSentEvent");
            Event::SubscriptionSent(lists.map(|list| subscription_delivery(&list)).collect())
        }
        _ => Event::Other(name.to_owned()),
    }
}

fn authorization_event(change: AuthorizationChange, fields: &Fields) -> Event {
    Event::Authorization { change, person: non_empty(fields.get("OpenID")).map(OpenId::new) }
}

fn subscription_choices(fields: &Fields, element: &'static str) -> Vec<SubscriptionChoice> {
    let choice = |list: NestedFields<'_>| SubscriptionChoice {
        template: list.get("TemplateId").unwrap_or_default().to_owned(),
        accepted: list.get("SubscribeStatusString") == Some("accept"),
        popup_scene: parse_number(list.get("PopupScene")),
    };
    fields.lists(element).map(choice).collect()
}

fn subscription_delivery(list: &NestedFields<'_>) -> SubscriptionDelivery {
    SubscriptionDelivery {
        template: list.get("TemplateId").unwrap_or_default().to_owned(),
        message: parse_number(list.get("MsgID")),
        code: parse_number(list.get("ErrorCode")),
        status: list.get("ErrorStatus").unwrap_or_default().to_owned(),
    }
}

fn geo_location(info: &NestedFields<'_>) -> GeoLocation {
    GeoLocation {
        latitude: parse_number(info.get("Location_X")),
        longitude: parse_number(info.get("Location_Y")),
        scale: parse_number(info.get("Scale")),
        label: info.get("Label").unwrap_or_default().to_owned(),
        name: info.get("Poiname").unwrap_or_default().to_owned(),
    }
}

fn text_field(fields: &Fields, name: &'static str) -> String {
    fields.get(name).unwrap_or_default().to_owned()
}

fn non_empty(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Parses a number that no decision depends on: a malformed one is no reason to refuse the push.
fn parse_number<T: FromStr>(text: Option<&str>) -> Option<T> {
    text?.parse().ok()
}
