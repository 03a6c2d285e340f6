//! Streaming reader of a callback's XML into the few known fields, with limits on size and depth.
//!
//! It expands only the five predefined entities and character references. A DOCTYPE is refused, so
//! no other entity can exist.

use super::parse::XmlError;
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

const MAX_DEPTH: usize = 8;
const MAX_ELEMENTS: usize = 512;

/// Fields of the header and of the known pushes, by WeChat's names.
const KNOWN_FIELDS: [&str; 42] = [
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

/// Elements whose children are read, with the names of these children.
const NESTED_ELEMENTS: [(&str, &[&str]); 6] = [
    ("ScanCodeInfo", &["ScanType", "ScanResult"]),
    ("SendPicsInfo", &["Count"]),
    ("SendLocationInfo", &["Location_X", "Location_Y", "Scale", "Label", "Poiname"]),
    ("SubscribeMsgPopupEvent", LIST_FIELDS),
    ("SubscribeMsgChangeEvent", LIST_FIELDS),
    ("SubscribeMsgSentEvent", LIST_FIELDS),
];

const LIST_FIELDS: &[&str] =
    &["TemplateId", "SubscribeStatusString", "PopupScene", "MsgID", "ErrorCode", "ErrorStatus"];

/// Texts of the known fields that are present.
pub(super) struct Fields {
    top_level: [Option<String>; KNOWN_FIELDS.len()],
    nested_fields: Vec<NestedField>,
}

/// A field inside one of the elements of [`NESTED_ELEMENTS`].
struct NestedField {
    element: usize,
    /// Ordinal of the enclosing `List`, from 1; 0 outside a list.
    list_index: usize,
    name: &'static str,
    text: String,
}

/// Fields of one element of [`NESTED_ELEMENTS`], or of one `List` in it.
pub(super) struct NestedFields<'a> {
    fields: &'a [NestedField],
    element: usize,
    list_index: usize,
}

impl Fields {
    /// Returns the text unchanged, `None` if the element is absent.
    pub(super) fn raw(&self, name: &'static str) -> Option<&str> {
        let index = KNOWN_FIELDS.iter().position(|field| *field == name)?;
        self.top_level[index].as_deref()
    }

    /// Returns the trimmed text.
    pub(super) fn get(&self, name: &'static str) -> Option<&str> {
        self.raw(name).map(str::trim)
    }

    /// Returns the fields directly inside an element.
    pub(super) fn nested(&self, element: &'static str) -> NestedFields<'_> {
        let element_index = NESTED_ELEMENTS
            .iter()
            .position(|(name, _)| *name == element)
            .unwrap_or(NESTED_ELEMENTS.len());
        NestedFields { fields: &self.nested_fields, element: element_index, list_index: 0 }
    }

    /// Returns the fields inside each `List` of an element.
    pub(super) fn lists(&self, element: &'static str) -> impl Iterator<Item = NestedFields<'_>> {
        let NestedFields { fields, element: element_index, .. } = self.nested(element);
        let last = fields
            .iter()
            .filter(|field| field.element == element_index)
            .map(|field| field.list_index)
            .max();
        (1..=last.unwrap_or(0)).map(move |list| NestedFields {
            fields,
            element: element_index,
            list_index: list,
        })
    }
}

impl NestedFields<'_> {
    /// Returns the trimmed text of a field; of the first, if it occurs twice.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let in_element = |field: &&NestedField| {
            (field.element, field.list_index) == (self.element, self.list_index)
        };
        let field = self.fields.iter().filter(in_element).find(|field| field.name == name)?;
        Some(field.text.trim())
    }
}

/// Target of the text being read.
#[derive(Clone, Copy)]
enum TextTarget {
    /// The known field with this index.
    TopLevel(usize),
    /// The last nested field.
    Nested,
}

/// State of the parser.
#[derive(Default)]
struct ParserState {
    depth: usize,
    elements: usize,
    root_closed: bool,
    /// The known field that is open, and its depth: the text of elements inside it is not its own.
    text_target: Option<(TextTarget, usize)>,
    /// Index of the open element of [`NESTED_ELEMENTS`].
    nested_element: Option<usize>,
    /// Number of `List`s begun in it, and true while one is open.
    list_count: usize,
    in_list: bool,
}

/// Reads a document whose root is `<xml>`. Unknown elements are skipped. Of a known one that occurs
/// twice, the first counts: WeChat writes who and when before what somebody else has written.
pub(super) fn parse_fields(text: &str) -> Result<Fields, XmlError> {
    let mut reader = Reader::from_str(text);
    let mut fields =
        Fields { top_level: [const { None }; KNOWN_FIELDS.len()], nested_fields: Vec::new() };
    let mut state = ParserState::default();
    let mut first = true;
    loop {
        let event = reader.read_event().map_err(|_| XmlError::Malformed)?;
        match event {
            Event::Start(start) => {
                open_element(&mut state, &mut fields, start.name().as_ref())?;
            }
            Event::Empty(start) => {
                open_element(&mut state, &mut fields, start.name().as_ref())?;
                close_element(&mut state);
            }
            Event::End(_) => close_element(&mut state),
            Event::Text(text) => append_text(&state, &mut fields, &text.xml10_content())?,
            Event::CData(text) => {
                if state.depth == 0 {
                    return Err(XmlError::Malformed);
                }
                append_text(&state, &mut fields, &text.xml10_content())?;
            }
            Event::GeneralRef(reference) => {
                let resolved = match reference.resolve_char_ref() {
                    Ok(Some(c)) => c.to_string(),
                    Ok(None) => resolve_predefined_entity(&reference)
                        .ok_or(XmlError::UnknownEntity)?
                        .to_owned(),
                    Err(_) => return Err(XmlError::UnknownEntity),
                };
                append_text(&state, &mut fields, &resolved)?;
            }
            Event::Comment(_) => {}
            Event::Decl(_) if first => {}
            Event::Decl(_) | Event::PI(_) => return Err(XmlError::ProcessingInstruction),
            Event::DocType(_) => return Err(XmlError::Doctype),
            Event::Eof => break,
        }
        first = false;
    }
    if state.depth != 0 || !state.root_closed {
        return Err(XmlError::Malformed);
    }
    Ok(fields)
}

fn open_element(state: &mut ParserState, fields: &mut Fields, name: &str) -> Result<(), XmlError> {
    state.elements += 1;
    if state.elements > MAX_ELEMENTS {
        return Err(XmlError::TooManyElements);
    }
    if state.depth == 0 && (state.root_closed || name != "xml") {
        return Err(XmlError::Malformed);
    }
    state.depth += 1;
    if state.depth > MAX_DEPTH {
        return Err(XmlError::TooDeep);
    }
    match (state.depth, state.nested_element) {
        (2, _) => {
            let known = KNOWN_FIELDS.iter().position(|field| *field == name);
            if let Some(index) = known.filter(|index| fields.top_level[*index].is_none()) {
                fields.top_level[index] = Some(String::new());
                state.text_target = Some((TextTarget::TopLevel(index), state.depth));
            }
            state.nested_element = NESTED_ELEMENTS.iter().position(|(field, _)| *field == name);
            state.list_count = 0;
        }
        (3, Some(_)) if name == "List" => {
            state.list_count += 1;
            state.in_list = true;
        }
        (3, Some(element_index)) => begin_nested_field(state, fields, element_index, 0, name),
        (4, Some(element_index)) if state.in_list => {
            begin_nested_field(state, fields, element_index, state.list_count, name)
        }
        _ => {}
    }
    Ok(())
}

fn begin_nested_field(
    state: &mut ParserState,
    fields: &mut Fields,
    element_index: usize,
    list: usize,
    name: &str,
) {
    if let Some(name) = NESTED_ELEMENTS[element_index].1.iter().find(|field| **field == name) {
        fields.nested_fields.push(NestedField {
            element: element_index,
            list_index: list,
            name,
            text: String::new(),
        });
        state.text_target = Some((TextTarget::Nested, state.depth));
    }
}

fn close_element(state: &mut ParserState) {
    state.text_target = state.text_target.filter(|(_, depth)| *depth < state.depth);
    match state.depth {
        3 => state.in_list = false,
        2 => state.nested_element = None,
        _ => {}
    }
    state.depth = state.depth.saturating_sub(1);
    state.root_closed |= state.depth == 0;
}

/// Appends text to the open field. Text between elements is ignored; outside the root it is not
/// well-formed XML.
fn append_text(state: &ParserState, fields: &mut Fields, text: &str) -> Result<(), XmlError> {
    match state.text_target.filter(|(_, depth)| *depth == state.depth).map(|(target, _)| target) {
        Some(TextTarget::TopLevel(index)) => {
            fields.top_level[index].get_or_insert_default().push_str(text)
        }
        Some(TextTarget::Nested) => {
            if let Some(field) = fields.nested_fields.last_mut() {
                field.text.push_str(text);
            }
        }
        None if state.depth == 0 && !text.trim().is_empty() => return Err(XmlError::Malformed),
        None => {}
    }
    Ok(())
}
