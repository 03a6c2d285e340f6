//! Codes that lead to a page of this system, for accounts that may not make codes at WeChat.
//!
//! Such a code carries the same scene as one of WeChat's. WeChat's scanner opens the page; a menu
//! entry of the kind `scancode_waitmsg` sends the address to the callback, which reads the scene.

use super::source::{CodeSource, DailyCallUsage};
use crate::scan::scene::Scene;
use async_trait::async_trait;
use paihao_wechat::{AccountClientError, CallPriority, Picture, QrCode, QrRequest};
use std::sync::Arc;
use url::Url;

/// Path of the pages, in front of the scene.
const PATH: &str = "/q/";

/// Tells whether the codes of an account lead to pages.
pub type UsesPageCodes = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Addresses of the pages that codes lead to.
#[derive(Clone)]
pub struct PageCodes {
    public_url: Option<String>,
    is_used_by: UsesPageCodes,
}

impl PageCodes {
    /// Creates the codes of a system with this public address, for the accounts that use them.
    pub fn new(public_url: Option<String>, is_used_by: UsesPageCodes) -> PageCodes {
        PageCodes { public_url, is_used_by }
    }

    /// Returns the content of the code with this scene, if the account uses such codes.
    pub fn url(&self, account: &str, scene: &str) -> Option<String> {
        let public = self.public_url.as_ref().filter(|_| (self.is_used_by)(account))?;
        Some(format!("{public}{PATH}{scene}"))
    }

    /// Returns the scene of a scanned text, if it is a code of this system.
    pub fn scene(&self, scanned: &str) -> Option<Scene> {
        let scanned = Url::parse(scanned.trim()).ok()?;
        let own = Url::parse(self.public_url.as_ref()?).ok()?;
        if scanned.origin() != own.origin() {
            return None;
        }
        let base = own.path().trim_end_matches('/');
        Scene::parse(scanned.path().strip_prefix(base)?.strip_prefix(PATH)?)
    }
}

/// Source of codes that makes them by itself for the accounts that use pages.
pub struct PageCodeSource {
    pages: PageCodes,
    wechat: Arc<dyn CodeSource>,
}

impl PageCodeSource {
    /// Creates a source over that of WeChat.
    pub fn new(pages: PageCodes, wechat: Arc<dyn CodeSource>) -> PageCodeSource {
        PageCodeSource { pages, wechat }
    }
}

#[async_trait]
impl CodeSource for PageCodeSource {
    async fn create(
        &self,
        account: &str,
        request: &QrRequest,
        priority: CallPriority,
    ) -> Result<QrCode, AccountClientError> {
        let url = request.scene_str().and_then(|scene| self.pages.url(account, scene));
        match url {
            Some(url) => Ok(QrCode { ticket: String::new(), url, expires_in: request.expiry() }),
            None => self.wechat.create(account, request, priority).await,
        }
    }

    async fn picture(&self, ticket: &str) -> Result<Picture, AccountClientError> {
        self.wechat.picture(ticket).await
    }

    async fn usage_today(&self, account: &str) -> DailyCallUsage {
        self.wechat.usage_today(account).await
    }

    fn daily_limit(&self, account: &str) -> Option<u64> {
        if (self.pages.is_used_by)(account) { None } else { self.wechat.daily_limit(account) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(public: Option<&str>) -> PageCodes {
        PageCodes::new(public.map(str::to_owned), Arc::new(|account| account == "shop"))
    }

    #[test]
    fn a_code_leads_back_to_its_scene() {
        for public in ["https://queue.example.com", "https://example.com/queue"] {
            let pages = pages(Some(public));
            for scene in [Scene::for_queue("hall", "cash"), Scene::new_session()] {
                let url = pages.url("shop", &scene).unwrap();
                assert_eq!(pages.scene(&url), Scene::parse(&scene), "{url}");
                assert_eq!(pages.scene(&format!(" {url}?from=wx ")), Scene::parse(&scene));
            }
        }
        assert_eq!(pages(Some("https://a.com")).url("other", "q_hall_cash"), None);
        assert_eq!(pages(None).url("shop", "q_hall_cash"), None);
    }

    #[test]
    fn codes_of_others_are_not_ours() {
        let pages = pages(Some("https://queue.example.com"));
        for scanned in [
            "",
            "q_hall_cash",
            "https://queue.example.com/",
            "https://queue.example.com/q/",
            "https://queue.example.com/q/summer",
            "https://queue.example.com/t/q_hall_cash",
            "https://queue.example.com:444/q/q_hall_cash",
            "http://queue.example.com/q/q_hall_cash",
            "https://queue.example.com.evil.com/q/q_hall_cash",
            "https://evil.com/?https://queue.example.com/q/q_hall_cash",
            "6901234567892",
        ] {
            assert_eq!(pages.scene(scanned), None, "{scanned}");
        }
    }
}
