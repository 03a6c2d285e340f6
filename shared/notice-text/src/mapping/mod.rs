//! Mapping of a template's fields: what each field may say, proposed from its label and type.
//!
//! A choice is possible if WeChat accepts it and shows it truly in every notice of the kind, with
//! all names of the account's sites; otherwise it has a fault. `labels` knows what labels mean.

mod labels;
mod names;
#[cfg(test)]
mod tests;

pub use names::Names;

use crate::check::known_placeholders;
use crate::exact;
use crate::field_text::{EMPTY_VALUE, values_for_field};
use crate::render::{self, PLACEHOLDERS, placeholder_values, unfitted_field_text};
use crate::sample::{self, SITE_NOTICE_KINDS};
use paihao_contracts::notice::Notice;
use paihao_wechat::template::fields::normalize_spaces;
use paihao_wechat::template::library::LibraryKeyword;
use paihao_wechat::template::{FieldTextError, FieldType, TemplateField};
use std::collections::{BTreeMap, BTreeSet};

/// Kinds of notices with a template of their own.
pub const NOTICES: [&str; 3] = ["called", "progress", "missed"];

/// Texts of fields to choose from, in the order of a menu.
const WORDINGS: [&str; 11] = [
    "{site}",
    "{queue}",
    "{number}",
    "{counter}",
    "请到{counter}",
    "{ahead}",
    "{wait}",
    "{news}",
    "{time}",
    "{until}",
    "{places}",
];

/// Fewest and most keywords of a template of a subscription notice.
const KEYWORDS: (usize, usize) = (2, 5);

/// Reason why a field cannot say something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldFault {
    /// WeChat drops what is said in a field of this key.
    Untyped,
    /// There is nothing to say in this kind of notice.
    Silent,
    /// A name in braces stands for nothing.
    UnknownPlaceholder,
    /// Only values that were approved in WeChat's console are taken, and this is none of them.
    NotListed,
    /// WeChat refuses the text.
    Refused(FieldTextError),
    /// The field would show something else, with characters left out.
    Altered,
}

impl FieldFault {
    /// Stable name.
    pub fn code(self) -> &'static str {
        match self {
            FieldFault::Untyped => "untyped",
            FieldFault::Silent => "silent",
            FieldFault::UnknownPlaceholder => "unknown_placeholder",
            FieldFault::NotListed => "not_listed",
            FieldFault::Refused(FieldTextError::Empty) => "empty",
            FieldFault::Refused(FieldTextError::TooLong(_)) => "too_long",
            FieldFault::Refused(FieldTextError::ControlCharacter) => "control_character",
            FieldFault::Refused(FieldTextError::ForbiddenCharacter) => "forbidden_character",
            FieldFault::Refused(FieldTextError::InvalidFormat) => "invalid_format",
            FieldFault::Altered => "altered",
        }
    }

    /// Most characters that the field takes, where their number is the fault.
    pub fn limit(self) -> Option<usize> {
        match self {
            FieldFault::Refused(FieldTextError::TooLong(limit)) => Some(limit),
            _ => None,
        }
    }
}

/// Choice of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldOption {
    /// Text with placeholders, as it is stored.
    pub wording: String,
    /// Text as WeChat would show it, or the fault.
    pub shown: Result<String, FieldFault>,
}

/// Line of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardLine {
    /// Words before the field, or its key.
    pub label: String,
    /// Text of the field.
    pub text: String,
}

/// Choices of a field in notices of this kind, in the order of a menu.
pub fn options(notice: &str, field: &TemplateField, names: &Names) -> Vec<FieldOption> {
    let wordings = field.values.iter().map(String::as_str).chain(WORDINGS);
    let option = |wording: &str| FieldOption {
        wording: wording.to_owned(),
        shown: check_field(notice, field, wording, names),
    };
    wordings.map(option).collect()
}

/// Checks what a field is to say. Returns an example of its text.
pub fn check_field(
    notice: &str,
    field: &TemplateField,
    wording: &str,
    names: &Names,
) -> Result<String, FieldFault> {
    let field_type = FieldType::from_key(&field.key).ok_or(FieldFault::Untyped)?;
    if !known_placeholders(wording) {
        return Err(FieldFault::UnknownPlaceholder);
    }
    let is_fixed = !wording.contains('{');
    let is_listed_type = matches!(field_type, FieldType::Const | FieldType::Enum);
    if is_listed_type && !field.values.is_empty() {
        return if field.values.iter().any(|value| value == wording) {
            Ok(wording.to_owned())
        } else {
            Err(FieldFault::NotListed)
        };
    }
    // Nobody can tell which values were approved; words of the owner's are left to WeChat.
    if is_listed_type && !is_fixed {
        return Err(FieldFault::NotListed);
    }
    if is_fixed {
        field_type.check(wording).map_err(FieldFault::Refused)?;
        return Ok(wording.to_owned());
    }
    if is_silent(notice, wording, names) {
        return Err(FieldFault::Silent);
    }
    let mut example = None;
    for sample in names.notices(notice, wording) {
        let shown = render::field_text(&field.key, wording, &sample.notice);
        field_type.check(&shown).map_err(FieldFault::Refused)?;
        if is_altered(&field.key, wording, &shown, &sample.notice)
            || (sample.is_real
                && exact::altered(&field.key, wording, &shown, &sample.notice).is_some())
        {
            let unfitted = unfitted_field_text(&field.key, wording, &sample.notice);
            return Err(match field_type.check(&normalize_spaces(&unfitted)) {
                Err(error) => FieldFault::Refused(error),
                Ok(()) => FieldFault::Altered,
            });
        }
        example.get_or_insert(shown);
    }
    example.ok_or(FieldFault::Silent)
}

/// True if the usual notices of this kind have nothing to say for a placeholder of the wording.
fn is_silent(notice: &str, wording: &str, names: &Names) -> bool {
    let usual = names.usual(notice);
    placeholders(wording).any(|name| {
        usual.iter().all(|notice| {
            let values = placeholder_values(notice);
            values.iter().any(|(placeholder, value)| *placeholder == name && value == EMPTY_VALUE)
        })
    })
}

/// Placeholders in a wording.
fn placeholders(wording: &str) -> impl Iterator<Item = &'static str> + use<'_> {
    PLACEHOLDERS.into_iter().filter(|name| wording.contains(name))
}

/// Values that stay true where they are visibly cut.
const CUTTABLE: [&str; 3] = ["{site}", "{queue}", "{news}"];

/// True if a field does not show a value of its wording whole, or visibly cut where that is true.
fn is_altered(key: &str, wording: &str, shown: &str, notice: &Notice) -> bool {
    let is_cut = shown.ends_with('…') || shown.ends_with("..");
    let mut values = values_for_field(key, notice).into_iter();
    values.any(|(name, value)| {
        wording.contains(name)
            && !(is_cut && CUTTABLE.contains(&name))
            && !shown.contains(&normalize_spaces(&value))
    })
}

/// Proposes what each field says, from its label and type; `None` where the owner has to choose.
pub fn propose(
    notice: &str,
    fields: &[TemplateField],
    names: &Names,
) -> BTreeMap<String, Option<String>> {
    let is_possible =
        |field: &TemplateField, wording: &str| check_field(notice, field, wording, names).is_ok();
    let mut proposed: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut said: BTreeSet<String> = BTreeSet::new();
    let mut unlabelled = Vec::new();
    for field in fields {
        let Some(meant) = labels::meanings(notice, &field.label) else {
            unlabelled.push(field);
            continue;
        };
        let found = meant.iter().copied().find(|wording| is_possible(field, wording));
        said.extend(found.map(str::to_owned));
        proposed.insert(field.key.clone(), found.map(str::to_owned));
    }
    for field in unlabelled {
        let by_type = labels::by_type(notice, &field.key);
        let found = by_type
            .iter()
            .copied()
            .find(|wording| !said.contains(*wording) && is_possible(field, wording));
        said.extend(found.map(str::to_owned));
        proposed.insert(field.key.clone(), found.map(str::to_owned));
    }
    proposed
}

/// Placeholders that a card of this kind should show and none of these wordings does.
pub fn missing<'a>(
    notice: &str,
    wordings: impl IntoIterator<Item = &'a str> + Clone,
) -> Vec<&'static str> {
    let needed: &[&str] = match notice {
        "called" => &["{number}", "{counter}"],
        _ => &["{number}", "{news}"],
    };
    let says = |name: &str| {
        let mut wordings = wordings.clone().into_iter();
        // The summary of a call names the counter.
        wordings.any(|wording| {
            wording.contains(name) || (name == "{counter}" && wording.contains("{news}"))
        })
    };
    needed.iter().copied().filter(|name| !says(name)).collect()
}

/// Cards of this mapping, one for each kind of notice that is sent through it, with its name.
pub fn cards(
    notice: &str,
    fields: &[TemplateField],
    wordings: &BTreeMap<String, String>,
    names: &Names,
) -> Vec<(&'static str, Vec<CardLine>)> {
    let kinds = SITE_NOTICE_KINDS.iter().filter(|(_, group)| *group == notice);
    let samples = kinds.filter_map(|(kind, _)| Some((*kind, sample::notice(kind, &names.first)?)));
    let line = |field: &TemplateField, sample: &Notice| CardLine {
        label: if field.label.is_empty() { field.key.clone() } else { field.label.clone() },
        text: wordings
            .get(&field.key)
            .map_or_else(String::new, |wording| render::field_text(&field.key, wording, sample)),
    };
    samples
        .map(|(kind, sample)| (kind, fields.iter().map(|field| line(field, &sample)).collect()))
        .collect()
}

/// Keywords of the library for a template of this kind of notice: those whose labels mean what it
/// says. `None` if there are too few.
pub fn choose_keywords(
    notice: &str,
    keywords: &[LibraryKeyword],
    names: &Names,
) -> Option<Vec<u32>> {
    let fields: Vec<TemplateField> = keywords
        .iter()
        .map(|keyword| TemplateField {
            key: format!("{}{}", keyword.rule, keyword.kid),
            label: keyword.name.clone(),
            values: Vec::new(),
        })
        .collect();
    let proposed = propose(notice, &fields, names);
    let mut said = BTreeSet::new();
    let mut chosen = Vec::new();
    for wording in labels::texts_by_importance(notice) {
        let says = |field: &TemplateField| {
            let meant = labels::meanings(notice, &field.label).is_some();
            meant && proposed.get(&field.key).is_some_and(|found| found.as_deref() == Some(wording))
        };
        let Some(index) = fields.iter().position(says) else { continue };
        if said.insert(*wording) && chosen.len() < KEYWORDS.1 {
            chosen.push(keywords[index].kid);
        }
    }
    let shows_number = said.contains("{number}");
    (chosen.len() >= KEYWORDS.0 && shows_number).then_some(chosen)
}

/// True for a title of the library that fits this kind of notice.
pub fn fits_title(notice: &str, title: &str) -> bool {
    labels::titles(notice).iter().any(|words| title.contains(words))
}
