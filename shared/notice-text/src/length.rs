//! Longest texts that settings can lead to, in bytes as WeChat counts them.

use crate::render::fill_placeholders;
use paihao_contracts::settings::{MAX_NAME_CHARS, MAX_PREFIX_CHARS, SiteSetup};

/// Bytes of the longest link below a text: the public address, the path of a ticket's page and the
/// words around them.
pub const MAX_LINK_BYTES: usize = MAX_PUBLIC_URL_BYTES + 160;

/// Bytes of the longest public address.
pub const MAX_PUBLIC_URL_BYTES: usize = 200;

/// Names that fill the placeholders of a text.
pub(crate) struct LongestNames {
    site: String,
    queue: String,
    counter: String,
    prefix: String,
}

impl LongestNames {
    /// Longest names that a site may have.
    pub(crate) fn possible() -> LongestNames {
        // A character of four bytes.
        let name = || "𠮷".repeat(MAX_NAME_CHARS);
        let prefix = "W".repeat(MAX_PREFIX_CHARS);
        LongestNames { site: name(), queue: name(), counter: name(), prefix }
    }

    /// Longest names of one site.
    pub(crate) fn of_site(site: &SiteSetup) -> LongestNames {
        fn longest<'a>(names: impl Iterator<Item = &'a String>) -> String {
            names.max_by_key(|name| name.len()).cloned().unwrap_or_default()
        }
        LongestNames {
            site: site.name.clone(),
            queue: longest(site.queues.values().map(|queue| &queue.name)),
            counter: longest(site.counters.values().map(|counter| &counter.name)),
            prefix: longest(site.queues.values().map(|queue| &queue.prefix)),
        }
    }

    /// Bytes of the longest text that these words become; `news` is what stands for `{news}`.
    pub(crate) fn longest_text(&self, words: &str, news: Option<&str>) -> usize {
        let LongestNames { site, queue, counter, prefix } = self;
        let usual_news = [format!("再次叫号，请到{counter}"), format!("已转到{queue}")];
        let usual_news = usual_news.into_iter().max_by_key(String::len).unwrap_or_default();
        let text = words.replace("{news}", news.unwrap_or(&usual_news));
        let most = u32::MAX;
        let values = [
            ("{site}", site.clone()),
            ("{queue}", queue.clone()),
            ("{counter}", counter.clone()),
            ("{number}", format!("{prefix}{most}")),
            ("{time}", "2026-01-05 10:20".to_owned()),
            ("{ahead}", format!("{most}人")),
            // The reply to a scan says the wait in a sentence.
            ("{wait}", format!("前面 {most} 位，预计约 15–25 分钟")),
            ("{until}", "10:20".to_owned()),
            ("{places}", format!("{most}位")),
        ];
        fill_placeholders(&text, &values).len()
    }
}
