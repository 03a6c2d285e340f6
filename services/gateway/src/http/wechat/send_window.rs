//! Send windows: an action of a customer permits messages for a while. The notifier reads them.

use super::dispatch::PushHandler;
use crate::http::state::AppState;
use bytes::Bytes;
use paihao_cache::CacheValue;
use paihao_contracts::send_window::{SendWindow, SendWindowKind};
use paihao_contracts::streams;
use paihao_domain::Person;
use paihao_wechat::callback::{Event, MessageKind};
use paihao_wechat::{OpenId, PersonTags};
use std::time::Duration;

impl PushHandler<'_> {
    /// Has the send window stored that the push opens.
    pub(super) fn open_send_window(&self) {
        let Some(kind) = window_for(&self.message.kind).filter(|_| self.account.sends_texts) else {
            return;
        };
        let window = SendWindow::open(kind, self.message.create_time);
        let Ok(remaining @ 1..) = u64::try_from(window.until - self.state.clock.now_ms()) else {
            return;
        };
        let person = self.tags.tag(self.account_name, &self.message.from_user);
        let key = streams::send_window_key(self.account_name, &person, kind.name());
        let value = Bytes::from(serde_json::to_vec(&window).expect("string keys only"));
        self.state.open_windows.add(CacheValue {
            key,
            value,
            ttl: Duration::from_millis(remaining),
        });
    }
}

/// Removes the cached data about a customer of an account, and what waits to be cached.
pub(super) async fn erase_from_cache(
    state: &AppState,
    account: &str,
    person: &Person,
    tags: &PersonTags,
) -> Result<(), paihao_cache::Unavailable> {
    for tag in tags.all(account, &OpenId::new(person.as_str())) {
        let windows = SendWindowKind::ALL
            .map(|window| streams::send_window_key(account, &tag, window.name()));
        state.open_windows.discard(&windows).await;
        for window in &windows {
            state.cache.remove(window).await?;
        }
        state.cache.remove(&streams::sent_index_key(account, &tag)).await?;
    }
    Ok(())
}

/// Send window that a push opens. A tap on a menu line inside a message counts like the menu.
fn window_for(kind: &MessageKind) -> Option<SendWindowKind> {
    match kind {
        MessageKind::Event(
            Event::Subscribe { .. }
            | Event::Scan { .. }
            | Event::Click { .. }
            | Event::MenuScan { .. },
        )
        | MessageKind::Text { chosen: Some(_), .. } => Some(SendWindowKind::Tap),
        MessageKind::Text { .. }
        | MessageKind::Image { .. }
        | MessageKind::Voice { .. }
        | MessageKind::Video { .. }
        | MessageKind::Location { .. }
        | MessageKind::Link { .. }
        | MessageKind::File { .. } => Some(SendWindowKind::Message),
        MessageKind::Event(_) | MessageKind::Other(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_wechat::callback::TemplateDeliveryResult;

    #[test]
    fn what_people_do_opens_a_window_and_what_wechat_tells_does_not() {
        let text = |chosen| MessageKind::Text { content: "你好".into(), chosen, id: None };
        let event = |event| window_for(&MessageKind::Event(event));
        assert_eq!(window_for(&text(None)), Some(SendWindowKind::Message));
        assert_eq!(
            window_for(&text(Some("1".into()))),
            Some(SendWindowKind::Tap),
            "a menu inside a message"
        );
        assert_eq!(event(Event::Scan { scene: None, ticket: None }), Some(SendWindowKind::Tap));
        assert_eq!(
            event(Event::Subscribe { scene: None, ticket: None }),
            Some(SendWindowKind::Tap)
        );
        assert_eq!(event(Event::Click { key: "A".into() }), Some(SendWindowKind::Tap));
        assert_eq!(event(Event::Unsubscribe), None);
        assert_eq!(event(Event::View { url: String::new(), menu: None }), None);
        let sent = Event::TemplateSent { message: None, result: TemplateDeliveryResult::Success };
        assert_eq!(event(sent), None);
        assert_eq!(window_for(&MessageKind::Other("hologram".into())), None);
    }
}
