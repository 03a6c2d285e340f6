//! Menu of an account (自定义菜单) as its settings document holds it: the buttons below the chat.

use serde::{Deserialize, Serialize};

/// Button of the menu: an entry by itself, or a heading over entries.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MenuButton {
    /// Text on the button.
    pub name: String,
    /// Action of the button; a heading has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<MenuAction>,
    /// Entries of the heading, from top to bottom.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<MenuEntry>,
}

/// Entry below a heading.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MenuEntry {
    /// Text of the entry.
    pub name: String,
    /// Action of the entry.
    pub action: MenuAction,
}

/// Action of a menu entry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum MenuAction {
    /// Shows the tickets that the person holds.
    MyTicket,
    /// Lets others pass, with the place kept (暂离).
    LetPass,
    /// Gives the tickets up.
    Leave,
    /// Says when numbers are given out.
    Hours,
    /// Takes a number.
    Take(TakeTarget),
    /// Answers with a text.
    Text(String),
    /// Opens the page of this address.
    Page(String),
    /// Opens a mini program.
    MiniProgram(MiniProgramTarget),
}

/// Queue in which a number is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TakeTarget {
    /// Id of the site; all sites of the account if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Id of the queue; the person chooses one if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
}

/// Page of a mini program.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MiniProgramTarget {
    /// AppID of the mini program, which is linked to the account.
    pub appid: String,
    /// Path of the page in it.
    pub path: String,
    /// Address that an old client opens in its place.
    pub url: String,
}
