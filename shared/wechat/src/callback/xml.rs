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
const KNOWN: [&str; 42] = [
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
    "Encrypt",
    "Status",
    "MenuId",
    "Latitude",
    "Longitude",
    "Precision",
    "Location_X",
    "Location_Y",
    "Scale",
    "Label",
    "PicUrl",
    "MediaId",
    "Format",
    "Recognition",
    "ThumbMediaId",
    "Title",
    "Description",
    "Url",
    "FileKey",
    "FileMd5",
    "FileTotalLen",
    "bizmsgmenuid",
    "TotalCount",
    "FilterCount",
    "SentCount",
    "ErrorCount",
    "OpenID",
    "AppID",
    "UnionID",
    "RevokeInfo",
    "MsgDataId",
    "Idx",
];

/// Elements whose own elements are looked at, and which of those.
const PARTS: [(&str, &[&str]); 6] = [
    ("ScanCodeInfo", &["ScanType", "ScanResult"]),
    ("SendPicsInfo", &["Count"]),
    ("SendLocationInfo", &["Location_X", "Location_Y", "Scale", "Label", "Poiname"]),
    ("SubscribeMsgPopupEvent", LISTED),
    ("SubscribeMsgChangeEvent", LISTED),
    ("SubscribeMsgSentEvent", LISTED),
];

const LISTED: &[&str] =
    &["TemplateId", "SubscribeStatusString", "PopupScene", "MsgID", "ErrorCode", "ErrorStatus"];

/// The text of each known field that is there.
pub(super) struct Fields {
    known: [Option<String>; KNOWN.len()],
    parts: Vec<Part>,
}

/// A field inside one of the elements of [`PARTS`].
struct Part {
    of: usize,
    /// The how-manieth `List` it stands in; 0 if in none.
    list: usize,
    name: &'static str,
    text: String,
}

/// What stands in one element of [`PARTS`], or in one `List` of it.
pub(super) struct Within<'a> {
    parts: &'a [Part],
    of: usize,
    list: usize,
}

impl Fields {
    /// The text as it stands, `None` if the element is not there.
    pub(super) fn raw(&self, name: &'static str) -> Option<&str> {
        let at = KNOWN.iter().position(|known| *known == name)?;
        self.known[at].as_deref()
    }

    /// The text without white space around it.
    pub(super) fn get(&self, name: &'static str) -> Option<&str> {
        self.raw(name).map(str::trim)
    }

    /// The fields directly inside an element.
    pub(super) fn within(&self, element: &'static str) -> Within<'_> {
        let of = PARTS.iter().position(|(name, _)| *name == element).unwrap_or(PARTS.len());
        Within { parts: &self.parts, of, list: 0 }
    }

    /// The fields inside each `List` of an element.
    pub(super) fn lists(&self, element: &'static str) -> impl Iterator<Item = Within<'_>> {
        let Within { parts, of, .. } = self.within(element);
        let last = parts.iter().filter(|part| part.of == of).map(|part| part.list).max();
        (1..=last.unwrap_or(0)).map(move |list| Within { parts, of, list })
    }
}

impl Within<'_> {
    /// The text of a field, without white space around it; of the first, if it stands there twice.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let here = |part: &&Part| (part.of, part.list) == (self.of, self.list);
        let part = self.parts.iter().filter(here).find(|part| part.name == name)?;
        Some(part.text.trim())
    }
}

/// Where text goes.
#[derive(Clone, Copy)]
enum Open {
    /// Into the known field of this place.
    Field(usize),
    /// Into the last part.
    Part,
}

/// Where the reader stands.
#[derive(Default)]
struct Place {
    depth: usize,
    elements: usize,
    root_closed: bool,
    /// The known field that is open.
    open: Option<Open>,
    /// The element of [`PARTS`] that is open, by its place there.
    within: Option<usize>,
    /// How many `List`s of it began, and whether one is open.
    lists: usize,
    in_list: bool,
}

/// Reads a document whose root is `<xml>`. Unknown elements are passed over; a known one that
/// stands there twice is refused: which of the two counts is just what an attacker wants to choose.
pub(super) fn fields(text: &str) -> Result<Fields, BadXml> {
    let mut reader = Reader::from_str(text);
    let mut fields = Fields { known: [const { None }; KNOWN.len()], parts: Vec::new() };
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
    match (place.depth, place.within) {
        (2, _) => {
            if let Some(at) = KNOWN.iter().position(|known| *known == name) {
                if fields.known[at].replace(String::new()).is_some() {
                    return Err(BadXml::Twice(KNOWN[at]));
                }
                place.open = Some(Open::Field(at));
            }
            place.within = PARTS.iter().position(|(part, _)| *part == name);
            place.lists = 0;
        }
        (3, Some(_)) if name == "List" => {
            place.lists += 1;
            place.in_list = true;
        }
        (3, Some(of)) => begin(place, fields, of, 0, name),
        (4, Some(of)) if place.in_list => begin(place, fields, of, place.lists, name),
        _ => {}
    }
    Ok(())
}

fn begin(place: &mut Place, fields: &mut Fields, of: usize, list: usize, name: &str) {
    if let Some(name) = PARTS[of].1.iter().find(|known| **known == name) {
        fields.parts.push(Part { of, list, name, text: String::new() });
        place.open = Some(Open::Part);
    }
}

fn close(place: &mut Place) {
    place.open = None;
    match place.depth {
        3 => place.in_list = false,
        2 => place.within = None,
        _ => {}
    }
    place.depth = place.depth.saturating_sub(1);
    place.root_closed |= place.depth == 0;
}

/// Text between elements means nothing, but outside the root it is no XML.
fn put(place: &Place, fields: &mut Fields, text: &str) -> Result<(), BadXml> {
    match place.open {
        Some(Open::Field(at)) => fields.known[at].get_or_insert_default().push_str(text),
        Some(Open::Part) => {
            if let Some(part) = fields.parts.last_mut() {
                part.text.push_str(text);
            }
        }
        None if place.depth == 0 && !text.trim().is_empty() => return Err(BadXml::Malformed),
        None => {}
    }
    Ok(())
}
