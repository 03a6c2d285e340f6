//! Cache of the accounts' own templates, as WeChat returned them.

use paihao_contracts::notice::Channel;
use paihao_wechat::template::Template;
use paihao_wechat::{AccountClient, CallPriority};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Time for which an account's templates are cached.
const TTL: Duration = Duration::from_secs(300);

/// Time for which an editor's list is recent.
const RECENT: Duration = Duration::from_secs(60);

/// Time limit of the request to WeChat. Without a response, fields are named by their keys.
const LIST_TIMEOUT: Duration = Duration::from_secs(2);

/// Templates of an account, with the time at which they were read.
type CachedTemplates = (Instant, Arc<Vec<Template>>);

/// Cache of the accounts' own templates.
pub(crate) struct TemplateCache {
    wechat: AccountClient,
    cached: Mutex<HashMap<String, CachedTemplates>>,
    /// Lists that an editor of the templates read, by account and channel.
    listed: Mutex<HashMap<(String, Channel), CachedTemplates>>,
}

impl TemplateCache {
    /// An empty cache.
    pub(crate) fn new(wechat: AccountClient) -> TemplateCache {
        TemplateCache {
            wechat: wechat.with_priority(CallPriority::Low),
            cached: Mutex::default(),
            listed: Mutex::default(),
        }
    }

    /// Keeps a list that WeChat has just told.
    pub(crate) fn keep(&self, account: &str, channel: Channel, templates: &[Template]) {
        let list = (Instant::now(), Arc::new(templates.to_vec()));
        self.listed.lock().insert((account.to_owned(), channel), list);
    }

    /// Template of a list that WeChat told a moment ago: an editor checks at every choice.
    pub(crate) fn recent(&self, account: &str, channel: Channel, id: &str) -> Option<Template> {
        let listed = self.listed.lock();
        let (read_at, templates) = listed.get(&(account.to_owned(), channel))?;
        let is_recent = read_at.elapsed() < RECENT;
        templates.iter().find(|template| is_recent && template.id == id).cloned()
    }

    /// Templates of an account; none if WeChat does not answer in time.
    pub(crate) async fn for_account(&self, account: &str) -> Arc<Vec<Template>> {
        let cached = self.cached.lock().get(account).cloned();
        if let Some((read_at, templates)) = &cached
            && read_at.elapsed() < TTL
        {
            return templates.clone();
        }
        let listed = tokio::time::timeout(LIST_TIMEOUT, self.wechat.list_templates(account)).await;
        let templates = match listed {
            Ok(Ok(templates)) => Arc::new(templates),
            _ => cached.map(|(_, templates)| templates).unwrap_or_default(),
        };
        // Also after a failure: a preview renders at every keystroke, and must not call WeChat each
        // time.
        self.cached.lock().insert(account.to_owned(), (Instant::now(), templates.clone()));
        templates
    }
}
