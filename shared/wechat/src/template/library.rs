//! Public library of templates: what an account may add to its own.
//!
//! Templates of template messages are added by their number. WeChat lists the numbers in its
//! console alone. Those of subscription notices are found by the account's categories.

use crate::api::Api;
use crate::client::{ApiRequest, Client};
use crate::codes::CodeScope;
use crate::error::CallError;
use crate::secret::AccessToken;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Titles that one call returns at most.
const TITLES_PER_PAGE: usize = 30;

/// Title of the library of subscription notices.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LibraryTitle {
    /// Number of the title.
    pub tid: u64,
    /// Title of the card.
    #[serde(default)]
    pub title: String,
}

/// Keyword that a template of a title may have.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LibraryKeyword {
    /// Number of the keyword within its title.
    pub kid: u32,
    /// Label on the card.
    #[serde(default)]
    pub name: String,
    /// Type of its field: `thing`, `time`.
    #[serde(default)]
    pub rule: String,
}

#[derive(Deserialize)]
struct AddTemplateResponse {
    template_id: String,
}

#[derive(Deserialize)]
struct AddSubscriptionTemplateResponse {
    #[serde(rename = "priTmplId")]
    id: String,
}

/// Answer whose `data` is a list.
#[derive(Deserialize)]
struct ListResponse<T> {
    #[serde(default = "Vec::new")]
    data: Vec<T>,
}

#[derive(Deserialize)]
struct Category {
    id: u64,
}

impl Client {
    /// `template/api_add_template`: adds a template by its number in the library, with these
    /// keywords. Returns its id.
    pub async fn add_template(
        &self,
        token: &AccessToken,
        number: &str,
        keywords: &[&str],
    ) -> Result<String, CallError> {
        let mut body = json!({ "template_id_short": number });
        if !keywords.is_empty() {
            body["keyword_name_list"] = json!(keywords);
        }
        let answer: AddTemplateResponse =
            self.call_library(Api::AddTemplate, token, &[], Some(body)).await?;
        Ok(answer.template_id)
    }

    /// `wxaapi/newtmpl/getcategory` and `getpubtemplatetitles`: titles of the account's categories.
    pub async fn subscription_titles(
        &self,
        token: &AccessToken,
    ) -> Result<Vec<LibraryTitle>, CallError> {
        let categories: ListResponse<Category> =
            self.call_library(Api::SubscriptionCategories, token, &[], None).await?;
        let ids: Vec<String> = categories.data.iter().map(|one| one.id.to_string()).collect();
        let (ids, limit) = (ids.join(","), TITLES_PER_PAGE.to_string());
        let mut titles = Vec::new();
        loop {
            let start = titles.len().to_string();
            let query = [("ids", &*ids), ("start", &*start), ("limit", &*limit)];
            let page: ListResponse<LibraryTitle> =
                self.call_library(Api::SubscriptionTitles, token, &query, None).await?;
            let is_last = page.data.len() < TITLES_PER_PAGE;
            titles.extend(page.data);
            if is_last {
                return Ok(titles);
            }
        }
    }

    /// `wxaapi/newtmpl/getpubtemplatekeywords`: keywords of a title.
    pub async fn subscription_keywords(
        &self,
        token: &AccessToken,
        title: u64,
    ) -> Result<Vec<LibraryKeyword>, CallError> {
        let tid = title.to_string();
        let answer: ListResponse<LibraryKeyword> =
            self.call_library(Api::SubscriptionKeywords, token, &[("tid", &tid)], None).await?;
        Ok(answer.data)
    }

    /// `wxaapi/newtmpl/addtemplate`: adds a template of a title with two to five keywords. Returns
    /// its id.
    pub async fn add_subscription_template(
        &self,
        token: &AccessToken,
        title: u64,
        keywords: &[u32],
        scene: &str,
    ) -> Result<String, CallError> {
        let body = json!({ "tid": title.to_string(), "kidList": keywords, "sceneDesc": scene });
        let answer: AddSubscriptionTemplateResponse =
            self.call_library(Api::AddSubscriptionTemplate, token, &[], Some(body)).await?;
        Ok(answer.id)
    }

    async fn call_library<T: DeserializeOwned>(
        &self,
        api: Api,
        token: &AccessToken,
        query: &[(&str, &str)],
        body: Option<Value>,
    ) -> Result<T, CallError> {
        let query = [&[("access_token", token.expose())], query].concat();
        self.call(ApiRequest {
            api,
            scope: CodeScope::Call,
            query: &query,
            body,
            secrets: &[token.expose()],
        })
        .await
    }
}
