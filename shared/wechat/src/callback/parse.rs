//! A callback's body as a message, by the rules of WeChat's scenes.

use super::event::{AuthorizationChange, Delivered, Event, NoticeChoice, NoticeSent, Place};
use super::message::{Kind, Message, identity};
use super::xml::{Fields, Within, fields};
use crate::secret::OpenId;
use std::str::FromStr;

/// Why a body is no callback. Never quotes the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadXml {
    /// Larger than the caller takes.
    #[error("the body is too large")]
    TooLarge,
    /// It declares a document type: WeChat never does, attackers do.
    #[error("a document type is not taken")]
    Doctype,
    /// It holds a processing instruction, or an XML declaration that is not at the start.
    #[error("a processing instruction is not taken")]
    Instruction,
    /// It refers to an entity that XML does not predefine.
    #[error("an unknown entity")]
    Entity,
    /// Elements stand too deep inside each other.
    #[error("nested too deep")]
    TooDeep,
    /// Too many elements.
    #[error("too many elements")]
    TooMany,
    /// Not well-formed, cut off, or not `<xml>`.
    #[error("not the XML of a callback")]
    Malformed,
    /// A field stands there twice.
    #[error("{0} stands there twice")]
    Twice(&'static str),
    /// A field every callback has is missing or empty.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A field that is a number is none.
    #[error("{0} is not a number")]
    Number(&'static str),
}

/// Reads the plain XML of a callback of at most `largest` bytes. Bytes that are no UTF-8 are
/// replaced: they occur in what people write, never in what we decide on.
pub fn parse(body: &[u8], largest: usize) -> Result<Message, BadXml> {
    message(&read(body, largest)?)
}

/// The fields of a body of at most `largest` bytes.
pub(super) fn read(body: &[u8], largest: usize) -> Result<Fields, BadXml> {
    match body.len() > largest {
        true => Err(BadXml::TooLarge),
        false => fields(&String::from_utf8_lossy(body)),
    }
}

/// What the fields say.
pub(super) fn message(fields: &Fields) -> Result<Message, BadXml> {
    let needed = |name| match fields.get(name) {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(BadXml::Missing(name)),
    };
    let kind = match needed("MsgType")?.to_ascii_lowercase().as_str() {
        "event" => Kind::Event(event(needed("Event")?, fields)),
        other => written(other, fields)?,
    };
    Ok(Message {
        to_user: needed("ToUserName")?.to_owned(),
        from_user: OpenId::new(needed("FromUserName")?),
        create_time: needed("CreateTime")?.parse().map_err(|_| BadXml::Number("CreateTime"))?,
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

/// A message that a person sent.
fn written(kind: &str, fields: &Fields) -> Result<Kind, BadXml> {
    let text = |name| text(fields, name);
    let id = match fields.get("MsgId") {
        None | Some("") => None,
        Some(text) => Some(text.parse().map_err(|_| BadXml::Number("MsgId"))?),
    };
    Ok(match kind {
        "text" => Kind::Text {
            content: fields.raw("Content").unwrap_or_default().to_owned(),
            chosen: filled(fields.get("bizmsgmenuid")),
            id,
        },
        "image" => Kind::Image { picture_url: text("PicUrl"), media: text("MediaId"), id },
        "voice" => Kind::Voice {
            media: text("MediaId"),
            format: text("Format"),
            heard: text("Recognition"),
            id,
        },
        "video" | "shortvideo" => Kind::Video {
            media: text("MediaId"),
            thumbnail: text("ThumbMediaId"),
            short: kind == "shortvideo",
            id,
        },
        "location" => {
            let place = Place {
                latitude: number(fields.get("Location_X")),
                longitude: number(fields.get("Location_Y")),
                scale: number(fields.get("Scale")),
                label: text("Label"),
                name: String::new(),
            };
            Kind::Location { place, id }
        }
        "link" => Kind::Link {
            title: text("Title"),
            description: text("Description"),
            url: text("Url"),
            id,
        },
        "file" => Kind::File {
            title: text("Title"),
            key: text("FileKey"),
            length: number(fields.get("FileTotalLen")),
            id,
        },
        other => Kind::Other(other.to_owned()),
    })
}

/// A scene may itself begin with `qrscene_`, and a follow after a payment carries another key
/// altogether: exactly one prefix is stripped, only from a follow, and without it there is no scene.
fn event(name: &str, fields: &Fields) -> Event {
    let key = || text(fields, "EventKey");
    let ticket = filled(fields.get("Ticket"));
    match name.to_ascii_lowercase().as_str() {
        "subscribe" => Event::Subscribe { scene: filled(key().strip_prefix("qrscene_")), ticket },
        "scan" => Event::Scan {
            scene: filled(Some(&key())).filter(|key| !key.starts_with("last_trade_no_")),
            ticket,
        },
        "unsubscribe" => Event::Unsubscribe,
        "location" => Event::Location {
            latitude: number(fields.get("Latitude")),
            longitude: number(fields.get("Longitude")),
            precision: number(fields.get("Precision")),
        },
        "click" => Event::Click { key: key() },
        "view" => Event::View { url: key(), menu: number(fields.get("MenuId")) },
        "view_miniprogram" => {
            Event::ViewMiniProgram { page: key(), menu: number(fields.get("MenuId")) }
        }
        scan @ ("scancode_push" | "scancode_waitmsg") => {
            let info = fields.within("ScanCodeInfo");
            Event::ScannedCode {
                key: key(),
                waits: scan == "scancode_waitmsg",
                kind: info.get("ScanType").unwrap_or_default().to_owned(),
                result: info.get("ScanResult").unwrap_or_default().to_owned(),
            }
        }
        "pic_sysphoto" | "pic_photo_or_album" | "pic_weixin" => Event::Pictures {
            key: key(),
            count: number(fields.within("SendPicsInfo").get("Count")),
        },
        "location_select" => {
            Event::ChosenPlace { key: key(), place: place(&fields.within("SendLocationInfo")) }
        }
        "templatesendjobfinish" => Event::TemplateSent {
            message: number(fields.get("MsgID")).filter(|id| *id != 0),
            fate: Delivered::read(fields.get("Status").unwrap_or_default()),
        },
        "masssendjobfinish" => Event::MassSent {
            message: number(fields.get("MsgID")),
            status: text(fields, "Status"),
            sent: number(fields.get("SentCount")),
            failed: number(fields.get("ErrorCount")),
        },
        "user_info_modified" => authorization(AuthorizationChange::Modified, fields),
        "user_authorization_revoke" => authorization(AuthorizationChange::Revoked, fields),
        "user_authorization_cancellation" => authorization(AuthorizationChange::Cancelled, fields),
        "subscribe_msg_popup_event" => {
            Event::NoticesAnswered(choices(fields, "SubscribeMsgPopupEvent"))
        }
        "subscribe_msg_change_event" => {
            Event::NoticesChanged(choices(fields, "SubscribeMsgChangeEvent"))
        }
        "subscribe_msg_sent_event" => {
            let lists = fields.lists("SubscribeMsgSentEvent");
            Event::NoticesSent(lists.map(|list| sent(&list)).collect())
        }
        _ => Event::Other(name.to_owned()),
    }
}

fn authorization(change: AuthorizationChange, fields: &Fields) -> Event {
    Event::Authorization { change, person: filled(fields.get("OpenID")).map(OpenId::new) }
}

fn choices(fields: &Fields, element: &'static str) -> Vec<NoticeChoice> {
    let choice = |list: Within<'_>| NoticeChoice {
        template: list.get("TemplateId").unwrap_or_default().to_owned(),
        accepted: list.get("SubscribeStatusString") == Some("accept"),
        asked_at: number(list.get("PopupScene")),
    };
    fields.lists(element).map(choice).collect()
}

fn sent(list: &Within<'_>) -> NoticeSent {
    NoticeSent {
        template: list.get("TemplateId").unwrap_or_default().to_owned(),
        message: number(list.get("MsgID")),
        code: number(list.get("ErrorCode")),
        status: list.get("ErrorStatus").unwrap_or_default().to_owned(),
    }
}

fn place(info: &Within<'_>) -> Place {
    Place {
        latitude: number(info.get("Location_X")),
        longitude: number(info.get("Location_Y")),
        scale: number(info.get("Scale")),
        label: info.get("Label").unwrap_or_default().to_owned(),
        name: info.get("Poiname").unwrap_or_default().to_owned(),
    }
}

fn text(fields: &Fields, name: &'static str) -> String {
    fields.get(name).unwrap_or_default().to_owned()
}

fn filled(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

/// What WeChat writes into a number that we do not decide on is no reason to refuse the push.
fn number<T: FromStr>(text: Option<&str>) -> Option<T> {
    text?.parse().ok()
}
