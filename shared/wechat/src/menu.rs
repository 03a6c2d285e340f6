//! Menu of an account (自定义菜单): reading, replacing and deleting it.
//!
//! WeChat's clients keep a menu for some minutes, so entries of a former one are pressed for a
//! while. A menu made in the console is not shown while the server address is on.

use crate::api::Api;
use crate::client::{ApiRequest, Client};
use crate::codes::{CodeScope, NO_MENU};
use crate::error::CallError;
use crate::quota::EmptyResponse;
use crate::secret::AccessToken;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

/// Largest number of buttons.
pub const MAX_BUTTONS: usize = 3;
/// Largest number of entries below a button.
pub const MAX_ENTRIES: usize = 5;
/// Longest name of a button, in bytes of UTF-8.
pub const MAX_BUTTON_NAME_BYTES: usize = 16;
/// Longest name of an entry below a button, in bytes of UTF-8.
pub const MAX_ENTRY_NAME_BYTES: usize = 60;
/// Longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 128;
/// Longest address of a page, in bytes.
pub const MAX_URL_BYTES: usize = 1024;

/// Menu as WeChat has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Menu {
    /// Buttons, from left to right.
    #[serde(default, rename = "button")]
    pub buttons: Vec<Button>,
}

/// Button of a menu, or an entry below one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// Text on it.
    #[serde(default)]
    pub name: String,
    /// Type, such as `click` or `view`; a heading has none.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Key of a `click`, which the push names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Address of a `view`, or the one that old clients open in place of a mini program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// AppID of a `miniprogram`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub appid: Option<String>,
    /// Page of a `miniprogram`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pagepath: Option<String>,
    /// Text or material of an entry that the console made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Entries of a heading, from top to bottom.
    #[serde(
        default,
        rename = "sub_button",
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "entries"
    )]
    pub entries: Vec<Button>,
}

/// Menu that people see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownMenu {
    /// False while the menu is switched off.
    pub is_open: bool,
    /// The menu, of the API or of the console.
    pub menu: Menu,
}

/// Reads the entries of a heading: a list, or, from `get_current_selfmenu_info`, a list in a list.
fn entries<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Button>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Entries {
        Plain(Vec<Button>),
        Nested {
            #[serde(default)]
            list: Vec<Button>,
        },
    }
    let entries = Option::<Entries>::deserialize(deserializer)?;
    Ok(match entries {
        Some(Entries::Plain(entries) | Entries::Nested { list: entries }) => entries,
        None => Vec::new(),
    })
}

#[derive(Deserialize)]
struct GetMenuResponse {
    menu: Menu,
}

#[derive(Deserialize)]
struct ShownMenuResponse {
    #[serde(default)]
    is_menu_open: u8,
    #[serde(default)]
    selfmenu_info: Menu,
}

impl Client {
    /// `menu/create`: replaces the menu.
    pub async fn create_menu(&self, token: &AccessToken, menu: &Menu) -> Result<(), CallError> {
        self.call_menu::<EmptyResponse>(Api::CreateMenu, token, Some(json!(menu))).await.map(drop)
    }

    /// `menu/get`: the menu that the API made; `None` if there is none.
    pub async fn get_menu(&self, token: &AccessToken) -> Result<Option<Menu>, CallError> {
        match self.call_menu::<GetMenuResponse>(Api::GetMenu, token, None).await {
            Ok(response) => Ok(Some(response.menu)),
            Err(CallError::Refused(refusal)) if refusal.code == NO_MENU => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `menu/delete`: deletes the menu, and those for certain people.
    pub async fn delete_menu(&self, token: &AccessToken) -> Result<(), CallError> {
        self.call_menu::<EmptyResponse>(Api::DeleteMenu, token, None).await.map(drop)
    }

    /// `get_current_selfmenu_info`: the menu that people see.
    pub async fn shown_menu(&self, token: &AccessToken) -> Result<ShownMenu, CallError> {
        let response: ShownMenuResponse = self.call_menu(Api::ShownMenu, token, None).await?;
        Ok(ShownMenu { is_open: response.is_menu_open != 0, menu: response.selfmenu_info })
    }

    async fn call_menu<T: DeserializeOwned>(
        &self,
        api: Api,
        token: &AccessToken,
        body: Option<Value>,
    ) -> Result<T, CallError> {
        self.call(ApiRequest {
            api,
            scope: CodeScope::Call,
            query: &[("access_token", token.expose())],
            body,
            secrets: &[token.expose()],
        })
        .await
    }
}
