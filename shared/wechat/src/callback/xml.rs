//! The XML of a callback, read event by event into the few fields we know, with every cap in place.
//!
//! Nothing is expanded but the five predefined entities and character references; a DOCTYPE is
//! refused, so there is nothing else to expand.

use super::parse::BadXml;
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

const DEEPEST: usize = 8;
const MOST_ELEMENTS: usize = 512;

/// The fields of the head and of the pushes we understand, by WeChat's names of them.
pub(super) const KNOWN: [&str; 10] = [
    "ToUserName",
    "FromUserName",
    "CreateTime",
    "MsgType",
    "Event",
    "EventKey",
    "Ticket",
    "MsgId",
    "MsgID",
    "Content",
];

/// The text of each field of [`KNOWN`] that is there.
#[derive(Default)]
pub(super) struct Fields([Option<String>; KNOWN.len()]);

impl Fields {
    /// The text as it stands, `None` if the element is not there.
    pub(super) fn raw(&self, name: &'static str) -> Option<&str> {
        let at = KNOWN.iter().position(|known| *known == name)?;
        self.0[at].as_deref()
    }

    /// The text without white space around it.
    pub(super) fn get(&self, name: &'static str) -> Option<&str> {
        self.raw(name).map(str::trim)
    }
}

/// Where the reader stands.
#[derive(Default)]
struct Place {
    depth: usize,
    elements: usize,
    root_closed: bool,
    /// The known field that is open, by its place in [`KNOWN`].
    open: Option<usize>,
}

/// Reads a document whose root is `<xml>`. Unknown elements are passed over; a known one that
/// stands there twice is refused: which of the two counts is just what an attacker wants to choose.
pub(super) fn fields(text: &str) -> Result<Fields, BadXml> {
    let mut reader = Reader::from_str(text);
    let mut fields = Fields::default();
    let mut place = Place::default();
    let mut first = true;
    loop {
        let event = reader.read_event().map_err(|_| BadXml::Malformed)?;
        match event {
            Event::Start(start) => {
                open(&mut place, &mut fields, start.name().as_ref())?;
            }
            Event::Empty(start) => {
                open(&mut place, &mut fields, start.name().as_ref())?;
                close(&mut place);
            }
            Event::End(_) => close(&mut place),
            Event::Text(text) => put(&place, &mut fields, &text.xml10_content())?,
            Event::CData(text) => {
                if place.depth == 0 {
                    return Err(BadXml::Malformed);
                }
                put(&place, &mut fields, &text.xml10_content())?;
            }
            Event::GeneralRef(reference) => {
                let resolved = match reference.resolve_char_ref() {
                    Ok(Some(c)) => c.to_string(),
                    Ok(None) => {
                        resolve_predefined_entity(&reference).ok_or(BadXml::Entity)?.to_owned()
                    }
                    Err(_) => return Err(BadXml::Entity),
                };
                put(&place, &mut fields, &resolved)?;
            }
            Event::Comment(_) => {}
            Event::Decl(_) if first => {}
            Event::Decl(_) | Event::PI(_) => return Err(BadXml::Instruction),
            Event::DocType(_) => return Err(BadXml::Doctype),
            Event::Eof => break,
        }
        first = false;
    }
    if place.depth != 0 || !place.root_closed {
        return Err(BadXml::Malformed);
    }
    Ok(fields)
}

fn open(place: &mut Place, fields: &mut Fields, name: &str) -> Result<(), BadXml> {
    place.elements += 1;
    if place.elements > MOST_ELEMENTS {
        return Err(BadXml::TooMany);
    }
    if place.depth == 0 && (place.root_closed || name != "xml") {
        return Err(BadXml::Malformed);
    }
    if place.open.is_some() {
        return Err(BadXml::Malformed);
    }
    place.depth += 1;
    if place.depth > DEEPEST {
        return Err(BadXml::TooDeep);
    }
    if place.depth == 2
        && let Some(at) = KNOWN.iter().position(|known| *known == name)
    {
        if fields.0[at].replace(String::new()).is_some() {
            return Err(BadXml::Twice(KNOWN[at]));
        }
        place.open = Some(at);
    }
    Ok(())
}

fn close(place: &mut Place) {
    place.depth = place.depth.saturating_sub(1);
    place.open = None;
    place.root_closed |= place.depth == 0;
}

/// Text between elements means nothing, but outside the root it is no XML.
fn put(place: &Place, fields: &mut Fields, text: &str) -> Result<(), BadXml> {
    if let Some(at) = place.open {
        fields.0[at].get_or_insert_default().push_str(text);
    } else if place.depth == 0 && !text.trim().is_empty() {
        return Err(BadXml::Malformed);
    }
    Ok(())
}
