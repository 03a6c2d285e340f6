//! What somebody just did lets the account write to them freely for a while. The notifier reads it.

use super::hear::Hearing;
use bytes::Bytes;
use paihao_contracts::allowance::{Allowance, Window};
use paihao_contracts::names;
use paihao_domain::Person;
use paihao_wechat::OpenId;
use paihao_wechat::callback::{Event, Kind};
use std::time::Duration;

/// The longest that an answer waits for this to be noted: it is a guess, and may be lost.
const LIMIT: Duration = Duration::from_millis(200);

impl Hearing<'_> {
    /// Notes what the push allows.
    pub(super) async fn allow(&self) {
        let Some(window) = allows(&self.message.kind).filter(|_| self.account.texts) else {
            return;
        };
        let allowance = Allowance::opened(window, self.message.create_time);
        let Ok(left @ 1..) = u64::try_from(allowance.until - self.door.clock.now_ms()) else {
            return;
        };
        let person = self.message.from_user.tag(self.name);
        let key = names::allowance(self.name, &person, window.name());
        let value = Bytes::from(serde_json::to_vec(&allowance).expect("string keys only"));
        let noted = self.door.cache.put(&key, value, Duration::from_millis(left));
        match tokio::time::timeout(LIMIT, noted).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "what a push allows could not be noted"),
            Err(_) => tracing::debug!("what a push allows was not noted in time"),
        }
    }

    /// Takes everything back that the caches hold of somebody. WeChat says again that they left
    /// until it is done.
    pub(super) async fn forget_in_caches(
        &self,
        person: &Person,
    ) -> Result<(), paihao_cache::Unavailable> {
        let (cache, tag) = (&self.door.cache, OpenId::new(person.as_str()).tag(self.name));
        for window in Window::ALL {
            cache.remove(&names::allowance(self.name, &tag, window.name())).await?;
        }
        cache.remove(&names::sent_to(self.name, &tag)).await
    }
}

/// Which window a push opens. To tap a line of a menu inside a message counts as the menu does.
fn allows(kind: &Kind) -> Option<Window> {
    match kind {
        Kind::Event(
            Event::Subscribe { .. }
            | Event::Scan { .. }
            | Event::Click { .. }
            | Event::ScannedCode { .. },
        )
        | Kind::Text { chosen: Some(_), .. } => Some(Window::Tap),
        Kind::Text { .. }
        | Kind::Image { .. }
        | Kind::Voice { .. }
        | Kind::Video { .. }
        | Kind::Location { .. }
        | Kind::Link { .. }
        | Kind::File { .. } => Some(Window::Message),
        Kind::Event(_) | Kind::Other(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_wechat::callback::Delivered;

    #[test]
    fn what_people_do_opens_a_window_and_what_wechat_tells_does_not() {
        let text = |chosen| Kind::Text { content: "你好".into(), chosen, id: None };
        let event = |event| allows(&Kind::Event(event));
        assert_eq!(allows(&text(None)), Some(Window::Message));
        assert_eq!(allows(&text(Some("1".into()))), Some(Window::Tap), "a menu inside a message");
        assert_eq!(event(Event::Scan { scene: None, ticket: None }), Some(Window::Tap));
        assert_eq!(event(Event::Subscribe { scene: None, ticket: None }), Some(Window::Tap));
        assert_eq!(event(Event::Click { key: "A".into() }), Some(Window::Tap));
        assert_eq!(event(Event::Unsubscribe), None);
        assert_eq!(event(Event::View { url: String::new(), menu: None }), None);
        let sent = Event::TemplateSent { message: None, fate: Delivered::Success };
        assert_eq!(event(sent), None);
        assert_eq!(allows(&Kind::Other("hologram".into())), None);
    }
}
