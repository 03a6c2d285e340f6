//! A callback's body as a message, by the rules of WeChat's scenes.

use super::message::{EventName, Kind, Message, identity};
use super::xml::{Fields, fields};
use crate::secret::OpenId;

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
    if body.len() > largest {
        return Err(BadXml::TooLarge);
    }
    let fields = fields(&String::from_utf8_lossy(body))?;
    let needed = |name| match fields.get(name) {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(BadXml::Missing(name)),
    };
    let kind = match needed("MsgType")? {
        kind if kind.eq_ignore_ascii_case("event") => Kind::Event {
            name: event_name(needed("Event")?, fields.get("EventKey").unwrap_or_default()),
            ticket: fields.get("Ticket").filter(|ticket| !ticket.is_empty()).map(str::to_owned),
        },
        kind if kind.eq_ignore_ascii_case("text") => Kind::Text {
            content: fields.raw("Content").unwrap_or_default().to_owned(),
            msg_id: number(&fields, "MsgId")?,
        },
        _ => Kind::Other,
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

fn number(fields: &Fields, name: &'static str) -> Result<Option<u64>, BadXml> {
    match fields.get(name) {
        None | Some("") => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| BadXml::Number(name)),
    }
}

/// A scene may itself begin with `qrscene_`, and a follow after a payment carries another key
/// altogether: exactly one prefix is stripped, only from a follow, and without it there is no scene.
fn event_name(name: &str, key: &str) -> EventName {
    let scene = |key: &str| (!key.is_empty()).then(|| key.to_owned());
    if name.eq_ignore_ascii_case("subscribe") {
        EventName::Subscribe { scene: key.strip_prefix("qrscene_").and_then(scene) }
    } else if name.eq_ignore_ascii_case("scan") {
        EventName::Scan { scene: scene(key).filter(|key| !key.starts_with("last_trade_no_")) }
    } else if name.eq_ignore_ascii_case("unsubscribe") {
        EventName::Unsubscribe
    } else {
        EventName::Other(name.to_owned())
    }
}
